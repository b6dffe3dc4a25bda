"""The SQS connector: long polls, messages held while they are delivered, each deleted after the final answer."""
