"""Ways in: Kafka, MQTT and MinIO's webhook, all over one delivery core that loses nothing."""
