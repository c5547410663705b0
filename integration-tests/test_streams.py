"""Streams stay streams: events pass when they come, and every way to break off is noticed on the other side."""

import contextlib
import itertools
import statistics
import time

import httpx
import pytest
from support import cases
from support.answers import check_request, text_of_events
from support.gateway import MODELS, Gateway, policy
from support.waiting import until
from support.wire import connect

DIALECTS = list(MODELS)
WORDS = " ".join(f"word{number}" for number in range(10))
each_vendor = pytest.mark.parametrize("vendor", DIALECTS)


@pytest.fixture(scope="module")
def impatient(mock_vendors):
    """A gateway that waits half a second for an answer and one second for an answer's next event."""

    def model(*names: str, **settings: str) -> dict:
        return {"targets": [{"provider": name, "model": MODELS[name]} for name in names]} | settings

    models = {name: model(name, attempt_timeout="500ms", idle_timeout="1s") for name in DIALECTS}
    models["silent"] = model("openai", "anthropic", idle_timeout="1s")
    models["patient"] = model("openai", idle_timeout="60s")
    with Gateway(policy(mock_vendors, models), "--concurrency", "1") as gateway:
        yield gateway
        assert gateway.wasm_trouble() == []


@contextlib.contextmanager
def streaming(gateway: Gateway, model: str, text: str = "Hello", **fields: object):
    """An answer under way."""
    body = {"model": model, "messages": [{"role": "user", "content": text}], "stream": True} | fields
    with gateway.client.stream("POST", "/v1/chat/completions", json=body) as answer:
        yield answer


def nothing_is_active(gateway: Gateway) -> bool:
    """Whether Envoy has let go of every exchange."""
    stats = httpx.get(f"{gateway.admin}/stats", params={"filter": r"rq_active$"}, timeout=10).text
    active = [line for line in stats.splitlines() if not line.endswith(": 0")]
    return [line for line in active if not line.startswith(("http.admin", "listener.admin"))] == []


@each_vendor
def test_events_arrive_when_the_vendor_sends_them(vendor, gateway, vendors):
    vendors.script(vendor, {"kind": "content", "text": WORDS})
    vendors.pace(vendor, gap_ms=150)
    arrivals, content = [], b""
    with streaming(gateway, vendor) as answer:
        assert answer.status_code == 200
        for piece in answer.iter_raw():
            if not arrivals:
                sent = vendors.records()[0]["answer"]
                assert sent["ended_ms"] is None
                assert sent["events"] <= 2, "the first event came after the vendor's third"
            arrivals.append(time.monotonic())
            content += piece
    assert text_of_events(cases.events(content)) == WORDS
    gaps = [later - earlier for earlier, later in itertools.pairwise(arrivals)]
    paced = [gap for gap in gaps if gap > 0.05]
    assert len(paced) >= 9, gaps
    assert 0.1 < statistics.median(paced) < 0.2, gaps
    assert max(gaps) < 1, gaps


@each_vendor
def test_events_of_one_packet_do_not_wait_for_the_next(vendor, gateway, vendors):
    """Whatever is whole goes on; only the half event at a packet's end is held back."""
    usual = next(one for one in cases.chat() if (one.case, one.provider) == ("stream-text", vendor))
    content = usual.response.content.decode()
    events = content.split("\n\n")
    middle = len("\n\n".join(events[:3])) + 12
    chunks = [{"text": content[:middle]}, {"text": content[middle:]}]
    headers = [["content-type", "text/event-stream"]]
    vendors.script(vendor, {"kind": "raw", "headers": headers, "chunks": chunks, "gap_ms": 1500})
    started = time.monotonic()
    with streaming(gateway, vendor) as answer:
        pieces = answer.iter_raw()
        first = next(pieces)
        assert time.monotonic() - started < 1
        assert first.endswith(b"\n\n")
        rest = b"".join(pieces)
    assert text_of_events(cases.events(first + rest))


@each_vendor
def test_a_client_that_leaves_is_noticed_by_the_vendor(vendor, gateway, vendors):
    vendors.script(vendor, {"kind": "content", "text": WORDS})
    vendors.pace(vendor, gap_ms=500)
    with streaming(gateway, vendor) as answer:
        next(answer.iter_raw())
    until(lambda: vendors.records()[0]["disconnected"], 2)
    assert vendors.records()[0]["answer"]["events"] < 8
    until(lambda: nothing_is_active(gateway), 2)
    vendors.reset()
    assert gateway.chat(vendor).status_code == 200
    check_request(vendors.records()[0], vendors, vendor)


@each_vendor
def test_a_client_that_leaves_before_the_answer_is_noticed_by_the_vendor(vendor, gateway, vendors):
    vendors.script(vendor, {"kind": "hang"})
    body = b'{"model": "%b", "messages": [{"role": "user", "content": "Hello"}]}' % vendor.encode()
    with connect(gateway) as connection:
        connection.send(connection.head(f"content-length: {len(body)}"), body)
        vendors.wait_for(1)
    until(lambda: vendors.records()[0]["disconnected"], 2)
    until(lambda: nothing_is_active(gateway), 2)
    assert len(vendors.records()) == 1, "the next target was asked for a client that had left"


