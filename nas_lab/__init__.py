"""A teaching kit for neural architecture search.

Search spaces (`spaces`), search strategies (`strategies`) and performance
estimation (`estimation`) are the three questions of the field, and the three
main folders of this package. Submodules load when they are first used, so
``import nas_lab`` costs next to nothing.
"""

import pkgutil as _pkgutil

import lazy_loader as _lazy

__version__ = "1.0.0"

_submodules = [module.name for module in _pkgutil.iter_modules(__path__)]

__getattr__, __dir__, __all__ = _lazy.attach(__name__, submodules=_submodules)
