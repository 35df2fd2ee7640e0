"""Pictures: ``draw(data, ax=None) -> Axes``, with matplotlib.

Nothing here trains, searches or counts; it lays out and draws what it is given. The same
operation and the same strategy have the same colour in every picture (``COLORS``), and nothing
is set for the whole process.

A class draws on axes that are kept while the data change; its ``moving`` are the artists that
``update`` and ``point_at`` change.
"""

import lazy_loader as _lazy

_NAMES = {
    "theme": "COLORS HIGHLIGHT chart color duration label quantity style text_on",
    "page": "image_html panels png_html show table",
    "graphs": "MixedCell architecture cells mixed_cell skeleton",
    "matrix": "PolicyMatrix SliceMatrices effects one_hot shares",
    "curves": "AlphaLines RaceLines TruthLine alphas incumbent medians weight_limits",
    "ranking": "CostOfRanking RankScatter RankingOverTime bests correlations rank_errors "
    "rank_scatter spreads",
    "charts": "BracketBoxes CosineBars FrontChart PartBars SpeedChart TimeBars cost_accuracy "
    "part_label workers",
    "scaling": "BudgetLines StageBoxes accuracy_surface box_key box_scale networks scaling_paths "
    "size_of",
    "films": "save_film",
}
__getattr__, __dir__, __all__ = _lazy.attach(
    __name__, submod_attrs={module: names.split() for module, names in _NAMES.items()}
)
