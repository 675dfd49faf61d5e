"""The command of a server is read as people type it, and tells where its model and its address are."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from synapse_perf.errors import InputError
from synapse_perf.outside.server_command import (
    api_key,
    check_url,
    model_file,
    more_files,
    parse_command,
    readiness_urls,
)

PROGRAM, PYTHON = "/bin/sh", sys.executable


def test_words_are_those_of_a_shell() -> None:
    command = parse_command(f"A=1 B='two words' {PROGRAM} -m 'a b.gguf' \"--alias\" c\\ d")

    assert command.words == (PROGRAM, "-m", "a b.gguf", "--alias", "c d")
    assert command.env == {"A": "1", "B": "two words"}


def test_a_leading_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    assert parse_command(f"{PROGRAM} -m ~/m.gguf").words[2] == str(tmp_path / "m.gguf")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "names no program"),
        ("A=1", "names no program"),
        ("'unclosed", "no closing quotation"),
        ("no-such-program-anywhere -m x", "there is no program 'no-such-program-anywhere'"),
        (f"{PROGRAM} -m x | tee log", "'|' is for a shell"),
        (f"{PROGRAM} -m x > log", "'>' is for a shell"),
        (f"{PROGRAM} -m x 2>&1", "'2>&1' is for a shell"),
        (f"{PROGRAM} && {PROGRAM}", "'&&' is for a shell"),
        (f"{PROGRAM} &", "'&' is for a shell"),
    ],
)
def test_a_command_that_cannot_be_started_is_refused(text: str, words: str) -> None:
    with pytest.raises(InputError) as error:
        parse_command(text)

    assert words in error.value.message
    assert error.value.remedy


@pytest.mark.parametrize("form", ["-m FILE", "--model FILE", "--model=FILE", "-m other.gguf -m FILE"])
def test_the_model_file_is_found_in_every_form(form: str) -> None:
    assert model_file(parse_command(f"{PROGRAM} {form}")) == "FILE"


def test_the_model_file_may_be_set_by_a_variable() -> None:
    assert model_file(parse_command(f"LLAMA_ARG_MODEL=FILE {PROGRAM}")) == "FILE"
    assert model_file(parse_command(f"MODEL=FILE {PYTHON} -m llama_cpp.server")) == "FILE"
    assert model_file(parse_command(f"{PROGRAM} -hf some/repo")) is None


def test_the_module_of_a_python_server_is_no_model_file() -> None:
    assert model_file(parse_command(f"{PYTHON} -m llama_cpp.server --model FILE")) == "FILE"
    assert model_file(parse_command(f"{PYTHON} -m llama_cpp.server")) is None


def test_files_beside_the_model_count_if_they_are_there(tmp_path: Path) -> None:
    draft = tmp_path / "draft.gguf"
    draft.touch()

    assert more_files(parse_command(f"{PROGRAM} -m x -md {draft} --mmproj {tmp_path}/none")) == (str(draft),)


@pytest.mark.parametrize(
    ("options", "url"),
    [
        ("", "http://127.0.0.1:8080/health"),
        ("--port 9000", "http://127.0.0.1:9000/health"),
        ("--host 0.0.0.0 --port=9000", "http://127.0.0.1:9000/health"),
        ("--host ::1", "http://[::1]:8080/health"),
        ("--host box.local --api-prefix /api/", "http://box.local:8080/api/health"),
        ("-m llama_cpp.server", "http://127.0.0.1:8000/v1/models"),
    ],
)
def test_the_address_follows_from_the_command(options: str, url: str) -> None:
    assert readiness_urls(parse_command(f"{PROGRAM} {options}"))[0] == url


@pytest.mark.parametrize("options", ["--port many", "--port 0", "--port 70000", "--host /tmp/llama.sock"])
def test_an_address_that_cannot_be_asked_is_refused(options: str) -> None:
    with pytest.raises(InputError):
        readiness_urls(parse_command(f"{PROGRAM} {options}"))


@pytest.mark.parametrize("url", ["https://a/health", "127.0.0.1:8080", "http://", "http://a:99999/", "http://a:0/"])
def test_a_url_that_cannot_be_asked_is_refused(url: str) -> None:
    with pytest.raises(InputError):
        check_url(url)


def test_keys_are_used_and_never_shown() -> None:
    command = parse_command(f"HF_TOKEN=s1 {PROGRAM} --api-key s2,s3 --hf-token=s4 --port 1")

    assert api_key(command) == "s2"
    assert command.shown() == f"HF_TOKEN=<hidden> {PROGRAM} --api-key <hidden> --hf-token=<hidden> --port 1"
