"""The homeworks: a module for each, with a ``HOMEWORK``.

Here are the references, so nothing of this package enters the box in which hand-ins run. What an
answer is put to work with is in ``drivers``.
"""

from importlib import import_module
from pkgutil import iter_modules

from nas_lab.homework.open_question import OpenQuestion
from nas_lab.homework.question import Homework, Question

_MODULES = [import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__)]

HOMEWORKS: dict[str, Homework] = {
    module.HOMEWORK.name: module.HOMEWORK for module in _MODULES if hasattr(module, "HOMEWORK")
}
"""Every homework, by name."""

_ALL = [question for homework in HOMEWORKS.values() for question in homework.questions]

QUESTIONS: dict[str, Question] = {q.name: q for q in _ALL if isinstance(q, Question)}
"""Every question of a homework that has a right answer, by name."""

OPEN: dict[str, OpenQuestion] = {q.name: q for q in _ALL if isinstance(q, OpenQuestion)}
"""Every one that has none, by name."""
