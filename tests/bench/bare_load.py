"""The same start as profile-load measures, written as a user would: no part of the tool, one stamp at the first token.

Run as ``bare_load.py MODEL CONTEXT THREADS``; prints the machine-wide monotonic clock in ns.
"""

import ctypes
import sys
import time

from llama_cpp import llama_cpp as llama


def main() -> None:
    path, n_ctx, n_threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    quiet = llama.llama_log_callback(lambda level, text, data: None)
    llama.llama_log_set(quiet, ctypes.c_void_p(0))
    llama.llama_backend_init()
    model_parameters = llama.llama_model_default_params()
    model_parameters.n_gpu_layers = 0
    model_parameters.load_mode = llama.LLAMA_LOAD_MODE_MMAP
    model = llama.llama_model_load_from_file(path.encode(), model_parameters)
    context_parameters = llama.llama_context_default_params()
    context_parameters.n_ctx = n_ctx
    context_parameters.n_batch = context_parameters.n_ubatch = 512
    context_parameters.n_threads = context_parameters.n_threads_batch = n_threads
    context = llama.llama_init_from_model(model, context_parameters)
    vocabulary = llama.llama_model_get_vocab(model)
    tokens = (llama.llama_token * 16)()
    count = llama.llama_tokenize(vocabulary, b"Hello", 5, tokens, 16, True, True)
    llama.llama_decode(context, llama.llama_batch_get_one(tokens, count))
    sampler = llama.llama_sampler_init_greedy()
    token = llama.llama_sampler_sample(sampler, context, -1)
    piece = ctypes.create_string_buffer(128)
    llama.llama_token_to_piece(vocabulary, token, piece, 128, 0, True)
    sys.stdout.write(f"{time.perf_counter_ns()}\n")
    sys.stdout.flush()


main()
