"""The exercises inside the notebooks: ``05.q1`` is the first one of notebook 05."""

import itertools
import math
from collections.abc import Iterable

import numpy as np
from scipy.special import softmax

from nas_lab import scaling
from nas_lab.estimation import pareto
from nas_lab.homework.drivers import Plain
from nas_lab.homework.question import QUESTIONS as DECLARED
from nas_lab.homework.question import hints, question
from nas_lab.spaces import nasbench201
from nas_lab.spaces.cells import EDGES_201, OPERATIONS_201
from nas_lab.strategies import Hyperband


@question("01.q1", lambda rng: [rng.integers(1, 9, size=rng.integers(1, 12))])
@hints("every option of one decision goes together with every option of the next.")
def _count(options: list[int]) -> int:
    return math.prod(options)


PATHS = ((3,), (0, 4), (1, 5), (0, 2, 5))
"""The four paths from input to output, as places of edges."""


def _draw_cell(rng: np.random.Generator) -> list[Plain]:
    """One path, most often the longest, whole or with one edge missing; perhaps an edge beside."""
    path = PATHS[rng.choice(len(PATHS), p=(0.2, 0.2, 0.2, 0.4))]
    used = {*path, *rng.choice(len(EDGES_201), size=rng.integers(0, 2), replace=False)}
    if rng.random() < 0.5:
        used -= {path[rng.integers(len(path))]}
    operations = rng.choice(OPERATIONS_201[1:], size=len(EDGES_201))
    return [[op if edge in used else "none" for edge, op in enumerate(operations)]]


@question("01.q2", _draw_cell)
@hints("walk along the edges in order and keep the set of reached nodes; 'none' leads nowhere.")
def _reaches_output(operations: list[str]) -> bool:
    return any(all(operations[edge] != "none" for edge in path) for path in PATHS)


def _draw_convolution(rng: np.random.Generator) -> list[Plain]:
    groups = rng.choice([1, 2, 4])
    channels = groups * rng.integers(1, 9, size=2)
    return [*channels, rng.choice([1, 3, 5, 7]), *rng.integers(4, 33, size=2), groups]


