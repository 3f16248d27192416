# SPDX-License-Identifier: Apache-2.0
"""``make demo``: a real Airflow trains a model while its machines are taken away, and keeps the contract."""
