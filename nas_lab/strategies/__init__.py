"""Search strategies: how to explore a space."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "base": ["SeededStrategy", "Strategy", "search"],
        "evolution": ["RegularizedEvolution"],
        "random_search": ["RandomSearch"],
    },
)
