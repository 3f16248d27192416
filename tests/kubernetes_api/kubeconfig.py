# SPDX-License-Identifier: Apache-2.0
"""A kubeconfig for a cluster that asks nobody who he is: plain HTTP, no user.

https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def write_kubeconfig(path: Path, url: str) -> None:
    """Write the file, all of it or nothing: whoever sees it can use it. JSON is YAML, too."""
    name = "test"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": url}}],
        "users": [{"name": name, "user": {}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": "default"}}],
        "current-context": name,
    }
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text(json.dumps(config, indent=2))
    unfinished.replace(path)
