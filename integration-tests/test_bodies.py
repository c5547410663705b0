"""Bodies of every size and framing: none is mixed up with another, and none kills the gateway."""

import contextlib
import json

import httpx
import pytest
from support import cases
from support.answers import NAMES, check_request, error_of, text_of
from support.gateway import CLIENT_KEY, MODELS, Gateway, policy
from support.wire import chunked, connect

DIALECTS = list(MODELS)
MEGABYTE = 1 << 20
LIMIT = 64 << 10


@pytest.fixture(scope="module")
def small(mock_vendors):
    """A gateway that holds 64 KiB at most."""
    listen = {"address": "127.0.0.1", "port": 0, "admin_port": 0, "max_body_bytes": LIMIT}
    with Gateway(policy(mock_vendors, listen=listen), "--concurrency", "1") as gateway:
        yield gateway
        assert gateway.wasm_trouble() == []


def request(model: str, text: str = "Hello", **fields: object) -> bytes:
    return json.dumps({"model": model, "messages": [{"role": "user", "content": text}]} | fields).encode()


def long_text(size: int) -> str:
    """A text of so many bytes that is nowhere like itself."""
    words = []
    length = 0
    while length < size:
        words.append(f"word{len(words)}")
        length += len(words[-1]) + 1
    return " ".join(words)[:size]


def answer_with(text: str) -> dict:
    return {"kind": "content", "text": text}


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("vendor", DIALECTS)
def test_a_request_of_3_megabytes_passes(vendor, stream, gateway, vendors):
    text = long_text(3 * MEGABYTE)
    vendors.script(vendor, answer_with("Read."))
    assert text_of(gateway.chat(vendor, text, stream=stream)) == "Read."
    (record,) = vendors.records()
    check_request(record, vendors, vendor)
    assert text in record["body"]["text"]


@pytest.mark.parametrize("first", DIALECTS)
def test_a_request_of_3_megabytes_passes_after_a_failure(first, gateway, vendors):
    """`any` asks the vendors in turn, so the last of them gets it after all the others have failed."""
    text = long_text(3 * MEGABYTE)
    failing = DIALECTS[: DIALECTS.index(first)]
    for name in failing:
        vendors.script(name, {"kind": "status", "status": 500})
    vendors.script(first, answer_with("Read."))
    assert text_of(gateway.chat("any", text)) == "Read."
    records = vendors.records()
    assert [record["instance"] for record in records] == [*failing, first]
    for record in records:
        check_request(record, vendors, record["instance"])
        assert text in record["body"]["text"]


@pytest.mark.parametrize("vendor", DIALECTS)
def test_an_answer_of_3_megabytes_passes(vendor, gateway, vendors):
    text = long_text(3 * MEGABYTE)
    vendors.script(vendor, answer_with(text))
    answer = gateway.chat(vendor)
    assert text_of(answer) == text
    assert answer.headers["content-length"] == str(len(answer.content))


@pytest.mark.parametrize("vendor", DIALECTS)
def test_a_stream_of_3_megabytes_passes(vendor, gateway, vendors):
    text = long_text(3 * MEGABYTE)
    vendors.script(vendor, answer_with(text))
    vendors.pace(vendor, pieces=300)
    assert text_of(gateway.chat(vendor, stream=True)) == text


def too_large(answer: httpx.Response) -> None:
    error = error_of(answer, 413)
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", "request_too_large", None)
    assert str(LIMIT) in error["message"]


@pytest.mark.parametrize("vendor", ["openai", "anthropic"])
@pytest.mark.parametrize("framing", ["with its length", "chunked"])
@pytest.mark.parametrize("size", [LIMIT + 1, 2 * LIMIT, 3 * MEGABYTE])
def test_a_request_over_the_limit_is_refused(size, framing, vendor, small, vendors):
    body = request(vendor, "x" * (size - len(request(vendor, ""))))
    assert len(body) == size
    content = body if framing == "with its length" else (body[at : at + 8192] for at in range(0, len(body), 8192))
    too_large(small.client.post("/v1/chat/completions", content=content, headers={"content-type": "application/json"}))
    assert vendors.records() == []
    assert small.chat(vendor).status_code == 200


