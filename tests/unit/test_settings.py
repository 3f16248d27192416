# SPDX-License-Identifier: Apache-2.0
"""The ``[interruptible]`` section of airflow.cfg."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_interruptible.core.prices import Price
from airflow_interruptible.exceptions import ConfigurationError, InterruptibleError
from airflow_interruptible.settings import OPTIONS, Settings, get_settings

if TYPE_CHECKING:
    from collections.abc import Callable


def test_every_field_is_an_option_and_its_default_is_what_airflow_cfg_would_say() -> None:
    assert get_settings() == Settings()
    assert set(OPTIONS) == set(Settings.__dataclass_fields__)


@pytest.mark.parametrize("name", OPTIONS)
def test_an_example_is_another_value_that_can_be_meant(name: str) -> None:
    option = OPTIONS[name]
    assert option.why.endswith(".")
    if option.example is not None:
        assert option.read(option.example) != option.read(option.default)


def test_wrong_prices_cost_no_more_than_a_report(configure: Callable[..., None]) -> None:
    configure(prices="cheap")
    settings = get_settings()
    with pytest.raises(ConfigurationError, match=r"prices in section interruptible of airflow.cfg must be"):
        settings.price_list()
    configure(prices='{"m5.large": 0.1}')
    with pytest.raises(ConfigurationError, match=r"'m5.large' must hold spot and on_demand"):
        get_settings().price_list()
    configure(prices='{"default": {"spot": 0.1, "on_demand": 1}}')
    assert get_settings().price_list() == {"default": Price(0.1, 1.0)}


def test_settings_are_read_once_and_never_change(configure: Callable[..., None], monkeypatch: Any) -> None:
    first = get_settings()
    monkeypatch.setenv("AIRFLOW__INTERRUPTIBLE__SYSTEM_RETRIES", "9")
    assert get_settings() is first
    with pytest.raises(FrozenInstanceError):
        first.system_retries = 9  # type: ignore[misc]


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("default", "True", True),
        ("default", "t", True),
        ("default", "1", True),
        ("default", " false ", False),
        ("default", "0", False),
        ("default", "", None),
        ("default", " ", None),
        ("system_retries", "0", 0),
        ("system_retries", "12", 12),
        ("system_retry_delay", "0", timedelta(0)),
        ("system_retry_delay", "2.5", timedelta(seconds=2.5)),
        ("system_retry_delay", "86400", timedelta(days=1)),
        ("spot_timeout", "90", timedelta(seconds=90)),
        ("currency", "EUR", "EUR"),
        ("compute", "queue", "queue"),
        ("compute_options", '{"spot": "a", "on_demand": "b"}', {"spot": "a", "on_demand": "b"}),
        ("pod_compute", " karpenter ", "karpenter"),
        ("pod_compute_options", '{"spot": {}}', {"spot": {}}),
    ],
)
def test_what_can_be_meant(configure: Callable[..., None], key: str, text: str, value: object) -> None:
    configure(**{key: text})
    assert getattr(get_settings(), key) == value


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("default", "yes"),
        ("default", "None"),
        ("system_retries", "-1"),
        ("system_retries", "3.0"),
        ("system_retries", "many"),
        ("system_retries", "1000000"),
        ("system_retries", "9" * 5000),
        ("system_retry_delay", "-1"),
        ("system_retry_delay", "10s"),
        ("system_retry_delay", "86401"),
        ("system_retry_delay", "nan"),
        ("system_retry_delay", "inf"),
        ("spot_timeout", "5m"),
        ("compute_options", "spot"),
        ("compute_options", "[]"),
        ("compute_options", "[" * 100_000),
        ("compute_options", '{"spot": }'),
    ],
)
def test_what_cannot_be_meant_is_refused(configure: Callable[..., None], key: str, text: str) -> None:
    configure(**{key: text})
    with pytest.raises(ConfigurationError, match=f"^{key} in section interruptible of airflow.cfg must be") as raised:
        get_settings()
    message = str(raised.value)
    assert repr(text) in message
    assert ("Use " in message) or ("Write " in message)


@pytest.mark.parametrize("key", ["notices", "session_events"])
def test_the_way_out_is_about_the_option_itself(configure: Callable[..., None], key: str) -> None:
    configure(**{key: "perhaps"})
    with pytest.raises(ConfigurationError, match=f"{key} in section .* must be True or False") as raised:
        get_settings()
    assert "make every task interruptible" not in str(raised.value)


def test_a_wrong_setting_is_an_error_of_ours_and_a_value_error() -> None:
    assert issubclass(ConfigurationError, InterruptibleError)
    assert issubclass(ConfigurationError, ValueError)
