"""Every widget in both themes: it fits a laptop, Tab reaches all controls, axe finds no fault.

Axe judges by WCAG 2.1 AA, contrast included; one fault of ipywidgets is excused.
"""

import pytest

HEAD = """
from nas_lab.estimation import DartsRuns, OneShotRuns, Table, TransformerGrid
from nas_lab.widgets import *
table, runs = Table.load(), DartsRuns.load()
"""
WIDGETS = {
    "cell builder": "CellBuilder()",
    "fidelity slider": "FidelitySlider()",
    "ten picks": "PickTen()",
    "gradient sliders": "GradientSliders()",
    "live race": "LiveRace(table, trials=120)",
    "one-shot ranks": "OneShotRanks(rankings=Rankings.of(table, OneShotRuns.load()))",
    "temperature slider": "TemperatureSlider(runs.w('first order')[0, -1])",
    "alpha player": "AlphaPlayer(runs.w('first order')[0])",
    "compound scaling": "CompoundScaling()",
    "edge devices": "EdgeDevices()",
    "parts of a swap": "SwapParts(table)",
    "budget": "BudgetDivider()",
    "elastic slices": "ElasticSlices(scores=TransformerGrid.load().scores()[0])",
}
THEMES = ["JupyterLab Light", "JupyterLab Dark"]
LAPTOP = {"width": 1280, "height": 800}
IN_SIGHT = 720  # pixels of a laptop's height that are left for a widget
# ipywidgets 8 names a slider beside its handle, and a screen reader does not connect the two.
UNNAMED = "aria-input-field-name"
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
# Numbers the controls of an output, goes to the first, returns how each begins.
CONTROLS = """output => {
    const all = [...output.querySelectorAll("button, select, input, textarea, [role=slider]")]
        .filter(e => !e.disabled && e.offsetParent !== null && !(e.type === "radio" && !e.checked));
    all.forEach((e, n) => { e.dataset.nth = n; });
    all[0].focus();
    return all.map(e => e.outerHTML.slice(0, 120));
}"""
# Entries of menus that are wider than the menu, less its arrow.
CUT = """output => [...output.querySelectorAll("select")].flatMap(menu => {
    const look = getComputedStyle(menu), pen = document.createElement("canvas").getContext("2d");
    pen.font = `${look.fontSize} ${look.fontFamily}`;
    const room = menu.clientWidth - parseFloat(look.paddingLeft) - parseFloat(look.paddingRight);
    return [...menu.options].map(e => e.text).filter(text => pen.measureText(text).width > room);
})"""
HTML = "import IPython\nIPython.display.HTML"
HERE = "document.activeElement.dataset.nth"


@pytest.fixture
def widgets(lab, show):
    """Show all widgets in one notebook; return the locator of each output."""
    show(HEAD, *WIDGETS.values())
    lab.page.set_viewport_size(LAPTOP)
    yield {name: lab.output(n) for n, name in enumerate(WIDGETS, start=1)}
    lab.choose_theme(THEMES[0])


def faults(page, output):
    """Return what axe finds in an output: the rule, and where."""
    from axe_playwright_python.sync_playwright import Axe

    output.evaluate("output => { output.id = 'judged'; }")
    only = {"runOnly": {"type": "tag", "values": LEVELS}}
    found = Axe().run(page, context="#judged", options=only).response["violations"]
    output.evaluate("output => { output.removeAttribute('id'); }")
    nodes = [(fault["id"], node) for fault in found for node in fault["nodes"]]
    return [
        f"{rule}: {node['html'][:160]} {[reason['message'] for reason in node['any']]}"
        for rule, node in nodes
        if not (rule == UNNAMED and "noUi-handle" in node["html"])
    ]


def unreached(page, output):
    """Return the controls that Tab, pressed on the first one, does not come by."""
    controls = output.evaluate(CONTROLS)
    left = {str(n): text for n, text in enumerate(controls)}
    left.pop(page.evaluate(HERE), None)
    for _ in range(3 * len(controls)):  # the readout of a slider takes the focus, too
        if not left:
            break
        page.keyboard.press("Tab")
        left.pop(page.evaluate(HERE), None)
    return list(left.values())


def out_of_sight(output):
    """Say by how many pixels an output is wider or higher than what a laptop shows."""
    wide = output.evaluate("e => e.scrollWidth - e.clientWidth")
    high = output.bounding_box()["height"] - IN_SIGHT
    return [f"{name}: {over} px" for name, over in (("wide", wide), ("high", high)) if over > 0]


def test_every_widget_fits_is_reached_and_read(lab, widgets):
    judged = {}
    for theme in THEMES:
        lab.choose_theme(theme)
        for name, output in widgets.items():
            output.scroll_into_view_if_needed()
            found = out_of_sight(output) + faults(lab.page, output) + unreached(lab.page, output)
            found += output.evaluate(CUT)
            judged[name, theme] = found
            lab.screenshot(f"{name} {theme.split()[1].lower()}".replace(" ", "-"), output)
    assert {key: wrong for key, wrong in judged.items() if wrong} == {}


def test_tab_sees_a_control_out_of_its_way(lab):
    output = lab.show(f"{HTML}('<button>a</button><button tabindex=-1>b')")
    assert ["b" in text for text in unreached(lab.page, output)] == [True]


def test_an_entry_that_its_menu_cuts_is_seen(lab):
    menu = "<select style=width:90px><option>a<option>an entry of 25 letters"
    assert lab.show(f"{HTML}('{menu}')").evaluate(CUT) == ["an entry of 25 letters"]


def test_axe_sees_a_control_without_a_label(lab):
    output = lab.show(f"{HTML}('<input type=\"text\">')")
    assert any(fault.startswith("label") for fault in faults(lab.page, output))
