"""The reports as a user sees them.

After a wanted change run `SYNAPSE_PERF_UPDATE_GOLDEN=1 pytest tests/report/test_golden.py`, and read the difference as
a user would before committing it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from synapse_perf.report.plan import DryRun, PlanStep, render_plan
from synapse_perf.report.render import render
from tests.report.every_example import EVERY

GOLDEN = Path(__file__).with_name("golden")
MARKDOWN = (
    "full",
    "many_models",
    "failures_only",
    "retrieval_full",
    "retrieval_experiments",
    "latency_full",
    "service_missed",
    "ui_blocked",
)
ASCII = ("full", "few_trials", "retrieval_experiments", "latency_full", "service_missed", "ui_blocked")

PLAN = DryRun(
    benchmark="profile-load",
    profile="found on this machine",
    steps=(
        PlanStep("qwen3-4b, cold, mmap", 6, 3.6, 2_500_000_000),
        PlanStep("qwen3-4b, warm, mmap", 6, 1.9, 0),
        PlanStep("qwen3-4b, cold, load_mode=read", 6, None, 2_500_000_000),
        PlanStep("write the embedded models", 1, 4.2, 0, 700_000_000),
    ),
    outputs=("report.md", "result.json"),
    max_time_s=300.0,
    notes=("the battery saver is on",),
)


def compare(name: str, text: str) -> None:
    path = GOLDEN / name
    if os.environ.get("SYNAPSE_PERF_UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("name", EVERY)
def test_console(name: str, width: int) -> None:
    text = render(EVERY[name](), "console", width=width, color=False, ascii_only=False)
    compare(f"{name}-{width}.txt", text)


@pytest.mark.parametrize("name", ASCII)
def test_console_in_ascii(name: str) -> None:
    compare(f"{name}-ascii.txt", render(EVERY[name](), "console", width=80, color=False, ascii_only=True))


@pytest.mark.parametrize("name", MARKDOWN)
def test_markdown(name: str) -> None:
    compare(f"{name}.md", render(EVERY[name](), "md", ascii_only=False))


@pytest.mark.parametrize("width", [80, 120])
def test_dry_run(width: int) -> None:
    compare(f"plan-{width}.txt", render_plan(PLAN, width=width, color=False, ascii_only=False))


def test_every_golden_text_is_still_tested() -> None:
    expected = {f"{name}-{width}.txt" for name in [*EVERY, "plan"] for width in (80, 120)}
    expected |= {f"{name}-ascii.txt" for name in ASCII} | {f"{name}.md" for name in MARKDOWN}
    assert {path.name for path in GOLDEN.iterdir()} == expected
