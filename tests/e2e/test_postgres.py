# SPDX-License-Identifier: Apache-2.0
"""The throw-away PostgreSQL is a real one, and leaves nothing."""

from __future__ import annotations

import subprocess

import psycopg2
import pytest
from postgres import postgres

pytestmark = pytest.mark.e2e


def test_it_serves_and_goes() -> None:
    with postgres() as url:
        address = url.replace("+psycopg2", "")
        connection = psycopg2.connect(address)
        with connection.cursor() as cursor:
            cursor.execute("select count(*) from pg_locks")
            assert cursor.fetchone()[0] > 0
        connection.close()
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(address)
    port = address.rpartition(":")[2].partition("/")[0]
    listening = subprocess.run(["ps", "ax", "-o", "args"], capture_output=True, text=True, check=True).stdout
    assert f"port={port}" not in listening
