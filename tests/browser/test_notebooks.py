"""Notebooks in JupyterLab: 'run all' leaves no error; a hint helps; what goes wrong is seen."""

import sys

import pytest
from nbformat.v4 import new_markdown_cell

import nas_lab
from tests.browser.lab import IN_BROWSER

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


@pytest.mark.parametrize("name", IN_BROWSER)
def test_run_all_leaves_no_error(lab, name):
    lab.open(f"{name}.ipynb")
    lab.run_all()
    assert lab.errors() == []
    lab.screenshot(name)


def test_a_slider_obeys_the_keyboard(lab, show):
    show(new_markdown_cell("# A slider"), SLIDER, "")
    output = lab.output(1)
    output.get_by_text("3 layers, 8 networks").wait_for()
    lab.press("ArrowRight", on=output.get_by_role("slider"))
    output.get_by_text("4 layers, 16 networks").wait_for()
    lab.screenshot("smoke-slider")


def test_the_kernel_is_this_python_and_this_checkout(show):
    output = show("import sys, nas_lab; print(sys.executable, nas_lab.__file__)")
    assert output.inner_text().split() == [sys.executable, nas_lab.__file__]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("from IPython.display import Image\nImage(url='http://example.com/x.png')", "asked for"),
    ],
    ids=["a cell fails", "a page goes online"],
)
def test_what_goes_wrong_is_seen(lab, source, expected):
    lab.show(source, "2")
    assert any(expected in error for error in lab.errors())


def test_a_late_cell_run_first_is_told_which_cell_and_menu_help(lab):
    heading = new_markdown_cell("## 1 Widths\n\nA text.")
    cells = ["%load_ext nas_lab.order", heading, "width = 6\ndepth = 7", "width * depth"]
    lab.show(*cells, run=False)
    lab.run(0)
    lab.run(3)
    hint = lab.output(3).locator(".jp-RenderedMarkdown")
    hint.get_by_text("It stands under '1 Widths'").wait_for()
    assert hint.locator("code").all_inner_texts() == ["width", "width = 6\n"]
    lab.screenshot("order-hint")
    lab.choose("Run", "Run All Above Selected Cell")
    lab.run(3)
    lab.output(3).get_by_text("42").wait_for()
    assert lab.errors() == []
