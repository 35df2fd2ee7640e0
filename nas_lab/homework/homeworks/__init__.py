"""The homeworks: a module for each, with a ``HOMEWORK``.

Here are the references, so nothing of this package enters the box in which hand-ins run. What an
answer is put to work with is in ``drivers``.
"""

from importlib import import_module
from pkgutil import iter_modules

from nas_lab.homework.question import Homework, Question

_MODULES = [import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__)]

HOMEWORKS: dict[str, Homework] = {
    module.HOMEWORK.name: module.HOMEWORK for module in _MODULES if hasattr(module, "HOMEWORK")
}
"""Every homework, by name."""

QUESTIONS: dict[str, Question] = {
    question.name: question for homework in HOMEWORKS.values() for question in homework.questions
}
"""Every question of a homework, by name."""
