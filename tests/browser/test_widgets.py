"""Widgets under a reader's hand: by keyboard, with words that the kernel computed."""

import re

import numpy as np
import pytest
from scipy import stats

from nas_lab import plots, spaces
from nas_lab.widgets import AlphaState, GameState, GradientState, SliceState, SwapState
from nas_lab.widgets.cell_builder import SKELETON
from nas_lab.widgets.edge import EdgeState
from tests.browser.lab import SAVE, SHOWN
from tests.strategies.tables import invented
from tests.widgets.walks import EPOCHS, IMAGES, SCORES, SECONDS, fidelities, film, rankings

HEAD = """
from nas_lab.widgets import *
from tests.strategies.tables import invented
from tests.widgets.walks import SCORES, fidelities, film, rankings
"""
LAPTOP = {"width": 1280, "height": 800}


@pytest.fixture
def widget(show):
    """Return what shows the widget of a call; a second cell prints its state."""

    def shown(call, then="print(w.state)"):
        return show(f"{HEAD}w = {call}\nw", then)

    return shown


def button(w, name):
    return w.get_by_role("button", name=name, exact=True)


def picture(w, begin):
    """The picture whose text begins so; it is sharp on a fine screen, too."""
    found = w.get_by_role("img", name=re.compile(f"^{re.escape(begin)}"))
    assert found.evaluate("image => image.complete && image.naturalWidth > image.width")
    return found


# ---- sliders and menus ---------------------------------------------------------------------------

# A walk yields the call that makes the widget. Then it yields moves: the number of a slider, the
# name of a button or of a labelled control, or "menu"; keys, or an option of the menu; and what is
# to be seen after that: words, or as a pattern the text of a picture.
FAST = [*np.random.default_rng(0).choice(["ArrowLeft", "ArrowRight"], 30).tolist(), "End"]


def budget():
    # Li et al. 2018: with R = 27 and eta = 3 the boldest bracket has 27, 9, 3 and 1.
    start = "Bracket 1 trains 27 to epoch 1, then 9 to epoch 3"
    yield "BudgetDivider(27, 3)"
    yield 2, [], start
    yield 2, ["End"], "Bracket 4 trains 4 to epoch 27: 108 epochs."
    yield 0, ["ArrowLeft"], "Bracket 3 trains 3 to epoch 16"
    yield 1, ["ArrowLeft"], "5 brackets"
    yield "Reset", ["Enter"], start
    yield 0, FAST, "Bracket 1 trains 81 to epoch 1"


def edge():
    def words(beta, device="raspberry_pi_4"):
        return EdgeState(device, beta, table=invented()).words

    yield "EdgeDevices('raspberry_pi_4', 0.6, table=invented())"
    yield 0, [], words(0.6)
    yield 0, ["ArrowRight"], words(0.7)
    yield 0, ["End"], words(8.0), re.compile("Accuracy against latency")
    yield "Reset", ["Enter"], words(0.6)
    yield "menu", "server GPU: Tesla V100", words(0.6, "v100")


def fidelity():
    known = fidelities()

    def words(row, column):
        tau = stats.kendalltau(known.scores[row, column], known.truth)[0]
        setting = f"{IMAGES[row]:,} images, {column + 1} of {EPOCHS} epochs"
        return f"{setting}: {known.cost[row, column]:.0%} of the cost, tau = {tau:.2f}"

    yield "FidelitySlider(1, 100, fidelities=fidelities())"
    yield 1, [], words(0, 0)
    yield 1, ["ArrowRight"], words(0, 1)
    yield 0, ["ArrowRight", "ArrowRight"], words(2, 1), re.compile("tau = ")
    yield "Reset", ["Enter"], words(0, 0)
    yield 1, FAST, words(0, 2)


def gradient():
    state = GradientState(invented())
    yield "GradientSliders(invented())"
    yield 0, [], state.words
    moved = [(1, "batch", 8), (2, "learnt", 30), (3, "entropy", 0.001), (0, "baseline", 0.01)]
    for slider, name, value in moved:
        setattr(state, name, value)
        yield slider, ["ArrowRight"], state.words
    state.take_mean()
    yield "Mean reward", ["Enter"], state.words, re.compile(re.escape(state.words))
    yield "Reset", ["Enter"], GradientState(invented()).words


