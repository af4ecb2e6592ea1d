"""Where programs for older versions of Keras look for utilities, which are in `pynn.utils`."""

from __future__ import annotations

from ..utils import timeseries_dataset_from_array
from . import sequence

__all__ = ["sequence", "timeseries_dataset_from_array"]
