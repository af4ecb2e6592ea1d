"""Rules that the code itself keeps: which part may know which, and that the descriptions are true."""

import ast
import importlib
import importlib.metadata
import inspect
import os
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

import pynn
from pynn import layers, losses, metrics, optimizers
from pynn.foundation import not_yet
from pynn.foundation.native import core

ROOT = pathlib.Path(__file__).resolve().parent.parent
CSRC = ROOT / "csrc"

# What a folder of csrc may include, besides itself
MAY_INCLUDE = {
    "runtime": set(),
    "kernels": {"runtime"},
    "engine": {"kernels", "runtime"},
    "bindings": {"engine", "kernels", "runtime"},
}
# The rooms of pynn and its public modules: what each may import, besides itself. A module is the name behind "pynn.".
BASE = {"foundation", "errors"}
FACE = BASE | {"data", "engine", "geometry", "config"}
MAY_IMPORT = {
    "errors": set(),
    "foundation": {"_core"},
    "geometry": {"foundation"},
    "engine": {"_core", "foundation", "geometry"},
    "data": {"foundation"},
    "config": {"foundation"},
    "activations": FACE,
    "initializers": FACE,
    "regularizers": FACE,
    "constraints": FACE,
    "losses": FACE,
    "metrics": FACE | {"losses", "initializers"},
    "optimizers": FACE | {"_core"},
    "callbacks": {"foundation"},
    "utils": FACE | {"plotting", "saving"},
    "backend": FACE | {"utils"},
    "preprocessing": BASE | {"utils"},
    "random": BASE | {"config", "data", "initializers", "layers", "ops"},
    "datasets": BASE,
    "storage": BASE,
    "layers": FACE | {"_core", "activations", "initializers", "regularizers", "constraints"},
    "ops": FACE | {"activations", "layers", "losses", "metrics", "optimizers"},
    "training": FACE | {"_core", "losses", "metrics", "optimizers", "callbacks", "storage"},
    "models": FACE | {"_core", "layers", "training", "losses", "metrics", "optimizers", "callbacks", "storage"},
    "plotting": BASE | {"data", "callbacks", "layers", "models"},
    "saving": FACE
    | {"activations", "constraints", "initializers", "layers", "losses", "metrics", "models", "optimizers"}
    | {"regularizers"},
    "interchange": BASE | {"activations", "layers", "models", "storage"},
    "sklearn": {
        *("foundation", "errors", "activations", "callbacks", "data", "layers", "losses", "models", "optimizers"),
        *("regularizers", "training"),
    },
    "tune": BASE | {"callbacks", "models", "training"},
}
SLOW_TO_IMPORT = (
    *(
        "matplotlib",
        "sklearn",
        "scipy",
        "pandas",
        "optuna",
        "onnx",
        "mpi4py",
        "safetensors",
        "IPython",
    ),
    *(
        "difflib",
        "hashlib",
        "zipfile",
        "asyncio",
        "multiprocessing",
        "urllib.request",
        "unittest",
        "importlib.metadata",
        "threadpoolctl",
    ),
)


def sources():
    files = [p for p in CSRC.rglob("*") if p.suffix in (".h", ".cpp", ".hpp", ".cc")]
    assert len(files) > 20
    return files


def includes(path):
    """The files and libraries that a source names: ("quoted" | "system", name)."""
    found = re.findall(r'^\s*#\s*include\s*(["<])([^">]+)', path.read_text(), re.MULTILINE)
    return [("quoted" if mark == '"' else "system", name) for mark, name in found]


def names_of(path):
    return path.relative_to(CSRC).parts


@pytest.mark.parametrize("folder", MAY_INCLUDE)
def test_csrc_dependencies_point_one_way(folder):
    files = [path for path in sources() if names_of(path)[0] == folder]
    assert files
    for path in files:
        for kind, name in includes(path):
            if kind == "quoted":
                target = (path.parent / name).resolve()
                assert target.is_file(), f"{path}: {name}"
                assert names_of(target)[0] in {folder, *MAY_INCLUDE[folder]}, f"{path} includes {name}"


