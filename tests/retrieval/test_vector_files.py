from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from synapse_perf.errors import InputError
from synapse_perf.retrieval.vector_files import hold_out, read_vectors, unit_rows

GOOD = np.random.default_rng(0).standard_normal((60, 8)).astype(np.float32)


def _saved(folder: Path, array: object) -> Path:
    path = folder / "vectors.npy"
    np.save(path, np.asarray(array))
    return path


@pytest.mark.parametrize("kind", ["<f4", "<f8", ">f4", "<f2"])
def test_floating_point_numbers_of_any_kind_are_read_as_32_bit(tmp_path: Path, kind: str) -> None:
    vectors = read_vectors(_saved(tmp_path, GOOD.astype(kind)))
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, GOOD, rtol=2e-3)


def test_columns_first_is_read_as_well(tmp_path: Path) -> None:
    np.testing.assert_array_equal(read_vectors(_saved(tmp_path, np.asfortranarray(GOOD))), GOOD)


def _with(row: int, column: int, value: float) -> np.ndarray:
    changed = GOOD.copy()
    changed[row, column] = value
    return changed


ZERO = GOOD.copy()
ZERO[41] = 0


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (GOOD[0], "1 dimensions"),
        (GOOD[None], "3 dimensions"),
        (GOOD.astype(np.int32), "int32 values"),
        (GOOD > 0, "bool values"),
        (GOOD[:3], "3 x 8 values"),
        (GOOD[:, :0], "60 x 0 values"),
        (_with(17, 2, np.nan), "row 17"),
        (_with(59, 7, np.inf), "row 59"),
        (_with(30, 0, 1.0).astype(np.float64) * 1e300, "row 0"),
        (ZERO, "row 41"),
        (np.array([{"a": 1}, None], dtype=object), "Python objects"),
    ],
)
def test_what_cannot_be_searched_is_told_in_one_line(tmp_path: Path, array: np.ndarray, told: str) -> None:
    with pytest.raises(InputError, match=told) as raised:
        read_vectors(_saved(tmp_path, array))
    assert "\n" not in raised.value.message
    assert raised.value.remedy


def test_another_dimension_than_that_of_the_encoder_is_refused(tmp_path: Path) -> None:
    path = _saved(tmp_path, GOOD)
    assert read_vectors(path, dimension=8).shape == (60, 8)
    with pytest.raises(InputError, match="8 dimensions, not 384"):
        read_vectors(path, dimension=384)


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"", "no .npy file"), (b"\x93NUMPY\x01\x00", "damaged"), (b"words\n" * 99, "no .npy file")],
)
def test_a_file_that_is_none_is_told(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "vectors.npy"
    path.write_bytes(content)
    with pytest.raises(InputError, match=told):
        read_vectors(path)


def test_a_file_that_was_cut_off_is_told(tmp_path: Path) -> None:
    path = _saved(tmp_path, GOOD)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="shorter than its header"):
        read_vectors(path)


def test_an_archive_a_folder_and_a_missing_file_are_told(tmp_path: Path) -> None:
    archive = tmp_path / "vectors.npz"
    np.savez(archive, one=GOOD)
    with pytest.raises(InputError, match="archive"):
        read_vectors(archive)
    with pytest.raises(InputError, match="does not exist"):
        read_vectors(tmp_path / "none.npy")
    with pytest.raises(InputError, match="cannot read"):
        read_vectors(tmp_path)


def test_a_pickle_is_never_run(tmp_path: Path) -> None:
    class Planted:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "ran",))  # type: ignore[return-value]

    path = tmp_path / "vectors.npy"
    np.save(path, np.array([Planted()], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="Python objects"):
        read_vectors(path)
    assert not (tmp_path / "ran").exists()


def test_held_out_rows_are_queries_and_no_vectors() -> None:
    vectors, queries = hold_out(GOOD, 5, seed=1)
    assert vectors.shape == (55, 8)
    assert queries.shape == (5, 8)
    kept = {row.tobytes() for row in vectors}
    assert not kept & {row.tobytes() for row in queries}
    assert len(kept | {row.tobytes() for row in queries}) == 60


def test_at_most_a_tenth_is_held_out_and_at_least_one() -> None:
    assert len(hold_out(GOOD)[1]) == 6
    assert len(hold_out(GOOD[:5])[1]) == 1


def test_rows_of_unit_length_are_copies() -> None:
    before = GOOD.copy()
    np.testing.assert_allclose(np.linalg.norm(unit_rows(GOOD), axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(GOOD, before)
