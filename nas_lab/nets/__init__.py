"""Networks in torch: what a search space wrote down, built."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "modules": ["build"],
        "efficientnets": ["EfficientNet", "efficientnet"],
        "morphisms": ["Chain", "deepen", "widen"],
        "supernets": ["Supernet", "calibrated", "supernet"],
    },
)
