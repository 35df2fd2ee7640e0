"""Supernets whose sizes are a choice, option by option, at full size.

They read the weights of a ``Supernet``, and share none of its ways of computing: each kernel runs
by itself, no channel is cut off, and what an option does not have is multiplied by zero.
"""

import itertools

import torch
from torch.nn import functional

from tests.nets.plain import conv_norm, normalise


def choices(net, w):
    """``{decision: {option: weight}}`` of the options that have a weight."""
    return {
        decision.name: {
            option: row[i] for i, option in enumerate(decision.options) if row[i].item() != 0
        }
        for decision, row in zip(net.space.decisions, w, strict=True)
    }


def first(sizes, length, like):
    """``sum_k w_k m_k``, m_k being ones for the first k and zeros for the others."""
    total = torch.zeros(length, dtype=like.dtype)
    for size, weight in sizes:
        mask = torch.zeros(length, dtype=like.dtype)
        mask[:size] = 1
        total = total + weight * mask
    return total


def middle(weight, height, width):
    """A kernel of the same size that is zero but in its middle."""
    kept = torch.zeros_like(weight)
    rows, columns = weight.shape[-2:]
    top, left = (rows - height) // 2, (columns - width) // 2
    window = (..., slice(top, top + height), slice(left, left + width))
    kept[window] = weight[window]
    return kept


def padded(x, height, width):
    total = torch.zeros(*x.shape[:2], height, width, dtype=x.dtype)
    top, left = (height - x.shape[2]) // 2, (width - x.shape[3]) // 2
    total[:, :, top : top + x.shape[2], left : left + x.shape[3]] = x
    return total


def add_padded(terms):
    height, width = (max(x.shape[i] for x in terms) for i in (2, 3))
    return sum(padded(x, height, width) for x in terms)


# ---- chains ----------------------------------------------------------------------------------


def plain_conv_chain(net, x, w):
    options, count = choices(net, w), net.space.layers
    outputs = []
    for i in range(count):
        if net.space.skips:
            anchors = [options[f"anchor_{j + 1}_{i + 1}"] for j in range(i)]
            weights = {0: absent(anchors)} if all(0 in anchor for anchor in anchors) else {}
            weights |= {j: anchor[1] for j, anchor in enumerate(anchors, 1) if 1 in anchor}
            y = side_by_side([x, *outputs], weights)
        else:
            y = outputs[-1] if outputs else x
        outputs.append(conv_layer(net.layers[i], y, options, i + 1))
    ends = {count - 1: 1.0}
    if net.space.skips:
        for i in range(count - 1):
            later = [options[f"anchor_{i + 1}_{j + 1}"] for j in range(i + 1, count)]
            if all(0 in anchor for anchor in later):
                ends[i] = absent(later)
    return classify(net, outputs, ends)


def absent(anchors):
    """Weight of the case that none of them is there."""
    total = torch.ones((), dtype=torch.double)
    for anchor in anchors:
        total = total * anchor[0]
    return total


def side_by_side(images, weights):
    """All images in their places, times their weights; zeros for those without."""
    height, width = (max(images[i].shape[d] for i in weights) for d in (2, 3))
    return torch.cat(
        [
            (weights[i] * padded(y, height, width)).to(y.dtype)
            if i in weights
            else torch.zeros(*y.shape[:2], height, width, dtype=y.dtype)
            for i, y in enumerate(images)
        ],
        dim=1,
    )


def plain_plain_chain(net, x, w):
    options, outputs = choices(net, w), []
    for i in range(max(options["layers"])):
        y = outputs[-1] if outputs else x
        outputs.append(conv_layer(net.layers[i], y, options, i + 1))
    return classify(net, outputs, {depth - 1: v for depth, v in options["layers"].items()})


def classify(net, outputs, ends):
    features = side_by_side(outputs, ends).mean(dim=(2, 3))
    weight = net.classifier.weight[:, : features.shape[1]]
    return features @ weight.T + net.classifier.bias


