# SPDX-License-Identifier: Apache-2.0
"""What an author wrote on a task, checked, with everything inherited filled in.

Airflow's ``retries`` becomes U + S here and nowhere else, and keeps the author's number as ``user_retries``. A mapped
task holds its arguments in ``partial_kwargs`` until a worker builds the operator from them, so both forms are prepared.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, TypeGuard

from airflow_interruptible.compute import NONE, ComputeChoice
from airflow_interruptible.compute.launched import Launcher, launcher_of, split
from airflow_interruptible.core.bounded import LAST_ATTEMPT
from airflow_interruptible.core.budget import Budget
from airflow_interruptible.core.precedence import Level, Resolution, checked, resolve
from airflow_interruptible.core.words import ARGUMENTS, OWN_RETRIES
from airflow_interruptible.exceptions import ConfigurationError
from airflow_interruptible.marker import MOST_RETRIES
from airflow_interruptible.settings import Settings, get_settings

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    from airflow.sdk import DAG, TaskGroup

_OURS = "airflow_interruptible."


@cache
def taken_by(operator_class: type) -> frozenset[str]:
    """Return those of :data:`ARGUMENTS` that the operator itself has: there they are the operator's, not ours.

    ``compute`` of ``EksCreateClusterOperator``, for one. ``interruptible`` means the same everywhere.
    """
    theirs = [vars(base) for base in operator_class.__mro__[:-1] if not base.__module__.startswith(_OURS)]
    inits = [names["__init__"] for names in theirs if "__init__" in names and "made_from" not in names]  # that is ours
    return frozenset(ARGUMENTS[1:]) & {name for init in inits for name in inspect.signature(init).parameters}


@dataclass(frozen=True)
class Annotation:
    """What is annotated on one task.

    :param interruptible: the task's own argument, None if it has none; see :func:`resolve_interruptible`.
    :param budget: both budgets.
    :param system_retry_delay: see :func:`airflow_interruptible.core.delay.system_delay`.
    :param compute: what places the Airflow task.
    :param own_compute: the task's own ``compute`` argument, None if it follows airflow.cfg.
    :param launch: what places the work that the operator launches elsewhere, None if nothing does.
    :param on_interruption_callback: called when a notice or a signal announces an interruption, one after the other.
    """

    interruptible: bool | None
    budget: Budget
    system_retry_delay: timedelta
    compute: ComputeChoice
    own_compute: ComputeChoice | None = None
    launch: ComputeChoice | None = None
    on_interruption_callback: tuple[Callable[..., object], ...] = ()

    @property
    def placed(self) -> bool:
        """Whether anything sends an attempt where it belongs. If not, a capacity is what would have been."""
        return self.launch is not None or self.compute.name != NONE

    @classmethod
    def of(
        cls,
        arguments: Mapping[str, Any],
        user_retries: object,
        settings: Settings,
        launcher: Launcher | None = None,
    ) -> Annotation:
        """Check the arguments of a task.

        :param arguments: those of :data:`ARGUMENTS` that the task has, inherited ones included.
        :param launcher: the kind of work that the operator launches elsewhere, if it does.
        :raises ConfigurationError: one has a value that cannot be meant.
        :raises TypeError: ``interruptible`` is neither a bool nor None.
        """
        compute, launch = split(launcher, arguments.get("compute"), settings)
        choice = ComputeChoice(settings.compute, settings.compute_options).overridden_by(compute)
        return cls(
            interruptible=checked(arguments.get("interruptible"), Level.TASK),
            budget=Budget(_whole("retries", user_retries), _system_retries(arguments.get("system_retries"), settings)),
            system_retry_delay=_delay(arguments.get("system_retry_delay"), settings),
            compute=choice,
            own_compute=None if compute is None else choice,
            launch=launch,
            on_interruption_callback=_callbacks(arguments.get("on_interruption_callback")),
        )


def _whole(name: str, value: object) -> int:
    if value is None:
        return 0
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        if value > MOST_RETRIES:
            raise ConfigurationError(f"{name} must be at most {MOST_RETRIES}, got {value}. {_INSTEAD[name]}")
        return value
    raise ConfigurationError(f"{name} must be an int >= 0, got {value!r}. {_INSTEAD[name]}")


_INSTEAD = {
    "retries": "Use 0 for a task that may not fail even once by its own error.",
    "system_retries": "Use 0 to forgive no system failure: interruptions then spend the task's own retries.",
}


def _system_retries(value: object, settings: Settings) -> int:
    if value is None:
        return settings.system_retries
    count = _whole("system_retries", value)
    if count > LAST_ATTEMPT:
        raise ConfigurationError(
            f"system_retries must be at most {LAST_ATTEMPT:,}, got {count}: Airflow could not keep the sum of both "
            "budgets. The default forgives 3 system failures, and a few dozen outlast any storm."
        )
    return count


_LONGEST = timedelta(days=1)


def _delay(given: object, settings: Settings) -> timedelta:
    if given is None:
        return settings.system_retry_delay
    delay: object = given
    if isinstance(given, int | float) and not isinstance(given, bool) and 0 <= given <= _LONGEST.total_seconds():
        delay = timedelta(seconds=given)
    if isinstance(delay, timedelta) and timedelta(0) <= delay <= _LONGEST:
        return delay
    raise ConfigurationError(
        f"system_retry_delay must be a number of seconds or a timedelta, from 0 to a day, got {given!r}. "
        "Use 0 to retry every system failure at once."
    )


def _callbacks(value: object) -> tuple[Callable[..., object], ...]:
    """Check ``on_interruption_callback``: one, or a list of them, as Airflow's own ``on_*_callback``."""
    if value is None:
        return ()
    callbacks = tuple(value) if isinstance(value, list | tuple) else (value,)
    for callback in callbacks:
        if not _takes_a_notice(callback):
            raise ConfigurationError(
                "on_interruption_callback must be callable as callback(context, notice), or a notifier, or a list of "
                f"those, got {value!r}. Of a notifier, give an instance; it finds the notice in its context."
            )
    return callbacks


