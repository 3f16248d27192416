# SPDX-License-Identifier: Apache-2.0
"""Airflow's metadata database for tests, on any server: this process uses it until it is gone again."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow import settings
from airflow.models import import_all_models
from airflow.models.base import Base
from airflow.utils.db import add_default_pool_if_not_exists, synchronize_log_template
from airflow.utils.session import create_session

if TYPE_CHECKING:
    from collections.abc import Iterator

_SETTING = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"


@contextmanager
def metadata_database(url: str | None = None) -> Iterator[None]:
    """Make the tables, from Airflow's models as ``airflow db migrate`` does for a new database.

    :param url: the ``[database] sql_alchemy_conn`` to go over to; by default the SQLite file of this process.
    """
    before = os.environ[_SETTING]
    _use(url or before)
    try:
        import_all_models()
        Base.metadata.create_all(settings.get_engine())
        with create_session(scoped=False) as session:
            add_default_pool_if_not_exists(session=session)
            synchronize_log_template(session=session)
        yield
    finally:
        if url is None:
            Base.metadata.drop_all(settings.get_engine())
        _use(before)


def _use(url: str) -> None:
    if os.environ[_SETTING] == url:
        return
    settings.dispose_orm(do_log=False)
    os.environ[_SETTING] = url
    settings.configure_vars()
    settings.configure_orm()
