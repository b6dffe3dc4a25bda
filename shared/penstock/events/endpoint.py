"""An HTTP endpoint that takes CloudEvents: a Broker, a channel, or any other receiver of events.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md, binary mode.
"""

from penstock.errors import TemporaryError
from penstock.events.cloudevent import CloudEventFields


class EventEndpoint:
    """One URL that events are sent to, with one POST each. `ca_file` is a PEM file with a private CA."""

    def __init__(self, url: str, ca_file: str | None = None, *, timeout_seconds: float = 10.0) -> None:
        import urllib3

        self.url = url
        self._pool = urllib3.PoolManager(ca_certs=ca_file, retries=False, timeout=timeout_seconds)

    def send(self, event: CloudEventFields) -> None:
        """Deliver one event; raises `TemporaryError` unless the answer is a 2xx."""
        import urllib3

        try:
            # A redirect is not followed: clients repeat a POST as a GET, and the event would be lost.
            response = self._pool.request(
                "POST", self.url, body=event.data, headers=event.http_headers(), redirect=False
            )
        except urllib3.exceptions.HTTPError as exc:
            raise TemporaryError(f"{self.url}: the event could not be sent: {exc}") from exc
        if not 200 <= response.status < 300:
            raise TemporaryError(f"{self.url}: the event was answered {response.status}")
