"""What goes wrong in a campaign: which faults, alone or together, and at which operation."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tests.chaos import acts, clock, disk_acts, versions
from tests.chaos.acts import Act


@dataclass(frozen=True, slots=True)
class Planned:
    """Faults that begin together when so many operations are done, and last so many seconds."""

    at: int
    names: tuple[str, ...]
    seconds: float


# Two of one group act on one process or one setting, so they never come together.
_SUBJECTS = (
    "compress",
    "index",
    "bridge",
    "connector",
    "minio",
    "kafka",
    "reconcile",
    "store:",
    "events:",
    "buckets:",
)


def known(*, with_kafka: bool, with_volumes: bool, with_clocks: bool) -> dict[str, Act]:
    """The faults of a campaign, by name: all that this machine allows."""
    return {
        **acts.ACTS,
        **versions.ACTS,
        **disk_acts.ACTS,
        **(disk_acts.VOLUME_ACTS if with_volumes else {}),
        **(clock.ACTS if with_clocks else {}),
        **(acts.KAFKA_ACTS if with_kafka else {}),
        **(clock.KAFKA_ACTS if with_kafka and with_clocks else {}),
    }


def plan(
    seed: int, names: Sequence[str], operations: int, *, freeze_seconds: Sequence[float], rounds: int, pairs: int
) -> list[Planned]:
    """Every fault alone `rounds` times and `pairs` pairs of them, in an order of the seed, spread over the operations.

    The last tenth of the operations has no faults of its own: what a fault leaves behind must be mended by then or by
    `reconcile`.
    """
    rng = random.Random(f"{seed}/faults")
    chosen: list[tuple[str, ...]] = [(name,) for _ in range(rounds) for name in names]
    while len(chosen) < rounds * len(names) + pairs:
        one, other = rng.sample(list(names), 2)
        if _subject(one) != _subject(other):
            chosen.append((one, other))
    rng.shuffle(chosen)
    step = operations * 0.9 / len(chosen)
    planned = []
    for number, each in enumerate(chosen):
        seconds = (
            rng.choice(freeze_seconds) if any(name.startswith("freeze") for name in each) else rng.uniform(1.0, 5.0)
        )
        planned.append(Planned(int(step * (number + rng.random())), each, seconds))
    return planned


def _subject(name: str) -> str:
    return next(subject for subject in _SUBJECTS if subject in name)
