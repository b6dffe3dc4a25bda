"""An MQTT 5 broker that a test plays byte by byte (MQTT 5, 3.2 and 3.9)."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

from penstock.connect.mqtt.broker import Broker

CONNECT, SUBSCRIBE, PUBACK = 1, 8, 4
GRANTED, NOT_AUTHORIZED = 1, 0x87


class PlayedBroker:
    """Answers CONNECT and SUBSCRIBE with reason codes; None: no answer. `publish` sends a message with QoS 1."""

    def __init__(self, *, connect: int | None = 0, subscribe: int | None = GRANTED) -> None:
        self.connect = connect
        self.subscribe = subscribe
        self.clients = 0
        self.acknowledged: list[int] = []
        self._connections: list[socket.socket] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> Broker:
        return Broker("127.0.0.1", self.port, "penstock-test")

    def publish(self, mid: int, topic: str, payload: bytes) -> None:
        name = topic.encode()
        body = len(name).to_bytes(2, "big") + name + mid.to_bytes(2, "big") + b"\0" + payload
        self._connections[-1].sendall(bytes([0x32, len(body)]) + body)

    def stop(self) -> None:
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts: a close alone would not
        self._server.close()
        for each in self._connections:
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                connection = self._server.accept()[0]
            except OSError:
                return
            self._connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        stream = connection.makefile("rb")
        while head := stream.read(1):
            size = shift = 0
            while (byte := stream.read(1)[0]) & 0x80:
                size, shift = size | (byte & 0x7F) << shift, shift + 7
            body = stream.read(size | byte << shift)
            kind = head[0] >> 4
            if kind == CONNECT and self.connect is not None:
                self.clients += 1
                connection.sendall(bytes([0x20, 3, 0, self.connect, 0]))
            elif kind == SUBSCRIBE and self.subscribe is not None:
                connection.sendall(bytes([0x90, 4]) + body[:2] + bytes([0, self.subscribe]))
            elif kind == PUBACK:
                self.acknowledged.append(int.from_bytes(body[:2], "big"))
