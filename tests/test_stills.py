"""Stills of widgets: ipywidgets' own record of what it showed goes in, HTML comes out."""

import base64
import copy

import ipywidgets
import nbformat
import pytest
from ipywidgets.embed import dependency_state
from tqdm.notebook import tqdm_notebook

from tools import stills

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)


@pytest.fixture
def notebook():
    """Three cells: a widget, a progress bar beside a printed line, a text."""
    words = ipywidgets.HTML("<style>b {color: red}</style><b>tau = 0.6</b> for x &lt; 1")
    slider = ipywidgets.VBox([ipywidgets.IntSlider(), ipywidgets.HBox([words])])
    progress = tqdm_notebook.status_printer(None, total=3)
    states = dependency_state([slider, progress])
    shown = [
        nbformat.v4.new_output("display_data", {stills.VIEW: {"model_id": each.model_id}})
        for each in (slider, progress)
    ]
    printed = nbformat.v4.new_output("stream", name="stdout", text="done")
    cells = [
        nbformat.v4.new_code_cell(id="cell-00", outputs=[shown[0]]),
        nbformat.v4.new_code_cell(id="cell-01", outputs=[shown[1], printed]),
        nbformat.v4.new_markdown_cell("text"),
    ]
    widgets = {stills.STATES: {"state": states}}
    return nbformat.v4.new_notebook(cells=cells, metadata={"widgets": widgets})


def test_a_widget_becomes_its_words_or_its_screenshot(notebook, tmp_path, monkeypatch):
    monkeypatch.setattr(stills, "SCREENSHOTS", tmp_path)
    assert [number for number, _ in stills.widgets(notebook)] == [0]  # and no progress bar
    pictured = copy.deepcopy(notebook)
    stills.without_widgets(notebook, "05")
    (output,) = notebook.cells[0].outputs
    assert "<b>tau = 0.6</b> for x &lt; 1" in output.data["text/html"]
    assert "<img" not in output.data["text/html"]
    assert [each.output_type for each in notebook.cells[1].outputs] == ["stream"]
    assert "widgets" not in notebook.metadata
    for name in ("05-cell-00.png", "05-cell-00-phone.png"):
        (tmp_path / name).write_bytes(PIXEL)
    stills.without_widgets(pictured, "05")
    page = pictured.cells[0].outputs[0].data["text/html"]
    assert 'alt="A widget. tau = 0.6 for x &lt; 1"' in page
    assert page.count(base64.b64encode(PIXEL).decode()) == 2  # for a laptop and for a phone
    assert page.count("tau = 0.6") == 1
