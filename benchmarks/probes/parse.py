# SPDX-License-Identifier: Apache-2.0
"""Parse and serialise one Dag file, as ``airflow.dag_processing.processor._parse_file`` does."""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from airflow.dag_processing.dagbag import BundleDagBag
from airflow.serialization.serialized_objects import DagSerialization
from airflow.settings import get_policy_plugin_manager


class PolicyClock:
    """Adds up the CPU time that cluster policies take for tasks."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._began = 0.0
        get_policy_plugin_manager().add_hookcall_monitoring(self._before, self._after)

    def _before(self, *_: Any) -> None:
        self._began = time.process_time()

    def _after(self, _outcome: Any, hook_name: str, *_: Any) -> None:
        if hook_name == "task_policy":
            self.seconds += time.process_time() - self._began


def main(file: Path, tasks: int) -> None:
    """Print the CPU seconds that both steps took: other work on the machine hardly changes those."""
    ours = any(point.module.startswith("airflow_interruptible") for point in entry_points(group="airflow.policy"))
    if ours:
        from airflow_interruptible.policies.cluster import load_ahead

        load_ahead(["dag-processor"])  # as in the process that forks one for each file
    clock = PolicyClock()
    began = time.process_time()
    bag = BundleDagBag(dag_folder=str(file), bundle_path=file.parent, bundle_name="bench", load_op_links=False)
    parsed = time.process_time()
    for dag in bag.dags.values():
        DagSerialization.to_dict(dag)
    ended = time.process_time()
    if bag.import_errors or [len(dag.tasks) for dag in bag.dags.values()] != [tasks]:
        raise SystemExit(f"not the Dag that was meant: {bag.dags} {bag.import_errors}")
    print(json.dumps({"parse": parsed - began, "serialise": ended - parsed, "policy": clock.seconds, "ours": ours}))


main(Path(sys.argv[1]), int(sys.argv[2]))
