"""How a model is kept: its state as arrays, files, pickles and copies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike

from ..foundation.arguments import explained
from .described import Described
from .state import State, get_state, set_state

if TYPE_CHECKING:
    from ..storage.tensors import Path


class Stored(Described):
    """Base of `Model`: what can be kept, and goes on from there."""

    def get_state(self, callbacks: Any = None) -> State:
        """Copies of all that decides the bits of further training, by name.

        These are the weights, moving statistics included (``"dense/kernel"``), what the optimizer keeps of them
        (``"optimizer/dense/kernel/momentum"``) with its iterations and learning rate, the order of samples and the keys
        of noise. pynn/models/state.py has all the names. Of layers that were given no name, they count anew in each
        model: those of equal models are equal.

        Args:
            callbacks: Callbacks whose state is to be with it, such as ``"callbacks/0/EarlyStopping/best"``: one, or a
                list of them. They are no part of the model, so that somebody must say which. Default ``None``: none.

        Raises:
            NotBuiltError: the model has no weights yet. RuntimeError: another thread is training the model.
            TypeError: something that is no callback, or has a state that no file can keep.
        """
        self._require_layout()
        if callbacks is None:
            return get_state(self)
        from ..training import resume

        return {**get_state(self), **resume.state_of(callbacks)}

    @explained
    def set_state(self, state: Mapping[str, ArrayLike], callbacks: Any = None) -> None:
        """Take on what `get_state` gave, of this model or of an equal one that is compiled alike.

        Args:
            state: The arrays by name.
            callbacks: Callbacks of the same classes as those whose state is with it, which take it on, too. A run
                begins its callbacks anew, so they take it on in a hook, ``on_train_begin`` of one behind them (as
                docs/decisions/callbacks.md shows). Default ``None``: there are none.

        Raises:
            TypeError, ValueError: something is missing, left over, or of another shape or type; then nothing is
                changed.
            NotBuiltError, RuntimeError: as for `get_state`.
        """
        self._require_layout()
        if callbacks is None:
            return set_state(self, state)
        from ..training import resume

        if not isinstance(state, Mapping):
            return set_state(self, state)  # which says what it must be
        of_callbacks = {name: np.asarray(array) for name, array in state.items() if name.startswith("callbacks/")}
        restore = resume.restoring_of(callbacks, of_callbacks)
        set_state(self, {name: array for name, array in state.items() if name not in of_callbacks})
        restore()
        return None

    @explained
    def save(
        self,
        filepath: Path,
        overwrite: bool = True,
        zipped: bool | None = None,
        *,
        include_optimizer: bool = True,
        save_format: str | None = None,
    ) -> None:
        """Write the model to one file: layers, weights, what `compile` was told, and the state of training.

        `pynn.load_model` reads it. The file is a safetensors file, whatever its name, which other tools can read. It is
        written as a whole or not at all: if anything fails, a file that was there stays as it was.

        Args:
            filepath: The file. Its folder must exist.
            overwrite: Whether a file that is there is replaced. Default ``True``.
            zipped: Without effect: Keras has it, for files of another form.
            include_optimizer: Whether what `compile` was told, and the state of the optimizer, are in the file. Default
                ``True``.
            save_format: Only ``"keras"`` and None, the default, which mean the same: there is one form of files.

        Raises:
            ValueError: another `save_format`; a name that ends in ``.h5``, or of something else than a file; a model
                that no configuration describes, such as one with a function as the learning rate; the message says what
                to do.
            FileExistsError: there is a file, and not `overwrite`. OSError: it cannot be written.
            RuntimeError: another thread is training the model.
        """
        from . import saving  # here, as not every program keeps a model

        saving.save(self, filepath, overwrite, zipped, include_optimizer, save_format)

    @explained
    def save_weights(self, filepath: Path, overwrite: bool = True) -> None:
        """Write the weights alone.

        A name that ends in ``.weights.h5`` makes a file of Keras's, which Keras 3 reads into the same model (of layers
        that it has); it needs the package h5py. Any other name makes a safetensors file, as `save` does.

        Args:
            filepath, overwrite: As for `save`.

        Raises:
            As `save`; ImportError: h5py is not installed. NotBuiltError: there are no weights yet.
        """
        from . import weight_files

        weight_files.save(self, filepath, overwrite)

    def _check_saving(self, filepath: Path, weights_only: bool) -> None:
        from . import saving

        saving.check_saving(self, filepath, weights_only)

    @explained
    def load_weights(self, filepath: Path, skip_mismatch: bool = False) -> None:
        """Overwrite the weights by those of a file, by name and shape.

        Args:
            filepath: What `save` or `save_weights` wrote; Keras's ``.weights.h5`` or ``.keras``, as for
                `pynn.load_keras_weights`; or another program's ``.safetensors`` or ``.npz``, in which the weights are
                called as in `get_state` or by their `path`, perhaps with the name of the model in front, as in Keras's
                ``Sequential``. Numbers become those of the model's type.
            skip_mismatch: Whether to take what fits, with a warning that says what does not. Default ``False``.

        Raises:
            ModelFileError: something is missing, left over, or of another shape, or the file is damaged; nothing is
                changed then. OSError: it cannot be read. NotBuiltError, RuntimeError: as for `save_weights`.
        """
        from . import weight_files

        weight_files.load(self, filepath, skip_mismatch)

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        """How copy and pickle take a model apart: as the bytes of its file. The copy shares nothing with it."""
        from . import saving

        return saving.from_bytes, (saving.to_bytes(self), saving.classes_of_ones_own(self))
