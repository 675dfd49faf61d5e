"""What ends growth of each kind that is seen from outside, and which metrics of the usual exporters show it?

`process_...` is what client libraries of Prometheus tell of their own process; of any process process-exporter tells
`namedprocess_namegroup_...`, of the whole machine node_exporter `node_...`, and of NVIDIA's processors dcgm-exporter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from synapse_perf.analyze.leak_remedies import COUNTED, Remedy
from synapse_perf.host.leak_probes import ANONYMOUS, GPU, SHARED
from synapse_perf.host.process_tree_probes import CLOSE_WAIT

MEMORY = Remedy(
    "growing-memory",
    "call the code behind it in a process of its own, which names who keeps it:\n"
    "synapse-perf leak-hunt pkg.module:function\n"
    "until it is mended let something else start the service anew before memory is full:\n"
    "gunicorn --max-requests 10000 --max-requests-jitter 1000  # or uvicorn --limit-max-requests 10000\n"
    "# systemd: MemoryMax=, Restart=always",
    "predict_linear(process_resident_memory_bytes[6h], 86400) > what the machine can spare; without a client library "
    'namedprocess_namegroup_memory_bytes{memtype="resident"} of process-exporter',
)
SILENT = Remedy(
    "silent-clients-kept",
    "ask clients that are silent, and let go of those that do not answer:\n"
    "uvicorn --ws-ping-interval 20 --ws-ping-timeout 20\n"
    "websockets.serve(handler, host, port, ping_interval=20, ping_timeout=20)\n"
    "# behind a proxy its own time-out counts as well: nginx proxy_read_timeout",
    "predict_linear(process_open_fds[6h], 86400) > process_max_fds",
)
_SHARED = Remedy(
    "growing-shared-memory",
    "close and unlink each segment, whatever happens in between:\n"
    "segment = SharedMemory(create=True, size=size)\n"
    "try:\n    ...\nfinally:\n    segment.close()\n    segment.unlink()  # by one process, at the end\n"
    "# mmap.mmap(-1, size) is shared memory too: close() it, or use a with block",
    "predict_linear(node_memory_Shmem_bytes[6h], 86400) > what the machine can spare",
)
_GPU = Remedy(
    "growing-gpu-memory",
    "close what lies on the graphics processor, whatever happens in between:\n"
    "try:\n    ...\nfinally:\n    model.close()\n"
    "# of PyTorch: del model, then torch.cuda.empty_cache()",
    "deriv(DCGM_FI_DEV_FB_USED[6h]) > 0 for several hours (dcgm-exporter)",
)
OF_KIND: Mapping[str, Remedy] = {
    **COUNTED,
    ANONYMOUS: MEMORY,
    SHARED: _SHARED,
    GPU: _GPU,
    CLOSE_WAIT: replace(
        COUNTED["sockets"],
        alert='node_tcp_connection_states{state="close_wait"} > 100 for an hour (node_exporter --collector.tcpstat)',
    ),
    "sockets": Remedy(
        "open-sockets",
        "close each connection once it has been answered, or give idle ones a time after which they are closed:\n"
        "uvicorn --timeout-keep-alive 5\n"
        "# in a client: one httpx.Client for all requests, in a with block",
        COUNTED["sockets"].alert,
    ),
    "threads": Remedy(
        "running-threads",
        "end each thread, or use a pool that is made once:\n"
        "pool = ThreadPoolExecutor(max_workers=8)  # not one for each request\n"
        "# or: stop.set() and thread.join(); of a library's threads: close() its object",
        COUNTED["threads"].alert,
    ),
}
