"""Makes the target of a key agree with its source: the only place that decides skip, run, retry or refuse."""
