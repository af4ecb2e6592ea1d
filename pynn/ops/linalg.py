"""``keras.ops.linalg``: functions of `pynn.ops` that Keras has under this name, too."""

from ._reductions import norm as norm
