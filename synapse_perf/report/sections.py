"""What does a report tell, in which order? Result in, document out: the verdict first, problems last.

Nothing is measured or decided here: everything is derived from the result, so an old run can be shown again.
"""

from __future__ import annotations

from synapse_perf.model import Result
from synapse_perf.report.comparisons_table import comparisons_section
from synapse_perf.report.document import Block, Document, Paragraph, Section, Waterfall
from synapse_perf.report.figures import middle
from synapse_perf.report.findings_list import findings_section
from synapse_perf.report.latency_sections import latency_sections
from synapse_perf.report.leak_sections import leak_sections
from synapse_perf.report.measurements_table import measurements_section
from synapse_perf.report.memory_table import memory_section
from synapse_perf.report.overview_table import overview_section
from synapse_perf.report.problems import problem_sections
from synapse_perf.report.retrieval_sections import retrieval_sections
from synapse_perf.report.runs import Run, display_names, models_of, references, runs_of
from synapse_perf.report.service_sections import service_sections
from synapse_perf.report.settings import settings_section
from synapse_perf.report.targets_table import targets_section
from synapse_perf.report.ui_sections import ui_sections
from synapse_perf.report.usage_table import usage_section
from synapse_perf.report.variants_table import variants_section
from synapse_perf.report.verdict import verdict_section
from synapse_perf.report.waterfall import lane_of
from synapse_perf.report.ws_sections import ws_sections

WATERFALLS_AT_MOST = 4
SLOWEST_SHOWN = 2  # of more models than that


def sections_of(result: Result, *, is_brief: bool = False) -> Document:
    """`is_brief`: without what a terminal's page has no room for, where a benchmark measures so much."""
    if result.benchmark == "bench-cgrag":
        return retrieval_sections(result, is_brief=is_brief)
    if result.benchmark == "tier-latency":
        return latency_sections(result, is_brief=is_brief)
    if result.benchmark == "leak-hunt":
        return leak_sections(result)
    if result.benchmark == "ui-fps":
        return ui_sections(result)
    if result.benchmark == "service-startup":
        return service_sections(result)
    if result.benchmark == "ws-latency":
        return ws_sections(result)
    return _loading_sections(result)


def _loading_sections(result: Result) -> Document:
    runs = runs_of(result)
    names = display_names(runs)
    parts = [
        verdict_section(result),
        overview_section(result, names),
        _waterfall_section(runs, names),
        usage_section(_drawn(references(runs)), names),
        variants_section(result, names),
        measurements_section(result),
        memory_section(runs, names),
        findings_section(result),
        targets_section(result),
        comparisons_section(result),
        settings_section(result),
        *problem_sections(result),
    ]
    return tuple(part for part in parts if part is not None)


def _waterfall_section(runs: tuple[Run, ...], names: dict[str, str]) -> Section | None:
    """A waterfall for each model; of many models the slowest, so that the report stays readable."""
    candidates = references(runs)
    models = models_of(candidates)
    blocks: list[Block] = []
    for model in models_of(_drawn(candidates)):
        lanes = [lane_of(run, names[model]) for run in candidates if run.model == model]
        drawn = tuple(lane for lane in lanes if lane is not None)
        if drawn:
            blocks.append(Waterfall(drawn))
    if not blocks:
        return None
    if len(models) > WATERFALLS_AT_MOST:
        text = f"The slowest {SLOWEST_SHOWN} of {len(models)} models; the phases of all are in the JSON result."
        blocks.insert(0, Paragraph(text, "quiet"))
    title = "Start to first token" if any(run.startup for run in candidates) else "Phases of the load"
    return Section(title, tuple(blocks))


def _drawn(runs: tuple[Run, ...]) -> tuple[Run, ...]:
    """All runs in their order if they are of few models, else those of the slowest models, the slowest first."""
    models = models_of(runs)
    if len(models) <= WATERFALLS_AT_MOST:
        return runs
    longest = {
        model: max((middle(run.duration) or 0.0 for run in runs if run.model == model), default=0.0) for model in models
    }
    slowest = sorted(models, key=lambda model: -longest[model])[:SLOWEST_SHOWN]
    return tuple(run for model in slowest for run in runs if run.model == model)
