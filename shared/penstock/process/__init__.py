"""What every long-running process has: logs, metrics, a status server, signals."""
