"""Widgets: a state class that computes, and a view that draws it and takes clicks.

Each takes its state as arguments and gives it back as ``w.state``, a plain dict, so
``CellBuilder(**w.state)`` continues where ``w`` stands.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "alphas": ["AlphaPlayer", "AlphaState"],
        "base": ["Picture", "State", "View"],
        "budget": ["BudgetDivider", "BudgetState"],
        "cell_builder": ["PRESETS", "CellBuilder", "CellState"],
        "edge": ["EdgeDevices", "EdgeState", "Landscape"],
        "fidelity": ["Fidelities", "FidelitySlider", "FidelityState"],
        "game": ["GameState", "PickTen"],
        "gradient": ["GradientSliders", "GradientState"],
        "one_shot": ["OneShotRanks", "OneShotState", "Rankings"],
        "race": ["LiveRace", "RaceState"],
        "scaling": ["CompoundScaling", "ScalingState"],
        "swap": ["SwapParts", "SwapState"],
        "temperature": ["TemperatureSlider", "TemperatureState"],
    },
)
