from __future__ import annotations

from pathlib import Path

import pytest

from synapse_perf.host.privacy import redact, redact_names

HOMES, USERS, HOSTS = ("/home/lovelace",), ("lovelace",), ("engine-7.example.org", "engine-7")


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("/home/lovelace/models/a.gguf", "~/models/a.gguf"),
        ("in /home/lovelace", "in ~"),
        ("/home/lovelace2/a.gguf", "/home/lovelace2/a.gguf"),
        ("/Volumes/Lovelace/a.gguf", "/Volumes/<user>/a.gguf"),
        ("lovelace/fix-loading", "<user>/fix-loading"),
        ("on engine-7.example.org:8080", "on <host>:8080"),
        ("on ENGINE-7", "on <host>"),
        ("engine-77 is another", "engine-77 is another"),
        ("nothing private", "nothing private"),
    ],
)
def test_names_are_replaced_where_they_stand_alone(text: str, redacted: str) -> None:
    assert redact_names(text, HOMES, USERS, HOSTS) == redacted


def test_a_name_that_is_an_ordinary_word_stays() -> None:
    assert redact_names("the model of root at al", (), ("root", "al"), ("model",)) == "the model of root at al"


def test_the_root_directory_is_no_home() -> None:
    assert redact_names("/models/a.gguf", ("/",), (), ()) == "/models/a.gguf"


def test_ones_own_home_is_hidden() -> None:
    assert redact(f"{Path.home()}/a.gguf") == "~/a.gguf"