def one_shot():
    known = rankings()

    def words(method, checkpoint):
        tau = stats.kendalltau(known.methods[method].scores[0, checkpoint], known.truth)[0]
        return f"{method}: tau = {tau:.2f} after {SECONDS[method][checkpoint]:.0f} s"

    yield "OneShotRanks(checkpoint=0, rankings=rankings())"
    yield 0, [], words("steady", 0)
    yield 0, ["ArrowRight", "ArrowRight"], words("steady", 2), re.compile("tau = ")
    yield "menu", "hasty", words("hasty", 1)
    yield "Reset", ["Enter"], words("steady", 0)
    yield 0, FAST, words("steady", 2)


def slices():
    state = SliceState(scores=SCORES)
    yield "ElasticSlices(scores=SCORES)"
    yield 0, [], state.words
    moved = [(0, "depth", 3), (1, "width", 48), (2, "heads", 4), (3, "ratio", 4)]
    for slider, name, value in moved:
        setattr(state, name, value)
        yield slider, ["ArrowRight"], state.words, state.details[0]
    state.device = "stm32f746"
    seen = [state.words, state.details[2], re.compile(f"^Slices of.*{re.escape(state.words)}")]
    yield "menu", "microcontroller: STM32F746, Cortex-M7 at 216 MHz", *seen
    state.reset()
    yield "Reset", ["Enter"], state.words
    state.width = 48
    yield 1, FAST, state.words


def swap():
    state = SwapState(invented())
    start = state.words
    yield "SwapParts(invented())"
    yield "Reset", [], start
    state.choose(0, 2)  # from a 3x3 to a 1x1 convolution
    seen = [state.words, state.details[0], re.compile("Parts of the change. over all cells")]
    yield "input → 1", ["Space", "ArrowUp", "Enter"], *seen
    state.improve()
    yield "Nearest better cell", ["Enter"], state.message
    yield "Reset", ["Enter"], start


def temperature():
    yield "TemperatureSlider(film()[-1])"
    yield 0, [], "tau = 1: "
    yield 0, ["ArrowLeft"], "tau = 0.5: the largest weight of a row is "
    yield "Reset", ["Enter"], "tau = 1: "


def control(w, name):
    if isinstance(name, int):
        return w.get_by_role("slider").nth(name)
    if name == "menu":
        return w.get_by_role("combobox")
    return button(w, name).or_(w.get_by_label(name, exact=True))


@pytest.mark.parametrize(
    "walk",
    [budget, edge, fidelity, gradient, one_shot, slices, swap, temperature],
    ids=lambda walk: walk.__name__,
)
def test_every_control_is_answered_and_fast_moves_leave_the_last_one(lab, widget, walk):
    moves = walk()
    w = widget(next(moves))
    for name, keys, *seen in moves:
        if name == "Reset" and keys:
            lab.screenshot(walk.__name__.replace("_", "-"), w)
        if isinstance(keys, str):
            control(w, name).select_option(keys)
        else:
            lab.press(*keys, on=control(w, name))
        for each in seen:
            (
                w.get_by_text(each) if isinstance(each, str) else w.get_by_role("img", name=each)
            ).wait_for()
        if name == "menu":
            lab.screenshot(f"{walk.__name__}-menu".replace("_", "-"), w)
    lab.tell()
    w.get_by_text(seen[0]).wait_for()


def test_a_saved_notebook_shows_its_widgets_without_their_kernel(lab, widget):
    w = widget("BudgetDivider(27, 3)")
    lab.press("End", on=w.get_by_role("slider").nth(2))
    words = "Bracket 4 trains 4 to epoch 27: 108 epochs."
    w.get_by_text(words).wait_for()
    hint = "e => getComputedStyle(e.querySelector('.nas-lab-words'), '::after').content"
    assert w.evaluate(hint) == "none"
    lab.page.evaluate(SAVE)
    lab.open(SHOWN)  # its kernel has forgotten all
    w = lab.output(0)
    w.get_by_text(words).wait_for()
    picture(w, "What each bracket spends.")
    assert "run its cell to move it" in w.evaluate(hint)
    lab.screenshot("saved", w)
    lab.run_all()
    assert w.evaluate(hint) == "none"


# ---- the player of alphas ------------------------------------------------------------------------


def step(at, run=None):
    return AlphaState(film() if run is None else run, table=invented(), at=at).words


