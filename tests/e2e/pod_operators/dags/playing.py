"""A pod that does, try by try, what the run's conf says: ``{"pool": "a", "script": {"1": "wait", "2": "error"}}``.

Every run has a pool of nodes of its own, so that runs can go on side by side: the author's own node selector.
"""

from airflow.sdk import dag

from airflow_interruptible import interruptible

PLAY = """
echo at work
case "$STEP" in
error) exit 3;;
wait) for second in $(seq 600); do sleep 0.5; done;;
stubborn) trap '' TERM; for second in $(seq 600); do sleep 0.5; done;;
slow) for second in $(seq 16); do sleep 0.5; done;;
esac
echo done
"""
STEP = "{{ (dag_run.conf.get('script') or {}).get(ti.try_number | string, 'ok') }}"
COMMON = {
    "namespace": "airflow",
    "image": "busybox",
    "cmds": ["sh", "-c"],
    "arguments": [PLAY],
    "env_vars": {"STEP": STEP},
    "node_selector": {"pool": "{{ dag_run.conf['pool'] }}"},
    "startup_check_interval_seconds": 1,
    "poll_interval": 1,
    "termination_grace_period": 2,
    "labels": {"team": "data"},
}
DEFAULTS = {"interruptible": True, "retries": 2, "retry_delay": 0.2}


def pods(dag_id, operator_class, **arguments):
    @dag(dag_id=dag_id, schedule=None, default_args=DEFAULTS)
    def build():
        interruptible(operator_class)(task_id="work", **{**COMMON, **arguments})

    return build()
