# SPDX-License-Identifier: Apache-2.0
"""The application that the API server mounts at ``/interruptible``. Wiring only."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from fastapi import FastAPI

from airflow_interruptible.ui import api
from airflow_interruptible.ui.headers import SecurityHeaders

app = FastAPI(
    title="airflow-interruptible",
    docs_url=None,  # it would load its scripts from another host
    redoc_url=None,
)
app.add_middleware(SecurityHeaders)
app.include_router(api.router)
if find_spec("airflow_interruptible.ui.pages"):
    app.include_router(import_module("airflow_interruptible.ui.pages").router)
