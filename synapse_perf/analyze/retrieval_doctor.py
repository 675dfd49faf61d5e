"""What is wrong with how an index was built, filled or searched? Out of what the examination saw and measured.

A rule of thumb is only the occasion to look: where recall was measured and is good, the index is well set up for these
texts, whatever the rule says, and what is left to say is said without a demand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from synapse_perf.analyze.retrieval_doctor_process import process_findings
from synapse_perf.analyze.retrieval_doctor_search import search_findings
from synapse_perf.analyze.retrieval_doctor_texts import text_findings
from synapse_perf.model import Finding, Gain, Json
from synapse_perf.units import format_duration

Facts = Mapping[str, Json]


def diagnose(examined: Facts, judged: Facts, name: str, *, is_engine: bool = False) -> list[Finding]:
    """Every finding about the index `name`; both mappings are the facts of their workers, which may lack any part."""
    found = [*text_findings(examined, judged), *search_findings(examined, judged), *process_findings(examined)]
    if is_engine:
        found.append(loads_on_every_query(examined))
    return [replace(finding, evidence={"index": name, **finding.evidence}) for finding in found]


def loads_on_every_query(examined: Facts) -> Finding:
    """Known of the engine's code, not seen here; measured is what a load takes."""
    metadata = examined.get("metadata") or {}
    parts: dict[str, Json] = {
        "open_s": examined.get("open_s"),
        "metadata_s": metadata.get("read_s"),
        "encoder_s": examined.get("encoder_s"),
    }
    load_s = sum(value for value in parts.values() if value is not None)
    return Finding(
        "engine-loads-index-on-every-query",
        "high",
        f"the engine opens the index, reads its texts and loads an encoder again for every query with context: "
        f"{format_duration(load_s)} here, during which its event loop serves nobody",
        {**parts, "loads_per_query": 1},
        Gain(load_s, None, None, "s", measured=True),
        "in the query handlers use the retriever that the application has loaded at its start "
        "(app.state.cgrag_retriever) in place of CGRAGIndexer.load_index(...) in each of them",
        "the row 'preloaded' of this report is a retrieval with that change; the engine's log then has "
        "'CGRAG index loaded' once for each start",
        "more than one line 'CGRAG index loaded' between two starts of the engine",
    )