def test_alphas_are_scrubbed_played_and_reset_by_keyboard(lab, widget):
    w = widget("AlphaPlayer(film(), table=invented())")
    w.get_by_text(step(40)).wait_for()
    picture(w, "Edges of the cell as wide as")
    lab.screenshot("alphas", w)
    lab.press("ArrowLeft", "ArrowLeft", on=w.get_by_role("slider").first)
    w.get_by_text(step(38)).wait_for()
    lab.press("Home")
    w.get_by_text(step(1)).wait_for()
    lab.press("Enter", on=button(w, "Play"))
    w.get_by_text(re.compile(r"step ([5-9]|\d\d) of 40")).wait_for()
    lab.press("Enter", on=button(w, "Pause"))
    w.get_by_text("Paused.", exact=True).wait_for()
    lab.screenshot("alphas-paused", w)
    shown = w.get_by_text(re.compile(r"^step \d+ of 40")).inner_text()
    lab.tell()
    lab.tell()
    assert w.get_by_text(re.compile(r"^step \d+ of 40")).inner_text() == shown
    assert shown == step(int(re.match(r"step (\d+)", shown)[1]))
    lab.press("Enter", on=button(w, "Reset"))
    w.get_by_text(step(1)).wait_for()
    lab.press("End", on=w.get_by_role("slider").last)  # the speed
    lab.press("Enter", on=button(w, "Play"))
    w.get_by_text("The end. Play begins anew.").wait_for()
    w.get_by_text(step(40)).wait_for()


def test_alphas_follow_a_run_while_the_cell_is_busy(lab, widget):
    grow = "import time\nfor row in film(30, seed=1):\n    w.append(row)\n    time.sleep(0.05)\n"
    w = widget("AlphaPlayer(table=invented())", grow + "print(w.model.steps, 'steps')")
    w.get_by_text(step(30, film(30, seed=1))).wait_for()
    lab.output(1).get_by_text("30 steps").wait_for()
    assert float(w.get_by_role("slider").first.get_attribute("aria-valuemax")) == 30
    lab.screenshot("alphas-grown", w)


# ---- the cell builder ----------------------------------------------------------------------------

ARCH = (3, 0, 3, 1, 0, 1)
BUILDER = f"CellBuilder({ARCH})"


def size(arch):
    cost = spaces.nasbench201().cost(arch, SKELETON)
    return f"{cost.params:,} parameters, {plots.quantity(cost.macs)} multiply-adds"


# In JupyterLab's command mode a closed menu never sees the arrow keys: the notebook takes them to
# move between cells. Space opens the menu, and then they arrive.
def test_a_cell_is_clicked_together_trained_and_filled_by_presets(lab, widget):
    w = widget(BUILDER)
    w.get_by_text(size(ARCH)).wait_for()
    w.get_by_text("canonical form: |").wait_for()
    picture(w, "Graph of the cell. input → 1: conv 3×3")
    lab.screenshot("cell-builder", w)
    first = w.get_by_label("input → 1", exact=True)
    lab.press("Space", "ArrowDown", "Enter", on=first)  # from a 3x3 convolution to pooling
    w.get_by_text(size((4, *ARCH[1:]))).wait_for()
    lab.press("Tab", "Space", *["ArrowDown"] * 3, "Enter")  # none to 3x3
    w.get_by_text(size((4, 3, *ARCH[2:]))).wait_for()
    w.get_by_role("img", name=re.compile("^Matrix w.*input → 2: conv 3×3")).wait_for()
    w.get_by_text("not trained yet").wait_for()
    lab.press("Enter", on=w.get_by_role("button", name="Train one epoch"))
    w.get_by_text(
        re.compile(r"After one epoch with seed 0: validation accuracy \d+\.\d%")
    ).wait_for()
    assert w.get_by_role("row").count() == 2
    row = w.get_by_role("row").nth(1).inner_text()
    assert "avg pool, conv 3×3, conv 3×3, skip, none, skip" in row
    lab.screenshot("cell-builder-trained", w)
    w.locator(".nas-lab-frozen").wait_for(state="detached")  # clicks are heeded again
    cell = w.get_by_label("cell", exact=True)
    cell.select_option("only skips")
    w.get_by_text(size((1,) * 6)).wait_for()
    cell.select_option("your own")
    lab.page.wait_for_function("e => e.value === 'only skips'", arg=cell.element_handle())
    cell.select_option("broken: no path to the output")
    w.get_by_text("No path leads from input to output").wait_for()
    assert w.get_by_label("2 → output", exact=True).input_value() == "none: no edge"
    button(w, "Random cell").click()
    w.get_by_text("No path leads from input to output").wait_for(state="detached")
    assert cell.input_value() == "your own"
    button(w, "Reset").click()
    w.get_by_text(size(ARCH)).wait_for()


