"""What a function's processes hold, sampled when nothing is under way, and whether it grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import linear_regression

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Sample:
    """Of a function and its workers: seconds since the start, resident bytes, open descriptors, threads."""

    at: float
    resident_bytes: int
    descriptors: int
    threads: int


def take(pid: int, at: float) -> Sample:
    """Look at a process and at those that it started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    resident = descriptors = threads = 0
    for each in (str(pid), *children):
        fields = dict(
            line.split(":", 1) for line in Path(f"/proc/{each}/status").read_text().splitlines() if ":" in line
        )
        resident += int(fields["VmRSS"].split()[0]) * 1024
        threads += int(fields["Threads"])
        descriptors += sum(1 for _ in Path(f"/proc/{each}/fd").iterdir())
    return Sample(at, resident, descriptors, threads)


@dataclass(frozen=True, slots=True)
class Growth:
    """How far a function grew after the first third of the samples, in which its caches fill."""

    first: Sample
    last: Sample
    bytes_per_second: float
    grown_bytes: float
    grown_descriptors: int

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> Growth:
        """By a straight line through the last two thirds; at least three samples are needed there."""
        late = samples[len(samples) // 3 :]
        slope = linear_regression([each.at for each in late], [each.resident_bytes for each in late]).slope
        half = len(late) // 2
        descriptors = max(each.descriptors for each in late[half:]) - max(each.descriptors for each in late[:half])
        return cls(late[0], late[-1], slope, slope * (late[-1].at - late[0].at), descriptors)

    def problems(self, max_bytes: int, max_descriptors: int) -> list[str]:
        """What grew further than it may."""
        found = []
        if self.grown_bytes > max_bytes:
            found.append(f"memory grew by {self.grown_bytes / _MIB:.0f} MiB, more than {max_bytes / _MIB:.0f}")
        if self.grown_descriptors > max_descriptors:
            found.append(f"{self.grown_descriptors} more descriptors in the second half, more than {max_descriptors}")
        return found

    def __str__(self) -> str:
        return (
            f"memory {self.first.resident_bytes / _MIB:.0f} to {self.last.resident_bytes / _MIB:.0f} MiB "
            f"({self.bytes_per_second * 3600 / _MIB:+.1f} MiB an hour), descriptors {self.first.descriptors} to "
            f"{self.last.descriptors}, threads {self.first.threads} to {self.last.threads}"
        )
