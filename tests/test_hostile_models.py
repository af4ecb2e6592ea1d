"""Model files that someone has made up: all are refused with ModelFileError, nothing runs, and no memory is taken."""

import contextlib
import json
import os
import pickle
import resource
import time

import numpy as np
import pytest
from helpers import bits, make_model, run
from saved_models import CUSTOM, compiled
from tiers import slow

import pynn
from pynn import layers
from pynn.models import configuration
from pynn.models.configuration import Call
from pynn.storage import tensors


def files_of(name="dense", optimizer="adam"):
    """The arrays and the metadata of a trained model's file."""
    model, (x, y) = compiled(name, optimizer)
    model.fit(x, y, batch_size=7, verbose=0)
    header, arrays = tensors.decoded(pynn.models.saving.to_bytes(model), "The file")
    return arrays, {key: value for key, value in header.metadata.items() if key not in ("digest", "format", "pynn")}


def refused(tmp_path, arrays, metadata, match=None):
    path = tmp_path / "model"
    tensors.write_tensors(path, arrays, metadata)
    with pytest.raises(pynn.ModelFileError, match=match) as error:
        pynn.load_model(path, CUSTOM)
    assert len(str(error.value)) < 2500
    return error.value


DENSE = {"class_name": "Dense", "config": {"units": 3, "name": "dense"}}


def sequential(*stack, **more):
    config = {"name": "s", "layers": [{"class_name": "InputLayer", "config": {"shape": [4]}}, *stack], **more}
    return {"class_name": "Sequential", "config": config}


def node(name, inbound, layer=None):
    layer = {"class_name": "Dense", "config": {"units": 2, "name": name}} if layer is None else layer
    return {**layer, "name": name, "inbound_nodes": [{"args": [i], "kwargs": {}} for i in inbound]}


def functional(*nodes, inputs=("x", 0, 0), outputs=("a", 0, 0)):
    source = {"class_name": "InputLayer", "config": {"shape": [2], "name": "x"}, "name": "x", "inbound_nodes": []}
    config = {"name": "f", "layers": [source, *nodes], "input_layers": list(inputs), "output_layers": list(outputs)}
    return {"class_name": "Functional", "config": config}


def nested(depth):
    found = sequential(DENSE)
    for _ in range(depth):
        found = sequential(found)
    return found


def doubled(depth):
    """Models in models, each of which calls the one within it twice: two to the power of `depth` calls."""
    inner = {"class_name": "Activation", "config": {"activation": "relu", "name": "m0"}}
    for number in range(depth):
        name = f"m{number}"
        twice = [{"args": [["x", 0, 0]], "kwargs": {}}, {"args": [[name, 0, 0]], "kwargs": {}}]
        config = functional({**inner, "name": name, "inbound_nodes": twice}, outputs=[name, 1, 0])["config"]
        inner = {"class_name": "Functional", "config": {**config, "name": f"m{number + 1}"}}
    return inner


def units(n):
    return {"class_name": "Dense", "config": {"units": n}}


class Recorder:
    """Stands for a layer whose calls are noted."""

    takes_list = wired = True

    def __init__(self, name, noted):
        self.name, self.noted = name, noted

    def _record(self, inputs, training, masks=(), settings=None):
        self.noted.append((self.name, inputs))
        return f"{self.name}:{sum(name == self.name for name, _ in self.noted)}"


class CountingDict(dict):
    asked = 0

    def __contains__(self, key):
        self.asked += 1
        return super().__contains__(key)


def round_by_round(calls, made):
    """The same as `_record_all`, simply: all calls are tried again and again."""
    while calls:
        left = []
        for call in calls:
            before = [(call.name, call.number - 1, 0)] if call.number else []
            if all(key in made for key in [*call.inputs, *before]):
                made[call.name, call.number, 0] = call.layer._record([made[key] for key in call.inputs], None)
            else:
                left.append(call)
        calls = left


