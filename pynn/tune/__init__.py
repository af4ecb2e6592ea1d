"""Search for good hyperparameters, by Optuna: grid, random and Bayesian."""

from .hyperparameters import HyperParameters
from .pruning import PruningCallback
from .search import search

__all__ = ["HyperParameters", "PruningCallback", "search"]
