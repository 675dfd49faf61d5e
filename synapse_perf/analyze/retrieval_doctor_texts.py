"""Do the texts, the vectors and the encoder belong together, and does what is relevant reach the prompt?"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from itertools import chain

from synapse_perf.model import Finding, Gain, Json, Severity
from synapse_perf.units import format_percent

Facts = Mapping[str, Json]

SAME = 0.99  # cosine of two vectors of one text; 16 and 8 bits a weight differ by less than 0.001
RELATED = 0.5  # between: the same text, or the same encoder, but not both, or with another setting
LENGTH_OFF = 0.01  # share of the vectors from which on their lengths are a fault
CUT_WORTH_A_CHANGE = 0.2  # of the tokens
CUT_WORTH_TELLING = 0.02
OFTEN_EMPTY = 0.2  # of the queries
SOMETIMES_EMPTY = 0.05


def text_findings(examined: Facts, judged: Facts) -> list[Finding]:
    """About metadata, encoder, lengths, limits and the relevance threshold."""
    trips = _round_trip(examined)
    # With another encoder no vector means anything: what else looks odd comes of that.
    judges_relevance = not any(finding.id == "wrong-encoder" for finding in trips)
    return list(
        chain(
            _out_of_step(examined),
            trips,
            _lengths(examined),
            _cut_off(examined),
            _empty_contexts(examined, judged) if judges_relevance else (),
        )
    )


def _out_of_step(examined: Facts) -> list[Finding]:
    metadata, index = examined.get("metadata"), examined.get("index")
    if not metadata or not index or metadata["texts"] == metadata["last_id"] + 1:
        return []
    texts, held = metadata["texts"], index["ntotal"]
    return [
        Finding(
            "metadata-out-of-step",
            "high",
            f"the metadata has {texts} texts, the index {held} vectors: {texts - metadata['last_id'] - 1} texts "
            "cannot be found, or all are matched with the wrong vectors",
            {"texts": texts, "vectors": held},
            None,
            "write both files from one list, at one time: index.add(vectors) and json.dump({'chunks': chunks}), then "
            "rename both into place",
            "index.ntotal == len(metadata['chunks']) whenever the index is opened",
            "the same comparison when the service starts; refuse to serve where it fails",
        )
    ]


# --- the round trip --------------------------------------------------------------------------------------------------


def _round_trip(examined: Facts) -> list[Finding]:
    trips: Sequence[Facts] = examined.get("round_trip") or ()
    is_coarse = (examined.get("index") or {}).get("storage") == "coarse"
    failed = [trip for trip in trips if not _finds_itself(trip, is_coarse)]
    if not failed or (is_coarse and 2 * len(failed) < len(trips)):  # codes may mistake a near neighbour for it
        return []
    evidence: dict[str, Json] = {
        "texts": len(trips),
        "found_themselves": len(trips) - len(failed),
        "own_cosines": [_rounded(trip["own_cosine"]) for trip in trips],
        "best_cosines": [_rounded(trip["best_cosine"]) for trip in trips],
        "offsets": [trip["found"] - trip["id"] for trip in trips],
    }
    elsewhere = [trip for trip in failed if _is_elsewhere(trip)]
    offsets = {trip["found"] - trip["id"] for trip in failed}
    is_constant = len(failed) > 1 and len(offsets) == 1
    if len(elsewhere) * 2 > len(failed) or (is_coarse and is_constant):
        return [_shifted(trips, failed, offsets, evidence)]
    if len(failed) == len(trips):
        return [_other_encoder(examined, trips, evidence)]
    return [_stale(failed, trips, evidence)]


def _finds_itself(trip: Facts, is_coarse: bool) -> bool:
    if trip["found"] == trip["id"] or trip.get("same_text"):
        return is_coarse or trip["own_cosine"] is None or trip["own_cosine"] >= SAME
    return trip["own_cosine"] is not None and trip["own_cosine"] >= SAME


def _is_elsewhere(trip: Facts) -> bool:
    return trip["best_cosine"] is not None and trip["best_cosine"] >= SAME and trip["found"] != trip["id"]


def _rounded(cosine: float | None) -> float | None:
    return None if cosine is None else round(cosine, 4)


def _shifted(trips: Sequence[Facts], failed: Sequence[Facts], offsets: set[int], evidence: dict[str, Json]) -> Finding:
    first = min(trip["id"] for trip in failed)
    good = [trip["id"] for trip in trips if trip not in failed]
    if len(offsets) == 1:
        offset = offsets.pop()
        where = f" from some text between {max(good)} and {first} on" if good and max(good) < first else ""
        what = f"the texts stand {abs(offset)} {'before' if offset > 0 else 'behind'} their vectors{where}"
    else:
        what = "the texts are not in the order of their vectors"
    return Finding(
        "metadata-shifted",
        "high",
        f"{what}: {len(failed)} of {len(trips)} texts find the vector of another, so searches give wrong texts",
        evidence,
        None,
        "build the index and its metadata anew from one list; IndexFlat.remove_ids moves all that follow up by one, so "
        "take the same entries out of the list of texts, or use faiss.IndexIDMap2 with ids of your own",
        "synapse-perf bench-cgrag on the new files: this finding is gone",
        "embed one stored text again at the start of the service: it has to find itself",
    )


def _other_encoder(examined: Facts, trips: Sequence[Facts], evidence: dict[str, Json]) -> Finding:
    encoder, metadata = examined.get("encoder") or {}, examined.get("metadata") or {}
    used, built_by = encoder.get("label", "the encoder"), metadata.get("model_name")
    best = [trip["best_cosine"] for trip in trips if trip["best_cosine"] is not None]
    is_near = bool(best) and statistics.median(best) >= RELATED
    how = (
        "near to what is stored but not the same: another limit of tokens, a prefix, another pooling or another version"
        if is_near
        else "nothing like what is stored"
    )
    built = f"; the metadata names {built_by}" if built_by else ""
    change = "give the encoder that built the index with --encoder, or embed all texts again with this one"
    if encoder.get("is_sample"):
        real = "import the real one with 'synapse-perf models import DIR'"
        change = f"the encoder here is a stand-in with random weights: {real}, or {change}"
    return Finding(
        "wrong-encoder",
        "high",
        f"embedded again with {used}, none of {len(trips)} stored texts finds itself, and its vector is {how}{built}",
        {**evidence, "encoder": used, "metadata_names": built_by},
        None,
        change,
        "each of the texts finds itself with a cosine of 0.99 or more",
        "compare the model's name and digest with those kept beside the index when the service starts",
    )


def _stale(failed: Sequence[Facts], trips: Sequence[Facts], evidence: dict[str, Json]) -> Finding:
    return Finding(
        "round-trip-fails",
        "high" if 2 * len(failed) > len(trips) else "medium",
        f"{len(failed)} of {len(trips)} stored texts do not give the vector that is stored for them: they are not the "
        "texts that were embedded",
        {**evidence, "ids": [trip["id"] for trip in failed]},
        None,
        "embed the texts that were changed since again (keep a digest of each text beside its vector), or build the "
        "index anew",
        "synapse-perf bench-cgrag on the new files: each of the texts finds itself",
        "the share of stored digests that differ from those of the files, after each change of the files",
    )


# --- lengths and limits ----------------------------------------------------------------------------------------------


def _lengths(examined: Facts) -> list[Finding]:
    vectors, index = examined.get("vectors"), examined.get("index") or {}
    if not vectors or index.get("storage") == "coarse" or vectors["share_of_lengths_off"] <= LENGTH_OFF:
        return []
    if index["metric"] == "inner-product":
        what = "the inner product is then no cosine, goes above 1, and favours long vectors"
    else:
        what = "1 - distance / 2 is then no cosine, so the relevance threshold cuts at random"
    return [
        Finding(
            "vectors-not-normalised",
            "high",
            f"{format_percent(vectors['share_of_lengths_off'])} of the stored vectors are not of length 1 (median "
            f"{vectors['median_length']:.3g}): {what}",
            {
                "share_of_vectors": vectors["share_of_lengths_off"],
                "shortest": vectors["shortest"],
                "median": vectors["median_length"],
                "longest": vectors["longest"],
                "metric": index["metric"],
            },
            None,
            "faiss.normalize_L2(vectors) before index.add(vectors), as queries are normalised before index.search",
            "abs(np.linalg.norm(index.reconstruct(i)) - 1) < 0.01 for a few i",
            "a relevance score above 1 or below -1",
        )
    ]


def _cut_off(examined: Facts) -> list[Finding]:
    cut, encoder = examined.get("cut_off"), examined.get("encoder") or {}
    if not cut or cut["share_of_tokens"] < CUT_WORTH_TELLING or encoder.get("is_sample"):
        return []  # a made vocabulary cuts words into other tokens than the real one
    severity: Severity = "medium" if cut["share_of_tokens"] >= CUT_WORTH_A_CHANGE else "info"
    words = int(cut["limit"] / 1.4)
    return [
        Finding(
            "text-cut-off",
            severity,
            f"{format_percent(cut['share_of_texts'])} of the chunks are longer than the {cut['limit']} tokens that the "
            f"encoder reads; {format_percent(cut['share_of_tokens'])} of all text cannot be found",
            dict(cut),
            None,
            f"shorter chunks: about {words} words (chunk_size={words}), or an encoder with a longer limit",
            f"synapse-perf bench-cgrag --corpus DIR --chunk-size {words}: this finding is gone",
            "the share of chunks above the encoder's limit, counted when they are embedded",
        )
    ]


def _empty_contexts(examined: Facts, judged: Facts) -> list[Finding]:
    contexts, relevance = judged.get("contexts"), judged.get("relevance")
    encoder = examined.get("encoder")
    if not contexts or not encoder or encoder.get("is_sample"):
        return []  # the scores of random weights say nothing about a threshold
    empty, lowered = contexts["empty"], contexts["empty_with_lower"]
    if empty["value"] < SOMETIMES_EMPTY or contexts["lower_min_relevance"] >= contexts["min_relevance"]:
        return []
    severity: Severity = "medium" if empty["value"] >= OFTEN_EMPTY else "low"
    lower = contexts["lower_min_relevance"]
    gained = empty["value"] - lowered["value"]
    low, high = empty["low"] - lowered["high"], empty["high"] - lowered["low"]
    evidence: dict[str, Json] = {
        "min_relevance": contexts["min_relevance"],
        "median_best_score": contexts["median_best_score"],
        "share_of_empty": empty["value"],
        "share_of_one_chunk": contexts["one_chunk"]["value"],
        "share_of_empty_with_lower": lowered["value"],
        "relevant_found_share": relevance and relevance["found"]["value"],
        "relevant_in_context_share": relevance and relevance["in_context"]["value"],
        "relevant_in_context_with_lower_share": relevance and relevance["in_context_with_lower"]["value"],
    }
    return [
        Finding(
            "empty-contexts",
            severity,
            f"{format_percent(empty['value'])} of the queries get no context at all: nothing scores "
            f"{contexts['min_relevance']:g} or more; the best chunk of a query scores "
            f"{contexts['median_best_score']:.2f} (median)",
            evidence,
            Gain(100 * gained, 100 * low, 100 * high, "% of queries", measured=True) if low > 0 else None,
            f"min_relevance = {lower:g} for this encoder: a question and its answer are less alike than two copies",
            f"synapse-perf bench-cgrag --min-relevance {lower:g}",
            "the share of answers without any artifact, per hour",
        )
    ]
