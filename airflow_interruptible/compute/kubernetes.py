# SPDX-License-Identifier: Apache-2.0
"""Compute ``kubernetes``: the executor's pod asks for spot nodes, or for anything but spot nodes.

For KubernetesExecutor, which merges ``executor_config["pod_override"]`` into its pod template. What is added to a pod
is decided by :mod:`airflow_interruptible.compute.pod_patch`; this module knows where Airflow keeps pods.

What the author wrote is kept beside the placed pod, under ``interruptible_author``, and every placing starts from it:
so going from spot to on-demand takes away what was ours and nothing else, even if the options have changed meanwhile.

Importing this module loads no Kubernetes client; placing does.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_interruptible.compute.kubernetes_presets import PRESETS
from airflow_interruptible.compute.pod_patch import PodPatch, contradiction, effective_spec, patched
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.exceptions import ConfigurationError

if TYPE_CHECKING:
    from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator

    from airflow_interruptible.compute.base import Slot

log = logging.getLogger(__name__)

AUTHOR = "interruptible_author"
"""The key of ``executor_config`` that keeps the author's own ``pod_override`` as JSON, None if there was none."""

LABEL = "airflow-interruptible/capacity"
"""The label of the pod that says what it asked for: ``spot`` or ``on-demand``."""

_PLACES = {"node_selector": "nodeSelector", "tolerations": "tolerations", "affinity": "affinity"}
"""What a placed pod may differ in, as the client and as the API spell it."""

_KEYS = {"spot": CapacityType.SPOT, "on_demand": CapacityType.ON_DEMAND}
_EXAMPLE = (
    '{"spot": {"node_selector": {"pool": "spot"}, "tolerations": [{"key": "spot", "operator": "Exists"}]}, '
    '"on_demand": {"match_expressions": [{"key": "pool", "operator": "NotIn", "values": ["spot"]}]}}'
)


@dataclass(frozen=True)
class _Pod:
    """The author's own pod and the template it will be merged into, as JSON."""

    own: Mapping[str, Any] | None
    template: Mapping[str, Any]

    def refusal_of(self, patch: PodPatch) -> str | None:
        found = contradiction(effective_spec(self.own or {}, self.template), patch)
        return found and f"the pod asks for {_in_words(found[0])}, the compute for {_in_words(found[1])}"


