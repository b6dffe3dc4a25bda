"""A lake on a platform, asked over HTTP for the console: functions, deliveries, logs and queues."""
