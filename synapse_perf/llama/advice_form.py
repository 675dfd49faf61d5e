"""How is a piece of advice put: cause, evidence, and the change in the words of Llama() and of llama-server?"""

from __future__ import annotations

from synapse_perf.model import Finding, Gain, Severity
from synapse_perf.samples import Json


def finding(
    identity: str,
    severity: Severity,
    cause: str,
    evidence: dict[str, Json],
    change: tuple[str, str],
    check: str,
    alert: str = "",
    gain: Gain | None = None,
) -> Finding:
    """`change`: as keyword arguments of Llama(), and as flags of llama-server."""
    arguments, flags = change
    parts = (arguments, f"llama-server: {flags}" if flags else "")
    return Finding(identity, severity, cause, evidence, gain, "; ".join(filter(None, parts)), check, alert)
