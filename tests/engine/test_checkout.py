"""A made checkout of the engine: its files, its settings, and everything that can be wrong with them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from synapse_perf.engine import Engine
from synapse_perf.errors import InputError
from tests.engine.made_checkout import CONFIG, RUNTIME, made_checkout, write

VARIABLES = ("CGRAG_TOKEN_BUDGET", "CGRAG_MIN_RELEVANCE", "EMBEDDING_MODEL")


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return made_checkout(tmp_path / "engine")


def refusal(checkout: Path, *, of: str = "settings") -> InputError:
    with pytest.raises(InputError) as caught:
        getattr(Engine(checkout), of)()
    assert "\n" not in caught.value.message
    assert caught.value.remedy
    return caught.value


# --- the checkout ----------------------------------------------------------------------------------------------------


def test_a_folder_that_is_no_checkout_is_refused(tmp_path: Path, checkout: Path) -> None:
    for wrong, told in (
        (tmp_path, "it has no backend/app"),
        (tmp_path / "nowhere", "no such folder"),
        (checkout / "config/default.yaml", "not a folder"),
    ):
        with pytest.raises(InputError, match=told):
            Engine(wrong)


def test_a_part_of_a_checkout_is_answered_with_the_whole(checkout: Path) -> None:
    with pytest.raises(InputError, match="a part of a checkout") as caught:
        Engine(checkout / "backend")

    assert caught.value.remedy == f"give {checkout}"


def test_a_checkout_without_its_configuration_is_refused(checkout: Path) -> None:
    (checkout / "config/default.yaml").unlink()

    with pytest.raises(InputError, match=r"it has no config/default\.yaml"):
        Engine(checkout)


def test_a_path_relative_to_the_home_or_the_current_folder_is_taken(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(checkout.parent))
    monkeypatch.chdir(checkout)

    assert Engine("~/engine").directory == checkout
    assert Engine("").directory == checkout


# --- the index -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["backend/data/faiss_indexes", "data/faiss_indexes"])
def test_the_index_is_found_where_the_engine_keeps_it(checkout: Path, place: str) -> None:
    index = write(checkout / place / "docs.index")
    metadata = write(checkout / place / "docs_metadata.json")

    files = Engine(checkout).index_files()

    assert (files.index, files.metadata) == (index, metadata)


@pytest.mark.parametrize("directory", ["data/mine", "/app/data/mine"])
def test_the_folder_of_the_runtime_settings_comes_first(checkout: Path, directory: str) -> None:
    write(checkout / "backend/data/runtime_settings.json", json.dumps({**RUNTIME, "cgrag_index_directory": directory}))
    for place in ("backend/data/mine", "backend/data/faiss_indexes"):
        write(checkout / place / "docs.index")
        write(checkout / place / "docs_metadata.json")

    assert Engine(checkout).index_files().index == checkout / "backend/data/mine/docs.index"


def test_a_folder_outside_of_the_checkout_is_taken(checkout: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "indexes"
    settings = {**RUNTIME, "cgrag_index_directory": str(elsewhere)}
    write(checkout / "backend/data/runtime_settings.json", json.dumps(settings))
    write(elsewhere / "docs.index")
    write(elsewhere / "docs_metadata.json")

    assert Engine(checkout).index_files().index == elsewhere / "docs.index"


def test_metadata_under_the_name_that_two_query_modes_look_for_is_taken(checkout: Path) -> None:
    write(checkout / "data/faiss_indexes/docs.index")
    metadata = write(checkout / "data/faiss_indexes/docs.metadata")

    assert Engine(checkout).index_files().metadata == metadata


def test_a_missing_index_is_told_with_the_engines_own_command(checkout: Path) -> None:
    error = refusal(checkout, of="index_files")

    assert "backend/data/faiss_indexes/docs.index or data/faiss_indexes/docs.index" in error.message
    assert "python -m app.cli.index_docs" in error.remedy


def test_missing_metadata_is_told(checkout: Path) -> None:
    write(checkout / "backend/data/faiss_indexes/docs.index")

    assert "no docs_metadata.json beside it" in refusal(checkout, of="index_files").message


def test_a_pickle_is_refused_and_not_opened(checkout: Path, tmp_path: Path) -> None:
    write(checkout / "backend/data/faiss_indexes/docs.index")
    planted = tmp_path / "ran"
    pickle = checkout / "backend/data/faiss_indexes/docs_metadata.pkl"
    pickle.write_bytes(b"cpathlib\nPath.touch\n(cpathlib\nPath\n(V" + str(planted).encode() + b"\ntRtR.")

    assert "is a pickle" in refusal(checkout, of="index_files").message
    assert not planted.exists()


# --- the settings ----------------------------------------------------------------------------------------------------


def test_the_settings_are_those_that_a_query_of_the_engine_uses(checkout: Path) -> None:
    """The configuration's own values, and not the runtime settings, which its query path does not read."""
    settings = Engine(checkout).settings()

    assert (settings.token_budget, settings.min_relevance, settings.max_artifacts) == (8000, 0.7, 5)
    assert (settings.chunk_words, settings.overlap_words) == (512, 50)
    assert settings.model_name == "all-MiniLM-L6-v2"
    assert settings.sources["max_artifacts"] == "config/default.yaml cgrag.retrieval.max_artifacts"
    assert settings.sources["token_budget"] == "the engine's default"


