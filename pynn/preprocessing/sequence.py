"""What programs look for in Keras's ``preprocessing.sequence``."""

from __future__ import annotations

from ..utils import pad_sequences

__all__ = ["pad_sequences"]
