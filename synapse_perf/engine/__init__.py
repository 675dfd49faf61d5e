"""What does an engine checkout say of itself? The only package that knows its files; no code of it is run."""

from synapse_perf.engine.checkout import INDEX_COMMAND, Engine, EngineSettings, IndexFiles

__all__ = ["INDEX_COMMAND", "Engine", "EngineSettings", "IndexFiles"]
