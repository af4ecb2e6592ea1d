"""Schedules that fall along half a cosine, and the cycle of one rise and one fall."""

from __future__ import annotations

import itertools

import numpy as np

from ...foundation import checks
from .base import Floats, Formula, above_0, at_least_0, plain

__all__ = ["CosineDecay", "CosineDecayRestarts", "OneCycle"]


class CosineDecay(Formula):
    """Half a cosine: ``initial_learning_rate * ((1 - alpha) * (1 + cos(pi * step / decay_steps)) / 2 + alpha)``.

    From step `decay_steps` on it is ``initial_learning_rate * alpha``. With a `warmup_target` the rate rises first, in
    a line from `initial_learning_rate` to `warmup_target` within `warmup_steps`. The formula begins after that, with
    `warmup_target` in place of `initial_learning_rate`.

    Args:
        initial_learning_rate: At least 0.
        decay_steps: Above 0; without the steps of the warm-up.
        alpha: At least 0: the rate at the end, as a share of the highest. Default ``0.0``.
        name: Default ``"CosineDecay"``.
        warmup_target: At least 0. Default ``None``: no warm-up.
        warmup_steps: At least 0. Default ``0``.

    Raises:
        ValueError, TypeError: a setting out of range, or no number.
    """

    own_settings = ("initial_learning_rate", "decay_steps", "alpha", "warmup_target", "warmup_steps")

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        alpha: float = 0.0,
        name: str | None = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: float = 0,
    ) -> None:
        super().__init__(name)
        self.initial_learning_rate = at_least_0(initial_learning_rate, "initial_learning_rate")
        self.decay_steps = above_0(decay_steps, "decay_steps")
        self.alpha = at_least_0(alpha, "alpha")
        self.warmup_target = checks.optional_number(warmup_target, "warmup_target", "[0, inf)")
        self.warmup_steps = plain(warmup_steps, at_least_0(warmup_steps, "warmup_steps"))

    def _formula(self, steps: Floats) -> Floats:
        start, warm_up = self.initial_learning_rate, 0.0
        if self.warmup_target is not None:
            start, warm_up = self.warmup_target, float(self.warmup_steps)
        share = np.minimum((steps - warm_up) / float(self.decay_steps), 1)
        decayed = start * ((1 - self.alpha) * _half_cosine(share) + self.alpha)
        rising = (start - self.initial_learning_rate) * (steps / warm_up) + self.initial_learning_rate
        return np.where(steps < warm_up, rising, decayed)


class CosineDecayRestarts(Formula):
    """Cosine decay that restarts (SGDR; Loshchilov and Hutter, 2017).

    Period number i, from 0 on, has ``first_decay_steps * t_mul ** i`` steps. Its rate, after the share s of them, is
    ``initial_learning_rate * ((1 - alpha) * m_mul ** i * (1 + cos(pi * s)) / 2 + alpha)``.

    Args:
        initial_learning_rate: At least 0.
        first_decay_steps: Above 0.
        t_mul: At least 1: how much longer each period is than the one before. Default ``2.0``.
        m_mul: At least 0: how much higher each period begins than the one before. Default ``1.0``.
        alpha: At least 0: the rate at the end of a period, as a share of the first. Default ``0.0``.
        name: Default ``"SGDRDecay"``.

    Raises:
        ValueError, TypeError: a setting out of range, or no number.
    """

    own_settings = ("initial_learning_rate", "first_decay_steps", "t_mul", "m_mul", "alpha")

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: float,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str | None = "SGDRDecay",
    ) -> None:
        super().__init__(name)
        self.initial_learning_rate = at_least_0(initial_learning_rate, "initial_learning_rate")
        self.first_decay_steps = above_0(first_decay_steps, "first_decay_steps")
        self.t_mul = checks.number(t_mul, "t_mul", "[1, inf)")
        self.m_mul = at_least_0(m_mul, "m_mul")
        self.alpha = at_least_0(alpha, "alpha")

    def _formula(self, steps: Floats) -> Floats:
        passed = steps / float(self.first_decay_steps)
        if self.t_mul == 1:
            period = np.floor(passed)
            share = passed - period
        else:
            period = np.floor(np.log1p(passed * (self.t_mul - 1)) / np.log(self.t_mul))
            # The logarithms may be off by a rounding, which at a restart is a whole period.
            period += self._begin(period + 1) <= passed
            period -= self._begin(period) > passed
            share = (passed - self._begin(period)) / self.t_mul**period
        decayed = (1 - self.alpha) * self.m_mul**period * _half_cosine(share) + self.alpha
        return self.initial_learning_rate * decayed

    def _begin(self, period: Floats) -> Floats:
        """Where a period begins, in lengths of the first."""
        begin: Floats = (self.t_mul**period - 1) / (self.t_mul - 1)
        return begin


