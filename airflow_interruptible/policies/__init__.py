# SPDX-License-Identifier: Apache-2.0
"""Airflow's two kinds of policies: retry policies, and cluster policies."""
