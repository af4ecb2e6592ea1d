"""Attention of one head on the inputs as they are: by dot products, or by sums through tanh."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike

from .. import initializers
from ..activations import Activation
from ..engine.lowering import Lowering
from ..foundation import checks
from ..geometry import windows
from .attending import AttentionLayer, Told
from .elementwise import combined
from .types import LayerArguments, Shape
from .weight import Weight, WeightSpec

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["AdditiveAttention", "Attention"]

# What is taken off the scores that masks leave out; as in Keras.
_LARGE = 1e9


class _OneHead(AttentionLayer):
    """Base of attention of one head."""

    def __init__(self, use_scale: bool, dropout: float, seed: int | None, **base: Unpack[LayerArguments]) -> None:
        self.use_scale = checks.boolean(use_scale, "use_scale")
        super().__init__(dropout, seed, **base)

    def __call__(  # type: ignore[override]
        self,
        inputs: Any,
        mask: Any = None,
        training: bool | None = None,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        """What the queries find, ``(N, T, size of the values)``: the layer is built for them if it was not.

        Args:
            inputs: ``[query, value]`` or ``[query, value, key]``, arrays or symbolic tensors: ``(N, T, size)``, ``(N,
                S, value size)``, ``(N, S, size)``. Default of the key: the value.
            mask: ``[query mask, value mask]``, ``(N, T)`` and ``(N, S)``, either of which may be None: steps of the
                value are looked at, and those of the query give something else than 0, only where it is true. Default:
                the masks that symbolic tensors have.
            training: Whether weights are dropped; see `Layer`.
            return_attention_scores: Whether to return ``(output, scores)``, the weights ``(N, T, S)`` as they are used.
            use_causal_mask: Whether query i may look at the values 0 to i only.

        Raises:
            TypeError, ValueError: what the layer cannot take; it is as before then.
        """
        told = Told(
            (),
            checks.boolean(return_attention_scores, "return_attention_scores"),
            checks.boolean(use_causal_mask, "use_causal_mask"),
        )
        given = self._take_apart(inputs)
        if not 2 <= len(given) <= 3:
            raise ValueError(f"Layer {self.name!r} takes [query, value] or [query, value, key], but got {len(given)}.")
        masks = [None] * 3 if mask is None else checks.listed(mask)
        if not isinstance(masks, list | tuple) or not 2 <= len(masks) <= 3:
            raise ValueError(f"mask of layer {self.name!r} must be a list, [query mask, value mask].")
        return self._attend([*given, None][:3], [*masks, None][:3], told, training)

    # ---- shapes ------------------------------------------------------------------------------------------------------

    def _lengths(self, shapes: dict[str, Shape]) -> tuple[int, int]:
        """How many queries and keys there are along the last axis but one; ValueError where the shapes do not fit."""
        queries, keys = self._places(shapes)
        query, key = shapes["query"], shapes["key"]
        if queries[:-1] != keys[:-1] or query[-1] != key[-1]:
            raise self._shape_error(
                "takes query and key of shape (length, size), of the same size and with the same axes in front, but "
                f"got samples of the shapes {query} and {key}."
            )
        return queries[-1], keys[-1]

    def sample_output_shape(self, shape: Any) -> Any:
        shapes = self._named(shape)
        queries, keys = self._lengths(shapes)
        others = shapes["query"][:-2]
        output = (*others, queries, shapes["value"][-1])
        return [output, (*others, queries, keys)] if self._gives_scores else output

    # ---- lowering ----------------------------------------------------------------------------------------------------

    def lower(self, net: Lowering, x: Any, shape: Any) -> Any:
        xs, shapes = self._named(x), self._named(shape)
        queries, keys = self._lengths(shapes)
        others = shapes["query"][:-2]
        of_query, of_value = self._mask_of(net, "query"), self._mask_of(net, "value")
        if others and (of_query is not None or of_value is not None):
            raise self._shape_error(f"takes masks for samples of shape (length, size), not {shapes['query']}.")
        self._check_step_mask(of_query, (queries,))
        self._check_step_mask(of_value, (keys,))
        before, net.times = net.times, net.times * math.prod(others)
        of_part = {name: each[-2:] for name, each in shapes.items()}
        y, *scores = self._attended(net, xs, of_part, None if of_value is None else of_value.tensor)
        net.times = before
        if of_query is not None:
            y = net.add("keep_rows", [y, of_query.tensor])
        return [y, *scores] if self._gives_scores else y

    def _attended(self, net: Lowering, xs: dict[str, int], shapes: dict[str, Shape], mask: int | None) -> list[int]:
        """What the queries find, and the scores if they are asked for. mask: of the values, or None."""
        scores = self._weights(net, self._scores(net, xs, shapes), self._lengths(shapes), mask)
        m, k = self._lengths(shapes)
        sizes = {"batch": 1, "m": m, "k": k, "n": shapes["value"][-1]}
        return [net.add("matmul", [scores, xs["value"]], **sizes, transpose_a=False, transpose_b=False), scores]

    def _scores(self, net: Lowering, xs: dict[str, int], shapes: dict[str, Shape]) -> int:
        """The tensor of scores (queries, keys)."""
        raise NotImplementedError

    def _weights(self, net: Lowering, scores: int, lengths: tuple[int, int], mask: int | None) -> int:
        """The weights of scores that are there as a whole."""
        if self._is_causal:
            allowed = np.tri(*lengths)
            if mask is not None:
                mask = combined(
                    net, "multiply", [mask], [(1, lengths[1]), lengths], constant=allowed.ravel(), constant_first=False
                )
                scores = self._without_masked(net, scores, lengths, mask, lengths)
            else:
                off = ((allowed - 1) * _LARGE).ravel()
                scores = combined(net, "add", [scores], [lengths, lengths], constant=off, constant_first=False)
        elif mask is not None:
            scores = self._without_masked(net, scores, lengths, mask, (1, lengths[1]))
        weights = net.add("softmax", scores, outer=lengths[0], axis=lengths[1], inner=1, log=False)
        noise = self._noise(net)
        if not noise["rate"]:
            return weights
        amount = {"amount": noise.pop("rate")}
        return net.add("noise", weights, kind="dropout", shape=lengths, sharing=(False,) * 3, **amount, **noise)

    def _without_masked(self, net: Lowering, scores: int, lengths: Shape, mask: int, shape: Shape) -> int:
        """The scores, and those that the mask leaves out made small."""
        off = combined(net, "subtract", [mask], [shape, ()], constant=[1.0], constant_first=False)
        off = combined(net, "multiply", [off], [shape, ()], constant=[_LARGE], constant_first=False)
        return combined(net, "add", [scores, off], [lengths, shape])

    def _sums(self, net: Lowering, xs: dict[str, int], shapes: dict[str, Shape], scale: int | None) -> int:
        """tanh(scale (q_i + k_j)), (queries, keys, size)."""
        queries, keys = self._lengths(shapes)
        size = shapes["query"][-1]
        y = combined(net, "add", [xs["query"], xs["key"]], [(queries, 1, size), (1, keys, size)])
        inner = (queries, keys, size)
        if scale is not None:
            y = combined(net, "multiply", [y, scale], [inner, ()])
        made: int = Activation("tanh").lower(net, y, inner)
        return made

    def _summed(self, net: Lowering, y: int, lengths: tuple[int, int], size: int) -> int:
        """The sums over the last axis: the means, times its length."""
        pooling = windows.pooling((math.prod(lengths) * size, 1), (size,), (size,), "valid")
        y = net.add("pool", y, kind="average", shape=pooling.numbers())
        return combined(net, "multiply", [y], [lengths, ()], constant=[float(size)], constant_first=False)

    @property
    def scale(self) -> Weight | None:
        """The scale, once the layer is built; None without one."""
        return self._weight("scale")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "use_scale": self.use_scale, "dropout": self.dropout, "seed": self.seed}


class Attention(_OneHead):
    """Attention by dot products (Luong et al., Effective approaches to attention-based neural machine translation,
    2015)::

        s_ij = scale * (q_i . k_j)                       score_mode="dot"
        s_ij = w * sum_d tanh(scale * (q_id + k_jd))     score_mode="concat"
        y_i = sum_j softmax(s_i)_j v_j

    Shapes: ``[query, value]`` or ``[query, value, key]``, ``(N, T, size)``, ``(N, S, value size)``, ``(N, S, size)``;
    output ``(N, T, value size)``, scores ``(N, T, S)``. Samples may have more axes in front of T and S, the same ones:
    each place along these is by itself, and masks are refused. Weights: ``scale`` and ``concat_score_weight``, one
    number each, 1 at first.

    By dot products nothing of the size T x S is kept, unless the scores are asked for; with ``"concat"``, something of
    T x S x size is. A query that may look at no value gets what it gets in Keras: the mean of all values in float32,
    and attention to all of them in float64.

    Args:
        use_scale: Whether scale is learned; otherwise it is 1. Default ``False``.
        score_mode: ``"dot"``, which is the default, or ``"concat"``.
        dropout: Share of the weights that are dropped in training, in [0, 1]. Default 0.
        seed: Of what is dropped. Default ``None``: one of its own for each layer, from `pynn.set_random_seed`.
        name, trainable, dtype: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument; when called, samples that do not fit.
    """

    def __init__(
        self,
        use_scale: bool = False,
        score_mode: str = "dot",
        dropout: float = 0.0,
        seed: int | None = None,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
    ) -> None:
        self.score_mode = checks.choice(score_mode, "score_mode", ("dot", "concat"))
        super().__init__(use_scale, dropout, seed, name=name, trainable=trainable, dtype=dtype)

    def weight_specs(self, shape: Any) -> list[WeightSpec]:
        names = ["scale"] if self.use_scale else []
        names += ["concat_score_weight"] if self.score_mode == "concat" else []
        return [WeightSpec(name, (), initializers.get("ones")) for name in names]

    def _attended(self, net: Lowering, xs: dict[str, int], shapes: dict[str, Shape], mask: int | None) -> list[int]:
        if self.score_mode == "concat":
            return super()._attended(net, xs, shapes, mask)
        queries, keys = self._lengths(shapes)
        query = xs["query"]
        if self.use_scale:
            query = combined(net, "multiply", [query, self._number(net, "scale")], [shapes["query"], ()])
        return net.add_several(
            "attention",
            [query, xs["key"], xs["value"], *([] if mask is None else [mask])],
            queries=queries,
            keys=keys,
            heads=1,
            kv_heads=1,
            masks=[] if mask is None else [1, 1, keys],
            scale=1.0,
            causal=self._is_causal,
            window=0,
            # Keras takes 1e9 off all scores of the row: nothing is left of them in float32, and all in float64.
            all_masked="mean" if net.dtype == "float32" else "unmasked",
            scores=self._gives_scores,
            drops_scores=True,
            **self._noise(net),
        )

    def _scores(self, net: Lowering, xs: dict[str, int], shapes: dict[str, Shape]) -> int:
        lengths = self._lengths(shapes)
        y = self._sums(net, xs, shapes, self._number(net, "scale") if self.use_scale else None)
        y = self._summed(net, y, lengths, shapes["query"][-1])
        return combined(net, "multiply", [y, self._number(net, "concat_score_weight")], [lengths, ()])

    def _number(self, net: Lowering, name: str) -> int:
        return net.add("parameter", [], [self._weight(name)], size=1)

    @property
    def concat_score_weight(self) -> Weight | None:
        """What sums are multiplied by, once the layer is built; None for dot products."""
        return self._weight("concat_score_weight")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "score_mode": self.score_mode}


class AdditiveAttention(_OneHead):
    """Attention by sums through tanh (Bahdanau et al., Neural machine translation by jointly learning to align and
    translate, 2015)::

        s_ij = sum_d scale_d tanh(q_id + k_jd)
        y_i = sum_j softmax(s_i)_j v_j

    Shapes: ``[query, value]`` or ``[query, value, key]``, ``(N, T, size)``, ``(N, S, value size)``, ``(N, S, size)``;
    output ``(N, T, value size)``, scores ``(N, T, S)``; samples may have more axes in front, see `Attention`.
    Weight: ``scale``, ``(size,)``.

    Something of the size T x S x size is kept. A query that may look at no value gets what it gets in Keras: about the
    mean of all values in float32, and attention to all of them in float64.

    Args:
        use_scale: Whether scale is learned, glorot_uniform at first; otherwise it is 1. Default ``True``.
        dropout: Share of the weights that are dropped in training, in [0, 1]. Default 0.
        seed: Of what is dropped. Default ``None``: one of its own for each layer, from `pynn.set_random_seed`.
        name, trainable, dtype: see `Layer`.

    Raises:
        TypeError, ValueError: a bad argument; when called, samples that do not fit.
    """

    def __init__(
        self,
        use_scale: bool = True,
        dropout: float = 0.0,
        seed: int | None = None,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(use_scale, dropout, seed, name=name, trainable=trainable, dtype=dtype)

    def weight_specs(self, shape: Any) -> list[WeightSpec]:
        size = self._named(shape)["query"][-1]
        return [WeightSpec("scale", (size,), initializers.get("glorot_uniform"))] if self.use_scale else []

    def _scores(self, net: Lowering, xs: dict[str, int], shapes: dict[str, Shape]) -> int:
        y = self._sums(net, xs, shapes, None)
        if not self.use_scale:
            return self._summed(net, y, self._lengths(shapes), shapes["query"][-1])
        return net.add("dense", y, [self._weight("scale"), None], units=1)
