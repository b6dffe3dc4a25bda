"""A clock that a test moves by hand."""


class Clock:
    """Called like `time.monotonic`: `now`, in seconds."""

    now = 0.0

    def __call__(self) -> float:
        return self.now
