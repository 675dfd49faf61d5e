"""Does the report tell what each tier is bound by, and what other settings changed, readable at 80 columns?"""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from synapse_perf.analyze.collect import metrics_of
from synapse_perf.analyze.latency_bounds import BANDWIDTH, READS, DecodeReads
from synapse_perf.analyze.latency_tuning import DEFINITION
from synapse_perf.analyze.latency_tuning_findings import Tuned, tuning_findings
from synapse_perf.analyze.latency_tuning_results import Compared, compared, screened
from synapse_perf.analyze.latency_tuning_settings import combined
from synapse_perf.model import Finding, Result
from synapse_perf.report.render import render
from tests.analyze.made_latencies import COMPLEX, LEVELS, metric, tier
from tests.analyze.tuning_simulation import CANDIDATES, FASTER, tune
from tests.analyze.tuning_simulation import tier as tunable
from tests.report.latency_examples import result

READS_8B = DecodeReads(weights_bytes=4_600_000_000, kv_row_bytes=131072, elements=7_000_000_000, cache_bytes=32 << 20)
TOLD = {
    "output_tokens": 100,
    "useless": ["offload: there is no GPU that this llama.cpp can use"],
    "refused": {"-ctk q8_0 -ctv q8_0": "V cache quantization requires flash_attn"},
    "untried": ["-ub 128"],
    "untried_because": "too little time or memory was left: allow more with --max-time",
}
TRIALS = tune(3, {FASTER: 1.3, "-fa off": 1.2}, tunable())


@pytest.fixture(scope="module")
def tuned() -> Result:
    bandwidth = metric(
        BANDWIDTH, {"threads": "4"}, [[9e10 * level] for level in LEVELS], arm="memory bandwidth", unit="B/s"
    )
    metrics = (*tier("deep", "complex", COMPLEX), bandwidth, *metrics_of(TRIALS, DEFINITION))
    made = result(*metrics)
    workload = {**made.workload, READS: {"deep": asdict(READS_8B)}, "tuning": {"deep": TOLD, "fast": TOLD}}
    return replace(made, workload=workload)


def text_of(made: Result, width: int = 80) -> str:
    return render(made, "console", width=width, color=False, ascii_only=False)


def section(text: str, title: str) -> str:
    return text.split(f"\n{title}\n", 1)[1].split("\n\n\n", 1)[0].split("\nApart from", 1)[0].split("\nFindings", 1)[0]


def test_each_tier_has_a_line_with_its_numbers(tuned: Result) -> None:
    told = section(text_of(tuned), "What each tier is bound by").split("Tuning")[0]

    assert "deep  prefill, bound by computing the prompt: about 2.14" in told
    assert "Memory: 83.8 GiB/s read by 4 threads" in told


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_of_settings_fits(tuned: Result, width: int) -> None:
    text = text_of(tuned, width)
    told = section(text, "Tuning")

    assert all(len(line) <= width for line in text.splitlines())
    assert "times as fast" in told
    rows = [line for line in told.splitlines() if "improved" in line]
    assert len(rows) == 3
    assert all(" in 7 " in row for row in rows)


def test_what_was_not_confirmed_is_told_plainly_and_once_for_all_tiers(tuned: Result) -> None:
    told = " ".join(section(text_of(tuned), "Tuning").split())

    assert "deep, fast: not worth a try: offload: there is no GPU" in told
    assert "deep, fast: not tried: -ub 128 (too little time or memory was left" in told
    assert "deep, fast: refused by llama.cpp: -ctk q8_0 -ctv q8_0: V cache" in told
    assert "deep: only looked at, so without a verdict: -ngl 99" in told


def test_what_tuning_measured_stands_nowhere_else(tuned: Result) -> None:
    text = text_of(tuned)

    assert "variant" not in text
    assert "reads per token" not in text
    assert "untried" not in text


def test_a_run_without_either_has_neither_section() -> None:
    text = text_of(result(*tier("deep", "complex", COMPLEX)))

    assert "bound by" not in text
    assert "Tuning" not in text


# --- the findings ----------------------------------------------------------------------------------------------------


def findings(*changed: Compared, misses: bool = False, limit_s: float | None = 8.0) -> list[Finding]:
    metrics = metrics_of(TRIALS, DEFINITION)
    found = changed or tuple(compared(metrics, "deep", 0.95))
    changes = {one.name: one.changes for one in CANDIDATES}
    ordered = [one for one in CANDIDATES if one.name in (FASTER, "-fa off")]
    together = combined(ordered)
    assert together is not None
    own = Tuned(
        "deep", found, screened(metrics, "deep", 100), {**changes, together.name: together.changes}, 100, 9.0, limit_s,
        misses=misses,
    )  # fmt: skip
    return tuning_findings([own], 0.95)


def test_the_best_that_was_confirmed_is_told_with_its_gain_and_how_to_set_it() -> None:
    (finding,) = findings()

    assert (finding.id, finding.severity) == ("faster-settings", "medium")
    assert finding.gain is not None
    assert finding.gain.measured
    assert finding.gain.low is not None
    assert finding.gain.low > 0
    assert finding.change == "-t 8 -fa off (llama-server, llama-cli), or Llama(n_threads=8, flash_attn=False)"
    assert finding.check == "synapse-perf tier-latency -t 8 -fa off: the p50 of the deep row"
    assert "the answers are the same, token by token" in finding.cause


def test_where_the_target_is_missed_it_says_whether_that_would_be_enough() -> None:
    (enough,) = findings(misses=True)
    (short,) = findings(misses=True, limit_s=1.0)

    assert enough.severity == "high"
    assert "the p90 of 9.00 s would come to about" in enough.cause
    assert "under the limit of 8.00 s" in enough.cause
    assert "still over the limit of 1.00 s" in short.cause


def made(name: str, status: str, ratio: float = 1.5, differs: int | None = None) -> Compared:
    return Compared(
        "deep", name, 6, 30, ratio, ratio - 0.1, ratio + 0.1, 2.0, 1.5, 2.5, 6.0, 4.0, status,  # type: ignore[arg-type]
        30 if differs is None else 27, differs,
    )  # fmt: skip


def test_answers_that_change_are_told() -> None:
    (finding,) = findings(made("-fa off", "improved", differs=9))

    assert "the answers differ in 3 of 30 rounds, from token 9 on at the earliest" in finding.cause


def test_nothing_that_helps_is_said_as_well() -> None:
    (finding,) = findings(made("-fa off", "unchanged", 1.0), made(FASTER, "inconclusive", 1.02))

    assert (finding.id, finding.severity, finding.gain) == ("no-faster-settings", "info", None)
    assert "-fa off 1.00× (0.90–1.10) (unchanged); -t 8 1.02× (0.92–1.12) (inconclusive)" in finding.cause


def test_a_shorter_answer_is_a_finding_of_its_own() -> None:
    shorter, other = findings(made("max_tokens=40", "improved"), made("-fa off", "regressed", 0.5), misses=True)

    assert (shorter.id, shorter.severity) == ("too-many-output-tokens", "high")
    assert "max_tokens=40" in shorter.change
    assert other.id == "no-faster-settings"
