"""What the state of every widget has in common. Free of ipywidgets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import traitlets


class State(traitlets.HasTraits):
    """What a widget knows. A view observes it, draws it, and never computes.

    Traits tagged ``keep=True`` are the state; what follows from them are properties.
    """

    _first: Mapping[str, Any] = {}
    """Traits by name: where ``reset`` goes back to."""

    message = traitlets.Unicode("").tag(doc="what happened last, in a sentence")

    def reset(self) -> None:
        """Go back to the first setting."""
        with self.hold_trait_notifications():
            for name, value in self._first.items():
                setattr(self, name, value)

    def as_dict(self) -> dict[str, Any]:
        """The kept traits as plain data, safe in JSON and independent of later changes.

        A dataclass becomes a dict of its fields.
        """
        kept = {name: getattr(self, name) for name in sorted(self.traits(keep=True))}
        return json.loads(json.dumps(kept, default=asdict))