@pytest.mark.parametrize("seed", range(20))
def test_calls_in_any_order_are_made_round_by_round(seed):
    random, noted = np.random.default_rng(seed), ([], [])
    keys, calls = [("x", 0, 0)], []
    for _ in range(60):
        name = f"l{random.integers(12)}"
        number = sum(key[0] == name for key in keys)
        inputs = [keys[i] for i in random.integers(0, len(keys), random.integers(1, 4))]
        calls.append((name, number, inputs))
        keys.append((name, number, 0))
    calls = [calls[i] for i in random.permutation(len(calls))]
    for record, notes in zip((configuration._record_all, round_by_round), noted, strict=True):
        made = [Call(name, Recorder(name, notes), k, i, None, [], None) for name, k, i in calls]
        record(made, {("x", 0, 0): "x"})
    assert len(noted[0]) == 60
    assert noted[0] == noted[1]


def test_a_bad_order_of_calls_costs_no_more():
    """Two layers that take turns, a thousand times: in a file, all calls of the one come before those of the other."""
    noted, made = [], CountingDict({("x", 0, 0): "x"})
    a, b = Recorder("a", noted), Recorder("b", noted)
    a._record = b._record = lambda inputs, training, masks, settings: "y"
    calls = [Call("a", a, n, [("b", n - 1, 0) if n else ("x", 0, 0)], None, [], None) for n in range(1000)]
    calls += [Call("b", b, n, [("a", n, 0)], None, [], None) for n in range(1000)]
    configuration._record_all(calls[::-1], made)
    assert len(made) == 2001
    assert made.asked < 4 * len(calls)


