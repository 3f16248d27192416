# SPDX-License-Identifier: Apache-2.0
"""``python -m kubernetes_api``: one cluster as a process, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from pathlib import Path

from kubernetes_api.cluster import Cluster
from kubernetes_api.kubeconfig import write_kubeconfig
from kubernetes_api.settings import Settings


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(prog="kubernetes_api", description="A Kubernetes API for tests.")
    parser.add_argument("--port", type=int, default=0, help="where to listen on 127.0.0.1 (default: a free port)")
    parser.add_argument("--kubeconfig", type=Path, required=True, help="where to write the kubeconfig, once it serves")
    parser.add_argument("--settings", default="{}", help="a JSON object, see kubernetes_api.settings")
    options = parser.parse_args()
    asyncio.run(_serve(options.port, options.kubeconfig, Settings.from_json(options.settings)))


async def _serve(port: int, kubeconfig: Path, settings: Settings) -> None:
    def ready(url: str) -> None:
        write_kubeconfig(kubeconfig, url)
        sys.stdout.write(f"serving {url}\n")
        sys.stdout.flush()

    serving = asyncio.ensure_future(Cluster(settings).serve(port, ready))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await serving


if __name__ == "__main__":
    main()
