"""The name of a group's consumer of one subject."""

from penstock.connect.nats.consumer import consumer_name


def test_a_name_is_the_same_each_time_and_has_nothing_that_nats_refuses() -> None:
    name = consumer_name("penstock", "lake.*.>")

    assert name == consumer_name("penstock", "lake.*.>")
    assert name.startswith("penstock-lake____-")
    assert not set(name) & set(" .*>/")


def test_subjects_that_look_alike_and_groups_have_their_own() -> None:
    names = {
        consumer_name(group, subject)
        for group in ("penstock", "audit")
        for subject in ("lake.a", "lake_a", "l" * 300 + ".a", "l" * 300 + ".b")
    }

    assert len(names) == 8
    assert max(map(len, names)) < 64
