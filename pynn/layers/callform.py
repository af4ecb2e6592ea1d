"""The arguments of a `call`: which of them are tensors, and how a list of tensors becomes a call of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from .said import Said, count_in, filled, is_tensor, nest_of

# Arguments of a call that are no tensors.
_NO_TENSORS = ("training", "mask")


class Flat(NamedTuple):
    """A call, taken apart."""

    tensors: list[Any]
    training: Any
    masks: list[Any]  # by tensor
    said: Said | None  # None: nothing but tensors


class CallForm:
    """What the arguments of a `call` are.

    Attributes:
        names: Those that are tensors where nothing else is said: a single one may be a list of tensors; of several,
            each is one tensor. They have no default but None.
        takes_training: Whether there is an argument `training`.
        masks: The arguments that are masks, by the tensor that they are of: ``query_mask`` is that of ``query``, and
            ``mask`` that of a tensor that comes alone.
        is_of_cell: Whether it is ``call(inputs, states)``, of a recurrent cell: `states` is a list of tensors, and what
            it returns is the output and the new states.

    Args:
        call: The function.
        is_of_cell: Whether it is of a cell for certain. Default: where the second tensor is called `states`.
    """

    def __init__(self, call: Callable[..., Any], is_of_cell: bool = False) -> None:
        self._call = call
        self._signature = inspect.signature(call)
        kinds = inspect.Parameter
        known = list(self._signature.parameters.values())[1:]
        self._gathers = next((each.name for each in known if each.kind == kinds.VAR_KEYWORD), None)
        self._spreads = next((each.name for each in known if each.kind == kinds.VAR_POSITIONAL), None)
        names = [each.name for each in known]
        by_place = [each.name for each in known if each.kind == kinds.POSITIONAL_ONLY]
        self._by_place_only = by_place if self._spreads is None else names[: names.index(self._spreads)]
        self._arguments = {
            each.name: each.default
            for each in known
            if each.name not in _NO_TENSORS and each.kind not in (kinds.VAR_KEYWORD, kinds.VAR_POSITIONAL)
        }
        of_masks = {name: name.removesuffix("_mask") for name in self._arguments if name.endswith("_mask")}
        self.masks = {tensor: name for name, tensor in of_masks.items() if tensor in self._arguments}
        tensors = {
            name: default
            for name, default in self._arguments.items()
            if name not in self.masks.values() and (default is kinds.empty or default is None)
        }
        self._takes_mask = "mask" in self._signature.parameters
        self._needs_mask = self._takes_mask and self._signature.parameters["mask"].default is kinds.empty
        self.names = tuple(tensors) or (() if self._spreads is None else (self._spreads,))
        self._needed = sum(default is kinds.empty for default in tensors.values())
        self.takes_training = "training" in self._signature.parameters
        self.may_be_of_cell = len(self.names) >= 2 >= self._needed
        self.is_of_cell = self.may_be_of_cell and (is_of_cell or self.names[1] == "states")
        if self.is_of_cell:
            self.names = self.names[:2]
        self._by_place = () if self.is_of_cell else tuple(filter(self._may_come_alone, range(1, len(self.names) + 1)))
        if not self.names:
            raise TypeError(f"{call.__qualname__} must have an argument for the inputs: call(self, inputs).")

    def _may_come_alone(self, count: int) -> bool:
        """Whether a call may have so many tensors, without names, and nothing else."""
        try:
            bound = self._signature.bind(None, *range(count)).arguments
        except TypeError:
            return False
        return tuple(bound)[1:] == self.names[:count]

    def of_cell(self) -> CallForm:
        """The call as that of a cell, whatever its second argument is called."""
        return self if self.is_of_cell else CallForm(self._call, True)

    def __reduce__(self) -> Any:
        return CallForm, (self._call, self.is_of_cell)

    def flatten(self, owner: str, args: tuple[Any, ...], named: Mapping[str, Any]) -> Flat:
        """A call of the layer `owner` taken apart.

        Raises:
            TypeError: other arguments than the call has, or no tensor.
        """
        only_training = not named or (len(named) == 1 and "training" in named)
        if only_training and len(args) in self._by_place and all(map(is_tensor, args)):  # the way of small calls
            return Flat(list(args), named.get("training"), [None] * len(args), None)
        rest = dict(named)
        training = None if self.takes_training else rest.pop("training", None)
        mask = None if self._takes_mask else rest.pop("mask", None)
        try:
            bound = self._signature.bind(None, *args, **rest).arguments
        except TypeError as error:
            raise TypeError(f"Layer {owner!r}: its call does not take these arguments: {error}.") from None
        given = dict(list(bound.items())[1:])
        if self._gathers is not None:
            given.update(given.pop(self._gathers, {}))
        mask, training = given.pop("mask", mask), given.pop("training", training)
        of_names = {name: given.pop(self.masks[name], None) for name in self.masks}
        given = {
            name: value
            for name, value in given.items()
            if value is not None or self._arguments.get(name, value) is not None
        }
        if is_tensor(mask) and not self.is_of_cell and sum(map(is_tensor, given.values())) > 1:
            given["mask"], mask = mask, None  # beside several tensors it is one more, that is the mask of none
        tensors, said = self._tensors_of_cell(owner, given), None
        if tensors is None:
            tensors = self._one_by_one(given)
        if tensors is None:
            tensors = []
            said = tuple((name, nest_of(value, tensors, f"Layer {owner!r}: {name}")) for name, value in given.items())
        if not tensors or not all(map(is_tensor, tensors)):
            kinds = sorted({type(each).__name__ for each in tensors or given.values() if not is_tensor(each)})
            raise TypeError(
                f"Layer {owner!r}: {' and '.join(self.names)} must be a tensor or array, or a list or dict of them, "
                f"but got {', '.join(kinds) or 'none'}."
            )
        counts = [(name, 1) for name in self.names] if said is None else [(name, count_in(nest)) for name, nest in said]
        masks = [each for name, count in counts for each in _masks(of_names.get(name), count, owner, f"{name}_mask")]
        masks = [*masks, *[None] * len(tensors)][: len(tensors)]
        if mask is not None:
            first = next(count for _, count in counts if count)
            count = len(tensors) if said is None or isinstance(mask, list | tuple) else first
            of_tensors = [*_masks(mask, count, owner, "mask"), *[None] * len(tensors)]
            masks = [own if own is not None else each for own, each in zip(masks, of_tensors, strict=False)]
        return Flat(tensors, training, masks, said)

    def _tensors_of_cell(self, owner: str, given: Mapping[str, Any]) -> list[Any] | None:
        """The inputs and states that a cell is given, one by one; None where it is no cell."""
        if not self.is_of_cell:
            return None
        for name in given:
            if name not in self.names:
                raise TypeError(f"Layer {owner!r} is a cell: it is called on inputs and states, without {name!r}.")
        inputs, states = (given.get(name) for name in self.names)
        return [inputs, *(states if isinstance(states, list | tuple) else [] if states is None else [states])]

    def _one_by_one(self, given: Mapping[str, Any]) -> list[Any] | None:
        """The tensors, where the first arguments are one each, or the only one is a list of them; otherwise None."""
        if not given or tuple(given) != self.names[: len(given)]:
            return None
        tensors = list(given.values())
        is_list = len(self.names) == 1 and isinstance(tensors[0], list | tuple)
        if is_list and (len(tensors[0]) > 1 or self.names[0] == self._spreads):
            tensors = list(tensors[0])
        return tensors if all(map(is_tensor, tensors)) else None

    @property
    def takes_masks(self) -> bool:
        """Whether the call is given the masks of its tensors."""
        return self._takes_mask or bool(self.masks)

    def arguments(
        self, tensors: Sequence[Any], masks: Sequence[Any] = (), said: Said | None = None, with_values: bool = True
    ) -> dict[str, Any]:
        """What the call gets for these tensors and their masks, by name; without values, None in place of these."""
        if said is None:
            found = self._put_together(tensors)
            of_names = self._put_together(masks) if masks else {}
            whole = list(of_names) if len(tensors) == 1 or len(self.names) == 1 else []
        else:
            given, of_given = iter(tensors), iter(masks or [None] * len(tensors))
            found = {name: filled(nest, given, with_values) for name, nest in said}
            of_names = {name: filled(nest, of_given, False) for name, nest in said}
            whole = [name for name, nest in said if count_in(nest)]
        found.update({self.masks[name]: mask for name, mask in of_names.items() if name in self.masks})
        if self._takes_mask and masks and len(whole) == 1:  # `mask` is that of the only argument with tensors
            found["mask"] = of_names[whole[0]]
        if self._needs_mask:
            found.setdefault("mask", None)
        return found

    def _put_together(self, tensors: Sequence[Any]) -> dict[str, Any]:
        """The arguments that are one tensor each, or one list of them."""
        if self.is_of_cell:
            return {self.names[0]: tensors[0], self.names[1]: list(tensors[1:])}
        if len(self.names) == 1:
            return {self.names[0]: tensors[0] if len(tensors) == 1 else list(tensors)}
        return dict(zip(self.names, tensors, strict=False))

    def run(self, call: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        """What the call returns for these arguments."""
        first = [arguments.pop(name) for name in self._by_place_only if name in arguments]
        rest = () if self._spreads is None else arguments.pop(self._spreads, ())
        return call(*first, *(rest if isinstance(rest, list | tuple) else [rest]), **arguments)

    def one_by_one(self, outputs: Any, owner: str) -> Any:
        """What a call returned, without lists in lists: the output of a cell, and then its states.

        Raises:
            TypeError: a cell that returns something else.
        """
        if not self.is_of_cell:
            return outputs
        if not isinstance(outputs, list | tuple) or len(outputs) != 2:
            raise TypeError(f"Layer {owner!r}: the call of a cell must return its output and a list of its new states.")
        y, states = outputs
        return [y, *(states if isinstance(states, list | tuple) else [states])]

    def arrange(self, outputs: list[Any]) -> Any:
        """The output of a cell and its states, as a call returns them."""
        return outputs[0], outputs[1:]

    def check_count(self, count: int) -> str | None:
        """What is wrong with so many tensors alone, or None."""
        if len(self.names) > 1 and not self.is_of_cell and not self._needed <= count <= len(self.names):
            return f"takes the tensors {', '.join(self.names)}, but got {count}."
        return None

    def shapes_for(
        self, build: Callable[..., Any], shapes: Sequence[Any], said: Said | None
    ) -> tuple[list[Any], dict[str, Any]]:
        """What a `build` gets for inputs of these shapes: by place, and by name.

        One that has several arguments names them for those of the call, as in Keras: ``x_shape`` is that of ``x``.

        Raises:
            TypeError: the names are others.
        """
        kinds, known = inspect.Parameter, list(inspect.signature(build).parameters.values())[1:]
        wanted = {each.name: each.default for each in known if each.kind != kinds.VAR_KEYWORD}
        by_name = self.arguments(shapes, (), said, with_values=False)
        if len(wanted) < 2:
            return ([next(iter(by_name.values()))] if wanted else []), {}
        found = {f"{name}_shape": shape for name, shape in by_name.items()}
        for name, default in wanted.items():
            if name.removesuffix("_shape") not in self._arguments and default is kinds.empty:
                raise TypeError(
                    f"build has the argument {name!r}, but must have one, input_shape, or those of call with '_shape' "
                    f"behind: {', '.join(f'{each}_shape' for each in self.names)}."
                )
        return [], {
            name: found.get(name, None if default is kinds.empty else default) for name, default in wanted.items()
        }


def _masks(mask: Any, count: int, owner: str, name: str) -> list[Any]:
    """The masks of so many tensors, one by one; ValueError for another number."""
    if isinstance(mask, dict):
        mask = [mask[key] for key in sorted(mask)]
    found = list(mask) if isinstance(mask, list | tuple) else [None] * count if mask is None else [mask]
    if len(found) != count:
        raise ValueError(
            f"Layer {owner!r}: {name} must have a mask, or None, for each of {count} tensors, but has {len(found)}."
        )
    return found