@question("01.q3", _draw_convolution)
@hints("count products for one output number. With groups, it reads only its share of the inputs.")
def _conv_macs(c_in: int, c_out: int, kernel: int, height: int, width: int, groups: int) -> int:
    return kernel**2 * (c_in // groups) * c_out * height * width


def _draw_rankings(rng: np.random.Generator) -> list[Plain]:
    """Two lists without ties that agree more or less."""
    n = rng.integers(2, 13)
    truth = rng.permutation(n) / n
    estimate = truth * rng.choice([-1, 1]) + rng.permutation(n) * rng.choice([1e-4, 0.31])
    return [np.round(estimate, 6), truth]


@question("02.q1", _draw_rankings)
@hints(
    "look at every pair once: it counts +1 when both lists put it in the same order, and -1 "
    "otherwise. Then divide by the number of pairs."
)
def _tau(a: list[float], b: list[float]) -> float:
    pairs = itertools.combinations(zip(a, b, strict=True), 2)
    return float(np.mean([1 if (p[0] - q[0]) * (p[1] - q[1]) > 0 else -1 for p, q in pairs]))


@question("02.q2", lambda rng: [rng.integers(0, 2, size=rng.integers(1, 6, size=2))])
@hints("two units agree when both are 1, and also when both are 0. What stands on the diagonal?")
def _agreements(codes: list[list[int]]) -> np.ndarray:
    return np.equal(np.array(codes)[:, None], codes).sum(axis=-1)


def _draw_bracket(rng: np.random.Generator) -> list[Plain]:
    eta = int(rng.integers(2, 5))
    size = eta ** int(rng.integers(0, 5))
    return [size, size, eta]


@question("02.q3", _draw_bracket)
@hints("rung by rung, divide architectures and multiply epochs by eta. The last rung counts, too.")
def _rungs(archs: int, epochs: int, eta: int) -> list[list[int]]:
    return [[archs // eta**i, eta**i] for i in range(epochs) if eta**i <= epochs]


def _draw_batch(rng: np.random.Generator) -> list[Plain]:
    """Log-probabilities, rewards and a baseline."""
    m = rng.integers(1, 9)
    log_p, rewards = np.log(rng.uniform(0.01, 1, m)), rng.uniform(0, 1, m)
    return [np.round(log_p, 4), np.round(rewards, 4), round(rng.uniform(0, 1), 4)]


@question("03.q1", _draw_batch)
@hints(
    "the loss is what gradient descent makes small, so its sign is the opposite of the gain's. "
    "Each log-probability is weighted by its reward minus the baseline; then take the mean."
)
def _loss(log_p: list[float], rewards: list[float], baseline: float) -> float:
    return float(-np.mean(np.subtract(rewards, baseline) * log_p))


def _draw_rewards(rng: np.random.Generator) -> list[Plain]:
    """Mean rewards of some steps, and how much of the baseline stays."""
    rewards = np.round(rng.uniform(0, 1, rng.integers(1, 8)), 4)
    return [rewards, rng.choice([0, 0.5, 0.9, 0.99])]


@question("03.q2", _draw_rewards)
@hints(
    "the first baseline is the first reward. Then a share `decay` of the old one stays, and the "
    "new reward fills the rest: one entry for each step."
)
def _baselines(rewards: list[float], decay: float) -> list[float]:
    return list(itertools.accumulate(rewards, lambda old, r: decay * old + (1 - decay) * r))


def _draw_search(rng: np.random.Generator) -> list[Plain]:
    """Scores of some trials, None where one failed, and the best that there is. Networks that
    learned nothing have the score 0.0."""
    scores = np.round(rng.uniform(0.5, 0.9, rng.integers(1, 10)), 3)
    scores[: rng.choice([0, 0, 2])] = 0
    failed = rng.random(len(scores)) < 0.2
    failed[rng.integers(len(scores))] = False  # at least one has a score
    return [[None if lost else s for s, lost in zip(scores, failed, strict=True)], 0.9]


@question("03.q3", _draw_search)
@hints(
    "regret belongs to the best score so far, the incumbent, and never rises. A failed trial "
    "leaves the incumbent as it is, and 0.0 is a score. Before the first score there is none."
)
def _regrets(scores: list[float | None], best: float) -> list[float | None]:
    incumbents = np.fmax.accumulate(np.array(scores, dtype=float))
    return [None if np.isnan(incumbent) else best - incumbent for incumbent in incumbents]


def _draw_paths(rng: np.random.Generator) -> list[Plain]:
    """Some architectures, and the number of options of each decision; not all need be taken."""
    options = rng.integers(1, 6, size=rng.integers(1, 7))
    return [rng.integers(options, size=(rng.integers(1, 9), len(options))), options]


@question("04.q1", _draw_paths)
@hints("one row for each decision, one count for each option, also for those that no path takes.")
def _uses(paths: list[list[int]], options: list[int]) -> list[np.ndarray]:
    return [np.bincount(c, minlength=k) for c, k in zip(np.transpose(paths), options, strict=True)]


def _draw_batches(rng: np.random.Generator) -> list[Plain]:
    """What was noted of some batches of one channel, most often of different sizes."""
    batches = rng.integers(1, 6)
    means, variances = rng.normal(0, 2, batches), rng.uniform(0.1, 3, batches)
    return [np.round(means, 3), np.round(variances, 3), rng.choice([32, 64, 128], batches)]


@question("04.q2", _draw_batches)
@hints(
    "large batches count more. And when the means of two batches differ, all their images together "
    "vary more than each batch does: add up the squares."
)
def _pooled(means: list[float], variances: list[float], sizes: list[int]) -> list[float]:
    squares = np.add(variances, np.square(means))
    mean, square = np.average([means, squares], axis=1, weights=sizes)
    return [mean, square - mean**2]


def _draw_kernel(rng: np.random.Generator) -> list[Plain]:
    """A kernel, [outputs][inputs][height][width], and the sizes that are wanted of it."""
    channels, size = rng.integers(1, 4, size=2), rng.choice([3, 5])
    kernel = rng.integers(-9, 10, size=(*channels, size, size))
    wanted = [rng.integers(1, n + 1) for n in channels]
    return [kernel, *wanted, rng.choice(range(1, size + 1, 2))]


@question("04.q3", _draw_kernel)
@hints("channels come from the front, rows and columns from the middle. How many go on each side?")
def _sliced(kernel: list, outputs: int, inputs: int, size: int) -> np.ndarray:
    edge = (len(kernel[0][0]) - size) // 2
    return np.array(kernel)[:outputs, :inputs, edge : edge + size, edge : edge + size]


def _draw_step(rng: np.random.Generator) -> list[Plain]:
    """A weight for each operation of each edge, a path, the edges' inputs, the output wanted."""
    w = np.round(rng.normal(size=rng.integers([1, 2], [5, 5])), 2)
    path, x = rng.integers(w.shape[1], size=len(w)), rng.choice([-2.0, -1.0, 0.5, 1.0, 3.0], len(w))
    return [w, path, x, round(rng.normal(), 2), rng.choice([0.01, 0.1, 0.5])]


@question("04.q4", _draw_step)
@hints(
    "the slope in a weight on the path is 2 * (output - y) * the input of its edge. Compute the "
    "output once, before any weight moves; all other weights stay."
)
def _path_step(
    w: list[list[float]], path: list[int], x: list[float], y: float, rate: float
) -> np.ndarray:
    moved, edges = np.array(w), range(len(w))
    moved[edges, path] -= rate * 2 * (moved[edges, path] @ x - y) * np.array(x)
    return moved


def _draw_layer(rng: np.random.Generator) -> list[Plain]:
    """Parameters of some candidates, a temperature, and what each candidate gives."""
    candidates, outputs = rng.integers(1, 6), rng.integers(1, 5)
    a = np.round(rng.normal(0, 2, candidates), 2)
    given = rng.integers(-9, 10, size=(candidates, outputs))
    return [a, rng.choice([0.2, 0.5, 1, 2]), given.astype(float)]


@question("05.q1", _draw_layer)
@hints(
    "divide every a by the temperature before the exponential. The weights add up to one, and each "
    "multiplies all numbers of its candidate."
)
def _mix(a: list[float], temperature: float, outputs: list[list[float]]) -> np.ndarray:
    return softmax(np.divide(a, temperature)) @ np.array(outputs)


def _draw_node(rng: np.random.Generator) -> list[Plain]:
    """Weights of the edges into one node, different from each other; the first is 'none'."""
    edges, operations = rng.integers(2, 6), rng.integers(3, 9)
    values = rng.permutation(edges * operations).reshape(edges, operations) + 1.0
    values[:, 0] *= rng.choice([1, 3])  # 'none' is often the largest
    return [np.round(values / values.sum(axis=1, keepdims=True), 6)]


@question("05.q2", _draw_node)
@hints(
    "first find the best operation of each edge, without place 0; then compare the edges by the "
    "weight of that operation. The two edges come in their own order."
)
def _two_inputs(w: list[list[float]]) -> list[list[int]]:
    best = [max(range(1, len(row)), key=row.__getitem__) for row in w]
    strongest = sorted(range(len(w)), key=lambda edge: -w[edge][best[edge]])[:2]
    return [[edge, best[edge]] for edge in sorted(strongest)]


@question(
    "05.q3", lambda rng: [*np.round(rng.uniform(-2, 2, 2), 2), rng.choice([0, 0.01, 0.1, 0.5])]
)
@hints("a moves L_val in two ways: directly, and through w'. With xi = 0 only the first is left.")
def _second_order(w: float, a: float, xi: float) -> float:
    residual = w - xi * a * (a * w - 1) + a - 3  # of w' = w - xi dL_train/dw
    return residual - xi * (2 * a * w - 1) * residual


def _draw_mbconv(rng: np.random.Generator) -> list[Plain]:
    channels = 8 * rng.integers(1, 13, size=2)
    kernel, stride, expansion = rng.choice([3, 5]), rng.choice([1, 2]), rng.choice([1, 4, 6])
    return [*channels, kernel, stride, expansion, 2 * rng.integers(2, 15)]


@question("06.q1", _draw_mbconv)
@hints(
    "which of the convolutions still sees the large image? The one in the middle has as many "
    "groups as channels, and without expansion there is no first one."
)
def _mbconv_macs(c_in: int, c_out: int, kernel: int, stride: int, expansion: int, side: int) -> int:
    inner, out = expansion * c_in, side // stride
    expand = c_in * inner * side**2 if expansion > 1 else 0
    return expand + kernel**2 * inner * out**2 + inner * c_out * out**2


def _draw_compound(rng: np.random.Generator) -> list[Plain]:
    """Stages and pixels, a phi, and an alpha and a beta that leave something to gamma."""
    layers, channels = rng.integers([[1], [4]], [[5], [80]], size=(2, rng.integers(1, 5)))
    depth, width, _ = rng.dirichlet([1, 1, 1])
    phi = rng.choice([0.0, 0.5, 1.0, 2.0, 3.0])
    shares = [round(2**depth, 4), round(2 ** (width / 2), 4)]
    return [layers, channels, rng.integers(16, 240), phi, *shares]


@question("06.q2", _draw_compound)
@hints(
    "solve alpha * beta^2 * gamma^2 = 2 for gamma first; phi comes after. Layers are rounded up, "
    "channels by scaling.round_filters, pixels to the nearest."
)
def _scaled(
    layers: list[int], channels: list[int], pixels: int, phi: float, alpha: float, beta: float
) -> list[list[int] | int]:
    d, w, r = alpha**phi, beta**phi, math.sqrt(2 / (alpha * beta**2)) ** phi
    widened = [scaling.round_filters(c, w) for c in channels]
    return [[math.ceil(n * d) for n in layers], widened, round(pixels * r)]


def _draw_widening(rng: np.random.Generator) -> list[Plain]:
    """Few channels, where the nearest multiple may lose more than a tenth, as often as many."""
    channels = rng.integers(1, rng.choice([24, 400]))
    return [channels, rng.choice([1.0, 1.1, 1.2, 1.4, 1.5, 1.8, 2.0, 3.1])]


@question("06.q3", _draw_widening)
@hints("the nearest multiple of 8, at least 8, half way up; then compare it with 90% of the goal.")
def _round_filters(channels: int, width: float) -> int:
    return scaling.round_filters(channels, width)


def _draw_operations(rng: np.random.Generator) -> list[Plain]:
    """Operations as multiply-adds and bytes, and a device with round numbers."""
    n = rng.integers(1, 6)
    macs, moved = 100 * rng.integers(0, 40, n), 10 * rng.integers(1, 40, n)
    peak, bandwidth = rng.choice([100, 500, 1000]), rng.choice([20, 50, 200])
    return [macs, moved, peak, bandwidth, round(rng.uniform(0.1, 2), 2)]


@question("07.q1", _draw_operations)
@hints(
    "arithmetic and memory traffic go on at the same time, so the longer of them counts, for each "
    "operation by itself. Every operation has its overhead."
)
def _latency(macs: Plain, moved: Plain, peak: float, bandwidth: float, overhead: float) -> float:
    return np.sum(overhead + np.maximum(np.divide(macs, peak), np.divide(moved, bandwidth)))


def _draw_points(rng: np.random.Generator) -> list[Plain]:
    """Accuracies and latencies of which some are equal, but no two networks in both."""
    codes = rng.choice(49, size=rng.integers(1, 9), replace=False)
    return [(codes // 7 / 10 + 0.3).round(1), codes % 7 + 1.0]


@question("07.q2", _draw_points)
@hints(
    "one network beats another when it is better in one and not worse in the other. Of two that "
    "are equally quick, only the more accurate one stays."
)
def _front(accuracies: list[float], latencies: list[float]) -> list[int]:
    return sorted(pareto.pareto_front(accuracies, latencies).tolist())


def _draw_mixture(rng: np.random.Generator) -> list[Plain]:
    """Scores of the options of each decision, and what each option costs."""
    shape = (rng.integers(1, 5), rng.integers(2, 5))
    alpha, seconds = rng.normal(0, 1.5, shape), rng.uniform(0, 5, shape)
    return [np.round(alpha, 2), np.round(seconds, 2), round(rng.uniform(0.5, 2), 2)]


@question("07.q3", _draw_mixture)
@hints(
    "each row of alpha becomes probabilities by its own softmax. An option costs its seconds as "
    "often as it is chosen; base is t_0, what the rest of the network takes."
)
def _expected(alpha: list[list[float]], seconds: list[list[float]], base: float) -> float:
    return base + np.sum(softmax(alpha, axis=1) * seconds)


def _draw_scores(rng: np.random.Generator) -> list[Plain]:
    """Architectures of three decisions, at least one of them with the asked option."""
    n, decision = rng.integers(3, 20), rng.integers(3)
    archs = rng.integers(0, 3, size=(n, 3))
    option = archs[rng.integers(n), decision]
    return [archs, np.round(rng.random(n), 3), decision, option]


@question("08.q1", _draw_scores)
@hints("two means: over the architectures that have the option, and over all, those included.")
def _main_effect(archs: list[list[int]], scores: list[float], decision: int, option: int) -> float:
    return float(np.mean(scores, where=np.array(archs)[:, decision] == option) - np.mean(scores))


@question("08.q2", lambda rng: [np.round(rng.random((2, 2)), 3)])
@hints(
    "a main effect averages over the other decision, with both of its options alike. What the swap "
    "changes beyond that is the second part."
)
def _swap_parts(f: list[list[float]]) -> list[float]:
    alone = (f[1][0] + f[1][1] - f[0][0] - f[0][1]) / 2
    return [alone, f[1][0] - f[0][0] - alone]


@question("08.q3", lambda rng: [np.round(rng.normal(size=4), 3)])
@hints(
    "in one order a decision comes first and is compared with nothing known; in the other it comes "
    "second and is compared with the other one known. Take the mean."
)
def _shapley(v: list[float]) -> list[float]:
    nothing, first, second, both = v
    return [(first - nothing + both - second) / 2, (second - nothing + both - first) / 2]


def _draw_images(rng: np.random.Generator) -> list[Plain]:
    """Two short lists of tiny images, of which some are in both, and some are there twice."""
    known = rng.integers(0, 3, size=(6, 4))
    train = known[rng.integers(0, 4, size=rng.integers(1, 7))]
    return [train, known[rng.integers(2, 6, size=rng.integers(1, 7))]]


@question("09.q1", _draw_images)
@hints(
    "count test images, not training images: one that stands twice among the test images leaks "
    "twice, one that stands twice among the training images does not."
)
def _leaked(train: list[list[int]], test: list[list[int]]) -> int:
    return sum(image in train for image in test)


@question("09.q2", lambda rng: _draw_bracket(rng)[1:] if rng.random() < 0.8 else [243, 3])
@hints(
    "s runs from its largest value down to 0; in bracket s, n is (s_max + 1) eta^s / (s + 1), "
    "rounded up, and r is R / eta^s. Beware of math.log: its rounding makes s_max wrong for some R."
)
def _brackets(epochs: int, eta: int) -> list[list[int]]:
    brackets = Hyperband(nasbench201(), epochs=epochs, eta=eta).brackets
    return [[rungs[0].archs, rungs[0].epochs] for rungs in brackets]


@question("09.q3", lambda rng: [rng.integers(1, most) for most in (60, 25, 12, 20)])
@hints(
    "a batch is over when its last trial is: it takes as many rounds as its size over the workers, "
    "rounded up. The last batch may be smaller."
)
def _seconds(trials: int, batch: int, workers: int, seconds: int) -> int:
    whole, rest = divmod(trials, batch)
    return (whole * math.ceil(batch / workers) + math.ceil(rest / workers)) * seconds


def _draw_attention(rng: np.random.Generator) -> list[Plain]:
    width = 8 * rng.integers(1, 9)
    return [rng.integers(1, 65), width, rng.integers(1, 9), rng.choice([4, 8, 16])]


@question("10.q1", _draw_attention)
@hints(
    "four products of tokens with a matrix: for queries, keys, values, and at the end. Two "
    "products of tokens with tokens, which know nothing of the width."
)
def _attention_macs(tokens: int, width: int, heads: int, features: int) -> int:
    return 2 * tokens * heads * features * (2 * width + tokens)


def _draw_shapes(rng: np.random.Generator) -> list[Plain]:
    """Shapes of the matrices of two networks; the deeper one has more of them."""
    return [8 * rng.integers(1, 9, size=(rng.integers(1, 6), 2)) for _ in range(2)]


@question("10.q2", _draw_shapes)
@hints(
    "both use the first rows and columns of the same matrix, so the smaller number of each counts. "
    "Matrices that only one network has are shared by none."
)
def _shared(first: list[list[int]], second: list[list[int]]) -> int:
    pairs = zip(first, second, strict=False)
    return sum(int(np.prod(np.minimum(one, other))) for one, other in pairs)


def _draw_options(rng: np.random.Generator) -> list[Plain]:
    """For each part the rises of its options, their seconds, and a limit that most meet."""
    rises = np.round(rng.random(rng.integers([1, 2], [4, 5])), 4)
    seconds = rng.integers(0, 10, rises.shape)
    return [rises, seconds, int(seconds.min(axis=1).sum() + rng.integers(-1, 12))]


@question("10.q3", _draw_options)
@hints(
    "try all combinations, itertools.product makes them. Seconds add up over the parts and may be "
    "as long as the limit; of what is left, the smallest sum of rises wins. An empty list if none."
)
def _choice(rises: list[list[float]], seconds: list[list[int]], limit: int) -> list[int]:
    def total(of: Plain, choice: Iterable[int]) -> float:
        return sum(row[k] for row, k in zip(of, choice, strict=True))

    every = itertools.product(*(range(len(row)) for row in rises))
    quick = [choice for choice in every if total(seconds, choice) <= limit]
    return list(min(quick, key=lambda choice: total(rises, choice), default=()))


def _draw_linear(rng: np.random.Generator) -> list[Plain]:
    """A matrix [N][M], a bias [N], an input that is shorter than M, and how many outputs."""
    rows, columns = rng.integers(2, 6, size=2)
    weight, bias = rng.integers(-9, 10, size=(rows, columns)), rng.integers(-9, 10, size=rows)
    x = rng.integers(-3, 4, size=rng.integers(1, columns + 1))
    return [weight, bias, x, rng.integers(1, rows + 1)]


@question("10.q4", _draw_linear)
@hints("the first `outputs` rows, of each as many columns as x has entries, and the bias of each.")
def _sliced_linear(
    weight: list[list[float]], bias: list[float], x: list[float], outputs: int
) -> np.ndarray:
    return np.array(weight)[:outputs, : len(x)] @ x + bias[:outputs]


QUESTIONS = {name: found for name, found in DECLARED.items() if name[0].isdigit()}
"""Every question of a notebook, by name."""
