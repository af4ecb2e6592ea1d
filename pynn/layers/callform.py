"""The arguments of a `call`: which of them are tensors, and how a list of tensors becomes a call of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

# Arguments of a call that are no tensors.
_NO_TENSORS = ("training", "mask")


class CallForm:
    """What the arguments of a `call` are.

    Attributes:
        names: Those that are tensors. A single one may be a list of tensors; of several, each is one tensor.
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
        tensors = [
            each
            for each in list(self._signature.parameters.values())[1:]
            if each.name not in _NO_TENSORS and each.kind not in (kinds.VAR_KEYWORD, kinds.VAR_POSITIONAL)
        ]
        every = {each.name for each in tensors}
        of_masks = {name: name.removesuffix("_mask") for name in every if name.endswith("_mask")}
        self.masks = {tensor: name for name, tensor in of_masks.items() if tensor in every}
        tensors = [each for each in tensors if each.name not in self.masks.values()]
        self._takes_mask = "mask" in self._signature.parameters
        self.names = tuple(each.name for each in tensors)
        self._needed = sum(each.default is kinds.empty for each in tensors)
        self.takes_training = "training" in self._signature.parameters
        self.may_be_of_cell = len(self.names) >= 2 >= self._needed
        self.is_of_cell = self.may_be_of_cell and (is_of_cell or self.names[1] == "states")
        if self.is_of_cell:
            self.names = self.names[:2]
        if not self.names:
            raise TypeError(f"{call.__qualname__} must have an argument for the inputs: call(self, inputs).")

    def of_cell(self) -> CallForm:
        """The call as that of a cell, whatever its second argument is called."""
        return self if self.is_of_cell else CallForm(self._call, True)

    def __reduce__(self) -> Any:
        return CallForm, (self._call, self.is_of_cell)

    def flatten(self, owner: str, args: tuple[Any, ...], named: Mapping[str, Any]) -> tuple[list[Any], Any, list[Any]]:
        """The tensors of a call of the layer `owner` one by one, what it says of `training`, and its masks by tensor.

        Raises:
            TypeError: other arguments than the call has, or what is no tensor.
        """
        training = dict(named)
        told = None if self.takes_training else training.pop("training", None)
        mask = None if self._takes_mask else training.pop("mask", None)
        try:
            given = dict(self._signature.bind(None, *args, **training).arguments)
        except TypeError as error:
            raise TypeError(f"Layer {owner!r}: its call does not take these arguments: {error}.") from None
        mask = given.pop("mask", mask)
        masks = [given.pop(self.masks[name], None) if name in self.masks else None for name in self.names]
        tensors = [given.pop(name, None) for name in self.names]
        if self.is_of_cell and isinstance(tensors[1], list | tuple):
            tensors = [tensors[0], *tensors[1]]
        while len(tensors) > 1 and tensors[-1] is None:
            tensors.pop()
        if len(self.names) == 1 and isinstance(tensors[0], list | tuple):
            tensors = list(tensors[0])
            if len(tensors) < 2:
                raise TypeError(
                    f"Layer {owner!r} takes a tensor, or a list of at least two, but got a list of {len(tensors)}."
                )
        for tensor in tensors:
            if isinstance(tensor, list | tuple | dict) or not hasattr(tensor, "shape"):
                raise TypeError(
                    f"Layer {owner!r}: {' and '.join(self.names)} must each be a tensor or array"
                    f"{', or one list of them' if len(self.names) == 1 else ''}, but got {type(tensor).__name__}."
                )
        masks = [*masks, *[None] * len(tensors)][: len(tensors)]
        if mask is not None:
            of_tensors = list(mask) if isinstance(mask, list | tuple) else [mask]
            if len(of_tensors) != len(tensors):
                raise ValueError(
                    f"Layer {owner!r}: mask must have a mask, or None, for each of {len(tensors)} tensors, but has "
                    f"{len(of_tensors)}."
                )
            masks = [own if own is not None else each for own, each in zip(masks, of_tensors, strict=True)]
        return tensors, given.get("training", told), masks

    @property
    def takes_masks(self) -> bool:
        """Whether the call is given the masks of its tensors."""
        return self._takes_mask or bool(self.masks)

    def arguments(self, tensors: Sequence[Any], masks: Sequence[Any] = ()) -> dict[str, Any]:
        """What the call gets for these tensors and their masks, by name."""
        if len(self.names) == 1:
            found = {self.names[0]: tensors[0] if len(tensors) == 1 else list(tensors)}
        elif self.is_of_cell:
            found = {self.names[0]: tensors[0], self.names[1]: list(tensors[1:])}
        else:
            found = dict(zip(self.names, tensors, strict=False))
        for name, mask in zip(self.names, masks, strict=False):
            if name in self.masks:
                found[self.masks[name]] = mask
        if self._takes_mask and masks and (len(tensors) == 1 or len(self.names) == 1):
            found["mask"] = masks[0] if len(tensors) == 1 else list(masks)
        return found

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
        """What is wrong with so many tensors, or None."""
        if len(self.names) > 1 and not self.is_of_cell and not self._needed <= count <= len(self.names):
            return f"takes the tensors {', '.join(self.names)}, but got {count}."
        return None

    def shapes_for(self, build: Callable[..., Any], shapes: Sequence[Any]) -> tuple[list[Any], dict[str, Any]]:
        """What a `build` gets for inputs of these shapes: by place, and by name.

        One that has several arguments names them for those of the call, as in Keras: ``x_shape`` is that of ``x``.
        """
        wanted = [each.name for each in list(inspect.signature(build).parameters.values())[1:]]
        by_name = self.arguments(shapes)
        if len(wanted) < 2:
            return ([next(iter(by_name.values()))] if wanted else []), {}
        found = {f"{name}_shape": shape for name, shape in by_name.items()}
        for name in wanted:
            if name.removesuffix("_shape") not in self.names:
                raise TypeError(
                    f"build has the argument {name!r}, but must have one, input_shape, or those of call with '_shape' "
                    f"behind: {', '.join(f'{each}_shape' for each in self.names)}."
                )
        return [], {name: found.get(name) for name in wanted}
