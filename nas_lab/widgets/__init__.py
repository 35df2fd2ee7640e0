"""Widgets: a state class that computes, and a view that draws it and takes clicks.

Each takes its state as keyword arguments and gives it back as ``w.state``, a plain dict, so
``CellBuilder(**w.state)`` continues where ``w`` stands. States load without ipywidgets.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "alphas": ["AlphaPlayer"],
        "alphas_state": ["AlphaState"],
        "base": ["State"],
        "budget": ["BudgetDivider"],
        "budget_state": ["BudgetState"],
        "cell_builder": ["CellBuilder"],
        "cell_state": ["PRESETS", "CellState"],
        "edge": ["EdgeDevices"],
        "edge_state": ["EdgeState", "Landscape"],
        "fidelity": ["FidelitySlider"],
        "fidelity_state": ["Fidelities", "FidelityState"],
        "game": ["PickTen"],
        "game_state": ["GameState"],
        "gradient": ["GradientSliders"],
        "gradient_state": ["GradientState"],
        "one_shot": ["OneShotRanks"],
        "one_shot_state": ["OneShotState", "Rankings"],
        "race": ["LiveRace"],
        "race_state": ["RaceState"],
        "scaling": ["CompoundScaling"],
        "scaling_state": ["ScalingState"],
        "swap": ["SwapParts"],
        "swap_state": ["SwapState"],
        "temperature": ["TemperatureSlider"],
        "temperature_state": ["TemperatureState"],
        "view": ["Picture", "View"],
    },
)
