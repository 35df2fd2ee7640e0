"""DARTS: the choice of an architecture as a matrix w that is learnt by gradient descent.

    darts = Darts(space, skeleton, data, order=1, seed=0)
    for step in darts.train(steps=200):
        step.w                             # [D, K], a row of softmax(alpha) for each decision
    darts.arch()                           # the strongest option of each

``simple`` is the lecture's form on one page, on a chain of layers. ``updates`` has the two updates
in first and second order, and who moves when; ``search`` the whole, and what is kept at the end;
``relaxations`` says how w comes from the parameters, ``selection`` when to stop and what else to
keep.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "relaxations": [
            "AuxiliarySkip",
            "EdgeNormalisation",
            "Gumbel",
            "HardGumbel",
            "Moment",
            "Relaxation",
            "Softmax",
        ],
        "search": ["PAPER", "SHORT", "Darts", "Schedule", "strongest"],
        "selection": [
            "Perturbation",
            "RisingCurvature",
            "TooManySkips",
            "curvature",
            "top_eigenvalue",
        ],
        "simple": ["CANDIDATES", "MixedChain", "MixedLayer"],
        "updates": ["Step"],
    },
)
