"""The exercises inside the notebooks: a module for each, with a tuple ``QUESTIONS``.

A module that is put here is found: its questions are known to ``check`` by their names.
"""

from importlib import import_module
from pkgutil import iter_modules

from nas_lab.homework.question import Question

_MODULES = [import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__)]

QUESTIONS: dict[str, Question] = {
    question.name: question for module in _MODULES for question in module.QUESTIONS
}
"""Every question that ``check`` knows, by name."""