def files_that_include(pattern):
    return {"/".join(names_of(p)) for p in sources() if any(re.search(pattern, name) for _, name in includes(p))}


def test_csrc_omp_has_one_door():
    assert files_that_include(r"^omp\.h$") == {"runtime/threads_openmp.cpp"}
    pragmas = {"/".join(names_of(p)) for p in sources() if re.search(r"#\s*pragma\s+omp", p.read_text())}
    assert pragmas <= {"runtime/threads_openmp.cpp"}


def test_csrc_blas_has_one_door():
    assert files_that_include(r"cblas\.h$") <= {"runtime/blas.cpp", "runtime/blas.h"}
    assert "runtime/blas.cpp" in files_that_include(r"blas")


def test_csrc_python_stays_in_bindings():
    assert {name.split("/")[0] for name in files_that_include(r"pybind11|Python\.h|numpy")} == {"bindings"}


def test_csrc_kernels_include_no_cpp_library():
    """They are compiled once per instruction set: an inline function of the library could be linked from any."""
    for path in sources():
        if names_of(path)[0] == "kernels":
            system = [name for kind, name in includes(path) if kind == "system"]
            assert all(name.endswith(".h") for name in system), f"{path}: {system}"


def test_csrc_kernels_allocate_nothing():
    for path in sources():
        if names_of(path)[0] == "kernels":
            assert not re.search(r"\b(new|malloc|calloc|realloc|free)\b\s*[(\w]", without_comments(path)), path


def without_comments(path):
    return re.sub(r'//[^\n]*|/\*.*?\*/|"[^"\n]*"', "", path.read_text(), flags=re.DOTALL)


def test_build_has_no_flag_that_breaks_results():
    text = "".join((ROOT / name).read_text() for name in ("CMakeLists.txt", "csrc/kernels.cmake", "pyproject.toml"))
    code = re.sub(r"#[^\n]*", "", text)
    for flag in ("-march=native", "-ffast-math", "-Ofast", "-funsafe-math", "-ffinite-math"):
        assert flag not in code


def test_version_is_the_same_everywhere():
    assert pynn.__version__ == core.__version__ == importlib.metadata.version("pynn")
    assert re.fullmatch(r"\d+\.\d+(\.\d+)?([a-z]+\d*)?(\.dev\d+)?", pynn.__version__)
    files = [*ROOT.glob("*.toml"), ROOT / "CMakeLists.txt", *(ROOT / "pynn").rglob("*.py"), *sources()]
    places = [f for f in files if re.search(rf'["\s]{re.escape(pynn.__version__)}["\s)]', f.read_text())]
    assert len(places) == 1, places


# ---- the Python face -------------------------------------------------------------------------------------------------
def module_of(path):
    """The name behind "pynn." of a file; "" for the package itself."""
    parts = path.relative_to(ROOT / "pynn").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in (ROOT / "pynn").rglob("*.py")}


def imported_modules(module):
    """Modules of pynn that a file imports: at the top, inside functions, and for types only."""
    path, found = MODULES[module], set()
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.removeprefix("pynn.") for alias in node.names if alias.name.startswith("pynn.")}
        elif isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").split(".")[0] == "pynn"):
            above = package[: len(package) - node.level + 1] if node.level else []
            name = ".".join([*above, *filter(None, (node.module or "").removeprefix("pynn").split("."))])
            for alias in node.names:
                inner = f"{name}.{alias.name}".strip(".")
                found.add(inner if inner in MODULES or inner == "_core" else name)
    return found - {""}


@pytest.mark.parametrize("module", [module for module in MODULES if module])
def test_pynn_dependencies_point_one_way(module):
    room = module.split(".")[0]
    imported = {name.split(".")[0] for name in imported_modules(module)}
    assert imported <= MAY_IMPORT[room] | {room}, module


