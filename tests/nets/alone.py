"""The stand-alone network of an architecture, with the weights that it has in a supernet."""

import re

import torch

from nas_lab.nets import build


def alone(net, arch):
    """``nets.build`` of the architecture, its parameters copied out of ``net``."""
    single = build(net.space, arch, net.skeleton).to(next(net.parameters()).dtype)
    shared, options = dict(net.named_parameters()), net.space.decode(arch)
    shared_name = NAMES[net.space.name]
    with torch.no_grad():
        for name, parameter in single.named_parameters():
            parameter.copy_(shared[shared_name(name, options, net.skeleton.cells)])
    return single


def less(match, *numbers):
    """The same, counted from 0 instead of 1."""
    return [str(int(match[number]) - 1) for number in numbers]


def name_201(name, options, _):
    for pattern, text in {
        r"edge_\d\d": lambda m: f"{m[0]}.{options[m[0]]}",
        r"stage_(\d+)\.cell_(\d+)": lambda m: "stages." + ".".join(less(m, 1, 2)),
        r"reduction_(\d+)": lambda m: f"reductions.{less(m, 1)[0]}",
        r"residual\.(conv|norm)\.": r"first.\1.",
        r"residual\.(conv|norm)_2\.": r"second.\1.",
        r"(shortcut|head|classifier)\.(conv|norm|linear)": r"\1",
    }.items():
        name = re.sub(pattern, text, name)
    return name


TWICE = {"conv": "first.depthwise", "conv_2": "first.pointwise", "norm": "first.norm"}
TWICE |= {"conv_3": "second.depthwise", "conv_4": "second.pointwise", "norm_2": "second.norm"}
DILATED = {"conv": "depthwise", "conv_2": "pointwise"}


def name_darts(name, options, cells):
    match = re.fullmatch(r"cell_(\d+)\.(edge_(\d)(\d)|read_\d)\.(\w+)\.(\w+)", name)
    if match is None:
        return name.replace("classifier.linear", "classifier")
    (number,), (_, place, source, node, part, kind) = less(match, 1), match.groups()
    if node is None:
        return f"cells.{number}.{place}.{part}.{kind}"
    which = "reduce" if int(number) in (cells // 3, 2 * cells // 3) else "normal"
    op = options[f"{which}_{source}_{node}"]
    parts = TWICE if op.startswith("sep") else DILATED if op.startswith("dil") else {}
    return f"cells.{number}.{place}.{op}.{parts.get(part, part)}.{kind}"


NAMES = {"nasbench201": name_201, "darts": name_darts}