def test_train_and_its_result_are_in_sight_on_a_small_laptop(lab, widget):
    w = widget(BUILDER)
    lab.page.set_viewport_size(LAPTOP)
    buttons = [w.get_by_role("button", name=n) for n in ("Train", "Random", "Reset")]
    buttons[0].click()
    said = w.get_by_text(re.compile("After one epoch with seed 0: "))
    said.wait_for()
    graph = beside(w)
    message = said.bounding_box()
    assert 0 <= message["y"] - graph["y"] - graph["height"] < 30  # right under the picture
    table = w.get_by_role("row").last.bounding_box()
    assert table["y"] + table["height"] < 800
    assert len({button.bounding_box()["y"] for button in buttons}) == 1  # in one row
    buttons[0].click()
    w.get_by_text(re.compile(r"Together: .* to .*, 2 seeds\)")).wait_for()
    assert w.get_by_role("row").count() == 2
    lab.screenshot("cell-builder-1280x800")


def beside(w):
    """The graph stands beside the menus, not below; return its box."""
    graph = w.get_by_role("img").first.bounding_box()
    menu = w.get_by_label("1 → 2", exact=True).bounding_box()
    assert graph["x"] > menu["x"] + menu["width"]
    return graph


# ---- ten picks -----------------------------------------------------------------------------------

PICKS = [(3, *(1,) * 5), *[(3, token, *(1,) * 4) for token in (3, 4)] * 4]


def test_ten_picks_by_keyboard(lab, widget):
    def pick(picks):
        """Train, and wait for what the kernel has to say of so many picks."""
        lab.press("Enter", on=train)
        w.get_by_text(GameState(invented(), picks=picks).picks_words).wait_for()

    w = widget("PickTen(invented())")
    train = w.get_by_role("button", name=re.compile("^Train"))
    w.get_by_text("10 trainings to spend").wait_for()
    w.get_by_text("not trained yet").wait_for()
    picture(w, "Graph of the cell. input → 1: skip; input → 2: skip")
    assert w.get_by_role("row").count() == 0
    lab.screenshot("game", w)
    to_convolution = ["Space", "ArrowDown", "ArrowDown", "Enter"]  # from skip to a 3x3 one
    lab.press(*to_convolution, on=w.get_by_label("input → 1", exact=True))
    w.get_by_role("img", name=re.compile("input → 1: conv 3×3")).wait_for()
    pick(PICKS[:1])
    second = w.get_by_label("input → 2", exact=True)
    lab.press(*to_convolution, on=second)
    for n in range(2, 10):
        w.get_by_role(
            "img", name=re.compile(f"input → 2: {'avg pool' if n % 2 else 'conv 3×3'}")
        ).wait_for()
        pick(PICKS[:n])
        lab.press("Space", "ArrowUp" if n % 2 else "ArrowDown", "Enter", on=second)
    w.get_by_text("You had this cell as pick 8: it counts each time.").wait_for()
    assert w.get_by_role("row").count() == 10
    w.get_by_label("2 → output", exact=True).select_option("conv 3×3: nearby")
    lab.press("Enter", on=train)
    end = GameState(invented(), picks=[*PICKS, (3, 3, 1, 1, 1, 3)])
    w.get_by_text(end.verdict, exact=True).wait_for()
    w.get_by_text(end.truth_words).wait_for()
    bests = picture(w, f"Bests of 10 trainings. {end.verdict}")
    lab.page.set_viewport_size(LAPTOP)
    beside(w)
    top, bottom = train.bounding_box(), bests.bounding_box()
    assert bottom["y"] + bottom["height"] - top["y"] < 720  # together in sight
    lab.screenshot("game-ended", w)
    lab.press("Enter")
    w.get_by_text("Your 10 trainings are spent. Reset starts anew.").wait_for()
    lab.press("Tab", "Enter")
    w.get_by_text("10 trainings to spend").wait_for()
    assert w.get_by_text("Your best of ten").count() == 0
    assert w.get_by_role("img").count() == 1