def _takes_a_notice(callback: object) -> TypeGuard[Callable[..., object]]:
    from airflow.sdk.bases.notifier import BaseNotifier

    if isinstance(callback, BaseNotifier):
        return True
    if not callable(callback) or isinstance(callback, type):
        return False
    try:
        inspect.signature(callback).bind("context", "notice")
    except TypeError:
        return False
    except ValueError:
        return True  # written in C, and silent about what it takes
    return True


def levels(own: bool | None, group: TaskGroup | None, dag: DAG | None) -> dict[Level, bool | None]:
    """Return what each level of the Dag file says about ``interruptible``, and airflow.cfg.

    :raises TypeError: a level says something that is neither a bool nor None.
    """
    in_group: bool | None = None
    while group is not None and in_group is None:
        in_group = checked(group.default_args.get("interruptible"), Level.TASK_GROUP)
        group = group.parent_group
    in_dag = dag.default_args.get("interruptible") if dag is not None else None
    return {
        Level.TASK: own,
        Level.TASK_GROUP: in_group,
        Level.DAG: checked(in_dag, Level.DAG),
        Level.CONFIG: get_settings().default,
    }


def resolve_interruptible(task: Any, own: bool | None, conf: Mapping[str, Any] | None = None) -> Resolution:
    """Return the setting that applies to ``task``, which is annotated.

    :param task: an operator or a mapped operator.
    :param own: the task's own argument.
    :param conf: the run's conf, where the run is known.
    :raises TypeError: a level says something that is neither a bool nor None.
    """
    values = levels(own, task.task_group, task.get_dag())
    values[Level.RUN] = checked((conf or {}).get("interruptible"), Level.RUN)
    return resolve(values, teardown=task.is_teardown, annotated=True)


def inherited(name: str, group: TaskGroup | None, dag: DAG | None) -> Any:
    """Return what ``default_args`` say about an argument, as Airflow merges them: the TaskGroup over the Dag."""
    for source in (group, dag):
        if source is not None and name in source.default_args:
            return source.default_args[name]
    return None


