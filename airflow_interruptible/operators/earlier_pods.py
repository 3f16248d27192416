# SPDX-License-Identifier: Apache-2.0
"""What a pod operator does about the pods of earlier attempts, before it launches its own or goes on with one of them.

Airflow's operator attaches to whatever has not ended, even to a pod that is being deleted, and otherwise launches its
own beside that. Here none is launched before those of earlier attempts have ended, and which one is gone on with is
decided by :func:`.step_for` and told to the operator, whatever labels and stored names say. So nothing hangs on a label
that could not be written.
"""

from __future__ import annotations

import logging
from itertools import count
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow.sdk.exceptions import AirflowException

from airflow_interruptible.core.earlier_work import Decision, EarlierWork, Step, WorkState, step_for
from airflow_interruptible.remote.kubernetes_client import ask_for, is_of_the_api, patiently
from airflow_interruptible.worker.launched_pods import earlier_pods, is_disrupted, work_of
from airflow_interruptible.worker.pod_endings import await_end

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
    from airflow.sdk import Context

    from airflow_interruptible.core.capacity import CapacityType
    from airflow_interruptible.worker.book import Book

    _Base = KubernetesPodOperator
else:
    _Base = object

log = logging.getLogger(__name__)

V1Pod: TypeAlias = Any
"""The client's own class, which has no types."""


class EarlierPodError(AirflowException):
    """A pod of an earlier attempt may be at work and cannot be ended, so this attempt must not begin."""


