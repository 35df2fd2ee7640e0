"""DARTS: the choice of an architecture as a matrix w that is learnt by gradient descent.

    darts = Darts(space, skeleton, data, order=1, seed=0)
    for step in darts.train(steps=200):
        step.w                             # [D, K], a row of softmax(alpha) for each decision
    darts.arch()                           # the strongest option of each

``simple`` is the lecture's form on one page, on a chain of layers. The other files hold an idea
each: ``gradients`` (first and second order), ``turns`` (who moves when), ``relaxations`` (how w
comes from the parameters), ``discretising`` and ``perturbation`` (how an architecture comes from
w), ``hessian`` and ``stopping`` (when to stop).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "hessian": ["curvature", "top_eigenvalue"],
        "discretising": ["strongest"],
        "perturbation": ["Perturbation"],
        "relaxations": [
            "AuxiliarySkip",
            "EdgeNormalisation",
            "Gumbel",
            "HardGumbel",
            "Moment",
            "Relaxation",
            "Softmax",
        ],
        "schedule": ["PAPER", "SHORT", "Schedule"],
        "search": ["Darts"],
        "simple": ["CANDIDATES", "MixedChain", "MixedLayer"],
        "steps": ["Step"],
        "stopping": ["RisingCurvature", "TooManySkips"],
    },
)
