"""What programs look for in Keras's ``backend``."""

from __future__ import annotations

from .config import epsilon, floatx, set_epsilon, set_floatx
from .utils import clear_session

__all__ = ["clear_session", "epsilon", "floatx", "set_epsilon", "set_floatx"]
