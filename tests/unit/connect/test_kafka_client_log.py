"""librdkafka's words reach the log, at a rate that a person can read."""

import logging
from collections.abc import Iterator

import pytest
from penstock.connect.kafka.client_log import QUIET_SECONDS, OnePerKind

from tests.clock import Clock

# As confluent-kafka calls its logger.
FORMAT = "%s [%s] %s"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def logger(clock: Clock) -> Iterator[logging.Logger]:
    made = logging.getLogger("test.librdkafka")
    made.setLevel(logging.DEBUG)
    limit = OnePerKind(clock)
    made.addFilter(limit)
    yield made
    made.removeFilter(limit)


def test_one_warning_of_each_kind_passes_and_the_rest_is_counted(
    logger: logging.Logger, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3):
        logger.error(FORMAT, "FAIL", "consumer-1", f"refused {number}")
    logger.warning(FORMAT, "REQTMOUT", "consumer-1", "timed out")
    clock.now = QUIET_SECONDS
    logger.error(FORMAT, "FAIL", "consumer-1", "100% refused")
    assert caplog.messages == [
        "FAIL [consumer-1] refused 0",
        "REQTMOUT [consumer-1] timed out",
        "FAIL [consumer-1] 100% refused (2 more FAIL left out)",
    ]


def test_what_a_debug_setting_asks_for_passes(logger: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        logger.debug(FORMAT, "FETCH", "consumer-1", "a")
    assert len(caplog.messages) == 3
