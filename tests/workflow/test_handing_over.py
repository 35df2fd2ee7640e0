"""The winner leaves: trained again, tested once, the same outside of torch, with a card."""

import numpy as np
import pytest
import torch

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


@pytest.mark.parametrize("batch", [1, 5])
@pytest.mark.parametrize("arch", [GOOD, (4, 4, 2, 1, 4, 3, 3, 1, 1, 0), (0,) * 10])
def test_onnxruntime_gives_the_same_outputs(tmp_path, arch, batch):
    net, _ = made.estimate().fit(arch, 0)
    path = export(net, made.data(), tmp_path / "net.onnx")
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
    trials = [
        trial(0, BAD, 0.4),
        trial(1, GOOD, 0.8),
        trial(2, BAD, 0.9, pruned=1.0),
        trial(3, BAD, np.nan),
    ]
    winner = finish(trials, estimate, tmp_path / "net.onnx", epochs=3, seeds=(5, 6))
    assert winner.arch == GOOD
    assert winner.searched == 0.8
    expected = [estimate.fit(GOOD, seed, epochs=3) for seed in (5, 6)]
    assert winner.validation.tolist() == [curve.accuracy for _, curve in expected]
    assert winner.test == evaluate(expected[0][0], made.data().test_dataloader())
    assert winner.difference < 1e-4
    assert winner.path.stat().st_size > 100


@pytest.mark.parametrize("trials", [[], [trial(0, GOOD, np.nan)], [trial(0, GOOD, 0.5, 1.0)]])
def test_nothing_to_hand_over(tmp_path, trials):
    with pytest.raises(ValueError, match="nothing to hand over"):
        finish(trials, made.estimate(), tmp_path / "net.onnx")


class Stopped:
    """An estimate that is interrupted in its n-th training."""

    def __init__(self, n):
        self.left, self.own, self.data = n, made.estimate(), made.data()

    def fit(self, *arguments, **options):
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt
        return self.own.fit(*arguments, **options)


def test_an_interrupt_hands_over_what_is_trained(tmp_path):
    with pytest.warns(RuntimeWarning, match="2 of 5 seeds"):
        winner = finish([trial(0, GOOD, 0.8)], Stopped(3), tmp_path / "net.onnx", seeds=range(5))
    expected = [made.estimate().fit(GOOD, seed)[1].accuracy for seed in (0, 1)]
    assert winner.validation.tolist() == expected
    assert winner.difference < 1e-4
    with pytest.raises(KeyboardInterrupt):  # nothing is trained yet
        finish([trial(0, GOOD, 0.8)], Stopped(1), tmp_path / "net.onnx")


def test_the_spread_of_a_test_covers_the_truth_as_often_as_it_says():
    right = np.random.default_rng(0).binomial(400, 0.8, 4000) / 400
    inside = [abs(share - 0.8) <= spread_of_test(share, 400) for share in right]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.015)


def test_a_stopwatch_adds_up_and_survives_an_error(monkeypatch):
    ticks = iter([0.0, 1.0, 5.0, 7.0, 9.0, 9.5])
    monkeypatch.setattr("nas_lab.workflow.handover.time.perf_counter", lambda: next(ticks))
    watch = Stopwatch()
    with watch("a"):
        pass
    with watch("a"):
        pass
    with pytest.raises(ZeroDivisionError), watch("b"):
        1 / 0  # noqa: B018
    assert watch.seconds == {"a": 3.0, "b": 0.5}


def card(**changes):
    fields = {
        "name": "Net",
        "purpose": "Tells sides apart.",
        "data": ["90 images"],
        "results": {"test": "80 %"},
        "search": {},
        "settings": {"cell": "|a~0|+|b~0|"},
        "limits": ["Not for faces"],
        "seeds": {"search": 0, "training": (1, 2)},
    }
    return ModelCard(**fields | changes)


def test_a_card_says_what_it_was_told():
    text = card().markdown
    assert text.startswith("# Net\n\nTells sides apart.\n\n## Data\n\n- 90 images\n")
    assert "| test | 80 % |" in text
    assert r"| cell | \|a~0\|+\|b~0\| |" in text
    assert "| training | 1, 2 |" in text
    assert "How it was found" not in text
    for empty in ({"purpose": ""}, {"data": []}, {"limits": []}):
        with pytest.raises(ValueError, match=f"without {next(iter(empty))}"):
            card(**empty)  # what no machine knows
