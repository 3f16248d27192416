# SPDX-License-Identifier: Apache-2.0
"""### Train a model on machines that may vanish

**What.** Three folds tell how good a digit classifier gets, one more training makes it, one last task releases it.
The Dag's `default_args` make every task interruptible; the last one says no.

**Why.** Training is what spot machines are for: long, expensive, and nothing is lost by doing it again. A reclaimed
machine costs the author none of the `retries`, and the last attempt runs on-demand, so the run does end.

**When.** Any work that may be repeated. What must happen once, such as a release, says `interruptible=False`.

**Prerequisites.** scikit-learn; the images of handwritten digits come with it, nothing is downloaded.

Params: `seconds` is how long each training lasts. `bugs` makes an attempt fail on the author's account, as in
`{"train": 3}`: see what an application error costs, beside an interruption.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, task

FOLDS = 3
GOOD_ENOUGH = 0.7
FEWEST_EPOCHS = 3  # enough for a good model, however slow the machine


@dag(
    schedule=None,
    doc_md=__doc__,
    tags=["example", "interruptible"],
    params={"seconds": Param(20, type="number", minimum=0), "bugs": Param({}, type="object")},
    default_args={"interruptible": True, "retries": 2, "retry_delay": timedelta(seconds=2)},
)
def example_interruptible_training():
    @task.interruptible(retries=1, system_retries=2)
    def validate(fold: int, params: dict[str, Any], ti: Any) -> float:
        """Train without one fold of the images and return the accuracy on it."""
        images, labels = digits(bug=params["bugs"].get(f"validate[{fold}]") == ti.try_number)
        return fit(images, labels, fold, params["seconds"])

    @task.interruptible
    def train(accuracies: list[float], params: dict[str, Any], ti: Any) -> float:
        """Train once more, if that is worth it, and return the accuracy on the last fold."""
        if min(accuracies) < GOOD_ENOUGH:
            raise ValueError(f"accuracies {list(accuracies)} of the folds: do not go on, find a better model")
        images, labels = digits(bug=params["bugs"].get("train") == ti.try_number)
        return fit(images, labels, FOLDS - 1, params["seconds"])

    @task.interruptible(interruptible=False)
    def release(accuracy: float) -> str:
        """Do what must happen once."""
        return f"released with an accuracy of {accuracy:.1%}"

    release(train(validate.expand(fold=list(range(FOLDS)))))


def digits(*, bug: bool) -> tuple[Any, Any]:
    """Load 1,797 images of 8 x 8 pixels, and what they show. With the bug, one label is lost."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    return images / 16, labels[1:] if bug else labels


def fit(images: Any, labels: Any, fold: int, seconds: float) -> float:
    """Train for some seconds, and a few epochs at least, and return the accuracy on the images of the fold."""
    import numpy as np
    from sklearn.neural_network import MLPClassifier

    held_out = np.arange(len(images)) % FOLDS == fold
    model = MLPClassifier(hidden_layer_sizes=(512,), random_state=fold)
    accuracy, epoch, started = 0.0, 0, time.monotonic()
    while epoch < FEWEST_EPOCHS or time.monotonic() < started + seconds:
        epoch += 1
        model.partial_fit(images[~held_out], labels[~held_out], classes=range(10))
        accuracy = float(model.score(images[held_out], labels[held_out]))
        print(f"epoch {epoch}, accuracy {accuracy:.1%}")
    return accuracy


example_interruptible_training()
