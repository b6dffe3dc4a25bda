"""When a connector makes a new client, and when only a restart is left."""

from dataclasses import dataclass, field

from penstock.connect.subscription_watch import (
    PATIENCE_SECONDS,
    REBALANCE_SECONDS,
    SubscriptionState,
    SubscriptionWatch,
)

from tests.clock import Clock


@dataclass
class World:
    """A subscription and its brokers, as the test sets them."""

    clock: Clock = field(default_factory=Clock)
    brokers_answer: bool = True
    joined: bool = False
    subscribed: bool = True
    rebalancing: bool = False
    asked: int = 0

    def __post_init__(self) -> None:
        self.watch = SubscriptionWatch("kafka", self._answer, clock=self.clock)

    def _answer(self) -> bool:
        self.asked += 1
        return self.brokers_answer

    def look(self) -> bool:
        return self.watch.look(subscribed=self.subscribed, joined=self.joined, rebalancing=self.rebalancing)

    def after(self, seconds: float) -> bool:
        """What the next look says; the ones before, once a second, must not ask for a new client."""
        end = self.clock.now + seconds
        while self.clock.now + 1 < end:
            self.clock.now += 1
            assert not self.look()
        self.clock.now = end
        return self.look()


def test_no_client_is_made_before_a_minute_is_over() -> None:
    world = World()
    assert not world.look()
    assert world.watch.state is SubscriptionState.JOINING
    assert not world.after(PATIENCE_SECONDS - 1)
    assert world.asked == 0


def test_new_client_is_made_once_a_minute_while_the_brokers_answer() -> None:
    world = World()
    world.look()
    for _ in range(3):
        assert world.after(PATIENCE_SECONDS)
        assert world.watch.state is SubscriptionState.STALLED
    assert world.asked == 3
    assert "nothing arrives for 180 seconds" in world.watch.problem()


def test_it_is_ill_once_a_new_client_did_not_help() -> None:
    world = World()
    world.look()
    world.after(PATIENCE_SECONDS)
    assert world.watch.ill() == ""
    world.after(PATIENCE_SECONDS)
    assert "1 new clients did not help" in world.watch.ill()
    world.joined = True
    world.look()
    assert world.watch.ill() == ""
    assert (world.watch.state, world.watch.problem()) == (SubscriptionState.JOINED, "")


def test_brokers_that_do_not_answer_are_waited_for() -> None:
    world = World(brokers_answer=False)
    world.look()
    for _ in range(5):
        assert not world.after(PATIENCE_SECONDS)
    assert world.watch.state is SubscriptionState.UNREACHABLE
    assert world.watch.ill() == ""
    assert "do not answer" in world.watch.problem()


def test_brokers_that_come_back_get_a_minute_to_take_the_client_up() -> None:
    world = World(brokers_answer=False)
    world.look()
    world.after(PATIENCE_SECONDS)
    world.brokers_answer = True
    assert world.after(PATIENCE_SECONDS)


def test_minute_begins_anew_after_each_join() -> None:
    world = World()
    world.look()
    assert not world.after(PATIENCE_SECONDS - 1)
    world.joined = True
    world.look()
    world.joined = False
    world.look()
    assert not world.after(PATIENCE_SECONDS - 1)


def test_connector_without_topics_waits_for_nothing() -> None:
    world = World(subscribed=False)
    world.look()
    assert not world.after(10 * PATIENCE_SECONDS)
    assert world.watch.state is SubscriptionState.NONE


def test_rebalance_that_takes_minutes_is_waited_for() -> None:
    world = World(rebalancing=True)
    world.look()
    assert not world.after(REBALANCE_SECONDS - 1)
    assert world.after(1)
