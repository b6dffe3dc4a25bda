"""One function served over HTTP by gunicorn and Flask."""
