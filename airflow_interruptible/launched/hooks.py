# SPDX-License-Identifier: Apache-2.0
"""What the services that Airflow reaches through hooks of its own have in common: the hook's public calls are heard.

Their clients tell nobody of an answer, as those of AWS do, and operators make their hook where nobody can hand them
another. So while an operator runs, a public method of its hook's class also calls us. A worker's process runs one task.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOT_FOUND = 404


@contextmanager
def around(hook: type, name: str, instead: Callable[..., Any]) -> Iterator[None]:
    """Let ``instead(call, hook, *args, **kwargs)`` answer for a method of ``hook``, inside the ``with`` block.

    :param name: of a public method.
    :param instead: its first argument calls what the method was, its second is the hook.
    """
    before = getattr(hook, name)

    @wraps(before)
    def answered(self: Any, *args: Any, **kwargs: Any) -> Any:
        return instead(partial(before, self), self, *args, **kwargs)

    own = vars(hook).get(name)
    setattr(hook, name, answered)
    try:
        yield
    finally:
        if own is None:
            delattr(hook, name)
        else:
            setattr(hook, name, own)


def is_missing(error: BaseException) -> bool:
    """Whether a service said that it knows no such job."""
    return NOT_FOUND in (getattr(error, "code", None), getattr(error, "http_status_code", None))
