"""What a reader does with a notebook: write it, press keys, run a cell and read what it says."""

import re

import nbformat


def save(server, name, *sources):
    """Write a notebook with these code cells."""
    cells = [nbformat.v4.new_code_cell(source.strip()) for source in sources]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, server.notebooks / name)


def press(lab, *keys):
    for key in keys:
        lab.page.keyboard.press(key)


def tell(lab):
    """Run the second cell, which the kernel does after all that came before, and read it."""
    before = lab.cell(1).locator(".jp-InputArea-prompt").inner_text()
    lab.cell(1).locator(".cm-content").click()
    press(lab, "Control+Enter")
    lab.page.wait_for_function(
        "([e, old]) => /[0-9]/.test(e.innerText) && e.innerText !== old",
        arg=[lab.cell(1).locator(".jp-InputArea-prompt").element_handle(), before],
    )
    lab.output(1).get_by_text(re.compile(r"\S")).first.wait_for()
    return lab.output(1).inner_text().strip()
