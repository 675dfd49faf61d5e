"""The same tokens as tier-latency reads and writes, evaluated as a user would: no part of the tool, no sampling.

Run as ``bare_decode.py MODEL CONTEXT THREADS PROMPT GENERATED ROUNDS``; prints for each round the seconds of the prompt
and of the tokens after it.
"""

import ctypes
import json
import sys
import time

from llama_cpp import llama_cpp as llama


def main() -> None:
    n_ctx, n_threads, n_prompt, n_generated, rounds = map(int, sys.argv[2:])
    quiet = llama.llama_log_callback(lambda level, text, data: None)
    llama.llama_log_set(quiet, ctypes.c_void_p(0))
    llama.llama_backend_init()
    model_parameters = llama.llama_model_default_params()
    model_parameters.n_gpu_layers = 0
    model = llama.llama_model_load_from_file(sys.argv[1].encode(), model_parameters)
    context_parameters = llama.llama_context_default_params()
    context_parameters.n_ctx = n_ctx
    context_parameters.n_batch = context_parameters.n_ubatch = 512
    context_parameters.n_threads = context_parameters.n_threads_batch = n_threads
    context = llama.llama_init_from_model(model, context_parameters)
    prompt = (llama.llama_token * n_prompt)(*(1000 + place for place in range(n_prompt)))
    token = (llama.llama_token * 1)(1000)
    seconds = []
    for _ in range(rounds + 1):  # the first one warms up
        llama.llama_memory_clear(llama.llama_get_memory(context), False)
        began = time.perf_counter()
        llama.llama_decode(context, llama.llama_batch_get_one(prompt, n_prompt))
        llama.llama_synchronize(context)
        read = time.perf_counter()
        for _ in range(n_generated):
            llama.llama_decode(context, llama.llama_batch_get_one(token, 1))
            llama.llama_synchronize(context)
        seconds.append((read - began, time.perf_counter() - read))
    sys.stdout.write(json.dumps(seconds[1:]))


main()
