# SPDX-License-Identifier: Apache-2.0
"""Progress that the next attempt finds, whole, whatever happened to the attempt that wrote it."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_interruptible import checkpoint
from airflow_interruptible.checkpoints import Checkpoint, CheckpointError
from airflow_interruptible.checkpoints.document import KEY
from airflow_interruptible.checkpoints.storage import Storage
from airflow_interruptible.worker import success
from airflow_interruptible.worker.notes import Notes

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Configure

BIG = bytes(range(256)) * 400


class FileStore:
    """A task state store that outlives the process: one JSON file, replaced as a database replaces a row."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def get(self, key: str) -> Any:
        return json.loads(self.path.read_text()).get(key) if self.path.exists() else None

    def set(self, key: str, value: Any) -> None:
        new = self.path.with_suffix(f".{threading.get_ident()}")
        new.write_text(json.dumps({key: value}))
        new.replace(self.path)

    def delete(self, key: str) -> None:
        self.path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Task:
    """A task instance. What it keeps is in ``home``, as with ``checkpoint_path``."""

    home: Path
    map_index: int = -1
    max_tries: int = 5
    key: str = field(default="work", repr=False)

    @property
    def store(self) -> FileStore:
        return FileStore(self.home / f"state{self.map_index}.json")

    def attempt(self, number: int = 1, notes: Notes | None = None) -> Checkpoint:
        storage = Storage("dag", "manual__2025-01-01T00:00:00+00:00", self.key, self.map_index)
        return Checkpoint(self.store, storage, self.max_tries, number, notes or Notes())

    def folders(self) -> list[str]:
        return sorted(path.name for path in self.home.glob("files/*/*/*/*/*"))


@pytest.fixture
def task(tmp_path: Path, configure: Configure) -> Task:
    configure(checkpoint_path=str(tmp_path / "files"))
    return Task(tmp_path)


def write(checkpoint: Checkpoint, value: Any, *, files: int = 3) -> None:
    """Save ``value``, and files that all say the same."""
    with checkpoint.save_files(value) as folder:
        for number in range(files):
            path = folder / f"layer {number}" / "weights.bin"
            path.parent.mkdir()
            path.write_bytes(json.dumps(value).encode() + BIG)


def read(checkpoint: Checkpoint) -> Any:
    """Return the value, None if there is none, after a look into every file that belongs to it."""
    value = checkpoint.load()
    with checkpoint.load_files() as folder:
        if folder is not None:
            contents = {path.read_bytes() for path in folder.rglob("weights.bin")}
            assert contents == {json.dumps(value).encode() + BIG}
        else:
            assert value is None or not isinstance(value, int)
    return value


def test_the_next_attempt_finds_it(task: Task) -> None:
    assert task.attempt(1).load(default=0) == 0
    task.attempt(1).save({"epoch": 3})
    assert task.attempt(1).load() == {"epoch": 3}
    assert task.attempt(2).load(default=0) == {"epoch": 3}
    assert not (task.home / "files").exists()  # small progress needs no storage


def test_the_next_attempt_finds_the_files(task: Task) -> None:
    write(task.attempt(1), 3)
    assert read(task.attempt(2)) == 3
    with task.attempt(2).load_files() as folder:
        assert folder is not None
        assert sorted(path.name for path in folder.iterdir()) == ["layer 0", "layer 1", "layer 2"]
        (folder / "layer 0" / "weights.bin").write_bytes(b"a copy, so nobody minds")
    assert not folder.exists()
    assert read(task.attempt(2)) == 3


def test_files_need_no_value(task: Task) -> None:
    with task.attempt(1).save_files() as folder:
        (folder / "model").write_bytes(b"x")
    with task.attempt(2).load_files() as found:
        assert found is not None
        assert (found / "model").read_bytes() == b"x"


def test_none_is_a_value(task: Task) -> None:
    task.attempt().save(None)
    assert task.attempt().load(default="nothing") is None


def test_where_there_is_none(task: Task) -> None:
    with task.attempt().load_files() as folder:
        assert folder is None
    task.attempt().save(1)
    with task.attempt().load_files() as folder:
        assert folder is None


