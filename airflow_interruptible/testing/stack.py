# SPDX-License-Identifier: Apache-2.0
"""A throw-away, real Airflow: api-server, scheduler and Dag processor as processes of this machine.

Decides which components there are, in which order they start and stop, and when they count as up. It must not know
about Dag runs, tasks or interruptions.

Surprising: an api-server that answers its health check is not ready for workers. It builds the workers' API at the
first call to it, and answers nobody for the seconds that takes. So this is waited for too.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from airflow_interruptible.testing.component import Component
from airflow_interruptible.testing.configuration import (
    STACK_MARK,
    StackSettings,
    api_server_environment,
    stack_environment,
)
from airflow_interruptible.testing.errors import LabError
from airflow_interruptible.testing.polling import wait_until
from airflow_interruptible.testing.processes import kill_all, own_processes, variable_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    import psutil
    from typing_extensions import Self

API_SERVER = "api-server"
_HEALTH_SECONDS = 10.0
_HEARTBEAT = {
    "scheduler": ("scheduler", "latest_scheduler_heartbeat"),
    "dag-processor": ("dag_processor", "latest_dag_processor_heartbeat"),
    "triggerer": ("triggerer", "latest_triggerer_heartbeat"),
}


class AirflowStack:
    """A real Airflow that lives as long as the ``with`` block.

    It is configured by environment variables only and reads nothing of the user's configuration. Its processes are
    ended on leaving the block, or when Python exits; a SIGKILL of Python itself leaves them.

    :param dags_folder: the Dag files it runs.
    :param home: its AIRFLOW_HOME. None is a temporary directory that goes with the stack.
    :param executor: ``[core] executor``, as in airflow.cfg.
    :param sql_alchemy_conn: the database, for example of PostgreSQL. None is SQLite in ``home``.
    :param triggerer: whether to run one; deferrable operators need it.
    :param config: overrides of airflow.cfg, as ``{"scheduler": {"task_instance_heartbeat_timeout": 20}}``.
    :param env: further environment variables for its processes.
    :param base_path: the path below which it is served, such as ``/airflow``, as behind many a proxy.
    :param timeout: seconds there are to come up. Needs 25 on two idle cores, 90 on busy ones; a dead component ends the
        wait at once.
    :param keep_home: leave the temporary home, with all the logs, in place.
    """

    def __init__(
        self,
        dags_folder: Path | str,
        *,
        home: Path | str | None = None,
        executor: str = "LocalExecutor",
        sql_alchemy_conn: str | None = None,
        triggerer: bool = False,
        config: Mapping[str, Mapping[str, Any]] | None = None,
        env: Mapping[str, str] | None = None,
        base_path: str = "",
        timeout: float = 240.0,
        keep_home: bool = False,
    ) -> None:
        self._disposable = home is None and not keep_home
        self.home = Path(home or tempfile.mkdtemp(prefix="airflow-lab-")).resolve()
        self.home.mkdir(parents=True, exist_ok=True)
        api_port, worker_log_port, triggerer_log_port = _free_ports(3)
        self.settings = StackSettings(
            home=self.home,
            dags_folder=Path(dags_folder).resolve(),
            api_port=api_port,
            worker_log_port=worker_log_port,
            triggerer_log_port=triggerer_log_port,
            executor=executor,
            sql_alchemy_conn=sql_alchemy_conn,
            config=config or {},
            env=env or {},
            base_path=base_path,
        )
        self.env = stack_environment(self.settings, os.environ)
        names = [API_SERVER, "scheduler", "dag-processor", *(["triggerer"] if triggerer else [])]
        self.components = {name: Component(name, env=self._env_of(name), home=self.home) for name in names}
        self._timeout = timeout
        self._owner = os.getpid()

    @property
    def base_url(self) -> str:
        """Where the UI and the REST API answer; anybody is an admin there."""
        return self.settings.base_url

    def __enter__(self) -> Self:
        """Start everything and wait until it is up."""
        self.up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End everything."""
        self.down()

    def up(self) -> None:
        """Make the database, start all components and wait until they are up.

        :raises LabError: when a component dies or does not come up, with the end of its log. Nothing is left running,
            but the home directory stays.
        """
        atexit.register(self._at_exit)
        try:
            self.run("db", "migrate")
            for component in self.components.values():
                component.start()
            self._wait_for(*self.components)
        except BaseException:
            self._disposable = False
            self.down()
            raise

    def down(self, grace: float = 5.0) -> None:
        """End every process of this stack, also those that tasks left behind. Harmless when there are none.

        :param grace: seconds the components have, together, between SIGTERM and SIGKILL.
        """
        atexit.unregister(self._at_exit)
        components = list(reversed(self.components.values()))
        for component in components:
            component.ask_to_end()
        with contextlib.suppress(LabError):
            wait_until(
                lambda: [component.name for component in components if component.alive],
                lambda alive: not alive,
                what="the components to end",
                timeout=grace,
            )
        for component in components:
            component.kill()
        kill_all(process for process in own_processes() if variable_of(process, STACK_MARK) == self.settings.mark)
        if self._disposable:
            shutil.rmtree(self.home, ignore_errors=True)

    def start(self, name: str, *, wait: bool = True) -> None:
        """Start a stopped component and, unless told otherwise, wait until it is up (which needs a live api-server)."""
        self._component(name).start()
        if wait:
            self._wait_for(name)

    def stop(self, name: str, grace: float = 10.0) -> None:
        """SIGTERM a component, and SIGKILL what is left of it and its children after the grace (seconds).

        A scheduler with LocalExecutor first waits for its running tasks.
        """
        self._component(name).end(grace)

    def kill(self, name: str, *, children: bool = True) -> None:
        """SIGKILL a component and, as when its machine dies, its children.

        :param children: False kills the process alone; with LocalExecutor its running tasks then carry on.
        """
        self._component(name).kill(session=children)

    def restart(self, name: str, *, wait: bool = True) -> None:
        """Stop a component and start it again."""
        self.stop(name)
        self.start(name, wait=wait)

    def processes(self) -> list[psutil.Process]:
        """Every living process of its components, LocalExecutor's workers and tasks included."""
        return [process for component in self.components.values() for process in component.session()]

    def run(self, *command: str) -> str:
        """Run an ``airflow`` command on this stack, as ``run("dags", "list")``, and return what it printed.

        :raises LabError: when it fails.
        """
        done = subprocess.run(
            [sys.executable, "-m", "airflow", *command],
            env=self.env,
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=self._timeout,
            check=False,
        )
        if done.returncode:
            raise LabError(f"airflow {' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def _at_exit(self) -> None:
        if os.getpid() == self._owner:  # not a fork of the process that started the stack
            self.down()

    def _env_of(self, name: str) -> dict[str, str]:
        return api_server_environment(self.settings, self.env) if name == API_SERVER else self.env

    def _component(self, name: str) -> Component:
        if name not in self.components:
            raise LabError(f"this stack has no component {name!r}. It has: {', '.join(self.components)}.")
        return self.components[name]

    def _wait_for(self, *names: str) -> None:
        if not self.components[API_SERVER].alive:
            raise LabError(
                f"the {API_SERVER} is stopped, so nobody can tell whether others are up. Start it, or wait=False."
            )
        wait_until(
            lambda: self._not_up(names),
            lambda missing: not missing,
            what=f"{', '.join(names)} to come up (logs in {self.home})",
            timeout=self._timeout,
            interval=0.2,
            describe=lambda missing: f"not up: {', '.join(missing)}",
        )
        self._ask("/execution/health", self._timeout).raise_for_status()

    def _not_up(self, names: tuple[str, ...]) -> list[str]:
        health = self._health()
        for name in names:
            component = self.components[name]
            if not component.alive:
                raise LabError(
                    f"{name} ended with exit code {component.exit_code} while starting. "
                    f"Its log ({component.log}) ends:\n"
                    f"{component.tail()}"
                )
        return [name for name in names if not self._is_up(name, health)]

    def _is_up(self, name: str, health: dict[str, Any]) -> bool:
        if name == API_SERVER:
            return bool(health)
        part, key = _HEARTBEAT[name]
        beat = (health.get(part) or {}).get(key)
        return beat is not None and datetime.fromisoformat(beat).timestamp() > self.components[name].started_at

    def _health(self) -> dict[str, Any]:
        try:
            answer = self._ask("/api/v2/monitor/health", _HEALTH_SECONDS)
        except httpx.TransportError:
            return {}
        return dict(answer.json()) if answer.is_success else {}

    def _ask(self, path: str, timeout: float) -> httpx.Response:
        return httpx.get(self.base_url + path, trust_env=False, timeout=timeout)  # no client: it would keep a cookie


def _free_ports(count: int) -> list[int]:
    """Ask the system for ports nobody listens on, all different."""
    with contextlib.ExitStack() as open_sockets:
        sockets = [open_sockets.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
