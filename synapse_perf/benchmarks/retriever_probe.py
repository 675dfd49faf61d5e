"""What does a user's retriever read and import? One trial that looks, before those that measure; it is never judged."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from synapse_perf.benchmarks.embedding_calls import METHODS, EmbeddingCalls
from synapse_perf.host.opened_files import OpenedFiles, libraries
from synapse_perf.samples import Sample

if TYPE_CHECKING:
    from synapse_perf.benchmarks.retriever_session import Session

IMPORTS_TOLD = 12
THREADED = ("gomp", "libomp", "iomp", "openblas", "libmkl", "libblis")  # libraries that bring threads of their own


def probe(session: Session) -> Sample:
    """Take every step once and one more query; the facts of the process tell what was seen."""
    facts = session.context.facts
    list(session.queries)  # each line is a query, or the run ends here
    files, embedding = OpenedFiles(), EmbeddingCalls()
    files.start()
    files.enter("import")
    with import_times(embedding.look_at) as imports:
        facts["import_s"] = session.import_module()
    for name in METHODS:  # the module may have been imported before the probe began
        embedding.look_at(name)
    files.look_at_arguments(wanted=True)
    files.enter("build")
    embedding.enter("build")
    with import_times(embedding.look_at) as built_with:
        facts["build_s"] = session.build().wall_ns * 1e-9
    files.enter("first_retrieve")
    embedding.enter("first_retrieve")
    session.watch.stage("the first retrieve()")
    with import_times(embedding.look_at) as asked_with:
        first = session.ask(session.first)
    files.look_at_arguments(wanted=False)
    files.enter("next_retrieve")
    embedding.enter("next_retrieve")
    session.watch.stage("a second retrieve()")
    following = session.ask((session.first + 1) % len(session.queries))
    facts["first_retrieve_s"], facts["next_retrieve_s"] = first.wall_ns * 1e-9, following.wall_ns * 1e-9
    facts["imports"] = _longest(imports)
    facts["late_imports"] = [
        *([name, seconds, "build"] for name, seconds in _longest(built_with)),
        *([name, seconds, "first_retrieve"] for name, seconds in _longest(asked_with)),
    ]
    own = {session.context.workload["queries"]}
    facts["files"] = [[*file] for file in files.stop() if file.path not in own]
    facts["libraries"] = [path for path in libraries() if any(name in path for name in THREADED)]
    facts["asynchronous"] = session.is_async
    facts["results"] = session.count(first.value)
    session.watch.stage("embedding again what was embedded one by one")
    facts["embedding"] = embedding.facts()
    return Sample(())


def _longest(seconds: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(seconds.items(), key=lambda item: -item[1])[:IMPORTS_TOLD]


@contextmanager
def import_times(imported: Callable[[str], None]) -> Iterator[dict[str, float]]:
    """Seconds of each top-level module's own imports, without those of others within them; for the time of the block.

    Wrapped is the step that finds and runs a module that is not there yet, which the import statement and importlib
    have in common. `imported` is told the name of each when it is done.
    """
    machinery = sys.modules["_frozen_importlib"]
    find_and_load: Callable[..., Any] = machinery._find_and_load
    seconds: dict[str, float] = {}
    stack: list[str] = []
    switched_ns = time.perf_counter_ns()

    def charge() -> None:
        nonlocal switched_ns
        now_ns = time.perf_counter_ns()
        if stack:
            seconds[stack[-1]] = seconds.get(stack[-1], 0.0) + (now_ns - switched_ns) * 1e-9
        switched_ns = now_ns

    def timed(name: str, *rest: Any) -> Any:
        charge()
        stack.append(name.partition(".")[0])
        try:
            return find_and_load(name, *rest)
        finally:
            charge()
            stack.pop()
            imported(name)

    machinery._find_and_load = timed  # type: ignore[attr-defined]
    try:
        yield seconds
    finally:
        machinery._find_and_load = find_and_load  # type: ignore[attr-defined]
