"""One network that contains all networks of a space: its weights are shared.

    net = supernet(space, skeleton)
    net(images, w)                         # w[D, K]: one-hot rows choose, soft rows mix

``base`` says what all of them do, ``branches`` computes together what several edges do with one
node, ``elastic`` cuts sizes that are a choice out of the largest, and every family of spaces has
a file with its own.
"""

from nas_lab.nets.supernets.base import Statistics, Supernet
from nas_lab.nets.supernets.families import supernet

__all__ = ["Statistics", "Supernet", "supernet"]
