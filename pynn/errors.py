"""The exceptions of pynn's own; everything else is a ValueError or a TypeError."""


class NotBuiltError(RuntimeError, AttributeError):
    """Something was asked of a layer or model whose input shape is not known yet, such as its weights.

    It is an AttributeError, too, so that ``hasattr`` says what there is.
    """


class NotCompiledError(RuntimeError):
    """A model was asked to train or evaluate before ``compile`` told it the loss and the optimizer."""


class ModelFileError(ValueError):
    """A file is no model file, is damaged, or was made by a newer pynn; the message says which rule does not hold."""
