"""The homeworks, a module for each, with the references: none of it enters a box of hand-ins."""

from nas_lab.homework.homeworks import capstone, hw1, hw2, hw3, hw4, hw5, hw6  # noqa: F401
from nas_lab.homework.question import Homework, Question

HOMEWORKS: dict[str, Homework] = {
    homework.name: homework
    for homework in (
        Homework("hw1", "Search spaces"),
        Homework("hw2", "Estimation and ranking"),
        Homework("hw3", "REINFORCE"),
        Homework("hw4", "One-shot"),
        Homework("hw5", "DARTS"),
        Homework("hw6", "Scaling and edge devices"),
        Homework("capstone", "Capstone: the best network for a device", written=5),
    )
}
"""Every homework, by name."""

QUESTIONS: dict[str, Question] = {q.name: q for h in HOMEWORKS.values() for q in h.questions}
"""Every question of a homework, by name."""
