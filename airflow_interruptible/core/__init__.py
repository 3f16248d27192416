# SPDX-License-Identifier: Apache-2.0
"""The rules of interruptible tasks as pure functions on values: no clock, no I/O, no Airflow."""
