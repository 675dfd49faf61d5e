raise ImportError("planted: no llama_cpp here", name="llama_cpp")
