"""The stand-alone network of an architecture, with the weights that it has in a supernet."""

import re

import torch

from nas_lab.nets import build


def alone(net, arch):
    """``nets.build`` of the architecture, its parameters copied out of ``net``."""
    single = build(net.space, arch, net.skeleton).to(next(net.parameters()).dtype)
    shared = dict(net.named_parameters())
    names = NAMES[net.space.name]
    with torch.no_grad():
        for name, parameter in single.named_parameters():
            parameter.copy_(shared[names(net, arch, name)])
    return single


# ---- names -----------------------------------------------------------------------------------


def replaced(name, *pairs):
    for pattern, text in pairs:
        name = re.sub(pattern, text, name)
    return name


def less(match):
    """A number counted from 0 instead of 1."""
    return str(int(match) - 1)


def names_201(net, arch, name):
    options = net.space.decode(arch)
    name = re.sub(r"edge_\d\d", lambda m: f"{m[0]}.{options[m[0]]}", name)
    name = re.sub(r"stage_(\d+)\.cell_(\d+)", lambda m: f"stages.{less(m[1])}.{less(m[2])}", name)
    name = re.sub(r"reduction_(\d+)", lambda m: f"reductions.{less(m[1])}", name)
    return replaced(
        name,
        (r"residual\.(conv|norm)\.", r"residual.first.\1."),
        (r"residual\.(conv|norm)_2\.", r"residual.second.\1."),
        (r"shortcut\.conv", "shortcut"),
        (r"head\.norm", "head"),
        (r"classifier\.linear", "classifier"),
    )


PARTS = {"conv": "first.depthwise", "conv_2": "first.pointwise", "norm": "first.norm"}
PARTS |= {"conv_3": "second.depthwise", "conv_4": "second.pointwise", "norm_2": "second.norm"}
DILATED = {"conv": "depthwise", "conv_2": "pointwise", "norm": "norm"}


def names_darts(net, arch, name):
    options, cells = net.space.decode(arch), net.skeleton.cells
    name = re.sub(r"classifier\.linear", "classifier", name)
    match = re.fullmatch(r"cell_(\d+)\.(edge_(\d)(\d)|read_\d)\.(\w+)\.(\w+)", name)
    if match is None:
        return name
    cell, place, source, node, part, kind = match.groups()
    number = int(cell) - 1
    if node is None:
        return f"cells.{number}.{place}.{part}.{kind}"
    which = "reduce" if number in (cells // 3, 2 * cells // 3) else "normal"
    op = options[f"{which}_{source}_{node}"]
    parts = PARTS if op.startswith("sep") else DILATED if op.startswith("dil") else {}
    return f"cells.{number}.{place}.{op}.{parts.get(part, part)}.{kind}"


NAMES = {"nasbench201": names_201, "darts": names_darts}
