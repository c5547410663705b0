"""Providers of every dialect, played by one mock: what they answer is written out by the tests."""

import base64
import json

from . import matrix
from .gateway import CLIENT_KEY
from .vendors import KEYS, Vendors

# The mock that plays them all.
STAGE = "openai"
# What a provider's policy says besides its dialect, endpoint and credential.
OWN = {
    "bedrock": {"region": "eu-central-1"},
    "vertex": {"region": "europe-west4", "project": "project-1"},
}
# The least PNG: one pixel.
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def provider(vendors: Vendors, dialect: str, **fields: object) -> dict:
    """A provider of this dialect whose requests arrive at the stage."""
    endpoint = vendors.addresses[STAGE] + ("/v1" if dialect == "openai" else "")
    return (
        {"dialect": dialect, "endpoint": endpoint, "credential": {"env": "TEST_OPENAI_KEY"}}
        | OWN.get(dialect, {})
        | fields
    )


def play(
    vendors: Vendors,
    body: object,
    status: int = 200,
    content_type: str = "application/json",
    headers: tuple = (),
    piece: int = 0,
    vendor: str = STAGE,
    **behaviour: object,
) -> bytes:
    """Queues an answer: bytes or text as they are, anything else as JSON; in pieces of `piece` bytes, or whole."""
    content = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    size = piece or len(content) or 1
    chunks = [{"base64": base64.b64encode(content[at : at + size]).decode()} for at in range(0, len(content), size)]
    all_headers = [("content-type", content_type), *headers]
    script = {"kind": "raw", "status": status, "headers": all_headers, "chunks": chunks} | behaviour
    vendors.script(vendor, script)
    return content


def play_events(vendors: Vendors, dialect: str, events: list, piece: int = 53, **options: object) -> bytes:
    """Queues a stream in the framing of the dialect, cut inside of events and characters."""
    if dialect == "bedrock":
        body = b"".join(matrix.aws_event(*next(iter(event.items()))) for event in events)
        return play(vendors, body, content_type="application/vnd.amazon.eventstream", piece=piece, **options)
    body = b"".join(matrix.sse(event, dialect) for event in events)
    return play(vendors, body, content_type="text/event-stream", piece=piece, **options)


def sent(vendors: Vendors) -> dict:
    """The one request that arrived, with nothing of the client's credential or the gateway's own in it."""
    [record] = vendors.records()
    assert CLIENT_KEY not in json.dumps([record["target"], record["headers"], record["body"]])
    assert record["leaked_headers"] == []
    return record


def body_of(record: dict) -> bytes:
    """The bytes of a request that arrived."""
    body = record["body"]
    return body["text"].encode() if "text" in body else base64.b64decode(body["base64"])


def dropped(headers: object) -> set[str]:
    """What the answer's headers name as left out."""
    return {path for path in headers.get("x-sluice-dropped", "").split(", ") if path}


def bearer(name: str = STAGE) -> str:
    return f"Bearer {KEYS[name]}"