def test_pynn_has_no_import_circles():
    """Of any kind: a module is read after those that it names."""
    graph = {module: imported_modules(module) & set(MODULES) for module in MODULES if module}
    assert graph["models.described"] >= {"models.connected", "layers", "layers.base"}  # the graph is one
    done, under = set(), []

    def visit(module):
        assert module not in under, " -> ".join([*under[under.index(module) :], module])
        if module not in done:
            under.append(module)
            for each in sorted(graph[module]):
                visit(each)
            done.add(under.pop())

    for module in graph:
        visit(module)


def test_pynn_rooms_have_names():
    """No file at the top is private, but for the stub of the extension."""
    assert {path.name for path in (ROOT / "pynn").iterdir() if path.name.startswith("_")} <= {
        *("__init__.py", "__pycache__", "_core.pyi"),
        *(path.name for path in (ROOT / "pynn").glob("_core.*.so")),
    }


def test_pynn_core_has_one_door():
    """Only foundation/native.py imports the extension; type checking apart."""
    for module, path in MODULES.items():
        if module != "foundation.native":
            assert not re.search(r"^(from|import) .*\b_core\b", path.read_text(), re.MULTILINE), path


def loaded_by(program):
    """The modules that a program loads, beyond those of NumPy."""
    program = (
        f"import __future__, sys, numpy; before = set(sys.modules); {program}; print(*(set(sys.modules) - before))"
    )
    return set(subprocess.check_output([sys.executable, "-c", program], cwd="/", text=True).split())


def test_import_reads_what_every_program_needs():
    """And nothing else: the rooms are imported when they are used. See "Imports" in docs/architecture.md."""
    assert loaded_by("import pynn") == {
        *("pynn", "pynn._core", "pynn.foundation"),
        *(f"pynn.foundation.{name}" for name in ("interpreter", "lazy", "native", "not_yet")),
    }


def test_a_model_is_made_without_what_it_does_not_need():
    loaded = loaded_by("import pynn; pynn.Sequential([pynn.Input((2,)), pynn.layers.Dense(1)])")
    assert {"pynn.models.sequential", "pynn.layers.core"} <= loaded
    assert {name.split(".")[0] for name in loaded}.isdisjoint(SLOW_TO_IMPORT)
    rooms = ("datasets", "ops", "saving", "storage", "models.saving", "models.weight_files", "models.cloning")
    rooms += ("training.compile_config", "training.streams", "training.sources")
    assert not {name for name in loaded if name.removeprefix("pynn.").startswith(rooms)}
    families = {module for module in loaded if module.startswith("pynn.layers.")} & {
        f"pynn.layers.{name}" for name in layers._MODULES
    }
    assert families == {"pynn.layers.core"}
    for room in (losses, metrics, optimizers, optimizers.schedules):
        assert not {f"{room.__name__}.{name}" for name in room._MODULES if name != "schedules"} & loaded


LAZY = [module for module, path in MODULES.items() if re.search("^_MODULES = ", path.read_text(), re.MULTILINE)]


@pytest.mark.parametrize("module", LAZY)
def test_what_is_imported_when_used_is_what_type_checkers_see(module):
    """And what the files of families have as ``__all__``."""
    package = importlib.import_module(f"pynn.{module}".strip("."))
    table = {name: set(names.split()) for name, names in package._MODULES.items()}
    seen = {name: set() for name in table}
    for block in ast.parse(MODULES[module].read_text()).body:
        if isinstance(block, ast.If) and ast.unparse(block.test).endswith("TYPE_CHECKING"):
            for line in [line for line in block.body if isinstance(line, ast.ImportFrom)]:
                names = [alias.name for alias in line.names]
                if line.module is None:
                    assert set(names) <= set(table)
                elif names == ["*"]:
                    family = importlib.import_module(f"{package.__name__}.{line.module}")
                    seen[line.module] |= set(family.__all__)
                else:
                    seen[line.module] |= set(names)
    assert seen == table
    assert {name for names in table.values() for name in names} <= set(package.__all__)
    for name in package.__all__:
        assert getattr(package, name) is getattr(package, name)


