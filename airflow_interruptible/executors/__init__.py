# SPDX-License-Identifier: Apache-2.0
"""Executors that place attempts themselves, for those who prefer a public method to watching database sessions.

Each is Airflow's own executor with one public method in front, :meth:`queue_workload`. They come too late to move a
task to another executor, and to shorten the delay after a silent death; everything else is the same.
"""
