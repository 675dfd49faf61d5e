"""The results of every command that the report knows, by name."""

from __future__ import annotations

from tests.report import (
    examples,
    latency_examples,
    leak_examples,
    retrieval_examples,
    retrieval_experiment_examples,
    service_examples,
    ui_examples,
    ws_examples,
)

EVERY = {
    **examples.EXAMPLES,
    **retrieval_examples.EXAMPLES,
    **retrieval_experiment_examples.EXAMPLES,
    **latency_examples.EXAMPLES,
    **leak_examples.EXAMPLES,
    **service_examples.EXAMPLES,
    **ui_examples.EXAMPLES,
    **ws_examples.EXAMPLES,
}
