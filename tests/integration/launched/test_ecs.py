# SPDX-License-Identifier: Apache-2.0
"""EcsRunTaskOperator as it is installed, made interruptible, against an ECS that runs its commands here."""

from __future__ import annotations

import itertools
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("airflow.providers.amazon")
from airflow.providers.amazon.aws.operators.ecs import EcsRunTaskOperator

from airflow_interruptible import interruptible
from airflow_interruptible.exceptions import ConfigurationError, Interrupted

if TYPE_CHECKING:
    from pathlib import Path

    from aws_api.ecs import Ecs
    from aws_api.server import AwsApi

FINE, FOR_EVER = ["true"], ["sleep", "60"]
POLITE = ["sh", "-c", "trap 'exit 0' TERM; sleep 60 & wait"]


def run_task(command: Any = FINE, **arguments: Any) -> Any:
    overrides = {"containerOverrides": [{"name": "main", "command": command}]}
    given = {"task_id": "work", "cluster": "c", "task_definition": "d", "overrides": overrides, "waiter_delay": 0}
    given |= {"interruptible": True, "retries": 2, "system_retries": 3, **arguments}
    return interruptible(EcsRunTaskOperator)(**given)


def providers(api: AwsApi) -> list[Any]:
    asked = api.requests("RunTask")
    return [(one.get("capacityProviderStrategy"), one.get("launchType")) for one in asked]


ON_SPOT = ([{"capacityProvider": "FARGATE_SPOT", "weight": 1}], None)
ON_DEMAND = ([{"capacityProvider": "FARGATE", "weight": 1}], None)


def test_a_reclaim_is_forgiven_and_the_last_attempt_is_on_demand(attempts: Any, api: AwsApi, ecs: Ecs) -> None:
    reclaimed = attempts(lambda: run_task(FOR_EVER, retries=1))
    ecs.watching = ecs.reclaim
    assert reclaimed.run() == "retry"
    ecs.watching = lambda task: None
    reclaimed.make = lambda: run_task(["sh", "-c", "exit 3"], retries=1)
    assert reclaimed.run() == "retry"
    reclaimed.make = lambda: run_task(retries=1)
    assert reclaimed.run() == "success"
    assert providers(api) == [ON_SPOT, ON_SPOT, ON_DEMAND]
    assert reclaimed.causes == ["spot_interruption", "application", None]
    assert reclaimed.charges == ["system", "user", None]
    assert reclaimed.capacities == ["spot", "spot", "on-demand"]
    assert reclaimed.record.where["launched_provider"] == "FARGATE"
    assert reclaimed.record.where["launched_job"] == list(ecs.tasks)[2]


def test_a_polite_program_that_was_reclaimed_is_no_success(attempts: Any, api: AwsApi, ecs: Ecs) -> None:
    reclaimed = attempts(lambda: run_task(POLITE))
    ecs.watching = lambda task: ecs.reclaim(task, after=0.3)
    assert reclaimed.run() == "retry"
    assert next(iter(ecs.tasks.values())).described()["containers"][0]["exitCode"] == 0
    assert (reclaimed.causes, reclaimed.charges) == (["spot_interruption"], ["system"])


def test_an_exit_code_that_means_skip_does_not_hide_a_reclaim(attempts: Any, api: AwsApi, ecs: Ecs) -> None:
    reclaimed = attempts(lambda: run_task(FOR_EVER, skip_on_exit_code=143))
    ecs.watching = ecs.reclaim
    assert reclaimed.run() == "retry"
    own = attempts(lambda: run_task(["sh", "-c", "exit 99"], skip_on_exit_code=99))
    ecs.watching = lambda task: None
    assert own.run() == "skipped"


def test_no_capacity_leads_to_on_demand(attempts: Any, api: AwsApi, ecs: Ecs) -> None:
    short = attempts(run_task)
    ecs.no_capacity = (
        "Capacity is unavailable at this time. Please try again later or in a different availability zone."
    )
    assert short.run() == "retry"
    ecs.no_capacity = None
    assert short.run() == "success"
    assert providers(api) == [ON_SPOT, ON_DEMAND]
    assert short.causes == ["no_capacity", None]


def test_what_a_person_stopped_is_the_authors(attempts: Any, api: AwsApi, ecs: Ecs) -> None:
    stopped = attempts(lambda: run_task(FOR_EVER))
    ecs.watching = lambda task: task.stop("UserInitiated", "not today")
    assert stopped.run() == "retry"
    assert stopped.charges == ["user"]


def test_a_signal_stops_the_task(attempts: Any, api: AwsApi, ecs: Ecs) -> None:
    told = attempts(lambda: run_task(FOR_EVER))
    ecs.watching = lambda task: os.kill(os.getpid(), signal.SIGTERM)
    assert told.run() == "retry"
    assert isinstance(told.errors[0], Interrupted)
    assert all(task.over for task in ecs.tasks.values())


