"""Acknowledgements go out in the order in which messages came (MQTT 5, 4.6)."""

from penstock.connect.mqtt.window import Arrival, Window


def arrivals(window: Window, *deliveries: int) -> list[Arrival]:
    made = [Arrival(window, mid, 1) for mid in range(len(deliveries))]
    for each, count in zip(made, deliveries, strict=True):
        each.begin(count)
    return made


def test_a_message_waits_for_those_before_it() -> None:
    acknowledged: list[int] = []
    window = Window(acknowledged.append)
    first, second, third = arrivals(window, 1, 2, 1)
    third.finish_one()
    second.finish_one()
    assert (acknowledged, len(window)) == ([], 3)
    first.finish_one()
    assert acknowledged == [0]
    second.finish_one()
    assert (acknowledged, len(window)) == ([0, 1, 2], 0)


def test_a_message_that_no_target_wants_is_acknowledged_in_its_turn() -> None:
    acknowledged: list[int] = []
    first, _ = arrivals(Window(acknowledged.append), 1, 0)
    assert acknowledged == []
    first.finish_one()
    assert acknowledged == [0, 1]


def test_nothing_is_acknowledged_on_a_lost_connection() -> None:
    acknowledged: list[int] = []
    window = Window(acknowledged.append)
    [first] = arrivals(window, 1)
    window.lose()
    first.finish_one()
    assert acknowledged == []


def test_a_message_without_quality_of_service_is_not_acknowledged() -> None:
    acknowledged: list[int] = []
    window = Window(acknowledged.append)
    Arrival(window, 9, 0).begin(0)
    assert (acknowledged, len(window)) == ([], 0)
