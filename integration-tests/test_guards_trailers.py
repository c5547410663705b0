"""Trailers of requests and of responses, while an outside judge is being asked."""

import json
import re

import pytest
from support.gateway import Gateway, policy
from support.judges import Judges, guard
from support.limits import body, quiet
from support.trailers import Vendor, ask_over_http2, certificate
from support.wire import chunked, connect
from test_guards_judges import AT_ONCE, ENVIRONMENT, PATHS

STREAMS = {"hold": "hold", "windows": {"window": 50, "overlap": 20}}
CALM = "the fox walks home in the rain and sleeps until the day " * 4


@pytest.fixture(scope="module", params=["http2", "http1"])
def stage(request, mock_vendors, tmp_path_factory):
    """A gateway before a vendor that ends its answers with trailers. Who is judged says so in a header."""
    files = certificate(tmp_path_factory.mktemp("trailers"))
    with Judges() as judges, Vendor(files if request.param == "http2" else None, gap=0.01) as vendor:
        guards = [guard("webhook", judges, timeout="3s", when={"headers": {"x-judge": "request"}}) | {"name": "request"}]
        for name, stream in STREAMS.items():
            guards.append(guard("webhook", judges, timeout="3s", on=["response"], stream=stream, when={"headers": {"x-judge": name}}) | {"name": name})
        provider = {"dialect": "openai", "endpoint": vendor.endpoint, "credential": "none"}
        document = policy(mock_vendors, models={"chat": {"targets": [{"provider": "stage", "model": "m"}]}}, providers={"stage": provider}, guards=guards)
        with Gateway(document, "--ca-bundle", str(files[0]), *AT_ONCE, environment=ENVIRONMENT) as gateway:
            yield gateway, judges, vendor
            quiet(gateway)
            assert gateway.wasm_trouble() == []


@pytest.fixture
def judges(stage):
    stage[1].reset()
    stage[1].delay = {PATHS["webhook"]: 0.2}
    return stage[1]


def said(content: bytes) -> str:
    return "".join(json.loads(text) for text in re.findall(r'"content": ?("(?:[^"\\]|\\.)*")', content.decode()))


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
def test_a_client_may_send_trailers_to_a_judged_model(stage, judges, stream):
    gateway, _, vendor = stage
    for text, status in (("a fox", 200), ("a poison", 400)):
        before = len(vendor.requests)
        got, content, ended = ask_over_http2(gateway, body("chat", text, stream=stream), True, x_judge="request")
        assert (got, ended, text in said(content)) == (status, True, status == 200), content
        assert len(vendor.requests) == before + (status == 200)
        with connect(gateway) as connection:
            # What is refused may end a connection.
            for _ in range(2 if status == 200 else 1):
                head = connection.head("transfer-encoding: chunked", "trailer: x-checksum", "x-judge: request")
                connection.send(head, *chunked(json.dumps(body("chat", text, stream=stream)).encode(), 20, b"x-checksum: 1\r\nx-sluice-provider: me\r\n"))
                head, content = connection.response()
                assert head.status_code == status and (text in said(content)) == (status == 200), content
    assert len(judges.asked) == 5


@pytest.mark.parametrize("judge", STREAMS)
@pytest.mark.parametrize("delay", [0, 0.03, 0.2])
def test_a_vendor_may_send_trailers_behind_a_judged_answer(stage, judges, judge, delay):
    gateway, *_ = stage
    judges.delay = {PATHS["webhook"]: delay}
    for stream in (False, True):
        for text in ("a fox", CALM):
            status, content, ended = ask_over_http2(gateway, body("chat", text, stream=stream), False, x_judge=judge)
            assert (status, ended) == (200, True) and text.strip() in said(content), content
            assert not stream or content.endswith(b"data: [DONE]\n\n")
        status, content, ended = ask_over_http2(gateway, body("chat", "a poison", stream=stream), False, x_judge=judge)
        assert (status, ended) == (400 if stream else 200, True) and b"content_filter" in content and b"poison" not in content


@pytest.mark.parametrize("delay", [0, 0.03, 0.2])
def test_a_late_window_is_withheld_before_trailers(stage, judges, delay):
    gateway, *_ = stage
    judges.delay = {PATHS["webhook"]: delay}
    status, content, _ = ask_over_http2(gateway, body("chat", CALM + "and drinks a poison at last", stream=True), False, x_judge="windows")
    assert b"poison" not in content and b"content_filter" in content
    assert status == (400 if b"error" in content else 200)


@pytest.mark.parametrize("delay", [0, 0.02, 0.05, 0.11, 0.2])
def test_a_stream_that_breaks_off_with_trailers_shows_nothing_unjudged(stage, judges, delay):
    gateway, *_ = stage
    judges.delay = {PATHS["webhook"]: delay}
    for text in (CALM + "and is cut", CALM + "and is cut by a poison"):
        status, content, _ = ask_over_http2(gateway, body("chat", text, stream=True), False, x_judge="windows")
        assert status in (200, 400) and b"poison" not in content