@pytest.mark.parametrize("vendor", DIALECTS)
def test_a_request_at_the_limit_passes(vendor, small, vendors):
    text = "x" * (LIMIT - len(request(vendor, "")))
    body = request(vendor, text)
    assert len(body) == LIMIT
    vendors.script(vendor, answer_with("Read."))
    headers = {"content-type": "application/json"}
    answer = small.client.post("/v1/chat/completions", content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    assert vendors.records()[0]["body_bytes"] > LIMIT - 100


@pytest.mark.parametrize("vendor", DIALECTS)
@pytest.mark.parametrize("size", [2 * LIMIT, 3 * MEGABYTE])
def test_an_answer_over_the_limit_is_a_clean_error(size, vendor, small, vendors):
    vendors.script(vendor, answer_with("x" * size))
    answer = small.chat(vendor)
    assert answer.status_code == 502, f"{answer.status_code} with {len(answer.content)} bytes"
    error = error_of(answer, 502)
    assert (error["type"], error["code"]) == ("server_error", "provider_answer_too_large")
    assert small.chat(vendor).status_code == 200


@pytest.mark.parametrize("vendor", DIALECTS)
def test_a_stream_may_be_longer_than_the_limit(vendor, small, vendors):
    text = long_text(4 * LIMIT)
    vendors.script(vendor, answer_with(text))
    vendors.pace(vendor, pieces=64)
    assert text_of(small.chat(vendor, stream=True)) == text


def endless_event(beginning: str = "") -> dict:
    """A stream with an event that is longer than the gateway holds."""
    chunks = [{"text": beginning + 'data: {"x": "'}] + [{"text": "x" * 8192}] * (3 * LIMIT // 8192)
    return {"kind": "raw", "headers": [["content-type", "text/event-stream"]], "chunks": chunks, "gap_ms": 1}


@pytest.mark.parametrize("vendor", DIALECTS)
def test_a_first_event_over_the_limit_is_a_clean_error(vendor, small, vendors):
    vendors.script(vendor, endless_event())
    assert error_of(small.chat(vendor, stream=True), 502)["code"] == "provider_malformed"
    assert small.chat(vendor).status_code == 200


@pytest.mark.parametrize("vendor", DIALECTS)
def test_a_later_event_over_the_limit_ends_the_stream_with_an_error(vendor, small, vendors):
    usual = next(one for one in cases.chat() if (one.case, one.provider) == ("stream-text", vendor))
    beginning = usual.response.content.decode().split("\n\n")[:2]
    vendors.script(vendor, endless_event("\n\n".join([*beginning, ""])))
    events = cases.events(small.chat(vendor, stream=True).content)
    assert events[-1]["error"]["code"] == "provider_malformed"
    assert "choices" in events[0]
    assert small.chat(vendor).status_code == 200


@pytest.mark.parametrize("vendor", DIALECTS)
def test_two_requests_in_a_row_on_one_connection_are_not_mixed_up(vendor, mock_vendors, vendors):
    """Both bodies change their lengths on the way, in both directions; a length left behind would put the rest of one
    message into the next."""
    texts = ["short", 'much longer than the one before, with ümläuts \u2028 and "quotes"', "", "the end"]
    with Gateway(policy(mock_vendors), "--concurrency", "1") as gateway, connect(gateway) as connection:
        for text in texts:
            body = request(vendor, text) if text else request(vendor, "x", seed=None, stop=[])
            connection.send(connection.head(f"content-length: {len(body)}"), body)
            head, answer = connection.response()
            headers = dict(head.headers)
            assert head.status_code == 200, answer
            assert headers[b"content-length"] == b"%d" % len(answer)
            said = json.loads(answer)["choices"][0]["message"]["content"]
            assert said == f'This is {NAMES[vendor]}. You said: "{text or "x"}".'
        records = vendors.records()
        assert len(records) == len(texts)
        assert len({record["connection"] for record in records}) == 1, "Envoy opened a new connection"
        for record, text in zip(records, texts, strict=True):
            check_request(record, vendors, vendor)
            assert json.dumps(text or "x", ensure_ascii=False) in json.dumps(record["json"], ensure_ascii=False)
        assert gateway.stat(f"cluster.sluice-provider-{vendor}.upstream_cx_total") == 1


def test_pipelined_requests_are_answered_in_order(gateway, vendors):
    with connect(gateway) as connection:
        bodies = [request(vendor, f"to {vendor}") for vendor in DIALECTS]
        connection.send(b"".join(connection.head(f"content-length: {len(body)}") + body for body in bodies))
        for vendor in DIALECTS:
            head, answer = connection.response()
            assert head.status_code == 200
            said = json.loads(answer)["choices"][0]["message"]["content"]
            assert said == f'This is {NAMES[vendor]}. You said: "to {vendor}".'


def test_a_refusal_leaves_the_connection_fit_for_the_next_request(gateway, vendors):
    """A request that the policy filter answers itself has a body as well, and it must not spill over."""
    with connect(gateway) as connection:
        for vendor in DIALECTS:
            for body, status in [(request("no-such-model"), 404), (request(vendor), 200)]:
                connection.send(connection.head(f"content-length: {len(body)}"), body)
                assert connection.response()[0].status_code == status


@pytest.mark.parametrize("vendor", DIALECTS)
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
def test_a_client_of_http_2_is_served(vendor, stream, gateway, vendors):
    headers = {"authorization": f"Bearer {CLIENT_KEY}", "content-type": "application/json"}
    with httpx.Client(base_url=gateway.url, http1=False, http2=True, headers=headers, timeout=20) as client:
        for text in ("Hello", "Hello again"):
            answer = client.post("/v1/chat/completions", content=request(vendor, text, stream=stream))
            assert answer.http_version == "HTTP/2"
            assert text_of(answer) == f'This is {NAMES[vendor]}. You said: "{text}".'
        answer = client.post("/v1/chat/completions", content=request(vendor, long_text(3 * MEGABYTE)))
        assert answer.status_code == 200
    assert len(vendors.records()) == 3
    for record in vendors.records():
        check_request(record, vendors, vendor)


@pytest.mark.parametrize("vendor", DIALECTS)
def test_a_client_may_send_trailers(vendor, gateway, vendors):
    with connect(gateway) as connection:
        for text in ("Hello", "Hello again"):
            head = connection.head("transfer-encoding: chunked", "trailer: x-checksum")
            connection.send(head, *chunked(request(vendor, text), 20, b"x-checksum: 1\r\nx-sluice-provider: me\r\n"))
            head, answer = connection.response()
            assert head.status_code == 200, answer
            assert f'You said: \\"{text}\\".' in answer.decode()
    for record in vendors.records():
        check_request(record, vendors, vendor)


@pytest.mark.parametrize("vendor", DIALECTS)
def test_an_upload_in_tiny_chunks_is_served(vendor, gateway, vendors):
    body = request(vendor, "in tiny pieces: äöü")
    with connect(gateway) as connection:
        connection.send(connection.head("transfer-encoding: chunked"), *chunked(body, 1))
        head, answer = connection.response()
        assert head.status_code == 200
        assert json.loads(answer)["choices"][0]["message"]["content"].endswith('You said: "in tiny pieces: äöü".')
    check_request(vendors.records()[0], vendors, vendor)


def test_a_client_may_wait_to_be_told_to_go_on(gateway, vendors):
    body = request("anthropic")
    with connect(gateway) as connection:
        connection.send(connection.head(f"content-length: {len(body)}", "expect: 100-continue"))
        assert connection.socket.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.send(body)
        head, answer = connection.response()
        assert head.status_code == 200, answer
    check_request(vendors.records()[0], vendors, "anthropic")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("GET", "/v1/chat/completions"), ("POST", "/v1/nothing"), ("DELETE", "/v1/chat/completions")],
)
def test_what_is_not_there_is_a_404_in_json(method, path, gateway, vendors):
    answer = gateway.client.request(method, path, content=request("openai") if method == "POST" else None)
    error = error_of(answer, 404)
    assert error["code"] == "unknown_url"
    assert path in error["message"] and method in error["message"]
    assert vendors.records() == []


