# SPDX-License-Identifier: Apache-2.0
"""Computes: complete, and such that the configured executors can do what they ask. Nobody is asked anything here.

Whether the queues, providers and nodes that they name exist is another matter, see the modules that ask for them.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from airflow_interruptible.compute import COMPUTES, NONE, ON_KUBERNETES
from airflow_interruptible.compute.base import Slot
from airflow_interruptible.compute.launched import LAUNCHERS, PODS, Launcher, split
from airflow_interruptible.doctor.finding import Finding, Severity, core_link
from airflow_interruptible.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_interruptible.doctor.deployment import Deployment
    from airflow_interruptible.settings import Settings

_LINK = "docs/configuration.md#compute"

_BY_QUEUE = ("CeleryExecutor", "EdgeExecutor")
"""Executors whose workers serve queues."""

_UNMARKED = ("AwsEcsExecutor", "AwsBatchExecutor")
"""Executors that merge what they do not know into a call, so that a task for one of them carries no marker."""


def check(deployment: Deployment) -> Iterator[Finding]:
    """Build what airflow.cfg names as the package does, and hold it against the executors."""
    for executor in deployment.executors:
        if executor.error:
            yield _finding("executor", "[core] executor", executor.name, f"one that can be imported: {executor.error}",
                           "Whether it can be placed cannot be told here, so its tasks stay where they are placed "
                           "first.", severity=Severity.WARNING, link=core_link("executor"))  # fmt: skip
    settings = deployment.settings
    if settings is None:
        return
    if settings.compute == NONE:
        yield _finding("none", "[interruptible] compute", NONE, "what places tasks on this deployment",
                       "Both budgets hold, but nothing is moved: attempts run where their authors send them.",
                       severity=Severity.INFO)  # fmt: skip
    else:
        yield from _own(deployment, settings)
    yield from _launched(settings)


def _own(deployment: Deployment, settings: Settings) -> Iterator[Finding]:
    try:
        deployment.choice.build().check(Slot())
    except ConfigurationError as error:
        if settings.compute in COMPUTES:
            options = str(dict(settings.compute_options))
            yield _finding("options", "[interruptible] compute_options", options, *_told(error))
        else:
            close = get_close_matches(settings.compute, COMPUTES, 1)
            better = close[0] if close else ", ".join(sorted(COMPUTES))
            yield _finding("unknown", "[interruptible] compute", settings.compute, better, str(error))
        return
    yield from _unfit(deployment, settings.compute)


def _unfit(deployment: Deployment, compute: str) -> Iterator[Finding]:
    """Yield that no executor heeds what this compute writes, or that one cannot be moved at all."""
    known = [executor for executor in deployment.executors if executor.bases]
    if not known:
        return
    setting, named = "[interruptible] compute", ", ".join(executor.name for executor in known)
    if compute == "queue" and not any(deployment.has_executor(base) for base in _BY_QUEUE):
        yield _finding("unfit", setting, f"{compute}, with {named}", "a compute that fits, or an executor with queues",
                       "None of these executors has workers that serve queues: every attempt runs in the same place, "
                       "and is said to be on spot or on demand.")  # fmt: skip
    if compute in ON_KUBERNETES and not deployment.has_executor("KubernetesExecutor"):
        yield _finding("unfit", setting, f"{compute}, with {named}", f"pod_compute = {compute}, and compute = none",
                       "None of these executors launches pods: every Airflow task runs in the same place, and is said "
                       "to be on spot or on demand. For the pods of operators there is pod_compute.")  # fmt: skip
    for executor in known:
        if any(base in executor.bases for base in _UNMARKED) and not executor.ours:
            yield _finding("unmarked", "[core] executor", executor.name, "another executor for interruptible tasks",
                           "This executor refuses tasks that carry what the server needs to know, so they carry "
                           "nothing, and their attempts stay where the first one was placed.",
                           severity=Severity.WARNING, link=core_link("executor"))  # fmt: skip


def _launched(settings: Settings) -> Iterator[Finding]:
    """Look at what is said of each kind of work that operators launch."""
    kinds = [launcher.kind for launcher in _kinds()]
    if unknown := sorted(set(settings.launched) - set(kinds)):
        for name in unknown:
            better = next(iter(get_close_matches(name, kinds, 1)), f"one of {', '.join(kinds)}")
            yield _finding("unknown-kind", "[interruptible] launched", name, better,
                           "There is no such kind of work, and every Dag with an operator that launches some has an "
                           "import error.")  # fmt: skip
        return
    for launcher in _kinds():
        if launcher is PODS and not settings.pod_compute and PODS.kind not in settings.launched:
            continue  # then it is compute, which has been looked at
        setting = "[interruptible] pod_compute" if launcher is PODS else f"[interruptible] launched, {launcher.kind}"
        value = settings.pod_compute if launcher is PODS else str(settings.launched.get(launcher.kind, ""))
        try:
            choice = split(launcher, None, settings)[1]
            if choice is None:
                continue
            if launcher is PODS:
                choice.build()
            else:
                launcher.work.check_options(choice.options)
        except ConfigurationError as error:
            yield _finding("launched", setting, value or "unset", *_told(error))


def _told(error: ConfigurationError) -> tuple[str, str]:
    """Return what an error says to write, which is its last sentence, and what it says before that."""
    why, _, better = str(error).rpartition(". ")
    return better, f"{why}." if why else better


def _kinds() -> list[Launcher]:
    """Every kind of work, once."""
    return list({launcher.kind: launcher for launcher in LAUNCHERS.values() if launcher is not None}.values())


def _finding(
    kind: str,
    setting: str,
    value: str,
    better: str,
    why: str,
    *,
    severity: Severity = Severity.ERROR,
    link: str = _LINK,
) -> Finding:
    return Finding(f"computes/{kind}", severity, setting, value, better, why, link)
