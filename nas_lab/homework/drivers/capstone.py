"""Driver of the capstone: a search that asks for networks one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nas_lab.homework.drivers import Plain, plain


def search(answer: Callable[..., Any], ask: Callable[[Plain], Plain], *inputs: Plain) -> Plain:
    """Call an answer with a function ``query(arch) -> (accuracy, milliseconds)`` and its inputs.

    Args:
        answer: the search.
        ask: puts one architecture, a list of tokens, to whoever holds the table.
        inputs: what else the search is given.
    """

    def query(arch: Any) -> tuple[float, float]:
        accuracy, milliseconds = ask(plain(arch))
        return accuracy, milliseconds

    return plain(answer(query, *inputs))
