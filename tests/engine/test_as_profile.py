"""One profile out of a checkout: its models, settings, times, index and addresses, and what it does not have."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from synapse_perf.engine import Engine
from synapse_perf.engine.as_profile import EngineProfile, with_engine
from synapse_perf.errors import InputError
from synapse_perf.profiles import Profile, ProfileLoadSettings
from tests.engine.made_checkout import COMPOSE, PRODUCTION, entry, fetched, made_checkout, with_registry, write
from tests.engine.made_checkout import with_runtime as with_settings

VARIABLES = ("PRAXIS_MODEL_PATH", "PRAXIS_PROFILE", "CORE_PORT", "CGRAG_TOKEN_BUDGET", "CGRAG_MIN_RELEVANCE", "HERE")


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    return tmp_path / "hub"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return made_checkout(tmp_path / "engine")


def told(checkout: Path, hub: Path, profile: Profile | None = None, *, on_metal: bool = False) -> EngineProfile:
    return with_engine(profile or Profile("mine"), Engine(checkout), hub, on_metal=on_metal)


# --- models ----------------------------------------------------------------------------------------------------------


def test_a_registered_model_is_found_in_the_cache_of_the_host(checkout: Path, hub: Path) -> None:
    small = fetched(hub, "small")
    big = fetched(hub, "big")
    with_registry(checkout, s=entry("small", "fast", 4.0), b=entry("big", "powerful", 20.0))

    models = told(checkout, hub).profile.models

    assert (models.source, models.fast, models.balanced, models.deep) == ("named", str(small), None, str(big))


def test_the_folder_of_the_models_moves_with_the_engines_variable(checkout: Path, hub: Path, tmp_path: Path) -> None:
    elsewhere = fetched(tmp_path / "elsewhere", "small")
    with_registry(checkout, s=entry("small", "fast", 4.0))
    write(checkout / ".env", f"PRAXIS_MODEL_PATH={tmp_path}/elsewhere\n")

    assert told(checkout, hub).profile.models.fast == str(elsewhere)


def test_a_variable_that_names_itself_takes_the_value_of_the_environment(
    checkout: Path, hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine's own example of a file does so; where nothing is set it leaves a slash, which says nothing."""
    elsewhere = fetched(tmp_path / "elsewhere", "small")
    in_cache = fetched(hub, "small")
    with_registry(checkout, s=entry("small", "fast", 4.0))
    write(checkout / ".env", "PRAXIS_MODEL_PATH=${PRAXIS_MODEL_PATH}/\n")

    assert told(checkout, hub).profile.models.fast == str(in_cache)
    monkeypatch.setenv("PRAXIS_MODEL_PATH", str(tmp_path / "elsewhere"))
    assert told(checkout, hub).profile.models.fast == str(elsewhere)


@pytest.mark.parametrize("mount", ["{there}/:/models:ro", "${HERE:-{there}}:/models", "../elsewhere:/models/"])
def test_the_folder_that_the_compose_file_mounts_goes_before_the_variable(
    checkout: Path, hub: Path, tmp_path: Path, mount: str
) -> None:
    elsewhere = fetched(tmp_path / "elsewhere", "small")
    with_registry(checkout, s=entry("small", "fast", 4.0))
    write(checkout / ".env", f"PRAXIS_MODEL_PATH={hub}\n")
    volume = mount.replace("{there}", str(tmp_path / "elsewhere"))
    write(checkout / "compose.yaml", f"services: {{core: {{volumes: ['data:/data', '{volume}']}}}}")

    fast = told(checkout, hub).profile.models.fast
    assert fast is not None
    assert Path(fast).samefile(elsewhere)


def test_a_mounted_folder_that_is_not_on_this_machine_is_passed_over(checkout: Path, hub: Path) -> None:
    in_cache = fetched(hub, "small")
    with_registry(checkout, s=entry("small", "fast", 4.0))
    write(checkout / "compose.yaml", "services: {core: {volumes: [{source: /nowhere, target: /models}]}}")

    assert told(checkout, hub).profile.models.fast == str(in_cache)


