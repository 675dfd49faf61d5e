"""What does a JSON file of llama-bench hold? The repetitions of each test, all of one process, as tokens per second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath, PureWindowsPath

from synapse_perf.baselines.imported_run import imported_result, measured_metric, utc_time, with_digest
from synapse_perf.model import Environment, Json, Metric, Result

TOOL = "llama-bench"
_NAMED = ("n_prompt", "n_gen", "n_depth")  # told where they are not 0
_ALWAYS = ("n_threads", "n_gpu_layers", "type_k", "type_v")
# Neither a setting nor a figure: what ran, where, when, and what came out.
_NO_SETTINGS = frozenset(
    (
        "build_commit",
        "build_number",
        "cpu_info",
        "gpu_info",
        "backends",
        "model_filename",
        "model_type",
        "model_size",
        "model_n_params",
        "test_time",
        "avg_ns",
        "stddev_ns",
        "avg_ts",
        "stddev_ts",
        "samples_ns",
        "samples_ts",
    )
)


def matches(document: Json) -> bool:
    return (
        isinstance(document, list)
        and bool(document)
        and all(isinstance(each, dict) and "samples_ts" in each and "model_filename" in each for each in document)
    )


def convert(document: Json, _name: str) -> Result:
    """The rate of each test, labelled with its model, its lengths, and the settings that tell tests apart."""
    varied = tuple(name for name in document[0] if name not in _NO_SETTINGS and _differs(document, name))
    return imported_result(
        TOOL,
        [_metric(each, varied) for each in document],
        started_at=utc_time(document[0].get("test_time")),
        environment=_environment(document[0]),
        workload=with_digest({"models": _models(document)}, TOOL),
    )


def _models(tests: Sequence[Mapping[str, Json]]) -> list[dict[str, Json]]:
    """A file of the same name may hold another model."""
    found = {
        (_model(str(each["model_filename"])), each.get("model_size"), each.get("model_n_params")) for each in tests
    }
    return [
        {"name": name, "size_bytes": size, "parameters": parameters}
        for name, size, parameters in sorted(found, key=repr)
    ]


def _differs(tests: Sequence[Mapping[str, Json]], name: str) -> bool:
    return len({str(each.get(name)) for each in tests}) > 1


def _metric(test: Mapping[str, Json], varied: Sequence[str]) -> Metric:
    has_prompt, has_answer = bool(test["n_prompt"]), bool(test["n_gen"])
    name = "token_rate" if has_prompt and has_answer else "prefill_rate" if has_prompt else "decode_rate"
    settings = dict.fromkeys((*_ALWAYS, *(setting for setting in varied if setting not in _NAMED)))
    labels = {
        "model": _model(str(test["model_filename"])),
        **{length: str(test[length]) for length in _NAMED if test.get(length)},
        **{setting: str(test[setting]) for setting in settings if setting in test},
    }
    return measured_metric(name, labels, "1/s", "higher", [test["samples_ts"]])


def _model(path: str) -> str:
    """The file's name alone: where it lies is nobody's business."""
    return PureWindowsPath(PurePosixPath(path).name).name.removesuffix(".gguf")


def _environment(test: Mapping[str, Json]) -> Environment:
    hardware = {"cpu_model": test.get("cpu_info"), "gpus": test.get("gpu_info")}
    software = {name: test.get(name) for name in ("build_commit", "build_number", "backends")}
    return Environment(with_digest(hardware, TOOL, "cpu_model"), with_digest(software, TOOL), {}, {})
