"""What a search space is: decisions, and the architectures they span.

Everything that a search needs to know of a space is said in tokens, so a strategy never sees a
network.
"""

from __future__ import annotations

import hashlib
import math
import operator
import re
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
    """The fixed network around a searched part; fields are whole numbers of at least 1.
    The defaults are those of NAS-Bench-201 (Dong & Yang 2020, section 2.1). Chains, dense and
    recurrent networks read only ``resolution``, ``in_channels`` and ``classes``."""

    channels: int = 16  # output channels of the stem
    cells: int = 5  # cells in each stage; for ``darts()`` all cells of the network
    stages: int = 3  # each with twice the channels and half the resolution of the one before
    stem_stride: int = 1  # stride of the first convolution
    resolution: int = 32  # height and width of the image, in pixels
    in_channels: int = 3  # channels of the image
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
    ``D`` below is the number of decisions and ``K`` the largest number of options of any of them.
    Subclasses say what a choice means: ``network``, ``graph`` and, where some answers exclude
    others or give the same network, ``allowed`` and ``canonical``."""

    name: str
    decisions: tuple[Decision, ...]
    rule = ""  # which answers go together, in words, where some exclude others

    @property
    def labels(self) -> list[str]:
        """What to call each decision in a figure: ``input → 1`` for an edge of a cell."""
        return [decision.name.replace("_", " ") for decision in self.decisions]

    @property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """For each decision the two nodes that its edge joins; none where decisions are no edges.
        A node sums the edges that lead to it. Nodes of a second cell have numbers of their own."""
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
        prefixes: Iterator[Arch] = iter([()])
        for _ in self.decisions:
            prefixes = ((*p, token) for p in prefixes for token in self.allowed(p))
        return prefixes

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
        """Return ``arch`` as a tuple of plain ints; TypeError or ValueError says what is wrong."""
        what, wanted = f"an architecture of {self.name}", len(self.decisions)
        try:
            given = tuple(cast(Iterable[Any], arch))
            if any(isinstance(token, bool) for token in given):
                raise TypeError
            tokens = tuple(map(operator.index, given))
        except TypeError:
            raise TypeError(f"{what} is a tuple of whole numbers, not {arch!r}") from None
        if len(tokens) != wanted:
            raise ValueError(f"{what} has {wanted} tokens, this one has {len(tokens)}: {tokens}")
        for i, (decision, token) in enumerate(zip(self.decisions, tokens, strict=True)):
            if not 0 <= token < len(decision.options):
                known = ", ".join(map(str, decision.options))
                choice = f"choose from 0 to {len(decision.options) - 1}: {known}"
                raise ValueError(f"token {i} ({decision.name}) is {token}; {choice}")
            if token not in self.allowed(tokens[:i]):
                raise ValueError(
                    f"token {i} ({decision.name}={decision.options[token]}) is excluded by the "
                    f"tokens before it in {self.name}: {self.rule or tokens[:i]}"
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
        """The inverse of ``decode``; ValueError names what is missing, unknown or no option."""
        names = [decision.name for decision in self.decisions]
        missing, unknown = set(names) - set(mapping), set(mapping) - set(names)
        if missing or unknown:
            raise ValueError(
                f"{self.name} asks for {', '.join(names)}; "
                f"missing: {sorted(missing)}, unknown: {sorted(unknown)}"
            )
        for d in self.decisions:
            if mapping[d.name] not in d.options:
                known = ", ".join(map(str, d.options))
                raise ValueError(f"{d.name} has no option {mapping[d.name]!r}; choose from {known}")
        return self.check([d.options.index(mapping[d.name]) for d in self.decisions])

    def to_string(self, arch: Arch) -> str:
        """A text that ``from_string`` reads back: ``name=option`` for each decision."""
        return " ".join(f"{name}={option}" for name, option in self.decode(arch).items())

    def from_string(self, text: str) -> Arch:
        """The architecture that ``to_string`` wrote."""
        pairs = re.findall(r"([^\s=]+)=(\S*)", text)
        if len(dict(pairs)) < max(1, len(text.split())):
            raise ValueError(f"{text!r} is not of the form 'name=option name=option ...'")
        spelled = {d.name: {str(option): option for option in d.options} for d in self.decisions}
        return self.encode({name: spelled.get(name, {}).get(o, o) for name, o in pairs})

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
    Where two nodes do not read each other, swapping their numbers gives other tokens and the same
    network. ``inputs`` are the nodes that each reads, and ``row(node, placed)`` the tokens of a
    node that follows the nodes ``placed``, which hold its inputs. Nodes with equal rows and equal
    ``twin(node)`` are interchangeable: what reads them, and how, tells twins apart."""
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
