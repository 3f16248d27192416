# SPDX-License-Identifier: Apache-2.0
"""The spot lab: a throw-away Airflow, its REST API and the power to take machines away, in one object.

Wiring only. It decides nothing that :mod:`.stack`, :mod:`.client` and :mod:`.reclaim` do not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_interruptible.testing.attempts import AttemptsReader
from airflow_interruptible.testing.client import AirflowClient
from airflow_interruptible.testing.errors import LabError
from airflow_interruptible.testing.reclaim import Machine, Reclaimed
from airflow_interruptible.testing.records import NOT_MAPPED, DagRun, Try
from airflow_interruptible.testing.stack import AirflowStack

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self


class SpotLab:
    """A real Airflow that runs your Dags, and takes the machine away from under their tasks when you say so.

    ::

        with SpotLab("dags") as lab:
            run = lab.trigger("train", conf={"epochs": 3})
            lab.wait_until_running(run, "fit")
            lab.reclaim(run, "fit", grace=5)
            assert lab.client.wait_for_run(run).state == "success"
            assert [attempt["charge"] for attempt in lab.attempts(run, "fit")] == ["system", "none"]

    :param dags_folder: the Dag files it runs.
    :param options: as :class:`.AirflowStack` takes them.
    """

    def __init__(self, dags_folder: Path | str, **options: Any) -> None:
        self.stack = AirflowStack(dags_folder, **options)
        self.client = AirflowClient(self.stack.base_url)
        self._reader = AttemptsReader(self.stack)

    def __enter__(self) -> Self:
        """Start the stack and wait until it is up."""
        self.stack.up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End every process of the stack."""
        self._reader.close()
        self.stack.down()

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None, run_id: str | None = None) -> DagRun:
        """Wait until the Dag is parsed, and start a run of it."""
        self.client.wait_for_dag(dag_id)
        return self.client.trigger(dag_id, conf, run_id)

    def wait_until_running(
        self,
        run: DagRun,
        task_id: str,
        *,
        map_index: int = NOT_MAPPED,
        try_number: int | None = None,
        timeout: float | None = None,
    ) -> Try:
        """Wait until a try of a task runs: it has a process, which may still be importing the Dag file."""
        return self.client.wait_for_state(
            run, task_id, "running", map_index=map_index, try_number=try_number, timeout=timeout
        )

    def attempts(self, run: DagRun, task_id: str, map_index: int = NOT_MAPPED) -> list[dict[str, Any]]:
        """What ``airflow interruptible attempts --output json`` prints about a task instance, oldest first.

        :return: an empty list, where there is no such task instance.
        :raises LabError: its history cannot be read.
        """
        key = (run.dag_id, task_id, run.run_id, map_index)
        return list(self._reader.read({task_id: key})[task_id].attempts)

    def machine(self, run: DagRun, task_id: str, map_index: int = NOT_MAPPED) -> Machine:
        """The machine that the task runs on; waits until it runs on one."""
        running = self.wait_until_running(run, task_id, map_index=map_index)
        if running.pid is None:
            raise LabError(f"Airflow reports no process for {run.dag_id}.{task_id}: its executor is not on this host.")
        return Machine.under(running.pid)

    def reclaim(self, run: DagRun, task_id: str, *, grace: float, map_index: int = NOT_MAPPED) -> Reclaimed:
        """Take the machine from under a task; see :meth:`.Machine.reclaim`."""
        return self.machine(run, task_id, map_index).reclaim(grace)

    def kill_task_process(self, run: DagRun, task_id: str, *, map_index: int = NOT_MAPPED) -> Reclaimed:
        """SIGKILL the task process and leave its supervisor; see :meth:`.Machine.kill_task_process`."""
        return self.machine(run, task_id, map_index).kill_task_process()
