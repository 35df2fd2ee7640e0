"""Explanations: does an estimate rank as the truth does, and which decision mattered?"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "ranking": ["RankCorrelation", "kendall", "precision_at", "rank_correlation", "spearman"],
    },
)
