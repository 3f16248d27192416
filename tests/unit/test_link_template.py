# SPDX-License-Identifier: Apache-2.0
"""Links to where an attempt ran: what is known goes into them as text, and no further."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_interruptible.link_template import links, read


@pytest.mark.parametrize(
    ("zone", "region"),
    [("eu-west-1b", "eu-west-1"), ("us-east1-c", "us-east1"), ("us-gov-west-1a", "us-gov-west-1"), ("1", None)],
)
def test_a_zone_tells_its_region_where_it_does(zone: str, region: str | None) -> None:
    found = links(read({"zone": "https://a.example/{region}"}), {"zone": zone})
    assert found == ({} if region is None else {"zone": f"https://a.example/{region}"})


@given(st.text(min_size=1))
def test_what_comes_from_outside_names_no_other_host_and_no_other_parameter(text: str) -> None:
    if any("\ud800" <= char <= "\udfff" for char in text):
        return
    found = links(read({"pod": "https://viewer.example/x?pod={pod}&of=us"}), {"pod": text})
    parts = urlsplit(found["pod"])
    assert (parts.netloc, parts.fragment, parts.path) == ("viewer.example", "", "/x")
    assert parse_qs(parts.query) == {"pod": [text], "of": ["us"]}


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ([], "no object"),
        ({"pod": "javascript:alert(1)"}, "must begin with"),
        ({"pod": 5}, "must begin with"),
        ({"pod": "https://a/{pod"}, "no template"),
        ({"pod": "https://a/{pod.__class__}"}, "only hold names"),
        ({"pod": "https://a/{0}"}, "only hold names"),
        ({"pod": "https://a/{pod!r}"}, "only hold names"),
        ({"pod": "https://a/{pod:>99999999}"}, "only hold names"),
    ],
)
def test_what_is_no_template_is_refused(document: object, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read(document)
