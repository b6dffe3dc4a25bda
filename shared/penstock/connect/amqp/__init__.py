"""The AMQP connector: quorum queues, each message acknowledged when its functions have answered finally."""
