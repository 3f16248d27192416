# SPDX-License-Identifier: Apache-2.0
"""One cluster: its parts put together, and served. Nothing is decided here."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from typing import TYPE_CHECKING

from aiohttp import web

from kubernetes_api.control import Control
from kubernetes_api.controllers import PodGarbageCollector, TaintManager
from kubernetes_api.disruptions import Disruptions
from kubernetes_api.events import Recorder
from kubernetes_api.kubelet import Kubelets
from kubernetes_api.objects import NO_NAMESPACE, Key, now, seconds_stamp
from kubernetes_api.rest import Rest
from kubernetes_api.scheduler import Scheduler
from kubernetes_api.server import Server
from kubernetes_api.store import Store
from kubernetes_api.streams import Logs, Watches

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubernetes_api.settings import Settings

_LOOPBACK = "127.0.0.1"
_LAST_ANSWERS_SECONDS = 1.0


class Cluster:
    """A cluster in this process's event loop."""

    def __init__(self, settings: Settings) -> None:
        self.store = Store(settings.history)
        recorder = Recorder(self.store)
        kubelets = Kubelets(self.store, recorder, settings)
        scheduler = Scheduler(self.store, recorder, settings)
        disruptions = Disruptions(self.store, recorder, kubelets)
        self._controllers = (
            kubelets,
            scheduler,
            TaintManager(self.store, recorder),
            PodGarbageCollector(self.store, settings),
        )
        self._server = Server(
            self.store,
            Rest(self.store, disruptions),
            Watches(self.store),
            Logs(self.store, kubelets),
            Control(self.store, disruptions, scheduler, settings),
        )
        for name in ("default", "kube-system", *settings.namespaces):
            self._add_namespace(name)

    async def serve(self, port: int, ready: Callable[[str], None]) -> None:
        """Serve on the loopback interface until cancelled; then every container is killed.

        :param port: 0 takes a free one.
        :param ready: is called with the base URL.
        """
        tasks = [asyncio.create_task(controller.run()) for controller in self._controllers]
        runner = web.AppRunner(self._server.application(), access_log=None, shutdown_timeout=_LAST_ANSWERS_SECONDS)
        try:
            await runner.setup()
            await web.TCPSite(runner, _LOOPBACK, port).start()
            host, bound = runner.addresses[0][:2]
            ready(f"http://{host}:{bound}")
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            await runner.cleanup()

    def _add_namespace(self, name: str) -> None:
        metadata = {"name": name, "uid": str(uuid.uuid4()), "creationTimestamp": seconds_stamp(now())}
        metadata_with_label = {**metadata, "labels": {"kubernetes.io/metadata.name": name}}
        namespace = {"kind": "Namespace", "apiVersion": "v1", "metadata": metadata_with_label}
        self.store.create(
            Key("namespaces", NO_NAMESPACE, name), {**namespace, "spec": {}, "status": {"phase": "Active"}}
        )
