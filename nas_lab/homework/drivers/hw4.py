"""Drivers of homework 4: operations that count how often they are called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nas_lab.homework.drivers import Plain, plain


def edge(answer: Callable[..., Any], x: Plain, weights: Plain, factors: Plain) -> Plain:
    """The output of an edge with operations x -> factor * x^2, and which of them were called."""
    called = [0] * len(factors)

    def operation(place: int) -> Callable[[Any], Any]:
        def run(x: Any) -> Any:
            called[place] += 1
            return factors[place] * np.square(x)

        return run

    output = answer(np.array(x), weights, [operation(place) for place in range(len(factors))])
    if output is None:
        return None
    return {"output": plain(output), "called": called}


def arrays(answer: Callable[..., Any], *inputs: Plain) -> Plain:
    """Call an answer with lists as arrays."""
    return plain(answer(*(np.array(x) if isinstance(x, list) else x for x in inputs)))
