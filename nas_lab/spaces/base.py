"""What a search space is: decisions, and the architectures they span.

An architecture is a tuple of tokens, one for each decision. Everything that a search needs to
know of a space is said in these terms, so a strategy never sees a network.
"""

from __future__ import annotations

import hashlib
import math
import operator
import sys
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import lazy_loader

from nas_lab.checks import whole_number
from nas_lab.spaces.network import Cost, Network

if TYPE_CHECKING:
    import networkx
    import numpy as np
else:
    np = lazy_loader.load("numpy")

Arch: TypeAlias = tuple[int, ...]
"""One token for each decision: hashable, and safe in JSON."""


@dataclass(frozen=True)
class Decision:
    """One question that an architecture answers, with the options to choose from."""

    name: str
    options: tuple[Any, ...]


@dataclass(frozen=True)
class Skeleton:
    """The fixed network around a searched part.

    Attributes:
        channels: output channels of the stem.
        cells: cells in each stage; for ``darts()`` all cells of the network.
        stages: stages, each with twice the channels and half the resolution of the one before.
        stem_stride: stride of the first convolution, 1 or more.
        resolution: height and width of the image, in pixels.
        in_channels: channels of the image.
        classes: outputs of the classifier.

    The defaults are those of NAS-Bench-201 (Dong & Yang 2020, section 2.1). Chains, dense and
    recurrent networks read only ``resolution``, ``in_channels`` and ``classes``.

    Raises:
        TypeError: a field is not a whole number.
        ValueError: a field is below 1.
    """

    channels: int = 16
    cells: int = 5
    stages: int = 3
    stem_stride: int = 1
    resolution: int = 32
    in_channels: int = 3
    classes: int = 10

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            object.__setattr__(self, name, whole_number(f"Skeleton's {name}", value))

    @property
    def image(self) -> tuple[int, int, int]:
        """Shape of one input image: channels, height, width."""
        return (self.in_channels, self.resolution, self.resolution)


