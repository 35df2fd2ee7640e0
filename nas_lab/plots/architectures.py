"""Any architecture of any space."""

from __future__ import annotations

from matplotlib.axes import Axes

from nas_lab.plots.cells import cell
from nas_lab.plots.cells_darts import darts
from nas_lab.plots.chains import chain
from nas_lab.spaces.base import Arch, Space
from nas_lab.spaces.cells import Darts, NasBench201


def architecture(space: Space, arch: Arch, ax: Axes | None = None) -> Axes:
    """Draw an architecture in the way of its space: ``cell``, ``darts`` or ``chain``."""
    if isinstance(space, NasBench201):
        return cell(space, arch, ax)
    if isinstance(space, Darts):
        return darts(space, arch, ax)
    return chain(space, arch, ax)
