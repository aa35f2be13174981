"""Every model passes the shared checks."""

import pytest

from tests.cases import CASES
from tests.checks import check_generative_model


@pytest.mark.parametrize("name", CASES)
def test_generative_model(name, digits, tmp_path):
    check_generative_model(CASES[name], digits, tmp_path)
