import keras
import numpy as np
import pytest

from keras_gen.layers import ImagePool
from tests.conftest import host
from tests.conftest import tensor


def numbered(start, n):
    return np.arange(start, start + n, dtype="float32").reshape(n, 1)


def test_it_fills_then_exchanges():
    keras.utils.set_random_seed(0)
    pool = ImagePool(50, (1,))
    seen, exchanged = [], 0
    for start in range(0, 4_000, 8):
        shown = host(pool(tensor(numbered(start, 8)))).ravel()
        if start + 8 <= 50:  # the first pass unchanged
            np.testing.assert_array_equal(shown, np.arange(start, start + 8))
        if start >= 56:
            exchanged += (shown != np.arange(start, start + 8)).sum()
        seen.extend(shown)
    share = exchanged / (4_000 - 56)
    assert abs(share - 0.5) < 5 * 0.5 / np.sqrt(4_000)
    # The first fifty were shown when new, and may come once more; of the
    # others none is seen twice.
    late = [n for n in seen if n >= 50]
    assert len(late) == len(set(late))
    # All places take part: nearly all of the first fifty came once more.
    assert sum(seen.count(n) == 2 for n in range(48)) > 40


def test_nothing_is_lost():
    keras.utils.set_random_seed(1)
    pool = ImagePool(4, (1,))
    pool(tensor(numbered(0, 4)))
    shown = host(pool(tensor(numbered(10, 7)))).ravel()
    held = host(pool.pool).ravel()
    everything = sorted([*shown, *held])
    assert everything == sorted([0, 1, 2, 3, *range(10, 17)])
    assert list(shown[4:]) == [14, 15, 16]  # more than there are places


def test_of_size_zero_all_pass():
    x = numbered(3, 5)
    np.testing.assert_array_equal(host(ImagePool(0, (1,))(tensor(x))), x)


def test_bad_input():
    with pytest.raises(ValueError, match="`size` must be"):
        ImagePool(-1, (1,))
