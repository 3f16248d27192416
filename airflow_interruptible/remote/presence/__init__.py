# SPDX-License-Identifier: Apache-2.0
"""Whether attempts that have not been heard of can still be at work, asked where the ledger says that they run.

Only a proof counts: a process, a pod, a task, a job or a machine that is known to have ended. What cannot be found, a
service that refuses, hangs or answers rubbish, and a connection to the wrong account prove nothing, so nothing is said.
One module a place; each is handed all the attempts at once and asks for many in one call. Nothing of a provider is
loaded before it is needed.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from airflow_interruptible.remote.limit import latest

if TYPE_CHECKING:
    import re
    from collections.abc import Hashable, Iterator, Mapping
    from datetime import datetime

    from airflow_interruptible.core.classification import Classification

log = logging.getLogger(__name__)

Token = TypeVar("Token", bound="Hashable")
"""How whoever asks tells one attempt from another."""


@dataclass(frozen=True)
class Life:
    """An attempt that should be at work.

    :param executor: the class name of the executor that runs it, without its module.
    :param where: where the ledger says that it runs, see :func:`airflow_interruptible.remote.here`.
    :param external_id: what its executor calls it: an ARN of ECS, the id of a Batch job; None if it never said.
    :param begun: when it started; None for one that was queued and never started.
    """

    executor: str
    where: Mapping[str, str]
    external_id: str | None = None
    begun: datetime | None = None


@dataclass(frozen=True)
class Proof:
    """Why an attempt cannot be at work any more.

    :param what: what is gone, as the subject of a sentence: ``its machine i-0abc``.
    :param cause: what ended it, where what was seen tells that as well.
    """

    what: str
    cause: Classification | None = None


Trouble: TypeAlias = Callable[[str, str], None]
"""Hears of a place that could not answer, and why."""

_TOLD = 300
"""Characters of an error."""

_NOT_YET = "it has not answered yet what it was asked before"

_HERE = "airflow_interruptible.remote.presence"

PLACES: Mapping[str, str] = {
    "this host": f"{_HERE}.processes.gone",
    "Kubernetes": f"{_HERE}.pods.gone",
    "ECS": f"{_HERE}.ecs.gone",
    "Batch": f"{_HERE}.batch.gone",
    "EC2": f"{_HERE}.ec2.gone",
    "Compute Engine": f"{_HERE}.gce.gone",
    "Celery": f"{_HERE}.celery.gone",
    "Edge": f"{_HERE}.edge.gone",
}
"""Who is asked; the nearest to the process first, and nobody is asked about what another has proved."""

SECONDS = 10.0
"""How long one place may take. One that hangs is left behind in a thread, and costs the others nothing."""

_GIVEN_UP = 600.0
"""After so many seconds a place that has not answered is asked again: by then its client has given up, if it ever does.
So there is one thread that waits for a place, not one for each look."""

_asked: dict[str, _Look] = {}
"""Who still waits for an answer, by the place."""


def gone(lives: Mapping[Token, Life], trouble: Trouble | None = None) -> dict[Token, Proof]:
    """Return the attempts that cannot be at work any more. Never raises.

    :param lives: the attempts to look for.
    :param trouble: is told of each place that could not answer, and why.
    """
    proofs: dict[Token, Proof] = {}
    for place, path in PLACES.items():
        left = {token: life for token, life in lives.items() if token not in proofs}
        if not left:
            break
        found, why = _ask(_Look(place, path), left)
        if found:
            log.debug("%s knows the end of %d attempts.", place, len(found))
            proofs.update(found)
        if trouble is not None and why:
            trouble(place, why)
    return proofs


def _ask(look: _Look, lives: Mapping[Token, Life]) -> tuple[dict[Token, Proof] | None, str | None]:
    """Return what a place has proved in time, and why it has not answered to the end, None if it has."""
    earlier = _asked.get(look.place)
    if earlier is not None and earlier.is_waiting:
        return None, _NOT_YET
    _asked[look.place] = look
    return latest(partial(look.growing, lives), SECONDS), look.failure


@dataclass
class _Look:
    """One place, asked once.

    :param place: its name.
    :param path: of the function that asks.
    """

    place: str
    path: str
    _since: float = field(default_factory=time.monotonic)
    _over: bool = False
    _error: BaseException | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether an answer may still come."""
        return time.monotonic() - self._since < _GIVEN_UP

    @property
    def failure(self) -> str | None:
        """Why the place has not answered to the end, None if it has."""
        if self._error is not None:
            return f"{type(self._error).__name__}: {self._error}"[:_TOLD]
        return None if self._over else f"no answer within {SECONDS:g} s"

    def growing(self, lives: Mapping[Token, Life]) -> Iterator[dict[Token, Proof]]:
        """Yield what was proved so far, with each further proof: what is known when the time is up counts."""
        module, _, name = self.path.rpartition(".")
        proofs: dict[Token, Proof] = {}
        try:
            for token, proof in getattr(import_module(module), name)(lives):
                proofs = {**proofs, token: proof}
                yield proofs
        except Exception as error:
            self._error = error
            raise
        finally:  # also of one that was left behind, and has been answered after all
            if _asked.get(self.place) is self:
                del _asked[self.place]
        self._over = True


def by(lives: Mapping[Token, Life], *names: str) -> dict[tuple[str, ...], dict[Token, Life]]:
    """Return the attempts that have a first of these names in their ``where``, grouped by the values of all of them."""
    groups: dict[tuple[str, ...], dict[Token, Life]] = defaultdict(dict)
    for token, life in lives.items():
        if life.where.get(names[0]):
            groups[tuple(life.where.get(name, "") for name in names)][token] = life
    return dict(groups)


def named_by(lives: Mapping[Token, Life], executor: str, key: str, shape: re.Pattern[str]) -> dict[str, Token]:
    """Return the attempts of an executor that are known to run in something with a name, by those names.

    What the attempt itself has found out counts more than what its executor says: see :func:`may_be_of`.

    :param executor: how the name of its class ends.
    :param key: under which the ledger has the name.
    :param shape: what such a name looks like. Services refuse a whole call for one that is none.
    """
    named: dict[str, Token] = {}
    for token, life in lives.items():
        if life.executor.endswith(executor):
            own = life.where.get(key, "")
            if name := own if shape.fullmatch(own) else life.external_id:
                named[name] = token
    return named


def may_be_of(life: Life, created: datetime | None) -> bool:
    """Whether what was created then may be what the attempt runs in.

    AwsEcsExecutor and AwsBatchExecutor start a lost task anew themselves, under a new name, and let Airflow have that:
    ``[aws_ecs_executor] max_run_task_attempts``, 3 by default. Since Airflow lets no try run twice, the copy ends at
    once, with an error that tells nothing of the attempt.
    """
    return life.begun is None or created is None or created <= life.begun


def chunks(items: Mapping[Token, Any], size: int) -> Iterator[dict[Token, Any]]:
    """Return the items, ``size`` at a time: as many as one call may ask about."""
    pairs = list(items.items())
    for start in range(0, len(pairs), size):
        yield dict(pairs[start : start + size])