@dataclass(frozen=True)
class Space:
    """A search space: every way to answer its decisions.

    ``D`` below is the number of decisions and ``K`` the largest number of options of any of
    them. Two spaces are equal when their names and decisions are.

    Subclasses say what a choice means: ``network``, ``graph`` and, where some answers exclude
    others or give the same network, ``allowed`` and ``canonical``.
    """

    name: str
    decisions: tuple[Decision, ...]

    # ---- its decisions -----------------------------------------------------------------------

    @property
    def labels(self) -> list[str]:
        """What to call each decision in a figure: ``input → 1`` for an edge of a cell."""
        return [decision.name.replace("_", " ") for decision in self.decisions]

    @property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """For each decision, the two nodes that its edge joins; empty where decisions are no edges.

        A node sums the edges that lead to it. Nodes of a second cell have numbers of their own.
        """
        return ()

    # ---- size and membership -----------------------------------------------------------------

    @property
    def size(self) -> int:
        """Number of architectures, of any magnitude."""
        return math.prod(len(decision.options) for decision in self.decisions)

    def __len__(self) -> int:
        if self.size > sys.maxsize:
            raise OverflowError(
                f"{self.name} has {self.size:.2e} architectures, more than len() can return: "
                "use space.size"
            )
        return self.size

    def __iter__(self) -> Iterator[Arch]:
        """Every architecture, in the order of its tokens."""
        return self._completions(())

    def _completions(self, prefix: Arch) -> Iterator[Arch]:
        if len(prefix) == len(self.decisions):
            yield prefix
            return
        for token in self.allowed(prefix):
            yield from self._completions((*prefix, token))

    def __contains__(self, arch: object) -> bool:
        try:
            self.check(arch)
        except (TypeError, ValueError):
            return False
        return True

    def allowed(self, prefix: Arch) -> Sequence[int]:
        """Tokens that may follow ``prefix``; every one of them can be completed."""
        return range(len(self.decisions[len(prefix)].options))

    def check(self, arch: object) -> Arch:
        """Return ``arch`` as a tuple of plain ints.

        Raises:
            TypeError: not a sequence of whole numbers.
            ValueError: wrong length, a token out of range, or an excluded combination.
        """
        try:
            given = tuple(cast(Iterable[Any], arch))
            if any(isinstance(token, bool) for token in given):
                raise TypeError
            tokens = tuple(map(operator.index, given))
        except TypeError:
            raise TypeError(
                f"an architecture of {self.name} is a tuple of whole numbers, not {arch!r}"
            ) from None
        if len(tokens) != len(self.decisions):
            raise ValueError(
                f"an architecture of {self.name} has {len(self.decisions)} tokens, "
                f"this one has {len(tokens)}: {tokens}"
            )
        for i, (decision, token) in enumerate(zip(self.decisions, tokens, strict=True)):
            if not 0 <= token < len(decision.options):
                raise ValueError(
                    f"token {i} ({decision.name}) is {token}; choose from 0 to "
                    f"{len(decision.options) - 1}: {_listing(decision.options)}"
                )
            if token not in self.allowed(tokens[:i]):
                raise ValueError(
                    f"token {i} ({decision.name}={decision.options[token]}) is excluded by the "
                    f"tokens before it in {self.name}: {tokens[:i]}"
                )
        return tokens

    # ---- moving about ------------------------------------------------------------------------

    def sample(self, rng: np.random.Generator) -> Arch:
        """Draw an architecture, each with the same probability."""
        return tuple(as_generator(rng).integers(self.mask.sum(axis=1)).tolist())

    def mutate(self, arch: Arch, rng: np.random.Generator) -> Arch:
        """Draw one of the ``neighbors`` of ``arch``, each with the same probability."""
        neighbors = self.neighbors(arch)
        return neighbors[int(as_generator(rng).integers(len(neighbors)))]

    def neighbors(self, arch: Arch) -> list[Arch]:
        """All architectures that differ in one decision."""
        arch = self.check(arch)
        return [
            (*arch[:i], token, *arch[i + 1 :])
            for i, decision in enumerate(self.decisions)
            for token in range(len(decision.options))
            if token != arch[i]
        ]

    # ---- other forms of an architecture ------------------------------------------------------

    def decode(self, arch: Arch) -> dict[str, Any]:
        """The chosen option of each decision, by name."""
        arch = self.check(arch)
        return {d.name: d.options[token] for d, token in zip(self.decisions, arch, strict=True)}

    def encode(self, mapping: Mapping[str, Any]) -> Arch:
        """The inverse of ``decode``.

        Raises:
            ValueError: a decision is missing or unknown, or an option does not exist.
        """
        names = [decision.name for decision in self.decisions]
        missing, unknown = set(names) - set(mapping), set(mapping) - set(names)
        if missing or unknown:
            raise ValueError(
                f"{self.name} asks for {', '.join(names)}; "
                f"missing: {sorted(missing)}, unknown: {sorted(unknown)}"
            )
        return self.check(tuple(token_of(d, mapping[d.name]) for d in self.decisions))

    def to_string(self, arch: Arch) -> str:
        """A text that ``from_string`` reads back: ``name=option`` for each decision."""
        return " ".join(f"{name}={option}" for name, option in self.decode(arch).items())

    def from_string(self, text: str) -> Arch:
        """The architecture that ``to_string`` wrote.

        Raises:
            TypeError: not a string.
            ValueError: malformed text or an unknown option.
        """
        words = [word.partition("=") for word in as_text(text).split()]
        if len({name for name, separator, _ in words if separator}) < max(1, len(words)):
            raise ValueError(f"{text!r} is not of the form 'name=option name=option ...'")
        spelled = {d.name: {str(option): option for option in d.options} for d in self.decisions}
        return self.encode({name: spelled.get(name, {}).get(o, o) for name, _, o in words})

    def one_hot(self, arch: Arch) -> np.ndarray:
        """The architecture as a matrix ``w[D, K]`` of zeros with a one in each row."""
        arch = self.check(arch)
        w = np.zeros(self.mask.shape, dtype=np.float32)
        w[np.arange(len(arch)), list(arch)] = 1
        return w

    @cached_property
    def mask(self) -> np.ndarray:
        """bool[D, K]: which entries of ``w`` stand for an option."""
        counts = np.array([len(decision.options) for decision in self.decisions])
        return np.arange(counts.max()) < counts[:, None]

    def canonical(self, arch: Arch) -> Arch:
        """One representative for all tokens that give the same network as ``arch``."""
        return self.check(arch)

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that change when the meaning of a token does."""
        meaning = repr((type(self).__name__, self.name, self.decisions))
        return hashlib.sha256(meaning.encode()).hexdigest()[:16]

    # ---- what an architecture is -------------------------------------------------------------

    def network(self, arch: Arch, skeleton: Skeleton) -> Network:
        """The network as a list of operations with their shapes; nothing is built."""
        raise TypeError(f"{type(self).__name__} does not say what network an architecture is")

    def graph(self, arch: Arch) -> networkx.DiGraph:
        """The searched part as a graph; nodes have a ``label``, edges or nodes an ``operation``."""
        raise TypeError(f"{type(self).__name__} does not say what graph an architecture is")

    def cost(self, arch: Arch, skeleton: Skeleton) -> Cost:
        """Parameters and multiply-adds of the network, counted without building it."""
        return self.network(arch, skeleton).cost


def as_text(text: object) -> str:
    """Return ``text``, or raise TypeError where it is no string."""
    if not isinstance(text, str):
        raise TypeError(f"from_string reads a str, not {type(text).__name__}")
    return text


def token_of(decision: Decision, option: Any) -> int:
    """The token that stands for ``option``, or ValueError with the options that exist."""
    if option not in decision.options:
        raise ValueError(
            f"{decision.name} has no option {option!r}; choose from {_listing(decision.options)}"
        )
    return decision.options.index(option)


def _listing(options: tuple[Any, ...]) -> str:
    return ", ".join(map(str, options))


def as_generator(rng: np.random.Generator) -> np.random.Generator:
    """Return ``rng``, or raise TypeError where it is no numpy Generator."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(
            f"rng is a numpy Generator, not {type(rng).__name__}: "
            "make one with numpy.random.default_rng(seed)"
        )
    return rng


