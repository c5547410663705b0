"""Bytes on a socket: for what an HTTP library would put right before it is sent or read."""

import contextlib
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import h11

from .gateway import CLIENT_KEY, Gateway


class Connection:
    """One HTTP/1.1 connection to a gateway, kept alive."""

    def __init__(self, gateway: Gateway) -> None:
        address = urlsplit(gateway.url)
        self.authority = address.netloc
        self.socket = socket.create_connection((address.hostname, address.port), timeout=20)
        # Small pieces are meant to arrive as such.
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = h11.Connection(h11.CLIENT)

    def head(self, *headers: str, path: str = "/v1/chat/completions", method: str = "POST") -> bytes:
        """The head of a request, with these header lines besides the usual ones."""
        lines = [
            f"{method} {path} HTTP/1.1",
            f"host: {self.authority}",
            f"authorization: Bearer {CLIENT_KEY}",
            "content-type: application/json",
            *headers,
        ]
        return "\r\n".join([*lines, "", ""]).encode()

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.socket.sendall(piece)

    def response(self, method: str = "POST") -> tuple[h11.Response, bytes]:
        """The next response, read by its framing alone: what is too much or too little shows in the one after it."""
        if self.reader.states[h11.CLIENT] is h11.DONE:
            self.reader.start_next_cycle()
        # The reader has to know what was asked; the bytes were sent by hand.
        self.reader.send(h11.Request(method=method, target="/", headers=[("host", self.authority)]))
        self.reader.send(h11.EndOfMessage())
        head, body = None, b""
        while True:
            event = self.reader.next_event()
            if event is h11.NEED_DATA:
                self.reader.receive_data(self.socket.recv(65536))
            elif isinstance(event, h11.InformationalResponse):
                continue
            elif isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return head, body
            else:
                raise AssertionError(f"{event} after {body!r}")

    def is_closed(self) -> bool:
        """Whether the gateway ends the connection."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self.socket.close()


@contextlib.contextmanager
def connect(gateway: Gateway) -> Iterator[Connection]:
    """A connection for as long as the block lasts."""
    connection = Connection(gateway)
    try:
        yield connection
    finally:
        connection.close()


def chunked(body: bytes, size: int, trailers: bytes = b"") -> list[bytes]:
    """A body as `transfer-encoding: chunked` has it, in chunks of this size."""
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    return [b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks] + [b"0\r\n" + trailers + b"\r\n"]