def test_an_override_of_the_tier_counts_and_enabled_models_come_before_larger_ones(checkout: Path, hub: Path) -> None:
    small = fetched(hub, "small")
    fetched(hub, "big")
    moved = entry("small", "fast", 4.0, tier_override="powerful", enabled=True)
    with_registry(checkout, s=moved, b=entry("big", "powerful", 20.0))

    found = told(checkout, hub)

    assert found.profile.models.deep == str(small)
    assert not [warning for warning in found.warnings if "enabled" in warning]


def test_where_no_model_is_enabled_all_count_and_the_largest_of_a_tier_is_taken(checkout: Path, hub: Path) -> None:
    fetched(hub, "small")
    medium = fetched(hub, "medium")
    with_registry(checkout, m=entry("medium", "fast", 6.0), s=entry("small", "fast", 4.0))

    found = told(checkout, hub)

    assert found.profile.models.fast == str(medium)
    assert "no model is enabled" in " ".join(found.warnings)


def test_where_no_model_is_enabled_those_of_its_profile_count_before_all(checkout: Path, hub: Path) -> None:
    small = fetched(hub, "small")
    medium = fetched(hub, "medium")
    with_registry(checkout, m=entry("medium", "fast", 6.0), s=entry("small", "fast", 4.0))
    write(checkout / "config/profiles/development.yaml", "enabled_models: [s]\ntier_config: []\n")

    found = told(checkout, hub)

    assert found.profile.models.fast == str(small)
    assert "the 1 that its profile development names count here" in " ".join(found.warnings)
    small.unlink()
    assert told(checkout, hub).profile.models.fast == str(medium)


def test_of_two_models_of_one_size_the_first_of_the_registry_is_taken(checkout: Path, hub: Path) -> None:
    first = fetched(hub, "plain")
    fetched(hub, "with-eyes")
    with_registry(checkout, p=entry("plain", "fast", 4.0), w=entry("with-eyes", "fast", 4.0))

    assert told(checkout, hub).profile.models.fast == str(first)


def test_a_model_that_does_not_count_is_not_missed(checkout: Path, hub: Path) -> None:
    fetched(hub, "small")
    with_registry(checkout, s=entry("small", "fast", 4.0, enabled=True), b=entry("big", "powerful", 20.0))

    assert told(checkout, hub).warnings == ()


def test_another_revision_of_a_file_is_taken_and_told(checkout: Path, hub: Path) -> None:
    newer = fetched(hub, "small", revision="9f9f")
    with_registry(checkout, s=entry("small", "fast", 4.0))

    found = told(checkout, hub)

    assert found.profile.models.fast == str(newer)
    assert "s: its revision 0a1b is not here; 9f9f is taken" in found.warnings


def test_models_that_are_not_here_are_lacking_and_no_others_are_taken_for_them(checkout: Path, hub: Path) -> None:
    with_registry(checkout, s=entry("small", "fast", 4.0, enabled=True))

    found = told(checkout, hub)

    assert found.profile.models.source == "found"
    assert "none of the models" in found.profile.lacking["models"]
    assert "PRAXIS_MODEL_PATH says where they lie" in found.profile.lacking["models"]
    assert "small.gguf is not on this machine" in " ".join(found.warnings)


def test_without_a_registry_that_is_told(checkout: Path, hub: Path) -> None:
    found = told(checkout, hub)

    assert "model_registry.json is missing" in " ".join(found.warnings)
    assert "models" in found.profile.lacking


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "not valid JSON"),
        ("[]", "has no table of models"),
        ('{"models": {"a": {}}}', '"a" has no file_path'),
        ('{"models": {"a": {"file_path": "/models/a.gguf", "assigned_tier": "deep"}}}', '"deep" is no tier'),
        (
            '{"models": {"a": {"file_path": "/models/a", "assigned_tier": "fast", "ctx_size": "8k"}}}',
            'ctx_size: "8k" is not a whole number',
        ),
    ],
)
def test_a_damaged_registry_is_told_in_one_line(checkout: Path, hub: Path, text: str, why: str) -> None:
    write(checkout / "backend/data/model_registry.json", text)

    with pytest.raises(InputError) as caught:
        told(checkout, hub)
    assert why in caught.value.message
    assert "model_registry.json" in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.remedy


