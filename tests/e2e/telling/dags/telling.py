"""Tasks that are interrupted, or fail, or neither, and callbacks that write down what they were told."""

import json
import os
import time
from datetime import timedelta
from pathlib import Path

from airflow.sdk import dag, task
from airflow.sdk.bases.notifier import BaseNotifier

from airflow_interruptible import checkpoint, unless_forgiven, verdict_of

FOLDER = Path(os.environ["TELLING_FOLDER"])


def write(name, value):
    half = FOLDER / f".{name}"
    half.write_text(json.dumps(value))
    half.rename(FOLDER / name)


def wait_for(name, seconds=240):
    deadline = time.monotonic() + seconds
    while not (FOLDER / name).exists():
        if time.monotonic() > deadline:
            raise TimeoutError(name)
        time.sleep(0.05)


def told(context):
    verdict = verdict_of(context)
    return verdict and {"cause": verdict.cause, "forgiven": verdict.forgiven, "reason": verdict.reason}


def page(context):
    write(f"page-{context['ti'].task_id}-{context['ti'].try_number}", told(context))


def diary(context):
    write(f"diary-{context['ti'].task_id}-{context['ti'].try_number}", told(context))


class Pager(BaseNotifier):
    template_fields = ("text",)

    def __init__(self, text):
        super().__init__()
        self.text = text

    def notify(self, context):
        write(f"notified-{context['ti'].task_id}", self.text)


def dawdle(context, notice):
    """Give the task's own code the time to be done first."""
    write(f"dawdles-{context['ti'].task_id}", notice.provider)
    wait_for(f"done-{context['ti'].task_id}")
    time.sleep(5)


def outlast(context, notice):
    """Keep this attempt until the announcement is taken back: the next one must not hear it."""
    wait_for("taken-back")


DEFAULTS = {
    "interruptible": True,
    "retry_delay": timedelta(seconds=0),
    "on_retry_callback": [unless_forgiven(page), diary],
}


@dag(schedule=None, default_args={**DEFAULTS, "retries": 2})
def telling():
    @task.interruptible(
        on_interruption_callback=[Pager("{{ ti.task_id }}: {{ interruption_notice.provider }}"), outlast]
    )
    def noticed(ti=None):
        progress = checkpoint()
        done = progress.load(default=0)
        progress.save(done + 1)
        print(f"try {ti.try_number} plays")
        if ti.try_number == 1:
            time.sleep(600)

    @task.interruptible(on_interruption_callback=dawdle)
    def finishes(ti=None):
        print(f"try {ti.try_number} plays")
        wait_for(f"dawdles-{ti.task_id}")
        write(f"done-{ti.task_id}", True)

    noticed()
    finishes()


@dag(schedule=None, default_args={**DEFAULTS, "retries": 1})
def silent():
    @task.interruptible
    def fails(ti=None):
        if ti.try_number == 1:
            raise ValueError("a bug of the author's")

    @task.interruptible
    def vanishes(ti=None):
        print(f"try {ti.try_number} plays")
        if ti.try_number == 1:
            time.sleep(600)

    fails()
    vanishes()


telling()
silent()