def test_a_save_replaces_value_and_files(task: Task) -> None:
    write(task.attempt(), 1)
    write(task.attempt(), 2)
    assert read(task.attempt()) == 2
    assert len(task.folders()) == 1
    task.attempt().save("only a value")
    assert read(task.attempt()) == "only a value"
    assert task.folders() == []


def test_a_clear_starts_afresh(task: Task) -> None:
    write(task.attempt(2), 1)
    cleared = replace(task, max_tries=task.max_tries + 2)
    assert read(cleared.attempt(3)) is None
    cleared.attempt(3).save("afresh")
    assert read(cleared.attempt(4)) == "afresh"
    assert cleared.folders() == []


def test_each_index_of_a_mapped_task_has_its_own(task: Task) -> None:
    first, second = replace(task, map_index=0), replace(task, map_index=1)
    write(first.attempt(), 10)
    write(second.attempt(), 11)
    second.attempt().discard()
    assert (read(first.attempt()), read(second.attempt())) == (10, None)


def test_names_cannot_lead_out_of_the_storage(task: Task) -> None:
    write(replace(task, key="../../../../outside").attempt(), 1)
    assert [path.name for path in task.home.iterdir() if path.is_dir()] == ["files"]


def test_the_longest_names_fit_on_a_disk_and_stay_apart(task: Task) -> None:
    tasks = [replace(task, key=key) for key in ("t" * 249 + "1", "t" * 249 + "2", "学" * 250)]
    for number, each in enumerate(tasks):
        write(each.attempt(), number)
        each.store.path.rename(task.home / f"{number}.json")
    for number, each in enumerate(tasks):
        (task.home / f"{number}.json").rename(each.store.path)
        assert read(each.attempt(2)) == number


@pytest.mark.parametrize("lost", ["all of it", "one file", "half a file"])
def test_files_that_are_gone_take_the_value_with_them(
    task: Task, lost: str, warnings_of: Callable[[], list[str]]
) -> None:
    write(task.attempt(1), 1)
    victim = next(task.home.rglob("weights.bin"))
    if lost == "half a file":
        victim.write_bytes(victim.read_bytes()[:1000])
    elif lost == "one file":
        victim.unlink()
    else:
        (task.home / "files").rename(task.home / "another machine")
    assert task.attempt(2).load(default="from the beginning") == "from the beginning"
    with task.attempt(2).load_files() as folder:
        assert folder is None
    assert "Let [interruptible] checkpoint_path name storage that all workers share" in warnings_of()[0]
    write(task.attempt(2), 2)
    assert read(task.attempt(3)) == 2


# What cannot be saved.


@pytest.mark.parametrize(
    "value",
    [
        object(),
        {1, 2},
        b"bytes",
        float("nan"),
        [float("inf")],
        {"a": (1, 2)},
        {1: "a"},
        {None: 1},
        2**64,
        [-(2**63) - 1],
    ],
)
def test_what_json_cannot_give_back_is_refused(task: Task, value: Any) -> None:
    task.attempt().save("before")
    for save in (task.attempt().save, lambda value: write(task.attempt(), value)):
        with pytest.raises(CheckpointError, match="cannot be saved as a checkpoint's value"):
            save(value)
    assert task.attempt().load() == "before"


def test_half_a_character_and_a_circle_are_refused(task: Task) -> None:
    circle: list[Any] = []
    circle.append(circle)
    deep: Any = None
    for _ in range(100_000):
        deep = [deep]
    lost: Any = None
    for _ in range(51):
        lost = {"in": [lost]}
    for value in ("\ud800", circle, deep, lost):
        with pytest.raises(CheckpointError, match="Write anything else into a file"):
            task.attempt().save(value)


def test_what_is_too_big_for_the_store_is_refused(task: Task) -> None:
    task.attempt().save("x" * 65_000)
    with pytest.raises(CheckpointError, match=r"holds at most 65535 .*save_files"):
        task.attempt().save("x" * 66_000)


def test_an_empty_folder_is_a_mistake(task: Task) -> None:
    write(task.attempt(), 1)
    with pytest.raises(CheckpointError, match="Nothing was written"), task.attempt().save_files(2):
        pass
    assert read(task.attempt()) == 1


