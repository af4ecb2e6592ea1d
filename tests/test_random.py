"""The engine's random numbers: functions of seed, stream and position, and as random as they should be."""

import itertools

import numpy as np
import pytest

from pynn.foundation.native import core


def uniform(n, seed, stream):
    out = np.full(n, np.nan)
    core.random_uniform(out, seed, stream)
    return out


def permutation(n, seed, stream):
    out = np.full(n, -1)
    core.permutation(out, seed, stream)
    return out


def chi_square(counts):
    """Sum of (observed - expected)^2 / expected; about as large as there are bins."""
    expected = counts.sum() / counts.size
    return np.sum((counts - expected) ** 2) / expected


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7, 63, 1000])
def test_uniform_element_depends_on_its_position_only(n):
    np.testing.assert_array_equal(uniform(n, 5, 6), uniform(5000, 5, 6)[:n])


def test_uniform_differs_by_seed_and_stream():
    draws = [uniform(100, seed, stream) for seed, stream in itertools.product((0, 1, 2**32, 2**63), (0, 1, 2**32))]
    for a, b in itertools.combinations(draws, 2):
        assert not np.any(a == b)


def test_uniform_is_uniform():
    x = uniform(1_000_000, 1, 2)
    assert x.min() >= 0
    assert x.max() < 1
    assert np.unique(x).size > 999_000
    counts = np.histogram(x, bins=100, range=(0, 1))[0]
    assert 50 < chi_square(counts) < 170  # 99 degrees of freedom
    pairs = np.histogram2d(x[::2], x[1::2], bins=10, range=((0, 1), (0, 1)))[0]
    assert 50 < chi_square(pairs.ravel()) < 170
    assert abs(np.corrcoef(x[:-1], x[1:])[0, 1]) < 0.004


def test_uniform_uses_all_bits():
    bits = (uniform(100_000, 3, 4) * 2**53).astype(np.uint64)
    for bit in range(24, 53):  # at least those of float32 and some more
        assert abs(np.mean((bits >> np.uint64(bit)) & np.uint64(1)) - 0.5) < 0.01


@pytest.mark.parametrize("n", [1, 2, 3, 10, 1000, 65_537])
def test_permutation_is_one(n):
    np.testing.assert_array_equal(np.sort(permutation(n, 1, 2)), np.arange(n))
    np.testing.assert_array_equal(permutation(n, 1, 2), permutation(n, 1, 2))


def test_permutation_differs_by_seed_and_stream():
    draws = [permutation(50, seed, stream) for seed, stream in itertools.product(range(3), range(3))]
    for a, b in itertools.combinations(draws, 2):
        assert not np.array_equal(a, b)


def test_permutation_of_four_comes_out_every_way_alike():
    every = {order: i for i, order in enumerate(itertools.permutations(range(4)))}
    counts = np.zeros(24)
    for stream in range(12_000):
        counts[every[tuple(permutation(4, 9, stream))]] += 1
    assert chi_square(counts) < 50  # 23 degrees of freedom


def test_permutation_moves_every_element_everywhere():
    draws = np.array([permutation(20, 4, stream) for stream in range(4000)])
    counts = np.array([np.bincount(draws[:, position], minlength=20) for position in range(20)])
    assert chi_square(counts.ravel()) < 500  # 361 degrees of freedom
