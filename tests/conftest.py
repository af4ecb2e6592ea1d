"""What all tests share: settings that a test changes do not reach the next one."""

import numpy as np
import pytest

import pynn


@pytest.fixture(autouse=True)
def settings():
    """Start from the same seed in every test, and put floatx, epsilon and the number of threads back after it."""
    floatx, epsilon, threads = pynn.config.floatx(), pynn.config.epsilon(), pynn.config.get_num_threads()
    pynn.set_random_seed(1)
    yield
    pynn.config.set_floatx(floatx)
    pynn.config.set_epsilon(epsilon)
    pynn.config.set_num_threads(threads)


@pytest.fixture
def random():
    """A NumPy generator with a fixed seed."""
    return np.random.default_rng(12345)
