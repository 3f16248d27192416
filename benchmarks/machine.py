# SPDX-License-Identifier: Apache-2.0
"""What the numbers were measured on, in one line."""

from __future__ import annotations

import os
import platform
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

import psutil


def line(command: str) -> str:
    """Return date, machine, versions and command.

    :param command: what takes the numbers again.
    """
    load = os.getloadavg()[0]
    parts = [
        f"{datetime.now(timezone.utc):%Y-%m-%d}",
        f"{psutil.cpu_count()} cores of {_cpu()}",
        f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        f"{platform.system()} {platform.release().split('-')[0]}",
        f"Python {platform.python_version()}",
        f"Airflow {version('apache-airflow-core')}",
        f"Task SDK {version('apache-airflow-task-sdk')}",
        f"airflow-interruptible {version('airflow-interruptible')}",
        f"load at the end {load:.1f}",
        f"`{command}`",
    ]
    return ", ".join(parts)


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "an unknown CPU"
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "an unknown CPU")
