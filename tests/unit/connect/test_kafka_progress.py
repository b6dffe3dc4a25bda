"""What may be committed of a partition: the finished prefix."""

from hypothesis import given
from hypothesis import strategies as st
from penstock.connect.kafka.progress import Entry, Partition


def begin(partition: Partition, offset: int, waits: int = 1) -> Entry:
    entry = Entry(partition, f"record {offset}")
    partition.begin(offset, entry, waits)
    return entry


def test_nothing_is_committable_before_anything_is_finished() -> None:
    partition = Partition("upload", 0)
    begin(partition, 7)
    assert (partition.position, partition.outstanding) == (None, 1)


def test_record_behind_an_unfinished_one_is_not_committable() -> None:
    partition = Partition("upload", 0)
    first, second = begin(partition, 7), begin(partition, 8)
    partition.finish(second)
    assert (partition.position, partition.outstanding) == (None, 2)
    partition.finish(first)
    assert (partition.position, partition.outstanding) == (9, 0)


def test_record_for_two_functions_waits_for_both() -> None:
    partition = Partition("upload", 0)
    entry = begin(partition, 7, waits=2)
    partition.finish(entry)
    assert partition.position is None
    partition.finish(entry)
    assert partition.position == 8


def test_record_that_nobody_wants_is_finished_at_once() -> None:
    partition = Partition("upload", 0)
    begin(partition, 7, waits=0)
    assert partition.position == 8


def test_gaps_in_the_offsets_are_stepped_over() -> None:
    partition = Partition("upload", 0)
    for entry in [begin(partition, 7), begin(partition, 19)]:
        partition.finish(entry)
    assert partition.position == 20


def test_finished_record_is_let_go_while_an_older_one_is_open() -> None:
    partition = Partition("upload", 0)
    begin(partition, 7)
    second = begin(partition, 8)
    partition.finish(second)
    assert second.record is None


@given(st.permutations(range(12)))
def test_position_is_always_the_first_unfinished_offset(order: list[int]) -> None:
    partition = Partition("upload", 0)
    entries = [begin(partition, offset) for offset in range(12)]
    finished: set[int] = set()
    for offset in order:
        partition.finish(entries[offset])
        finished.add(offset)
        first_open = next((number for number in range(12) if number not in finished), 12)
        assert (partition.position or 0) == first_open
