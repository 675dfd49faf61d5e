# Every target that needs the environment makes it first; `make` alone lists the targets.
# Given on the command line: PYTHON=... (which interpreter), ARGS=... (more options for what is run),
# CMAKE_ARGS=... (more options for compiling llama.cpp, for example -DGGML_CUDA=on).

BIN := .venv/bin
ARGS ?=
LOCK_COMMAND = uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

# The interpreter that .venv is made from: PYTHON if given, else the first on the path that is new enough.
FIND_PYTHON = for python in $(or $(PYTHON),python3 python3.13 python3.12 python3.11); do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; python=; done; \
	if [ -z "$$python" ]; then \
		echo "no Python 3.11 or newer: $(or $(PYTHON),python3) is missing or older" >&2; \
		echo "  install one (Debian 12: apt-get install python3 python3-venv), or: make setup PYTHON=/path/to/python3" >&2; \
		exit 1; fi

.PHONY: help setup run test check docs bench lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Install everything into .venv (minutes the first time, then a moment)
	@$(FIND_PYTHON); "$$python" .ci/install.py

run: setup ## Measure model starts, retrieval and queries here, on samples made on the spot
	@mkdir -p build; rm -f build/run.json; code=0; \
	$(BIN)/synapse-perf run --profile embedded --output build/run.json --output build/run.md $(ARGS) || code=$$?; \
	[ -s build/run.json ] || { echo "exit code $$code: there is no build/run.json" >&2; exit 1; }; \
	case $$code in \
		0) echo "exit code 0: nothing missed its target; kept in build/run.json and build/run.md" >&2;; \
		1) echo "exit code 1: a target is missed, see the report; kept in build/run.json and build/run.md" >&2;; \
		3) echo "exit code 3: inconclusive, see the report; kept in build/run.json and build/run.md" >&2;; \
		*) echo "exit code $$code: see what failed above" >&2; exit $$code;; esac

test: setup ## Run the tests, two files at a time, without the benchmarks
	@$(BIN)/python -m pytest -n 2 --dist loadfile -p no:benchmark $(ARGS)

check: setup ## Check format, lint, types, import layers and the rules of the tree
	@$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/lint-imports && $(BIN)/python .ci/rules.py && $(BIN)/python .ci/readme.py --check

docs: setup ## Write the parts of the README that are made from the code
	@$(BIN)/python .ci/readme.py

bench: setup ## Run the benchmarks of the toolkit itself
	@$(BIN)/python -m pytest tests/bench --benchmark-only $(ARGS)

lock: ## Write the locks anew; needs uv (make lock ARGS=--upgrade takes newer versions)
	@command -v uv >/dev/null || { echo "uv is missing: pip install uv" >&2; exit 1; }
	$(LOCK_COMMAND) $(ARGS) --extra containers --extra dev --extra server --extra ui --output-file requirements.lock pyproject.toml
	$(LOCK_COMMAND) $(ARGS) --output-file .ci/build.lock .ci/build.in

clean: ## Remove what was built here; compiled wheels stay in the user's cache
	rm -rf .venv dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .benchmarks
	find synapse_perf tests .ci -name __pycache__ -type d -prune -exec rm -rf {} +
