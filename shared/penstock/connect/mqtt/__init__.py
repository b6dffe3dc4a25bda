"""The MQTT connector: QoS 1, acknowledged when the function has given its final answer."""
