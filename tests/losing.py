"""A proxy before a server that can lose an answer: the server has done it, and its client does not know."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

CHUNK = 1 << 16


class LosingProxy:
    """Hands on what goes between clients and a server.

    Attributes:
        port: where clients connect, on 127.0.0.1.
        lost: how many answers were lost.
    """

    def __init__(self, port: int) -> None:
        self._server = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._marker: bytes | None = None
        self.lost = 0

    def lose(self, marker: bytes) -> None:
        """Lose the answer to the next message that contains ``marker``, and its connection with it."""
        self._marker = marker

    def accept(self) -> None:
        """Serve clients until `close`."""
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._server) as server, suppress(OSError):
            losing = threading.Event()
            answers = threading.Thread(target=self._answers, args=(server, client, losing), daemon=True)
            answers.start()
            while message := client.recv(CHUNK):
                if self._marker is not None and self._marker in message:
                    self._marker = None
                    losing.set()
                server.sendall(message)
            server.shutdown(socket.SHUT_WR)
            answers.join()

    def _answers(self, server: socket.socket, client: socket.socket, losing: threading.Event) -> None:
        with suppress(OSError):
            while answer := server.recv(CHUNK):
                if losing.is_set():
                    self.lost += 1
                    break
                client.sendall(answer)
            client.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Take no more clients."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@contextmanager
def losing_proxy(port: int) -> Iterator[LosingProxy]:
    """A proxy of a port of 127.0.0.1 for the block."""
    proxy = LosingProxy(port)
    thread = threading.Thread(target=proxy.accept, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join()
