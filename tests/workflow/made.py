"""Small images, and how to train on them in a blink."""

import numpy as np

from nas_lab.spaces import Skeleton, nasbench201
from nas_lab.training import Recipe
from nas_lab.workflow import ImageData, Images, JointSpace, TrainJointly, split

SPACE = JointSpace.of(nasbench201())
SKELETON = Skeleton(channels=4, cells=1, stages=1, resolution=8, in_channels=1, classes=3)


def images(n=90, side=8, channels=1, seed=0):
    """Noise that is darker on one side: a network can tell the sides apart."""
    labels = np.arange(n) % 3
    pixels = np.random.default_rng(seed).integers(120, 256, (n, side, side, channels))
    half = side // 2
    pixels[labels == 0, :, :half] -= 100
    pixels[labels == 1, :, half:] -= 100
    pixels[labels == 2, :half] -= 100
    return Images(pixels.astype(np.uint8), labels, ("dark left", "dark right", "dark top"))


def data():
    return ImageData(split(images()), 8, 16)


def estimate(epochs=2):
    return TrainJointly(SPACE, SKELETON, data(), Recipe(epochs=epochs))
