# SPDX-License-Identifier: Apache-2.0
"""One pod on its node: pulls its images, runs its containers in order, ends them when told, and reports all of it.

https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination
https://kubernetes.io/docs/concepts/workloads/pods/init-containers/

Surprising: since 1.27 a pod that is deleted first gets a terminal phase, Failed or Succeeded by its exit codes, and
goes away after that; a watcher sees both.
"""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kubernetes_api import pod_status
from kubernetes_api.container_log import ContainerLog
from kubernetes_api.environment import ConfigError, command_line, environment
from kubernetes_api.errors import ApiError
from kubernetes_api.events import Message
from kubernetes_api.objects import Object, is_terminal, pod_key
from kubernetes_api.processes import ContainerProcess

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubernetes_api.events import Recorder
    from kubernetes_api.settings import Settings
    from kubernetes_api.store import Store

_START_ERROR = 128
"""Exit code of a container that containerd could not start."""

_OOM_KILLED = "OOMKilled"


@dataclass(frozen=True)
class Ruling:
    """Why the kubelet itself ends a pod: what its status will say.

    :param disruption: the message of a DisruptionTarget with the reason TerminationByKubelet; None sets none.
    """

    reason: str
    message: str
    disruption: str | None = None


class PodWorker:
    """Runs one pod until it has ended.

    :param pod: bound to a node.
    """

    def __init__(self, pod: Object, store: Store, recorder: Recorder, settings: Settings) -> None:
        self.pod = pod
        self.logs: dict[str, ContainerLog] = {}
        self._key, self._uid = pod_key(pod), pod["metadata"]["uid"]
        self._store, self._recorder, self._settings = store, recorder, settings
        self._processes: dict[str, ContainerProcess] = {}
        self._out_of_memory: set[str] = set()
        self._live: set[str] = set()
        self._deadline: float | None = None
        self._news = asyncio.Event()
        self._ruling: Ruling | None = None
        self._dark = False

    @property
    def node(self) -> str:
        """The node it runs on."""
        return str(self.pod["spec"]["nodeName"])

    async def run(self) -> None:
        """Run the pod; returns when all of it has ended and is reported."""
        self._write(lambda pod: pod_status.accept(pod, "127.0.0.1"))
        work = asyncio.create_task(self._work())
        try:
            await self._until_ended(work)
        finally:
            work.cancel()
            self._kill()
        self._report_end()

    def end(self, grace: float, ruling: Ruling | None = None) -> None:
        """End the pod within so many seconds. Told again, the shorter time counts and the first ruling stands."""
        deadline = asyncio.get_running_loop().time() + grace
        if self._deadline is None:
            for name, process in self._processes.items():
                self._event("Killing", f"Stopping container {name}")
                process.terminate(whole_group=self._settings.signal_group)
        self._deadline = deadline if self._deadline is None else min(deadline, self._deadline)
        self._ruling = self._ruling or ruling
        self._news.set()

    def power_off(self) -> None:
        """The machine is gone: everything dies, and nobody is left to report it."""
        self._dark = True
        self._kill()

    def out_of_memory(self, container: str) -> None:
        """Let the kernel's OOM killer take a container."""
        if container not in self._processes:
            raise ApiError(409, "Conflict", f"container {container} of pod {self._key.name} does not run")
        self._out_of_memory.add(container)
        self._processes[container].kill()

    async def _until_ended(self, work: asyncio.Task[None]) -> None:
        """Wait for the work; once the pod is told to end, only so long as it has."""
        loop = asyncio.get_running_loop()
        while not work.done():
            self._news.clear()
            left = None if self._deadline is None else self._deadline - loop.time()
            if left is not None and not self._live:
                return
            if left is not None and left <= 0:
                self._kill()
                left = None
            news = asyncio.create_task(self._news.wait())
            await asyncio.wait({work, news}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            news.cancel()

    async def _work(self) -> None:
        for container in self.pod["spec"].get("initContainers") or []:
            if await self._run_container(container) != 0:
                return
        starting = [self._run_container(container) for container in self.pod["spec"]["containers"]]
        await asyncio.gather(*starting)

    async def _run_container(self, container: Object) -> int:
        await self._pull(container)
        name = container["name"]
        process = await self._start(container)
        if process is None:
            self._ended(name)
            return _START_ERROR
        container_id = f"containerd://{process.pid:064x}"
        started = pod_status.running_state()
        self._event("Created", f"Created container: {name}")
        self._event("Started", f"Started container {name}")
        self._report(name, started, container_id)
        exit_code = await process.wait()
        out_of_memory = name in self._out_of_memory
        reason = _OOM_KILLED if out_of_memory else "Completed" if exit_code == 0 else "Error"
        began = started["running"]["startedAt"]
        self._report(name, pod_status.terminated_state(exit_code, reason, started=began), container_id)
        self._ended(name)
        return exit_code

    def _ended(self, container: str) -> None:
        self._processes.pop(container, None)
        self._live.discard(container)
        self._news.set()

    async def _pull(self, container: Object) -> None:
        """Pull the image, or for ever try to.

        https://kubernetes.io/docs/concepts/containers/images/#imagepullbackoff
        """
        image = container.get("image") or ""
        while any(re.search(pattern, image) for pattern in self._settings.bad_images):
            self._event("Pulling", f'Pulling image "{image}"')
            why = (
                f'failed to pull and unpack image "{image}": failed to resolve reference "{image}": {image}: not found'
            )
            self._event("Failed", f'Failed to pull image "{image}": {why}', warning=True)
            self._event("Failed", "Error: ErrImagePull", warning=True)
            self._report(container["name"], pod_status.waiting_state("ErrImagePull", why))
            await asyncio.sleep(self._settings.pull_backoff / 2)
            back_off = f'Back-off pulling image "{image}"'
            self._event("BackOff", back_off)
            self._event("Failed", "Error: ImagePullBackOff", warning=True)
            self._report(container["name"], pod_status.waiting_state("ImagePullBackOff", back_off))
            await asyncio.sleep(self._settings.pull_backoff)
        self._event("Pulled", f'Container image "{image}" already present on machine')

    async def _start(self, container: Object) -> ContainerProcess | None:
        """Start a container, or report why that cannot be done.

        A command that does not exist ends the container with StartError and 128, as containerd reports it
        (``CheckContainerStatus`` in https://github.com/containerd/containerd/tree/main/internal/cri/server).
        """
        name = container["name"]
        if self._deadline is not None:
            return None
        try:
            env = environment(self.pod, container, self._settings.image_env, self._store)
        except ConfigError as wrong:
            self._event("Failed", f"Error: {wrong}", warning=True)
            self._report(name, pod_status.waiting_state("CreateContainerConfigError", str(wrong)))
            await asyncio.Event().wait()  # the kubelet tries for ever, too
        self._live.add(name)
        self.logs[name] = log = ContainerLog()
        argv = command_line(container, env) or [""]
        try:
            process = await ContainerProcess.start(argv, env=env, directory=_directory(container), log=log)
        except OSError as wrong:
            log.close()
            self._report_start_error(name, argv[0], wrong)
            return None
        self._processes[name] = process
        if self._dark:
            process.kill()
        elif self._deadline is not None:
            process.terminate(whole_group=self._settings.signal_group)
        return process

    def _report_start_error(self, name: str, command: str, wrong: OSError) -> None:
        why = "executable file not found in $PATH" if os.sep not in command else str(wrong.strerror).lower()
        message = (
            "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create "
            f'failed: unable to start container process: exec: "{command}": {why}: unknown'
        )
        self._event("Failed", f"Error: {message}", warning=True)
        self._report(name, pod_status.terminated_state(_START_ERROR, "StartError", started=None, message=message))

    def _kill(self) -> None:
        for process in self._processes.values():
            process.kill()

    def _report_end(self) -> None:
        ruling = self._ruling
        if ruling is None and self._deadline is None:
            return

        def change(pod: Object) -> None:
            pod_status.give_up(pod)
            self._rule(pod)

        self._write(change)

    def _rule(self, pod: Object) -> None:
        """Say why the kubelet ended the pod, together with the phase: nobody ever sees one without the other.

        ``mergePodStatus`` in https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/status/status_manager.go
        """
        ruling = self._ruling
        if ruling is not None:
            pod_status.fail(pod, ruling.reason, ruling.message)
        if ruling is not None and ruling.disruption:
            pod_status.mark_disrupted(pod, "TerminationByKubelet", ruling.disruption)

    def _report(self, container: str, state: Object, container_id: str = "") -> None:
        def change(pod: Object) -> None:
            pod_status.set_container(pod, container, state, container_id)
            if is_terminal(pod):
                self._rule(pod)

        self._write(change)

    def _write(self, change: Callable[[Object], None]) -> None:
        """Report to the API server, unless the machine is off or the pod is gone (deleted by force)."""
        known = self._store.find(self._key)
        if not self._dark and known is not None and known["metadata"]["uid"] == self._uid:
            self.pod = self._store.modify(self._key, change)

    def _event(self, reason: str, text: str, *, warning: bool = False) -> None:
        if not self._dark:
            message = Message("kubelet", reason, text, "Warning" if warning else "Normal")
            self._recorder.record(self.pod, message)


def _directory(container: Object) -> str:
    """The working directory, where this machine has it."""
    wanted = container.get("workingDir")
    return wanted if wanted and Path(wanted).is_dir() else tempfile.gettempdir()
