"""Messages with trailers, from clients and from vendors, over HTTP/1.1 and HTTP/2."""

import contextlib
import datetime
import ipaddress
import json
import pathlib
import socket
import ssl
import threading
import time
from urllib.parse import urlsplit

import h2.config
import h2.connection
import h2.events
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from .gateway import CLIENT_KEY, Gateway


def certificate(folder: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    """A certificate for `localhost` that is its own authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
    builder = builder.not_valid_after(now + datetime.timedelta(days=1)).add_extension(names, critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    made = builder.sign(key, hashes.SHA256())
    files = folder / "trailers.pem", folder / "trailers.key"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    encoding = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    files[1].write_bytes(key.private_bytes(*encoding))
    return files


TRAILERS = [("x-checksum", "1"), ("x-sluice-guards", "none")]


def pieces(request: dict) -> tuple[str, list[bytes]]:
    """An answer that says the user's last text again, word by word; `cut` in it ends a stream before its time."""
    text = request["messages"][-1]["content"]
    head = {"id": "c", "created": 1, "model": "m"}
    if not request.get("stream"):
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
        return "application/json", [json.dumps(head | {"object": "chat.completion", "choices": [choice], "usage": usage}).encode()]
    deltas = [({"role": "assistant", "content": ""}, None)] + [({"content": word + " "}, None) for word in text.split()]
    if "cut" not in text:
        deltas.append(({}, "stop"))
    chunks = [head | {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]} for delta, finish in deltas]
    events = [f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks]
    return "text/event-stream", events + ([] if "cut" in text else [b"data: [DONE]\n\n"])


class Vendor:
    """A server that ends every answer with trailers: over HTTP/2 and TLS with a certificate, or over HTTP/1.1 without."""

    def __init__(self, files: tuple[pathlib.Path, pathlib.Path] | None, gap: float = 0.0) -> None:
        self.gap = gap
        self.context = None
        if files:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*files)
            self.context.set_alpn_protocols(["h2"])
        self.socket = socket.create_server(("127.0.0.1", 0))
        scheme, port = ("https" if files else "http"), self.socket.getsockname()[1]
        self.endpoint = f"{scheme}://localhost:{port}/v1"
        self.requests: list[dict] = []
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def __enter__(self) -> "Vendor":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
        self.thread.join(5)

    def accept(self) -> None:
        while True:
            try:
                wire, _ = self.socket.accept()
            except OSError:
                return
            serve = self.serve_http2 if self.context else self.serve_http1
            threading.Thread(target=self.quietly, args=(serve, wire), daemon=True).start()

    def quietly(self, serve, wire: socket.socket) -> None:
        with contextlib.suppress(OSError, h2.exceptions.ProtocolError):
            wire.settimeout(30)
            serve(wire)

    def serve_http2(self, wire: socket.socket) -> None:
        tls = self.context.wrap_socket(wire, server_side=True)
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        tls.sendall(connection.data_to_send())
        bodies: dict[int, bytes] = {}
        while data := tls.recv(65536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.DataReceived):
                    bodies[event.stream_id] = bodies.get(event.stream_id, b"") + event.data
                    connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded):
                    request = json.loads(bodies.pop(event.stream_id))
                    self.requests.append(request)
                    kind, events = pieces(request)
                    connection.send_headers(event.stream_id, [(":status", "200"), ("content-type", kind)])
                    for piece in events:
                        connection.send_data(event.stream_id, piece)
                        tls.sendall(connection.data_to_send())
                        time.sleep(self.gap)
                    connection.send_headers(event.stream_id, TRAILERS, end_stream=True)
            tls.sendall(connection.data_to_send())

    def serve_http1(self, wire: socket.socket) -> None:
        file = wire.makefile("rb")
        while line := file.readline():
            assert line.startswith(b"POST")
            length = 0
            while (header := file.readline()) != b"\r\n":
                name, _, value = header.decode().partition(":")
                length = int(value) if name.lower() == "content-length" else length
            request = json.loads(file.read(length))
            self.requests.append(request)
            kind, events = pieces(request)
            head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\ntrailer: x-checksum\r\n\r\n"
            wire.sendall(head.encode())
            for piece in events:
                wire.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
                time.sleep(self.gap)
            wire.sendall(b"0\r\n" + b"".join(f"{name}: {value}\r\n".encode() for name, value in TRAILERS) + b"\r\n")


def ask_over_http2(gateway: Gateway, request: dict, trailers: bool, **headers: str) -> tuple[int, bytes, bool]:
    """Sends a chat completion over HTTP/2. Returns the answer's status and body, and whether it ended well."""
    address = urlsplit(gateway.url)
    connection = h2.connection.H2Connection()
    with socket.create_connection((address.hostname, address.port), timeout=20) as wire:
        connection.initiate_connection()
        own = [(":method", "POST"), (":scheme", "http"), (":authority", address.netloc), (":path", "/v1/chat/completions")]
        named = [(name.replace("_", "-"), value) for name, value in headers.items()]
        own += [("authorization", f"Bearer {CLIENT_KEY}"), ("content-type", "application/json"), *named]
        connection.send_headers(1, own)
        content = json.dumps(request).encode()
        for at in range(0, len(content), 4000):
            connection.send_data(1, content[at : at + 4000], end_stream=not trailers and at + 4000 >= len(content))
        wire.sendall(connection.data_to_send())
        if trailers:
            time.sleep(0.05)
            connection.send_headers(1, [("x-checksum", "1"), ("x-sluice-provider", "me")], end_stream=True)
            wire.sendall(connection.data_to_send())
        status, body = 0, b""
        while data := wire.recv(65536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.ResponseReceived):
                    status = int(dict(event.headers)[b":status"])
                elif isinstance(event, h2.events.DataReceived):
                    body += event.data
                    connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded):
                    return status, body, True
                elif isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated)):
                    return status, body, False
            wire.sendall(connection.data_to_send())
        return status, body, False
