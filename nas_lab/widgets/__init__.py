"""Widgets: a state class that computes, and a view that draws it and takes clicks.
Each takes its state as arguments and gives it back as ``w.state``, a plain dict, so
``CellBuilder(**w.state)`` continues where ``w`` stands."""

import lazy_loader as _lazy

_NAMES = {
    "alphas": "AlphaPlayer AlphaState TemperatureSlider TemperatureState",
    "base": "Picture State View",
    "budget": "BudgetDivider BudgetState",
    "cell_builder": "PRESETS CellBuilder CellState",
    "edge": "EdgeDevices EdgeState",
    "game": "GameState PickTen",
    "gradient": "GradientSliders GradientState",
    "race": "LiveRace RaceState",
    "rankings": "Fidelities FidelitySlider FidelityState OneShotRanks OneShotState Rankings",
    "scaling": "CompoundScaling ScalingState",
    "slices": "ElasticSlices SliceState",
    "swap": "SwapParts SwapState",
}
__getattr__, __dir__, __all__ = _lazy.attach(
    __name__, submod_attrs={module: names.split() for module, names in _NAMES.items()}
)
