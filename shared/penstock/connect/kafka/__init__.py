"""The Kafka connector: at least once, in order within a key, nothing dropped silently."""
