"""What does bench-cgrag search? Finds or prepares the files, in a worker where libraries have to do it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from synapse_perf.analyze.retrieval_plan import EncoderUnderTest, RetrievalSet
from synapse_perf.commands.retrieval_preparation import (
    embed_and_index,
    is_prepared,
    prepare_vectors,
    set_directory,
    write_file,
)
from synapse_perf.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synapse_perf.commands.retrieval_options import SourceOptions
    from synapse_perf.commands.retrieval_preparation import CarryOut
    from synapse_perf.model import Json
    from synapse_perf.retrieval.corpus import Corpus
    from synapse_perf.retrieval.queries import Query
    from synapse_perf.retrieval.texts import Texts


DIGESTED_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Prepared:
    """The set that is searched, what to tell about it, and what its preparation measured."""

    searched: RetrievalSet
    warnings: tuple[str, ...] = ()
    facts: Mapping[str, Json] = field(default_factory=dict)
    has_log: bool = False  # of queries with repetitions, in their order
    is_engine: bool = False


def choose_encoder_under_test(name: str | None, threads: int, *, quiet: bool) -> EncoderUnderTest:
    """The encoder of the option, or the best there is here."""
    from synapse_perf.gguf_files.encoders import choose_encoder
    from synapse_perf.llama.settings import default_threads
    from synapse_perf.report.byte_progress import ByteProgress

    with ByteProgress("preparing the encoder", quiet=quiet) as progress:
        file = choose_encoder(name, observe=progress.observe)
    return EncoderUnderTest(
        path=str(file.path),
        label=file.label,
        digest=file.digest,
        dimension=file.dimension,
        max_tokens=file.max_tokens,
        is_sample=file.is_sample,
        threads=threads or default_threads(),
        model_name=file.model_name,
    )


def prepare_texts_set(source: SourceOptions, encoder: EncoderUnderTest, seed: int, carry_out: CarryOut) -> Prepared:
    """A folder of text or the built-in sample: cut, embedded and indexed as the engine does it."""
    from synapse_perf.retrieval.chunks import metadata_document
    from synapse_perf.retrieval.sample_corpus import sample_corpus
    from synapse_perf.retrieval.texts import prepare_texts

    corpus = _folder(source.corpus) if source.corpus else sample_corpus()
    sizes = {"chunk_words": source.chunk_size, "overlap_words": source.chunk_overlap}
    given = {name: value for name, value in sizes.items() if value is not None}
    texts = prepare_texts(corpus, queries=_given_queries(source), seed=seed, **given)
    from synapse_perf.retrieval.building import engine_factory

    factory = source.factory or engine_factory(len(texts.chunks))
    directory = set_directory(texts.digest, encoder.digest, str(encoder.max_tokens), factory)
    if carry_out is not None and not is_prepared(directory):
        document = metadata_document(texts.chunks, encoder.model_name, encoder.dimension)
        write_file(directory / "docs_metadata.json", json.dumps(document))
        _write_queries(directory, texts.queries)
    facts = embed_and_index(directory, encoder, factory, carry_out)
    what = f"{len(texts.chunks)} chunks of {len(corpus.documents)} documents"
    label = source.corpus.resolve().name if source.corpus else "sample"
    searched = _set_of(directory, label, f"{what}, {factory}", encoder, is_sample=source.corpus is None)
    warnings = _told(texts)
    if carry_out is None and not facts:
        warnings.append(f"{len(texts.chunks)} chunks and {len(texts.queries)} queries would be embedded first")
    facts = {**facts, "query_source": texts.query_source}
    return Prepared(searched, tuple(warnings), facts, has_log=repeats(texts.queries))


def prepare_index_set(
    index: Path, metadata: Path, source: SourceOptions, encoder: EncoderUnderTest, seed: int, carry_out: CarryOut
) -> Prepared:
    """An index that exists: only queries are made for it, and embedded."""
    from synapse_perf.retrieval.chunks import read_metadata
    from synapse_perf.retrieval.queries import answered_by, queries_for_chunks
    from synapse_perf.retrieval.texts import QUERIES

    for path, what in ((index, "index"), (metadata, "metadata")):
        if not path.is_file():
            raise InputError(
                f"{path}: no such {what} file", "give the index with --index, its metadata with --metadata"
            )
    known = read_metadata(metadata)
    warnings: tuple[str, ...] = ()
    given = _given_queries(source)
    if given is not None:
        queries, told = answered_by(given, known.chunks)
        warnings = tuple(told)
    else:
        queries = queries_for_chunks(known.chunks, QUERIES, seed)
    directory = set_directory(
        _digest_of_ends(index),
        _digest_of_ends(metadata),
        encoder.digest,
        str(encoder.max_tokens),
        *(query.text for query in queries),
    )
    if carry_out is not None and not is_prepared(directory):
        _write_queries(directory, queries)
    facts = embed_and_index(directory, encoder, None, carry_out)
    searched = _set_of(directory, index.resolve().parent.name, f"{len(known.chunks)} chunks", encoder, is_sample=False)
    searched = replace(searched, index=str(index.resolve()), metadata=str(metadata.resolve()))
    source_of_queries = "file" if source.queries else "taken from the index, each without its own chunk"
    facts = {**facts, "query_source": source_of_queries}
    return Prepared(searched, warnings, facts, has_log=repeats(queries))


def prepare_vectors_set(source: SourceOptions, seed: int, carry_out: CarryOut) -> Prepared:
    """Vectors of a file, or made ones: there is no text, so only the search can be measured."""
    if source.vectors is not None and not source.vectors.is_file():
        raise InputError(f"{source.vectors}: no such file", "give a .npy file with one vector a row")
    directory, facts = prepare_vectors(source.vectors, source.synthetic or 0, source.factory, seed, carry_out)
    label = source.vectors.stem if source.vectors else "synthetic"
    description = "not prepared yet"
    if facts:
        description = f"{facts['vectors']} vectors of {facts['dimension']} numbers, {facts['factory']}"
    searched = _set_of(directory, label, description, None, is_sample=source.vectors is None)
    return Prepared(searched, (), facts)


def repeats(queries: Sequence[Query]) -> bool:
    """Whether they are a log, in which queries come again."""
    return len({query.text for query in queries}) < len(queries)


def _digest_of_ends(path: Path) -> str:
    """Of a large file's size and both ends: a copy elsewhere has the same, and it takes no time."""
    size = path.stat().st_size
    with path.open("rb") as file:
        parts = [str(size).encode(), file.read(DIGESTED_BYTES)]
        file.seek(max(0, size - DIGESTED_BYTES))
        parts.append(file.read())
    return hashlib.sha256(b"".join(parts)).hexdigest()


