# SPDX-License-Identifier: Apache-2.0
"""What happens to one task when its Dag has been parsed. Whole Dags are tested in ``tests/integration``."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from airflow import policies
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, BaseOperator, TaskGroup
from airflow.sdk import task as airflow_task
from airflow.sdk.definitions.retry_policy import ExceptionRetryPolicy
from pluggy import PluginManager

from airflow_interruptible import interruptible
from airflow_interruptible.core.budget import Budget
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.exceptions import ConfigurationError
from airflow_interruptible.marker import KEY, Marker
from airflow_interruptible.policies import adoption, cluster
from airflow_interruptible.policies.retry import InterruptibleRetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND
Interruptible = interruptible(EmptyOperator)
QUEUES = '{"spot": "cheap", "on_demand": "safe"}'
ECS = "airflow.providers.amazon.aws.executors.ecs.ecs_executor.AwsEcsExecutor"


def applied(operator: Any = Interruptible, default_args: dict[str, Any] | None = None, **arguments: Any) -> Any:
    with DAG("d", schedule=None, default_args=default_args or {}):
        task = operator(task_id="t", **arguments)
    adoption.apply(task)
    return task


def marker(task: Any) -> Marker:
    found = Marker.from_config(task.executor_config)
    assert found is not None
    return found


# -- which tasks


@pytest.mark.parametrize("default", ["", "False"])
@pytest.mark.parametrize("default_args", [{}, {"retries": 3}, {"interruptible": None}])
def test_a_stock_task_of_which_nobody_speaks_is_not_touched(
    configure: Callable[..., None], default: str, default_args: dict[str, Any]
) -> None:
    configure(default=default)
    task = applied(EmptyOperator, default_args)
    assert type(task) is EmptyOperator
    assert task.retries == default_args.get("retries", 0)
    assert task.retry_policy is None
    assert task.executor_config == {}


def test_a_stock_task_is_adopted_with_everything_the_dag_says() -> None:
    task = applied(
        EmptyOperator,
        {"interruptible": True, "retries": 2, "system_retries": 1, "system_retry_delay": 60, "compute": "none"},
    )
    assert type(task) is Interruptible
    assert (task.retries, task.user_retries, task.system_retries) == (3, 2, 1)
    assert task.interruptible
    assert task.interruptible_annotation.system_retry_delay == timedelta(minutes=1)
    assert task.interruptible_annotation.compute.name == "none"
    assert isinstance(task.retry_policy, InterruptibleRetryPolicy)


@pytest.mark.parametrize("default", ["", "True", "False"])
def test_a_stock_task_whose_dag_says_no_has_both_budgets_and_goes_on_demand(
    configure: Callable[..., None], default: str
) -> None:
    configure(default=default, compute="queue", compute_options=QUEUES)
    task = applied(EmptyOperator, {"interruptible": False, "retries": 2})
    assert type(task) is Interruptible
    assert (task.retries, task.user_retries, task.interruptible) == (5, 2, False)
    assert task.queue == "safe"
    assert marker(task).capacity is ON_DEMAND


@pytest.mark.parametrize(("dag_says", "group_says"), [(True, False), (False, True), (None, True), (None, False)])
def test_a_task_group_speaks_for_its_stock_tasks(dag_says: bool | None, group_says: bool) -> None:
    with (
        DAG("d", schedule=None, default_args={"interruptible": dag_says, "retries": 1}),
        TaskGroup("g", default_args={"interruptible": group_says}),
    ):
        task: Any = EmptyOperator(task_id="t")
    adoption.apply(task)
    assert type(task) is Interruptible
    assert (task.retries, task.interruptible) == (4, group_says)


def test_airflow_cfg_may_want_every_task(configure: Callable[..., None]) -> None:
    configure(default="True")
    task = applied(EmptyOperator, retries=1)
    assert type(task) is Interruptible
    assert marker(task).capacity is SPOT
    assert marker(applied(EmptyOperator, {"interruptible": False}, retries=1)).capacity is ON_DEMAND


@pytest.mark.parametrize("mapped", [False, True])
def test_what_only_airflow_cfg_says_never_breaks_a_dag(
    configure: Callable[..., None], warnings_of: Callable[[], list[str]], mapped: bool
) -> None:
    """Its author never heard of us, and has a task on a queue of its own."""
    configure(default="True", compute="queue", compute_options=QUEUES)
    for _ in range(2):
        with DAG("d", schedule=None):
            if mapped:
                task: Any = EmptyOperator.partial(task_id="gpu_work", queue="gpu", retries=1).expand(doc=["a"])
            else:
                task = EmptyOperator(task_id="gpu_work", queue="gpu", retries=1)
        adoption.apply(task)
        adoption.apply(task)  # a policy may be applied again
        assert (task.queue, task.retries) == ("gpu", 4)
        assert marker(task) == Marker(
            False, Budget(1, 3), ON_DEMAND, timedelta(seconds=10), {"name": "none"}, placed=False
        )
    (said,) = warnings_of()
    assert "Task d.gpu_work stays where it is, on demand" in said
    assert "queue='gpu' and compute 'queue' contradict" in said
    with pytest.raises(ConfigurationError, match="contradict"):
        applied(queue="gpu")


@pytest.mark.parametrize("options", [{"compute": "karpentr"}, {"compute": "queue"}])
def test_a_compute_that_cannot_be_meant_does_not_break_a_dag_that_never_heard_of_us(
    configure: Callable[..., None], options: dict[str, str]
) -> None:
    configure(default="True", **options)
    task = applied(EmptyOperator, queue="gpu", retries=1)
    assert (task.queue, marker(task).capacity) == ("gpu", ON_DEMAND)
    with pytest.raises(ConfigurationError):
        applied(EmptyOperator, {"interruptible": True})


def test_the_author_s_policy_is_kept_inside(configure: Callable[..., None]) -> None:
    from airflow.sdk.definitions.retry_policy import ExceptionRetryPolicy

    author = ExceptionRetryPolicy(rules=[])
    assert applied(EmptyOperator, {"interruptible": True}, retry_policy=author).retry_policy.author is author


def test_a_dag_that_says_nonsense_is_refused() -> None:
    with pytest.raises(TypeError, match="the Dag's default_args says 'yes'"):
        applied(EmptyOperator, {"interruptible": "yes"})


@pytest.mark.parametrize("name", ["system_retries", "system_retry_delay"])
def test_a_wrong_argument_in_default_args_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} must be"):
        applied(EmptyOperator, {"interruptible": True, name: "many"})


def test_wrong_settings_do_not_break_dags_that_never_heard_of_us(
    configure: Callable[..., None], warnings_of: Callable[[], list[str]]
) -> None:
    configure(system_retries="many")
    assert type(applied(EmptyOperator)) is EmptyOperator
    assert type(applied(EmptyOperator)) is EmptyOperator
    assert len(warnings_of()) == 1
    with pytest.raises(ConfigurationError, match="system_retries in section interruptible of"):
        applied(EmptyOperator, {"interruptible": True})


@pytest.mark.parametrize("mapped", [False, True])
def test_an_operator_that_cannot_be_subclassed_does_not_cost_its_dag(
    mapped: bool, caplog: pytest.LogCaptureFixture
) -> None:
    class Only(BaseOperator):
        """Keeps a register of operators, in which no name may stand twice."""

        seen: ClassVar[set[str]] = set()

        def __init_subclass__(cls, **kwargs: Any) -> None:
            super().__init_subclass__(**kwargs)
            if cls.__name__ in cls.seen:
                raise ValueError(f"{cls.__name__} is known already")
            cls.seen.add(cls.__name__)

    class Work(Only):
        pass

    with DAG("d", schedule=None, default_args={"interruptible": True, "retries": 1}):
        task: Any = Work.partial(task_id="t").expand(doc=["a"]) if mapped else Work(task_id="t")
    adoption.apply(task)
    assert (task.operator_class if mapped else type(task)) is Work
    assert (task.retries, task.retry_policy, task.executor_config) == (1, None, {})
    assert "cannot be made interruptible" in caplog.text


class Cluster(BaseOperator):
    """Has a ``compute`` of its own, as EksCreateClusterOperator has."""

    def __init__(self, *, compute: str | None = "nodegroup", name: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.compute = compute
        self.name = name


@pytest.mark.parametrize("operator", [Cluster, interruptible(Cluster)])
def test_an_argument_that_the_operator_has_itself_stays_the_operator_s(operator: Any) -> None:
    with DAG("d", schedule=None, default_args={"interruptible": True, "retries": 1}):
        plain, silent = operator(task_id="p", compute="fargate"), operator(task_id="s")
        mapped = operator.partial(task_id="m", compute="fargate").expand(name=["a"])
    for task in (plain, silent, mapped):
        adoption.apply(task)
        assert task.retries == 4
        assert marker(task).compute is None
    assert (plain.compute, silent.compute) == ("fargate", "nodegroup")
    assert mapped.unmap({"name": "a"}).compute == "fargate"


def test_parsing_again_changes_nothing(configure: Callable[..., None]) -> None:
    configure(compute="queue", compute_options=QUEUES)
    task = applied(EmptyOperator, {"interruptible": True, "retries": 2})
    before = (type(task), task.retries, task.queue, task.executor_config, task.interruptible_annotation)
    adoption.apply(task)
    assert (type(task), task.retries, task.queue, task.executor_config, task.interruptible_annotation) == before


@pytest.mark.parametrize("mapped", [False, True])
def test_retries_that_were_set_after_the_task_was_made_are_the_author_s(mapped: bool) -> None:
    """Another cluster policy may set ``retries`` on every task."""
    with DAG("d", schedule=None):
        if mapped:
            task = Interruptible.partial(task_id="t", retries=1, system_retries=2).expand(doc=["a"])
        else:
            task = Interruptible(task_id="t", retries=1, system_retries=2)
    if mapped:
        task.partial_kwargs["retries"] = 5
    else:
        task.retries = 5
    adoption.apply(task)
    assert task.retries == 7
    assert marker(task).budget == Budget(5, 2)


@pytest.mark.parametrize("mapped", [False, True])
def test_a_policy_that_was_set_after_the_task_was_made_is_the_author_s(mapped: bool) -> None:
    """Another cluster policy may give every task the retry policy of the company."""
    company = ExceptionRetryPolicy(rules=[])
    with DAG("d", schedule=None):
        task = Interruptible.partial(task_id="t").expand(doc=["a"]) if mapped else Interruptible(task_id="t")
    task.retry_policy = company
    adoption.apply(task)
    assert task.retry_policy == InterruptibleRetryPolicy(company)


# -- the first attempt and the marker


@pytest.mark.parametrize(
    ("arguments", "capacity"),
    [
        ({"interruptible": True, "retries": 1}, SPOT),
        ({"interruptible": True, "retries": 0}, ON_DEMAND),
        ({"interruptible": False, "retries": 1}, ON_DEMAND),
        ({"retries": 1}, SPOT),
    ],
)
def test_the_first_attempt_goes_where_it_belongs(
    configure: Callable[..., None], arguments: dict[str, Any], capacity: CapacityType
) -> None:
    configure(compute="queue", compute_options=QUEUES)
    task = applied(**arguments)
    assert task.queue == {SPOT: "cheap", ON_DEMAND: "safe"}[capacity]
    assert marker(task).capacity is capacity


def test_the_marker_says_what_the_server_must_know() -> None:
    task = applied(interruptible=True, retries=2, system_retries=1, system_retry_delay=5)
    assert marker(task) == Marker(True, Budget(2, 1), SPOT, timedelta(seconds=5), placed=False)


def test_the_marker_says_whether_anything_is_moved(configure: Callable[..., None]) -> None:
    configure(compute="queue", compute_options=QUEUES)
    assert marker(applied(retries=1)).placed
    assert not marker(applied(retries=1, compute="none")).placed
    configure(pod_compute="karpenter", compute="none", compute_options="{}")
    assert not marker(applied(retries=1)).placed


def test_a_compute_of_its_own_is_in_the_marker() -> None:
    compute = {"name": "queue", "spot": "a", "on_demand": "b"}
    task = applied(interruptible=True, retries=1, compute=compute)
    assert task.queue == "a"
    assert marker(task).compute == compute


def test_the_author_s_executor_config_survives() -> None:
    theirs = {"pod_override": object()}
    task = applied(interruptible=True, retries=1, executor_config=theirs)
    assert {**task.executor_config, **theirs} == task.executor_config
    assert KEY not in theirs


def test_a_teardown_stays_on_demand() -> None:
    with DAG("d", schedule=None, default_args={"interruptible": True, "retries": 2}):
        task = EmptyOperator(task_id="t").as_teardown()
    adoption.apply(task)
    assert not task.interruptible
    assert marker(task).capacity is ON_DEMAND
    assert task.retries == 5, "it is forgiven all the same"


def test_a_place_that_would_have_to_be_overruled_is_refused(configure: Callable[..., None]) -> None:
    configure(compute="queue", compute_options=QUEUES)
    with pytest.raises(ConfigurationError, match="queue='gpu' and compute 'queue' contradict"):
        applied(interruptible=True, queue="gpu")
    assert applied(interruptible=False, queue="gpu").queue == "gpu"


def test_an_unknown_compute_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no compute called 'kubernets'"):
        applied(compute="kubernets")


def test_an_executor_that_refuses_unknown_keys_gets_no_marker(
    monkeypatch: pytest.MonkeyPatch, configure: Callable[..., None]
) -> None:
    assert KEY not in applied(interruptible=True, retries=1, executor=ECS).executor_config
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", f"{ECS},LocalExecutor")
    configure()
    assert KEY not in applied(interruptible=True, retries=1).executor_config
    assert KEY in applied(interruptible=True, retries=1, executor="LocalExecutor").executor_config
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", f"ecs:{ECS}")
    configure()
    assert KEY not in applied(interruptible=True, retries=1).executor_config


@pytest.mark.parametrize("adopted", [False, True])
def test_a_mapped_task_is_placed_through_its_arguments(configure: Callable[..., None], adopted: bool) -> None:
    configure(compute="queue", compute_options=QUEUES)
    operator = EmptyOperator if adopted else Interruptible
    with DAG("d", schedule=None, default_args={"interruptible": True, "retries": 1}):
        task = operator.partial(task_id="t").expand(doc=["a", "b"])
    adoption.apply(task)
    assert task.operator_class is Interruptible
    assert task.queue == "cheap"
    assert task.retries == 4
    assert marker(task).capacity is SPOT
    unmapped = task.unmap({"doc": "a"})
    assert (unmapped.queue, unmapped.retries, unmapped.user_retries) == ("cheap", 4, 1)
    assert unmapped.interruptible


@pytest.mark.parametrize("operator", [EmptyOperator, Interruptible])
def test_a_mapped_task_without_an_executor_config_is_placed_too(operator: Any) -> None:
    with DAG("d", schedule=None, default_args={"interruptible": True, "retries": 1}):
        task = operator.partial(task_id="t", executor_config=None).expand(doc=["a"])
    adoption.apply(task)
    assert marker(task).capacity is SPOT


@pytest.mark.parametrize("name", ["interruptible", "system_retries", "compute"])
@pytest.mark.parametrize("how", ["expand", "expand_kwargs"])
def test_what_would_differ_from_index_to_index_is_refused(name: str, how: str) -> None:
    """The worker would obey, and the server would not: an on-demand queue, and a ledger that says spot."""
    with DAG("d", schedule=None):
        partial = Interruptible.partial(task_id="work", retries=1)
        mapped: Any = (
            partial.expand(**{name: [None, None]})
            if how == "expand"
            else partial.expand_kwargs([{"doc": "a"}, {"doc": "b", name: None}])
        )
    with pytest.raises(ConfigurationError, match=rf"Task d\.work: {name} cannot differ .* Write \.partial\({name}="):
        adoption.apply(mapped)


def test_an_error_names_the_task() -> None:
    with pytest.raises(ConfigurationError, match=r"^Task d\.t: system_retries must be an int >= 0, got -1\. Use 0 to "):
        applied(EmptyOperator, {"interruptible": True, "system_retries": -1})
    with pytest.raises(TypeError, match=r"^Task d\.t: interruptible must be"):
        applied(EmptyOperator, {"interruptible": "no"})


@pytest.mark.parametrize("annotated", [False, True])
def test_a_slip_of_the_pen_is_said_once(annotated: bool, warnings_of: Callable[[], list[str]]) -> None:
    said = {"interruptable": True, "system_retrys": 9, "retries": 1, "on_retry_callback": None}
    for _ in range(2):
        applied(Interruptible if annotated else EmptyOperator, said)
    assert warnings_of() == [
        "default_args of Dag d say 'interruptable', which nobody reads. Did you mean 'interruptible'?",
        "default_args of Dag d say 'system_retrys', which nobody reads. Did you mean 'system_retries'?",
    ]


# -- among other policies


def cap(task: Any) -> None:
    if task.retries is not None and task.retries > 2:
        task.retries = 2


def raise_to_five(task: Any) -> None:
    task.retries = 5


@pytest.mark.parametrize(
    ("policy", "before", "after"), [(cap, 0, 0), (cap, 2, 2), (cap, 9, 2), (raise_to_five, 2, 5), (raise_to_five, 0, 5)]
)
@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("adopted", [False, True])
def test_another_policy_sees_and_sets_the_author_s_retries(
    policy: Callable[[Any], None], before: int, after: int, mapped: bool, adopted: bool
) -> None:
    """A cap on retries must not give user retries to a task that has none, whichever policy is called first."""
    operator: Any = EmptyOperator if adopted else Interruptible
    with DAG("d", schedule=None, default_args={"interruptible": True}):
        if mapped:
            task = operator.partial(task_id="t", retries=before).expand(doc=["a"])
        else:
            task = operator(task_id="t", retries=before)
    manager = PluginManager("airflow.policy")
    manager.add_hookspecs(policies)
    other = SimpleNamespace(task_policy=policies.hookimpl(policy))
    for plugin in (cluster, other):
        manager.register(plugin)
    manager.hook.task_policy(task=task)
    assert marker(task).budget == Budget(after, 3)
    assert task.retries == after + 3


def test_a_mapped_taskflow_task_knows_the_default_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow leaves them out of what a mapped TaskFlow task is made of."""
    monkeypatch.setenv("AIRFLOW__CORE__DEFAULT_TASK_RETRIES", "2")
    with DAG("d", schedule=None, default_args={"interruptible": True}) as dag:

        @airflow_task
        def stock(x: int) -> None: ...

        @airflow_task.interruptible
        def annotated(x: int) -> None: ...

        stock.expand(x=[1])
        annotated.expand(x=[1])
    for task in dag.tasks:
        adoption.apply(task)
        assert (marker(task).budget, task.retries) == (Budget(2, 3), 5)


@pytest.mark.parametrize("setting", [True, False])
def test_an_executor_that_airflow_does_not_have_is_refused_also_on_demand(setting: bool) -> None:
    """The scheduler would starve such a task."""
    compute = {"name": "executor", "spot": "LocalExecutor", "on_demand": "NoSuch"}
    with pytest.raises(ConfigurationError, match="'NoSuch', which"):
        applied(interruptible=setting, retries=1, compute=compute)
