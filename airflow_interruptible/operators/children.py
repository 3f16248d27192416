# SPDX-License-Identifier: Apache-2.0
"""Operators that run the author's code in a child process, and that do not end it when they are told to stop.

They wait for it inside ``with Popen(...)``, which waits for the child even when it is left by an exception: an
interruption would be heard of when the work is done, or never. So the child is ended first.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psutil
    from airflow.sdk import BaseOperator, Context

    _Base = BaseOperator
else:
    _Base = object

_STANDARD = "airflow.providers.standard"

WAITING = frozenset(
    {
        f"{_STANDARD}.operators.python.ExternalPythonOperator",
        f"{_STANDARD}.operators.python.PythonVirtualenvOperator",
        f"{_STANDARD}.sensors.bash.BashSensor",
    }
)
"""Operator classes, by name. A subclass counts as well, so ``@task.virtualenv`` and ``@task.external_python`` do."""


def waits_for_a_child(operator_class: type) -> bool:
    """Whether an operator waits for a child process that it does not end."""
    return any(f"{base.__module__}.{base.__qualname__}" in WAITING for base in operator_class.__mro__)


class ChildStopper(_Base):
    """Stands between :class:`.InterruptibleMixin` and such an operator."""

    interruptible_bystanders: frozenset[psutil.Process] = frozenset()
    """What this process had started before: a test that runs a Dag in its own process has servers, for one."""

    def execute(self, context: Context, *args: Any, **kwargs: Any) -> Any:
        """Run the operator, and know which children are its own."""
        self.interruptible_bystanders = frozenset(_this_process().children())
        return super().execute(context, *args, **kwargs)

    def on_kill(self) -> None:
        """End the child, and whatever it has started."""
        import psutil

        for child in set(_this_process().children()) - self.interruptible_bystanders:
            with suppress(psutil.Error):
                for process in [*child.children(recursive=True), child]:
                    process.terminate()
        super().on_kill()


def _this_process() -> psutil.Process:
    import psutil  # every worker has loaded it

    return psutil.Process()
