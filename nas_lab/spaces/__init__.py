"""Search spaces: how to specify the set of networks to choose from.

Families of networks, each a function that returns a ``Space``::

    space = nasbench201()
    arch = space.sample(numpy.random.default_rng(0))
    space.to_string(arch), space.cost(arch, Skeleton())
"""

from nas_lab.spaces.base import Arch, Decision, Skeleton, Space
from nas_lab.spaces.cells import DARTS_V1, DARTS_V2, darts, nasbench201
from nas_lab.spaces.chains import (
    conv_chain,
    mlp,
    mobile,
    plain_chain,
    rnn,
    transformer,
    transformer_blocks,
)
from nas_lab.spaces.network import Cost, Network, Op

__all__ = [
    "DARTS_V1",
    "DARTS_V2",
    "Arch",
    "Cost",
    "Decision",
    "Network",
    "Op",
    "Skeleton",
    "Space",
    "conv_chain",
    "darts",
    "mlp",
    "mobile",
    "nasbench201",
    "plain_chain",
    "rnn",
    "transformer",
    "transformer_blocks",
]
