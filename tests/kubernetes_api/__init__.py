# SPDX-License-Identifier: Apache-2.0
"""A Kubernetes API for tests: real HTTP, pods as local processes, and nodes that can be taken away.

::

    from kubernetes_api import KubernetesCluster

    with KubernetesCluster() as cluster:
        cluster.add_node("spot-1", preset="karpenter-spot")
        cluster.add_node("od-1", preset="karpenter-on-demand")
        ...  # anything that reads cluster.kubeconfig: both official clients, Airflow's executor and operators, kubectl
        cluster.reclaim("spot-1", how="eviction", notice=5)

As a process: ``python -m kubernetes_api --kubeconfig FILE [--port N] [--settings JSON]``, with ``tests`` on the path.

What it imitates, after the documentation of Kubernetes 1.33; each module cites its pages
    * Discovery, CRUD, three patch flavours, optimistic locking, dry run, selectors by label and field,
      metadata-only lists.
    * Watches: resource versions, replay, 410 Gone, bookmarks, objects that leave a selection.
    * Pods: admission defaults and checks, init containers, several containers, environment, states and exit codes,
      image pulls that fail, logs, graceful and forced deletion, eviction.
    * Placement: node selector, required node affinity, taints, tolerations, CPU and pods a node, the scheduler's
      words.
    * Disruptions: node shutdown, taint manager, drain, a node that vanishes, preemption, pressure, OOM, a person.

What it does not imitate
    * No isolation: a container is a process of this machine, with its user, files and network. ``image`` is a mere
      name, volumes are not mounted, and the paths in a spec are this machine's. ``python`` is the one that runs the
      cluster.
    * SIGTERM: the main process is not PID 1, so the default action of SIGTERM applies, as under the init
      (dumb-init) of the Airflow image. ``Settings.signal_group`` passes it on to the whole process group, as
      dumb-init does.
    * No ``exec``, ``attach``, ``port-forward``, so no XCom sidecar (KubernetesPodOperator's ``do_xcom_push``). That
      sidecar is ended by a signal to everything whose name contains "sh", which needs a PID namespace to be
      harmless.
    * No restarts: a pod must say ``restartPolicy: Never``, and is refused otherwise. No probes, hooks, ephemeral or
      sidecar containers, ``activeDeadlineSeconds``, termination messages, resource limits (OOM is injected).
    * No authentication, authorization, TLS, quotas, limit ranges, priorities, PodDisruptionBudgets, owner
      references, finalizers, webhooks, service accounts.
    * No API groups: no Jobs, Deployments, Leases, custom resources. JSON only: no YAML bodies, protobuf or tables.
    * Lists are never cut (``limit``, ``continue``) and always current; a version from the future is not refused.
    * The scheduler takes the emptiest node that fits and preempts only when told to. Preferred affinity, pod
      affinity, topology spread, memory and extended resources do not count.
    * No autoscaler: no node comes by itself; the autoscalers' events are samples. Node heartbeats do not exist: a
      node is not ready only when told.
    * Times are short: the garbage collector waits 1 second, not 40, and image pulls back off by fractions of one.

Its fidelity is a reading of the documentation and of Kubernetes' source. Both official clients and Airflow's provider
accept it; no real cluster has confirmed it.
"""

from kubernetes_api.handle import KubernetesCluster, KubernetesError
from kubernetes_api.settings import Settings

__all__ = ["KubernetesCluster", "KubernetesError", "Settings"]