ARCHITECTURES = {
    "nothing": {},
    "a text": "Sequential",
    "a number": 3,
    "null": None,
    "a list": [[[]]],
    "a function of the system": {"class_name": "os.system", "config": {"command": "touch /tmp/pynn-was-here"}},
    "a lambda": sequential(
        {"class_name": "Lambda", "config": {"function": "4wEAAAAAAAAAAAAAAAEAAAACAAAAQwAAAHMEAAAA"}}
    ),
    "a module": {"module": "os", "class_name": "system", "config": {}, "registered_name": None},
    "a layer for a model": DENSE,
    "a private base": {"class_name": "Layer", "config": {}},
    "a loss for a layer": sequential({"class_name": "MeanSquaredError", "config": {}}),
    "an activation of the system": sequential(
        {"class_name": "Dense", "config": {"units": 3, "activation": "os.system"}}
    ),
    "no layers": {"class_name": "Sequential", "config": {"name": "s", "layers": []}},
    "layers that are a text": {"class_name": "Sequential", "config": {"name": "s", "layers": "Dense"}},
    "a layer that is a number": sequential(3),
    "a configuration that is a list": {"class_name": "Sequential", "config": []},
    "a key more": {"class_name": "Sequential", "config": {"name": "s", "layers": [DENSE], "code": "import os"}},
    "an argument more": sequential({"class_name": "Dense", "config": {"units": 3, "code": "import os"}}),
    "a name with a path": sequential({"class_name": "Dense", "config": {"units": 3, "name": "../../../etc/passwd\0"}}),
    "a long name": sequential({"class_name": "Dense", "config": {"units": 3, "name": "a" * 10_000}}),
    "the same name twice": sequential(DENSE, DENSE),
    "units of 1e12": sequential(units(10**12)),
    "units of 2^40": sequential(units(2**40)),
    "units of 1e9": sequential(units(10**9)),
    "units beyond 64 bits": sequential(units(10**30)),
    "units of 0": sequential(units(0)),
    "units that are negative": sequential(units(-5)),
    "units that are a fraction": sequential(units(3.5)),
    "units that are a flag": sequential(units(True)),
    "units that are a text": sequential(units("3")),
    "units that are a list": sequential(units([3])),
    "units that are null": sequential(units(None)),
    "many layers of much": sequential(*({"class_name": "Dense", "config": {"units": 10**8}} for _ in range(50))),
    "products that overflow": sequential(units(2**39), units(2**39)),
    "a shape of 1e18": {
        "class_name": "Sequential",
        "config": {"name": "s", "layers": [{"class_name": "InputLayer", "config": {"shape": [10**18]}}, DENSE]},
    },
    "a shape of many axes": {
        "class_name": "Sequential",
        "config": {"name": "s", "layers": [{"class_name": "InputLayer", "config": {"shape": [1] * 200}}, DENSE]},
    },
    "a window of 1e12": sequential({"class_name": "Conv1D", "config": {"filters": 1, "kernel_size": 10**12}}),
    "a table of 1e12": sequential({"class_name": "Embedding", "config": {"input_dim": 10**9, "output_dim": 1000}}),
    "a map of 1e12": sequential({"class_name": "RepeatVector", "config": {"n": 10**12}}),
    "an upsampling of 1e9": sequential(
        {"class_name": "Reshape", "config": {"target_shape": [4, 1]}},
        {"class_name": "UpSampling1D", "config": {"size": 10**9}},
        {"class_name": "Flatten", "config": {}},
        units(3),
    ),
    "a build shape of 1e15": {
        "class_name": "Sequential",
        "config": {"name": "s", "layers": [DENSE], "build_input_shape": [10**15]},
    },
    "a build shape that is a text": {
        "class_name": "Sequential",
        "config": {"name": "s", "layers": [DENSE], "build_input_shape": "abc"},
    },
    "10,001 layers": sequential(*({"class_name": "Flatten", "config": {}} for _ in range(10_001))),
    "100,001 calls": functional({**node("a", []), "inbound_nodes": [{"args": [["x", 0, 0]], "kwargs": {}}] * 100_001}),
    "a cycle": functional(node("a", [["b", 0, 0]]), node("b", [["a", 0, 0]])),
    "a layer that reads itself": functional(node("a", [["a", 0, 0]])),
    "a call that comes after itself": functional(node("a", [["a", 1, 0], ["x", 0, 0]])),
    "an input of no layer": functional(node("a", [["z", 0, 0]])),
    "an output of no layer": functional(node("a", [["x", 0, 0]]), outputs=["z", 0, 0]),
    "an output that does not exist": functional(node("a", [["x", 0, 0]]), outputs=["a", 0, 7]),
    "no outputs": functional(node("a", [["x", 0, 0]]), outputs=[]),
    "inputs of inputs": functional(node("a", [["x", 0, 0]]), inputs=[[[[["x", 0, 0]]]]]),
    "a call with code": functional(
        {**node("a", []), "inbound_nodes": [{"args": [["x", 0, 0]], "kwargs": {"training": "__import__('os')"}}]}
    ),
    "a call of nothing": functional(node("a", []), outputs=["a", 0, 0]),
    "a reference that is a dict": functional(node("a", [{"class_name": "__keras_tensor__"}])),
    "nesting of 20": nested(20),
    "initial values of a file": sequential(
        {"class_name": "Dense", "config": {"units": 3, "kernel_initializer": {"class_name": "open", "config": {}}}}
    ),
    "a constraint that is none": sequential(
        {"class_name": "Dense", "config": {"units": 3, "kernel_constraint": {"class_name": "exec", "config": {}}}}
    ),
    "an index of code": functional(
        node("a", [["x", 0, 0]], {"class_name": "GetItem", "config": {"name": "a", "key": ["__import__('os')"]}})
    ),
    "an index of 1e30": functional(
        node("a", [["x", 0, 0]], {"class_name": "GetItem", "config": {"name": "a", "key": [[0, 10**30, 1]]}})
    ),
    "an equation of nonsense": sequential(
        {"class_name": "EinsumDense", "config": {"equation": "a" * 5000 + "->", "output_shape": [3]}}
    ),
}
LARGE = ("100,001 calls",)


