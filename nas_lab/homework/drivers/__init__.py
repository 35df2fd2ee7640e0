"""Put an answer to work: ``drive(answer, *inputs) -> plain data``, a module for each homework.

Drivers run in the student's own notebook and inside the box where hand-ins are graded. So nothing
here knows a right answer, and nothing here imports from the rest of the package.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

Plain: TypeAlias = Any
"""None, bool, int, float, str, and lists and dicts (with str keys) of these."""


def call(answer: Callable[..., Any], *inputs: Plain) -> Plain:
    """Call an answer with its inputs: the driver of most questions."""
    return plain(answer(*inputs))


def plain(value: Any) -> Plain:
    """Numpy's and torch's numbers and arrays, and tuples, as plain numbers and lists.

    Raises:
        TypeError: a dict has a key that is no text.
    """
    library = type(value).__module__.split(".")[0]
    if isinstance(value, np.generic | np.ndarray) or (library == "torch" and _is_tensor(value)):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, dict):
        return {_text(key): plain(entry) for key, entry in value.items()}
    return value


def _is_tensor(value: Any) -> bool:
    import torch

    return isinstance(value, torch.Tensor)


def _text(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(f"the keys of a dict must be texts, not {key!r}")
    return key
