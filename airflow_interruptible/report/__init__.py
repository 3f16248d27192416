# SPDX-License-Identifier: Apache-2.0
"""Interruptions, hours and savings over all task instances of a range of time, from their ledgers.

What one attempt comes to is said in :mod:`.entry`, what many come to in :mod:`.totals`; both are pure. :mod:`.rows`
reads the database, and :mod:`.memory` keeps the API server from reading the same rows again.
"""
