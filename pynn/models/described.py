"""What a model tells of itself: its layers and weights, a table of them, and its configuration."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .. import layers as layer_room
from ..foundation import atomic, checks, identifiers, registry
from ..foundation.arguments import explained
from ..layers.base import Layer
from ..layers.calling import MOST_KEPT
from ..layers.keeping import stateful_in
from ..layers.reporting import report
from ..layers.weight import Weight
from . import configuration, summary
from .configuration import AS_DESCRIBED, Making
from .connected import Connected
from .network import Reporting, plan_to_report

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Self

    from .. import _core
    from ..data.layout import Layout
    from ..engine.lowering import Added


class Described(Connected):
    """Base of `Model`: its layers, weights and descriptions."""

    # ---- layers and weights ------------------------------------------------------------------------------------------

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of this name, or at this index.

        Raises:
            ValueError: no such layer; both or neither given. TypeError: an index that is no whole number.
        """
        if (name is None) == (index is None):
            raise ValueError(f"Give either the name or the index of a layer, but got name={name!r}, index={index!r}.")
        own = self.layers
        if index is not None:
            index = checks.index(index, "index")
            if not -len(own) <= index < len(own):
                raise ValueError(f"index must be that of one of the {len(own)} layers, but got {index}.")
            return own[index]
        if not isinstance(name, str):
            raise TypeError(f"name must be a string, but got {checks.shown(name)} of type {type(name).__name__}.")
        for layer in own:
            if layer.name == name:
                return layer
        raise ValueError(f"There is no layer {name!r}; there are: {', '.join(layer.name for layer in own) or 'none'}.")

    @property
    def weights(self) -> list[Weight]:
        """The weights that the model added to itself, and those of all layers, in order.

        A layer that a subclass does not use has none.
        """
        self._require_layout()
        return self._weights_by_now()

    def _weights_by_now(self) -> list[Weight]:
        """The weights that there are, of a model that may not be built."""
        inner = [weight for layer in self.layers if layer.built for weight in layer.weights]
        return list({id(weight): weight for weight in (*self._own_in_order(), *inner)}.values())

    def count_params(self) -> int:
        """Number of weights, single numbers counted."""
        return sum(math.prod(weight.shape) for weight in self.weights)

    def reset_states(self) -> None:
        """Let all stateful layers begin with zeros again. Batches may have another size then, unless an Input says."""
        for layer in stateful_in(self.layers):
            layer.reset_state()

    def reset_state(self) -> None:
        """The same as `reset_states`."""
        self.reset_states()

    def _reporting(self, plan: _core.Plan, layout: Layout) -> Reporting:
        if not self._state.added:
            return Reporting(plan, ())
        found = self._reports.get(id(plan))
        if found is None:
            found = plan, plan_to_report(self._wiring, layout)
            atomic.keep(self._reports, id(plan), found, MOST_KEPT)
        return found[1]

    def _report(self, added: Sequence[Added], values: Sequence[NDArray[Any]]) -> None:
        report(self, added, values)

    # ---- description -------------------------------------------------------------------------------------------------

    @explained
    def summary(
        self,
        line_length: int | None = None,
        positions: Sequence[float] | None = None,
        print_fn: Callable[[str], object] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Sequence[str] | None = None,
    ) -> None:
        """Print a table of the layers with output shapes and parameter counts, and the totals with their bytes.

        Of a model that is not built, shapes are ``?`` and counts ``0 (unbuilt)``.

        Args:
            line_length, positions: Without effect: columns are as wide as what is in them.
            print_fn: Called with the text. Default: ``print``.
            expand_nested: Whether layers of models within the model have rows, too. Default ``False``.
            show_trainable: Whether there is a column that says of each layer with weights whether it is trainable,
                ``Y`` or ``N``. Default ``False``.
            layer_range: Two names of layers, or regular expressions for the begin of names: the rows from the first
                layer that fits the one to the last that fits the other. Default: all rows.

        Raises:
            TypeError: an argument that is neither True nor False. ValueError: a `layer_range` that is no two names, or
                that no layer fits.
        """
        if line_length is not None:
            checks.positive_int(line_length, "line_length")
        text = summary.table(
            self,
            checks.boolean(expand_nested, "expand_nested"),
            checks.boolean(show_trainable, "show_trainable"),
            layer_range,
        )
        if print_fn is None:
            summary.show(text)
        else:
            print_fn(text)

    def get_config(self) -> dict[str, Any]:
        """Name, layers and how they are connected as a dict of plain values (fit for JSON), without weights.

        A tensor is written ``[layer, call, output]``: the layer's name, which call of it, and which output.
        Of a subclass with a `call`, or whose ``__init__`` puts its layers together: the arguments that it was made
        with. Of one whose ``__init__`` takes inputs and outputs, or layers, and more: these further arguments, too.

        Raises:
            NotImplementedError: an argument of such a subclass is no plain value: it must write get_config itself.
        """
        if self._made_by_arguments():
            return self._given_in({"name": self.name})
        if not registry.is_own(type(self).__init__):
            return self._by_layers()
        known = dict.fromkeys((*self._ends_given, "name", "trainable", "args"))
        further = {name: value for name, value in self._given_in(known).items() if name not in known}
        return {**further, **self._by_layers()}

    def _by_layers(self) -> dict[str, Any]:
        """The configuration that says the layers, and how they are connected."""
        return configuration.writing(
            self, lambda: {"name": self.name, **configuration.of_wiring(self._wiring, self._require_layout())}
        )

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Self:
        """The model of a configuration that `get_config` made, with new weights.

        Args:
            config: The configuration.
            custom_objects: Classes of one's own by name, ``{"Linear": Linear}``. Default: none.

        Raises:
            TypeError, ValueError: another form of configuration, or a class that is not known.
        """
        return registry.knowing(custom_objects, lambda: configuration.reading(lambda: cls._made_of(config)))

    @classmethod
    def _made_of(cls, config: dict[str, Any], how: Making = AS_DESCRIBED) -> Self:
        """The model of a configuration.

        Raises:
            TypeError, ValueError: another form of configuration.
        """
        if cls._made_by_arguments():
            return cls(**config)
        further = cls._further(config, {"name", "layers", "input_layers", "output_layers"})
        starts, ends = configuration.tensors_of(config, how)
        kind: Any = cls
        model: Self = kind(inputs=starts, outputs=ends, name=config["name"], **further)
        return model

    @classmethod
    def _further(cls, config: Any, needed: set[str], known: set[str] = frozenset()) -> dict[str, Any]:  # type: ignore[assignment]
        """What a configuration of layers has beside what it needs and what is known: further arguments of a subclass.

        Raises:
            ValueError: another form of configuration.
        """
        if isinstance(config, dict) and needed <= set(config):
            further = {name: value for name, value in config.items() if name not in needed | known}
            if not further or registry.is_own(cls.__init__):
                return further
        raise ValueError(f"config must be a dict made by get_config, but got {checks.shown(config)}.")

    def get_compile_config(self) -> dict[str, Any] | None:
        """What `compile` was told, as plain values (fit for JSON); None where it was not called.

        Raises:
            ValueError: something that no configuration describes, such as a learning rate that is a function.
        """
        from ..training import compile_config  # here, as not every program keeps a model

        compiled = self._state.compiled
        return None if compiled is None else compile_config.described(compiled)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile as `get_compile_config` says, with an optimizer that begins anew.

        Raises:
            TypeError, ValueError, KeyError: another form of configuration, or one that does not fit the model.
        """
        from ..training import compile_config

        self._compile(compile_config.compiled_of(config))

    def to_json(self, **options: Any) -> str:
        """`get_config` as a JSON text that `model_from_json` reads; `options` go to ``json.dumps``."""
        import json

        return json.dumps(identifiers.plain(identifiers.serialize(self)), **options)

    @classmethod
    def from_json(cls, text: str, custom_objects: Mapping[str, Any] | None = None) -> Self:
        """The model that `to_json` described, with new weights.

        Args:
            text: The description.
            custom_objects: As for `pynn.load_model`.

        Raises:
            TypeError, ValueError: no such text, or a model of another class.
        """
        import json

        described = json.loads(text)
        if isinstance(described, dict) and str(described.get("module")).partition(".")[0] == "keras":
            raise ValueError("The text is Keras's. Write it to a file, and call pynn.from_keras(file).")
        made: Any = registry.knowing(custom_objects, lambda: layer_room.deserialize(described))
        if not isinstance(made, cls):
            raise ValueError(f"The text describes a {type(made).__name__}, but must describe a {cls.__name__}.")
        return made

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: the table of `summary`."""
        return summary.as_html(self)
