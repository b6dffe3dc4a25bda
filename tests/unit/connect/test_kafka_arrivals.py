"""Records that wait at the brokers and do not come are noticed, and tried with one new consumer."""

from penstock.connect.kafka.arrivals import Arrivals, Ends

from tests.clock import Clock

PATIENCE = 60.0


class Brokers:
    def __init__(self) -> None:
        self.ends: Ends = {}
        self.asked = 0
        self.clock = Clock()
        self.arrivals = Arrivals(self.unread_ends, clock=self.clock, patience_seconds=PATIENCE)

    def unread_ends(self) -> Ends:
        self.asked += 1
        return self.ends

    def after(self, seconds: float) -> bool:
        self.clock.now += seconds
        return self.arrivals.are_missing()


def test_records_that_do_not_come_for_a_minute_are_missing() -> None:
    brokers = Brokers()
    brokers.ends = {("upload", 0): 5}
    assert not brokers.after(PATIENCE - 1)
    assert brokers.asked == 0
    assert brokers.after(1)
    assert brokers.after(1)
    assert brokers.asked == 1


def test_nothing_is_missing_at_the_end_of_every_partition() -> None:
    brokers = Brokers()
    assert not brokers.after(PATIENCE)
    assert brokers.asked == 1


def test_a_record_ends_it_and_so_does_a_target_without_room() -> None:
    for record in (True, False):
        brokers = Brokers()
        brokers.ends = {("upload", 0): 5}
        assert brokers.after(PATIENCE)
        brokers.arrivals.saw(record=record)
        assert not brokers.after(PATIENCE - 1)


def test_what_a_new_consumer_did_not_read_either_makes_no_further_one() -> None:
    brokers = Brokers()
    brokers.ends = {("upload", 0): 5}
    assert brokers.after(PATIENCE)
    brokers.arrivals.new_consumer()
    assert not brokers.after(PATIENCE)
    brokers.ends = {("upload", 0): 6}  # one more record, which does not come either
    assert brokers.after(PATIENCE)


def test_a_record_makes_the_same_ends_worth_a_new_consumer_again() -> None:
    brokers = Brokers()
    brokers.ends = {("upload", 0): 5}
    assert brokers.after(PATIENCE)
    brokers.arrivals.new_consumer()
    brokers.arrivals.saw(record=True)
    assert brokers.after(PATIENCE)
