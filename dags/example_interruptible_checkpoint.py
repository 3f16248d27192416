# SPDX-License-Identifier: Apache-2.0
"""### Resume a training where the last machine left it

**What.** A classifier of handwritten digits is trained epoch by epoch. After each epoch the model goes into the task's
`checkpoint()`, and an attempt begins with the epoch after the last one that was saved.

**Why.** A reclaimed machine costs no retry, but without a checkpoint it costs the work. With one it costs at most an
epoch: the result is the same, to the last digit, as that of a training nobody interrupted.

**When.** Anything that goes step by step for longer than a spot machine can be relied on: trainings, backfills, crawls.
Where the progress is a number or a cursor, `save(value)` and `load()` are all there is to it.

**Prerequisites.** scikit-learn; the images come with it, nothing is downloaded. For machines that really vanish,
`[interruptible] checkpoint_path` must name storage that all workers share.

Params: `epochs`, and how many `seconds` each takes at least, so that there is time to take the machine away.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, task

from airflow_interruptible import checkpoint


@dag(
    schedule=None,
    doc_md=__doc__,
    tags=["example", "interruptible"],
    params={"epochs": Param(10, type="integer", minimum=1), "seconds": Param(2, type="number", minimum=0)},
    default_args={"interruptible": True, "retries": 2, "retry_delay": timedelta(seconds=2)},
)
def example_interruptible_checkpoint():
    @task.interruptible
    def train(params: dict[str, Any], ti: Any) -> dict[str, Any]:
        """Train what is left to train; return the accuracy, and which attempt trained which epoch."""
        import joblib

        progress = checkpoint()
        trained_by: list[int] = progress.load(default=[])  # one attempt number for each epoch
        with progress.load_files() as folder:
            model = new_model() if folder is None else joblib.load(folder / "model.joblib")
        print(f"attempt {ti.try_number}: {len(trained_by)} epochs are not repeated")

        while len(trained_by) < params["epochs"]:
            accuracy = train_one_epoch(model, params["seconds"])
            trained_by.append(ti.try_number)
            with progress.save_files(trained_by) as folder:
                joblib.dump(model, folder / "model.joblib")
            print(f"epoch {len(trained_by)} of {params['epochs']}: accuracy {accuracy:.1%}")

        return {
            "accuracy": accuracy_of(model),
            "trained_by_attempt": trained_by,
            "epochs_not_repeated": sum(trained_by.index(attempt) for attempt in set(trained_by)),
        }

    train()


def digits() -> tuple[Any, Any, Any, Any]:
    """Load 1,797 images of 8 x 8 pixels, and what they show: three quarters to train with, one to test."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    return tuple(train_test_split(images / 16, labels, random_state=0))


def new_model() -> Any:
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier(hidden_layer_sizes=(128,), random_state=0)


def train_one_epoch(model: Any, seconds: float) -> float:
    """Show the model every image once, then wait until the seconds are over; return how good it is now."""
    end = time.monotonic() + seconds
    images, _, labels, _ = digits()
    model.partial_fit(images, labels, classes=range(10))
    time.sleep(max(0.0, end - time.monotonic()))
    return accuracy_of(model)


def accuracy_of(model: Any) -> float:
    _, images, _, labels = digits()
    return float(model.score(images, labels))


example_interruptible_checkpoint()