def test_indexing_takes_the_runtime_settings_first(checkout: Path) -> None:
    runtime = {**RUNTIME, "cgrag_chunk_size": 256, "cgrag_chunk_overlap": 32, "embedding_model_name": "other"}
    write(checkout / "backend/data/runtime_settings.json", json.dumps(runtime))

    settings = Engine(checkout).settings()

    assert (settings.chunk_words, settings.overlap_words, settings.model_name) == (256, 32, "other")
    assert settings.sources["chunk_words"].endswith("runtime_settings.json cgrag_chunk_size")


def test_without_runtime_settings_the_configuration_holds(checkout: Path) -> None:
    (checkout / "backend/data/runtime_settings.json").unlink()
    write(checkout / "config/default.yaml", CONFIG.replace("512", "300"))

    assert Engine(checkout).settings().chunk_words == 300


def test_runtime_settings_that_are_damaged_are_ignored_with_a_warning_as_in_the_engine(checkout: Path) -> None:
    write(checkout / "backend/data/runtime_settings.json", '{"cgrag_chunk_size": ')
    engine = Engine(checkout)

    assert engine.settings().chunk_words == 512
    assert "runtime_settings.json" in engine.warnings[0]


def test_variables_come_from_the_environment_before_the_engines_file(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(
        checkout / "backend/.env",
        "# comment\nOTHER=1\nexport CGRAG_TOKEN_BUDGET = '4096'\ncgrag_min_relevance=0.25 # low\nnonsense\n",
    )
    monkeypatch.setenv("CGRAG_MIN_RELEVANCE", "0.5")

    settings = Engine(checkout).settings()

    assert (settings.token_budget, settings.min_relevance) == (4096, 0.5)
    assert settings.sources["token_budget"] == "CGRAG_TOKEN_BUDGET of backend/.env"
    assert settings.sources["min_relevance"] == "CGRAG_MIN_RELEVANCE of the environment"


def test_a_default_within_the_configuration_holds_where_the_variable_is_not_set(checkout: Path) -> None:
    write(checkout / "config/default.yaml", CONFIG.replace("${CGRAG_TOKEN_BUDGET}", "${CGRAG_TOKEN_BUDGET:-6000}"))

    assert Engine(checkout).settings().token_budget == 6000


def test_what_the_configuration_leaves_out_has_the_engines_default(checkout: Path) -> None:
    write(checkout / "config/default.yaml", "app:\n  debug: false\n")

    settings = Engine(checkout).settings()

    assert (settings.token_budget, settings.min_relevance, settings.max_artifacts) == (8000, 0.7, 10)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"${CGRAG_TOKEN_BUDGET}"', "many", "token_budget: 'many' is not a whole number from 1"),
        ('"${CGRAG_TOKEN_BUDGET}"', "0", "token_budget: 0 is not a whole number from 1"),
        ('"${CGRAG_TOKEN_BUDGET}"', "[1]", "token_budget: [1] is not a whole number from 1"),
        ('"${CGRAG_MIN_RELEVANCE}"', "1.5", "min_relevance: 1.5 is not a number from 0 to 1"),
        ('"${CGRAG_MIN_RELEVANCE}"', ".nan", "min_relevance: nan is not a number from 0 to 1"),
        ("max_artifacts: 5", "max_artifacts: 2.5", "max_artifacts: 2.5 is not a whole number from 1"),
        ("max_artifacts: 5", "max_artifacts: true", "max_artifacts: True is not a whole number from 1"),
        ('"${CGRAG_TOKEN_BUDGET}"', '"${OF_MY_OWN}"', "OF_MY_OWN is not set"),
    ],
)
def test_a_value_that_makes_no_sense_is_told_with_its_place(checkout: Path, old: str, new: str, told: str) -> None:
    write(checkout / "config/default.yaml", CONFIG.replace(old, new))

    error = refusal(checkout)

    assert told in error.message
    assert str(checkout) in error.message


def test_chunks_that_overlap_by_all_their_words_are_refused(checkout: Path) -> None:
    write(checkout / "backend/data/runtime_settings.json", json.dumps({**RUNTIME, "cgrag_chunk_overlap": 512}))

    assert "cannot overlap by 512" in refusal(checkout).message


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("cgrag: [\n", "default.yaml:2: not valid YAML"),
        ("cgrag:\n  a: b: c\n", "default.yaml:2: not valid YAML"),
        ("", "holds no settings"),
        ("- a list\n", "holds no settings"),
        ("cgrag: !!python/object/apply:os.system ['true']\n", "not valid YAML"),
    ],
)
def test_a_configuration_that_cannot_be_read_is_told_with_its_line(checkout: Path, content: str, told: str) -> None:
    write(checkout / "config/default.yaml", content)

    assert told in refusal(checkout).message


def test_a_configuration_that_is_no_text_is_told(checkout: Path) -> None:
    (checkout / "config/default.yaml").write_bytes(b"\xff\xfe\x00")

    assert "not valid YAML" in refusal(checkout).message
