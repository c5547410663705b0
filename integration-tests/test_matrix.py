"""Every client's dialect at every provider's, on the real Envoy."""

import base64
import json

import pytest
from support import matrix, matrix_sdk
from support.gateway import Gateway, policy

PIECE = 53


@pytest.fixture(scope="module")
def gateway(mock_vendors):
    """A gateway with every provider of the matrix; one mock plays them all, by scripts."""
    root = mock_vendors.addresses["openai"]
    own = {
        "openai": {"endpoint": f"{root}/v1"},
        "bedrock": {"region": "eu-central-1"},
        "vertex": {"region": "europe-west4", "project": "project-1"},
    }
    dialects = {square.provider: square.dialect for square in matrix.squares()}
    providers = {
        name: {"dialect": dialect, "endpoint": root, "credential": {"env": "TEST_OPENAI_KEY"}} | own.get(dialect, {})
        for name, dialect in dialects.items()
    }
    models = {
        square.model: {"targets": [{"provider": square.provider, "model": square.heard["model"]}]} | square.policy
        for square in matrix.squares()
    }
    with Gateway(policy(mock_vendors, models, providers=providers), "--concurrency", "1") as gateway:
        yield gateway
        assert gateway.wasm_trouble() == []


def script(vendors, square: matrix.Square) -> bytes:
    content_type, body = square.response()
    # A stream is cut inside of events and characters.
    size = PIECE if square.stream else len(body)
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    chunks = [{"base64": base64.b64encode(piece).decode()} for piece in pieces]
    status = square.heard.get("status", 200)
    headers = [("content-type", content_type), *square.heard.get("headers", {}).items()]
    vendors.script("openai", {"kind": "raw", "status": status, "headers": headers, "chunks": chunks})
    return body


@pytest.mark.parametrize("square", [pytest.param(one, id=one.name) for one in matrix.squares()])
def test_a_square_holds(square, gateway, vendors):
    body = script(vendors, square)
    path, request = square.call()
    answer = gateway.client.post(path, json=request)
    if square.refused:
        assert 400 <= answer.status_code < 500 and square.refused in answer.text, answer.text
        assert vendors.records() == []
        return
    assert answer.status_code == square.said.get("status", 200), answer.text
    [record] = vendors.records()
    target, upstream = square.upstream()
    assert record["target"] == target
    for change in ("dropped", "clamped"):
        named = {path for path in answer.headers.get(f"x-sluice-{change}", "").split(", ") if path}
        assert named == square.named(change), change
    if square.is_native:
        assert answer.content == body
        return
    assert matrix.matches(record["json"], upstream), json.dumps(record["json"])
    if square.stream:
        # What a stream comes to is the official SDKs' to say, below, and the core's matrix.
        assert answer.headers["content-type"] == "text/event-stream"
        return
    got = answer.json()
    expected = square.answer()
    if square.client == "openai_responses" and answer.status_code == 200:
        # The Responses API repeats most of the request in its answer.
        got = {name: value for name, value in got.items() if name in expected}
    assert matrix.matches(got, expected), answer.text


SDK_SQUARES = [
    square
    for square in matrix.squares()
    if square.client in matrix_sdk.CALLERS and not square.refused and "status" not in square.heard
]


@pytest.mark.parametrize("square", [pytest.param(one, id=one.name) for one in SDK_SQUARES])
def test_an_official_sdk_reads_it(square, gateway, vendors):
    script(vendors, square)
    assert matrix_sdk.call(square, gateway.url) == matrix_sdk.expected(square)
    [record] = vendors.records()
    assert record["leaked_headers"] == []
