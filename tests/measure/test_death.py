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


def test_an_exception_that_nobody_caught_is_told_in_its_words() -> None:
    stderr = "terminate called after throwing an instance of 'std::system_error'\n  what():  Resource not available\n"

    failure = explain_death(-signal.SIGABRT, stderr, STAGE, None, None)

    assert failure.message == "the worker died of SIGABRT in the stage: loading the model: Resource not available"


def test_a_failed_allocation_that_nobody_caught_is_no_memory_left() -> None:
    stderr = "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\n"

    failure = explain_death(-signal.SIGABRT, stderr, STAGE, None, None)

    assert (failure.kind, "smaller context" in failure.remedy) == ("out-of-memory", True)


def test_the_last_error_of_llama_cpps_log_is_the_cause_of_a_crash() -> None:
    stderr = "load_tensors: loading\nllama_model_load: error loading model: planted\nload_tensors: on the way out\n"

    failure = explain_death(-signal.SIGSEGV, stderr, STAGE, None, None)

    assert failure.message.endswith(": llama_model_load: error loading model: planted")


def test_a_file_that_shrinks_under_a_mapping_is_named_as_what_to_check() -> None:
    assert "file that shrinks" in explain_death(-signal.SIGBUS, "", STAGE, None, None).remedy


def test_of_a_dump_of_many_threads_the_one_that_crashed_is_kept() -> None:
    others = [f'  File "asyncio/events.py", line {number} in run' for number in range(60)]
    crashed = ["Fatal Python error: Segmentation fault", "", 'Current thread 0x1:\n  File "search.py", line 3 in look']

    failure = explain_death(-signal.SIGSEGV, "\n".join(["loaded", *crashed, *others]), STAGE, None, None)

    assert failure.message == "the worker died of SIGSEGV in the stage: loading the model"
    assert failure.detail.splitlines()[0] == "loaded"
    assert "search.py" in failure.detail
    assert "line 59" not in failure.detail
