from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from synapse_perf.llama.native_log import LEVEL_DEBUG, LEVEL_ERROR, NativeLog

INFO, WARN = 2, 3


class Bindings(SimpleNamespace):
    """The two names that a log needs of llama_cpp; `say` is llama.cpp speaking."""

    def __init__(self) -> None:
        super().__init__(llama_log_callback=lambda function: function)
        self.receive: Any = None

    def llama_log_set(self, callback: Any, _user_data: object) -> None:
        self.receive = callback

    def say(self, level: int, text: str) -> None:
        self.receive(level, text.encode(), None)


@pytest.fixture
def bindings() -> Bindings:
    return Bindings()


def test_fragments_are_kept_in_order_with_rising_stamps(bindings: Bindings) -> None:
    log = NativeLog()
    log.install(bindings)

    bindings.say(INFO, "one ")
    bindings.say(INFO, "two\n")

    assert [(level, text) for _, level, text in log.texts()] == [(INFO, "one "), (INFO, "two\n")]
    assert log.fragments[0][0] <= log.fragments[1][0]


def test_debug_lines_are_dropped(bindings: Bindings) -> None:
    log = NativeLog()
    log.install(bindings)

    bindings.say(LEVEL_DEBUG, "a graph of a thousand nodes\n")

    assert log.fragments == []


def test_a_mark_takes_a_snapshot_at_its_moment(bindings: Bindings) -> None:
    log = NativeLog((b"loading model tensors",), lambda: "counters")
    log.install(bindings)

    bindings.say(INFO, "load: something else\n")
    bindings.say(INFO, "load_tensors: loading model tensors, this can take a while...\n")

    assert log.snapshots == [(log.fragments[1][0], "counters")]


def test_a_snapshot_can_be_taken_where_no_line_marks_it(bindings: Bindings) -> None:
    log = NativeLog((), lambda: "counters")
    log.look()

    assert [snapshot for _, snapshot in log.snapshots] == ["counters"]


def test_without_counters_there_is_nothing_to_take(bindings: Bindings) -> None:
    log = NativeLog((b"mark",))
    log.install(bindings)

    bindings.say(INFO, "mark\n")
    log.look()

    assert log.snapshots == []


def test_text_that_is_no_utf8_is_kept_readable(bindings: Bindings) -> None:
    log = NativeLog()
    log.install(bindings)

    bindings.receive(INFO, b"name \xff\n", None)

    assert log.texts()[0][2] == "name \N{REPLACEMENT CHARACTER}\n"


def test_only_errors_count_as_errors_and_the_first_comes_first(bindings: Bindings) -> None:
    log = NativeLog()
    log.install(bindings)

    bindings.say(WARN, "a warning\n")
    bindings.say(LEVEL_ERROR, "the cause\n")
    bindings.say(LEVEL_ERROR, "\n")
    bindings.say(LEVEL_ERROR, "what follows from it\n")

    assert log.errors() == ["the cause", "what follows from it"]


def test_what_was_said_before_is_no_cause_of_what_comes_after(bindings: Bindings) -> None:
    """A back end that complains while it starts has not refused the model."""
    log = NativeLog()
    log.install(bindings)

    bindings.say(LEVEL_ERROR, "no such driver\n")
    begun = len(log.fragments)
    bindings.say(LEVEL_ERROR, "unknown model architecture\n")

    assert log.errors(begun) == ["unknown model architecture"]
