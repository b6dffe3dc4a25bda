"""What may be committed of a partition: the finished prefix."""

from hypothesis import given
from hypothesis import strategies as st
from penstock.connect.kafka.progress import Partition, PendingRecord

from tests.unit.connect.fakes import FakeRecord


def begin(partition: Partition, offset: int, waits: int = 1) -> PendingRecord:
    entry = PendingRecord(partition, FakeRecord(the_offset=offset))
    partition.begin(offset, entry, waits)
    return entry


def offset(partition: Partition) -> int | None:
    progress = partition.progress()
    return progress[0] if progress else None


def test_nothing_is_committable_before_anything_was_read() -> None:
    assert Partition("upload", 0).progress() is None


def test_unfinished_record_is_where_the_next_owner_starts() -> None:
    partition = Partition("upload", 0)
    begin(partition, 7)
    assert (partition.progress(), partition.outstanding) == ((7, ""), 1)


def test_what_is_finished_behind_an_unfinished_record_is_noted_beside_the_offset() -> None:
    partition = Partition("upload", 0)
    first, *others = [begin(partition, number) for number in (7, 8, 9, 11)]
    for entry in others:
        partition.finish(entry)
    assert (partition.progress(), partition.outstanding) == ((7, "finished:8-9,11"), 4)
    partition.finish(first)
    assert (partition.progress(), partition.outstanding) == ((12, ""), 0)


def test_next_owner_knows_what_was_finished() -> None:
    partition = Partition("upload", 0, 7, "finished:8-9,11")
    assert [number for number in range(7, 13) if partition.was_finished(number)] == [8, 9, 11]


def test_nothing_is_known_of_a_topic_that_was_made_anew() -> None:
    partition = Partition("upload", 0, 7, "finished:8-9")
    assert not partition.was_finished(0)
    assert not partition.was_finished(8)


def test_metadata_of_others_means_nothing() -> None:
    for text in ("", "hello", "finished:", "finished:x", "finished:-", "finished:9-8"):
        assert not Partition("upload", 0, 0, text).was_finished(8)


def test_metadata_of_others_takes_a_bounded_part_of_the_memory() -> None:
    """4,000 bytes hold 250 ranges, each as long as its writer likes."""
    partition = Partition("upload", 0, 0, "finished:0-999999,2000000-2000001")
    assert partition.was_finished(999_999)
    assert not partition.was_finished(2_000_000)
    assert not Partition("upload", 0, 0, f"finished:{'9' * 5000}").was_finished(9)
    assert Partition("upload", 0, 0, f"finished:9-{'9' * 19}").was_finished(10)


def test_metadata_fits_into_what_a_broker_takes() -> None:
    partition = Partition("upload", 0)
    entries = [begin(partition, number) for number in range(20_000)]
    for entry in entries[1::2]:
        partition.finish(entry)
    progress = partition.progress()
    assert progress is not None
    assert 3000 < len(progress[1]) <= 4096
    later = Partition("upload", 0, *progress)
    assert later.was_finished(1)
    assert not later.was_finished(2)


def test_record_for_two_functions_waits_for_both() -> None:
    partition = Partition("upload", 0)
    entry = begin(partition, 7, waits=2)
    partition.finish(entry)
    assert offset(partition) == 7
    partition.finish(entry)
    assert offset(partition) == 8


def test_record_that_nobody_wants_is_finished_at_once() -> None:
    partition = Partition("upload", 0)
    begin(partition, 7, waits=0)
    assert offset(partition) == 8


def test_finished_record_is_let_go_while_an_older_one_is_open() -> None:
    partition = Partition("upload", 0)
    begin(partition, 7)
    second = begin(partition, 8)
    partition.finish(second)
    assert second.record is None


@given(st.permutations(range(12)))
def test_offset_is_always_the_first_unfinished_one_and_the_rest_is_remembered(order: list[int]) -> None:
    partition = Partition("upload", 0)
    entries = [begin(partition, number) for number in range(12)]
    finished: set[int] = set()
    for number in order:
        partition.finish(entries[number])
        finished.add(number)
        progress = partition.progress()
        assert progress is not None
        assert progress[0] == next((number for number in range(12) if number not in finished), 12)
        later = Partition("upload", 0, *progress)
        assert {number for number in range(progress[0], 12) if later.was_finished(number)} == {
            number for number in finished if number > progress[0]
        }
