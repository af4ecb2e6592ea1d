"""What the slow tier takes of tables that several tests have. (helpers.py serves child processes, without pytest.)"""

import pytest

# For whole trainings on teams of each size; what layers and kernels do in float64 is tested for itself
DTYPES_OF_TEAMS = ("float32", pytest.param("float64", marks=pytest.mark.slow))


def slow(*values):
    """Values of a parameter that are for the slow tier."""
    return [pytest.param(value, marks=pytest.mark.slow) for value in values]