def smallest_numbering(
    inputs: Sequence[frozenset[int]],
    row: Callable[[int, tuple[int, ...]], Arch],
    twin: Callable[[int], Hashable],
) -> Arch:
    """Number nodes so that their tokens, read one after the other, are lexicographically smallest.

    The nodes of a cell or a chain carry numbers only because tokens are written one after the
    other. Where two nodes do not read each other, swapping their numbers gives other tokens and
    the same network; this is one representative for all numberings.

    Args:
        inputs: for each node, the nodes that it reads; they have to come before it.
        row: ``row(node, placed)`` gives the tokens of ``node`` when it follows the nodes
            ``placed``, which hold all its inputs.
        twin: nodes with equal rows and equal ``twin(node)`` are interchangeable, so only one
            of them is tried. What reads a node, and how, tells twins apart.

    Returns:
        The tokens of all nodes in their new order.
    """
    tokens: Arch = ()
    orders: list[tuple[int, ...]] = [()]  # all that begin with these tokens, up to twins
    for _ in inputs:
        ready = [
            (row(node, placed), node, placed)
            for placed in orders
            for node in range(len(inputs))
            if node not in placed and inputs[node].issubset(placed)
        ]
        smallest, *_ = min(ready)
        tied = {(p, twin(node)): (*p, node) for tokens, node, p in ready if tokens == smallest}
        tokens, orders = tokens + smallest, list(tied.values())
    return tokens
