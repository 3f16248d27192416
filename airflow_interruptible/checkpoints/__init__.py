# SPDX-License-Identifier: Apache-2.0
"""Checkpoints, all of them: progress that the next attempt finds.

:mod:`.progress` is what an author holds, :mod:`.document` what the task state store keeps of it, and :mod:`.storage`
where its files are.
"""

from airflow_interruptible.checkpoints.document import CheckpointError
from airflow_interruptible.checkpoints.progress import Checkpoint, checkpoint

__all__ = ["Checkpoint", "CheckpointError", "checkpoint"]