def metadata_beside(index: Path, given: Path | None) -> Path:
    """The metadata file of an index as the engine names it: docs.index, docs_metadata.json.

    Where there is only an older docs_metadata.pkl it is that one, so that its refusal is told and no missing file.
    """
    beside = index.with_name(f"{index.stem}_metadata.json")
    pickle = beside.with_suffix(".pkl")
    return given or (pickle if pickle.exists() and not beside.exists() else beside)


def _given_queries(source: SourceOptions) -> Sequence[Query] | None:
    if source.queries is None:
        return None
    from synapse_perf.retrieval.queries import read_queries

    return read_queries(source.queries)


def _set_of(
    directory: Path, label: str, description: str, encoder: EncoderUnderTest | None, *, is_sample: bool
) -> RetrievalSet:
    return RetrievalSet(
        label=label,
        description=description,
        directory=str(directory),
        index=str(directory / "docs.index"),
        metadata=str(directory / "docs_metadata.json"),
        queries=str(directory / "queries.jsonl"),
        query_vectors=str(directory / "query_vectors.npy"),
        digest=directory.name,
        is_sample=is_sample or (encoder is not None and encoder.is_sample),
        encoder=encoder,
    )


def _write_queries(directory: Path, queries: Sequence[Query]) -> None:
    lines = [json.dumps({"query": query.text, "relevant": query.relevant, "own": query.own}) for query in queries]
    write_file(directory / "queries.jsonl", "\n".join(lines) + "\n")


def _told(texts: Texts) -> list[str]:
    skipped = len(texts.skipped)
    if not skipped:
        return list(texts.warnings)
    first = texts.skipped[0]
    more = f" and {skipped - 1} more" if skipped > 1 else ""
    return [*texts.warnings, f"not indexed: {first.path} ({first.reason}){more}"]


def _folder(directory: Path) -> Corpus:
    from synapse_perf.retrieval.corpus import read_folder

    return read_folder(directory)
