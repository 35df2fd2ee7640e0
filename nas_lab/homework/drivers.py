"""Drivers: put an answer to work, ``drive(answer, *inputs) -> plain data``.

Drivers run in the student's own notebook and inside the box where hand-ins are graded. So nothing
here knows a right answer, and nothing here imports from the rest of the package.
"""

import re
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import numpy as np

Plain: TypeAlias = Any
"""None, bool, int, float, str, and lists and dicts (with str keys) of these."""


def call(answer: Callable[..., Any], *inputs: Plain) -> Plain:
    """Call an answer with its inputs: the driver of most questions."""
    return plain(answer(*inputs))


def plain(value: Any) -> Plain:
    """Numpy's and torch's numbers and arrays, and tuples, as plain numbers and lists; of anything
    else, TypeError says what to return in its place."""
    torch = sys.modules.get("torch")  # what is a tensor has loaded it
    if isinstance(value, np.generic | np.ndarray) or (torch and isinstance(value, torch.Tensor)):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"the keys of a dict must be texts, not {key!r}")
        return {key: plain(entry) for key, entry in value.items()}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    form = "list(...)" if hasattr(value, "__iter__") else "float(...) or int(...)"
    raise TypeError(f"the result holds a {type(value).__name__}: return {form} of it")


def _tensor(values: Plain) -> Any:
    """Floats as doubles, whole numbers as such."""
    import torch

    tensor = torch.tensor(values)
    return tensor.double() if tensor.is_floating_point() else tensor


def with_tensors(answer: Callable[..., Any], *inputs: Plain) -> Plain:
    """Call an answer with lists as tensors."""
    return plain(answer(*(_tensor(x) if isinstance(x, list) else x for x in inputs)))


REFUSED = "does not require grad|saved tensor hooks|[Nn]ested forward mode AD"


def without_autograd(answer: Callable[..., Any], *inputs: Plain) -> Plain:
    """Call an answer while torch takes no gradients, for what is to be worked out on paper.
    ``torch.func.grad`` and its like refuse to run beside hooks on saved tensors, and forward mode
    (``torch.func.jvp``) inside of forward mode."""
    import torch
    from torch.autograd import forward_ad, graph

    def off(*_: Any) -> Any:
        raise RuntimeError("saved tensor hooks")

    hooks, forward = graph.saved_tensors_hooks(off, off), forward_ad.dual_level()
    with torch.inference_mode(), hooks, forward:
        try:
            return plain(answer(*inputs))
        except RuntimeError as error:
            if not re.search(REFUSED, str(error)):
                raise
            raise RuntimeError("autograd is switched off here: write the gradient down") from error


def loss_and_gradient(
    answer: Callable[..., Any], logits: Plain, archs: Plain, rewards: Plain, baseline: float
) -> Plain:
    """The loss of a batch, and its gradient with respect to the logits."""
    import torch

    given = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
    loss = answer(given, torch.tensor(archs), torch.tensor(rewards).double(), baseline)
    if loss is None:
        return None
    if not isinstance(loss, torch.Tensor):
        raise TypeError(f"the loss must be a tensor, not {type(loss).__name__}")
    if loss.numel() != 1:
        raise ValueError(f"the loss must be one number; it has the shape {tuple(loss.shape)}")
    if not loss.requires_grad:
        raise ValueError("the loss does not depend on the logits: was it detached?")
    (gradient,) = torch.autograd.grad(loss.reshape(()), given)
    return {"loss": float(loss.detach()), "gradient": gradient.tolist()}


def edge(
    answer: Callable[..., Any], ask: Callable[[Plain], Plain], x: Plain, weights: Plain, ids: Plain
) -> Plain:
    """The output of an edge with operations x -> factor * x^2. Each call of one asks for its factor
    by its id: so whoever holds the factors can count the calls."""

    def operation(id: int, x: Any) -> Any:
        return ask(id) * np.square(x)

    return plain(answer(np.array(x), weights, [partial(operation, id) for id in ids]))


def arrays(answer: Callable[..., Any], *inputs: Plain) -> Plain:
    """Call an answer with lists as arrays."""
    return plain(answer(*(np.array(x) if isinstance(x, list) else x for x in inputs)))


def mixture(answer: Callable[..., Any], x: Plain, alphas: Plain, factors: Plain) -> Plain:
    """The mixed output of operations x -> tanh(factor * x), and its gradient in alpha."""
    import torch

    a = _tensor(alphas).requires_grad_()
    mixed = answer(_tensor(x), a, [lambda x, f=factor: torch.tanh(f * x) for factor in factors])
    if not isinstance(mixed, torch.Tensor) or not mixed.requires_grad:
        return plain(mixed)
    return plain([mixed, *torch.autograd.grad(mixed.sum(), a)])


def losses(curvature: Plain, coupling: Plain, target: Plain) -> Callable[[Any, Any], Any]:
    """A loss of w [n] and alpha [m] as tensors: a valley in w that alpha tilts and bends."""
    import torch

    h, b, c = map(_tensor, (curvature, coupling, target))

    def loss(w: Any, alpha: Any) -> Any:
        bend = 1 + torch.tanh(alpha).sum() ** 2
        valley = (h * torch.cosh(0.5 * (w - c))).sum()
        return bend * valley + w @ b @ alpha + 0.1 * (alpha**2).sum()

    return loss


def bilevel(
    answer: Callable[..., Any], w: Plain, alpha: Plain, rate: float, train: Plain, valid: Plain
) -> Plain:
    """The answer's gradient in alpha, for a training and a validation loss."""
    given = [_tensor(value).requires_grad_() for value in (w, alpha)]
    return plain(answer(*given, losses(*train), losses(*valid), rate))


def hessian(
    answer: Callable[..., Any], w: Plain, alpha: Plain, v: Plain, epsilon: float, train: Plain
) -> Plain:
    """The answer's product of the mixed Hessian with v, out of gradients in alpha."""
    import torch

    loss = losses(*train)

    def alpha_gradient(w: Any) -> Any:
        """The gradient of the training loss in alpha at other weights, an array."""
        a = _tensor(alpha).requires_grad_()
        (gradient,) = torch.autograd.grad(loss(torch.as_tensor(w).double(), a), a)
        return gradient.numpy()

    return plain(answer(alpha_gradient, np.array(w), np.array(v), epsilon))


def search(answer: Callable[..., Any], ask: Callable[[Plain], Plain], *inputs: Plain) -> Plain:
    """Call an answer with a function ``query(arch) -> (accuracy, milliseconds)`` and its inputs.
    ``ask`` puts one architecture, a list of tokens, to whoever holds the table."""
    return plain(answer(lambda arch: tuple(ask(plain(arch))), *inputs))
