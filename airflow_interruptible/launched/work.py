# SPDX-License-Identifier: Apache-2.0
"""What differs between the services that operators launch work on: some data, and three small calls.

A kind of work knows the arguments of its operators, in and out, without the operator; and, with the operator, how to
hear the name of a job, to look at one and to stop one. It decides nothing: not which capacity, not whether to go on
with a job, not who pays. Nothing of a provider is imported by it; a client is always the operator's own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_interruptible.core.earlier_work import WorkState
from airflow_interruptible.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_interruptible.core.capacity import CapacityType


@dataclass(frozen=True)
class Seen:
    """A job as its service describes it.

    :param succeeded: whether it is over because its program ended well, as far as the service tells.
    :param capacity: what it runs on, None where the service does not tell.
    :param used: what else is worth keeping in the history, short texts by short names.
    """

    state: WorkState
    succeeded: bool = False
    capacity: CapacityType | None = None
    used: Mapping[str, str] = field(default_factory=dict)


GONE = Seen(WorkState.OVER)
"""A job that its service does not know."""


class Work(ABC):
    """One kind of work. Stateless.

    :cvar name: what ``compute=`` and ``[interruptible] launched`` call it.
    :cvar noun: one job, in a sentence.
    :cvar owns: the arguments that placing writes, so that they cannot be expanded.
    :cvar amends: those of them of which it writes a part only, such as a whole request: these can be expanded.
    :cvar ends_falsely: whether its operator can take the end of an interrupted job for a success.
    :cvar machines: whether it is machines that later tasks work on, rather than work: they are used again, but for
        those of another capacity.
    :cvar ends_within: seconds after which one that was told to end must have ended.
    :cvar given_up: whether a job on spot that has not begun after ``spot_timeout`` is stopped, because its service
        lets it wait for a machine as long as it takes, and needs less where there is one.
    :cvar stopped_by_operator: whether the operator's own ``on_kill`` stops the job.
    """

    name: ClassVar[str]
    noun: ClassVar[str]
    owns: ClassVar[frozenset[str]]
    amends: ClassVar[frozenset[str]] = frozenset()
    ends_falsely: ClassVar[bool] = False
    machines: ClassVar[bool] = False
    ends_within: ClassVar[float] = 180.0
    """Containers of ECS have up to 120 s to end.
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html (``stopTimeout``)"""
    given_up: ClassVar[bool] = False
    stopped_by_operator: ClassVar[bool] = False

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Refuse options that cannot be meant: all of them, unless a kind says otherwise.

        :raises ConfigurationError: which, why, and what to write instead.
        """
        if options:
            raise ConfigurationError(
                f"compute {self.name!r} takes no options, got {dict(options)!r}: each {self.noun} says itself what it "
                "runs on. Write {}."
            )

    @abstractmethod
    def check(self, arguments: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        """Refuse arguments with which the job could be on one of the capacities only, or which nobody waits for.

        :param arguments: what the author wrote, by name: at parse time without what only a template knows.
        :param options: of the compute.
        :raises ConfigurationError: what contradicts, why, and what to do.
        """

    @abstractmethod
    def asked(self, arguments: Mapping[str, Any], options: Mapping[str, Any]) -> CapacityType | None:
        """Return the capacity that the author's own arguments ask for, None if they do not tell."""

    def completed(self, task: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """Return the arguments with what only the operator can tell when it runs, such as what its connection says.

        :raises Exception: whatever it is that cannot be read.
        """
        return dict(arguments)

    @abstractmethod
    def placed(
        self, arguments: Mapping[str, Any], options: Mapping[str, Any], capacity: CapacityType
    ) -> dict[str, Any]:
        """Return the arguments to change so that the job runs on ``capacity``, and is tried once. Changes nothing."""

    def identified(self, arguments: Mapping[str, Any], attempt: int) -> dict[str, Any]:  # noqa: ARG002
        """Return the arguments to change so that the service can tell this attempt's job from those of earlier ones."""
        return {}

    def refuses(self, error: BaseException) -> bool:  # noqa: ARG002
        """Whether the service could not start a job because it does not offer that capacity here."""
        return False

    def hearing(
        self,
        task: Any,  # noqa: ARG002
        heard: Callable[[str], None],  # noqa: ARG002
        attached: str | None,  # noqa: ARG002
    ) -> AbstractContextManager[object]:
        """Return a block in which ``heard`` is called with the name of the job as soon as the service has told it.

        :param attached: the job that the operator is attached to, None if it is to start one.
        """
        return nullcontext()

    def job_of(self, task: Any) -> str | None:  # noqa: ARG002
        """Return the name of the job as the operator knows it at its end, for kinds that are not heard of before."""
        return None

    def others(self, task: Any, context: Mapping[str, Any]) -> list[str]:  # noqa: ARG002
        """Return the jobs that the operator itself would go on with, whatever the history knows."""
        return []

    @abstractmethod
    def attach(self, task: Any, job: str) -> None:
        """Let the operator go on with ``job``: its ``execute`` then waits for it, and starts none."""

    @abstractmethod
    def look(self, task: Any, job: str) -> Seen:
        """Return what the service says of ``job``.

        :raises Exception: whatever the client raises when it cannot be asked.
        """

    @abstractmethod
    def stop(self, task: Any, job: str) -> None:
        """Ask the service to end ``job``, without waiting for it.

        :raises Exception: whatever the client raises when it cannot be asked.
        """


def is_template(value: object) -> bool:
    """Whether only rendering will tell what a value is."""
    return isinstance(value, str) and ("{{" in value or "{%" in value)


def refuse(argument: str, value: object, why: str, instead: str) -> ConfigurationError:
    """Return the error for an argument that contradicts placing."""
    return ConfigurationError(f"{argument}={value!r} and an interruptible task contradict each other: {why} {instead}")


def numbered(name: str, attempt: int, longest: int) -> str:
    """Return a name that only this attempt uses.

    :param longest: how many characters the service takes.
    """
    ending = f"-{attempt}"
    return name[: longest - len(ending)] + ending
