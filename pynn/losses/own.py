"""Functions as losses, and what losses of one's own are on arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..foundation import checks, registry
from ..foundation.names import to_snake_case
from .base import OWN_LABELS_HINT, Loss


class FunctionLoss(Loss):
    """``function(y_true, y_pred)``, as the `call` of a loss of one's own.

    Args:
        function: What `get` and ``compile`` were given.
    """

    is_own = True
    of_rows = False
    labels_hint = OWN_LABELS_HINT

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        name = getattr(function, "name", getattr(function, "__name__", type(function).__name__))
        super().__init__(name=to_snake_case(str(name).strip("<>")))

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """What the function makes of them."""
        return self.function(y_true, y_pred)

    def described(self) -> dict[str, Any]:
        """The configuration that `made_of` reads.

        Raises:
            ValueError: a function without a name.
        """
        name = getattr(self.function, "__name__", "<lambda>")
        if name == "<lambda>":
            raise ValueError(
                f"The loss {checks.shown(self.function)} is a function without a name, which no file can keep. Give it "
                "one by def, or save the weights alone: model.save_weights."
            )
        known_as = registry.get_registered_name(self.function)
        return {"class_name": "function", "config": known_as, "registered_name": known_as}

    def __repr__(self) -> str:
        return f"<the loss {self.name} of a function>"


def made_of(config: dict[str, Any]) -> FunctionLoss:
    """The loss that `FunctionLoss.described` told of; ValueError for a function that is not known."""
    name = config.get("config")
    found = registry.own(name, config.get("registered_name"))
    if callable(found):
        return FunctionLoss(found)
    raise ValueError(
        f"There is no function {checks.shown(name)} that is a loss. If it is yours, register it, or give it: "
        "custom_objects={name: function}."
    )
