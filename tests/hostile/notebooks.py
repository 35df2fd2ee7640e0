"""Notebooks for attacks, as plain JSON."""

import json

FUNCTIONS = ["number_of_cells", "parse", "conv_cost", "live_edges", "canonical", "cell_macs"]
"""The answers of homework 1."""

HONEST = (
    "def number_of_cells(nodes, operations):\n    return operations ** (nodes * (nodes - 1) // 2)"
)
"""The first answer of homework 1, right; it earns 1 point."""


def notebook(*sources, **metadata):
    cells = [
        {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "id": f"c{number}"}
        for number, source in enumerate(sources)
    ]
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}


def text(*sources, **metadata):
    return json.dumps(notebook(*sources, **metadata))


def every_answer(expression, before=""):
    """A cell in which each answer of homework 1 gives one expression, of its inputs `given`."""
    body = f"    {before}\n    return {expression}" if before else f"    return {expression}"
    return "\n\n".join(f"def {name}(*given):\n{body}" for name in FUNCTIONS)