def test_a_head_request_gets_no_body(gateway, vendors):
    with connect(gateway) as connection:
        connection.send(connection.head(method="HEAD", path="/"))
        head, answer = connection.response("HEAD")
        assert (head.status_code, answer) == (404, b"")
        body = request("openai")
        connection.send(connection.head(f"content-length: {len(body)}"), body)
        assert connection.response()[0].status_code == 200


@pytest.mark.parametrize("framing", ["content-length: 0", "transfer-encoding: chunked"])
def test_an_empty_body_is_refused(framing, gateway, vendors):
    with connect(gateway) as connection:
        connection.send(connection.head(framing))
        if "chunked" in framing:
            connection.send(b"0\r\n\r\n")
        head, answer = connection.response()
        assert head.status_code == 400
        assert json.loads(answer)["error"]["code"] == "invalid_json"
    assert vendors.records() == []


def test_a_request_without_a_body_is_refused(gateway, vendors):
    error = error_of(gateway.client.post("/v1/chat/completions"), 400)
    assert error["code"] == "invalid_json"
    assert vendors.records() == []


def test_a_client_that_leaves_in_the_middle_of_its_request_harms_nobody(gateway, vendors):
    for _ in range(5):
        with connect(gateway) as connection:
            connection.send(connection.head("content-length: 1000"), b'{"model": "openai",')
    assert gateway.chat("openai").status_code == 200
    assert len(vendors.records()) == 1


def test_lengths_that_contradict_each_other_are_refused(gateway, vendors):
    """Both framings, or two lengths, are how requests are smuggled."""
    body = request("openai")
    for lines in (
        [f"content-length: {len(body)}", "transfer-encoding: chunked"],
        [f"content-length: {len(body)}", f"content-length: {len(body) + 5}"],
    ):
        with connect(gateway) as connection:
            connection.send(connection.head(*lines), body)
            with contextlib.suppress(ConnectionResetError):
                assert b" 400 " in connection.socket.recv(200)
            assert vendors.records() == []
