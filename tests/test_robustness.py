"""Interrupts, fork, threads, errors inside the engine: nothing hangs, nothing is half done."""

import contextlib
import os
import signal
import sys
import threading
import time

import numpy as np
import pytest
from helpers import TIME_LIMIT, bits, make_data, make_model, run
from tiers import slow

import pynn
from pynn.foundation.native import core

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="uses POSIX signals and fork")

# ---- Ctrl-C ----------------------------------------------------------------------------------------------------------
INTERRUPTED = """
    import os, signal, threading, time
    import numpy as np
    import pynn
    from helpers import TIME_LIMIT, bits, make_data, make_model, run

    pynn.config.set_num_threads({threads})
    x, y = make_data({rows}, inputs=5)
    model = make_model(optimizer="adam")
    start = bits(model)
    sent = []

    def interrupt():
        while model.optimizer.iterations == 0:
            time.sleep(0.01)
        time.sleep(0.3)
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    try:
        model.fit(x, y, {fit}, verbose=0)
    except KeyboardInterrupt:
        waited = time.perf_counter() - sent[0]
    else:
        raise SystemExit("fit was not interrupted")
    assert waited < 2, waited
    assert bits(model) != start
    assert all(np.isfinite(w).all() for w in model.get_weights())
    assert model.optimizer.iterations > 0
    losses = model.history.history.get("loss", [])
    assert np.isfinite(losses).all()
    assert len(losses) >= {epochs}
    before = bits(model)
    model.predict(x[:10], verbose=0)
    assert bits(model) == before
    model.fit(x[:100], y[:100], verbose=0)
    assert bits(model) != before
"""


