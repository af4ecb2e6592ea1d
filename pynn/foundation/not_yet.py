"""What Keras 3 has and pynn does not have yet: whoever asks for it is told so, instead of that it is unknown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_NAMES = {
    "activation": "sparse_plus sparse_sigmoid",
    "callback": "OrbaxCheckpoint RemoteMonitor",
    "constraint": "",
    "data set": "boston_housing california_housing cifar10 cifar100 fashion_mnist imdb reuters",
    "initializer": "STFT",
    "layer": """AugMix AutoContrast AveragePooling3D AvgPool3D
        CategoryEncoding CenterCrop Conv3D Conv3DTranspose ConvLSTM1D ConvLSTM2D ConvLSTM3D Convolution3D
        Convolution3DTranspose Cropping3D CutMix Discretization Equalization FlaxLayer GlobalAveragePooling3D
        GlobalAvgPool3D GlobalMaxPool3D GlobalMaxPooling3D HashedCrossing Hashing
        IntegerLookup JaxLayer MaxNumBoundingBoxes MaxPool3D MaxPooling3D MelSpectrogram
        MixUp Pipeline RandAugment RandomBrightness RandomColorDegeneration RandomColorJitter
        RandomContrast RandomCrop RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale
        RandomHue RandomInvert RandomPerspective RandomPosterization RandomRotation RandomSaturation RandomSharpness
        RandomShear RandomTranslation RandomZoom Resizing Solarization SpatialDropout3D
        SpectralNormalization STFTSpectrogram StringLookup TextVectorization TFSMLayer
        TorchModuleWrapper UpSampling3D ZeroPadding3D""",
    "loss": "CategoricalGeneralizedCrossEntropy Circle CTC",
    "model or function": "Functional",
    "function of saving": "KerasFileEditor",
    "part": """FloatDTypePolicy Function KerasTensor Operation Quantizer StatelessScope
        SymbolicScope Variable applications distribution dtype_policies export legacy mixed_precision
        quantizers tree visualization wrappers""",
    "metric": "",
    "optimizer": "Adafactor Ftrl Lamb LossScaleOptimizer MultiOptimizer Muon OptimizerMap ScheduleFreeAdamW",
    "regularizer": "OrthogonalRegularizer",
    "utility": """array_to_img audio_dataset_from_directory FeatureSpace get_file image_dataset_from_directory
        img_to_array load_img model_to_dot save_img split_dataset text_dataset_from_directory""",
}

_ARGUMENTS = {
    "Input": "tensor",
    "InputLayer": "input_tensor",
    "BatchNormalization": "renorm renorm_clipping renorm_momentum",
    "LayerNormalization": "rms_scaling",
}


def names(kind: str) -> list[str]:
    """What Keras has of `kind`, such as "loss", beyond what pynn has."""
    return _NAMES[kind].split()


def is_missing(name: str, kind: str) -> bool:
    """Whether Keras, but not yet pynn, has a `kind` of this name: ``"AUC"``, ``"auc"``, ``"mean_io_u"``."""
    return kind in _NAMES and _plain(name) in map(_plain, names(kind))


def is_missing_argument(name: str, function: str) -> bool:
    """Whether Keras's function or method, but not yet pynn's, has an argument of this name."""
    return name in _ARGUMENTS.get(function, "").split()


def message(name: str, kind: str) -> str:
    """What to say where `is_missing`."""
    return f"pynn does not have the {kind} {name!r} of Keras yet."


def attribute_of(module: str, kind: str) -> Callable[[str], Any]:
    """The ``__getattr__`` of a module of things of `kind`."""

    def attribute(name: str) -> Any:
        text = f"module {module!r} has no attribute {name!r}"
        raise AttributeError(message(name, kind) if is_missing(name, kind) else text)

    return attribute


def _plain(name: str) -> str:
    return name.replace("_", "").lower()