def test_lazy_names_are_known_like_any_other():
    """By `dir`, by ``import *``, by pickle; what is not there is an AttributeError with the name."""
    program = """
import pickle, pynn
assert {"layers", "Sequential", "ModelFileError", "__version__"} <= set(dir(pynn))
assert pickle.loads(b"cpynn.layers\\nDense\\n.") is pynn.layers.Dense
space = {}
exec("from pynn import *; from pynn.layers import *; from pynn.metrics import AUC", space)
assert space["Dense"] is pynn.layers.Dense and space["metrics"].AUC is space["AUC"]
for place in (pynn, pynn.layers, pynn.optimizers.schedules, pynn.callbacks):
    try:
        place.Dens
    except AttributeError as error:
        assert "Dens" in str(error), error
    else:
        raise AssertionError(place)
"""
    subprocess.run([sys.executable, "-c", program], cwd="/", check=True)


def test_configurations_find_what_is_not_imported_yet():
    program = """
import pynn
make = pynn.layers.deserialize
model = make({"class_name": "Sequential", "config": {"name": "s", "layers": []}})
assert type(model) is pynn.Sequential
assert type(pynn.losses.get("huber")).__name__ == "Huber"
assert type(pynn.metrics.get("AUC")).__name__ == "AUC"
assert type(pynn.optimizers.get("sgd")).__name__ == "SGD"
"""
    subprocess.run([sys.executable, "-c", program], cwd="/", check=True)


