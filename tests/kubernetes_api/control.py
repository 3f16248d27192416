# SPDX-License-Identifier: Apache-2.0
"""The remote control of a cluster: ``POST /_sim/<action>``, with the arguments as JSON.

Only names and types here: what happens is decided by :mod:`.disruptions`, :mod:`.scheduler` and :mod:`.kubelet`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubernetes_api.disruptions import Reclaim
from kubernetes_api.errors import ApiError, bad_request
from kubernetes_api.nodes import Capacity, NodeOptions, new_node, node_key
from kubernetes_api.scheduler import AUTOSCALERS
from kubernetes_api.settings import Settings, image_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kubernetes_api.disruptions import Disruptions
    from kubernetes_api.objects import Object
    from kubernetes_api.scheduler import Scheduler
    from kubernetes_api.store import Store


class Control:
    """The actions a test can call by name."""

    def __init__(self, store: Store, disruptions: Disruptions, scheduler: Scheduler, settings: Settings) -> None:
        self._store, self._disruptions, self._scheduler, self._settings = store, disruptions, scheduler, settings
        self._actions: Mapping[str, Callable[..., Any]] = {
            "add_node": self._add_node,
            "remove_node": disruptions.remove_node,
            "reclaim": self._reclaim,
            "drain": disruptions.drain,
            "preempt": lambda namespace, pod: disruptions.preempt(self._pod(namespace, pod)),
            "evict": lambda namespace, pod, grace: disruptions.evict(self._pod(namespace, pod), grace),
            "evict_by_pressure": lambda namespace, pod, resource, over_request: disruptions.evict_by_pressure(
                self._pod(namespace, pod), resource, over_request=over_request
            ),
            "oom": lambda namespace, pod, container: disruptions.out_of_memory(self._pod(namespace, pod), container),
            "delete_pod": lambda namespace, pod, grace: disruptions.delete_by_person(self._pod(namespace, pod), grace),
            "set_capacity": lambda capacity, pods: scheduler.limit(Capacity(capacity).value, pods),
            "hold_scheduling": scheduler.hold,
            "set_image_env": self._set_image_env,
            "set_autoscaler": self._set_autoscaler,
            "compact": store.compact,
        }

    def act(self, action: str, arguments: Mapping[str, Any]) -> Any:
        """Do one action.

        :raises ApiError: 404 for one that does not exist, 400 for wrong arguments.
        """
        if action not in self._actions:
            raise ApiError(404, "NotFound", f"there is no action {action!r}. There are: {', '.join(self._actions)}.")
        try:
            return self._actions[action](**arguments)
        except (TypeError, ValueError) as wrong:
            raise bad_request(f"{action}: {wrong}") from wrong

    def _pod(self, namespace: str, name: str) -> Object:
        return self._disruptions.pod(namespace, name)

    def _add_node(self, name: str, **options: Any) -> Object:
        return self._store.create(node_key(name), new_node(name, NodeOptions(**options)))

    def _reclaim(self, node: str, how: str, notice: float) -> list[str]:
        return self._disruptions.reclaim(node, Reclaim(how), notice)

    def _set_image_env(self, env: dict[str, str]) -> None:
        self._settings.image_env = image_environment(env)

    def _set_autoscaler(self, name: str | None) -> None:
        if name is not None and name not in AUTOSCALERS:
            raise ValueError(f"there is no autoscaler {name!r}. There are: {', '.join(AUTOSCALERS)}.")
        self._settings.autoscaler = name
