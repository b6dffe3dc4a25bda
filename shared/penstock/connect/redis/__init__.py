"""The Redis connector: the list that MinIO's access format writes, taken so that a killed connector loses nothing."""