class KubernetesCompute:
    """Add to the pod what it needs to land on one capacity.

    :param options: ``spot`` and ``on_demand``, each a mapping with any of ``node_selector``, ``tolerations``,
        ``match_expressions`` and ``labels``, see :class:`.PodPatch`; and ``preset``, a name in :data:`.PRESETS`. With a
        preset the other two are added to it, and may be absent.
    :raises ConfigurationError: there is no such preset, an option is wrong, or a capacity would select no node.
    """

    def __init__(self, options: Mapping[str, Any], preset: str | None = None) -> None:
        options = dict(options)
        if preset is None:
            preset = options.pop("preset", None)
        if unknown := set(options) - set(_KEYS):
            raise ConfigurationError(
                f"compute_options has {sorted(unknown)}, which Kubernetes does not know. Write {_EXAMPLE}."
            )
        base = _preset(preset)
        self._patches = {
            capacity: base[capacity].and_also(_patch(key, options.get(key, {}))).and_also(_labelled(capacity))
            for key, capacity in _KEYS.items()
        }
        for key, capacity in _KEYS.items():
            if not self._patches[capacity].selects:
                raise ConfigurationError(
                    f"compute_options has neither node_selector nor match_expressions under {key!r}, so such an "
                    f"attempt could run on any node. Name a preset ({', '.join(PRESETS)}), or write {_EXAMPLE}."
                )

    def place(self, slot: Slot, capacity: CapacityType) -> Slot:
        """Return ``slot`` with a ``pod_override`` that asks for ``capacity``, made from the author's own.

        A pod that cannot be on that capacity, or is not a ``V1Pod``, stays as its author wrote it.
        """
        config = dict(slot.executor_config)
        try:
            pod = _pod_of(config)
        except ConfigurationError:
            return slot
        patch = self._patches[capacity]
        if pod.refusal_of(patch):
            return replace(slot, executor_config=_restored(config))
        config["pod_override"] = _to_v1_pod(patched(pod.own or {}, patch, pod.template))
        config[AUTHOR] = pod.own
        return replace(slot, executor_config=config)

    def check(self, slot: Slot) -> None:
        """Refuse a pod that can be on one of the capacities only, and an override that Airflow could not use."""
        self._refuse(_pod_of(slot.executor_config), "the pod_override or the pod template")

    def place_pod(self, pod: Any, capacity: CapacityType) -> CapacityType:
        """Make a ``V1Pod`` that is about to be created ask for ``capacity``, and return what it now asks for.

        That is the other one if the pod can be nowhere else; but for our label, which says so, it then stays as its
        author wrote it. Idempotent.
        """
        spec = _generator().serialize_pod(pod)
        if why := _Pod(spec, {}).refusal_of(self._patches[capacity]):
            log.warning("This pod cannot be placed %s: %s. It stays as it is.", capacity.phrase, why)
            capacity = next(other for other in CapacityType if other is not capacity)
            pod.metadata.labels = {**(pod.metadata.labels or {}), LABEL: capacity.value}
            return capacity
        wanted = patched(spec, self._patches[capacity])
        places = {name: wanted["spec"][name] for name in _PLACES.values() if name in wanted["spec"]}
        labels = wanted["metadata"]["labels"]
        placed = _to_v1_pod({"metadata": {"labels": labels}, "spec": {"containers": [], **places}})
        pod.metadata.labels = placed.metadata.labels
        for name in _PLACES:
            setattr(pod.spec, name, getattr(placed.spec, name))
        return capacity

    def check_pod(self, pod: Mapping[str, Any]) -> None:
        """Refuse a pod, as far as it is known, that can be on one of the capacities only.

        :raises ConfigurationError: what the pod asks for, and what to do.
        """
        self._refuse(_Pod(pod, {}), "the operator's arguments or its pod template")

    def node_selector_of(self, capacity: CapacityType) -> str:
        """Return which nodes an attempt on ``capacity`` asks for, as ``kubectl get nodes -l`` takes it."""
        return self._patches[capacity].label_selector

    def _refuse(self, pod: _Pod, place: str) -> None:
        for capacity, patch in self._patches.items():
            if why := pod.refusal_of(patch):
                raise ConfigurationError(
                    f"No node can run this task's {capacity.value} attempts: {why}. Drop it from {place}, or say "
                    "interruptible=False."
                )

    def capacity_of(self, queue: str | None) -> CapacityType | None:  # noqa: ARG002 - the protocol's signature
        """Return None: a pod serves no queue."""
        return None


def capacity_of_pod(pod: Any) -> CapacityType | None:
    """Return what a pod asked for when it was made, None if it was not placed by us."""
    asked = (pod.metadata.labels or {}).get(LABEL)
    return next((capacity for capacity in CapacityType if capacity.value == asked), None)


karpenter = partial(KubernetesCompute, preset="karpenter")
eks = partial(KubernetesCompute, preset="eks")
gke = partial(KubernetesCompute, preset="gke")
aks = partial(KubernetesCompute, preset="aks")


def _preset(name: object) -> Mapping[CapacityType, PodPatch]:
    if name is None:
        return dict.fromkeys(CapacityType, PodPatch())
    if not isinstance(name, str) or name not in PRESETS:
        raise ConfigurationError(
            f"compute_options names the preset {name!r}, which does not exist. There are: {', '.join(PRESETS)}. "
            f"For other nodes, drop the option and write {_EXAMPLE}."
        )
    return {CapacityType.SPOT: PRESETS[name].spot, CapacityType.ON_DEMAND: PRESETS[name].on_demand}


def _labelled(capacity: CapacityType) -> PodPatch:
    return PodPatch(own_labels={LABEL: capacity.value})


