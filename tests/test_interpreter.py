"""What the interpreter does around the engine: it is a sub-interpreter, it ends, it forks, while a thread computes."""

import importlib.util
import sys

import pytest
from helpers import run
from tiers import slow

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="uses POSIX signals and fork")

THREADS = (pytest.param(1, marks=pytest.mark.slow), 2)

# ---- sub-interpreters ------------------------------------------------------------------------------------------------
INTERPRETERS = next(filter(importlib.util.find_spec, ("_interpreters", "_xxsubinterpreters")), None)


@pytest.mark.skipif(INTERPRETERS is None, reason="this Python has no module for sub-interpreters")
@pytest.mark.parametrize("before", ["", "import pynn"], ids=["first", "second"])
def test_sub_interpreter_is_refused(before):
    """Before it loads NumPy, or NumPy could not be loaded by the main interpreter any more, which must work."""
    printed = run(
        f"""
        import {INTERPRETERS} as interpreters

        {before}
        program = '''
        import sys
        try:
            import pynn
        except ImportError as error:
            print(error, "numpy" in sys.modules, flush=True)
        '''
        import textwrap
        interpreters.run_string(interpreters.create(), textwrap.dedent(program))
        import pynn
        from helpers import make_data, make_model

        model = make_model()
        model.fit(*make_data(), verbose=0)
        print(model.predict(make_data(2)[0], verbose=0).shape)
        """
    )
    refusal, shape = printed.splitlines()
    if "main interpreter" in refusal:  # an interpreter with a GIL of its own may be refused by ctypes or NumPy
        assert refusal.endswith("False")
    else:
        assert sys.version_info >= (3, 12)
        assert "interpreter" in refusal
    assert shape == "(2, 3)"


# ---- the end ---------------------------------------------------------------------------------------------------------
CALLS = {
    "fit": "model.fit(x, y, epochs=10**5, verbose=0)",
    "predict": "model.predict(x, verbose=0)",
    "evaluate": "model.evaluate(x, y, verbose=0)",
    "call": "model(x)",
    "call-in-training": "model(x, training=True)",
    "train_on_batch": "model.train_on_batch(x, y)",
    "ops": "pynn.ops.dense_forward(x, kernel)",
}
BESIDE = """
    import os, signal, threading, time, warnings
    import numpy as np
    import pynn

    pynn.config.set_num_threads({threads})
    layers = [pynn.layers.Dense(300, "tanh"), pynn.layers.Dense(3)]
    model = pynn.Sequential([pynn.Input((5,)), *layers])
    model.compile("sgd", "mse")
    x, y = np.ones(({rows}, 5), np.float32), np.ones(({rows}, 3), np.float32)
    kernel = np.ones((5, 2000), np.float32)
    calls = 0

    def work():
        global calls
        while True:
            calls += 1
            {call}

    threading.Thread(target=work, daemon=True).start()
    while calls < 2 and model.optimizer.iterations == 0:
        time.sleep(0.01)
"""


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize(
    "name", ["fit", "predict", "ops", *slow("train_on_batch", "evaluate", "call", "call-in-training")]
)
def test_daemon_thread_in_the_engine_at_the_end(name, threads):
    """The main thread ends while another computes: the exit status is 0, and nothing is said."""
    run(BESIDE.format(threads=threads, rows=2000, call=CALLS[name]) + "    time.sleep(0.1)\n")


# ---- fork ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("name", ["fit", "predict", *slow("train_on_batch", "evaluate", "call")])
def test_child_uses_the_model_that_a_thread_of_its_parent_used(name, threads):
    """Its copy is nobody's: no lock that the parent's thread held means anything in the child."""
    run(
        BESIDE.format(threads=threads, rows=64, call=CALLS[name])
        + """
    warnings.simplefilter("ignore")
    signal.alarm(50)
    for _ in range(10):
        child = os.fork()
        if child == 0:
            signal.alarm(20)  # one that hangs is killed, and the parent tells
            assert np.isfinite(model.predict(x, verbose=0)).all()
            assert np.isfinite(model(x[:1])).all()
            assert np.isfinite(model.train_on_batch(x, y))
            model.fit(x, y, verbose=0)
            model.evaluate(x, y, verbose=0)
            model.add(pynn.layers.Dense(2))
            assert model.predict(x, verbose=0).shape == (64, 2)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    """
    )