def conv_layer(layer, x, options, number):
    weight, filters = layer.conv.weight, options[f"filters_{number}"]
    padding = [side // 2 for side in weight.shape[-2:]]
    outputs = []
    for stride, share in options[f"stride_{number}"].items():
        y = 0
        for (h, wh), (v, wv) in itertools.product(
            options[f"height_{number}"].items(), options[f"width_{number}"].items()
        ):
            y = y + wh * wv * functional.conv2d(x, middle(weight, h, v), None, stride, padding)
        mask = first(filters.items(), len(weight), x)
        y = mask[:, None, None] * functional.relu(normalise(layer.norm, y))
        outputs.append(share * y)
    return add_padded(outputs)


def plain_mlp(net, x, w):
    options = choices(net, w)
    x, logits = x.flatten(1), 0
    for i, layer in enumerate(net.layers, start=1):
        mask = first(options[f"hidden_{i}"].items(), layer.out_features, x)
        x = mask * functional.relu(layer(x))
        if i in options["layers"]:
            logits = logits + options["layers"][i] * net.classifiers[str(i)](x)
    return logits


def plain_rnn(net, x, w):
    """Step by step; what a matrix reads of a state is masked."""
    options = choices(net, w)
    hidden = next(iter(net.cells.values())).layers.hidden_size
    mask = first(options["hidden"].items(), hidden, x)
    last = {}
    for kind, share in options["cell"].items():
        rnn = net.cells[kind].layers
        inputs = [x[:, :, row].flatten(1) for row in range(x.shape[2])]
        for layer in range(rnn.num_layers):
            state = [torch.zeros(len(x), hidden, dtype=x.dtype)] * 2
            outputs = []
            for step in inputs:
                state = STEPS[kind](rnn, layer, step, *state, mask)
                outputs.append(mask * state[0])
            inputs = outputs
            last[layer + 1] = last.get(layer + 1, 0) + share * outputs[-1]
    return sum(v * net.classifiers[str(n)](last[n]) for n, v in options["layers"].items())


def _products(rnn, layer, x, h, mask):
    named = {name: getattr(rnn, f"{name}_l{layer}") for name in ("weight_ih", "weight_hh")}
    biases = (getattr(rnn, f"bias_{way}_l{layer}") for way in ("ih", "hh"))
    return [
        y @ weight.T + bias
        for y, weight, bias in zip((x, mask * h), named.values(), biases, strict=True)
    ]


def step_rnn(rnn, layer, x, h, c, mask):
    return torch.tanh(sum(_products(rnn, layer, x, h, mask))), c


def step_gru(rnn, layer, x, h, c, mask):
    (ri, zi, ni), (rh, zh, nh) = (y.chunk(3, 1) for y in _products(rnn, layer, x, h, mask))
    r, z = torch.sigmoid(ri + rh), torch.sigmoid(zi + zh)
    return (1 - z) * torch.tanh(ni + r * nh) + z * h, c


def step_lstm(rnn, layer, x, h, c, mask):
    i, f, g, o = sum(_products(rnn, layer, x, h, mask)).chunk(4, 1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


STEPS = {"rnn": step_rnn, "gru": step_gru, "lstm": step_lstm}


# ---- stages ----------------------------------------------------------------------------------


def plain_mobile(net, x, w):
    options, skeleton = choices(net, w), net.skeleton
    x = functional.relu(conv_norm(net.stem, x, stride=skeleton.stem_stride))
    given = {skeleton.channels: 1.0}
    for i, stage in enumerate(net.stages):
        own = {
            name.rpartition("_")[0]: row
            for name, row in options.items()
            if name.endswith(f"_{i + 1}")
        }
        unit = skeleton.channels * 2**i
        channels = {max(1, round(width * unit)): v for width, v in own["width"].items()}
        outputs = 0
        for depth, blocks in enumerate(stage.blocks, start=1):
            if depth > max(own["depth"]):
                break
            stride = 2 if i and depth == 1 else 1
            same, differ = (1.0, 0.0) if depth > 1 else (0.0, 1.0)
            if depth == 1 and (stride == 1 or x.shape[2] == 1):
                same, differ = cases(given, channels)
            mixed = 0
            for kind, share in own["block"].items():
                sizes = given if depth == 1 else channels
                run = {"resnet": plain_resnet, "mobilenet": plain_mobilenet}[kind]
                y = run(blocks[kind], x, sizes, channels, own, stride, same, differ)
                mixed = mixed + share * y
            x = mixed
            outputs = outputs + own["depth"].get(depth, 0) * x
        x, given = outputs, channels
    return net.classifier(x.mean(dim=(2, 3)))


def cases(given, channels):
    """Weights of equal and of different widths."""
    pairs = list(itertools.product(given.items(), channels.items()))
    same = [a * b for (size, a), (other, b) in pairs if size == other]
    differ = [a * b for (size, a), (other, b) in pairs if size != other]
    return sum(same, 0.0), sum(differ, 0.0)


def plain_residual(block, x, inner, channels, own, stride):
    y = masked_norm(block.expand, functional.conv2d(x, block.expand.conv.weight), inner)
    weight = block.convolve.conv.weight
    groups = len(weight) if weight.shape[1] == 1 and len(weight) > 1 else 1
    z = 0
    for kernel, share in own["kernel"].items():
        cut = middle(weight, kernel, kernel)
        z = z + share * functional.conv2d(
            functional.relu(y), cut, None, stride, weight.shape[-1] // 2, groups=groups
        )
    z = functional.relu(masked_norm(block.convolve, z, inner))
    z = functional.conv2d(z, block.project.conv.weight)
    return masked_norm(block.project, z, channels.items())


def masked_norm(module, y, sizes):
    mask = first(sizes, y.shape[1], y)
    return mask[:, None, None] * normalise(module.norm, y)


def plain_resnet(block, x, given, channels, own, stride, same, differ):
    inner = [
        (max(1, c // e), a * b) for c, a in channels.items() for e, b in own["expansion"].items()
    ]
    y = plain_residual(block, x, inner, channels, own, stride)
    if block.shortcut is not None:
        z = functional.conv2d(x, block.shortcut.conv.weight, stride=stride)
        y = y + differ * masked_norm(block.shortcut, z, channels.items())
    return functional.relu(with_input(y, x, given, channels, same))


def plain_mobilenet(block, x, given, channels, own, stride, same, differ):
    inner = [(g * e, a * b) for g, a in given.items() for e, b in own["expansion"].items()]
    y = plain_residual(block, x, inner, channels, own, stride)
    return with_input(y, x, given, channels, same)


def with_input(y, x, given, channels, same):
    """Add the input; what it has of other widths is masked by those of the output."""
    if isinstance(same, float) and same == 0:
        return y
    both = min(x.shape[1], y.shape[1])
    moved = torch.zeros_like(y)
    moved[:, :both] = x[:, :both]
    if given is not channels:
        moved = first(channels.items(), y.shape[1], y)[:, None, None] * moved
    return y + same * moved


PLAIN = {
    "conv_chain": plain_conv_chain,
    "plain_chain": plain_plain_chain,
    "mlp": plain_mlp,
    "rnn": plain_rnn,
    "mobile": plain_mobile,
}
