"""The solver lbfgs: SciPy's, on the gradients of a model over all samples."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize as scipy_minimize
from sklearn.exceptions import ConvergenceWarning

from ..data.sparse import is_sparse
from ..models import Sequential

Array = NDArray[Any]

# Bytes of sparse samples that are made dense at once.
_ROOM = 16 * 2**20


def minimize(
    mlp: Any,
    model: Sequential,
    x: Any,
    targets: Array,
    weights: Array | None,
    reported: Callable[[float, float], float],
) -> None:
    """Bring the loss of an estimator's network to its minimum; writes ``n_iter_`` and ``loss_``.

    Args:
        reported: scikit-learn's loss from that of the network, and from the penalty in it.
    """
    views = mlp._views
    layers = len(views) // 2
    # scikit-learn's order is kernels, then biases; that of gradients is layer by layer.
    order = [*range(0, 2 * layers, 2), *range(1, 2 * layers, 2)]

    def unpack(packed: Array) -> None:
        end = 0
        for view in views:
            begin, end = end, end + view.size
            view[...] = packed[begin:end].reshape(view.shape)

    def loss_and_gradient(packed: Array) -> tuple[float, Array]:
        unpack(packed)
        loss, gradients = _over_all(mlp, model, x, targets, weights)
        return loss, np.concatenate([gradients[i].ravel() for i in order]).astype(np.float64, copy=False)

    start = np.concatenate([view.ravel() for view in views]).astype(np.float64)
    result = scipy_minimize(
        loss_and_gradient,
        start,
        method="L-BFGS-B",
        jac=True,
        options={"maxfun": mlp.max_fun, "maxiter": mlp.max_iter, "gtol": mlp.tol},
    )
    unpack(result.x)
    mlp.n_iter_ = min(int(result.nit), mlp.max_iter)
    count = len(targets) if weights is None else weights.sum()
    penalties = sum(weight.penalty() for weight in model.trainable_weights)
    mlp.loss_ = reported(float(result.fun), float(penalties / count) if count else 0.0)
    if mlp.verbose:
        print(f"lbfgs: {result.nit} iterations, {result.nfev} evaluations, loss = {mlp.loss_:.8f}")
    if result.status != 0:
        warnings.warn(
            f"lbfgs failed to converge after {mlp.n_iter_} iteration(s) (status={result.status}): {result.message}. "
            "Increase max_iter or max_fun, or scale the data.",
            ConvergenceWarning,
            stacklevel=5,
        )


def _over_all(mlp: Any, model: Sequential, x: Any, targets: Array, weights: Array | None) -> tuple[float, list[Array]]:
    """Loss and gradients over all samples; sparse ones become dense part by part."""
    if not is_sparse(x):
        return model.gradients(x, targets, weights)
    rows = max(1, _ROOM // (x.shape[1] * 8))
    loss, total, gradients = 0.0, 0.0, [np.zeros(weight.shape) for weight in model.trainable_weights]
    penalties = -1  # that of the whole is counted once
    for begin in range(0, x.shape[0], rows):
        part = slice(begin, begin + rows)
        of_part = None if weights is None else weights[part]
        count = float(len(targets[part]) if of_part is None else of_part.sum())
        found, slopes = model.gradients(x[part].toarray(), targets[part], of_part)
        loss, total, penalties = loss + count * found, total + count, penalties + (count > 0)
        for gradient, slope in zip(gradients, slopes, strict=True):
            gradient += count * slope
    if penalties > 0:
        for gradient, weight in zip(gradients, model.trainable_weights, strict=True):
            if weight.regularizer is not None:
                loss -= penalties * weight.penalty()
                gradient -= penalties * 2 * weight.regularizer.l2 * weight.view
    return (loss / total, [gradient / total for gradient in gradients]) if total else (0.0, gradients)
