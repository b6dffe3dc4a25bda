"""MinIO's own stream of notifications, which is for looking and not for triggering."""
