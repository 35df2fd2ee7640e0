"""Images, trainings, built networks and latencies: the numbers that they gave, as recorded.

``python -m tests.golden.test_ground`` records them anew.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from nas_lab import nets, spaces
from nas_lab.data import FashionMNIST
from nas_lab.estimation import LookupTable, OnDevice, Table, TrainFromScratch
from nas_lab.history import Evaluation
from nas_lab.training import Recipe
from nas_lab.workflow import ImageData, check_data, split
from tests.workflow import made

GOLDEN = Path(__file__).with_name("ground.json")
SKELETON = spaces.Skeleton(channels=4, cells=1, stages=1, resolution=12, in_channels=1)
ARCH = (3, 2, 1, 4, 3, 1)
JOINT = (3, 1, 2, 1, 0, 3, 3, 1, 1, 3)


def digest(tensor):
    """Mean, spread and a sum that depends on the order of a tensor's numbers."""
    x = np.asarray(tensor, dtype=float).ravel()
    return [len(x), x.mean(), x.std(), float(x @ np.cos(np.arange(len(x)))) / len(x)]


def batches(data):
    """Two passes over the training images, and what is held back."""
    loader = data.train_dataloader()
    passes = [
        [digest(torch.cat([part[i].float().ravel() for part in loader])) for i in (0, 1)]
        for _ in range(2)
    ]
    held = [data.val_dataloader(), data.test_dataloader()]
    return [passes, [[digest(part.images), digest(part.labels)] for part in held]]


@torch.no_grad()
def logits(net, shape):
    return digest(net.eval()(torch.rand(shape, generator=torch.Generator().manual_seed(3))))


def evaluation(found):
    return [found.score, dict(found.metrics)]


def accuracy_of(arch, seed):
    return Evaluation(0.5 + arch[0] / 100, 1.0, {})


def numbers():
    archs = list(spaces.nasbench201())[::37]
    table = Table.load()
    space = spaces.nasbench201()
    seconds = [1 + sum(arch) + 0.1 * arch[0] ** 2 for arch in archs]
    fitted = LookupTable.fit(space, archs, seconds, floor=0.5)
    weights = torch.full((6, 5), 0.2)
    own = ImageData(split(made.images()), 8, 16, seed=2).augmented("shift+flip")
    scratch = TrainFromScratch(
        space, SKELETON, FashionMNIST(12, 50, images=200), Recipe(epochs=2, label_smoothing=0.1)
    )
    on_device = OnDevice(accuracy_of, space, table.skeleton, "jetson_tx2", lambda a, s: a - 10 * s)
    return {
        "fashion": batches(FashionMNIST(12, 100, seed=1, images=300)),
        "own images": batches(own),
        "own, plain": batches(own.augmented("none")),
        "checks": [[f.check, f.good, f.words, list(f.rows)] for f in check_data(own.splits)],
        "scratch": evaluation(scratch(ARCH, 1)),
        "joint": evaluation(made.estimate()(JOINT, 1)),
        "cell": logits(nets.build(space, ARCH, SKELETON, seed=4), (5, 1, 12, 12)),
        "b0": logits(nets.efficientnet("b0", classes=7, seed=2), (1, 3, 64, 64)),
        "look-up": [fitted.base, digest(fitted.seconds), float(fitted.expected(weights))],
        "on device": evaluation(on_device(ARCH, 0)),
    }


def flat(value, place=""):
    """Every leaf by its place."""
    if isinstance(value, dict | list | tuple):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        return {k: v for key, part in pairs for k, v in flat(part, f"{place}/{key}").items()}
    return {place: value}


@pytest.mark.filterwarnings("ignore")
def test_numbers_are_those_recorded():
    expected = flat(json.loads(GOLDEN.read_text("utf-8")))
    found = flat(numbers())
    assert found.keys() == expected.keys()
    for place, value in expected.items():
        if isinstance(value, float):
            assert found[place] == pytest.approx(value, rel=1e-4, abs=1e-5), place
        else:
            assert found[place] == value, place


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(numbers(), indent=1) + "\n", "utf-8")
