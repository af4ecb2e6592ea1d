"""The programs in examples/ run, and print what they promise."""

import pathlib
import re
import subprocess
import sys

import pytest

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent / "examples"
pytestmark = pytest.mark.skipif(not EXAMPLES.is_dir(), reason="the repository's examples are not here")

SHORT = ("adding_problem", "tuning")  # those that take minutes otherwise
NEEDS = {"tuning": ("optuna", "sklearn"), "mnist": ("matplotlib",), "forecast": ("matplotlib",)}
ARGUMENTS = {"mnist": ["--plot", "mnist.png"], "forecast": ["--plot", "forecast.png"]}
EXPECTED = {
    "first_network": [r"11\.842708\d* +-5\.747265\d* -5\.747265\d*", r"0\.99775195"],
    "neurons": [r"= 0\.0\n", r"0\.54983", r"parameters 11\n", r"0\.622459\d+ 0\.65077\d+ +0\.65077\d+ +0\.675037"],
    "logic": [r"AND: \[0\. 0\. 0\. 1\.\]", r"XOR: \[0 1 1 0\]", r"Line: 3\.0000 x \+ 2\.0000"],
    "mnist": [r"101,770", r"Test accuracy: 0\.9(7[5-9]|8)", r"Drawn in mnist\.png"],
    "mnist_cnn": [r"121,930", r"Test accuracy: 0\.9(8[6-9]|9)"],
    "overfitting": [
        r"nothing +1\.0000 +0\.[89]\d+ +0\.[01]",
        r"L2 of 0\.01 +\d",
        r"dropout of 0\.5 +\d",
        r"batch norm\w+ +\d",
    ],
    "adding_problem": [r"LSTM +solves it", r"SimpleRNN +does not solve it"],
    "policy_gradient": [r"After training: (1[5-9]\d|200) steps"],
    "physics_informed": [r"Largest error: 0\.00"],
    "tuning": [
        r"best epoch",
        r"Test accuracy of the default network: 0\.\d+",
        r"Test accuracy of the best network: 0\.8",
        r"GridSearchCV on 500 images: .* accuracy 0\.8",
        r"RandomizedSearchCV on 500 images: .* accuracy 0\.8",
    ],
    "forecast": [r"error, naive: 0\.[23]\d+", r"error, LSTM: 0\.1[0-4]\d", r"Drawn in forecast\.png"],
    "characters": [r"accuracy: 0\.[78]\d+", r"Temperature 0\.2:\nIn the morning .{300}"],
    "dates": [r" -> \d{4}-\d\d-\d\d\n", r"dates never seen: (9[89]\.\d|100\.0)%"],
    "mnist_rows": [r"all 28 rows: 0\.9[5-9]", r"24 rows, .*: 0\.9", r"34 rows, .*: 0\.9"],
    "mnist_keras": [r"accuracy: 0\.9[78]"],
    "transformer_language_model": [
        r"Loss before: 4\.\d+ .*, after: 0\.[0-4]\d+\n",
        r"Temperature 0\.2:\nIn the morning .{300}\n",
    ],
}
AFTER_ONE_EPOCH = {  # what the slow ones print with --short, in seconds
    "characters": [r"Epoch 1/1 ", r"Temperature 1\.2:\nIn the morning .{300}\n"],
    "dates": [r"Epoch 1/1 ", r" -> [-\d]{10}\n", r"dates never seen: \d+\.\d%"],
    "transformer_language_model": [
        r"Loss before: 4\.\d+ .*, after: [23]\.\d+\n",
        r"Temperature 1\.2:\nIn the morning .{300}\n",
    ],
}
SLOW = {
    *AFTER_ONE_EPOCH,
    "adding_problem",
    "forecast",
    "mnist_cnn",
    "mnist_keras",
    "mnist_rows",
    "overfitting",
    "tuning",
}


def test_every_example_is_run():
    assert sorted(EXPECTED) == sorted(path.stem for path in EXAMPLES.glob("*.py"))


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in EXPECTED], ids=str
)
def test_example(name, tmp_path):
    for package in NEEDS.get(name, ()):
        pytest.importorskip(package)
    check(name, [*["--short"] * (name in SHORT), *ARGUMENTS.get(name, ())], EXPECTED[name], tmp_path)


@pytest.mark.parametrize("name", AFTER_ONE_EPOCH)
def test_example_after_one_epoch(name, tmp_path):
    check(name, ["--short"], AFTER_ONE_EPOCH[name], tmp_path)


def check(name, arguments, expected, folder):
    """The example runs with these arguments, and prints what these patterns say."""
    command = [sys.executable, EXAMPLES / f"{name}.py", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    for pattern in expected:
        assert re.search(pattern, done.stdout, re.DOTALL), pattern


RUN = """
import sys, nbclient, nbformat
folder, name = sys.argv[1:]
notebook = nbformat.read(f"{folder}/{name}", 4)
nbclient.NotebookClient(notebook, resources={"metadata": {"path": folder}}).execute()
outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
print(sum("image/png" in output.get("data", ()) for output in outputs), "pictures")
print(*(output.text for output in outputs if output.output_type == "stream"))
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.ipynb")))
def test_notebook(name):
    for package in ("ipykernel", "matplotlib", "nbclient", "optuna"):
        pytest.importorskip(package)
    command = [sys.executable, "-c", RUN, EXAMPLES, name]
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "7 pictures" in done.stdout
    assert re.search(r"Right on 9[78]\.\d% of the test images", done.stdout), done.stdout
