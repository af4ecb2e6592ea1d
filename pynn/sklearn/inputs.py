"""Samples and targets, checked as scikit-learn does."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import validate_data

from ..data import frames

# The types that samples keep: bytes stay as they are until a batch is gathered.
TAKEN = (np.float64, np.float32, np.uint8)


def validated(estimator: Any, x: Any, *y: Any, **settings: Any) -> Any:
    """What scikit-learn's ``validate_data`` gives; where a column of a frame holds no numbers, the error names it."""
    wrong = frames.wrong_columns(x) if frames.is_frame(x) else []
    dates = [(column, kind) for column, kind in wrong if _is_date(kind)]
    if dates:  # which scikit-learn takes for numbers where there is nothing else
        raise ValueError(_message(x, dates))
    try:
        found = validate_data(estimator, x, *y, **settings)
        if (found[0] if y else found).dtype.kind not in "biuf":  # older versions let texts of frames through
            raise ValueError("X could not be converted to numbers.")
        return found
    except (TypeError, ValueError) as error:
        is_of_values = isinstance(error, TypeError) or "convert" in str(error)
        if not (wrong and is_of_values):
            raise
        raise ValueError(_message(x, wrong)) from error


def _is_date(kind: Any) -> bool:
    return getattr(kind, "kind", "") in ("m", "M") or str(kind).startswith(("Date", "Time", "Duration"))


def _message(x: Any, wrong: list[tuple[Any, Any]]) -> str:
    return f"{frames.message(x, 'X', wrong)} In a pipeline, sklearn.compose.ColumnTransformer does it."
