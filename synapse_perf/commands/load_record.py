"""What does the result of a run keep of its trials, and of what they measured?"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from synapse_perf.analyze.load_plan import LoadRequest, ModelUnderTest, variants

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_perf.model import Failure, Json, Trial


def with_devices(trials: Sequence[Trial]) -> list[Trial]:
    """Floors carry the device of their model's starts, so that their rows stand together."""
    devices = {
        trial.spec.labels["model"]: measurement.labels["device"]
        for trial in trials
        if not trial.spec.labels.get("variant")
        for sample in trial.samples
        for measurement in sample.values
        if "device" in measurement.labels
    }
    return [
        replace(trial, spec=replace(trial.spec, labels={**trial.spec.labels, "device": devices[model]}))
        if trial.spec.benchmark != "profile_load" and (model := trial.spec.labels["model"]) in devices
        else trial
        for trial in trials
    ]


def workload_of(models: Sequence[ModelUnderTest], request: LoadRequest) -> dict[str, Json]:
    """What was measured, with a digest over all that decides whether two runs did the same work."""
    first = {model.label: variants(model, request)[0][2] for model in models}
    described: dict[str, Json] = {
        model.label: {
            "file": Path(model.path).name,
            "digest": model.digest,
            "size_bytes": model.size_bytes,
            "description": model.description,
            "settings": {k: v for k, v in first[model.label].as_workload().items() if k != "model_path"},
        }
        for model in models
    }
    text = json.dumps(described, sort_keys=True)
    return {"models": described, "digest": hashlib.sha256(text.encode()).hexdigest()[:16]}


def warnings_of(trials: Sequence[Trial]) -> list[str]:
    """What llama.cpp and the reading of its log warned of, once each."""
    found = dict.fromkeys(str(text) for trial in trials for text in trial.facts.get("warnings", ()))
    uncertified = {
        str(sample.facts.get("cache_how"))
        for trial in trials
        if trial.spec.labels.get("cache") == "uncertified"
        for sample in trial.samples
    }
    return [*found, *(f"not certified: {how}" for how in sorted(uncertified))]


def packages_of(trials: Sequence[Trial]) -> dict[str, str] | None:
    """The versions that the workers had; None where no worker came that far."""
    return next((trial.facts["packages"] for trial in trials if "packages" in trial.facts), None)


def failures_of(trials: Sequence[Trial]) -> list[Failure]:
    """Each different failure once, as the first trial had it."""
    found: dict[tuple[str, str], Failure] = {}
    for trial in trials:
        if trial.failure is not None:
            found.setdefault((trial.failure.message, str(trial.failure.labels.get("model"))), trial.failure)
    return list(found.values())


def log_text(trials: Sequence[Trial]) -> str:
    """llama.cpp's log of every start, each under a line that says which it is."""
    return "".join(f"=== {_case(trial)}\n{trial.facts['log']}\n" for trial in trials if trial.facts.get("log"))


def _case(trial: Trial) -> str:
    labels = ", ".join(f"{key}={value}" for key, value in sorted(trial.spec.labels.items()))
    return f"{labels}, {trial.spec.arm}, process {trial.process}"
