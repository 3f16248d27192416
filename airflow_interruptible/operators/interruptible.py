# SPDX-License-Identifier: Apache-2.0
"""The interruptible subclass of any operator.

The generated class keeps the name and module of the operator it is made from, so that whatever looks at them (the UI,
metrics, extra links, lineage) sees the operator it knows. Airflow can bypass this class in one way: what ends before
``execute`` is entered, such as a template that fails to render, is judged by the retry policy alone.
"""

from __future__ import annotations

import copyreg
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from inspect import getattr_static
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from airflow.sdk import BaseOperator
from airflow.sdk.bases.operator import BaseOperatorMeta

from airflow_interruptible.annotation import (
    Annotation,
    prepare_mapped,
    resolve_interruptible,
    taken_by,
    with_own_defaults,
)
from airflow_interruptible.compute.launched import launcher_of
from airflow_interruptible.operators.layout import footing
from airflow_interruptible.operators.source import SourceSender
from airflow_interruptible.policies.retry import InterruptibleRetryPolicy
from airflow_interruptible.settings import get_settings
from airflow_interruptible.worker.attempt import attempt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import timedelta

    from airflow.sdk import Context
    from airflow.sdk.definitions.mappedoperator import OperatorPartial
    from typing_extensions import Self

    from airflow_interruptible.worker.attempt import RunningAttempt
    from airflow_interruptible.worker.book import Book

Operator = TypeVar("Operator", bound=BaseOperator)


_AIRFLOWS_PARTIAL = vars(BaseOperator)["partial"]


class _Partial:
    """``.partial()`` as Airflow has it, for classes only, with both budgets in the mapped task's ``retries``."""

    def __get__(self, task: BaseOperator | None, operator_class: type[BaseOperator]) -> Callable[..., OperatorPartial]:
        partial = _AIRFLOWS_PARTIAL.__get__(task, operator_class)
        budgeted = partial if task is not None else _budgeted(operator_class, partial)
        return cast("Callable[..., OperatorPartial]", budgeted)


def _budgeted(operator_class: type[BaseOperator], airflow_partial: Callable[..., Any]) -> Callable[..., Any]:
    def partial(**kwargs: Any) -> Any:
        begun = airflow_partial(**with_own_defaults(kwargs))
        arguments = begun.kwargs
        group, dag = arguments["task_group"], arguments["dag"]
        prepare_mapped(operator_class, arguments, group, dag, InterruptibleRetryPolicy.around)
        return begun

    return partial


class _Told:
    """What a task tells of its annotation, under a name that its operator may have as well: then it is the operator's.

    No property: what the operator sets on itself stands before it, see also :func:`_generate`.
    """

    name: str

    def __init__(self, read: Callable[[Any, Annotation], Any]) -> None:
        self._read = read

    def __set_name__(self, _owner: type, name: str) -> None:
        self.name = name

    def __get__(self, task: Any, _owner: type | None = None) -> Any:
        return self if task is None else self._read(task, task.interruptible_annotation)


class _Setting(_Told):
    """The same, for a value that may still be set on a task that has been made."""

    def __get__(self, task: Any, owner: type | None = None) -> Any:
        if task is not None and self.name in vars(task):
            return vars(task)[self.name]
        return super().__get__(task, owner)

    def __set__(self, task: Any, value: object) -> None:
        annotated = "interruptible_annotation" in vars(task) and self.name not in vars(task)
        if annotated and (value is None or isinstance(value, bool)):
            task.interruptible_annotate(replace(task.interruptible_annotation, interruptible=value))
        else:
            vars(task)[self.name] = value


_SHARED = ("interruptible", "user_retries", "system_retries")


