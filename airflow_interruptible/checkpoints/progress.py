# SPDX-License-Identifier: Apache-2.0
"""Progress that the next attempt finds: ``checkpoint()`` inside a task.

A checkpoint is a small JSON value, and files if need be. Every save replaces the whole: files go to a new folder first,
then one write to the task state store switches to them. Killed at any moment, a task leaves the previous checkpoint or
the new one, never a mixture.

Works in any task of Airflow's, annotated or not. The surprising fact: what the task state store keeps survives a
clear, so the generation is written into it.
"""

from __future__ import annotations

import json
import logging
import socket
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from airflow_interruptible.checkpoints.document import KEY, CheckpointError, Folder, Saved, as_json
from airflow_interruptible.checkpoints.storage import Storage
from airflow_interruptible.worker.notes import Notes, notes_of
from airflow_interruptible.worker.success import after_success

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import Context

log = logging.getLogger(__name__)

_PREFIX = "checkpoint-"


def checkpoint() -> Checkpoint:
    """Return the checkpoint of the task that runs here.

    ::

        progress = checkpoint()
        for epoch in range(progress.load(default=0), 10):
            ...
            progress.save(epoch + 1)

    :raises CheckpointError: no task runs here.
    """
    context = _context()
    ti = context["ti"]
    storage = Storage(ti.dag_id, ti.run_id, ti.task_id, -1 if ti.map_index is None else ti.map_index)
    found = Checkpoint(context["task_state_store"], storage, ti.max_tries, ti.try_number, notes_of(ti))
    after_success(ti.id, "checkpoint", found.discard)
    return found


def _context() -> Context:
    from airflow.sdk import get_current_context

    try:
        return get_current_context()
    except RuntimeError as error:
        raise CheckpointError(
            "checkpoint() was called where no task runs. Call it in the task's own function or in execute(): not while "
            "the Dag file is parsed, and not in the process of a virtualenv, a pod or a container that a task starts."
        ) from error


@dataclass(frozen=True)
class Checkpoint:
    """The progress of one task instance, kept from attempt to attempt until the task succeeds or is cleared.

    Get it from :func:`checkpoint`. Its methods raise what Airflow or the storage raise when they cannot be reached.
    """

    _store: Any
    _storage: Storage
    generation: int
    attempt: int
    _notes: Notes = field(default_factory=Notes, compare=False, repr=False)

    def load(self, default: Any = None) -> Any:
        """Return the value of the last checkpoint, ``default`` if there is none.

        A checkpoint whose files are gone, say with the disk of a lost machine, is none; a warning tells so.
        """
        saved = self._last_whole()
        return default if saved is None else saved.value

    def save(self, value: Any) -> None:
        """Replace the checkpoint by ``value``, without files.

        :param value: what JSON holds, such as ``{"epoch": 3}``. At most ``[state_store] max_value_storage_bytes``,
            64 KB by default.
        :raises CheckpointError: JSON cannot hold it, or it is too big.
        """
        self._switch(self._to_save(value))

    @contextmanager
    def load_files(self) -> Iterator[Path | None]:
        """Give a local folder with a copy of the checkpoint's files, None if there are none.

        The copy is gone after the ``with`` block.
        """
        saved = self._last_whole()
        if saved is None or saved.folder is None:
            yield None
            return
        with _local_folder() as folder:
            self._storage.download(saved.folder, folder)
            yield folder

    @contextmanager
    def save_files(self, value: Any = None) -> Iterator[Path]:
        """Give an empty local folder; what is in it at the end of the ``with`` block replaces the checkpoint.

        ::

            with checkpoint().save_files({"epoch": 3}) as folder:
                torch.save(model.state_dict(), folder / "model.pt")

        If the block raises, the previous checkpoint stays.

        :param value: goes with the files, as it is at the beginning of the block; see :meth:`save`.
        :raises CheckpointError: the value cannot be saved, or the folder is empty at the end.
        """
        saved = self._to_save(value)  # first, since an hour of writing files should not end in its error
        with _local_folder() as folder:
            yield folder
            self._switch(replace(saved, folder=self._storage.upload(folder, self.attempt)))

    def discard(self) -> None:
        """Forget the checkpoint. Done for you after a success. Never raises: what cannot be deleted is logged."""
        try:
            last = self._last()
            self._store.delete(KEY)
            if last is not None and last.folder is not None:
                self._storage.remove()
        except Exception:
            log.warning("The checkpoint could not be deleted, and stays until somebody deletes it.", exc_info=True)

    def _last(self) -> Saved | None:
        """Return what is stored, of whatever generation."""
        try:
            return Saved.from_json(self._store.get(KEY))
        except CheckpointError as error:
            log.warning("%s", error)
            return None

    def _last_whole(self) -> Saved | None:
        saved = self._last()
        if saved is None or saved.generation != self.generation:
            return None
        if saved.folder is None or self._storage.holds(saved.folder):
            if saved.attempt < self.attempt:
                self._notes.loaded()
            return saved
        log.warning(
            "The checkpoint that attempt %d wrote on %s has lost its files: %s, as seen from here, does not hold them. "
            "So nothing is resumed. Let [interruptible] checkpoint_path name storage that all workers share.",
            saved.attempt,
            saved.host,
            self._storage,
        )
        return None

    def _to_save(self, value: Any) -> Saved:
        time = datetime.now(timezone.utc).isoformat(timespec="seconds")
        saved = Saved(as_json(value), self.generation, self.attempt, socket.gethostname(), time)
        size, limit = len(json.dumps(saved.to_json())), _limit()
        if 0 < limit < size:
            raise CheckpointError(
                f"The checkpoint's value takes {size} bytes in the task state store, which holds at most {limit} "
                "([state_store] max_value_storage_bytes). Write what is large into files: "
                "`with checkpoint().save_files(value) as folder`."
            )
        return saved

    def _switch(self, saved: Saved) -> None:
        """Make ``saved`` the checkpoint; from the ``set`` on, it is. Then delete what it has replaced."""
        last = self._last()
        self._store.set(KEY, saved.to_json())
        self._notes.saved(saved.time)
        replaced = None if last is None else last.folder
        if replaced or saved.folder:
            self._tidy(replaced, saved.folder)

    def _tidy(self, replaced: Folder | None, current: Folder | None) -> None:
        """Delete the folder that was replaced, and what earlier attempts left behind when they were killed.

        Other folders of this attempt stay: ``on_interruption_callback`` runs in a thread of its own and may be saving.
        """
        try:
            names = {replaced.name} if replaced else set()
            names.update(self._storage.folders_before(self.attempt))
            for name in names - ({current.name} if current else set()):
                self._storage.remove(name)
        except Exception:
            log.warning(
                "An old checkpoint could not be deleted from %s; the next save tries again.",
                self._storage,
                exc_info=True,
            )


@contextmanager
def _local_folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as name:
        yield Path(name)


def _limit() -> int:
    from airflow.configuration import conf

    return int(conf.getint("state_store", "max_value_storage_bytes", fallback=65535))
