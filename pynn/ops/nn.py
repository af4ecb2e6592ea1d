"""``keras.ops.nn``: functions of `pynn.ops` that Keras has under this name, too."""

from ._activations import *  # noqa: F403
from ._creation import one_hot as one_hot
from ._crossentropies import *  # noqa: F403
from ._reductions import moments as moments
from ._reductions import normalize as normalize