@pytest.mark.parametrize("path", ["checkpoints", "./checkpoints"])
def test_a_path_that_depends_on_who_reads_it_is_refused(configure: Configure, path: str) -> None:
    from airflow_interruptible.settings import get_settings

    configure(checkpoint_path=path)
    with pytest.raises(
        ValueError, match=r"checkpoint_path in section interruptible of airflow.cfg must be a URL or an absolute path"
    ):
        get_settings()


def test_a_scheme_that_nobody_knows(task: Task, configure: Configure) -> None:
    configure(checkpoint_path="tape://robot/7")
    with pytest.raises(CheckpointError, match=r"checkpoint_path 'tape://robot/7' cannot be used.*Install the provider"):
        write(task.attempt(), 1)


def test_by_default_it_is_below_airflow_home(task: Task, configure: Configure) -> None:
    configure(checkpoint_path="")
    write(task.attempt(), 1)
    assert read(task.attempt()) == 1
    assert str(task.attempt()._storage).startswith(
        f"{os.environ['AIRFLOW_HOME']}/interruptible-checkpoints/dag_id=dag/"
    )
    task.attempt().discard()


@pytest.mark.parametrize(
    "rubbish",
    ["rubbish", 7, [], {}, {"version": 2}, {"version": 1, "value": 1}],
)
def test_rubbish_in_the_store_is_no_checkpoint(task: Task, rubbish: Any, warnings_of: Callable[[], list[str]]) -> None:
    task.store.set(KEY, rubbish)
    assert task.attempt().load(default="nothing") == "nothing"
    assert "is not a checkpoint" in warnings_of()[0]
    task.attempt().save(1)
    assert task.attempt().load() == 1


def test_a_pointer_to_somewhere_else_is_rubbish(task: Task) -> None:
    write(task.attempt(), 1)
    treasure = task.home / "treasure"
    treasure.mkdir()
    document = task.store.get(KEY)
    document["folder"]["name"] = "../../../../../treasure"
    task.store.set(KEY, document)
    task.attempt().save(2)
    task.attempt().discard()
    assert treasure.exists()


GOOD = {"version": 1, "value": 1, "generation": 5, "attempt": 1, "host": "h", "time": "t", "folder": None}
forged = st.sampled_from([None, True, -1, 10**400, 1.5, "x", "x" * 60_000, [], {}, [[]], {"name": 5}])


@given(name=st.sampled_from(sorted(GOOD)), value=forged)
def test_a_forged_document_is_told_and_never_raised(name: str, value: Any) -> None:
    with tempfile.TemporaryDirectory() as home:
        task = Task(Path(home))
        task.store.set(KEY, {**GOOD, name: value})
        task.attempt(2).load()
        with task.attempt(2).load_files() as folder:
            assert folder is None


def test_a_file_that_grows_while_it_is_saved_can_be_loaded(task: Task) -> None:
    """A TensorBoard writer, a log handler, in a thread of its own."""
    for number in range(10):
        stop = threading.Event()

        def grow(path: Path, stop: threading.Event) -> None:
            with path.open("ab", buffering=0) as file:
                while not stop.is_set():
                    file.write(b"y" * 10)

        with task.attempt().save_files(number) as folder:
            (folder / "model").write_bytes(b"m" * 200_000)
            (folder / "log").touch()
            thread = threading.Thread(target=grow, args=(folder / "log", stop))
            thread.start()
        stop.set()
        thread.join()
        assert task.attempt(2).load() == number


