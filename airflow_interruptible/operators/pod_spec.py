# SPDX-License-Identifier: Apache-2.0
"""Where the pod of a pod operator may run, from the operator's arguments, when its Dag is parsed.

The operator puts its arguments over ``full_pod_spec``, and that over its template, field by field. What is a template
string, or in a file that is not there yet, says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

_FIELDS = {"nodeSelector": "node_selector", "affinity": "affinity"}


def known_pod(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of the pod that say where it may run, as JSON.

    :param arguments: the operator's, by name.
    """
    layers = (
        {field: arguments.get(name) for field, name in _FIELDS.items()},
        _spec(arguments.get("full_pod_spec")),
        _spec(_template(arguments.get("pod_template_file")) or arguments.get("pod_template_dict")),
    )
    spec = {field: next((layer[field] for layer in layers if layer.get(field)), None) for field in _FIELDS}
    plain = {field: _plain(value) for field, value in spec.items()}
    return {"spec": _certain({**plain, "nodeSelector": _all_strings(plain["nodeSelector"])})}


def _spec(pod: Any) -> Mapping[str, Any]:
    spec = _plain(pod).get("spec")
    return spec if isinstance(spec, Mapping) else {}


def _plain(value: Any) -> Mapping[str, Any]:
    """Return a model of the client, or what is spelled like one, as JSON; empty if it is neither."""
    if hasattr(value, "openapi_types"):
        from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator

        value = PodGenerator.serialize_pod(value)
    return value if isinstance(value, Mapping) else {}


def _all_strings(selector: Mapping[str, Any]) -> dict[str, str]:
    return {key: value for key, value in selector.items() if isinstance(value, str)}


def _certain(part: Any) -> Any:
    """Return ``part`` without what a template string decides: an entry of a mapping, a requirement as a whole."""
    if isinstance(part, Mapping):
        return {
            key: _certain(value) for key, value in part.items() if not _is_template(key) and not _is_template(value)
        }
    if isinstance(part, list):
        return [_certain(item) for item in part if not (_is_requirement(item) and _says_a_template(item))]
    return part


def _is_requirement(item: Any) -> bool:
    return isinstance(item, Mapping) and "key" in item and "operator" in item


def _says_a_template(requirement: Mapping[str, Any]) -> bool:
    values = requirement.get("values")
    return any(map(_is_template, [*requirement.values(), *(values if isinstance(values, list) else ())]))


def _is_template(value: object) -> bool:
    return isinstance(value, str) and ("{{" in value or "{%" in value)


def _template(path: object) -> object:
    if not isinstance(path, str) or _is_template(path):
        return None
    from airflow.utils import yaml

    try:
        return yaml.safe_load(Path(path).read_text())
    except (OSError, ValueError, yaml.YAMLError):  # type: ignore[attr-defined]  # it has a __getattr__
        return None
