# SPDX-License-Identifier: Apache-2.0
"""``@task.interruptible``, and ``@interruptible`` above any other TaskFlow decorator."""
