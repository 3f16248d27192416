# SPDX-License-Identifier: Apache-2.0
"""``python -m airflow_interruptible``."""

from airflow_interruptible.cli import main

main()
