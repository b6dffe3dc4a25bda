"""The MQTT connector: QoS 1, acknowledged when the function has answered finally."""
