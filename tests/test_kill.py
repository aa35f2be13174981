import random

import pytest

from tests.conftest import BACKEND
from tests.kill import check


@pytest.mark.skipif(
    BACKEND != "torch", reason="files are written alike on every backend"
)
def test_killed_twice_and_resumed():
    """The long form is `python -m tests.kill --kills 10`."""
    epochs, same = check("gan", kills=2, rng=random.Random(0))
    assert len(epochs) == 2 and same
