"""The stand-alone network of an architecture, with the weights that it has in a supernet."""

import re

import torch

from nas_lab.nets import build


def alone(net, arch):
    """``nets.build`` of the architecture, its parameters copied out of ``net``."""
    single = build(net.space, arch, net.skeleton).to(next(net.parameters()).dtype)
    shared = dict(net.named_parameters())
    names, reads = NAMES[net.space.name], READS.get(net.space.name, lambda *_: None)
    with torch.no_grad():
        for name, parameter in single.named_parameters():
            source = shared[names(net, arch, name)]
            columns = reads(net, arch, name)
            source = source if columns is None else source[:, columns]
            units = net.space.decode(arch)["hidden"] if name.startswith("recurrent") else None
            parameter.copy_(cut(source, parameter, units))
    return single


def cut(source, like, units=None):
    """First channels, middle of kernels; of recurrent layers, the first units of each gate."""
    if units is not None:
        window = (slice(units), *(slice(size) for size in like.shape[1:]))
        return torch.cat([gate[window] for gate in source.chunk(len(like) // units)])
    window = [slice(size) for size in like.shape[:2]]
    for have, size in zip(source.shape[2:], like.shape[2:], strict=True):
        window.append(slice((have - size) // 2, (have - size) // 2 + size))
    return source[tuple(window)]


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


def names_chain(net, arch, name):
    name = re.sub(r"layer_(\d+)", lambda m: f"layers.{less(m[1])}", name)
    return name.replace("classifier.linear", "classifier")


def reads_conv_chain(net, arch, name):
    """Of all that a layer could read, the channels that it does."""
    space, image = net.space, list(range(net.skeleton.in_channels))
    sizes = [[max(d.options), d.options[arch[i]]] for i, d in enumerate(space.decisions)
             if d.name.startswith("filters")]  # fmt: skip
    if not name.endswith(("conv.weight", "linear.weight")) or not space.skips:
        return _last(sizes) if name.endswith("linear.weight") else None
    match = re.match(r"layer_(\d+)", name)
    blocks, start = [], 0
    for most, some in sizes:
        blocks.append(list(range(start, start + some)))
        start += most
    if match is None:
        return [c for i in space.unread(arch) for c in blocks[i]]
    read = sorted(space.inputs(arch)[int(match[1]) - 1])
    return [len(image) + c for i in read for c in blocks[i]] or image


def _last(sizes):
    start = sum(most for most, _ in sizes[:-1])
    return list(range(start, start + sizes[-1][1]))


def reads_plain_chain(net, arch, name):
    if not name.endswith("linear.weight"):
        return None
    chain, tokens = net.space.fixed(arch)
    every = [max(d.options) for d in net.space.decisions if d.name.startswith("filters")]
    own = [d.options[tokens[i]] for i, d in enumerate(chain.decisions)
           if d.name.startswith("filters")]  # fmt: skip
    start = sum(every[: len(own) - 1])
    return list(range(start, start + own[-1]))


def names_mlp(net, arch, name):
    depth = net.space.decode(arch)["layers"]
    name = re.sub(r"layer_(\d+)\.linear", lambda m: f"layers.{less(m[1])}", name)
    return name.replace("classifier.linear", f"classifiers.{depth}")


def names_rnn(net, arch, name):
    options = net.space.decode(arch)
    name = name.replace("recurrent.layers", f"cells.{options['cell']}.layers")
    return name.replace("classifier.linear", f"classifiers.{options['layers']}")


STEPS = {"": "expand", "_2": "convolve", "_3": "project"}


def names_mobile(net, arch, name):
    stages = net.space.stages(arch)
    match = re.fullmatch(r"stage_(\d+)\.block_(\d+)\.(shortcut\.)?(conv|norm)(_\d)?\.(\w+)", name)
    if match is None:
        return name.replace("classifier.linear", "classifier")
    stage, block, shortcut, part, number, kind = match.groups()
    op = stages[int(stage) - 1]["block"]
    step = "shortcut" if shortcut else STEPS[number or ""]
    return f"stages.{less(stage)}.blocks.{less(block)}.{op}.{step}.{part}.{kind}"


NAMES = {
    "nasbench201": names_201,
    "darts": names_darts,
    "conv_chain": names_chain,
    "plain_chain": names_chain,
    "mlp": names_mlp,
    "rnn": names_rnn,
    "mobile": names_mobile,
}
READS = {"conv_chain": reads_conv_chain, "plain_chain": reads_plain_chain}