@pytest.mark.parametrize("kind", [*(kind for kind in ARCHITECTURES if kind not in LARGE), *slow(*LARGE)])
def test_architecture_that_is_made_up(tmp_path, kind):
    """Its arrays fit nothing: what does make a model is refused for them."""
    arrays = {"dense/kernel": np.zeros((4, 2), np.float32)}
    begin = time.monotonic()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**30, hard))
    try:
        refused(tmp_path, arrays, {"kind": "model", "architecture": ARCHITECTURES[kind], "compile": None})
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    assert time.monotonic() - begin < 30  # it ends: the slowest takes a second
    assert not os.path.exists("/tmp/pynn-was-here")


def test_calls_in_calls_are_counted(tmp_path):
    """A short file of a network without end."""
    metadata = {"kind": "model", "architecture": doubled(20), "compile": None}
    refused(tmp_path, {}, metadata, "1000000 with those in models that are called several times.* and 2097150")
    model = pynn.Model.from_config(doubled(5)["config"])
    model.save(tmp_path / "model")
    x = np.array([[-1.0, 2.0]], np.float32)
    np.testing.assert_array_equal(pynn.load_model(tmp_path / "model").predict(x, verbose=0), [[0, 2]])


def test_inputs_of_a_file_are_counted(tmp_path):
    inputs = {"form": "list", "names": [], "each": [[[2], "float32"]] * 10_001}
    architecture = {"class_name": "Sequential", "config": {"name": "s", "layers": [DENSE]}, "inputs": inputs}
    metadata = {"kind": "model", "architecture": architecture, "compile": None}
    refused(tmp_path, {}, metadata, "inputs must be at most 10000, but are 10001")


def test_weights_are_counted_before_memory_is_taken(tmp_path, monkeypatch):
    """The file has room for fewer: no layer gets its arrays."""
    made = []
    parameters = pynn.layers.building.core.Parameters

    class Counted:
        Parameters = staticmethod(lambda dtype: made.append(dtype) or parameters(dtype))

    monkeypatch.setattr(pynn.layers.building, "core", Counted)
    error = refused(
        tmp_path,
        {"dense/kernel": np.zeros((4, 2), np.float32)},
        {"kind": "model", "architecture": sequential(units(10**7)), "compile": None},
        "more weights than there are values",
    )
    assert isinstance(error.__cause__, ValueError)
    assert not made


OPTIMIZERS = {
    "a class of the system": {"class_name": "subprocess.Popen", "config": {}},
    "an argument more": {"class_name": "Adam", "config": {"code": "1"}},
    "a rate that is a text": {"class_name": "Adam", "config": {"learning_rate": "0.1"}},
    "a rate that is a dict": {"class_name": "Adam", "config": {"learning_rate": {"class_name": "eval", "config": {}}}},
    "a negative rate": {"class_name": "Adam", "config": {"learning_rate": -1}},
    "a name": "adam",
    "nothing": None,
    "a list": [],
}
COMPILES = {
    **{f"optimizer: {kind}": {"optimizer": value} for kind, value in OPTIMIZERS.items()},
    "loss of a name that is not known": {"loss": {"one": "os.system"}},
    "loss of another form": {"loss": "mse"},
    "loss of two forms": {"loss": {"one": "mse", "list": []}},
    "losses that nest": {"loss": {"list": [{"list": [{"one": "mse"}, {"one": "mae"}]}]}},
    "a list of no loss": {"loss": {"list": []}},
    "loss of no output": {"loss": {"by_name": [["z", {"one": "mse"}]]}},
    "pairs that are none": {"loss": {"by_name": [["z"]]}},
    "weights of losses that are texts": {"loss_weights": {"one": "1"}},
    "a metric that is not known": {"metrics": {"list": [{"one": "eval"}]}},
    "a metric of no configuration": {"metrics": {"list": [{"one": {"class_name": "MeanLoss", "config": {}}}]}},
    "a metric that is a number": {"metrics": {"list": [{"one": 3}]}},
    "metrics of a name": {"metrics": {"one": "mae"}},
}


