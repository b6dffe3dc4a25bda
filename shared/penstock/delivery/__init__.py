"""The delivery core: at least once, in order within a key, retried, kept as a dead letter when it cannot succeed."""
