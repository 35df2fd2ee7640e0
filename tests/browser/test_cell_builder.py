"""The cell builder under a reader's hand: keyboard only, and words that the kernel computed."""

import re

import pytest

from nas_lab import plots, spaces
from nas_lab.widgets.cell_builder import SKELETON
from tests.browser.reader import press, save

SPACE = spaces.nasbench201()
SOURCE = """
from nas_lab.widgets import CellBuilder
w = CellBuilder((3, 0, 3, 1, 0, 1))
w
"""


def size(arch):
    cost = SPACE.cost(arch, SKELETON)
    return f"{cost.params:,} parameters, {plots.quantity(cost.macs)} multiply-adds"


@pytest.fixture
def builder(lab):
    """The widget, just run, and nothing touched."""
    save(lab.server, "builder.ipynb", SOURCE, "print(w.state)")
    lab.open("builder.ipynb")
    lab.run_all()
    assert lab.errors() == []
    return lab.output(0)


# In JupyterLab's command mode a closed menu never sees the arrow keys: the notebook takes them to
# move between cells. Space opens the menu, and then they arrive.
def test_a_cell_is_clicked_together_and_trained_by_keyboard(lab, builder):
    builder.get_by_text(size((3, 0, 3, 1, 0, 1))).wait_for()
    builder.get_by_text("canonical form: |").wait_for()
    picture = builder.get_by_role("img", name=re.compile("^Graph of the cell. input → 1: conv 3×3"))
    assert picture.evaluate("image => image.complete && image.naturalWidth > image.width")
    lab.screenshot("cell-builder", builder)
    first = builder.get_by_label("input → 1", exact=True)
    first.focus()
    press(lab, "Space", "ArrowDown", "Enter")  # from a 3x3 convolution to pooling
    builder.get_by_text(size((4, 0, 3, 1, 0, 1))).wait_for()
    press(lab, "Tab", "Space", "ArrowDown", "ArrowDown", "ArrowDown", "Enter")  # none to 3x3
    builder.get_by_text(size((4, 3, 3, 1, 0, 1))).wait_for()
    builder.get_by_role("img", name=re.compile("^Matrix w.*input → 2: conv 3×3")).wait_for()
    builder.get_by_text("not trained yet").wait_for()
    train = builder.get_by_role("button", name="Train one epoch")
    train.focus()
    press(lab, "Enter")
    builder.get_by_text(
        re.compile(r"After one epoch with seed 0: validation accuracy \d+\.\d%")
    ).wait_for()
    table = builder.get_by_role("row")
    assert table.count() == 2
    assert "avg pool, conv 3×3, conv 3×3, skip, none, skip" in table.nth(1).inner_text()
    assert lab.errors() == []
    lab.screenshot("cell-builder-trained", builder)


def test_train_and_its_result_are_in_sight_on_a_small_laptop(lab, builder):
    lab.page.set_viewport_size({"width": 1280, "height": 800})
    builder.get_by_role("button", name="Train one epoch").click()
    said = builder.get_by_text(re.compile("After one epoch with seed 0: "))
    said.wait_for()
    picture = builder.get_by_role("img").first.bounding_box()
    menu = builder.get_by_label("1 → 2", exact=True).bounding_box()
    assert picture["x"] > menu["x"] + menu["width"]  # beside each other, not below
    message = said.bounding_box()
    assert 0 <= message["y"] - picture["y"] - picture["height"] < 30  # right under the picture
    table = builder.get_by_role("row").last.bounding_box()
    assert table["y"] + table["height"] < 800
    buttons = [builder.get_by_role("button", name=n) for n in ("Train", "Random", "Reset")]
    assert len({button.bounding_box()["y"] for button in buttons}) == 1  # in one row
    buttons[0].click()
    builder.get_by_text(re.compile(r"Together: .* to .*, 2 seeds\)")).wait_for()
    assert builder.get_by_role("row").count() == 2
    lab.screenshot("cell-builder-1280x800")
    assert lab.errors() == []


def test_presets_random_and_reset_move_every_control(lab, builder):
    cell = builder.get_by_label("cell", exact=True)
    cell.select_option("only skips")
    builder.get_by_text(size((1,) * 6)).wait_for()
    cell.select_option("your own")
    lab.page.wait_for_function("e => e.value === 'only skips'", arg=cell.element_handle())
    cell.select_option("broken: no path to the output")
    builder.get_by_text("No path leads from input to output").wait_for()
    assert builder.get_by_label("2 → output", exact=True).input_value() == "none: no edge"
    builder.get_by_role("button", name="Random cell").click()
    builder.get_by_text("No path leads from input to output").wait_for(state="detached")
    assert cell.input_value() == "your own"
    builder.get_by_role("button", name="Reset").click()
    builder.get_by_text(size((3, 0, 3, 1, 0, 1))).wait_for()
    assert lab.errors() == []
