# SPDX-License-Identifier: Apache-2.0
"""The compute that does nothing refuses options that would do nothing."""

from __future__ import annotations

import pytest

from airflow_interruptible.compute.none import NoCompute
from airflow_interruptible.exceptions import ConfigurationError


def test_options_without_an_effect_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="compute is 'none', so they would have no effect") as raised:
        NoCompute({"spot": "cheap"})
    assert "['spot']" in str(raised.value)
    assert "compute = queue" in str(raised.value)
