# SPDX-License-Identifier: Apache-2.0
"""What the interruptible form of a pod operator does besides: it says where the pod that it launches may run.

For KubernetesPodOperator and what is made from it: EksPodOperator, GKEStartPodOperator, ``@task.kubernetes``. All of it
happens in public methods of theirs, around what they do themselves: the pod is placed once it has been built, whether
from arguments, a full spec or a template; the pods of earlier attempts come first, see
:mod:`airflow_interruptible.operators.earlier_pods`; and a pod is looked at once more before it is deleted, since
afterwards nobody knows why it ended.

Surprising: the operator finds its pods by the labels in its ``labels`` argument, so ours may be in the pod only.

Importing this module loads no Kubernetes client.
"""

from __future__ import annotations

import logging
import math
import sys
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk.exceptions import AirflowException

from airflow_interruptible import remote
from airflow_interruptible.compute.kubernetes import capacity_of_pod
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.operators.earlier_pods import EarlierPods, V1Pod
from airflow_interruptible.operators.pod_spec import known_pod
from airflow_interruptible.remote import kubernetes_remains as remains
from airflow_interruptible.remote.answer import moment
from airflow_interruptible.remote.kubernetes_client import SECONDS, is_gone, plain
from airflow_interruptible.remote.kubernetes_pod import ended_by_itself, has_ended, succeeded_too_late
from airflow_interruptible.settings import get_settings
from airflow_interruptible.worker.launched_pods import where_is
from airflow_interruptible.worker.pod_endings import await_end

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context

    from airflow_interruptible.annotation import Annotation
    from airflow_interruptible.compute.kubernetes import KubernetesCompute
    from airflow_interruptible.core.evidence import Evidence
    from airflow_interruptible.worker.book import Book

log = logging.getLogger(__name__)

_TOO_LATE = (
    "Pod {} was told to end, and succeeded only after that. An attempt that was interrupted is no success, whatever "
    "its pod exits with; so it is made again."
)


