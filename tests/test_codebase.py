"""Rules that the code itself keeps: which part may know which, and that the descriptions are true."""

import ast
import importlib.metadata
import os
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

import pynn
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
# Modules of pynn that a module must not import: what is built on it
MUST_NOT_IMPORT = {
    "layers": {"models", "_compiling", "_trainer", "_training", "callbacks", "datasets"},
    "losses": {"layers", "models", "_training", "optimizers"},
    "metrics": {"layers", "models", "_training", "optimizers"},
    "optimizers": {"layers", "models", "_training", "losses"},
    "activations": {"layers", "models", "losses", "optimizers"},
    "initializers": {"layers", "models", "losses", "optimizers"},
    "regularizers": {"layers", "models", "losses", "optimizers"},
    "constraints": {"layers", "models", "losses", "optimizers"},
    "_compiling": {"models", "_trainer", "callbacks"},
    "_trainer": {"models"},
    "foundation": {"data", "geometry", "layers", "models", "losses", "optimizers", "config"},
    "data": {"layers", "models", "losses", "optimizers", "config"},
    "ops": {"layers", "models"},
    "config": {"layers", "models", "losses", "optimizers"},
}
SLOW_TO_IMPORT = (
    *(
        "matplotlib",
        "sklearn",
        "scipy",
        "pandas",
        "tqdm",
        "pooch",
        "optuna",
        "onnx",
        "mpi4py",
        "safetensors",
        "IPython",
    ),
    *("difflib", "asyncio", "multiprocessing", "urllib.request", "unittest", "importlib.metadata", "threadpoolctl"),
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
def imported_modules(path):
    """Modules of pynn that a file imports when it is itself imported (not inside functions)."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").startswith("pynn")):
            module = (node.module or "").removeprefix("pynn").strip(".")
            found |= {module.split(".")[0]} if module else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("pynn.")}
    return found


@pytest.mark.parametrize("module", MUST_NOT_IMPORT)
def test_pynn_dependencies_point_one_way(module):
    path = ROOT / "pynn" / module
    files = list(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
    for file in files:
        imported = imported_modules(file) - ({module} if path.is_dir() else set())
        assert not imported & MUST_NOT_IMPORT[module], file


def test_pynn_core_has_one_door():
    """Only foundation/native.py imports the extension; type checking apart."""
    for path in (ROOT / "pynn").rglob("*.py"):
        if path.name != "native.py":
            assert "_core" not in imported_modules(path), path


def test_import_is_light():
    program = "import sys, numpy; before = set(sys.modules); import pynn; print(*sorted(set(sys.modules) - before))"
    loaded = subprocess.check_output([sys.executable, "-c", program], cwd="/", text=True).split()
    assert "pynn" in loaded
    assert not [
        name for name in loaded if name in SLOW_TO_IMPORT or name.startswith(tuple(f"{s}." for s in SLOW_TO_IMPORT))
    ]


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
    network = stub_names(stub["Network"].body)
    functions = [(getattr(core, n), node) for n, node in stub.items() if isinstance(node, ast.FunctionDef)]
    functions += [
        (getattr(core.Network, n), node)
        for n, node in network.items()
        if isinstance(node, ast.FunctionDef) and not node.decorator_list
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
