"""The families of spaces, and a small space of each that can be enumerated."""

from nas_lab import spaces

FAMILIES = {
    "nasbench201": spaces.nasbench201(),
    "darts": spaces.darts(),
    "conv_chain": spaces.conv_chain(4, True),
    "conv_chain without skips": spaces.conv_chain(3, False),
    "plain_chain": spaces.plain_chain((1, 3)),
    "mlp": spaces.mlp(),
    "rnn": spaces.rnn(),
    "mobile": spaces.mobile(),
    "transformer": spaces.transformer(),
    "transformer_blocks": spaces.transformer_blocks(),
}

FEW = {"heights": (1, 3), "strides": (1, 2)}
SMALL = {
    "nasbench201": spaces.nasbench201(),
    "conv_chain": spaces.conv_chain(3, True, widths=(1,), filters=(4,), **FEW),
    "plain_chain": spaces.plain_chain((1, 2), widths=(3,), filters=(4, 8), **FEW),
    "mlp": spaces.mlp(layers=(1, 2, 3), hidden=(4, 8)),
    "rnn": spaces.rnn(),
    "mobile": spaces.mobile(1),
    "transformer": spaces.transformer(),
    "transformer_blocks": spaces.transformer_blocks(2, 8, (0, 1, 2), (0, 8)),
}

SKELETON = spaces.Skeleton(channels=4, cells=2, stages=2, resolution=8, in_channels=1)
