"""What the sink holds: what was taken or excluded is not an orphan, and an address is one row."""

from collections.abc import Iterator

import pytest
from penstock.reconcile.held import Held, is_same, scratch
from penstock.types import Entry, Mark, ObjectRef, Refusal

ROSE = ObjectRef("upload", "rose.jpg")
MARK = Mark("content.version", "upper", "prints", "source")


@pytest.fixture
def held() -> Iterator[Held]:
    with scratch() as held:
        yield held


def test_a_target_that_was_taken_is_no_orphan(held: Held) -> None:
    held.add([(ROSE, Entry("a", MARK), True), (None, Entry("b", MARK), True)])
    found = held.take("a")
    assert found is not None
    assert (found.state, found.function, found.refused) == ("content.version", "upper", False)
    assert list(held.unseen()) == [("b", None, False, False)]
    assert held.take("c") is None


def test_what_another_made_is_no_orphan_of_ours(held: Held) -> None:
    held.add([(ROSE, Entry("a", None), False), (ROSE, Entry("b", MARK), False)])
    assert list(held.unseen()) == []
    assert held.count_targets() == 2
    assert held.count_removals(with_unseen=True) == 0


def test_refusals_are_not_counted_as_targets(held: Held) -> None:
    refusal = Refusal("InputTooLarge", "too large", 413)
    held.add([(ROSE, Entry("a", MARK, refusal=refusal), True), (ROSE, Entry("b", MARK), True)])
    assert held.count_targets() == 1
    assert held.count_removals(with_unseen=True) == 1
    assert held.count_removals(with_unseen=False) == 0
    assert list(held.unseen()) == [("a", ROSE, True, False), ("b", ROSE, False, False)]


def test_what_is_excluded_tells_its_source_and_is_no_orphan(held: Held) -> None:
    held.add([(None, Entry("a", MARK), True)])
    held.exclude("a", ROSE, MARK)
    assert list(held.excluded()) == [ROSE]
    assert list(held.unseen()) == []
    assert held.count_removals(with_unseen=False) == 1


def test_what_another_function_made_is_not_excluded(held: Held) -> None:
    held.add([(None, Entry("a", MARK), True)])
    held.exclude("a", ROSE, Mark("", "other", "prints", "source"))
    assert list(held.excluded()) == []


def test_one_address_that_two_rules_list_keeps_the_source_that_one_of_them_knows(held: Held) -> None:
    held.add([(None, Entry("a", MARK), True), (ROSE, Entry("a", MARK), True)])
    assert list(held.unseen()) == [("a", ROSE, False, False)]


@pytest.mark.parametrize(
    ("mark", "same"),
    [
        (Mark("content", "upper", "prints", "source"), True),
        (Mark("other", "upper", "prints", "source"), False),
        (Mark("content", "upper", "others", "source"), False),
        (Mark("content", "upper", "prints", "another"), False),
    ],
)
def test_the_content_is_compared_without_the_version_which_listings_do_not_tell(
    held: Held, mark: Mark, same: bool
) -> None:
    held.add([(ROSE, Entry("a", MARK), True)])
    found = held.take("a")
    assert found is not None
    assert is_same(found, mark) is same