def until(flag: Path) -> list[str]:
    return ["sh", "-c", f"while [ ! -e {flag} ]; do sleep 0.05; done"]


def test_a_task_that_outlives_its_worker_is_gone_on_with(
    attempts: Any, api: AwsApi, ecs: Ecs, killer: Any, flag: Path
) -> None:
    lost = attempts(lambda: run_task(until(flag)))
    assert lost.run() == "killed"
    killer.armed = False
    looks = itertools.count()
    ecs.watching = lambda task: (
        flag.touch() if next(looks) > 2 else None
    )  # looked back at, and about to be gone on with
    assert lost.run() == "success"
    assert len(ecs.tasks) == 1
    assert lost.causes == ["infrastructure", None]
    assert lost.capacities == ["spot", "spot"]
    assert "goes on with ECS task arn:" in (lost.record.reason or "")


def test_on_the_last_user_attempt_work_on_spot_is_ended_first(
    attempts: Any, api: AwsApi, ecs: Ecs, killer: Any
) -> None:
    lost = attempts(lambda: run_task(FOR_EVER, retries=1))
    killer.armed = False
    lost.make = lambda: run_task(["sh", "-c", "exit 3"], retries=1, system_retries=1)
    assert lost.run() == "retry"
    killer.armed, lost.make = True, lambda: run_task(FOR_EVER, retries=2, system_retries=1)
    assert lost.run() == "killed"
    killer.armed, lost.make = False, lambda: run_task(retries=1, system_retries=1)
    assert lost.run() == "success"
    assert providers(api) == [ON_SPOT, ON_SPOT, ON_DEMAND]
    assert [task.stop_code for task in ecs.tasks.values()] == [None, "UserInitiated", None]
    assert lost.capacities == ["spot", "spot", "on-demand"]


def test_a_task_that_succeeded_meanwhile_is_taken_as_it_is(
    attempts: Any, api: AwsApi, ecs: Ecs, killer: Any, flag: Path
) -> None:
    lost = attempts(lambda: run_task(until(flag)))
    assert lost.run() == "killed"
    flag.touch()
    next(iter(ecs.tasks.values())).process.wait()
    killer.armed = False
    assert lost.run() == "success"
    assert len(ecs.tasks) == 1
    lost.clear()
    assert lost.run() == "success"
    assert len(ecs.tasks) == 2


def test_a_clear_ends_what_is_left_and_begins_afresh(attempts: Any, api: AwsApi, ecs: Ecs, killer: Any) -> None:
    lost = attempts(lambda: run_task(FOR_EVER))
    assert lost.run() == "killed"
    lost.clear()
    killer.armed, lost.make = False, run_task
    assert lost.run() == "success"
    assert [task.stop_code for task in ecs.tasks.values()] == ["UserInitiated", None]


def test_a_reclaim_that_nobody_saw_is_found_out(attempts: Any, api: AwsApi, ecs: Ecs, killer: Any) -> None:
    lost = attempts(lambda: run_task(FOR_EVER))
    assert lost.run() == "killed"
    ecs.reclaim(next(iter(ecs.tasks.values())))
    killer.armed, lost.make = False, run_task
    assert lost.run() == "success"
    assert lost.causes == ["spot_interruption", None]
    assert lost.ledger.records[1].rule == "ecs/spot-stop-code"


def test_reattach_finds_what_the_history_does_not_know(attempts: Any, api: AwsApi, ecs: Ecs, killer: Any) -> None:
    lost = attempts(lambda: run_task(FOR_EVER, reattach=True, retries=0, system_retries=0, interruptible=False))
    assert lost.run() == "killed"
    lost.store.values.clear()
    killer.armed = False
    ecs.watching = lambda task: task.stop("EssentialContainerExited", "")
    assert lost.run() == "failed"
    assert len(ecs.tasks) == 1