class InterruptibleMixin(BaseOperator):
    """What an operator gains by being interruptible.

    It stands before whatever the operator's author calls their attributes, so what is not for authors has a name that
    no operator has: a ``book`` or an ``annotation`` may be theirs.

    :param interruptible: True to run on spot, False to run on demand, None (default) to inherit from the TaskGroup, the
        Dag or airflow.cfg.
    :param system_retries: how many interruptions and other system failures are forgiven. Default: airflow.cfg, 3.
    :param system_retry_delay: the longest wait, in seconds or as a timedelta, after the second system failure in a row.
        Default: airflow.cfg, 10 s.
    :param compute: what places the work that the operator launches elsewhere, if it is a compute for that; otherwise
        what places the Airflow task. See :meth:`ComputeChoice.overridden_by`. Default: airflow.cfg. An operator that
        has an argument of this name itself keeps it, see :func:`airflow_interruptible.annotation.taken_by`.
    :param on_interruption_callback: ``callback(context, notice)`` or a notifier, or a list of those, called when an
        interruption is announced.
    :param interruptible_user_retries: set by ``.partial()``, where ``retries`` already holds both budgets; not for
        authors.
    :raises ConfigurationError: an argument has a value that cannot be meant.
    :raises TypeError: ``interruptible`` is neither a bool nor None.
    """

    made_from: ClassVar[type[BaseOperator]]
    interruptible_annotation: Annotation
    _own_interruptible: bool | None
    interruptible_told = False
    """Whether this attempt was told to stop: by a signal, whoever handled it, or by a notice."""
    interruptible_killed = False
    """Whether ``on_kill()`` was called, by whomever."""
    interruptible_under_way = False
    interruptible_attempt: RunningAttempt | None = None
    interruptible_book: Book | None = None
    """The history as the running attempt knows it. None before, and where it cannot be read."""

    def __new__(cls, *_: Any, **kwargs: Any) -> Self:
        """Remember what the author wrote, before Airflow mixes ``default_args`` into it."""
        self = super().__new__(cls)
        own = kwargs.get("interruptible")
        if own is None:
            own = (kwargs.get("default_args") or {}).get("interruptible")
        object.__setattr__(self, "_own_interruptible", own)
        return self

    def __init__(
        self,
        *,
        interruptible: bool | None = None,  # noqa: ARG002 - named for Airflow, which refuses unknown arguments
        system_retries: int | None = None,
        system_retry_delay: float | timedelta | None = None,
        compute: str | Mapping[str, Any] | None = None,
        on_interruption_callback: Callable[..., object] | Sequence[Callable[..., object]] | None = None,
        interruptible_user_retries: int | None = None,
        **kwargs: Any,
    ) -> None:
        arguments: dict[str, Any] = {
            "interruptible": self._own_interruptible,
            "system_retries": system_retries,
            "system_retry_delay": system_retry_delay,
            "compute": compute,
            "on_interruption_callback": on_interruption_callback,
        }
        taken = {name: arguments.pop(name) for name in taken_by(type(self))}
        super().__init__(**{name: value for name, value in taken.items() if value is not None}, **kwargs)
        retries = self.retries if interruptible_user_retries is None else interruptible_user_retries
        self.interruptible_annotate(Annotation.of(arguments, retries, get_settings(), launcher_of(type(self))))

    def interruptible_annotate(self, annotation: Annotation) -> None:
        """Take ``annotation``, and make Airflow's own ``retries`` hold both budgets."""
        self.interruptible_annotation = annotation
        self.retries = annotation.budget.total_retries
        self.retry_policy = InterruptibleRetryPolicy.around(self.retry_policy)

    partial = _Partial()

    interruptible = _Setting(lambda task, said: resolve_interruptible(task, said.interruptible).interruptible)
    """The setting that applies as far as the Dag file tells; a run's conf may overrule it."""

    user_retries = _Told(lambda _, said: said.budget.user_retries)
    """The author's ``retries``."""

    system_retries = _Told(lambda _, said: said.budget.system_retries)
    """How many system failures are forgiven."""

    def on_kill(self) -> None:
        """Stop the operator's work: once, however often it is told to. Before ``execute``, remember the signal."""
        self.interruptible_killed = True
        running = self.interruptible_attempt
        if running is None or running.stop.closed or running.stop.state.outside:
            self.interruptible_told = True  # within, whoever calls this may have a reason of their own
        if running is None or running.stop.may_kill():
            super().on_kill()

    def execute(self, context: Context, *args: Any, **kwargs: Any) -> Any:
        """Run the operator as one attempt.

        Some operators resume with ``execute`` itself, which then takes the trigger's event, or call it from the method
        that they resume with: the attempt is under way then.
        """
        with _one_attempt(self, context):
            return super().execute(context, *args, **kwargs)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on with the same attempt after a deferral."""
        with _one_attempt(self, context):
            return super().resume_execution(next_method, next_kwargs, context)


@contextmanager
def _one_attempt(task: Any, context: Context) -> Iterator[None]:
    """Run the ``with`` block as one attempt, or as a part of the one that is under way."""
    if task.interruptible_under_way:
        yield
        return
    task.interruptible_under_way = True
    try:
        with attempt(task, context):
            yield
    finally:
        task.interruptible_under_way = False


class _InterruptibleMeta(BaseOperatorMeta):
    """The type of the generated classes, so that :mod:`copyreg` can pickle them: their name leads to the original."""


def _reduce(cls: type[InterruptibleMixin]) -> str | tuple[Callable[..., object], tuple[type[BaseOperator]]]:
    generated = "made_from" in vars(cls)
    return (interruptible_class, (cls.made_from,)) if generated else cls.__qualname__


def interruptible_class(operator_class: type[Operator]) -> type[Operator]:
    """Return the interruptible subclass of ``operator_class``: the same one every time.

    :raises TypeError: it is not an operator class.
    """
    given: object = operator_class
    if not (isinstance(given, type) and issubclass(given, BaseOperator)):
        raise TypeError(
            f"interruptible() takes an operator class or a TaskFlow task, got {given!r}. "
            "Write interruptible(BashOperator)(task_id=...), or put @interruptible above @task."
        )
    if issubclass(operator_class, InterruptibleMixin):
        return operator_class
    return cast("type[Operator]", _generate(cast("Any", operator_class)))


@cache
def _generate(operator_class: Any) -> type[BaseOperator]:
    namespace = {
        "__module__": operator_class.__module__,
        "__qualname__": operator_class.__qualname__,
        "__doc__": operator_class.__doc__,
        "made_from": operator_class,
        "shallow_copy_attrs": (*operator_class.shallow_copy_attrs, "interruptible_annotation"),
        **{name: getattr_static(operator_class, name) for name in _SHARED if hasattr(operator_class, name)},
    }
    bases = (*footing(operator_class), InterruptibleMixin, *_also(operator_class), operator_class)
    meta = _meta_for(cast("Any", type(operator_class)))
    return cast("type[BaseOperator]", meta(operator_class.__name__, bases, namespace))


def _also(operator_class: Any) -> Iterator[type]:
    """Yield what the interruptible form of some operators does besides."""
    launcher = launcher_of(operator_class)
    if launcher is not None:
        yield launcher.placing_class
    if hasattr(operator_class, "get_python_source"):
        yield SourceSender


@cache
def _meta_for(operator_meta: Any) -> Any:
    """Return a metaclass of ours that is also the operator's own, and can be pickled."""
    meta: Any = _InterruptibleMeta
    if not issubclass(_InterruptibleMeta, operator_meta):
        meta = type(operator_meta.__name__, (_InterruptibleMeta, operator_meta), {})
    copyreg.pickle(meta, cast("Any", _reduce))  # the instances of a metaclass are classes
    return meta
