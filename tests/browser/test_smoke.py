"""The fixture itself: cells run, a widget shows and obeys the keyboard, failures are seen."""

import sys

import nbformat
import pytest

import nas_lab

SLIDER = """
import ipywidgets as widgets
slider = widgets.IntSlider(value=3, min=0, max=10, description="layers")
text = widgets.HTML()
def show(change=None):
    text.value = f"<b>{slider.value} layers, {2 ** slider.value} networks</b>"
slider.observe(show, "value")
show()
widgets.VBox([slider, text])
"""


def save(server, name, *cells):
    """Save a notebook of these cells where the server finds it."""
    notebook = nbformat.v4.new_notebook(cells=list(cells))
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, server.notebooks / name)


def test_a_slider_obeys_the_keyboard(lab):
    heading = nbformat.v4.new_markdown_cell("# A slider")
    empty = nbformat.v4.new_code_cell("")
    save(lab.server, "slider.ipynb", heading, nbformat.v4.new_code_cell(SLIDER.strip()), empty)
    lab.open("slider.ipynb")
    lab.run_all()
    assert lab.errors() == []
    output = lab.output(1)
    output.get_by_text("3 layers, 8 networks").wait_for()
    handle = output.get_by_role("slider")
    handle.focus()
    handle.press("ArrowRight")
    output.get_by_text("4 layers, 16 networks").wait_for()
    lab.screenshot("smoke-slider")
    assert lab.errors() == []


def test_the_kernel_is_this_python_and_this_checkout(lab):
    source = "import sys, nas_lab; print(sys.executable, nas_lab.__file__)"
    save(lab.server, "python.ipynb", nbformat.v4.new_code_cell(source))
    lab.open("python.ipynb")
    lab.run_all()
    assert lab.output(0).inner_text().split() == [sys.executable, nas_lab.__file__]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("from IPython.display import Image\nImage(url='http://example.com/x.png')", "asked for"),
    ],
    ids=["a cell fails", "a page goes online"],
)
def test_what_goes_wrong_is_seen(lab, source, expected):
    cells = [nbformat.v4.new_code_cell(source), nbformat.v4.new_code_cell("2")]
    save(lab.server, "wrong.ipynb", *cells)
    lab.open("wrong.ipynb")
    lab.run_all()
    assert any(expected in error for error in lab.errors())
