"""The winner leaves: trained again, tested once, the same outside of torch, with a card."""

import html
import re

import numpy as np
import pytest
import torch
from nbconvert.filters import markdown2html

from nas_lab.history import Evaluation, Trial
from nas_lab.training import evaluate
from nas_lab.workflow import ModelCard, Stopwatch, export, finish, largest_difference, run_onnx
from nas_lab.workflow.handover import spread_of_test
from tests.workflow import made

pytestmark = pytest.mark.filterwarnings("ignore")  # of onnx's protobuf about itself

GOOD = (3, 1, 2, 1, 0, 3, 3, 1, 1, 0)
BAD = (0, 1, 2, 4, 0, 3, 0, 1, 1, 0)


def trial(id, arch, score, pruned=0.0):
    return Trial(id, arch, Evaluation(score, metrics={"pruned": pruned}))


@pytest.mark.parametrize("arch", [GOOD, (4, 4, 2, 1, 4, 3, 3, 1, 1, 0), (0,) * 10])
def test_onnxruntime_gives_the_same_outputs(tmp_path, arch):
    net, _ = made.estimate().fit(arch, 0)
    path = export(net, made.data(), tmp_path / "net.onnx")
    for batch in (1, 5):
        images = torch.rand(batch, 1, 8, 8, generator=torch.Generator().manual_seed(batch))
        with torch.no_grad():
            expected = net.eval()(images).numpy()
        assert run_onnx(path, images.numpy()) == pytest.approx(expected, abs=1e-4)
        assert largest_difference(net, path, images) < 1e-4
    for weights in net.parameters():
        weights.data.add_(0.1)
    assert largest_difference(net, path, images) > 1e-2


def test_the_best_that_went_to_its_end_is_trained_again_and_tested(tmp_path):
    estimate = made.estimate(epochs=2)
    scores = [(BAD, 0.4), (GOOD, 0.8), (BAD, 0.9, 1.0), (BAD, np.nan)]
    trials = [trial(n, *found) for n, found in enumerate(scores)]
    winner = finish(trials, estimate, tmp_path / "net.onnx", epochs=3, seeds=(5, 6))
    assert (winner.arch, winner.searched) == (GOOD, 0.8)
    expected = [estimate.fit(GOOD, seed, epochs=3) for seed in (5, 6)]
    assert winner.validation.tolist() == [curve.accuracy for _, curve in expected]
    assert winner.test == evaluate(expected[0][0], made.data().test_dataloader())
    assert winner.difference < 1e-4
    assert winner.path.stat().st_size > 100


@pytest.mark.parametrize("trials", [[], [trial(0, GOOD, np.nan)], [trial(0, GOOD, 0.5, 1.0)]])
def test_nothing_to_hand_over(trials):
    with pytest.raises(ValueError, match="nothing to hand over"):
        finish(trials, None, "net.onnx")


def test_an_interrupt_hands_over_what_is_trained(tmp_path, monkeypatch):
    estimate, found = made.estimate(), [trial(0, GOOD, 0.8)]
    trained = [estimate.fit(GOOD, seed) for seed in (0, 1)]
    left = iter(trained)

    def stopped(*_, **__):
        for one in left:
            return one
        raise KeyboardInterrupt

    monkeypatch.setattr(type(estimate), "fit", stopped)
    with pytest.warns(RuntimeWarning, match="2 of 5 seeds"):
        winner = finish(found, estimate, tmp_path / "net.onnx", seeds=range(5))
    assert winner.validation.tolist() == [curve.accuracy for _, curve in trained]
    assert winner.difference < 1e-4
    with pytest.raises(KeyboardInterrupt):  # nothing is trained yet
        finish(found, estimate, tmp_path / "net.onnx")


def test_the_spread_of_a_test_covers_the_truth_as_often_as_it_says():
    right = np.random.default_rng(0).binomial(400, 0.8, 4000) / 400
    inside = [abs(share - 0.8) <= spread_of_test(share, 400) for share in right]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.015)


def test_a_stopwatch_adds_up_and_survives_an_error(monkeypatch):
    ticks = iter([0.0, 1.0, 5.0, 7.0, 9.0, 9.5])
    monkeypatch.setattr("nas_lab.workflow.handover.time.perf_counter", lambda: next(ticks))
    watch = Stopwatch()
    for _ in range(2):
        with watch("a"):
            pass
    with pytest.raises(ZeroDivisionError), watch("b"):
        1 / 0  # noqa: B018
    assert watch.seconds == {"a": 3.0, "b": 0.5}


CARD = {"name": "Net", "purpose": "Tells sides apart.", "data": ["90 images"], "search": {}}
CARD |= {"results": {"test": "80 %"}, "settings": {"cell": "|a~0|+|b~0|"}}
CARD |= {"limits": ["Not for faces"], "seeds": {"search": 0, "training": (1, 2)}}


def test_a_card_says_what_it_was_told():
    text = ModelCard(**CARD).markdown
    assert text.startswith("# Net\n\nTells sides apart.\n\n## Data\n\n- 90 images\n\n## Results\n")
    assert text.count("\n\n| | |\n|---|---|\n") == 3
    assert "| test | 80 % |" in text
    assert r"| cell | \|a\~0\|+\|b\~0\| |" in text
    assert text.endswith("| search | 0 |\n| training | 1, 2 |\n")
    assert "How it was found" not in text


HOSTILE = ["~~a~~ b~0|c~1", "*x* _y_ `z` $k$ [l](m)", "<b>w</b> &amp; \\", "# h", "- i", "3. j"]


def test_a_card_shows_every_text_as_it_is():
    card = ModelCard(
        name="a_b_c ~d~ <i>", purpose=HOSTILE[0], data=HOSTILE, results={"a|b": HOSTILE[0]},
        search={"*n*": HOSTILE[1]}, settings={"$s$": HOSTILE[2]}, limits=HOSTILE, seeds={"s": 0},
    )  # fmt: skip
    shown = markdown2html(card.markdown)
    for tag in ("<del", "<em", "<strong", "<code", "<b>", "<i>", '<a href="m', "<ol", "<hr"):
        assert tag not in shown
    words = html.unescape(re.sub(r"<[^>]+>", "", shown))
    for text in (*HOSTILE, "a_b_c ~d~ <i>", "a|b", "*n*", "$s$"):
        assert text in words
    assert shown.count("<li>") == 2 * len(HOSTILE)


@pytest.mark.parametrize("what", ["purpose", "data", "limits"])
def test_a_card_is_not_without_what_no_machine_knows(what):
    with pytest.raises(ValueError, match=f"without {what}"):
        ModelCard(**CARD | {what: ""})