@pytest.mark.parametrize("kind", COMPILES)
def test_compile_that_is_made_up(tmp_path, kind):
    arrays, metadata = files_of()
    refused(tmp_path, arrays, {**metadata, "compile": {**metadata["compile"], **COMPILES[kind]}})


@pytest.mark.parametrize("compile", [3, [], "adam", {}, {"optimizer": {"class_name": "Adam", "config": {}}}])
def test_compile_of_another_form(tmp_path, compile):
    arrays, metadata = files_of()
    refused(tmp_path, arrays, {**metadata, "compile": compile})


def test_metadata_of_another_form(tmp_path):
    arrays, metadata = files_of()
    for change in ({"kind": "weights"}, {"kind": 3}, {"undecayed": ["no"]}, {"undecayed": 3}, {"undecayed": [["a"]]}):
        refused(tmp_path, arrays, {**metadata, **change})
    for key in metadata:
        if key != "undecayed":
            refused(tmp_path, arrays, {name: value for name, value in metadata.items() if name != key})
    arrays, metadata = files_of("own")
    for inputs in (3, {}, {"form": "single", "names": [], "each": [[[10**15], "float32"]]}, {"form": "x", "each": []}):
        refused(tmp_path, arrays, {**metadata, "architecture": {**metadata["architecture"], "inputs": inputs}})


def test_arrays_that_do_not_fit_the_architecture(tmp_path):
    arrays, metadata = files_of()
    some = dict(arrays)
    kernel = some.pop("dense/kernel")
    for change, match in (
        ({}, "missing: dense/kernel"),
        ({"dense/kernel": kernel.T}, "shape"),
        ({"dense/kernel": kernel.astype(np.float64)}, "float64"),
        ({"dense/kernel": kernel, "more": kernel}, "left over: more"),
        ({"dense/kernel": kernel, "optimizer/iterations": np.array(-1)}, "iterations"),
        ({"dense/kernel": kernel, "optimizer/iterations": np.array(2**62)}, "iterations"),
        ({"dense/kernel": kernel, "training/passes": np.array(2**62)}, "passes"),
        ({"dense/kernel": kernel, "optimizer/learning_rate": np.array(np.inf)}, "learning_rate"),
    ):
        refused(tmp_path, {**some, **change}, metadata, match)
    refused(tmp_path, arrays, {**metadata, "compile": None}, "left over: optimizer")


# ---- field cases -----------------------------------------------------------------------------------------------------
def test_pickle_as_a_model_file_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "was here"),)

    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        (tmp_path / "model").write_bytes(pickle.dumps(Evil(), protocol))
        with pytest.raises(pynn.ModelFileError):
            pynn.load_model(tmp_path / "model")
        with pytest.raises(pynn.ModelFileError):
            make_model().load_weights(tmp_path / "model")
    np.savez(tmp_path / "model.npz", **{"dense/kernel": np.array([Evil()], object)})
    with pytest.raises(pynn.ModelFileError):
        make_model().load_weights(tmp_path / "model.npz")
    assert not (tmp_path / "was here").exists()


