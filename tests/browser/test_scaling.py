"""The scaling widget under a reader's hand: by keyboard, quickly, and with no stale pictures."""

import re

import pytest

from nas_lab.widgets import ScalingState

# Every new picture of the widget, and the last key, with when they were there.
WATCH = """widget => {
    window.pictures = [];
    window.lastKey = 0;
    document.addEventListener("keydown", () => { window.lastKey = performance.now(); }, true);
    new MutationObserver(() => {
        const alt = widget.querySelector("img")?.alt, at = performance.now();
        if (alt && alt !== window.pictures.at(-1)?.alt) window.pictures.push({alt, at});
    }).observe(widget, {subtree: true, childList: true, attributes: true});
}"""


@pytest.fixture
def scaling(show):
    """Return what shows the widget with some arguments."""
    head = "from nas_lab.widgets import CompoundScaling\n"
    return lambda arguments="": show(f"{head}w = CompoundScaling({arguments})\nw", "print(w.state)")


def thumb(w, name):
    """The handle of a slider; they stand in the order alpha, beta, gamma, phi."""
    return w.get_by_role("slider").nth(["alpha", "beta", "gamma", "phi"].index(name))


def shows(w, state):
    """Words and picture are those of a state."""
    w.get_by_text(state.words).wait_for()
    w.get_by_text(state.details[1]).wait_for()
    w.get_by_role("img", name=re.compile(re.escape(state.details[1]))).wait_for()


def test_keys_move_the_network_the_lock_and_the_menus(lab, scaling):
    w = scaling()
    shows(w, ScalingState())
    lab.screenshot("scaling", w)
    lab.press("End", on=thumb(w, "phi"))
    shows(w, ScalingState(phi=3.0))
    lab.press("Space", on=w.get_by_label("keep α β² γ² = 2"))
    expected = ScalingState(phi=3.0, locked=True)
    shows(w, expected)
    lab.press("End", on=thumb(w, "alpha"))
    expected.move("alpha", 2.0)
    shows(w, expected)
    w.get_by_text("(to keep it: β = 1, γ = 1)").wait_for()
    lab.screenshot("scaling-locked", w)
    lab.press("Space", "ArrowDown", "Enter", on=w.get_by_label("base"))
    expected.base = "B0"
    shows(w, expected)
    lab.screenshot("scaling-b0", w)
    lab.press("Enter", on=w.get_by_role("button", name="Reset"))
    shows(w, ScalingState())


@pytest.mark.parametrize("locked", [False, True])
def test_fast_keys_leave_no_queue_of_old_pictures(lab, scaling, locked):
    """When the last key is pressed one picture may be on its way, and the last one follows it."""
    w = scaling(f"locked={locked}, alpha=1.2")
    lab.page.evaluate(WATCH, w.element_handle())
    lab.press(*["ArrowRight"] * 60, on=thumb(w, "alpha"))
    last = ScalingState(locked=locked, alpha=1.2)
    last.move("alpha", last.alpha if not locked else 1.21)
    last.move("alpha", 1.8 if not locked else 1.81)
    shows(w, last)
    lab.tell()
    seen = lab.page.evaluate("window.pictures")
    late = [picture for picture in seen if picture["at"] > lab.page.evaluate("window.lastKey")]
    assert last.details[1] in seen[-1]["alt"]
    assert len(late) <= 2
