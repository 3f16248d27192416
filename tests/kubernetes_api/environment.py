# SPDX-License-Identifier: Apache-2.0
"""The command line and the environment of a container, from its spec. Pure, but for looking into the store.

https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
https://kubernetes.io/docs/tasks/inject-data-application/environment-variable-expose-pod-information/

Surprising: ``$(NAME)`` is replaced only where NAME is defined earlier, and ``$$(NAME)`` is how to write it literally.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

from kubernetes_api.objects import Key, Object, dig

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubernetes_api.store import Store

_REFERENCE = re.compile(r"\$\$|\$\((?P<name>[-._a-zA-Z][-._a-zA-Z0-9]*)\)")
_KEYED_FIELD = re.compile(r"metadata\.(?P<map>labels|annotations)\['(?P<key>[^']+)'\]")


class ConfigError(Exception):
    """The container cannot be configured: the kubelet's CreateContainerConfigError."""


def command_line(container: Object, env: Mapping[str, str]) -> list[str]:
    """What to execute; empty when only the image would know."""
    words = [*(container.get("command") or []), *(container.get("args") or [])]
    return [_expand(word, env) for word in words]


def environment(pod: Object, container: Object, image_env: Mapping[str, str], store: Store) -> dict[str, str]:
    """The whole environment: the image's, the host name, then what the spec says.

    :raises ConfigError: when a ConfigMap, a Secret or a key of one is missing.
    """
    env = {**image_env, "HOSTNAME": pod["metadata"]["name"]}
    namespace = pod["metadata"]["namespace"]
    for source in container.get("envFrom") or []:
        prefix = source.get("prefix") or ""
        env.update({prefix + key: value for key, value in _whole(source, namespace, store).items()})
    for variable in container.get("env") or []:
        value = _value(pod, variable, env, store)
        if value is not None:
            env[variable["name"]] = value
    return env


def _value(pod: Object, variable: Object, env: Mapping[str, str], store: Store) -> str | None:
    source = variable.get("valueFrom")
    if not source:
        return _expand(variable.get("value") or "", env)
    if "fieldRef" in source:
        return _field(pod, source["fieldRef"]["fieldPath"])
    for kind in ("configMapKeyRef", "secretKeyRef"):
        if kind in source:
            return _keyed(kind, source[kind], pod["metadata"]["namespace"], store)
    raise ConfigError(f"the source of {variable['name']} is not one that this API imitates: {', '.join(source)}")


def _expand(text: str, env: Mapping[str, str]) -> str:
    def replacement(match: re.Match[str]) -> str:
        name = match["name"]
        return "$" if name is None else env.get(name, match[0])

    return _REFERENCE.sub(replacement, text)


def _field(pod: Object, path: str) -> str:
    if match := _KEYED_FIELD.fullmatch(path):
        return str((pod["metadata"].get(match["map"]) or {}).get(match["key"], ""))
    return str(dig(pod, *path.split(".")) or "")


def _keyed(kind: str, reference: Object, namespace: str, store: Store) -> str | None:
    data = _data(kind.removesuffix("KeyRef"), reference, namespace, store)
    if reference["key"] in data:
        return data[reference["key"]]
    if reference.get("optional"):
        return None
    raise ConfigError(f"couldn't find key {reference['key']} in {namespace}/{reference['name']}")


def _whole(source: Object, namespace: str, store: Store) -> dict[str, str]:
    kind = "configMap" if "configMapRef" in source else "secret"
    return _data(kind, source[f"{kind}Ref"], namespace, store)


def _data(kind: str, reference: Object, namespace: str, store: Store) -> dict[str, str]:
    found = store.find(Key(f"{kind.lower()}s", namespace, reference["name"]))
    if found is None and reference.get("optional"):
        return {}
    if found is None:
        raise ConfigError(f'{kind.lower()} "{reference["name"]}" not found')
    data: dict[str, str] = dict(found.get("data") or {})
    if kind == "secret":
        data = {key: base64.b64decode(value).decode() for key, value in data.items()}
    return data | dict(found.get("stringData") or {})
