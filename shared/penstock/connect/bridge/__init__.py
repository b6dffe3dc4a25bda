"""The bridge: MinIO's webhook in, every event on disk before the answer, CloudEvents out."""