def test_what_has_not_arrived_is_refused_and_the_last_one_stays(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    from fsspec.implementations.local import LocalFileSystem

    write(task.attempt(), 1)
    put = LocalFileSystem.put

    def cut(self: Any, sources: list[str], targets: list[str], **more: Any) -> None:
        put(self, sources, targets, **more)
        Path(targets[0]).write_bytes(b"")

    monkeypatch.setattr(LocalFileSystem, "put", cut)
    with pytest.raises(CheckpointError, match="has not been stored as it was written"):
        write(task.attempt(), 2)
    monkeypatch.undo()
    assert read(task.attempt(2)) == 1
    assert len(task.folders()) == 1


def test_the_folder_is_for_nobody_else(task: Task) -> None:
    write(task.attempt(), 1)
    (place,) = task.home.glob("files/*/*/*/map_index=*")
    assert place.stat().st_mode & 0o077 == 0


def test_names_from_a_bucket_cannot_lead_out(task: Task, configure: Configure) -> None:
    from airflow.sdk.io import attach
    from fsspec.implementations.memory import MemoryFileSystem

    fs = MemoryFileSystem()
    attach("memory", fs=fs)
    configure(checkpoint_path="memory://slip/checkpoints/")
    write(task.attempt(), 1, files=1)
    document = task.store.get(KEY)
    (key,) = [path for path in fs.store if path.startswith("/slip/") and path.endswith("weights.bin")]
    content, (folder, _) = fs.store.pop(key), key.split("/layer 0/")
    fs.store[f"{folder}/../../../../../../../../../../..{task.home}/slipped"] = content
    assert document["folder"]["files"] == 1
    with pytest.raises(CheckpointError, match="leads out of"), task.attempt(2).load_files():
        pass
    assert not (task.home / "slipped").exists()


# Killed at any moment.


class Killed(BaseException):
    """The process is gone: nothing of ours runs any more."""


@dataclass
class Fate:
    """Ends the process at the ``moment``-th thing it does to the outside world."""

    moment: int
    error: type[BaseException] = Killed
    done: int = 0

    def strikes(self) -> bool:
        self.done += 1
        return self.done == self.moment


class Mortal:
    """A file system or store through which fate strikes: before a call, in the middle of it, after it."""

    def __init__(self, inner: Any, fate: Fate) -> None:
        self._inner, self._fate = inner, fate

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            if self._fate.strikes():
                raise self._fate.error("before")
            if name == "put" and self._fate.strikes():
                sources, targets = args
                self._inner.put(sources[:1], targets[:1])
                Path(targets[1]).write_bytes(Path(sources[1]).read_bytes()[:100])
                raise self._fate.error("in the middle")
            result = getattr(self._inner, name)(*args, **kwargs)
            if self._fate.strikes():
                raise self._fate.error("after")
            return result

        return call


def doomed(task: Task, number: int, fate: Fate) -> Checkpoint:
    checkpoint = task.attempt(number)
    checkpoint._storage.__dict__["_fs"] = Mortal(checkpoint._storage._fs, fate)
    return replace(checkpoint, _store=Mortal(checkpoint._store, fate))


def test_killed_at_every_step(task: Task) -> None:
    """The next attempt finds the last checkpoint or the new one, and cleans up behind the dead."""
    seen = set()
    number = 1
    write(task.attempt(number), 0)
    for moment in range(1, 100):
        fate = Fate(moment)
        before = read(task.attempt(number))
        with suppress(Killed):
            write(doomed(task, number, fate), before + 1)
        number += 1
        found = read(task.attempt(number))
        assert found in (before, before + 1)
        seen.add(found - before)
        write(task.attempt(number), found)
        assert len(task.folders()) == 1
        if fate.done < moment:
            break
    assert moment > 12
    assert seen == {0, 1}


def test_a_failure_at_every_step(task: Task) -> None:
    """The error is raised or the checkpoint is saved; retried within the same attempt, nothing piles up."""
    write(task.attempt(), 0)
    for moment in range(1, 100):
        fate = Fate(moment, OSError)
        before = read(task.attempt())
        raised = None
        try:
            write(doomed(task, 1, fate), before + 1)
        except OSError as error:
            raised = error
        found = read(task.attempt())
        assert found == before + 1 or (raised is not None and found == before)
        if fate.done < moment:
            break
    write(task.attempt(2), 1000)
    assert len(task.folders()) == 1
    assert moment > 12


def test_a_failed_upload_leaves_nothing(task: Task) -> None:
    write(task.attempt(), 0)
    middle_of_put = next(
        moment for moment in range(1, 20) if "in the middle" in str(raised_by(task, Fate(moment, OSError)))
    )
    before = task.folders()
    raised_by(task, Fate(middle_of_put, OSError))
    assert task.folders() == before


def raised_by(task: Task, fate: Fate) -> OSError | None:
    try:
        write(doomed(task, 1, fate), 1)
    except OSError as error:
        return error
    return None


def test_code_that_raises_while_it_writes_changes_nothing(task: Task) -> None:
    write(task.attempt(), 1)

    def fail() -> None:
        with task.attempt().save_files(2) as folder:
            (folder / "half").write_bytes(b"x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert read(task.attempt()) == 1
    assert len(task.folders()) == 1


def test_a_process_killed_again_and_again(task: Task) -> None:
    """SIGKILL at a random moment of an endless loop of saves: what is read afterwards is whole, and never older."""
    last = 0
    write(task.attempt(), 0)
    fork = multiprocessing.get_context("fork")
    for number in range(2, 22):
        victim = fork.Process(target=save_forever, args=(task, number), daemon=True)
        victim.start()
        wait_for_progress(task, last + random.randrange(1, 4))
        assert victim.pid is not None
        os.kill(victim.pid, signal.SIGKILL)
        victim.join(30)
        found = read(task.attempt(number + 1))
        assert found > last
        last = found
    write(task.attempt(100), last)
    assert len(task.folders()) == 1


def save_forever(task: Task, number: int) -> None:
    checkpoint = task.attempt(number)
    value = checkpoint.load()
    while True:
        value += 1
        write(checkpoint, value)


def wait_for_progress(task: Task, value: int) -> None:
    deadline = time.monotonic() + 60
    while task.store.get(KEY)["value"] < value:
        assert time.monotonic() < deadline, f"no checkpoint {value} within 60 s"


class Meanwhile(FileStore):
    """A store that something happens to between an upload and its switch."""

    def __init__(self, path: Path, happens: Callable[[], None]) -> None:
        super().__init__(path)
        self._happens = [happens]

    def get(self, key: str) -> Any:
        while self._happens:
            self._happens.pop()()
        return super().get(key)


def test_two_threads_save_at_once(task: Task) -> None:
    """As ``on_interruption_callback`` may, while the task's own code is in the middle of a save."""
    write(task.attempt(1), 0)
    callback = task.attempt(2)
    own = replace(task.attempt(2), _store=Meanwhile(task.store.path, lambda: write(callback, 2)))
    write(own, 1)
    assert read(task.attempt(3)) == 1
    with ExitStack() as together:
        for number in range(3, 7):
            thread = threading.Thread(target=write, args=(task.attempt(2), number))
            thread.start()
            together.callback(thread.join, 30)
    assert read(task.attempt(3)) in range(3, 7)
    write(task.attempt(3), 9)
    assert len(task.folders()) == 1


# The end.


def test_discard(task: Task) -> None:
    write(task.attempt(1), 1)
    task.attempt(1).discard()
    assert read(task.attempt(2)) is None
    assert task.folders() == []
    task.attempt(2).discard()


def test_discard_never_raises_and_deletes_no_files_that_count(task: Task, warnings_of: Callable[[], list[str]]) -> None:
    found = []
    for moment in range(1, 7):
        write(task.attempt(), 1)
        doomed(task, 1, Fate(moment, OSError)).discard()
        found.append(read(task.attempt()))
    assert found == [1, 1, 1, None, None, None]  # get, get, delete | deleted, rm, rm
    assert {warning.partition(",")[0] for warning in warnings_of()} == {"The checkpoint could not be deleted"}


def test_discard_does_not_swallow_what_ends_the_process(task: Task) -> None:
    write(task.attempt(), 1)
    with pytest.raises(Killed):
        doomed(task, 1, Fate(3)).discard()


# In a bucket.


def test_storage_that_is_not_a_disk(task: Task, configure: Configure) -> None:
    from airflow.sdk.io import attach
    from fsspec.implementations.memory import MemoryFileSystem

    attach("memory", fs=MemoryFileSystem())
    configure(checkpoint_path="memory://bucket/checkpoints/")
    for value in (1, 2):
        write(task.attempt(value), value)
    assert read(task.attempt(3)) == 2
    assert len([path for path in MemoryFileSystem.store if "weights" in path]) == 3
    task.attempt(3).discard()
    assert not [path for path in MemoryFileSystem.store if "weights" in path]


# Round trips.

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
NAMES = st.text(
    st.characters(codec="ascii", exclude_characters="/\0", exclude_categories=["Cc"]), min_size=1, max_size=20
)
FILES = st.dictionaries(
    NAMES.filter(lambda name: name not in (".", "..")), st.binary(max_size=300), min_size=1, max_size=4
)


@given(value=JSON)
def test_what_can_be_saved_comes_back(value: Any) -> None:
    with tempfile.TemporaryDirectory() as home:
        Task(Path(home)).attempt(1).save(value)
        found = Task(Path(home)).attempt(2).load(default=object())
    assert found == value
    assert repr(found) == repr(value)


@given(value=JSON, files=FILES, depth=st.integers(0, 3))
def test_files_come_back_under_their_names(value: Any, files: dict[str, bytes], depth: int) -> None:
    from airflow.sdk import ObjectStoragePath

    with tempfile.TemporaryDirectory() as home, pytest.MonkeyPatch.context() as patch:
        patch.setattr("airflow_interruptible.checkpoints.storage._base", lambda: ObjectStoragePath(f"{home}/files"))
        with Task(Path(home)).attempt(1).save_files(value) as folder:
            inner = folder.joinpath(*["deeper"] * depth)
            inner.mkdir(parents=True, exist_ok=True)
            for name, content in files.items():
                (inner / name).write_bytes(content)
        checkpoint = Task(Path(home)).attempt(2)
        with checkpoint.load_files() as found:
            assert found is not None
            inner = found.joinpath(*["deeper"] * depth)
            assert {path.name: path.read_bytes() for path in inner.iterdir()} == files
        assert checkpoint.load() == value


# Inside a task of Airflow's.


@dataclass
class TaskInstance:
    """The part of Airflow's ``RuntimeTaskInstance`` that is used."""

    id: str = "id-1"
    dag_id: str = "dag"
    run_id: str = "run"
    task_id: str = "work"
    map_index: int | None = None
    try_number: int = 1
    max_tries: int = 5


def test_outside_of_a_task(task: Task) -> None:
    with pytest.raises(CheckpointError, match="called where no task runs"):
        checkpoint()


def test_inside_a_task_until_it_has_succeeded(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk.listener import get_listener_manager

    ti = TaskInstance()
    monkeypatch.setattr("airflow.sdk.get_current_context", lambda: {"ti": ti, "task_state_store": task.store})
    write(checkpoint(), 1)
    write(checkpoint(), 2)
    ti.id, ti.try_number = "id-2", 2
    assert read(checkpoint()) == 2
    succeed = get_listener_manager().hook.on_task_instance_success
    succeed(previous_state="running", task_instance=TaskInstance(id="another task"))
    assert read(checkpoint()) == 2
    succeed(previous_state="running", task_instance=ti)
    assert read(checkpoint()) is None
    assert task.folders() == []


def test_without_listeners_it_works_and_stays(
    task: Task, monkeypatch: pytest.MonkeyPatch, warnings_of: Callable[[], list[str]]
) -> None:
    ti = TaskInstance(id="id-3")
    monkeypatch.setattr("airflow.sdk.get_current_context", lambda: {"ti": ti, "task_state_store": task.store})
    monkeypatch.setitem(__import__("sys").modules, "airflow.sdk.listener", None)
    checkpoint().save(1)
    assert checkpoint().load() == 1
    assert "nobody cleans up after a success" in warnings_of()[0]
    success._waiting.clear()


# -- what the ledger will say of it


def test_saving_and_finding_are_noted(task: Task) -> None:
    first, second = Notes(), Notes()
    task.attempt(1, first).load()
    assert first.checkpoint is None, "there was nothing to be found"
    task.attempt(1, first).save(1)
    assert first.checkpoint is not None
    assert first.checkpoint == {"at": task.store.get(KEY)["time"], "loaded": False}
    task.attempt(2, second).load()
    assert second.checkpoint == {"at": None, "loaded": True}
    task.attempt(2, second).save(2)
    assert second.checkpoint == {"at": task.store.get(KEY)["time"], "loaded": True}


def test_its_own_progress_is_not_an_earlier_attempt_s(task: Task) -> None:
    notes = Notes()
    task.attempt(1, notes).save(1)
    task.attempt(1, notes).load()
    assert notes.checkpoint is not None
    assert not notes.checkpoint["loaded"]


def test_files_that_are_found_are_noted_too(task: Task) -> None:
    with task.attempt(1).save_files() as folder:
        (folder / "model").write_bytes(b"1")
    notes = Notes()
    with task.attempt(2, notes).load_files():
        assert notes.checkpoint == {"at": None, "loaded": True}
