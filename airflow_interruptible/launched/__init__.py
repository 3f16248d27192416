# SPDX-License-Identifier: Apache-2.0
"""The kinds of work that operators launch on a service: one module for each, and :mod:`.work` for what they share.

Which operator launches which kind is one line in :mod:`airflow_interruptible.compute.launched`; what is done with any
of them, and in which order, is in :mod:`airflow_interruptible.operators.launched`.
"""