class OneCycle(Formula):
    """One rise and one fall of the rate (Smith and Topin, 2017), as PyTorch's ``OneCycleLR`` has it. Keras has none.

    With the lowest rate at the begin ``a = max_learning_rate / div_factor``, and at the end ``b = a /
    final_div_factor``, the rate goes from a up to `max_learning_rate` at step ``p = pct_start * total_steps - 1``, and
    down to b at step ``total_steps - 1``, where it stays. With `three_phase` it goes down to a at step ``2 * p``, and
    from there to b: the paper's form. After the share s of a way from u to v it is ``v + (u - v) * (1 + cos(pi * s)) /
    2``, or ``v + (u - v) * (1 - s)`` if linear. Momentum stays as it is.

    Args:
        max_learning_rate: At least 0.
        total_steps: A whole number from 2 on.
        pct_start: In [0, 1), with `three_phase` in [0, 0.5]: the share of the steps in which the rate rises. Default
            ``0.3``.
        anneal_strategy: ``"cos"`` (default) or ``"linear"``.
        three_phase: Default ``False``.
        div_factor: Above 0. Default ``25.0``.
        final_div_factor: Above 0. Default ``1e4``.
        name: Default ``"OneCycle"``.

    Raises:
        ValueError, TypeError: a setting out of range, or no number.
    """

    own_settings = (
        *("max_learning_rate", "total_steps", "pct_start", "anneal_strategy"),
        *("three_phase", "div_factor", "final_div_factor"),
    )

    def __init__(
        self,
        max_learning_rate: float,
        total_steps: int,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        three_phase: bool = False,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        name: str | None = "OneCycle",
    ) -> None:
        super().__init__(name)
        self.max_learning_rate = at_least_0(max_learning_rate, "max_learning_rate")
        self.total_steps = checks.positive_int(total_steps, "total_steps")
        if self.total_steps < 2:
            raise ValueError(f"total_steps must be at least 2, but got {checks.shown(total_steps)}.")
        self.three_phase = checks.boolean(three_phase, "three_phase")
        self.pct_start = checks.number(pct_start, "pct_start", "[0, 0.5]" if self.three_phase else "[0, 1)")
        self.anneal_strategy = checks.choice(anneal_strategy, "anneal_strategy", ["cos", "linear"])
        self.div_factor = checks.number(div_factor, "div_factor", "(0, inf)")
        self.final_div_factor = checks.number(final_div_factor, "final_div_factor", "(0, inf)")

    def _formula(self, steps: Floats) -> Floats:
        begin, top = self.max_learning_rate / self.div_factor, self.max_learning_rate
        peak, last = max(self.pct_start * self.total_steps - 1, 0.0), float(self.total_steps - 1)
        marks = [(0.0, begin), (peak, top), (last, begin / self.final_div_factor)]
        if self.three_phase:
            marks.insert(2, (2 * peak, begin))
        rates = np.full_like(steps, marks[-1][1])
        for (start, before), (end, after) in reversed(list(itertools.pairwise(marks))):
            share = (steps - start) / (end - start)
            left = _half_cosine(share) if self.anneal_strategy == "cos" else 1 - share
            rates = np.where((steps <= end) & (start < end), after + (before - after) * left, rates)
        return rates


def _half_cosine(share: Floats) -> Floats:
    """From 1 at 0 to 0 at 1."""
    fall: Floats = 0.5 * (1 + np.cos(np.pi * share))
    return fall