# --- how they are loaded ---------------------------------------------------------------------------------------------


def test_models_are_loaded_with_the_flags_of_the_runtime_settings(checkout: Path, hub: Path) -> None:
    with_settings(checkout, ctx_size=16384, threads=6, flash_attn=False)

    load = told(checkout, hub).profile.profile_load

    assert (load.gpu_layers, load.context, load.threads) == ((99,), (16384,), (6,))
    assert (load.batch, load.ubatch, load.flash_attn, load.load_modes) == (512, 256, "off", ("mmap",))


def test_on_metal_the_engines_script_never_maps_the_file(checkout: Path, hub: Path) -> None:
    with_settings(checkout)

    assert told(checkout, hub, on_metal=True).profile.profile_load.load_modes == ("read",)


def test_what_the_engines_script_for_metal_does_not_heed_is_told_and_not_measured(checkout: Path, hub: Path) -> None:
    with_settings(checkout, threads=4, ubatch_size=512, flash_attn=False, ctx_size=8192)
    fetched(hub, "small")
    with_registry(checkout, s=entry("small", "fast", 4.0, enabled=True))

    found = told(checkout, hub, on_metal=True)

    load = found.profile.profile_load
    assert (load.threads, load.ubatch, load.flash_attn, load.context) == ((8,), 256, "on", (8192,))
    assert [warning.split(":")[0] for warning in found.warnings] == ["threads", "ubatch_size", "flash_attn"]
    with_registry(checkout, s=entry("small", "fast", 4.0, enabled=True, n_threads=6))
    assert told(checkout, hub, on_metal=True).profile.profile_load.threads == (6,)


def test_without_runtime_settings_the_engines_defaults_hold(checkout: Path, hub: Path) -> None:
    (checkout / "backend/data/runtime_settings.json").unlink()

    load = told(checkout, hub).profile.profile_load

    assert (load.context, load.threads, load.load_modes) == ((32768,), (8,), ("read",))


def test_what_all_models_have_of_their_own_is_taken_and_what_some_have_is_told(checkout: Path, hub: Path) -> None:
    fetched(hub, "small")
    fetched(hub, "big")
    with_settings(checkout)
    with_registry(
        checkout,
        s=entry("small", "fast", 4.0, n_threads=4, ctx_size=8192),
        b=entry("big", "powerful", 20.0, n_threads=4),
    )

    found = told(checkout, hub)

    assert (found.profile.profile_load.threads, found.profile.profile_load.context) == ((4,), (32768,))
    assert "ctx_size: s 8192 of their own, measured with 32768 as the others" in found.warnings


def test_what_the_profile_says_itself_stands(checkout: Path, hub: Path) -> None:
    with_settings(checkout)
    mine = Profile("mine", profile_load=ProfileLoadSettings(context=(4096,), load_modes=("read", "mmap")))

    load = told(checkout, hub, mine).profile.profile_load

    assert (load.context, load.load_modes, load.threads) == ((4096,), ("read", "mmap"), (8,))


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [("threads", "many", '"many" is not a whole number'), ("flash_attn", 1, "1 is not true or false")],
)
def test_a_setting_of_another_type_is_told(checkout: Path, hub: Path, name: str, value: object, why: str) -> None:
    with_settings(checkout, **{name: value})

    with_registry(checkout)
    with pytest.raises(InputError, match=why):
        told(checkout, hub)


# --- times, index, addresses -----------------------------------------------------------------------------------------


def test_the_expected_times_of_its_profile_are_the_targets(checkout: Path, hub: Path) -> None:
    write(checkout / "config/profiles/production.yaml", PRODUCTION)
    write(checkout / "backend/.env", "PRAXIS_PROFILE=production\n")
    mine = Profile("mine", targets={"query-fast": 1.0})

    assert told(checkout, hub).profile.targets == {"query-fast": 2.0, "query-deep": 15.0}
    assert told(checkout, hub, mine).profile.targets["query-fast"] == 1.0