def test_clients_that_leave_take_their_memory_with_them(mock_vendors, vendors, tell):
    """Each leaves while its 2 MB are still kept for the next target."""
    with Gateway(policy(mock_vendors), "--concurrency", "1") as gateway:
        vendors.script("openai", {"kind": "hang"}, times=0)
        body = b'{"model": "any", "messages": [{"role": "user", "content": "%b"}]}' % (b"x" * (2 << 20))

        def leave(times: int) -> int:
            for _ in range(times):
                before = len(vendors.records())
                with connect(gateway) as connection:
                    connection.send(connection.head(f"content-length: {len(body)}"), body)
                    vendors.wait_for(before + 1)
                until(lambda: nothing_is_active(gateway), 5)
                vendors.reset()
                vendors.script("openai", {"kind": "hang"}, times=0)
            return gateway.resident()

        early, late = leave(8), leave(32)
        tell(f"memory after 8 and 40 exchanges of 2 MB that were left: {early >> 20} MB, {late >> 20} MB")
        assert late - early < 20 << 20
        assert gateway.wasm_trouble() == []


@pytest.mark.parametrize("how", ["reset", "close"])
@each_vendor
def test_a_stream_that_the_vendor_cuts_is_cut_for_the_client(vendor, how, gateway, vendors):
    vendors.script(vendor, {"kind": "cut", "after_events": 4, "how": how})
    started = time.monotonic()
    content = b""
    with pytest.raises(httpx.RemoteProtocolError), streaming(gateway, vendor, "one two three four") as answer:
        for piece in answer.iter_raw():
            content += piece
    assert time.monotonic() - started < 5
    assert b"[DONE]" not in content
    assert b'"choices"' in content
    assert gateway.chat(vendor).status_code == 200


@each_vendor
def test_a_stream_that_ends_too_soon_ends_with_an_error(vendor, gateway, vendors):
    vendors.script(vendor, {"kind": "cut", "after_events": 4, "how": "end"})
    with streaming(gateway, vendor, "one two three four") as answer:
        events = cases.events(answer.read())
    assert events[-1]["error"] == {
        "message": "The provider's stream ended early.",
        "type": "server_error",
        "param": None,
        "code": "stream_truncated",
    }
    assert "choices" in events[0]


@each_vendor
def test_an_error_in_the_middle_of_a_stream_ends_it(vendor, gateway, vendors):
    vendors.script(vendor, {"kind": "stream_error", "after_events": 3, "status": 503})
    with streaming(gateway, vendor, "one two three four") as answer:
        assert answer.status_code == 200
        events = cases.events(answer.read())
    assert "choices" in events[0]
    assert events[-1]["error"]["message"]
    assert [event for event in events if "error" in event] == events[-1:]


@each_vendor
def test_a_stream_may_last_longer_than_an_attempt(vendor, impatient, vendors):
    vendors.script(vendor, {"kind": "content", "text": WORDS})
    vendors.pace(vendor, gap_ms=200)
    with streaming(impatient, vendor) as answer:
        assert text_of_events(cases.events(answer.read())) == WORDS
    assert answer.elapsed.total_seconds() > 1.5


@each_vendor
def test_a_stream_that_falls_silent_is_cut(vendor, impatient, vendors):
    vendors.script(vendor, {"kind": "content", "text": WORDS})
    vendors.pace(vendor, gap_ms=60_000)
    started = time.monotonic()
    with pytest.raises(httpx.RemoteProtocolError), streaming(impatient, vendor) as answer:
        answer.read()
    assert 0.9 < time.monotonic() - started < 5
    until(lambda: vendors.records()[0]["disconnected"], 2)


def test_a_vendor_that_is_silent_from_the_beginning_is_left_for_the_next(impatient, vendors):
    vendors.script("openai", {"kind": "hang"})
    with streaming(impatient, "silent") as answer:
        assert text_of_events(cases.events(answer.read())) == 'This is Anthropic. You said: "Hello".'
    assert answer.headers["x-sluice-failed"] == "openai;no-answer"


def test_a_vendor_that_is_silent_after_its_headers_is_left_for_the_next(impatient, vendors):
    vendors.script("openai", {"kind": "slow", "first_ms": 20_000})
    with streaming(impatient, "silent") as answer:
        assert text_of_events(cases.events(answer.read())) == 'This is Anthropic. You said: "Hello".'
    assert answer.headers["x-sluice-failed"] == "openai;no-answer"


def test_a_longer_patience_of_another_model_holds(impatient, vendors):
    vendors.script("openai", {"kind": "content", "text": "one"})
    vendors.pace("openai", gap_ms=1300)
    with streaming(impatient, "patient") as answer:
        assert text_of_events(cases.events(answer.read())) == "one"


@each_vendor
def test_a_client_that_reads_slowly_loses_nothing(vendor, gateway, vendors):
    """The vendor is far ahead of it: whatever doesn't fit into the buffers has to wait, not to be dropped."""
    text = " ".join(f"word{number}" for number in range(20_000))
    vendors.script(vendor, {"kind": "content", "text": text})
    with streaming(gateway, vendor) as answer:
        pieces = answer.iter_raw(65536)
        content = [next(pieces)]
        sent = [-1, vendors.records()[0]["answer"]["events"]]
        while sent[-1] != sent[-2]:
            # The vendor goes on until every buffer on the way is full.
            time.sleep(0.2)
            sent.append(vendors.records()[0]["answer"]["events"])
        content += pieces
    assert text_of_events(cases.events(b"".join(content))) == text
