"""Pictures: ``draw(data, ax=None) -> Axes``, with matplotlib and networkx.

Nothing here trains, searches or counts; it lays out and draws what it is given. The same
operation and the same strategy have the same colour in every picture (``COLORS``), and nothing
is set for the whole process.
"""

from nas_lab.plots.alphas import AlphaLines, TruthLine, alphas, share_axes, weight_limits
from nas_lab.plots.architectures import architecture
from nas_lab.plots.cells import cell, cells
from nas_lab.plots.cells_darts import darts
from nas_lab.plots.chains import chain, skeleton
from nas_lab.plots.colors import COLORS, HIGHLIGHT, LABELS, STYLES, color, label, style, text_on
from nas_lab.plots.devices import FrontChart, TimeBars, duration, part_label
from nas_lab.plots.directions import CosineBars
from nas_lab.plots.effects import PartBars, effects, shares
from nas_lab.plots.figures import chart, image_html, png_html, show
from nas_lab.plots.films import save_film
from nas_lab.plots.matrices import one_hot
from nas_lab.plots.mixtures import MixedCell, mixed_cell, operation_key
from nas_lab.plots.races import PolicyMatrix, RaceLines, bests
from nas_lab.plots.rankings import (
    CostOfRanking,
    RankingOverTime,
    RankScatter,
    correlations,
    rank_errors,
    rank_scatter,
)
from nas_lab.plots.results import cost_accuracy, incumbent
from nas_lab.plots.scaling import (
    BudgetLines,
    Scale,
    StageBoxes,
    accuracy_surface,
    box_key,
    networks,
    scaling_paths,
    size_of,
)
from nas_lab.plots.spreads import medians, spreads
from nas_lab.plots.words import decision_labels, quantity
from nas_lab.plots.workflow import BracketBoxes, minutes, workers

__all__ = [
    "COLORS",
    "HIGHLIGHT",
    "LABELS",
    "STYLES",
    "AlphaLines",
    "BracketBoxes",
    "BudgetLines",
    "CosineBars",
    "CostOfRanking",
    "FrontChart",
    "MixedCell",
    "PartBars",
    "PolicyMatrix",
    "RaceLines",
    "RankScatter",
    "RankingOverTime",
    "Scale",
    "StageBoxes",
    "TimeBars",
    "TruthLine",
    "accuracy_surface",
    "alphas",
    "architecture",
    "bests",
    "box_key",
    "cell",
    "cells",
    "chain",
    "chart",
    "color",
    "correlations",
    "cost_accuracy",
    "darts",
    "decision_labels",
    "duration",
    "effects",
    "image_html",
    "incumbent",
    "label",
    "medians",
    "minutes",
    "mixed_cell",
    "networks",
    "one_hot",
    "operation_key",
    "part_label",
    "png_html",
    "quantity",
    "rank_errors",
    "rank_scatter",
    "save_film",
    "scaling_paths",
    "share_axes",
    "shares",
    "show",
    "size_of",
    "skeleton",
    "spreads",
    "style",
    "text_on",
    "weight_limits",
    "workers",
]