@pytest.mark.parametrize(("command", "ended"), [(FINE, "success"), (POLITE, "retry")])
def test_deferrable(attempts: Any, api: AwsApi, command: Any, ended: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ecs: Any = api.services[0]
    from airflow.providers.amazon.aws.triggers.ecs import TaskDoneTrigger
    from airflow.triggers.base import TriggerEvent

    async def run(self: Any) -> Any:
        """The stock one needs aiobotocore, which the provider does not bring."""
        task = ecs.tasks[self.task_arn]
        if command is POLITE:
            ecs.reclaim(task, after=0.3)
        task.process.wait()
        yield TriggerEvent({"status": "success", "task_arn": self.task_arn, "cluster": self.cluster})

    monkeypatch.setattr(TaskDoneTrigger, "run", run)
    deferred = attempts(lambda: run_task(command, deferrable=True))
    assert deferred.run() == ended
    assert providers(api) == [ON_SPOT]
    assert deferred.causes == [None if ended == "success" else "spot_interruption"]


def test_where_the_provider_is_not_associated(attempts: Any, api: AwsApi, ecs: Ecs, caplog: Any) -> None:
    """Whoever wrote the word for a whole Dag may not know of this task: it runs where its author sends it."""
    ecs.providers = ()
    adopted = attempts(
        lambda: EcsRunTaskOperator(
            task_id="work",
            cluster="c",
            task_definition="d",
            waiter_delay=0,
            overrides={"containerOverrides": [{"name": "main", "command": FINE}]},
        ),
        {"default_args": {"interruptible": True, "retries": 1}},
    )
    assert adopted.run() == "success"
    assert providers(api) == [ON_SPOT, (None, "EC2")]
    explicit = attempts(run_task)
    assert explicit.run() == "retry"
    assert "not associated with the cluster" in str(explicit.errors[0])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"launch_type": "FARGATE"}, "launch_type='FARGATE' and an interruptible task contradict"),
        ({"capacity_provider_strategy": [{"capacityProvider": "FARGATE"}]}, "capacity_provider_strategy="),
        (
            {"capacity_provider_strategy": [{"capacityProvider": "FARGATE"}, {"capacityProvider": "FARGATE_SPOT"}]},
            "several providers",
        ),
        ({"wait_for_completion": False}, "nobody would see"),
        ({"compute": {"name": "ecs", "spot": "a"}}, "needs compute_options with two different names"),
    ],
)
def test_contradictions_are_refused_when_the_dag_is_parsed(attempts: Any, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        attempts(lambda: run_task(**arguments)).parsed()
    if "compute" not in arguments:
        with pytest.raises(ConfigurationError, match=said):
            attempts(run_task, {"default_args": arguments}).parsed()


def test_contradictions_of_mapped_tasks(attempts: Any) -> None:
    operator = interruptible(EcsRunTaskOperator)
    given = {"task_id": "work", "cluster": "c", "task_definition": "d", "interruptible": True}

    def mapped(partial: dict[str, Any], expand: dict[str, Any]) -> Any:
        return lambda: operator.partial(**given, **partial).expand(overrides=[{}], **expand)

    attempts(mapped({}, {})).parsed()
    with pytest.raises(ConfigurationError, match="launch_type='EC2'"):
        attempts(mapped({"launch_type": "EC2"}, {})).parsed()
    with pytest.raises(ConfigurationError, match="launch_type='EC2'"):
        attempts(mapped({}, {}), {"default_args": {"launch_type": "EC2"}}).parsed()
    with pytest.raises(ConfigurationError, match="launch_type cannot be expanded"):
        attempts(mapped({}, {"launch_type": ["EC2"]})).parsed()


def test_a_template_that_contradicts_is_a_clear_failure(attempts: Any, api: AwsApi) -> None:
    templated = attempts(lambda: run_task(launch_type="{{ 'FARG' + 'ATE' }}"))
    assert templated.run() == "failed"
    assert "launch_type='FARGATE' and an interruptible task contradict" in str(templated.errors[0])
    assert providers(api) == []


def test_an_adopted_task_that_contradicts_stays_where_it_is(attempts: Any, api: AwsApi, warnings_of: Any) -> None:
    arguments = {"interruptible": None, "launch_type": "FARGATE"}
    adopted = attempts(lambda: run_task(**arguments), {"default_args": {"interruptible": True}})
    assert adopted.run() == "success"
    assert providers(api) == [(None, "FARGATE")]
    assert adopted.capacities == ["on-demand"]
    assert sum("goes where its author sends it" in text for text in warnings_of()) == 2  # parsed, and run


def test_a_task_that_is_not_interruptible_is_on_demand(attempts: Any, api: AwsApi) -> None:
    assert attempts(lambda: run_task(interruptible=False)).run() == "success"
    assert attempts(lambda: run_task(interruptible=False, launch_type="EC2")).run() == "success"
    assert providers(api) == [ON_DEMAND, (None, "EC2")]


def test_own_providers(attempts: Any, api: AwsApi, ecs: Ecs, configure: Any) -> None:
    ecs.providers = ("cheap", "sure", "gpu-cheap", "gpu-sure")
    configure(launched='{"ecs": {"spot": "cheap", "on_demand": "sure"}}')
    assert attempts(run_task).run() == "success"
    gpu = {"name": "ecs", "spot": "gpu-cheap", "on_demand": "gpu-sure"}
    assert attempts(lambda: run_task(compute=gpu, retries=0)).run() == "success"
    assert [strategy[0]["capacityProvider"] for strategy, _ in providers(api)] == ["cheap", "gpu-sure"]


def test_none_leaves_tasks_where_their_authors_send_them(attempts: Any, api: AwsApi, configure: Any) -> None:
    configure(launched='{"ecs": "none"}')
    assert attempts(lambda: run_task(launch_type="FARGATE")).run() == "success"
    assert providers(api) == [(None, "FARGATE")]
