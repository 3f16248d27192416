# SPDX-License-Identifier: Apache-2.0
"""What can be set about one cluster, and where it differs from a real one by default: it does not make tests wait."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_KEPT = ("HOME", "LANG", "LC_ALL", "PATH", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "TMPDIR", "TZ", "VIRTUAL_ENV")


def image_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """What an image with these variables has in its environment; its ``python`` is the one that runs this."""
    path = [str(Path(sys.executable).parent), variables.get("PATH", os.defpath)]
    return {**variables, "PATH": os.pathsep.join(path)}


def default_image_env() -> dict[str, str]:
    """The environment of this process, less what is not the business of a container."""
    return image_environment({name: os.environ[name] for name in _KEPT if name in os.environ})


@dataclass
class Settings:
    """How one cluster behaves.

    :param namespaces: which there are, besides ``default`` and ``kube-system``.
    :param image_env: what every container finds in its environment, whatever its image.
    :param bad_images: regular expressions of images that cannot be pulled.
    :param pull_backoff: seconds between two pulls that fail; a kubelet begins with 10 and doubles up to 300.
    :param pod_gc_quarantine: seconds a node is gone before its pods are collected; a real cluster waits 40.
    :param signal_group: send SIGTERM to the process group of a container, as dumb-init, the entrypoint of the Airflow
        image, does by default. False is what the kubelet does: the main process alone.
    :param autoscaler: whose events an unschedulable pod gets: a name of ``scheduler.AUTOSCALERS``, or None.
    :param history: how many changes a watch can go back.
    """

    namespaces: Sequence[str] = ()
    image_env: Mapping[str, str] = field(default_factory=default_image_env)
    bad_images: Sequence[str] = (r"(^|[/:.-])bad([/:.-]|$)",)
    pull_backoff: float = 0.2
    pod_gc_quarantine: float = 1.0
    signal_group: bool = False
    autoscaler: str | None = None
    history: int = 5000

    def as_json(self) -> str:
        """For the command line of the process."""
        return json.dumps(vars(self))

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """The opposite of :meth:`as_json`."""
        return cls(**json.loads(text))