def test_import_without_a_compiled_core_says_what_to_do(tmp_path):
    """A Python started in a fresh clone finds the sources before any installed package."""
    ignore = shutil.ignore_patterns("*.so", "*.pyd", "__pycache__")
    shutil.copytree(ROOT / "pynn", tmp_path / "pynn", ignore=ignore)
    libraries = os.path.dirname(os.path.dirname(np.__file__))
    program = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {libraries!r}]; import pynn"
    done = subprocess.run(
        [sys.executable, "-S", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()
    assert any(line.startswith("ImportError") for line in last), done.stderr
    assert "pip install" in done.stderr


# ---- the stub --------------------------------------------------------------------------------------------------------
def stub_names(nodes):
    """Functions, classes and variables defined at one level of the stub."""
    names = {}
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names[node.name] = node
        elif isinstance(node, ast.AnnAssign) and not (
            isinstance(node.annotation, ast.Name) and node.annotation.id == "TypeAlias"
        ):
            names[node.target.id] = node
    return names


def public(thing):
    return {name for name in vars(thing) if not name.startswith("_")}


def test_stub_matches_the_extension():
    stub = stub_names(ast.parse((ROOT / "pynn" / "_core.pyi").read_text()).body)
    assert {name for name in stub if not name.startswith("_")} == public(core)
    assert "__version__" in stub
    for name, node in stub.items():
        if isinstance(node, ast.ClassDef):
            members = {n for n in stub_names(node.body) if not n.startswith("_")}
            assert members == public(getattr(core, name)), name


def argument_names(signature):
    """ "a: int, b: list[int]" -> ["a", "b"]; what stands in brackets is taken out first, from the inside."""
    while "[" in signature:
        signature = re.sub(r"\[[^\[\]]*\]", "", signature)
    return re.findall(r"(?:^|,\s*)(\w+)\s*:", signature)


def test_stub_arguments_match_the_extension():
    """Each function takes the arguments that the stub names, in that order (pybind11 writes them in its docstring)."""
    stub = stub_names(ast.parse((ROOT / "pynn" / "_core.pyi").read_text()).body)
    functions = [(getattr(core, n), node) for n, node in stub.items() if isinstance(node, ast.FunctionDef)]
    functions += [
        (getattr(getattr(core, name), n), node)
        for name, kind in stub.items()
        if isinstance(kind, ast.ClassDef)
        for n, node in stub_names(kind.body).items()
        if isinstance(node, ast.FunctionDef) and not node.decorator_list and not n.startswith("__")
    ]
    for function, node in functions:
        expected = [a.arg for a in node.args.args]
        signatures = re.findall(rf"\b{node.name}\(([^)]*)\)\s*->", function.__doc__)
        assert signatures, node.name
        for signature in signatures:
            names = re.findall(
                r"(?:^|,\s*)(\w+)\s*:", re.sub(r"\[[^\[\]]*\]", "", re.sub(r"\[[^\[\]]*\]", "", signature))
            )
            assert names == expected, node.name


def test_package_is_typed():
    assert (ROOT / "pynn" / "py.typed").is_file()


def test_every_public_name_has_a_docstring():
    missing = []
    modules = (pynn, pynn.layers, pynn.losses, pynn.metrics, pynn.optimizers, pynn.initializers, pynn.ops)
    for module in (*modules, pynn.regularizers, pynn.constraints):
        for name in getattr(module, "__all__", public(module)):
            thing = getattr(module, name)
            own = getattr(thing, "__module__", "").startswith("pynn")
            if own and callable(thing) and not (thing.__doc__ or "").strip():
                missing.append(f"{module.__name__}.{name}")
    assert not missing


# ---- the pages -------------------------------------------------------------------------------------------------------
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "bench").glob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not target.startswith(("http:", "https:")):
            path, _, heading = target.partition("#")
            file = page.parent / path if path else page
            assert file.exists(), target
            assert not heading or heading in anchors(file), target


def anchors(page):
    """The names by which the headings of a page are linked to."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_what_the_readme_says_is_not_there_is_not_there():
    section = (ROOT / "README.md").read_text().split("## What is not there\n")[1].split("\n## ")[0]
    names = set(re.findall(r"`([A-Za-z]\w+)`", section))
    assert {"SpectralNormalization", "CTC"} < names
    for kind in ("loss", "activation", "regularizer"):
        assert set(not_yet.names(kind)) <= names
    there = {"History", "Initializer", "Loss"}
    there |= {
        "to_categorical",
        "normalize",
        "pad_sequences",
        "timeseries_dataset_from_array",
        "plot_model",
        "PyDataset",
        "Sequence",
        "Progbar",
        "clear_session",
        "set_random_seed",
        "pack_x_y_sample_weight",
        "unpack_x_y_sample_weight",
        "fit",
        "compile",
        "call",
        "tf",
        "Model",
        "True",
        "training",
        "Embedding",
    }
    places = [pynn.models, pynn.layers, pynn.callbacks, pynn.utils, pynn.Sequential]
    places += [pynn.losses, pynn.activations, pynn.regularizers]
    for name in names - there:
        assert not any(name in dir(place) for place in places), name
        for method in (pynn.Sequential.fit, pynn.Sequential.compile, pynn.Sequential.evaluate):
            assert name not in inspect.signature(method).parameters, name


def excerpts(page):
    """The code blocks of a page, each with the last file named before it."""
    text, *rest = re.split(r"^```\w+\n", page.read_text(), flags=re.MULTILINE)
    for part in rest:
        code, _, following = part.partition("```\n")
        yield re.findall(r"`((?:csrc|pynn|tests)/[\w./]+\.\w+)`", text)[-1], code
        text = text + following


def test_excerpts_are_from_the_code():
    found = list(excerpts(ROOT / "docs" / "adding-an-op.md"))
    assert len(found) > 15
    for path, code in found:
        whole = (ROOT / path).read_text()
        for piece in code.split("...\n"):
            assert piece in whole, f"{path} has not:\n{piece}"
