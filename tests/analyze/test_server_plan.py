"""A server is started cold and warm where its file is known, and as it comes where it is not."""

from __future__ import annotations

from synapse_perf.analyze.load_plan import ModelUnderTest
from synapse_perf.analyze.server_plan import ServerUnderTest, plan_server

SERVER = ServerUnderTest(("llama-server", "-m", "m.gguf"), {}, ("http://127.0.0.1:8080/health",), 300.0)
MODEL = ModelUnderTest("m", "/m.gguf", ("/m.gguf",), 1000, "d", "", is_sample=False)


def test_each_state_of_the_page_cache_has_its_starts_and_its_plain_reads() -> None:
    cases = plan_server(SERVER, MODEL, "llama-server", ("cold", "warm"))

    found = [(case.spec.benchmark, case.spec.page_cache, case.is_judged, case.reads_bytes) for case in cases]
    assert found == [
        ("server_start", "cold", True, 1000),
        ("read_floor", "cold", False, 1000),
        ("server_start", "warm", True, 0),
        ("read_floor", "warm", False, 0),
    ]
    assert all(case.spec.files == MODEL.files for case in cases)


def test_without_a_file_no_state_is_claimed() -> None:
    (case,) = plan_server(SERVER, None, "llama-server", ("cold", "warm"))

    assert case.spec.labels == {"model": "llama-server", "cache": "uncertified"}
    assert (case.spec.page_cache, case.spec.files) == (None, ())
    assert "profile-load MODEL" in case.spec.workload["cache_how"]


def test_a_trial_may_take_both_time_limits_and_its_stop() -> None:
    (case, *_) = plan_server(SERVER, MODEL, "llama-server", ("cold",))

    assert case.spec.timeout_s > 2 * SERVER.ready_timeout_s
