"""What was searched, how, and by which plan? What a sample's rankings are worth is said beside it."""

from __future__ import annotations

from collections.abc import Mapping

from synapse_perf.model import Json, Result
from synapse_perf.report.document import Fields, Section
from synapse_perf.report.figures import format_evidence, format_range
from synapse_perf.report.settings import without_digests
from synapse_perf.units import format_bytes, three_digits

_SAMPLE = "sample, not your system"
_FEW = 5
_LOOKED_AT = ("examined", "judged")  # what was seen of the index: the findings tell it
_INTRINSIC = "intrinsic_dimension"
_SOURCES = {"file": "from a file", "held out": "held out of the texts", "sample": "of the built-in sample"}
_RANDOM = "random weights"
_NO_RANKING = "rankings mean nothing, times do"


def retrieval_settings_section(result: Result, *, is_brief: bool = False) -> Section | None:
    """None where the result holds no settings; a brief one leaves out the plan."""
    workload, plan = without_digests(result.workload), without_digests(result.plan)
    assert isinstance(workload, dict)
    assert isinstance(plan, dict)
    tuning = workload.pop("tuning", None) or plan.pop("tuning", None)
    dimension = _intrinsic(workload)
    searched, encoder = workload.pop("searched", None), workload.pop("encoder", None)
    if isinstance(searched, dict) and isinstance(encoder, Mapping) and _same("dimension", searched, encoder):
        del searched["dimension"]
    rows = [("searched", _searched(searched, is_sample=result.subject == "sample")), ("queries", _queries(searched))]
    rows += [("dimensions", dimension), ("encoder", _encoder(encoder))]
    rows += [(key.replace("_", " "), _text(key, one)) for key, one in workload.items() if key not in _LOOKED_AT]
    rows += [("tuning", _tuning(tuning)), ("plan", format_evidence(plan) if plan and not is_brief else "")]
    kept = tuple((name, text) for name, text in rows if text)
    return Section("Settings", (Fields(kept),)) if kept else None


def _searched(value: Json, *, is_sample: bool) -> str:
    """What it is called, what it is, then what else is known of it and not said already."""
    if not isinstance(value, Mapping):
        return _text("searched", value)
    known = dict(value)
    for name in ("queries", "query_source", _INTRINSIC):
        known.pop(name, None)
    label, description = (str(known.pop(name, "") or "") for name in ("label", "description"))
    if is_sample:
        label = _SAMPLE if label in ("", "sample") else f"{label} ({_SAMPLE})"
    head = ": ".join(part for part in (label, description) if part)
    said = description.replace(",", " ").split()
    others = {name: _shortened(name, one) for name, one in known.items() if str(one) not in (*said, label, "sample")}
    return ", ".join(part for part in (head, format_evidence(others) if others else "") if part)


def _same(name: str, one: Mapping[str, Json], other: Mapping[str, Json]) -> bool:
    return name in one and one[name] == other.get(name)


def _queries(searched: Json) -> str:
    """How many there are, and where they are from."""
    known = searched if isinstance(searched, Mapping) else {}
    count, source = known.get("queries"), known.get("query_source")
    told = "" if source is None else _SOURCES.get(str(source), str(source))
    return ", ".join(part for part in ("" if count is None else str(count), told) if part)


def _intrinsic(value: Json) -> str:
    """How many dimensions the vectors really fill, wherever in the settings it is noted."""
    if not isinstance(value, Mapping):
        return ""
    found = value.get(_INTRINSIC)
    if isinstance(found, Mapping) and isinstance(found.get("value"), int | float):
        bounds = [float(one) for one in (found.get("low"), found.get("high")) if isinstance(one, int | float)]
        told = f" (95 % {format_range(bounds[0], bounds[1], '1')})" if len(bounds) == 2 else ""
        return f"the vectors fill about {three_digits(found['value'])} of them{told}"
    if isinstance(found, int | float):
        return f"the vectors fill about {three_digits(found)} of them"
    return next((text for one in value.values() if (text := _intrinsic(one))), "")


def _shortened(name: str, value: Json) -> Json:
    """Files as names with their sizes; of a long list of times the longest."""
    if name == "files" and isinstance(value, list | tuple):
        pairs = [one for one in value if isinstance(one, list | tuple) and len(one) == 2 and _is_number(one[1])]
        return ", ".join(f"{file} {format_bytes(size)}" for file, size in pairs) or None
    if name.endswith("_s") and isinstance(value, Mapping) and all(map(_is_number, value.values())):
        return dict(sorted(value.items(), key=lambda pair: -pair[1])[:_FEW])
    return value


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float)


def _encoder(value: Json) -> str:
    if not isinstance(value, Mapping):
        return _text("encoder", value)
    known = dict(value)
    label = str(known.pop("label", "") or "")
    text = ", ".join(part for part in (label, format_evidence(known) if known else "") if part)
    return f"{text}; {_NO_RANKING}" if is_random(label) else text


def is_random(encoder: str) -> bool:
    """Whether the label of an encoder says that its weights were drawn by lot."""
    return _RANDOM in encoder


def _tuning(value: Json) -> str:
    """What the index had to keep to; the outcome has a section of its own."""
    budget = value.get("budget") if isinstance(value, Mapping) else None
    return _text("tuning", without_digests(budget if isinstance(budget, Mapping) else value))


def _text(key: str, value: Json) -> str:
    if value is None or value in ({}, []):
        return ""
    if isinstance(value, Mapping):
        return format_evidence({name: one for name, one in value.items() if one not in ({}, [], None)})
    return format_evidence({key: value}).removeprefix(key.replace("_", " ")).strip()
