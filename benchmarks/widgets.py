"""How long a reader waits for each widget in the browser: from a move to the new picture.

Each widget stands in a notebook of its own, in JupyterLab on this machine, with the data that comes
with the kit. One move after the other, each when the last is answered. Without a browser there is
nothing to measure.
"""

from __future__ import annotations

import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from _report import report

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

MOVES = 40
WIDGETS = {
    "CellBuilder": ("CellBuilder()", "select"),
    "FidelitySlider": ("FidelitySlider()", "slider"),
    "GradientSliders": ("GradientSliders()", "slider"),
    "OneShotRanks": ("OneShotRanks()", "slider"),
    "TemperatureSlider": (
        "TemperatureSlider(DartsRuns.load().w('first order')[0, -1])",
        "slider",
    ),
    "AlphaPlayer": (
        "AlphaPlayer(DartsRuns.load().w('first order')[0], table=Table.load())",
        "slider",
    ),
    "CompoundScaling": ("CompoundScaling(alpha=1.5)", "slider"),
    "EdgeDevices": ("EdgeDevices('raspberry_pi_4', 0.6)", "slider"),
    "SwapParts": ("SwapParts()", "select"),
    "BudgetDivider": ("BudgetDivider()", "slider"),
    "ElasticSlices": ("ElasticSlices(scores=TransformerGrid.load().scores()[0])", "slider"),
}
"""Each widget, how a notebook makes it, and what a reader moves."""
SOURCE = """
from nas_lab.estimation import Table
from nas_lab.estimation import DartsRuns, TransformerGrid
from nas_lab import widgets
w = widgets.{call}
w
"""
TIMED = """async ([widget, control, moves]) => {
    const taken = [], picture = () => widget.querySelector("img").src;
    const atEnd = control.getAttribute("aria-valuenow") === control.getAttribute("aria-valuemax");
    const keys = atEnd ? ["ArrowLeft", "ArrowRight"] : ["ArrowRight", "ArrowLeft"];
    const move = {
        slider: i => control.dispatchEvent(new KeyboardEvent(
            "keydown", {key: keys[i % 2], bubbles: true, cancelable: true})),
        select: i => {
            control.selectedIndex = (control.selectedIndex + 1) % control.options.length;
            control.dispatchEvent(new Event("change", {bubbles: true}));
        },
    }[control.tagName === "SELECT" ? "select" : "slider"];
    for (let i = 0; i < moves; i++) {
        const before = picture(), began = performance.now();
        move(i);
        while (picture() === before) {
            if (performance.now() - began > 10000) throw new Error(`no answer to move ${i}`);
            await new Promise(resolve => setTimeout(resolve, 1));
        }
        taken.push(performance.now() - began);
        await new Promise(resolve => setTimeout(resolve, 50));  // let all of the answer arrive
    }
    return taken;
}"""


def waited(lab, name: str) -> list[float]:
    """Milliseconds from each move to its answer."""
    call, kind = WIDGETS[name]
    widget = lab.show(SOURCE.format(call=call))
    if lab.errors():
        raise RuntimeError(f"{name}: {lab.errors()}")
    edge = widget.get_by_label("input → 1", exact=True)
    control = edge if kind == "select" else widget.get_by_role("slider").first
    control.wait_for(timeout=60_000)
    widget.get_by_role("img").first.wait_for(timeout=60_000)
    return lab.page.evaluate(TIMED, [widget.element_handle(), control.element_handle(), MOVES])


def main() -> None:
    """Measure each widget."""
    from tests.browser.lab import Browser, Lab, Server, find_browser

    chromium = find_browser()
    if chromium is None or not find_spec("playwright"):
        print("widgets: no chromium or no playwright here, nothing is measured")
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        notebooks = Path(folder, "notebooks")
        notebooks.mkdir()
        with (
            Browser(chromium, Path(folder, "browser")) as browser,
            Server(Path(folder), notebooks) as server,
            browser.connected() as connection,
        ):
            lab = Lab(server, connection.contexts[0].pages[0], Path(folder))
            for name in WIDGETS:
                half, most = np.percentile(waited(lab, name), [50, 95])
                rows.append({"widget": name, "ms, median": half, "ms, 95th percentile": most})
    report("widgets in the browser", rows)


if __name__ == "__main__":
    main()
