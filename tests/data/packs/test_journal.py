from __future__ import annotations

import numpy as np
import pytest

from alexnet.data.packs.journal import FinishedShard, append_line, read_lines
from alexnet.data.packs.shards import Shard

LINES = [{"a": 1}, {"name": "Ämter"}, {"skipped": [[1, "why"]]}]


@pytest.fixture
def journal(tmp_path):
    path = tmp_path / "journal"
    for line in LINES:
        append_line(path, line)
    return path


def test_lines_come_back(journal, tmp_path):
    assert read_lines(journal) == LINES
    assert read_lines(tmp_path / "none") == []


@pytest.mark.parametrize("cut", range(1, 42))
def test_a_torn_line_and_what_follows_it_is_left_out(journal, cut):
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-cut])
    found = read_lines(journal)
    assert found == LINES[: len(found)]
    assert len(found) == whole[:-cut].count(b"\n")
    append = whole[:-cut] + b"00000000 {}\n"
    journal.write_bytes(append)
    assert read_lines(journal) == found


def test_mending_cuts_the_torn_end_so_that_writing_can_go_on(journal):
    journal.write_bytes(journal.read_bytes()[:-5])
    read_lines(journal)
    assert len(journal.read_bytes().splitlines()) == 3  # only looking changes nothing
    assert read_lines(journal, mend=True) == LINES[:2]
    append_line(journal, {"b": 2})
    assert read_lines(journal) == [*LINES[:2], {"b": 2}]


def test_a_changed_letter_is_noticed(journal):
    journal.write_bytes(journal.read_bytes().replace(b'"a": 1', b'"a": 7'))
    assert read_lines(journal) == []


@pytest.mark.parametrize("skipped", [[], [(6, "why"), (9, "because")]])
def test_a_finished_shard_comes_back(skipped, tmp_path):
    indices = np.setdiff1d(np.arange(5, 12), [i for i, _ in skipped])
    n = len(indices)
    rng = np.random.default_rng(0)
    shard = FinishedShard(
        Shard("shard-00000.u8", n),
        5,
        indices,
        rng.integers(0, 256, (n, 16), dtype=np.uint8),
        rng.integers(0, 2**32, n, dtype=np.uint32),
        skipped,
    )
    append_line(tmp_path / "journal", shard.to_json())
    found = FinishedShard.from_json(read_lines(tmp_path / "journal")[0])
    assert found.shard == shard.shard
    assert (found.first, found.skipped) == (5, skipped)
    for name in ("indices", "digests", "checksums"):
        assert np.array_equal(getattr(found, name), getattr(shard, name))


def test_a_range_without_one_readable_image_has_no_shard():
    none = np.zeros(0, dtype=np.int64)
    shard = FinishedShard(
        None, 0, none, np.zeros((0, 16), np.uint8), np.zeros(0, np.uint32), [(0, "x"), (1, "y")]
    )
    found = FinishedShard.from_json(shard.to_json())
    assert found.shard is None
    assert len(found.indices) == 0