def inherited_arguments(operator_class: type, group: TaskGroup | None, dag: DAG | None) -> dict[str, Any]:
    """Return what ``default_args`` say about :data:`ARGUMENTS`; ``interruptible`` is None, as the task said nothing."""
    names = [name for name in ARGUMENTS[1:] if name not in taken_by(operator_class)]
    return {ARGUMENTS[0]: None, **{name: inherited(name, group, dag) for name in names}}


def with_own_defaults(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a mapped task with ours from its own ``default_args``, which Airflow is about to drop."""
    own = kwargs.get("default_args") or {}
    return {**{name: own[name] for name in ARGUMENTS if name in own}, **kwargs}


def prepare_mapped(
    operator_class: type,
    kwargs: MutableMapping[str, Any],
    group: TaskGroup | None,
    dag: DAG | None,
    wrap: Callable[[Any], Any],
) -> Annotation:
    """Write both budgets into the arguments of a mapped task, once.

    Airflow creates the task instances of a mapped task from these arguments, long before a worker builds the operator.

    :param wrap: puts our retry policy around the author's.
    """
    annotation = mapped_annotation(operator_class, kwargs, group, dag)
    kwargs[OWN_RETRIES] = annotation.budget.user_retries
    kwargs["retries"] = annotation.budget.total_retries
    kwargs["retry_policy"] = wrap(kwargs.get("retry_policy"))
    return annotation


def mapped_annotation(
    operator_class: type, kwargs: Mapping[str, Any], group: TaskGroup | None, dag: DAG | None
) -> Annotation:
    """Read the annotation of a mapped task from its arguments."""
    arguments = inherited_arguments(operator_class, group, dag)
    arguments = {name: kwargs.get(name, said) for name, said in arguments.items()}
    user_retries = kwargs.get(OWN_RETRIES, kwargs.get("retries", _default_retries()))
    return Annotation.of(arguments, user_retries, get_settings(), launcher_of(operator_class))


def _default_retries() -> int:
    """Return the retries of a mapped TaskFlow task of which nobody speaks: Airflow itself forgets them there."""
    from airflow.configuration import conf

    return int(conf.getint("core", "default_task_retries", fallback=0))


def refuse_per_index(operator_class: type, expand_input: Any) -> None:
    """Refuse arguments of ours that differ from one index of a mapped task to the next.

    A worker would obey, but the scheduler places all indexes alike, since it only knows what stands in ``.partial()``.

    :param expand_input: what the task is mapped over; what an upstream task returns is not known yet.
    :raises ConfigurationError: there is one.
    """
    value = getattr(expand_input, "value", None)
    names = set(value) if isinstance(value, Mapping) else set()
    if isinstance(value, Sequence) and not isinstance(value, str):
        names = {name for one in value if isinstance(one, Mapping) for name in one}
    ours = sorted(names & (frozenset(ARGUMENTS) - taken_by(operator_class)))
    if ours:
        raise ConfigurationError(
            f"{', '.join(ours)} cannot differ from one index of a mapped task to the next: where a task instance runs "
            f"is decided before it is known what it is given. Write .partial({ours[0]}=...) for all, or map two tasks."
        )


def annotation_of(task: Any) -> Annotation:
    """Return the annotation of an operator of ours, or of a mapped task that expands to one.

    :raises AttributeError: the task is not annotated.
    """
    if task.is_mapped:
        return mapped_annotation(task.operator_class, task.partial_kwargs, task.task_group, task.get_dag())
    annotation: Annotation = task.interruptible_annotation
    return annotation


def with_user_retries(task: Any, annotation: Annotation, user_retries: object) -> None:
    """Give ``task`` another number of user retries, and Airflow the new sum."""
    budget = Budget(_whole("retries", user_retries), annotation.budget.system_retries)
    if task.is_mapped:
        task.partial_kwargs.update({OWN_RETRIES: budget.user_retries, "retries": budget.total_retries})
    else:
        task.interruptible_annotate(replace(annotation, budget=budget))
