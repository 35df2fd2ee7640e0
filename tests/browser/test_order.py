"""A late cell is run first: the hint below it says what to do, and doing so helps."""

import nbformat

from tests.browser.test_smoke import save


def run(lab, n):
    """Run the n-th cell as a reader does: a click into it, and the keyboard."""
    lab.cell(n).locator(".cm-content").click()
    lab.page.keyboard.press("Control+Enter")


def test_the_hint_names_the_cell_and_the_menu(lab):
    make = nbformat.v4.new_code_cell
    heading = nbformat.v4.new_markdown_cell("## 1 Widths\n\nA text.")
    cells = [make("%load_ext nas_lab.order"), heading, make("width = 6\ndepth = 7")]
    save(lab.server, "order.ipynb", *cells, make("width * depth"))
    lab.open("order.ipynb")
    run(lab, 0)
    run(lab, 3)
    hint = lab.output(3).locator(".jp-RenderedMarkdown")
    hint.get_by_text("It stands under '1 Widths'").wait_for()
    assert hint.locator("code").all_inner_texts() == ["width", "width = 6\n"]
    lab.screenshot("order-hint")
    bar = lab.page.get_by_role("menubar")
    bar.get_by_role("menuitem", name="Run", exact=True).click()
    lab.page.get_by_role("menuitem", name="Run All Above Selected Cell").click()
    run(lab, 3)
    lab.output(3).get_by_text("42").wait_for()
    assert lab.errors() == []
