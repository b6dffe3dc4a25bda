"""The NATS connector: a JetStream pull consumer, acknowledged when the function has answered finally."""
