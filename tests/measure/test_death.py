from __future__ import annotations

import signal

from synapse_perf.measure.death import explain_death

STAGE = "loading the model"


def test_an_abort_is_told_in_ggmls_words_without_the_place_in_its_sources() -> None:
    stderr = "some line\n/build/ggml/src/ggml-rpc/ggml-rpc.cpp:547: Failed to connect to 127.0.0.1:1\n\n"

    failure = explain_death(-signal.SIGABRT, stderr, STAGE, None, None)

    assert failure.message == (
        "the worker died of SIGABRT in the stage: loading the model: Failed to connect to 127.0.0.1:1"
    )


def test_a_failed_assertion_is_the_message_whatever_came_after_it() -> None:
    stderr = "/build/src/llama-context.cpp:1503: GGML_ASSERT(n_ubatch >= n_tokens) failed\nan error on the way out\n"

    failure = explain_death(-signal.SIGABRT, stderr, STAGE, None, None)

    assert failure.message.endswith(": GGML_ASSERT(n_ubatch >= n_tokens) failed")


def test_a_death_without_words_names_the_signal_and_the_stage() -> None:
    assert (
        explain_death(-signal.SIGSEGV, "", STAGE, None, None).message
        == "the worker died of SIGSEGV in the stage: loading the model"
    )
