"""Which lines of Python adopt an index that was chosen?"""

from __future__ import annotations

from collections.abc import Mapping

from synapse_perf.retrieval.exact import Metric
from synapse_perf.retrieval.indexes import POINTS_PER_LIST
from synapse_perf.retrieval.opening import OpenMode

_FLAGS: dict[OpenMode, str] = {
    "read": "",
    "mmap": ", faiss.IO_FLAG_MMAP",
    "ifc": ", faiss.IO_FLAG_MMAP_IFC",
    "readahead": ", faiss.IO_FLAG_MMAP_IFC",
}


def code_for(
    factory: str,
    point: Mapping[str, int],
    *,
    metric: Metric = "l2",
    mode: OpenMode = "read",
    k: int = 25,
    vectors_file: str = "vectors.npy",
    index_file: str = "docs.index",
) -> str:
    """Code that builds, saves, opens and searches the index as it was measured; `query` is one vector of float32."""
    lines = ["import faiss", "import numpy", "", *_building(factory, metric, vectors_file, index_file), ""]
    lines += _opening(mode, index_file)
    lines += _searching(point, k)
    return "\n".join(lines) + "\n"


def open_mode(factory: str) -> OpenMode:
    """How to open such an index for the fastest first answer out of a cold file.

    Inverted lists of plain vectors or codes are read where they are probed. Everything else is read as a whole, which
    is fastest from beginning to end; its pages are then used where they are instead of being copied.
    """
    import faiss

    if factory.startswith("IVF") and "Refine" not in factory:
        return "mmap"
    return "readahead" if hasattr(faiss, "IO_FLAG_MMAP_IFC") else "read"


def _building(factory: str, metric: Metric, vectors_file: str, index_file: str) -> list[str]:
    name = "METRIC_L2" if metric == "l2" else "METRIC_INNER_PRODUCT"
    lines = [
        "# once, where the index is made",
        f"vectors = numpy.load({vectors_file!r}).astype('float32')",
        f"index = faiss.index_factory(vectors.shape[1], {factory!r}, faiss.{name})",
    ]
    if "IVF" in factory:
        lines.append(f"faiss.extract_index_ivf(index).cp.max_points_per_centroid = {POINTS_PER_LIST}")
    return [*lines, "index.train(vectors)", "index.add(vectors)", f"faiss.write_index(index, {index_file!r})"]


def _opening(mode: OpenMode, index_file: str) -> list[str]:
    lines = ["# in the service, once", "faiss.omp_set_num_threads(1)  # in every thread that searches"]
    if mode == "readahead":
        lines += [
            f"with open({index_file!r}, 'rb') as file:  # one read from beginning to end instead of a fault a page",
            "    while file.read(4 << 20):",
            "        pass",
        ]
    return [*lines, f"index = faiss.read_index({index_file!r}{_FLAGS[mode]})"]


def _searching(point: Mapping[str, int], k: int) -> list[str]:
    lines = ["# for every query"]
    call = f"distances, ids = index.search(query.reshape(1, -1), {k}"
    if not point:
        return [*lines, f"{call})"]
    return [f"parameters = {_parameters(point)}", *lines, f"{call}, params=parameters)"]


def _parameters(point: Mapping[str, int]) -> str:
    values = dict(point)
    if "k_factor" not in values:
        return _plain_parameters(values)
    arguments = [f"k_factor={values.pop('k_factor')}"]
    if values:
        arguments.append(f"base_index_params={_plain_parameters(values)}")
    return f"faiss.IndexRefineSearchParameters({', '.join(arguments)})"


def _plain_parameters(values: Mapping[str, int]) -> str:
    (name, value), *_ = values.items()
    return f"faiss.SearchParameters{'HNSW' if name == 'efSearch' else 'IVF'}({name}={value})"