def _patch(key: str, option: object) -> PodPatch:
    """Read one of the two options."""
    shapes = {
        "node_selector": _is_strings,
        "labels": _is_strings,
        "tolerations": _is_tolerations,
        "match_expressions": _is_rules,
    }
    if isinstance(option, Mapping) and all(name in shapes and shapes[name](value) for name, value in option.items()):
        return PodPatch(**option)
    raise ConfigurationError(
        f"compute_options has {key!r}: {option!r}. Wanted is a mapping with any of node_selector and labels "
        f"(strings to strings), tolerations and match_expressions (lists, spelled as in a pod). Write {_EXAMPLE}."
    )


def _is_strings(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(text, str) for item in value.items() for text in item)


def _is_tolerations(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, Mapping) and _is_toleration(item) for item in value)


def _is_toleration(item: Mapping[str, Any]) -> bool:
    """https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/ ."""
    return (
        set(item) <= {"key", "operator", "value", "effect", "tolerationSeconds"}
        and item.get("operator", "Equal") in ("Equal", "Exists")
        and (bool(item.get("key")) or item.get("operator") == "Exists")
        and item.get("effect", "NoSchedule") in ("NoSchedule", "PreferNoSchedule", "NoExecute")
    )


def _is_rules(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, Mapping) and _is_rule(item) for item in value)


def _is_rule(item: Mapping[str, Any]) -> bool:
    """https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#operators ."""
    values = item.get("values", [])
    if not item.get("key") or not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        return False
    match item.get("operator"):
        case "In" | "NotIn":
            return bool(values)
        case "Exists" | "DoesNotExist":
            return not values
        case "Gt" | "Lt":
            return len(values) == 1
    return False


def _in_words(requirement: Mapping[str, Any]) -> str:
    return f"{requirement['key']} {requirement['operator']} {list(requirement.get('values') or ())}"


def _generator() -> type[PodGenerator]:
    try:
        from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator
    except ImportError as error:
        raise ConfigurationError(
            "The computes of Kubernetes need apache-airflow-providers-cncf-kubernetes, which cannot be imported here. "
            "Install airflow-interruptible[kubernetes] on every machine that runs a part of Airflow."
        ) from error
    return PodGenerator


def _pod_of(config: Mapping[str, Any]) -> _Pod:
    """Return the author's pod.

    :raises ConfigurationError: KubernetesExecutor would refuse the override (``PodGenerator.from_obj``).
    """
    template = _template(config)
    if AUTHOR in config:
        return _Pod(config[AUTHOR], template)
    override = config.get("pod_override")
    if config.get("KubernetesExecutor") or (override and type(override).__name__ != "V1Pod"):
        raise ConfigurationError(
            "executor_config must hold its pod as a kubernetes.client.models.V1Pod under 'pod_override', got "
            f"{type(override).__name__ if override else 'the old KubernetesExecutor mapping'}, which Kubernetes"
            "Executor refuses. Write executor_config={'pod_override': V1Pod(...)}."
        )
    return _Pod(_generator().serialize_pod(override) if override else None, template)


def _restored(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``config`` as its author wrote it."""
    if AUTHOR not in config:
        return dict(config)
    rest = {key: value for key, value in config.items() if key not in (AUTHOR, "pod_override")}
    return rest if config[AUTHOR] is None else {**rest, "pod_override": _to_v1_pod(config[AUTHOR])}


def _template(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the pod template that Airflow merges the override into; empty where it cannot be read."""
    from airflow.configuration import conf

    path = config.get("pod_template_file") or conf.get("kubernetes_executor", "pod_template_file", fallback="")
    if not path:
        return {}
    from airflow.utils import yaml

    try:
        template = yaml.safe_load(Path(path).read_text())
    except (OSError, ValueError, yaml.YAMLError) as error:  # type: ignore[attr-defined]  # it has a __getattr__
        log.info("The pod template cannot be read here, so what it says about nodes is not carried over: %s", error)
        return {}
    return template if isinstance(template, Mapping) else {}


def _to_v1_pod(pod: Mapping[str, Any]) -> Any:
    """Return ``pod`` as the object that KubernetesExecutor wants."""
    return _generator().deserialize_model_dict(dict(pod))
