"""``keras.ops.numpy``: functions of `pynn.ops` that Keras has under this name, too."""

from ._creation import *  # noqa: F403
from ._einsum import *  # noqa: F403
from ._elementwise import *  # noqa: F403
from ._functions import *  # noqa: F403
from ._linear import *  # noqa: F403
from ._of_arrays import *  # noqa: F403
from ._places import *  # noqa: F403
from ._reductions import *  # noqa: F403
from ._shapes import *  # noqa: F403
