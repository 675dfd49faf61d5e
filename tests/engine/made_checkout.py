"""A made checkout of the engine, in the formats of its files: registry, runtime settings, profiles, compose file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

# The settings that are read, as they are set where nobody changed them.
CONFIG = """
cgrag:
  retrieval: {max_artifacts: 5, token_budget: "${CGRAG_TOKEN_BUDGET}", min_relevance: "${CGRAG_MIN_RELEVANCE}"}
  indexing: {chunk_size: 512, chunk_overlap: 50, embedding_model: "${EMBEDDING_MODEL}"}
"""
RUNTIME: dict[str, Any] = {
    "embedding_model_name": "all-MiniLM-L6-v2",
    "cgrag_token_budget": 4000,
    "cgrag_max_results": 20,
    "cgrag_chunk_size": 512,
    "cgrag_chunk_overlap": 50,
    "cgrag_index_directory": "data/faiss_indexes",
    "_metadata": {"version": "1.0"},
}
LLAMA: dict[str, Any] = {
    "n_gpu_layers": 99,
    "ctx_size": 32768,
    "threads": 8,
    "batch_size": 512,
    "ubatch_size": 256,
    "flash_attn": True,
    "no_mmap": False,
}
PRODUCTION = """
profile:
  name: Production
  description: all tiers
enabled_models: []
tier_config:
  - {name: fast, max_score: 3.0, expected_time_seconds: 2, description: short}
  - {name: powerful, max_score: .inf, expected_time_seconds: 15}
two_stage: {enabled: true, stage1_tier: fast, stage2_tier: powerful, stage1_max_tokens: 500}
"""
COMPOSE = """
services:
  synapse_redis:
    image: redis:7-alpine
    ports: ["6379:6379"]
    healthcheck: {test: ["CMD", "redis-cli", "ping"], interval: 10s}
  synapse_recall:
    image: searx
    ports: ["8888:8080"]
    healthcheck: {test: "wget -q http://localhost:8080/healthz || exit 1", interval: 15s}
  synapse_core:
    build: backend
    ports: ["${CORE_PORT:-8000}:8000"]
    healthcheck:
      test: ["CMD", "curl", "-f", "http://localhost:8000/health/healthz"]
      interval: 10s
      start_period: 40s
  synapse_frontend:
    build: frontend
    ports: ["5173:5173"]
"""
SNAPSHOT = "models--org--{name}/snapshots/{revision}/{name}.gguf"


def write(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def made_checkout(root: Path) -> Path:
    """The least that is one: configuration and runtime settings."""
    (root / "backend/app").mkdir(parents=True)
    write(root / "config/default.yaml", CONFIG)
    write(root / "backend/data/runtime_settings.json", json.dumps(RUNTIME))
    return root


def entry(name: str, tier: str, billions: float, **more: Any) -> dict[str, Any]:
    """A model as the registry has it on the disk."""
    return {
        "file_path": f"/models/{SNAPSHOT.format(name=name, revision='0a1b')}",
        "filename": f"{name}.gguf",
        "family": name,
        "size_params": billions,
        "quantization": "q4_k_m",
        "assigned_tier": tier,
        "tier_override": None,
        "port": 8080,
        "enabled": False,
        "n_gpu_layers": None,
        "ctx_size": None,
        "n_threads": None,
        "batch_size": None,
        "model_id": name,
        **more,
    }


def with_registry(root: Path, **models: dict[str, Any]) -> Path:
    content = {"models": models, "scan_path": "/models", "port_range": [8080, 8099]}
    write(root / "backend/data/model_registry.json", json.dumps(content))
    return root


def with_runtime(root: Path, **values: Any) -> Path:
    write(root / "backend/data/runtime_settings.json", json.dumps({**RUNTIME, **LLAMA, **values}))
    return root


def fetched(models_root: Path, name: str, revision: str = "0a1b", text: str = "") -> Path:
    """A model's file as the Hugging Face cache has it."""
    return write(models_root / SNAPSHOT.format(name=name, revision=revision), text)
