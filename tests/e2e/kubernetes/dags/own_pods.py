"""Tasks whose authors have pods of their own."""

from datetime import timedelta

from airflow.sdk import dag, task
from kubernetes.client import models as k8s

BIG = k8s.V1NodeSelectorRequirement(key="size", operator="In", values=["big"])
OWN_POD = k8s.V1Pod(
    metadata=k8s.V1ObjectMeta(labels={"team": "data"}),
    spec=k8s.V1PodSpec(
        containers=[k8s.V1Container(name="base", env=[k8s.V1EnvVar(name="OWN", value="yes")])],
        tolerations=[k8s.V1Toleration(key="big", operator="Exists")],
        affinity=k8s.V1Affinity(
            node_affinity=k8s.V1NodeAffinity(
                required_during_scheduling_ignored_during_execution=k8s.V1NodeSelector(
                    node_selector_terms=[k8s.V1NodeSelectorTerm(match_expressions=[BIG])]
                )
            )
        ),
    ),
)
NO_SUCH_IMAGE = k8s.V1Pod(spec=k8s.V1PodSpec(containers=[k8s.V1Container(name="base", image="bad/airflow:test")]))
ONCE = "test -e $FLAG.$AIRFLOW_RUN || { touch $FLAG.$AIRFLOW_RUN; sleep 600; }"
SLOW_AT_FIRST = k8s.V1Pod(
    spec=k8s.V1PodSpec(
        containers=[k8s.V1Container(name="base")],
        init_containers=[
            k8s.V1Container(
                name="slow",
                image="busybox",
                command=["sh", "-c", ONCE],
                env=[
                    k8s.V1EnvVar(name="FLAG", value="$(AIRFLOW_HOME)/begun"),
                    k8s.V1EnvVar(
                        name="AIRFLOW_RUN",
                        value_from=k8s.V1EnvVarSource(
                            field_ref=k8s.V1ObjectFieldSelector(field_path="metadata.labels['dag_id']")
                        ),
                    ),
                ],
            )
        ],
    )
)


def with_pod(dag_id, pod, **arguments):
    @dag(dag_id=dag_id, schedule=None, default_args={"retry_delay": timedelta(seconds=0.2)})
    def build():
        @task.interruptible(interruptible=True, executor_config={"pod_override": pod}, **arguments)
        def work(dag_run=None, ti=None):
            if dag_run.conf.get("script", {}).get(str(ti.try_number)) == "error":
                raise ValueError("the author's own mistake")

        work()

    return build()


with_pod("own_pod", OWN_POD, retries=1)
with_pod("no_such_image", NO_SUCH_IMAGE, retries=1, system_retries=1)
with_pod("slow_at_first", SLOW_AT_FIRST, retries=1)