def test_where_no_profile_is_named_that_for_development_holds(checkout: Path, hub: Path) -> None:
    write(checkout / "config/profiles/development.yaml", "tier_config: [{name: powerful, expected_time_seconds: 10}]")
    write(checkout / "config/profiles/production.yaml", PRODUCTION)

    assert told(checkout, hub).profile.targets == {"query-deep": 10.0}


def test_the_file_that_compose_reads_names_the_profile_before_the_engines_own(checkout: Path, hub: Path) -> None:
    write(checkout / "config/profiles/development.yaml", "tier_config: [{name: powerful, expected_time_seconds: 10}]")
    write(checkout / "config/profiles/production.yaml", PRODUCTION)
    write(checkout / "backend/.env", "PRAXIS_PROFILE=development\n")
    write(checkout / ".env", "PRAXIS_PROFILE=production  # mine\n")

    assert told(checkout, hub).profile.targets["query-deep"] == 15.0


def test_without_a_named_profile_the_tables_limits_hold_which_is_told(checkout: Path, hub: Path) -> None:
    write(checkout / "config/profiles/production.yaml", PRODUCTION)

    found = told(checkout, hub)

    assert found.profile.targets == {}
    assert "has production, and PRAXIS_PROFILE names none" in " ".join(found.warnings)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("tier_config: [{name: fast, expected_time_seconds: soon}]", '"soon" is no time above 0'),
        ("tier_config: [{name: fast, expected_time_seconds: -1}]", "-1 is no time above 0"),
        ("tier_config: [", "not valid YAML"),
    ],
)
def test_a_profile_of_the_engine_that_is_wrong_is_told(checkout: Path, hub: Path, text: str, why: str) -> None:
    write(checkout / "config/profiles/production.yaml", text)
    write(checkout / "backend/.env", "PRAXIS_PROFILE=production\n")

    with pytest.raises(InputError, match=why):
        told(checkout, hub)


def test_a_profile_of_the_engine_that_is_not_there_is_told(
    checkout: Path, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRAXIS_PROFILE", "staging")
    with pytest.raises(InputError, match='PRAXIS_PROFILE is "staging"'):
        told(checkout, hub)


def test_its_index_is_searched_and_a_missing_one_is_lacking(checkout: Path, hub: Path) -> None:
    lacking = told(checkout, hub).profile
    write(checkout / "backend/data/faiss_indexes/docs.index")
    write(checkout / "backend/data/faiss_indexes/docs_metadata.json")
    found = told(checkout, hub).profile

    assert lacking.bench_cgrag.engine is None
    assert "has no index" in lacking.lacking["index"]
    assert found.bench_cgrag.engine == str(checkout)
    assert "index" not in found.lacking


def test_a_profile_that_searches_something_else_keeps_it(checkout: Path, hub: Path) -> None:
    mine = Profile("mine")
    mine = replace(mine, bench_cgrag=replace(mine.bench_cgrag, corpus="/texts"))

    found = told(checkout, hub, mine).profile

    assert (found.bench_cgrag.corpus, found.bench_cgrag.engine) == ("/texts", None)
    assert "index" not in found.lacking


def test_its_addresses_are_those_of_the_compose_file(checkout: Path, hub: Path) -> None:
    write(checkout / "docker-compose.yml", COMPOSE)
    write(checkout / ".env", "CORE_PORT=9000\n")

    events = told(checkout, hub).profile.ws_latency

    assert events.url == "ws://localhost:9000/ws/events?types=performance"
    assert events.trigger == "http://localhost:9000/api/events/test?event_type=performance&message={mark}"
    assert events.mode == "event"


def test_without_a_compose_file_the_addresses_are_those_that_the_engine_has_by_itself(
    checkout: Path, hub: Path
) -> None:
    assert told(checkout, hub).profile.ws_latency.url == "ws://localhost:8000/ws/events?types=performance"
