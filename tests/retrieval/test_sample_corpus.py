from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from synapse_perf.errors import InputError
from synapse_perf.retrieval import sample_corpus as sample_module
from synapse_perf.retrieval.queries import normalised
from synapse_perf.retrieval.sample_corpus import sample_corpus
from synapse_perf.retrieval.texts import prepare_texts


def test_the_sample_is_docstrings_with_the_versions_they_were_taken_from() -> None:
    corpus = sample_corpus(60)
    assert len(corpus.documents) == len({document.path for document in corpus.documents}) == 60
    assert f"numpy {metadata.version('numpy')}" in corpus.packages
    assert corpus.source == f"docstrings of {', '.join(corpus.packages)}"
    for document in corpus.documents:
        assert document.language == "docstring"
        assert 40 <= len(document.text.partition("\n\n")[2].split()) <= 200
    assert len({document.text.partition("\n\n")[2] for document in corpus.documents}) == 60


def test_its_queries_are_first_lines_that_are_gone_from_their_bodies() -> None:
    corpus = sample_corpus(60)
    texts = prepare_texts(corpus, count=30)
    assert texts.query_source == "sample"
    contents = {chunk.id: chunk.content for chunk in texts.chunks}
    firsts = {document.path: document.text.partition("\n\n")[0] for document in corpus.documents}
    assert len(texts.queries) == 30
    for query in texts.queries:
        (answer,) = query.relevant
        assert normalised(firsts[answer.partition("#")[0]]) == normalised(query.text)
        assert normalised(query.text) not in normalised(contents[answer])


def test_nothing_is_imported_for_it_and_every_process_gets_the_same() -> None:
    program = (
        "import json, sys\n"
        "from synapse_perf.retrieval.sample_corpus import sample_corpus\n"
        "digest = sample_corpus(50).digest\n"
        "imported = [name for name in ('numpy', 'scipy', 'pydantic', 'rich', 'click') if name in sys.modules]\n"
        "print(json.dumps([digest, imported]))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
    )
    assert json.loads(printed.stdout) == [sample_corpus(50).digest, []]


def test_more_than_there_are_gives_all_and_none_is_refused(package: Path) -> None:
    corpus = sample_corpus(1000)
    assert [document.path for document in corpus.documents] == [
        "made/a.py:Kept",
        "made/a.py:Kept.method",
        "made/sub/b.py",
    ]
    assert corpus.packages == ("made of unknown version",)
    with pytest.raises(InputError, match="a sample of 0 passages holds no text"):
        sample_corpus(0)


def test_indentation_is_no_part_of_the_text(package: Path) -> None:
    text = sample_corpus(1000).documents[1].text
    assert text.startswith("Says what method does.\n\nBody")
    assert "\n " not in text


def test_without_any_of_the_packages_the_user_is_told_what_to_name(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample_module, "PACKAGES", {"no_such_package": "x"})
    with pytest.raises(InputError, match="no docstrings were found in the sources of no_such_package") as error:
        sample_corpus()
    assert "--corpus" in error.value.remedy


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with three long docstrings, one that repeats a body, a short one, a broken file, and tests."""
    body = "\n\n        Body of {0} words, " + "which go on and on " * 12 + "\n        {0}.\n        "
    sources = {
        "__init__.py": "raise RuntimeError('imported')",
        "a.py": f'class Kept:\n    """Says what it is.{body.format("kept")}"""\n'
        f'    def method(self):\n        """Says what method does.{body.format("method")}"""\n'
        f'    def twin(self):\n        """Says it in other words.{body.format("method")}"""\n'
        '    def short(self):\n        """Short.\n\n        Too short."""\n',
        "sub/b.py": f'"""Says what the module is.{body.format("module")}"""\n',
        "sub/broken.py": f'"""Says nothing.{body.format("broken")}"""\ndef broken(:\n',
        "tests/test_a.py": f'"""Says what is tested.{body.format("tests")}"""\n',
        "version.py": f'"""Says which version.{body.format("version")}"""\n',
    }
    for name, source in sources.items():
        path = tmp_path / "made" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sample_module, "PACKAGES", {"made": "made"})
    return tmp_path
