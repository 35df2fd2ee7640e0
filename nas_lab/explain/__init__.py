"""Explanations: does an estimate rank as the truth does, and which decision mattered?"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "variance": ["Anova", "Swap", "anova", "main_effects"],
        "neighbours": ["Better", "nearest_better"],
        "motifs_of_best": ["Motif", "motifs"],
        "ranking": ["RankCorrelation", "kendall", "precision_at", "rank_correlation", "spearman"],
    },
)
