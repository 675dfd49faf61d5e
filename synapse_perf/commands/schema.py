"""What does a result file look like, told to other programs?"""

from __future__ import annotations

import typer


def schema() -> None:
    """Print the JSON Schema of result files (draft 2020-12)."""
    import json

    from synapse_perf.results import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))
