"""The same queries as bench-cgrag answers warm, embedded and searched as a user would: no part of the tool.

Run as ``bare_retrieval.py MODEL INDEX QUERIES K``; prints the median seconds of embedding and of searching.
"""

import ctypes
import json
import statistics
import sys
import time
from pathlib import Path

import faiss
import numpy as np
from llama_cpp import llama_cpp as llama

LIMIT = 256
WARM_UPS = 20


def main() -> None:
    path, index_path, queries_path, k = *sys.argv[1:4], int(sys.argv[4])
    quiet = llama.llama_log_callback(lambda level, text, data: None)
    llama.llama_log_set(quiet, ctypes.c_void_p(0))
    llama.llama_backend_init()
    model = llama.llama_model_load_from_file(path.encode(), llama.llama_model_default_params())
    parameters = llama.llama_context_default_params()
    parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = LIMIT
    parameters.n_threads = parameters.n_threads_batch = 1
    parameters.embeddings = True
    context = llama.llama_init_from_model(model, parameters)
    vocabulary = llama.llama_model_get_vocab(model)
    dimension = llama.llama_model_n_embd(model)
    tokens = (llama.llama_token * LIMIT)()
    faiss.omp_set_num_threads(1)
    index = faiss.read_index(index_path)
    queries = [json.loads(line)["query"].encode() for line in Path(queries_path).read_text().splitlines()]

    times = []
    for text in queries[:WARM_UPS] + queries:
        started = time.perf_counter()
        count = llama.llama_tokenize(vocabulary, text, len(text), tokens, LIMIT, True, False)
        llama.llama_encode(context, llama.llama_batch_get_one(tokens, count))
        vector = np.ctypeslib.as_array(llama.llama_get_embeddings_seq(context, 0), (dimension,)).copy()
        row = (vector / np.linalg.norm(vector)).reshape(1, -1)
        embedded = time.perf_counter()
        index.search(row, k)
        times.append((embedded - started, time.perf_counter() - embedded))
    embedding_s, searching_s = map(statistics.median, zip(*times[WARM_UPS:], strict=True))
    sys.stdout.write(f"{embedding_s} {searching_s}\n")


main()
