"""A profile file says exactly what it means; what it cannot mean is told with its line and a way out."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synapse_perf.errors import ExitCode, InputError
from synapse_perf.profiles import Models, Profile, ProfileLoadSettings, Sampling, load_profile

EVERYTHING = """
name = "ci-mine"
description = "all of it"
required = ["model-startup-cpu"]
targets = {model-startup-cpu = "8s", ui-animation = 30}
[sampling]
trials = 12
max_time = "1.5m"
confidence = 0.9
seed = 7
[models]
fast = "qwen3-0.6b"
powerful = "/models/big.gguf"
search = ["/srv/models"]
[profile-load]
models = ["fast", "deep"]
load_modes = ["read", "direct"]
caches = "warm"
gpu_layers = [0, -1]
context = 8192
threads = [4, 8]
cache_type_k = "q8_0"
cache_type_v = ["q8_0", "f16"]
batch = 512
ubatch = 256
flash_attn = "on"
device = "MTL0"
parallel = true
"""
MEANS = Profile(
    name="ci-mine",
    description="all of it",
    targets={"model-startup-cpu": 8.0, "ui-animation": 30.0},
    required=("model-startup-cpu",),
    sampling=Sampling(12, 90.0, 0.9, 7),
    models=Models("named", "qwen3-0.6b", None, "/models/big.gguf", ("/srv/models",)),
    profile_load=ProfileLoadSettings(
        models=("fast", "deep"),
        load_modes=("read", "direct"),
        caches=("warm",),
        gpu_layers=(0, -1),
        context=(8192,),
        threads=(4, 8),
        cache_type_k=("q8_0",),
        cache_type_v=("q8_0", "f16"),
        batch=512,
        ubatch=256,
        flash_attn="on",
        device="MTL0",
        parallel=True,
    ),
)


def read(directory: Path, text: str, name: str = "mine") -> Profile:
    path = directory / f"{name}.toml"
    path.write_text(text, "utf-8")
    return load_profile(str(path))


def without_digest(profile: Profile) -> Profile:
    return replace(profile, digest="")


def test_an_empty_file_gives_the_defaults_under_the_files_name(tmp_path: Path) -> None:
    assert without_digest(read(tmp_path, "")) == Profile("mine")


def test_no_profile_at_all_gives_the_defaults_for_found_models() -> None:
    profile = load_profile(None)

    assert (profile.name, profile.models.source) == ("found", "found")


def test_everything_that_a_profile_can_say(tmp_path: Path) -> None:
    assert without_digest(read(tmp_path, EVERYTHING)) == MEANS


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ('models = "embedded"', "embedded"),
        ('models = "found"', "found"),
        ("[models]\nsearch = []", "found"),
        ('[models]\ndeep = "x"', "named"),
    ],
)
def test_where_models_come_from(text: str, source: str, tmp_path: Path) -> None:
    assert read(tmp_path, text).models.source == source


def test_paths_start_at_the_file_or_at_home_and_names_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home-of-somebody")
    (tmp_path / "profiles").mkdir()

    profile = read(
        tmp_path / "profiles",
        """
        [models]
        fast = "~/m/a.gguf"
        balanced = "b.gguf"
        deep = "qwen3-4b"
        search = ["../models", "~"]
        [profile-load]
        models = ["./c", "fast"]
        """,
    )

    assert profile.models.fast == "/home-of-somebody/m/a.gguf"
    assert profile.models.balanced == str(tmp_path / "profiles" / "b.gguf")
    assert profile.models.deep == "qwen3-4b"
    assert profile.models.search == (str(tmp_path / "models"), "/home-of-somebody")
    assert profile.profile_load.models == (str(tmp_path / "profiles" / "c"), "fast")


def test_paths_are_absolute_when_the_profile_was_named_by_a_relative_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.toml").write_text('[models]\nfast = "a.gguf"\n')

    assert load_profile("mine.toml").models.fast == str(tmp_path / "a.gguf")


# --- the digest -----------------------------------------------------------------------------------------------------


def test_the_digest_is_of_what_is_measured_not_of_how_the_file_is_written(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    first = read(tmp_path, '[models]\nfast = "a.gguf"\n[profile-load]\ncontext = 4096\n')
    second = read(
        tmp_path / "elsewhere",
        'description = "same"\n# same\n[profile-load]\ncaches = ["cold", "warm"]\ncontext = [4096]\n'
        '[models]\nfast = "a.gguf"\n',
    )

    assert first.models != second.models
    assert first.digest == second.digest


@pytest.mark.parametrize("change", ['load_modes = "read"', "context = 1", "parallel = true"])
def test_the_digest_changes_with_what_is_measured(change: str, tmp_path: Path) -> None:
    assert read(tmp_path, "").digest != read(tmp_path, f"[profile-load]\n{change}").digest


# --- wrong profiles -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ('nme = "x"', ":1: 'nme' is not known", "did you mean 'name'?"),
        (
            "digest = 'x'",
            ":1: 'digest' is not known",
            "known here: bench-cgrag, description, engine, leak-hunt, models, name",
        ),
        ("[profile-load]\n\nload_mode = 'mmap'", ":3: 'load_mode' is not known in [profile-load]", "'load_modes'?"),
        ("[profile_load]\nthreads = 1", ":1: 'profile_load' is not known", "did you mean 'profile-load'?"),
        ("[sampling]\nmax_time_s = 3", ":2: 'max_time_s' is not known in [sampling]", "did you mean 'max_time'?"),
        ("sampling = {trials = 3, foo = 1}", ":1: 'foo' is not known in [sampling]", "known here: confidence"),
        ("[profile-load]\nload_modes = 'mmmap'", ":2: profile-load.load_modes[0] must be 'mmap', 'read',", ""),
        ("[profile-load]\ncontext = '32k'", ':2: profile-load.context[0] must be a whole number, not "32k"', ""),
        ("[profile-load]\ncontext = [1, 2.5]", ":2: profile-load.context[1] must be a whole number, not 2.5", ""),
        ("[profile-load]\nparallel = 1", ":2: profile-load.parallel must be true or false, not 1", ""),
        ("[profile-load]\nthreads = 0", ":2: profile-load.threads must be at least 1, not 0", ""),
        ("[sampling]\nmax_time = '5 parsecs'", ":2: sampling.max_time: '5 parsecs' is not a duration", "such as 90s"),
        ("[sampling]\nmax_time = []", ":2: sampling.max_time must be a number, not a list", ""),
        ("[sampling]\nmax_time = true", ":2: sampling.max_time must be a number, not true", ""),
        ("[sampling]\nconfidence = nan", ":2: sampling.confidence must be a finite number", ""),
        ("sampling = 3", ":1: sampling must be a table of fields, not 3", ""),
        ("targets = 3", ":1: targets must be a table of fields, not 3", ""),
        ("profile-load = 3", ":1: profile-load must be a table of fields, not 3", ""),
        ("models = 3", ":1: models must be a table of fields, not 3", ""),
        ("models = 'all'", ":1: models is 'all'", 'write "found", "embedded"'),
        ("[models]\nfast = 3", ":2: models.fast must be text, not 3", ""),
        ("[models]\npowerful = 'a'\ndeep = 'b'", ":2: models.powerful is the same tier as models.deep", "keep one"),
        ("required = ['model-startup-cp']", ":1: required: 'model-startup-cp' is not a target", "-startup-cpu'?"),
        ("required = 'x'", ':1: required must be a list, not "x"', ""),
        ("required = [1]", ":1: required[0] must be text, not 1", ""),
        ("[targets]\nfoo = 1", ":2: targets.foo: 'foo' is not a target", "known here: cgrag-cold"),
        ("[targets]\nquery-fast = -1", ":2: targets.query-fast: -1 is no limit for query-fast", "above 0"),
        ("name = 2026-01-01", ": 2026-01-01 is a date, and no setting is one", "quotes"),
        ("name = 'a b'", ":1: name must be of letters", "another name"),
        ("name = 3", ":1: name must be text, not 3", ""),
        ("name = 'a'\nname = 'b'", ":2: not valid TOML: cannot overwrite a value", ""),
        ("a =", ":1: not valid TOML: invalid value", ""),
        ("a = " + "[" * 5000, ": not valid TOML", ""),
        ("a = " + "9" * 5000, ": not valid TOML", ""),
    ],
)
def test_a_wrong_profile_is_told_with_its_line(text: str, message: str, remedy: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    assert caught.value.message.startswith(f"{tmp_path / 'mine.toml'}{message}")
    assert caught.value.message.isprintable()
    assert remedy in caught.value.remedy
    assert caught.value.remedy
    assert caught.value.exit_code == ExitCode.USAGE


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")

    with pytest.raises(InputError, match=r"binary\.toml: not a text file in UTF-8"):
        load_profile(str(tmp_path / "binary.toml"))
    with pytest.raises(InputError, match=r"none\.toml: cannot be read: No such file"):
        load_profile(str(tmp_path / "none.toml"))
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        load_profile(f"{tmp_path}{os.sep}")


KEYS = st.sampled_from(["name", "models", "targets", "sampling", "profile-load", "trials", "max_time", "fast", "x y"])
VALUES = st.sampled_from(
    ["1", "-1", "'x'", "[]", "[[1]]", "{}", "{trials = []}", "inf", "true", "1979-05-27", "''", "="]
)
LINES = st.one_of(
    st.tuples(KEYS, VALUES).map(lambda pair: f"{pair[0]} = {pair[1]}"),
    KEYS.map(lambda key: f"[{key}]"),
    st.text(max_size=9),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(LINES, max_size=6).map("\n".join))
def test_any_text_gives_a_profile_or_an_error_of_ours(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_text(text, "utf-8", newline="")

    try:
        load_profile(str(path))
    except InputError as error:
        assert error.message.startswith(str(path))
        assert "\n" not in error.message


def test_functions_to_hunt_are_a_list_or_one(tmp_path: Path) -> None:
    assert read(tmp_path, '[leak-hunt]\nfunctions = "app:one"').leak_hunt.functions == ("app:one",)
    several = read(tmp_path, '[leak-hunt]\nfunctions = ["app:one", "app:two"]')
    assert several.leak_hunt.functions == ("app:one", "app:two")