class PodLauncher(EarlierPods):
    """Stands between :class:`.InterruptibleMixin` and the operator.

    ``launched_capacity`` is what the pod of this attempt asked for, None if it was not placed; ``launched`` is where
    the pod is, for the history; ``ended_pod`` is the pod as it was when its container was first seen to have ended by
    itself, ``disrupted_pod`` as it was when it was last seen to end otherwise; ``seen_pod`` is the pod as it was just
    before it was given up, ``missed_pod`` whether it was gone by then, and ``seen_evidence`` what that says of its end.
    """

    interruptible_annotation: Annotation
    interruptible_book: Book | None
    interruptible_told: bool
    interruptible_killed: bool
    launched_capacity: CapacityType | None = None
    launched: Mapping[str, str] = {}
    seen_pod: V1Pod | None = None
    ended_pod: V1Pod | None = None
    disrupted_pod: V1Pod | None = None
    missed_pod = False
    seen_evidence: Evidence | None = None

    @staticmethod
    def check_launch(compute: KubernetesCompute, arguments: Mapping[str, Any]) -> None:
        """Refuse arguments with which the pod could be on one of the capacities only.

        :param arguments: the operator's own, as far as they are known when the Dag is parsed.
        :raises ConfigurationError: what they ask for, and what to do.
        """
        compute.check_pod(known_pod(arguments))

    def execute(self, context: Context, *args: Any, **kwargs: Any) -> Any:
        """Launch the pod where this attempt belongs."""
        self._expect()
        return super().execute(context, *args, **kwargs)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on with the pod that was launched before the deferral."""
        self._expect()
        return super().resume_execution(next_method, next_kwargs, context)

    def _expect(self) -> None:
        """Learn what is known of the pod; a spot node is waited for no longer than ``spot_timeout``."""
        self.seen_pod = self.ended_pod = self.disrupted_pod = self.seen_evidence = None
        self.missed_pod = False
        if self.interruptible_book is None:
            return
        self.launched = {
            key: name for key, name in self.interruptible_book.record.where.items() if key.startswith("launched_")
        }
        if self.interruptible_annotation.launch is None:
            return
        self.launched_capacity = self.interruptible_book.placement.capacity
        if self.launched_capacity is CapacityType.SPOT:
            longest = max(1, math.ceil(get_settings().spot_timeout.total_seconds()))
            self.schedule_timeout_seconds = min(self._own_schedule_timeout, longest)
        else:
            self.schedule_timeout_seconds = self._own_schedule_timeout  # in ``dag.test`` one object makes all attempts

    @cached_property
    def _own_schedule_timeout(self) -> int:
        return self.schedule_timeout_seconds

    def build_pod_request_obj(self, context: Context | None = None, **options: Any) -> V1Pod:
        """Return the pod as the operator builds it, asking for the capacity of this attempt."""
        pod = super().build_pod_request_obj(context, **options)
        if self.launched_capacity is None or self.interruptible_annotation.launch is None:
            return pod
        try:
            compute = cast("KubernetesCompute", self.interruptible_annotation.launch.build())
            self.launched_capacity = compute.place_pod(pod, self.launched_capacity)
        except Exception:
            log.warning("The pod could not be placed, so it goes where its author sends it.", exc_info=True)
            self.launched_capacity = None
        return pod

    def get_or_create_pod(self, pod_request_obj: V1Pod, context: Context) -> V1Pod:
        """Launch the pod, or go on with one that lives, once nothing else is at work; and write down which pod it is.

        ``on_kill`` deletes ``self.pod``, which the operator sets only after this has returned: until then it is the
        pod that was asked for, and one that was being created when the signal came is deleted afterwards.

        :raises EarlierPodError: a pod of an earlier attempt may be at work and cannot be ended.
        """
        self.settle_earlier_pods(pod_request_obj)
        self.pod = self.joined_pod or pod_request_obj
        try:
            self.pod = super().get_or_create_pod(pod_request_obj, context)
        finally:
            if self.interruptible_killed:
                super().on_kill()
        if self.interruptible_book is not None:
            self._write_down(self.pod, self.interruptible_book)
        return self.pod

    def _write_down(self, pod: V1Pod, book: Book) -> None:
        self.launched = where_is(pod)
        record = book.starting_record()
        joined = pod.metadata.uid is not None
        if joined and self.launched_capacity is not None:
            self.launched_capacity = self.joined_capacity or capacity_of_pod(pod) or self.launched_capacity
            reason = f"goes on with pod {pod.metadata.name}, which still runs {self.launched_capacity.phrase}"
            log.info("This attempt %s.", reason)
            record = replace(record, reason=reason)
        try:
            book = replace(book, launched=self.launched)
            where = {**record.where, **self.launched}
            record = replace(record, where=where, capacity=self.launched_capacity or record.capacity)
            self.interruptible_book = book.write(record, book.history)
        except Exception:
            log.warning("The pod of this attempt cannot be written into the history.", exc_info=True)

    def interruptible_wait_until_stopped(self, deadline: float) -> None:
        """Wait until the pod that ``on_kill`` has deleted is at work no longer, so that no successor runs beside it.

        A pod that its author keeps (``on_kill_action="keep_pod"``) is gone on with by the next attempt, which waits for
        whatever cannot be waited for here.

        :param deadline: until when, by ``time.monotonic()``.
        """
        if self.pod is None or self.on_kill_action == "keep_pod":
            return
        if await_end([self.pod], self.client, latest=deadline):
            log.warning("Pod %s has not ended yet; the next attempt waits for it.", self.pod.metadata.name)

    def await_pod_start(self, pod: V1Pod) -> None:
        """Wait for the pod, and learn its node."""
        super().await_pod_start(pod)
        if self.interruptible_book is not None:
            self._see(pod)

    def trigger_reentry(self, context: Context, event: dict[str, Any]) -> Any:
        """Go on with what the trigger saw; it does not look whether a pod that exited with 0 had been told to end."""
        result = super().trigger_reentry(context, event)
        if self.pod is None and self._was_stopped(event["name"], event["namespace"], context):
            self.missed_pod = True
            raise AirflowException(_TOO_LATE.format(event["name"]))
        return result

    def _was_stopped(self, name: str, namespace: str, context: Context) -> bool:
        try:
            begun = moment(getattr(context["ti"], "start_date", None))
            return remains.was_stopped(self.client, name, namespace, self.base_container_name, begun)
        except Exception:
            log.warning("Pod %s is gone, and whether it was told to end cannot be asked.", name, exc_info=True)
            return False

    def cleanup(self, pod: V1Pod, remote_pod: V1Pod, xcom_result: Any = None, context: Context | None = None) -> None:
        """Look at the pod while it is there; one that found no spot node must not start later.

        Also while the operator can still ask: EksPodOperator's way to its cluster ends with ``execute``.
        """
        if (
            self.interruptible_book is not None
            and remote_pod is not None
            and context is not None
            and not self.interruptible_told
        ):
            self._look_at(remote_pod, context)
        super().cleanup(pod, remote_pod, xcom_result, context)
        if remote_pod is not None and not self.interruptible_told and self._succeeded_too_late(remote_pod):
            raise AirflowException(_TOO_LATE.format(pod and pod.metadata.name))

    def _look_at(self, pod: V1Pod, context: Context) -> None:
        try:
            if pod.status.phase == "Succeeded" and not self._succeeded_too_late(pod):
                return
            self.seen_pod = seen = self._see(pod)
            self.seen_evidence = remote.described(self, sys.exc_info()[1] or AirflowException(), context)
            if seen is not None and self.launched_capacity is CapacityType.SPOT and not seen.spec.node_name:
                self.pod_manager.delete_pod(seen)
        except Exception:
            log.warning("The pod of this attempt could not be looked at before it goes.", exc_info=True)

    def _succeeded_too_late(self, pod: V1Pod) -> bool:
        return succeeded_too_late(plain(pod), self.base_container_name)

    @cached_property
    def pod_manager(self) -> Any:
        """The operator's own, which remembers what it has read of a pod that ends: it may be gone soon after."""
        manager = super().pod_manager
        read_pod = manager.read_pod

        def remembering(pod: V1Pod) -> V1Pod:
            found = read_pod(pod)
            fields = plain(found)
            if ended_by_itself(fields, self.base_container_name):
                self.ended_pod = self.ended_pod or found
            elif has_ended(fields, self.base_container_name):
                self.disrupted_pod = found
            return found

        manager.read_pod = remembering
        return manager

    def _see(self, pod: V1Pod) -> V1Pod | None:
        """Return the pod as it is now, None if it cannot be seen: it is then judged by what it left behind."""
        try:
            name, namespace = pod.metadata.name, pod.metadata.namespace
            seen = self.client.read_namespaced_pod(name, namespace, _request_timeout=SECONDS)
            self.launched = {**self.launched, **where_is(seen)}
        except Exception as error:  # noqa: BLE001 - gone, most often
            self.missed_pod = is_gone(error)
            log.debug("The pod of this attempt cannot be seen: %s: %.300s", type(error).__name__, error)
            return None
        return seen
