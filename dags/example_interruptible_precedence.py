# SPDX-License-Identifier: Apache-2.0
"""### Who decides: the Dag, the task, the call, or the person who presses Trigger

**What.** One function at three levels of the setting.

**Why.** To see which one wins: trigger it with the conf `{"interruptible": false}`, and everything stays on demand.

**When.** A task writes what must not be written twice, or a run is urgent.

**Prerequisites.** None.
"""

from airflow.sdk import dag, task


@dag(
    schedule=None, default_args={"interruptible": True, "retries": 1}, doc_md=__doc__, tags=["example", "interruptible"]
)
def example_interruptible_precedence():
    @task.interruptible
    def prepare():  # the Dag's default: spot
        return [1, 2, 3]

    @task.interruptible(interruptible=False)
    def write(values):  # the task says no: on demand
        return sum(values)

    values = prepare()
    write(values)
    write.override(task_id="write_again", interruptible=True)(values)  # this call says yes: spot


example_interruptible_precedence()
