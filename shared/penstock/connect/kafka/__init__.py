"""The Kafka connector, `penstock connect kafka`: at least once, in order per key, nothing dropped silently."""

from penstock.connect.kafka.command import add_arguments, run

__all__ = ["add_arguments", "run"]
