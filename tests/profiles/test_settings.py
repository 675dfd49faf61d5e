"""Values that make no sense are refused wherever they come from; the words are those of the code that uses them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest

from synapse_perf.analyze.targets import TARGETS
from synapse_perf.errors import InputError
from synapse_perf.llama.settings import KV_TYPES, LOAD_MODES
from synapse_perf.profiles import (
    TARGET_UNITS,
    KvType,
    LoadMode,
    ProfileLoadSettings,
    Sampling,
    load_profile,
    parse_target_value,
)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"trials": 0}, "sampling.trials must be at least 1, not 0"),
        ({"seed": -1}, "sampling.seed must be at least 0, not -1"),
        ({"max_time_s": 0.0}, "sampling.max_time must be above 0"),
        ({"confidence": 0.5}, "sampling.confidence must lie between"),
        ({"confidence": 1.0}, "sampling.confidence must lie between"),
    ],
)
def test_sampling_out_of_range_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Sampling(**values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"gpu_layers": (-2,)}, "gpu_layers must be at least -1, not -2"),
        ({"context": (4096, -1)}, "context must be at least 0, not -1"),
        ({"threads": (0,)}, "threads must be at least 1, not 0"),
        ({"batch": 0}, "batch must be at least 1, not 0"),
        ({"ubatch": 0}, "ubatch must be at least 1, not 0"),
        ({"load_modes": ()}, "load_modes names none"),
        ({"caches": ()}, "caches names none"),
    ],
)
def test_load_settings_out_of_range_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"profile-load.{message}"):
        ProfileLoadSettings(**values)


def test_load_modes_and_cache_types_are_those_that_can_be_loaded() -> None:
    assert set(get_args(LoadMode)) == set(LOAD_MODES)
    assert set(get_args(KvType)) == set(KV_TYPES)


def test_targets_are_those_of_the_target_table() -> None:
    assert {target.id: target.unit for target in TARGETS} == TARGET_UNITS


@pytest.mark.parametrize(
    ("target", "value", "limit"),
    [
        ("model-startup-cpu", "5s", 5.0),
        ("model-startup-cpu", 8, 8.0),
        ("cgrag-cold", "100ms", 0.1),
        ("cgrag-cold", 0.1, 0.1),
        ("ui-animation", "60fps", 60.0),
        ("ui-animation", "59.5", 59.5),
        ("ui-animation", 30, 30.0),
    ],
)
def test_a_limit_is_read_in_the_base_unit_of_its_target(target: str, value: object, limit: float) -> None:
    assert parse_target_value(target, value) == limit


@pytest.mark.parametrize("value", ["0s", 0, -1, True, None, [], float("nan"), float("inf"), "5 parsecs", ""])
def test_what_is_no_limit_is_refused(value: object) -> None:
    with pytest.raises(InputError):
        parse_target_value("model-startup-cpu", value)


@pytest.mark.parametrize("value", ["60s", "fast", "-60fps"])
def test_what_is_no_frame_rate_is_refused(value: str) -> None:
    with pytest.raises(InputError, match="is no limit for ui-animation"):
        parse_target_value("ui-animation", value)


@pytest.mark.parametrize(
    ("section", "more"),
    [
        ("", []),
        ('[ws-latency]\nurl = "ws://127.0.0.1:8000/ws"\n[ui-fps]\nsample = true\n', ["ws-latency", "ui-fps"]),
        ('[service-startup]\nimage = "app:1"\n[ui-fps]\nseconds = 2\n', ["service-startup"]),
        ("[service-startup]\nsample = true\n", ["service-startup"]),
        ('[leak-hunt]\nfunctions = ["app:remember"]\n', ["leak-hunt"]),
    ],
)
def test_what_a_profile_has_a_subject_for_is_measured_without_being_listed(
    tmp_path: Path, section: str, more: list[str]
) -> None:
    (tmp_path / "p.toml").write_text(section)

    assert load_profile(str(tmp_path / "p.toml")).commands == ("profile-load", "bench-cgrag", "tier-latency", *more)


def test_what_a_profile_lists_is_all_that_is_measured(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text('run = ["ui-fps"]\n[ws-latency]\nurl = "ws://127.0.0.1:8000/ws"\n')

    assert load_profile(str(tmp_path / "p.toml")).commands == ("ui-fps",)
