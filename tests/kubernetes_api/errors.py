# SPDX-License-Identifier: Apache-2.0
"""How this API says no: the ``Status`` object, with the codes, reasons and messages of a real one.

https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubernetes_api.objects import Object


class ApiError(Exception):
    """A refusal, which becomes the answer.

    :param code: the HTTP status.
    :param reason: ``metav1.StatusReason``.
    """

    def __init__(self, code: int, reason: str, message: str, details: Object | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details

    def status(self) -> Object:
        """The body of the answer."""
        return status("Failure", self.code, reason=self.reason, message=self.message, details=self.details)


def status(outcome: str, code: int, *, reason: str = "", message: str = "", details: Object | None = None) -> Object:
    """Build a ``Status`` object."""
    body: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": outcome, "code": code}
    body.update({key: value for key, value in (("reason", reason), ("message", message)) if value})
    if details:
        body["details"] = details
    return body


def not_found(resource: str, name: str) -> ApiError:
    """There is no such object."""
    return ApiError(404, "NotFound", f'{resource} "{name}" not found', {"name": name, "kind": resource})


def already_exists(resource: str, name: str) -> ApiError:
    """The name is taken."""
    return ApiError(409, "AlreadyExists", f'{resource} "{name}" already exists', {"name": name, "kind": resource})


def conflict(resource: str, name: str, why: str = "") -> ApiError:
    """Somebody else was faster."""
    default = "the object has been modified; please apply your changes to the latest version and try again"
    message = f'Operation cannot be fulfilled on {resource} "{name}": {why or default}'
    return ApiError(409, "Conflict", message, {"name": name, "kind": resource})


def expired(revision: int, oldest: int) -> ApiError:
    """The history does not reach back that far.

    https://kubernetes.io/docs/reference/using-api/api-concepts/#410-gone-responses
    """
    return ApiError(410, "Expired", f"too old resource version: {revision} ({oldest})")


def bad_request(message: str) -> ApiError:
    """The request makes no sense."""
    return ApiError(400, "BadRequest", message)


def invalid(kind: str, name: str, causes: Iterable[tuple[str, str]]) -> ApiError:
    """The object breaks a rule.

    :param causes: the field and what is wrong with it.
    """
    found = list(causes)
    message = ", ".join(f"{field}: {what}" for field, what in found)
    details = {
        "name": name,
        "kind": kind,
        "causes": [{"reason": "FieldValueInvalid", "field": field, "message": what} for field, what in found],
    }
    return ApiError(422, "Invalid", f'{kind} "{name}" is invalid: {message}', details)
