"""Attention with heads, as a base: what query, key and value are projected by, for each head, and what comes of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .. import constraints, initializers, regularizers
from ..activations import Activation
from ..constraints import ConstraintLike
from ..engine.lowering import Lowering
from ..foundation import checks
from ..initializers import InitializerLike, VarianceScaling
from ..regularizers import RegularizerLike
from .attended_axes import AttendedAxes, attended
from .attending import AttentionLayer, Told
from .einsum import AsMatrix
from .types import LayerArguments, Shape
from .weight import WeightSpec

if TYPE_CHECKING:
    from typing_extensions import Unpack


class AttentionHeads(AttentionLayer):
    """Base of attention with heads: query, key and value are projected for each head, and what comes out together."""

    _counted_with = ("Softmax", "Dropout")
    attention_axes: tuple[int, ...] | None = None  # along which attention goes; None: all of them

    def __init__(
        self,
        heads: int,
        key_heads: int,
        sizes: tuple[int, int],
        dropout: float,
        use_bias: bool,
        sliding_window: int | None,
        flash_attention: bool | None,
        kernel_initializer: InitializerLike,
        bias_initializer: InitializerLike,
        kernel_regularizer: RegularizerLike,
        bias_regularizer: RegularizerLike,
        activity_regularizer: RegularizerLike,
        kernel_constraint: ConstraintLike,
        bias_constraint: ConstraintLike,
        use_gate: bool,
        seed: int | None,
        **base: Unpack[LayerArguments],
    ) -> None:
        self._heads, self._key_heads = heads, key_heads
        self._key_size, self._value_size = sizes
        self.use_bias = checks.boolean(use_bias, "use_bias")
        self.use_gate = checks.boolean(use_gate, "use_gate")
        window = None if sliding_window is None else checks.positive_int(sliding_window, "sliding_window")
        if window is not None and window >= 2**31:
            raise ValueError(f"sliding_window must be below 2**31, but got {window}.")
        self.sliding_window = window
        self._flash = flash_attention is not None and checks.boolean(flash_attention, "flash_attention")
        self.kernel_initializer = initializers.get(kernel_initializer, "kernel_initializer")
        self.bias_initializer = initializers.get(bias_initializer, "bias_initializer")
        self.kernel_regularizer = regularizers.get(kernel_regularizer, "kernel_regularizer")
        self.bias_regularizer = regularizers.get(bias_regularizer, "bias_regularizer")
        self._activity_regularizer = regularizers.get(activity_regularizer, "activity_regularizer")
        self.kernel_constraint = constraints.get(kernel_constraint, "kernel_constraint")
        self.bias_constraint = constraints.get(bias_constraint, "bias_constraint")
        super().__init__(dropout, seed, **base)
        if self._flash and self.dropout:
            raise ValueError("flash_attention=True does not go with dropout, as in Keras: leave it out.")

    def __call__(  # type: ignore[override]
        self,
        query: Any,
        value: Any,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
        use_causal_mask: bool = False,
    ) -> Any:
        """What the queries find, ``(N, ..., output)``: the layer is built for them if it was not.

        Args:
            query: ``(N, T, size)``, an array or a symbolic tensor.
            value: ``(N, S, size)``.
            key: ``(N, S, size)``. Default: the value.
            query_mask, value_mask, key_mask: Which steps are real: ``(N, T)``, ``(N, S)``, ``(N, S)``. Default: the
                masks that symbolic tensors have.
            attention_mask: Which queries may look at which keys: ``(N, T, S)`` or ``(N, heads, T, S)``, 0 or False
                where they may not; of size 1 along an axis it is the same there. Arrays may go without the samples. It
                holds together with the other masks.
            return_attention_scores: Whether to return ``(output, scores)``, the weights ``(N, heads, T, S)`` as they
                are before dropping.
            training: Whether weights are dropped; see `Layer`.
            use_causal_mask: Whether query i may look at the keys 0 to i only.

        Raises:
            TypeError, ValueError: what the layer cannot take; it is as before then.
        """
        told = Told(
            (),
            checks.boolean(return_attention_scores, "return_attention_scores"),
            checks.boolean(use_causal_mask, "use_causal_mask"),
        )
        if self._flash and told.return_attention_scores:
            raise ValueError("return_attention_scores=True does not go with flash_attention=True, as in Keras.")
        if key is None and key_mask is not None:
            key = value
        return self._attend(
            (query, value, key, attention_mask), (query_mask, value_mask, key_mask, None), told, training
        )

    def build(self, query_shape: Any, value_shape: Any = None, key_shape: Any = None) -> None:
        """Make the weights, with their initial values.

        Args:
            query_shape, value_shape, key_shape: Shapes of batches: ``(None, T, size)``. Default of the key's: that of
                the value. Or one list of them.

        Raises:
            TypeError, ValueError: no such shapes, or such that the layer cannot take.
        """
        super().build(_listed(query_shape, value_shape, key_shape))

    def compute_output_shape(self, query_shape: Any, value_shape: Any = None, key_shape: Any = None) -> Any:
        """Shape of a batch of the output, given those of query, value and key.

        Args:
            query_shape, value_shape, key_shape: As for `build`.

        Raises:
            TypeError, ValueError: no such shapes, or such that the layer cannot take.
        """
        return super().compute_output_shape(_listed(query_shape, value_shape, key_shape))

    # ---- shapes and weights ------------------------------------------------------------------------------------------

    def _output_sizes(self, query: Shape) -> Shape:
        """The sizes of what comes out for each query."""
        return query[-1:]

    def sample_output_shape(self, shape: Any) -> Any:
        shapes = self._named(shape)
        axes = self._axes(shapes)
        if (self._is_causal or self.sliding_window) and not axes.is_one:
            raise self._shape_error("takes a causal mask, or a window, for sequences along one axis only.")
        if "attention_mask" in shapes:
            self._mask_sizes(shapes["attention_mask"], axes)
        output = (*shapes["query"][:-1], *self._output_sizes(shapes["query"]))
        return [output, (*axes.others, self._heads, *axes.queries, *axes.keys)] if self._gives_scores else output

    def _axes(self, shapes: dict[str, Shape]) -> AttendedAxes:
        """The axes that attention goes along, and the others."""
        found = attended(*self._places(shapes), self.attention_axes)
        if isinstance(found, str):
            raise self._shape_error(found)
        return found

    def _mask_sizes(self, mask: Shape, axes: AttendedAxes) -> tuple[Shape, tuple[int, int]]:
        """The sizes of an attention mask, see `AttendedAxes`."""
        sizes = axes.mask_sizes(mask, self._heads)
        if sizes is None:
            of_heads = f"perhaps with {self._heads} heads behind {'the samples' if not axes.others else axes.others}"
            raise self._shape_error(
                f"takes an attention_mask of shape {(None, *axes.others, *axes.queries, *axes.keys)}, {of_heads}, or 1 "
                f"where it is repeated, but got {(None, *mask)}."
            )
        return sizes

    def weight_specs(self, shape: Any) -> list[WeightSpec]:
        shapes = self._named(shape)
        of_keys, of_values = (self._heads, self._key_size), (self._heads, self._value_size)
        gate = self._projection("gate", shapes["query"][-1:], of_values) if self.use_gate else []
        return [
            *self._projection("query", shapes["query"][-1:], of_keys),
            *self._projection("key", shapes["key"][-1:], (self._key_heads, self._key_size)),
            *gate,
            *self._projection("value", shapes["value"][-1:], (self._key_heads, self._value_size)),
            *self._projection("attention_output", of_values, self._output_sizes(shapes["query"])),
        ]

    def _projection(self, name: str, inputs: Shape, outputs: Shape) -> list[WeightSpec]:
        """The kernel and the bias of a dense layer."""
        initializer = self.kernel_initializer
        if isinstance(initializer, VarianceScaling) and initializer.input_axes is None:
            initializer = AsMatrix(initializer, (math.prod(inputs), math.prod(outputs)))
        kernel = (*inputs, *outputs)
        specs = [
            WeightSpec(f"{name}/kernel", kernel, initializer, self.kernel_regularizer, self.kernel_constraint),
            WeightSpec(f"{name}/bias", outputs, self.bias_initializer, self.bias_regularizer, self.bias_constraint),
        ]
        return specs if self.use_bias else specs[:1]

    # ---- lowering ----------------------------------------------------------------------------------------------------

    def lower(self, net: Lowering, x: Any, shape: Any) -> Any:
        xs, shapes = self._named(x), self._named(shape)
        axes = self._axes(shapes)
        moved = {x: axes.moved(net, x, shapes[name]) for name, x in xs.items() if name != "attention_mask"}
        of_query = moved[xs["query"]]
        query = self._project(net, "query", of_query, (self._heads, self._key_size))
        key = self._project(net, "key", moved[xs["key"]], (self._key_heads, self._key_size))
        value = self._project(net, "value", moved[xs["value"]], (self._key_heads, self._value_size))
        masks = self._masks(net, xs, shapes, axes)
        # A query without any key gets what it gets in Keras, which has two ways to compute.
        zeros = self.dropout > 0 or self._gives_scores or len(axes.order) > 1
        before, net.times = net.times, net.times * axes.parts
        y, *scores = net.add_several(
            "attention",
            [query, key, value, *(mask for mask, _ in masks)],
            queries=math.prod(axes.queries),
            keys=math.prod(axes.keys),
            heads=self._heads,
            kv_heads=self._key_heads,
            masks=[size for _, sizes in masks for size in sizes],
            scale=1 / math.sqrt(self._key_size),
            causal=self._is_causal,
            window=self.sliding_window or 0,
            all_masked="zeros" if zeros else "mean",
            scores=self._gives_scores,
            drops_scores=False,
            **self._noise(net),
        )
        net.times = before
        if self.use_gate:
            of_values = (self._heads, self._value_size)
            inner = (*axes.others, *axes.queries, *of_values)
            gate = self._project(net, "gate", of_query, of_values)
            gate = Activation("sigmoid").lower(net, gate, inner)
            y = net.add("binary", [y, gate], function="multiply", shape_a=inner, shape_b=inner)
        sizes = self._output_sizes(shapes["query"])
        y = axes.moved_back(net, self._project(net, "attention_output", y, sizes), (*shapes["query"][:-1], *sizes))
        return [y, *scores] if scores else y

    def _project(self, net: Lowering, name: str, x: int, outputs: Shape) -> int:
        found = {weight.path: weight for weight in self._require_built().weights}
        weights = [found[f"{self.name}/{name}/kernel"], found.get(f"{self.name}/{name}/bias")]
        y = net.add("dense", x, weights, units=math.prod(outputs))
        if self._activity_regularizer is not None:
            net.add_activity_penalty(y, self._itself, self._activity_regularizer.l1, self._activity_regularizer.l2)
        return y

    def _masks(
        self, net: Lowering, xs: dict[str, int], shapes: dict[str, Shape], axes: AttendedAxes
    ) -> list[tuple[int, tuple[int, int, int]]]:
        """The masks that hold together: tensors, and their sizes along heads, queries and keys."""
        found: list[tuple[int, tuple[int, int, int]]] = []
        seen: set[tuple[int, bool]] = set()
        for name in ("query", "value", "key"):
            mask, places, of_query = self._mask_of(net, name), shapes[name][:-1], name == "query"
            self._check_step_mask(mask, places)
            if mask is not None and (mask.tensor, of_query) not in seen:
                seen.add((mask.tensor, of_query))
                steps = math.prod(axes.queries if of_query else axes.keys)
                sizes = (1, steps, 1) if of_query else (1, 1, steps)
                found.append((axes.moved(net, mask.tensor, places), sizes))
        if "attention_mask" in xs:
            lead, own = self._mask_sizes(shapes["attention_mask"], axes)
            found.append((axes.mask_of_parts(net, xs["attention_mask"], lead, own), (lead[-1], *own)))
        return found

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "dropout": self.dropout,
            "use_bias": self.use_bias,
            "sliding_window": self.sliding_window,
            "flash_attention": self._flash or None,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "activity_regularizer": regularizers.serialize(self._activity_regularizer),
            "kernel_constraint": constraints.serialize(self.kernel_constraint),
            "bias_constraint": constraints.serialize(self.bias_constraint),
            "use_gate": self.use_gate,
            "seed": self.seed,
        }


def _listed(query: Any, value: Any, key: Any) -> Any:
    """The shapes of query, value and key as one list, as they may also come."""
    return query if value is None and key is None else [each for each in (query, value, key) if each is not None]
