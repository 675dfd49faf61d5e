"""What ends a leak of each kind? A sentence with the few lines of code, and what to watch in a running service.

In the lines, ``{name}`` is the owner as the program knows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Remedy:
    """Of one kind of leak."""

    kind: str  # the finding's id
    change: str
    alert: str


# Metrics of client libraries of Prometheus (process_...), and of process-exporter and node_exporter.
MEMORY_ALERT = "deriv(process_resident_memory_bytes[1h]) > 0 for several hours, once the service is warm"
_FILES_ALERT = (
    "process_open_fds / process_max_fds > 0.5, or predict_linear(process_open_fds[6h], 86400) > process_max_fds"
)
_THREADS_ALERT = "deriv(namedprocess_namegroup_num_threads[6h]) > 0 for a day (process-exporter)"
_CHILDREN_ALERT = "deriv(namedprocess_namegroup_num_procs[6h]) > 0 for a day (process-exporter)"
_ZOMBIES_ALERT = 'namedprocess_namegroup_states{state="Zombie"} > 0 for an hour (process-exporter)'

LRU_CACHE = Remedy(
    "unbounded-lru-cache",
    "give the cache of {name} a bound; cache_info() tells its hits:\n"
    "@lru_cache(maxsize=1024)  # in place of maxsize=None or @cache",
    MEMORY_ALERT,
)
DICT = Remedy(
    "growing-dict",
    "bound {name}, where it is filled, or let entries go when they are done:\n"
    "{name}[key] = value\n"
    "while len({name}) > 1024:\n"
    "    del {name}[next(iter({name}))]  # the oldest",
    MEMORY_ALERT,
)
LIST = Remedy(
    "growing-list",
    "take entries out of {name} when they are done, or keep only the newest:\n"
    "from collections import deque\n"
    "{name} = deque(maxlen=1000)",
    MEMORY_ALERT,
)
SET = Remedy(
    "growing-set",
    "take entries out of {name} when they are done:\ntry:\n    ...\nfinally:\n    {name}.discard(entry)",
    MEMORY_ALERT,
)
VALUE = Remedy(
    "growing-value",
    "{name} only ever gets longer: keep the last part of it, or hand it on and begin anew:\n{name} = {name}[-65536:]",
    MEMORY_ALERT,
)
CLOSED = Remedy(
    "kept-objects",
    "close each object that {name} keeps, and take it out of there:\n"
    "try:\n    ...\nfinally:\n    one.close()\n    {name}.remove(one)",
    MEMORY_ALERT,
)
REGISTERED = Remedy(
    "kept-objects",
    "the objects that {name} keeps wait for an end that never comes; a finaliser must not refer to its object:\n"
    "weakref.finalize(one, release, handle)  # a function of the handle, not one.close",
    MEMORY_ALERT,
)
FILLING = Remedy(
    "filling-cache",
    "nothing yet: {name} has a bound, and all that grows ends there. See what is left beyond it:\n"
    "leak-hunt {hunt} {way_on}\n"
    "leak-hunt --cache {hunt}  # of a function of a key: what the bound costs",
    MEMORY_ALERT,
)
NATIVE = Remedy(
    "native-memory",
    "free what compiled code gave, whatever happens in between:\n"
    "handle = library.open(...)\n"
    "try:\n    ...\nfinally:\n    library.free(handle)  # or handle.close()\n"
    "its own stacks: memray run --native -m your.module, then memray flamegraph --leaks",
    MEMORY_ALERT,
)
OBJECTS = Remedy(
    "growing-objects",
    "see what the line below keeps a reference to: a chain of objects, a default argument, or the variable of a "
    "function that does not end",
    MEMORY_ALERT,
)
COUNTED: Mapping[str, Remedy] = {
    "descriptors": Remedy(
        "open-descriptors",
        "close what is opened, whatever happens in between:\n"
        "with open(path) as file:\n    ...\n"
        "# or: try: ... finally: os.close(descriptor)",
        _FILES_ALERT,
    ),
    "sockets": Remedy(
        "open-sockets",
        "close your end once the other has closed its own (CLOSE_WAIT: nobody did):\n"
        "try:\n    ...  # an empty read is the end\nfinally:\n    connection.close()",
        _FILES_ALERT,
    ),
    "python_threads": Remedy(
        "running-threads",
        "end each thread and wait for it, or use a pool that is made once:\n"
        "stop.set()  # what the thread waits for\n"
        "thread.join()",
        _THREADS_ALERT,
    ),
    "threads": Remedy(
        "native-threads",
        "a library starts threads of its own and they stay: close its object, or make that once:\n"
        "try:\n    ...\nfinally:\n    one.close()",
        _THREADS_ALERT,
    ),
    "tasks": Remedy(
        "pending-tasks",
        "end the tasks that nobody waits for, and forget those that are done:\n"
        "task = asyncio.create_task(work())\n"
        "tasks.add(task)\n"
        "task.add_done_callback(tasks.discard)\n"
        "# at the end: task.cancel(); await asyncio.gather(*tasks, return_exceptions=True)",
        "len(asyncio.all_tasks()), over a day",
    ),
    "children": Remedy(
        "running-children",
        "end each process and wait for it, whatever happens in between:\n"
        "try:\n    ...\nfinally:\n    process.terminate()\n    process.wait(timeout=10)  # then kill() and wait()",
        _CHILDREN_ALERT,
    ),
    "zombies": Remedy(
        "zombie-processes",
        "ask each process that has ended how it did; until then the system keeps it:\n"
        "process.wait()  # or os.waitpid(pid, 0)",
        _ZOMBIES_ALERT,
    ),
    "orphaned_children": Remedy(
        "orphaned-processes",
        "wait for what a process of yours starts, or end its whole group:\n"
        "process = subprocess.Popen(command, start_new_session=True)\n"
        "try:\n    ...\nfinally:\n    os.killpg(process.pid, signal.SIGTERM)\n    process.wait(timeout=10)",
        _CHILDREN_ALERT,
    ),
    "mapped_files": Remedy(
        "mapped-files",
        "close what maps a file:\ntry:\n    ...\nfinally:\n    model.close()  # or mapping.close()",
        MEMORY_ALERT,
    ),
}
BY_CONTAINER = {
    "lru_cache": LRU_CACHE,
    "list": LIST,
    "collections.deque": LIST,
    "set": SET,
    "value": VALUE,
    "bytearray": VALUE,
}
