"""How good is a network that was never trained? Numbers read off its first batch.

    estimate = proxies.ZeroCost(space, skeleton, data, proxies.naswot)
    estimate(arch, seed=0).score

A proxy is a function ``score(net, batch) -> float``; more is better, by the claim of its paper.
Two estimates need no network at all: ``Params`` and ``Flops``, the baselines to beat.
``nas_lab.estimation.ProxyTable`` has the values of all architectures of the table.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submodules=[
        *("counting", "gaussian", "kernels", "passes", "saliency"),
        "zero_cost",
    ],
    submod_attrs={
        "counting": ["Flops", "Params"],
        "gaussian": ["zen"],
        "kernels": ["jacob_cov", "naswot"],
        "saliency": ["fisher", "grad_norm", "grasp", "snip", "synflow"],
        "passes": ["LOWEST", "Batch"],
        "zero_cost": ["PROXIES", "ZeroCost", "estimates", "prepare"],
    },
)
