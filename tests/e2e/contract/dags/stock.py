"""Stock operators, adopted because the Dag's default_args say so, in every shape that Airflow knows."""

from datetime import timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.sensors.python import PythonSensor
from airflow.providers.standard.sensors.time_delta import TimeDeltaSensor
from airflow.sdk import TaskGroup, dag, setup, task, teardown


@dag(schedule=None, default_args={"interruptible": True, "retries": 1, "retry_delay": timedelta(seconds=0.2)})
def stock():
    wait_on_first_try = "[ {{ ti.try_number }} -gt 1 ] || sleep 600"

    BashOperator(task_id="bash", bash_command=wait_on_first_try)
    BashOperator.partial(task_id="mapped_bash").expand(bash_command=["true", wait_on_first_try])
    PythonSensor(task_id="sensor", python_callable=lambda: True, poke_interval=0.5, timeout=60)
    PythonSensor(
        task_id="rescheduled_sensor", python_callable=lambda: True, mode="reschedule", poke_interval=1, timeout=60
    )
    TimeDeltaSensor(task_id="deferred", delta=timedelta(seconds=15), deferrable=True)

    with TaskGroup("on_demand", default_args={"interruptible": False}):
        BashOperator(task_id="bash", bash_command="true")

    @setup
    @task
    def acquire():
        return "acquired"

    @teardown
    @task
    def release():
        return "released"

    @task
    def work():
        return "work"

    @task(trigger_rule="all_done")
    def after(worked):
        return worked

    with release().as_teardown(setups=acquire()):
        after(work())


stock()