@pytest.mark.parametrize(
    ("rows", "fit", "epochs"),
    [
        (20, "epochs=10**8, batch_size='full'", 1),
        (300, "epochs=10**8, batch_size=7, validation_split=0.2", 1),
        (1_000_000, "epochs=1000, batch_size=1", 0),
    ],
    ids=["many-epochs", "validation", "one-long-epoch"],
)
@pytest.mark.parametrize("threads", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_interrupt_is_answered(rows, fit, epochs, threads):
    run(INTERRUPTED.format(rows=rows, fit=fit, epochs=epochs, threads=threads))


def test_interrupt_while_evaluating_and_predicting():
    run(
        """
        import os, signal, threading, time
        import numpy as np
        import pynn

        pynn.config.set_num_threads(2)
        layers = [pynn.layers.Dense(2000) for _ in range(4)]
        model = pynn.Sequential([pynn.Input((2000,)), *layers])
        model.compile(loss="mse")
        x = np.zeros((20_000, 2000), np.float32)
        for call in (lambda: model.predict(x, verbose=0), lambda: model.evaluate(x, x, verbose=0)):
            sent = []

            def interrupt():
                time.sleep(0.3)
                sent.append(time.perf_counter())
                os.kill(os.getpid(), signal.SIGINT)

            threading.Thread(target=interrupt).start()
            try:
                call()
            except KeyboardInterrupt:
                assert time.perf_counter() - sent[0] < 2
            else:
                raise SystemExit("was not interrupted")
        assert model.predict(x[:3], verbose=0).shape == (3, 2000)
        """
    )


def test_interrupt_leaves_the_last_finished_step():
    """The weights after the interrupt are those of an uninterrupted run of as many steps."""
    run(
        """
        import os, signal, threading, time
        import pynn
        from helpers import TIME_LIMIT, bits, make_data, make_model, run

        x, y = make_data(64)
        model, again = make_model(optimizer="adam"), make_model(optimizer="adam")

        def interrupt():
            while model.optimizer.iterations == 0:
                time.sleep(0.01)
            time.sleep(0.2)
            os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=interrupt).start()
        try:
            model.fit(x, y, epochs=10**8, batch_size="full", shuffle=False, verbose=0)
        except KeyboardInterrupt:
            pass
        steps = model.optimizer.iterations
        assert 0 < steps < 10**8
        again.fit(x, y, epochs=steps, batch_size="full", shuffle=False, verbose=0)
        assert bits(model) == bits(again)
        """
    )


# ---- fork ------------------------------------------------------------------------------------------------------------
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_fork_after_training():
    """The child trains and predicts with two threads and gets what the parent gets; so does its own child."""
    run(
        """
        import os, signal, warnings
        import pynn
        from helpers import TIME_LIMIT, bits, make_data, make_model, run

        warnings.simplefilter("ignore")
        signal.alarm(40)  # a child that hangs is killed, and the parent tells
        pynn.config.set_num_threads(2)
        x, y = make_data(200)
        model = make_model()
        model.fit(x, y, epochs=2, verbose=0)
        copy = make_model()

        def forked(work):
            child = os.fork()
            if child == 0:
                signal.alarm(20)
                work()
                os._exit(0)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

        def work():
            assert pynn.config.get_num_threads() == 2
            copy.fit(x, y, epochs=2, verbose=0)
            assert bits(copy) == bits(model)
            assert copy.predict(x, verbose=0).tobytes() == model.predict(x, verbose=0).tobytes()

        forked(lambda: (work(), forked(lambda: model.predict(x, verbose=0))))
        work()
        """
    )


def test_fork_while_another_thread_trains():
    """The child has its own team and trains a model of its own; the parent's training goes on as if alone."""
    run(
        """
        import os, signal, threading, time, warnings
        import pynn
        from helpers import TIME_LIMIT, bits, make_data, make_model, run

        warnings.simplefilter("ignore")
        signal.alarm(50)
        pynn.config.set_num_threads(2)

        def wide():
            pynn.set_random_seed(1)
            model = pynn.Sequential([pynn.Input((5,)), pynn.layers.Dense(3000), pynn.layers.Dense(3)])
            model.compile("adam", pynn.losses.SparseCategoricalCrossentropy(from_logits=True))
            return model

        x, y = make_data(640)
        model, alone = wide(), wide()
        thread = threading.Thread(target=lambda: model.fit(x, y, epochs=180, verbose=0))
        thread.start()
        while model.optimizer.iterations == 0:
            time.sleep(0.001)
        for _ in range(3):
            child = os.fork()
            if child == 0:
                signal.alarm(20)
                mine = wide()
                mine.fit(x[:64], y[:64], verbose=0)
                mine.predict(x, verbose=0)
                os._exit(0)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert thread.is_alive()
        thread.join()
        alone.fit(x, y, epochs=180, verbose=0)
        assert bits(model) == bits(alone)
        """
    )


def test_fork_pool_of_processes():
    run(
        """
        import multiprocessing, warnings
        import pynn
        from helpers import make_data, make_model

        warnings.simplefilter("ignore")
        x, y = make_data(100)
        model = make_model()
        model.fit(x, y, verbose=0)

        def score(seed):
            twin = make_model(seed=seed)
            return twin.fit(x, y, epochs=3, verbose=0).history["loss"][-1]

        with multiprocessing.get_context("fork").Pool(2) as pool:
            assert pool.map_async(score, range(4)).get(40) == [score(seed) for seed in range(4)]
        """
    )


FORKS_IN_A_HANDLER = """
import os, signal, threading, time, warnings
import numpy as np
import pynn

warnings.simplefilter("ignore")
signal.alarm(50)
pynn.config.set_num_threads({threads})
children = []


def fork(*_):
    children.append(os.fork())
    if children == [0]:
        signal.alarm(20)  # one that hangs is killed, and the parent tells


def model():
    network = pynn.Sequential([pynn.Input((1000,)), pynn.layers.Dense(1500), pynn.layers.Dense(10)])
    network.compile("sgd", "mse")
    return network


signal.signal(signal.SIGUSR1, fork)
x, first = np.zeros((6000, 1000), np.float32), model()
expected = first.predict(x[:300], verbose=0).tobytes()
threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGUSR1)).start()
ended = False
try:
    while not children:
        {call}
except RuntimeError as error:
    assert "forked by a signal handler" in str(error), error
    ended = True
if children == [0]:  # it works on, with models of its own
    second = model()
    second.set_weights(first.get_weights())
    assert {unchanged} or second.predict(x[:300], verbose=0).tobytes() == expected
    second.fit(x[:600], np.zeros((600, 10)), batch_size=300, verbose=0)
    os._exit(7 if ended else 8)
assert not ended
print(os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1]))
"""


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("threads", [2, *slow(1, 3)])
@pytest.mark.parametrize(
    "call",
    ["first.predict(x, verbose=0)", "first.fit(x, np.zeros((6000, 10)), batch_size=300, verbose=0)"],
    ids=["predict", "fit"],
)
def test_fork_in_a_signal_handler(call, threads):
    """The child has none of the team's other members: what it returned into ends with RuntimeError. Where the region
    had one member only, it goes on."""
    status = run(FORKS_IN_A_HANDLER.format(threads=threads, call=call, unchanged="fit" in call)).strip()
    # A team that other processes hold up gives way to one member, so it is either
    assert status in (("8",) if threads == 1 else ("7", "8"))


# ---- limits of the process -------------------------------------------------------------------------------------------
WITHOUT_ROOM = """
import resource
import warnings
import numpy as np
import pynn

model = pynn.Sequential([pynn.Input((600,)), pynn.layers.Dense(700), pynn.layers.Dense(10)])
model.compile("sgd", "mse")
x, y = np.ones((3000, 600), np.float32), np.ones((3000, 10), np.float32)
pynn.config.set_num_threads(1)
expected = model.predict(x, verbose=0)
before = model.get_weights()
model.fit(x, y, batch_size=100, verbose=0)
trained = model.get_weights()
model.set_weights(before)
pynn.config.set_num_threads(6)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + ({room} << 20), resource.RLIM_INFINITY))
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    for _ in range(3):
        assert model.predict(x, verbose=0).tobytes() == expected.tobytes()
assert told, "nothing was said"
words = str(told[0].message).split()
assert told[0].category is RuntimeWarning, told[0]
assert words[:4] == ["pynn", "wanted", "6", "threads,"], words
had = int(words[words.index("start") + 1])
assert had < 6, words
warnings.simplefilter("ignore")
model.fit(x, y, batch_size=100, verbose=0)
assert all(a.tobytes() == b.tobytes() for a, b in zip(model.get_weights(), trained))
print(had)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="asks /proc for the size of the process")
def test_threads_that_cannot_be_started_are_done_without():
    """Stacks of 256 MB: no room for any, or for one or two. Results are those of all threads."""
    import resource

    def large_stacks():
        resource.setrlimit(resource.RLIMIT_STACK, (256 << 20, resource.getrlimit(resource.RLIMIT_STACK)[1]))

    assert run(WITHOUT_ROOM.format(room=100), preexec_fn=large_stacks).strip() == "1"
    assert int(run(WITHOUT_ROOM.format(room=700), preexec_fn=large_stacks)) in (2, 3)


# ---- errors inside a parallel region ---------------------------------------------------------------------------------
@pytest.mark.parametrize("threads", [1, 2, 3, 4, 7])
def test_error_in_a_team_is_raised(threads):
    for rank in range(threads):
        with pytest.raises(RuntimeError):
            core.raise_in_team(rank, threads)
    x, y = make_data()
    pynn.config.set_num_threads(threads)
    assert np.isfinite(make_model().fit(x, y, verbose=0).history["loss"][0])


# ---- Python threads --------------------------------------------------------------------------------------------------
def in_threads(works):
    """Run the functions at the same time; returns what each returned or raised."""
    results, gate = [None] * len(works), threading.Barrier(len(works))

    def call(i):
        gate.wait()
        try:
            results[i] = works[i]()
        except Exception as error:
            results[i] = error

    threads = [threading.Thread(target=call, args=(i,)) for i in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIME_LIMIT)
        assert not thread.is_alive()
    return results


def test_second_fit_of_a_model_is_refused():
    """Also all else that would disturb the first, or see its weights half changed: it goes on as if alone."""
    x, y = make_data(2000)
    model, alone = make_model(), make_model()
    first = threading.Thread(target=lambda: model.fit(x, y, batch_size=1, epochs=200, shuffle=False, verbose=0))
    first.start()
    while model.optimizer.iterations == 0:
        time.sleep(0.001)
    calls = (
        lambda: model.fit(x, y, verbose=0),
        lambda: model.train_on_batch(x, y),
        lambda: model.predict(x, verbose=0),
        lambda: model.evaluate(x, y, verbose=0),
        lambda: model.compile("adam", "sparse_categorical_crossentropy"),
        lambda: model.add(pynn.layers.Dense(2)),
    )
    for call in calls:
        with pytest.raises(RuntimeError, match=r"thread|train"):
            call()
    assert first.is_alive()
    first.join(TIME_LIMIT)
    assert not first.is_alive()
    alone.fit(x, y, batch_size=1, epochs=200, shuffle=False, verbose=0)
    assert bits(model) == bits(alone)
    assert np.isfinite(model.fit(x, y, verbose=0).history["loss"][0])


def test_two_models_in_two_threads_train_as_one_after_the_other():
    x, y = make_data(500)
    models = [make_model(optimizer=name) for name in ("sgd", "adam")]
    alone = [make_model(optimizer=name) for name in ("sgd", "adam")]
    fits = [lambda m=m: m.fit(x, y, batch_size=5, epochs=10, shuffle=False, verbose=0) for m in models]
    assert not any(isinstance(result, Exception) for result in in_threads(fits))
    for model, twin in zip(models, alone, strict=True):
        twin.fit(x, y, batch_size=5, epochs=10, shuffle=False, verbose=0)
        assert bits(model) == bits(twin)


def test_predict_from_many_threads():
    model = make_model()
    data = [make_data(rows, seed=rows)[0] for rows in (1, 3, 17, 64, 200, 1000)]
    expected = [model.predict(x, verbose=0) for x in data]
    works = [lambda x=x: [model.predict(x, verbose=0) for _ in range(30)] for x in data]
    for results, wanted in zip(in_threads(works), expected, strict=True):
        for result in results:
            np.testing.assert_array_equal(result, wanted)


def test_learning_rate_may_change_while_training():
    x, y = make_data(500)
    model = make_model()

    def slow_down():
        for _ in range(100):
            model.optimizer.learning_rate = 0.001

    results = in_threads([lambda: model.fit(x, y, batch_size=5, epochs=20, verbose=0), slow_down])
    assert not any(isinstance(result, Exception) for result in results)
    assert model.optimizer.learning_rate == pytest.approx(0.001)


# ---- other libraries in the process ----------------------------------------------------------------------------------
def test_blas_of_numpy_is_left_alone():
    """Importing and training change nothing about the threads of NumPy's BLAS."""
    pytest.importorskip("threadpoolctl")
    printed = run(
        """
        import numpy as np
        from threadpoolctl import threadpool_info

        def numpy_blas():
            found = [p for p in threadpool_info() if "numpy" in p["filepath"]]
            return [(p["filepath"], p["num_threads"]) for p in found if p["user_api"] == "blas"]

        np.ones((300, 300)) @ np.ones((300, 300))
        before = numpy_blas()
        print(before)
        import pynn
        from helpers import make_data, make_model

        assert numpy_blas() == before
        model = pynn.Sequential([pynn.Input((700,)), pynn.layers.Dense(600), pynn.layers.Dense(5)])
        model.compile(loss="mse")
        model.fit(np.zeros((600, 700)), np.zeros((600, 5)), batch_size="full", verbose=0)
        assert numpy_blas() == before
        """
    )
    if printed.startswith("[]"):
        pytest.skip("threadpoolctl finds no BLAS that is NumPy's own")


def test_threads_limit_from_outside_changes_no_bits():
    threadpoolctl = pytest.importorskip("threadpoolctl")
    x = np.random.default_rng(1).normal(size=(300, 500)).astype(np.float32)
    model = pynn.Sequential([pynn.Input((500,)), pynn.layers.Dense(400)])
    expected = model.predict(x, verbose=0)
    for limit in (1, 4):
        with threadpoolctl.threadpool_limits(limits=limit):
            np.testing.assert_array_equal(model.predict(x, verbose=0), expected)


def test_number_of_threads_follows_affinity():
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("no processor affinity on this system")
    kept = {k: v for k, v in os.environ.items() if k not in ("PYNN_NUM_THREADS", "OMP_NUM_THREADS")}
    one = min(os.sched_getaffinity(0))
    program = f"import os; os.sched_setaffinity(0, [{one}]); import pynn; print(pynn.config.get_num_threads())"
    assert int(run(program, env=kept)) == 1


def test_signal_handler_is_left_alone():
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_predict_beside_fit_does_not_end_the_fit():
    """Who predicts while another thread trains gets an answer or RuntimeError; the training goes on."""
    x, y = make_data(400)
    model, alone = make_model(), make_model()
    stop, answers = threading.Event(), []

    def predict():
        while not stop.is_set():
            with contextlib.suppress(RuntimeError):
                answers.append(np.isfinite(model.predict(x, verbose=0)).all())

    readers = [threading.Thread(target=predict) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        history = model.fit(x, y, epochs=100, validation_data=(x, y), verbose=0)
    finally:
        stop.set()
        for reader in readers:
            reader.join(TIME_LIMIT)
    assert all(answers)
    assert history.history == alone.fit(x, y, epochs=100, validation_data=(x, y), verbose=0).history
    assert bits(model) == bits(alone)


def test_first_predictions_from_many_threads_agree():
    x = make_data(3)[0]
    for _ in range(20):
        model = pynn.Sequential([pynn.layers.Dense(4), pynn.layers.Dense(2)])
        results = in_threads([lambda m=model: m.predict(x, verbose=0) for _ in range(6)])
        for result in results:
            np.testing.assert_array_equal(result, model.predict(x, verbose=0))
