# SPDX-License-Identifier: Apache-2.0
"""The application that the API server mounts at ``/interruptible``. Wiring only."""

from __future__ import annotations

from fastapi import FastAPI

from airflow_interruptible import __version__
from airflow_interruptible.ui import api, pages
from airflow_interruptible.ui.headers import SecurityHeaders

app = FastAPI(
    title="airflow-interruptible",
    description="Attempts and interruptions of tasks, as the pages of airflow-interruptible show them. It asks for the "
    "rights that Airflow's own task instance pages ask for, Dag by Dag, and takes the same credentials.",
    version=__version__,
    docs_url=None,  # it would load its scripts from another host
    redoc_url=None,
)
app.add_middleware(SecurityHeaders)
app.include_router(api.router)
app.include_router(pages.router)