class EarlierPods(_Base):
    """Stands between :class:`.PodLauncher` and the operator.

    ``joined_pod`` is the pod of an earlier attempt that this one goes on with, ``joined_capacity`` what that runs on.
    """

    interruptible_book: Book | None
    launched_capacity: CapacityType | None
    joined_pod: V1Pod | None = None
    joined_capacity: CapacityType | None = None
    _succeeded_pod: V1Pod | None = None
    _settled = _launching = False

    def settle_earlier_pods(self, request: V1Pod) -> None:
        """See to it that no pod of an earlier attempt is at work, but one that this attempt may go on with.

        :param request: the pod that is about to be created. It gets another name if a kept pod has its own.
        :raises EarlierPodError: a pod cannot be ended.
        :raises Exception: the pods could not be listed or looked at, which the operator needs as well.
        """
        self.joined_pod = self.joined_capacity = self._succeeded_pod = None
        try:
            self._settle(request)
            self._settled = True
        except Exception as error:
            if isinstance(error, EarlierPodError) or is_of_the_api(error):
                raise  # nobody knows what is at work
            log.warning("Pods of earlier attempts cannot be judged, so Airflow's own rule applies.", exc_info=True)

    def _settle(self, request: V1Pod) -> None:
        found = earlier_pods(self.client, request)
        decided = [(pod, work, self._decide(pod, work)) for pod, work in self._looked_at(found)]
        joinable = [(pod, work) for pod, work, decision in decided if decision.step is Step.GO_ON]
        if joinable:
            self.joined_pod, work = max(joinable, key=lambda one: str(one[0].metadata.creation_timestamp))
            self.joined_capacity = work.capacity
        others = [
            (pod, Decision(Step.END_FIRST, "another pod is gone on with") if decision.step is Step.GO_ON else decision)
            for pod, _, decision in decided
            if not (pod is self.joined_pod or pod is self._succeeded_pod)
        ]
        self._see_them_end(others)
        if self.joined_pod is None and self._succeeded_pod is None:
            _avoid_names(request, found)

    def _looked_at(self, found: Iterable[V1Pod]) -> list[tuple[V1Pod, EarlierWork]]:
        return [(pod, work_of(pod, self.client)) for pod in found]

    def _decide(self, pod: V1Pod, work: EarlierWork) -> Decision:
        if work.state is WorkState.OVER and self._is_good(pod):
            self._succeeded_pod = pod
        book = self.interruptible_book
        last = book is not None and book.history.next_is_last
        joinable = self.reattach_on_restart and not self._is_done_with(pod)
        return step_for(work, due=self.launched_capacity, last_user_attempt=last, joinable=joinable)

    def _is_done_with(self, pod: V1Pod) -> bool:
        return (pod.metadata.labels or {}).get(self.POD_CHECKED_KEY) == "True"

    def _is_good(self, pod: V1Pod) -> bool:
        """Whether Airflow's own rule for pods that succeeded applies; not if the pod was told to end before it did."""
        told = pod.metadata.deletion_timestamp is not None or is_disrupted(pod)
        succeeded = pod.status.phase == "Succeeded" and not told
        return succeeded and self.reattach_on_restart and not self._is_done_with(pod)

    def _see_them_end(self, decided: Iterable[tuple[V1Pod, Decision]]) -> None:
        awaited = []
        for pod, decision in decided:
            log.info("Pod %s of an earlier attempt is not gone on with: %s.", pod.metadata.name, decision.why)
            if self.reattach_on_restart and not self._is_done_with(pod):
                self.patch_already_checked(pod, reraise=False)
                if decision.step is Step.LEAVE:
                    self.process_pod_deletion(pod, reraise=False)
            if decision.step is Step.END_FIRST:
                self._end(pod)
            if decision.step is not Step.LEAVE:
                awaited.append(pod)
        self._await_end(awaited)

    def _await_end(self, awaited: Iterable[V1Pod]) -> None:
        late = await_end(awaited, self.client)
        disrupted = [pod for pod in late if self._is_not_being_deleted(pod)]  # and nobody has ended it after all
        for pod in disrupted:
            self._end(pod)
        listed = [pod for pod in late if all(pod is not other for other in disrupted)]
        for pod in [*listed, *await_end(disrupted, self.client)]:
            log.warning(
                "Pod %s is still listed, though the time that it had to end is over: its node does not answer. "
                "This attempt begins all the same.",
                pod.metadata.name,
            )

    def _is_not_being_deleted(self, pod: V1Pod) -> bool:
        seen = ask_for(self.client.read_namespaced_pod, pod.metadata.name, pod.metadata.namespace)
        return seen is not None and seen.metadata.uid == pod.metadata.uid and seen.metadata.deletion_timestamp is None

    def _end(self, pod: V1Pod) -> None:
        try:
            self.pod_manager.delete_pod(pod)
        except Exception as error:
            raise EarlierPodError(
                f"Pod {pod.metadata.name} of an earlier attempt may still be at work and could not be deleted "
                f"({type(error).__name__}: {error!s:.200}), so this attempt does not begin beside it. Allow the worker "
                f"to delete pods in namespace {pod.metadata.namespace}, or delete the pod."
            ) from error

    def get_or_create_pod(self, pod_request_obj: V1Pod, context: Context) -> V1Pod:
        """Go on with the pod that was decided for, or launch one."""
        self._launching = self._settled
        try:
            return super().get_or_create_pod(pod_request_obj, context)
        finally:
            self._launching = False

    def _get_pod_from_task_state_store(self, context: Context) -> V1Pod | None:
        """Let the operator find nothing by the name that it has stored: its own method, as of 10.25."""
        return None if self._launching else super()._get_pod_from_task_state_store(context)

    def find_pod(self, namespace: str, context: Context, *, exclude_checked: bool = True) -> V1Pod | None:
        """Find what was decided for; once there is a pod, that one, by its name: its labels may be others' as well."""
        if self._launching:
            return self.joined_pod or self._succeeded_pod
        if not self._settled or self.pod is None:
            return super().find_pod(namespace, context, exclude_checked=exclude_checked)
        metadata = self.pod.metadata
        return patiently(lambda: ask_for(self.client.read_namespaced_pod, metadata.name, metadata.namespace))


def _avoid_names(request: V1Pod, found: Iterable[V1Pod]) -> None:
    """Give the pod another name if one that was kept has its own: the API would refuse it."""
    taken = {pod.metadata.name for pod in found}
    name = request.metadata.name
    if name not in taken:
        return
    try_number = int(request.metadata.labels.get("try_number", 2))
    names = (f"{name[:_MAX_NAME]}-{number}" for number in count(try_number))
    request.metadata.name = next(other for other in names if other not in taken)
    log.info("Pod %s of an earlier attempt was kept, so this one is called %s.", name, request.metadata.name)


_MAX_NAME = 240
"""Characters, so that there is room for a number: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/"""
