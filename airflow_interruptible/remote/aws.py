# SPDX-License-Identifier: Apache-2.0
"""What the services of AWS have in common: their clients, and how they refuse.

The surprising fact: a job that could not be launched has nothing to describe, so the API's own refusal, which the
client keeps as an object, is all the evidence there is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_interruptible.remote.answer import Answer, inside, pick

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_interruptible.remote.failure import Failure

CONNECTION = "aws_default"


def client(service: str, conn_id: str | None = CONNECTION, region: str | None = None) -> Any:
    """Return a client that asks once and does not wait for long.

    :param service: boto3's name of the service.
    :param conn_id: the connection. Without it, or where there is none of the name, boto3 finds credentials by itself.
    :param region: the region; None is the connection's, or the machine's.
    """
    from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
    from botocore.config import Config  # type: ignore[import-untyped]

    config = Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 1})
    return AwsBaseHook(aws_conn_id=_existing(conn_id), client_type=service, region_name=region, config=config).conn


def executor_client(service: str, section: str, region: str | None = None) -> Any:
    """Return a client as one of Amazon's executors has it.

    :param section: the executor's section of airflow.cfg.
    :param region: where its work was, if that is known.
    """
    conn_id = executor_option(section, "conn_id") or CONNECTION
    return client(service, conn_id, region or executor_option(section, "region_name"))


def executor_option(section: str, name: str) -> str | None:
    """Return an option of an executor's, None if nobody set it."""
    from airflow.configuration import conf

    return conf.get(section, name, fallback=None) or None


def sibling(task: Any, service: str) -> Any:
    """Return a client for another service, by the connection and region of an operator."""
    return client(service, getattr(task, "aws_conn_id", CONNECTION), getattr(task, "region_name", None))


def refusal(failure: Failure, service: str) -> Iterator[Answer]:
    """The error with which an API refused what the operator itself asked for; user code may call the API, too."""
    for error in failure.chain():
        if code := pick(inside(getattr(error, "response", None), "Error"), "Code"):
            yield Answer(service, "API error", {"Error": code})
            return


def last_response(failure: Failure) -> Mapping[str, Any]:
    """The answer at which one of the provider's waiters gave up, or an empty one."""
    answers = (inside(getattr(error, "last_response", None)) for error in failure.chain())
    return next((answer for answer in answers if answer), {})


def _existing(conn_id: str | None) -> str | None:
    """The connection, or None if nobody defined it: the provider would warn of what is not wrong."""
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    if conn_id is None:
        return None
    try:
        BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        return None
    return conn_id
