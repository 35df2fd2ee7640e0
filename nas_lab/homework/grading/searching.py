"""Let an answer in a box search: its queries are counted and replied to out here."""

from __future__ import annotations

from dataclasses import replace

from nas_lab.homework.grading.exam import OpenSheet
from nas_lab.homework.grading.talking import Channel, Trouble, as_text, call
from nas_lab.homework.question import QueryBudget, Question, Result, Task

NOT_THERE = "there is no such function"


def searched(
    channel: Channel, question: Question, query_budget: QueryBudget, seconds: float
) -> Result:
    """What the search of a hand-in finds in one case.

    Args:
        channel: with a box in which the hand-in has run.
        question: names the function.
        query_budget: counts the queries of the case.
        seconds: until it must be found.

    Raises:
        Trouble: there was no proper reply.
    """
    reply = channel.ask(
        call(question, [query_budget.task.inputs], asks=True), seconds, query_budget.reply
    )
    if reply.get("missing") is True:
        return lost(query_budget.task, query_budget.asked, NOT_THERE)
    cases = reply.get("cases")
    if not isinstance(cases, list) or len(cases) != 1 or not isinstance(cases[0], dict):
        raise Trouble("tampered", "a reply has not the form of one")
    if "error" in cases[0]:
        return lost(query_budget.task, query_budget.asked, as_text(cases[0]["error"]))
    return query_budget.task.result(cases[0].get("value"), query_budget.asked)


def lost(task: Task, asked: int, why: str) -> Result:
    """The result of a search that found nothing."""
    return replace(task.result(None, asked), problem=why)


def verdict(sheet: OpenSheet, results: list[Result], earned: int) -> str:
    """``right`` with all points, ``missing`` when nobody searched, else ``scored``."""
    if earned == sheet.question.points:
        return "right"
    idle = {NOT_THERE, sheet.tasks[0].result(None, 0).problem}
    return "missing" if all(result.problem in idle for result in results) else "scored"