def test_files_of_keras_say_what_they_are(tmp_path):
    (tmp_path / "m.keras").write_bytes(b"PK\x03\x04" + bytes(100))
    (tmp_path / "m.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    for name, what in (("m.keras", "zip"), ("m.h5", "HDF5")):
        with pytest.raises(pynn.ModelFileError, match=what):
            pynn.load_model(tmp_path / name)
        with pytest.raises(pynn.ModelFileError):
            make_model().load_weights(tmp_path / name)


def small_model():
    model = pynn.Sequential([pynn.Input((1,)), layers.Dense(1, use_bias=False)])
    model.compile("sgd", "mse")
    return pynn.models.saving.to_bytes(model)


def is_refused(data):
    try:
        pynn.models.saving.from_bytes(data, {})
    except pynn.ModelFileError:
        return True
    return False


def test_every_truncation_of_a_model_is_refused(tmp_path):
    whole, path = small_model(), tmp_path / "model"
    assert not is_refused(whole)
    assert all(is_refused(whole[:size]) for size in range(len(whole)))
    for size in range(0, len(whole), 97):
        path.write_bytes(whole[:size])
        with pytest.raises(pynn.ModelFileError):
            pynn.load_model(path)


@pytest.mark.parametrize("every", [5, *slow(1)])
def test_flipped_bit_of_a_model_is_refused(every):
    whole = small_model()
    accepted = []
    for place in range(0, 8 * len(whole), every):
        damaged = bytearray(whole)
        damaged[place // 8] ^= 1 << place % 8
        if not is_refused(bytes(damaged)):
            accepted.append(place)
    assert not accepted


def test_damaged_file_of_weights_is_refused(tmp_path):
    """Or has the same weights: where a bit makes another program's file of it, the names and the numbers are right."""
    model, path = pynn.Sequential([pynn.Input((1,)), layers.Dense(1)]), tmp_path / "weights"
    model.save_weights(path)
    whole, before = path.read_bytes(), bits(model)
    for place in range(0, 8 * len(whole), 5):
        damaged = bytearray(whole)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        with contextlib.suppress(pynn.ModelFileError):
            model.load_weights(path)
        assert bits(model) == before


STRANGE = [
    None,
    True,
    False,
    0,
    1,
    -1,
    2**31,
    2**63,
    10**18,
    1e300,
    0.5,
    "",
    "a",
    "relu",
    "adam",
    "Dense",
    [],
    {},
    [[]],
]
STRANGE += [{"class_name": "Dense", "config": {"units": 10**9}}, [10**9] * 3, "x" * 3000, {"class_name": "Sequential"}]


def places(value, found):
    """All the places in a value of JSON, as (container, key)."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, each in pairs:
        found.append((value, key))
        if isinstance(each, dict | list):
            places(each, found)
    return found


def test_mutated_configurations(tmp_path):
    """With a right digest: what is changed is the configuration. PYNN_FUZZ_SECONDS=600 for a long run."""
    random, end = np.random.default_rng(5), time.monotonic() + float(os.environ.get("PYNN_FUZZ_SECONDS", "1"))
    files = [files_of(*each) for each in (("dense", "adamw"), ("tensors", "adam"), ("images", "sgd"), ("own", "adam"))]
    words = [
        each for _, metadata in files for c, k in places(metadata, []) for each in [c[k]] if not isinstance(each, dict)
    ]
    refusals = taken = 0
    while time.monotonic() < end:
        arrays, metadata = files[random.integers(len(files))]
        metadata = json.loads(json.dumps(metadata))
        for _ in range(random.integers(1, 4)):
            found = places(metadata, [])
            container, key = found[random.integers(len(found))]
            kind = random.integers(4)
            if kind == 0:
                container[key] = STRANGE[random.integers(len(STRANGE))]
            elif kind == 1:
                container[key] = words[random.integers(len(words))]
            elif kind == 2:
                del container[key]
            else:
                other, other_key = found[random.integers(len(found))]
                container[key] = json.loads(json.dumps(other[other_key]))
        some = {name: a for name, a in arrays.items() if random.integers(40)}
        try:
            data = b"".join(tensors.encoded(some, metadata))
        except ValueError:
            continue
        (tmp_path / "model").write_bytes(data)
        try:
            pynn.load_model(tmp_path / "model", CUSTOM)
            taken += 1
        except pynn.ModelFileError:
            refusals += 1
    assert refusals > 10
    assert taken > 0  # a name that is another, for instance


def test_loading_takes_no_more_memory_than_the_file(tmp_path):
    """Beside the file's own bytes, once read and once in the layers."""
    printed = run(
        f"""
        import resource, numpy as np, pynn
        model = pynn.Sequential([pynn.Input((2000,)), pynn.layers.Dense(4000)])  # 32 MB
        model.save({str(tmp_path / "model")!r})
        del model
        def peak():
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        before = peak()
        twin = pynn.load_model({str(tmp_path / "model")!r})
        print(peak() - before)
        """
    )
    assert float(printed) < 2.2 * 32
