"""A source of keys: a web server for one bundle, and `sluice keys` to make and sign what it serves."""

import hashlib
import json
import pathlib
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from . import gateway


def sluice(*arguments: object, text: str | None = None) -> subprocess.CompletedProcess:
    """`sluice keys …`"""
    return subprocess.run([gateway.SLUICE, "keys", *arguments], input=text, capture_output=True, text=True, timeout=60)


def entry(key: str, name: str, **fields: object) -> dict:
    return {"id": name, "sha256": hashlib.sha256(key.encode()).hexdigest()} | fields


class Signer:
    """A pair of keys, and bundles that it signs."""

    def __init__(self, folder: pathlib.Path, name: str = "signer") -> None:
        self.folder = folder
        self.private = folder / f"{name}.pem"
        done = sluice("keypair", "--private", self.private)
        assert done.returncode == 0, done.stderr
        self.public = done.stdout.strip()

    def bundle(self, serial: int, keys: list[dict], *arguments: str) -> bytes:
        path = self.folder / "keys.json"
        path.write_text(json.dumps({"keys": keys}))
        output = self.folder / "bundle"
        done = sluice("bundle", path, "--key", self.private, "--serial", str(serial), "--output", output, *arguments)
        assert done.returncode == 0, done.stderr
        return output.read_bytes()


class Source:
    """Serves a bundle at `/keys`, with an `etag` unless told otherwise."""

    def __init__(self) -> None:
        self.bundle = b""
        self.status = 200
        self.with_etag = True
        self.hanging = threading.Event()
        self.statuses: list[int] = []
        source = self

        class Handler(BaseHTTPRequestHandler):
            # A connection ends with its answer, so that a source that is stopped is gone.
            protocol_version = "HTTP/1.0"

            def do_GET(self) -> None:
                if source.hanging.is_set():
                    time.sleep(15)
                body, status = source.bundle, source.status
                etag = f'"{hashlib.sha256(body).hexdigest()}"' if source.with_etag else ""
                if etag and self.headers["if-none-match"] == etag and status == 200:
                    body, status = b"", 304
                source.statuses.append(status)
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                if etag:
                    self.send_header("etag", etag)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = None
        self.handler = Handler
        self.port = 0
        self.start()

    def start(self) -> None:
        """Begins to serve, on the same port as before."""
        ThreadingHTTPServer.allow_reuse_address = True
        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), self.handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self) -> "Source":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def entry(self, signer: Signer, **fields: object) -> dict:
        """`callers.source` for this source."""
        place = {"endpoint": f"http://127.0.0.1:{self.port}", "path": "/keys", "refresh": "1s"}
        return place | {"public_key": signer.public} | fields
