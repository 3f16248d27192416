# SPDX-License-Identifier: Apache-2.0
"""Google Vertex AI custom jobs: states and error messages.

The surprising fact: Vertex restarts preempted workers itself, and what reaches the caller is that no capacity was left.
"""

from __future__ import annotations

from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.rule import Table, says, words
from airflow_interruptible.core.surface import Surface, reading

SURFACE = Surface(
    services={"vertex": ("vertexai", "vertex-ai", "vertex_ai", "aiplatform")},
    envelopes=("customJob", "job", "trainingPipeline", "body"),
    strings={"statusReason": "error.message"},
    readings=(
        # google-cloud-aiplatform, and the service itself
        reading(
            r"(?:RuntimeError: )?(?:Training|Job|Custom [Jj]ob) failed with:\s+code: (?P<error__code>\d{1,3})\s+"
            r"message: \"(?P<error__message>(?:[^\"\\]|\\.)*)\"\s*"
        ),
        reading(
            r"(?:[\w.]{1,100}AiPlatformException: )?code=(?P<error__status>[A-Z_]{2,40}), "
            r"message=(?P<error__message>.*?), cause=.*"
        ),
        reading(
            r"(?:google\.api_core\.exceptions\.\w{1,60}: )?(?P<error__code>[45]\d\d) "
            r"(?P<error__message>(?:The following quota metrics exceed quota limits|Resources are insufficient in) ?.*)"
        ),
    ),
)

DOCS = "https://cloud.google.com/vertex-ai/docs"
STATES = f"{DOCS}/reference/rest/v1/JobState"
TRAINING = f"{DOCS}/training/understanding-training-service"
TROUBLES = f"{DOCS}/general/troubleshooting"
SPOT = f"{DOCS}/training/use-spot-vms"

MESSAGE = "error.message | (text)"

rule = Table("vertex", ("vertex",), TROUBLES)

RULES = (
    rule(
        "cancelled",
        {
            "state": words("""
                JOB_STATE_CANCELLED JOB_STATE_CANCELLING PIPELINE_STATE_CANCELLED PIPELINE_STATE_CANCELLING
            """)
        },
        Cause.USER_ACTION,
        "somebody cancelled the job",
        source=STATES,
    ),
    rule(
        "expired",
        {"state": "JOB_STATE_EXPIRED"},
        Cause.APPLICATION,
        "the job ran longer than its own limit",
        source=STATES,
    ),
    rule(
        "oom",
        {MESSAGE: says(r"Replicas low on memory: .*|The replica [\w-]+ (?:ran out-of-memory|exited due to OOM).*")},
        Cause.APPLICATION,
        "a replica used more memory than its machine has",
        source=TRAINING,
    ),
    rule(
        "replica-exit",
        {
            MESSAGE: says(
                r"The replica [\w-]+ exited with a non-zero status of (?:[1-9]|[1-9]\d|1[01]\d|12[0-8]|255)\b.*"
            )
        },
        Cause.APPLICATION,
        "a replica exited with an error of its own",
        source=TRAINING,
    ),
    rule(
        "no-capacity",
        {MESSAGE: says(r"(?:Resources are insufficient in (?:region|zone)\b|(?:Error: )?STOCKOUT\b).*")},
        Cause.NO_CAPACITY,
        "the region had no such capacity",
        source=SPOT,
    ),
    rule(
        "spot-quota",
        {
            MESSAGE: says(
                r"The following quota metrics exceed quota limits: "
                r"(?:aiplatform\.googleapis\.com/\w*preemptible\w*(?:, ?)?).*"
            )
        },
        Cause.NO_CAPACITY,
        "the quota of spot machines is used up, and on-demand ones have another",
        source=SPOT,
    ),
    rule(
        "quota",
        {MESSAGE: says(r"The following quota metrics exceed quota limits: .*")},
        Cause.APPLICATION,
        "a quota of the project is used up",
    ),
    rule(
        "internal",
        {MESSAGE: says(r"Internal error (?:occurred|encountered).*|INTERNAL\.?")},
        Cause.INFRASTRUCTURE,
        "Vertex AI had an internal error",
        source=TRAINING,
    ),
)
