"""A model card: what whoever gets the file has to know.

M. Mitchell et al., "Model Cards for Model Reporting", FAT* 2019, arXiv:1810.03993.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ModelCard:
    """Lines under headings, as markdown.

    Attributes:
        name: of the model.
        purpose: what it is for, in a sentence.
        data: what it was trained and tested on.
        results: figures by name, each with its spread.
        search: how it was found, and what that cost.
        settings: architecture and training.
        limits: what it is not for, and what was not tested.
        seeds: all that were used.

    Raises:
        ValueError: purpose, data or limits are empty; those cannot be computed.
    """

    name: str
    purpose: str
    data: Sequence[str]
    results: Mapping[str, str]
    search: Mapping[str, str]
    settings: Mapping[str, str]
    limits: Sequence[str]
    seeds: Mapping[str, int | Sequence[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for what in ("purpose", "data", "limits"):
            if not getattr(self, what):
                raise ValueError(
                    f"a card without {what} is none: no search can find it, so write it yourself"
                )

    @property
    def markdown(self) -> str:
        """The card."""
        seeds = {name: str(value).strip("()[]") for name, value in self.seeds.items()}
        parts = {
            "Data": [f"- {line}" for line in self.data],
            "Results": _table(self.results),
            "How it was found": _table(self.search),
            "Architecture and training": _table(self.settings),
            "Limits": [f"- {line}" for line in self.limits],
            "Seeds": _table(seeds),
        }
        lines = [f"# {self.name}", "", self.purpose]
        for heading, body in parts.items():
            if body:
                lines += ["", f"## {heading}", "", *body]
        return "\n".join(lines) + "\n"


def _table(rows: Mapping[str, str]) -> list[str]:
    if not rows:
        return []
    cells = [f"| {name} | {_plain(value)} |" for name, value in rows.items()]
    return ["| | |", "|---|---|", *cells]


def _plain(text: str) -> str:
    """A text that does not end a field of the table."""
    return text.replace("|", "\\|").replace("\n", " ")
