"""Pictures of models, of their training and of what they say; all of them take matplotlib, and return its axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..foundation import lazy

if TYPE_CHECKING:  # a program imports them when it uses them: see `_MODULES`
    from .decisions import plot_confusion_matrix, plot_decision_boundary
    from .diagram import plot_model
    from .history import plot_history
    from .images import plot_images
    from .weights import plot_weights

_MODULES = {
    "decisions": "plot_confusion_matrix plot_decision_boundary",
    "diagram": "plot_model",
    "history": "plot_history",
    "images": "plot_images",
    "weights": "plot_weights",
}

__all__ = [
    "plot_confusion_matrix",
    "plot_decision_boundary",
    "plot_history",
    "plot_images",
    "plot_model",
    "plot_weights",
]


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:  # a checker would take every name for one that is there
    __getattr__ = lazy.attributes(__name__, _MODULES, "picture")
