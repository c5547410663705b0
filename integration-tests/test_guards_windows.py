"""Streams that outside judges judge in windows, on the real Envoy: when what reaches a client, and how a stream ends that is withheld."""

import json
import re
import time

import anthropic
import httpx
import openai
import pytest
from google import genai
from support import cases
from support.gateway import CLIENT_KEY, MODELS, Gateway
from support.judges import Judges, guard
from support.limits import Wish, body, crowd, lines, logged, metric, quiet
from support.waiting import until
from test_guards_answers import WITHHELD
from test_guards_judges import AT_ONCE, ENVIRONMENT, PATHS, error_of, hang_up, judged
from test_limits_report import comes_to, table

WINDOW = {"window": 60, "overlap": 20}
# A text of several windows, of which none has the word.
CALM = "The quick brown fox jumps over the lazy dog, and then it walks home in the rain to sleep. " * 4
# The word stands in a late window.
LATE = CALM + "At last it drinks the poison of the zebrafish and sinks into a sleep. " + CALM


def user(text: str) -> list:
    return [{"role": "user", "content": text}]


# Each client's dialect: its path, the body of a stream, and what a withheld stream says of that, at its end.
STREAMS = {
    "chat": ("/v1/chat/completions", lambda model, text: {"model": model, "stream": True, "messages": user(text)}, '"finish_reason":"content_filter"', "data: [DONE]\n\n"),
    "completions": ("/v1/completions", lambda model, text: {"model": model, "stream": True, "prompt": text}, '"finish_reason":"content_filter"', "data: [DONE]\n\n"),
    "responses": ("/v1/responses", lambda model, text: {"model": model, "stream": True, "input": text}, '"reason":"content_filter"', "}\n\n"),
    "messages": ("/v1/messages", lambda model, text: {"model": model, "stream": True, "max_tokens": 900, "messages": user(text)}, '"stop_reason":"refusal"', '{"type":"message_stop"}\n\n'),
    "gemini-sse": ("/v1beta/models/{}:streamGenerateContent?alt=sse", lambda model, text: {"contents": [{"role": "user", "parts": [{"text": text}]}]}, '"finishReason":"SAFETY"', "}\n\n"),
    "gemini-array": ("/v1beta/models/{}:streamGenerateContent", lambda model, text: {"contents": [{"role": "user", "parts": [{"text": text}]}]}, '"finishReason":"SAFETY"', "}]"),
}


@pytest.fixture(scope="module")
def all_judges():
    with Judges() as judges:
        yield judges


@pytest.fixture
def judges(all_judges):
    all_judges.reset()
    yield all_judges
    all_judges.reset()


def windowed(judges: Judges, name: str, **fields: object) -> dict:
    return guard("webhook", judges, on=["response"], stream=WINDOW, timeout="700ms", when={"headers": {"x-judge": name}}) | {"name": name} | fields


@pytest.fixture(scope="module")
def gateway(mock_vendors, all_judges):
    """Judged are the streams of clients that say so in a header."""
    guards = [
        windowed(all_judges, "closed"),
        windowed(all_judges, "open", on_failure="pass"),
        windowed(all_judges, "warned", action="warn"),
        windowed(all_judges, "mixed"),
        windowed(all_judges, "mixed", stream="hold") | {"name": "whole"},
        windowed(all_judges, "two"),
        guard("moderation", all_judges, on=["response"], stream={"window": 120}, when={"headers": {"x-judge": "two"}}),
    ]
    with Gateway(judged(mock_vendors, all_judges, *guards), *AT_ONCE, environment=ENVIRONMENT) as gateway:
        yield gateway
        quiet(gateway)
        assert gateway.wasm_trouble() == []


class Seen:
    """A stream as it arrived: its bytes, and when how many of them were there."""

    def __init__(self, gateway: Gateway, client: str, text: str, model: str = "openai", judge: str = "closed", **fields: object) -> None:
        path, request, self.withheld, self.last = STREAMS[client]
        headers = {"x-judge": judge, "x-api-key": CLIENT_KEY, "authorization": f"Bearer {CLIENT_KEY}"}
        self.content, self.times, self.broken = b"", [], False
        begun = time.monotonic()
        with gateway.client.stream("POST", path.format(model), json=request(model, text) | fields, headers=headers) as answer:
            self.status, self.headers = answer.status_code, answer.headers
            try:
                for piece in answer.iter_raw():
                    self.content += piece
                    self.times.append(time.monotonic() - begun)
            except httpx.TransportError:
                # A vendor that would go on is stopped with the connection, once the client has got its end.
                self.broken = True
        self.elapsed = time.monotonic() - begun

    @property
    def text(self) -> str:
        return self.content.decode()

    def said(self) -> str:
        """All texts that came in parts."""
        found = re.findall(r'"(?:content|delta|text)": ?("(?:[^"\\]|\\.)*")', self.text)
        return "".join(json.loads(text) for text in found)

    def check(self) -> None:
        """Each event is whole, and JSON."""
        if self.text.startswith("["):
            return json.loads(self.text)
        assert self.text.endswith(("\n\n", "\r\n\r\n"))
        cases.events(self.content)


def asked_of(judges: Judges) -> list[str]:
    return [text["text"] for asked in judges.asked for text in asked["body"]["texts"]]


NATIVE = {"chat": "openai", "messages": "anthropic", "gemini-sse": "gemini"}


def lacks(client: str, model: str) -> bool:
    """Whether the mock of a vendor has no such API."""
    return client == "completions" and model == "openai"


@pytest.mark.parametrize("client", NATIVE)
def test_what_passes_is_the_vendors_to_the_byte(gateway, vendors, judges, client):
    model = NATIVE[client]
    plain = Seen(gateway, client, CALM, model, judge="none").content
    assert judges.asked == []
    events = [{"text": event} for event in re.findall(r".+?\r?\n\r?\n", plain.decode(), re.DOTALL)]
    raw = {"kind": "raw", "status": 200, "headers": [["content-type", "text/event-stream"]], "chunks": events, "gap_ms": 15}
    for _ in range(2):
        vendors.script(model, raw)
        seen = Seen(gateway, client, CALM, model)
        assert seen.content == plain
        # It flows: the first bytes are there long before the last.
        assert seen.status == 200 and len(seen.times) > 3 and seen.times[0] < seen.elapsed / 2, seen.times
    assert len(judges.asked) >= 8


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("client", STREAMS)
def test_a_stream_flows_from_window_to_window(gateway, vendors, judges, client, model):
    if lacks(client, model):
        pytest.skip("the mock of OpenAI has no legacy completions")
    vendors.pace(model, gap_ms=15)
    seen = Seen(gateway, client, CALM, model)
    assert (seen.status, seen.broken) == (200, False)
    seen.check()
    assert CALM.strip() in seen.said() and seen.withheld not in seen.text
    assert seen.times[0] < seen.elapsed / 2 and len(seen.times) > 3, (seen.times, seen.elapsed)
    asked = asked_of(judges)
    assert len(asked) >= 4
    for before, behind in zip(asked, asked[1:]):
        overlap = before[-WINDOW["overlap"] :]
        assert behind.startswith(overlap) and len(behind) > len(overlap), (before, behind)
    assert len(asked[0]) < 2 * WINDOW["window"]
    assert "x-sluice-guards" not in seen.headers


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("client", STREAMS)
def test_nothing_of_a_flagged_window_reaches_a_client(gateway, vendors, judges, client, model):
    if lacks(client, model):
        pytest.skip("the mock of OpenAI has no legacy completions")
    vendors.pace(model, gap_ms=5)
    before = logged(gateway)
    seen = Seen(gateway, client, LATE, model)
    assert seen.status == 200 and seen.said().count("quick brown fox") >= 2, seen.text
    assert "poison" not in seen.text and "zebrafish" not in seen.text
    assert seen.withheld in seen.text and seen.text.endswith(seen.last), seen.text[-300:]
    seen.check()
    for well in ('"stop"', "end_turn", '"STOP"', "response.completed"):
        assert well not in seen.text
    # The end comes with the verdict, not with the vendor's.
    assert "drinks" in asked_of(judges)[-1] and len(asked_of(judges)) < 12
    line = lines(gateway, 1, skip=before)[0]
    assert (line["status"], line["guards"]) == (200, "closed;refuse")
    assert int(line["output_tokens"]) >= 60, "what was produced is counted"


@pytest.mark.parametrize("client", STREAMS)
def test_a_flagged_beginning_is_an_error(gateway, vendors, judges, client):
    vendors.pace("anthropic", gap_ms=5)
    before = logged(gateway)
    seen = Seen(gateway, client, "poison! " + CALM, "anthropic")
    assert seen.status == 400 and "'closed'" in json.loads(seen.content)["error"]["message"], seen.text
    assert seen.headers["x-sluice-guards"] == "closed;refuse" and "poison" not in seen.text
    assert seen.headers["x-sluice-provider"] == "anthropic"
    line = lines(gateway, 1, skip=before)[0]
    assert (line["status"], line["guards"], line["provider"], line["failed"]) == (400, "closed;refuse", "anthropic", None)
    # One that is shorter than a window is judged at its end.
    vendors.reset()
    seen = Seen(gateway, client, "poison", "anthropic")
    assert seen.status == 400 and seen.headers["x-sluice-guards"] == "closed;refuse", seen.text


def test_a_short_stream_passes(gateway, vendors, judges):
    for model in MODELS:
        seen = Seen(gateway, "chat", "Hello", model)
        assert seen.text.endswith("data: [DONE]\n\n") and 'You said: "Hello".' in seen.said()
    assert len(judges.asked) == 3


def test_a_word_that_is_cut_by_a_window_is_found(gateway, vendors, judges):
    words = ["so "] * 20 + ["poi", "son "] + ["so "] * 40
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    events = [f"data: {json.dumps(chunk | {'choices': [{'index': 0, 'delta': {'content': word}, 'finish_reason': None}]})}\n\n" for word in words]
    raw = {"kind": "raw", "status": 200, "headers": [["content-type", "text/event-stream"]], "chunks": [{"text": event} for event in events], "gap_ms": 2}
    vendors.script("openai", raw)
    seen = Seen(gateway, "chat", "Hi")
    first, second = asked_of(judges)
    assert first == "so " * 20 and "poison" in second or "poi" in first and "poison" in second
    assert "son " not in seen.said() and seen.withheld in seen.text


FAILURES = {
    "nothing": lambda judges: setattr(judges, "answer", b""),
    "an error": lambda judges: setattr(judges, "status", 500),
    "silence": lambda judges: judges.delay.update({PATHS["webhook"]: 1.2}),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_without_a_first_verdict_the_policy_decides(gateway, vendors, judges, failure):
    FAILURES[failure](judges)
    seen = Seen(gateway, "chat", CALM)
    assert seen.status == 503 and json.loads(seen.content)["error"]["code"] == "guard_unavailable"
    assert seen.headers["x-sluice-provider"] == "openai"
    if failure != "silence":
        seen = Seen(gateway, "chat", CALM, judge="open")
        assert seen.status == 200 and CALM.strip() in seen.said() and seen.text.endswith(seen.last)


@pytest.mark.parametrize("client", STREAMS)
def test_without_a_later_verdict_the_policy_decides(gateway, vendors, judges, client):
    judges.fails = "drinks"
    vendors.pace("gemini", gap_ms=2)
    before = logged(gateway)
    seen = Seen(gateway, client, LATE.replace("poison", "milk"), "gemini")
    assert seen.status == 200 and "quick brown fox" in seen.said()
    assert "zebrafish" not in seen.text and "'closed' gives no verdict" in seen.text and seen.withheld not in seen.text
    seen.check()
    opened = Seen(gateway, client, LATE.replace("poison", "milk"), "gemini", judge="open")
    assert "zebrafish" in opened.said() and (opened.broken, opened.status) == (False, 200)
    assert [line["guards"] for line in lines(gateway, 2, skip=before)] == ["closed;failed", "open;failed"]


def test_a_slow_judge_slows_a_stream_and_changes_nothing_of_it(gateway, vendors, judges):
    judges.delay = {PATHS["webhook"]: 0.15}
    for model in MODELS:
        vendors.pace(model, gap_ms=3)
        seen = Seen(gateway, "chat", CALM, model)
        assert CALM.strip() in seen.said() and seen.text.endswith(seen.last) and not seen.broken
        # What has come meanwhile is one window.
        assert 2 <= len(judges.asked) <= 7, len(judges.asked)
        judges.asked.clear()


def test_a_warning_is_told_where_the_headers_have_not_gone(gateway, vendors, judges):
    seen = Seen(gateway, "chat", "poison " + CALM, judge="warned")
    assert seen.headers["x-sluice-guards"] == "warned;warn" and "poison" in seen.said()
    before = logged(gateway)
    vendors.pace("openai", gap_ms=2)
    seen = Seen(gateway, "chat", LATE, judge="warned")
    assert "x-sluice-guards" not in seen.headers and "zebrafish" in seen.said()
    assert lines(gateway, 1, skip=before)[0]["guards"] == "warned;warn"


def test_one_that_wants_the_whole_stream_has_it_whole(gateway, vendors, judges):
    vendors.pace("openai", gap_ms=5)
    seen = Seen(gateway, "chat", CALM, judge="mixed")
    assert len(judges.asked) == 2 and all(CALM.strip() in text for text in asked_of(judges))
    assert CALM.strip() in seen.said() and seen.times[0] > seen.elapsed * 0.7
    assert Seen(gateway, "chat", LATE, judge="mixed").status == 400


def test_two_judges_are_asked_about_the_same_windows(gateway, vendors, judges):
    vendors.pace("openai", gap_ms=3)
    seen = Seen(gateway, "chat", CALM, judge="two")
    assert CALM.strip() in seen.said()
    by = {path: [asked["body"] for asked in judges.asked if asked["path"] == path] for path in (PATHS["webhook"], PATHS["moderation"])}
    hooked = [asked["texts"][0]["text"] for asked in by[PATHS["webhook"]]]
    moderated = [asked["input"][0] for asked in by[PATHS["moderation"]]]
    assert len(hooked) == len(moderated) >= 2 and len(hooked[0]) >= 120 and hooked[0] == moderated[0]
    # Each has its own overlap: 20 characters, and a quarter of the window.
    assert moderated[1].endswith(hooked[1]) and len(moderated[1]) - len(hooked[1]) == 10
    vendors.pace("openai", gap_ms=3)
    assert Seen(gateway, "chat", LATE, judge="two").withheld in Seen(gateway, "chat", LATE, judge="two").text


def test_whole_answers_are_judged_as_they_are(gateway, vendors, judges):
    answer = gateway.client.post("/v1/chat/completions", json=body("openai", CALM), headers={"x-judge": "closed"})
    assert answer.status_code == 200 and len(judges.asked) == 1
    answer = gateway.client.post("/v1/chat/completions", json=body("openai", LATE), headers={"x-judge": "closed"})
    assert answer.json()["choices"][0]["finish_reason"] == "content_filter"


def test_a_vendor_that_breaks_off_while_judged(gateway, vendors, judges):
    judges.delay = {PATHS["webhook"]: 0.1}
    for model in MODELS:
        for events in (0, 5, 30):
            vendors.script(model, {"kind": "cut", "after_events": events, "how": "reset"})
            path, request, *_ = STREAMS["chat"]
            try:
                answer = gateway.client.post(path, json=request(model, LATE), headers={"x-judge": "closed"})
                assert "zebrafish" not in answer.text
            except httpx.TransportError:
                pass
    quiet(gateway)
    assert Seen(gateway, "chat", "Hello").status == 200


def test_every_question_is_counted(gateway, vendors, judges):
    logged(gateway)
    before = [metric(gateway, "sluice_judge_calls_total", guard="closed", type=kind) for kind in ("passed", "flagged")]
    refused = metric(gateway, "sluice_guards_total", guard="closed", action="refuse")
    vendors.pace("openai", gap_ms=2)
    Seen(gateway, "chat", LATE)
    logged(gateway)
    after = [metric(gateway, "sluice_judge_calls_total", guard="closed", type=kind) for kind in ("passed", "flagged")]
    assert after[0] >= before[0] + 3 and after[1] == before[1] + 1
    assert metric(gateway, "sluice_guards_total", guard="closed", action="refuse") == refused + 1
    assert "zebrafish" not in "\n".join(gateway.lines) + gateway.metrics()


# ---- gateways of their own


def test_the_sdks_understand_how_a_stream_ends(mock_vendors, vendors, judges):
    with Gateway(judged(mock_vendors, judges, guard("webhook", judges, on=["response"], stream=WINDOW)), *AT_ONCE, environment=ENVIRONMENT) as gateway:
        for kind, finish in WITHHELD.items():
            for model in MODELS:
                # What comes all at once is one window.
                vendors.pace(model, gap_ms=4)
                said, ended = kind(gateway).streamed(model, LATE)
                assert ended == finish and "quick brown fox" in said and "zebrafish" not in said, (kind, model)
                with pytest.raises((openai.BadRequestError, anthropic.BadRequestError, genai.errors.ClientError), match="'webhook'"):
                    kind(gateway).streamed(model, "poison " + CALM)
        assert gateway.wasm_trouble() == []


def test_a_vendor_that_would_go_on_is_stopped(mock_vendors, vendors, judges):
    limits = [{"name": "tokens", "unit": "tokens", "per": "day", "limit": 1_000_000}]
    with Gateway(judged(mock_vendors, judges, guard("webhook", judges, on=["response"], stream=WINDOW), limits=limits), *AT_ONCE, environment=ENVIRONMENT) as gateway:
        for model in MODELS:
            vendors.pace(model, gap_ms=20)
            begun = time.monotonic()
            seen = Seen(gateway, "chat", LATE + CALM * 10, model)
            assert seen.withheld in seen.text and time.monotonic() - begun < 6
            [line] = lines(gateway, 1, skip=logged(gateway) - 1)
            assert 60 < int(line["output_tokens"]) < 400, line
        # What was produced until then is what the limit has been charged, and nothing is held any more.
        charged = sum(int(line["input_tokens"]) + int(line["output_tokens"]) for line in lines(gateway, len(MODELS)))
        (counter,) = table(gateway)
        for column, count in (("USED", charged), ("HELD", 0)):
            comes_to(gateway, column, {counter: str(count)})
        assert gateway.wasm_trouble() == []


def test_what_is_redacted_for_clients_and_for_judges(mock_vendors, vendors, judges):
    secret = "Her card is 4111 1111 1111 1111 and her mail is jane.doe@example.com, as we all know. "
    for response in ("mask", "off"):
        redaction = {"rules": ["credit_card", "email"], "request": "mask", "response": response, "exceptions": [{"when": {"providers": list(MODELS)}, "request": "off"}]}
        guards = [guard("webhook", judges, on=["response"], stream=WINDOW)]
        with Gateway(judged(mock_vendors, judges, *guards, redaction=redaction), *AT_ONCE, environment=ENVIRONMENT) as gateway:
            for client in STREAMS:
                for model in MODELS:
                    if lacks(client, model):
                        continue
                    judges.reset()
                    vendors.pace(model, gap_ms=2, pieces=60)
                    seen = Seen(gateway, client, secret * 5, model)
                    said = seen.said()
                    assert seen.status == 200 and ("[CREDIT_CARD]" in said) == (response == "mask")
                    assert ("4111 1111 1111 1111" in said) == (response == "off"), said
                    asked = asked_of(judges)
                    assert len(asked) >= 3
                    for text in asked:
                        assert not re.search(r"\d{2}|jane|example", text), text
            assert gateway.wasm_trouble() == []


def test_clients_that_go_leave_nothing(mock_vendors, vendors, judges):
    limits = [{"name": "once", "unit": "concurrent", "limit": 3}]
    judges.delay = {PATHS["webhook"]: 0.3}
    with Gateway(judged(mock_vendors, judges, guard("webhook", judges, on=["response"], stream=WINDOW), limits=limits), *AT_ONCE, environment=ENVIRONMENT) as gateway:
        vendors.pace("openai", gap_ms=5)
        for number in (1, 2, 3, 1, 2):
            asked = len(judges.asked)
            hang_up(gateway, body("openai", CALM, stream=True), lambda asked=asked, number=number: len(judges.asked) >= asked + number)
        time.sleep(0.6)
        quiet(gateway)
        judges.delay = {}
        assert Seen(gateway, "chat", CALM).status == 200
        until(lambda: len([line for line in gateway.lines if line.startswith("{")]) >= 6, 10)
        used = [json.loads(line)["output_tokens"] for line in gateway.lines if line.startswith("{")]
        assert all(int(tokens) > 0 for tokens in used), used
        assert gateway.wasm_trouble() == []


def test_a_hundred_at_once(mock_vendors, vendors, judges):
    judges.delay = {PATHS["webhook"]: 0.05}
    vendors.pace("openai", gap_ms=5)
    guards = [guard("webhook", judges, timeout="20s", on=["response"], stream=WINDOW)]
    with Gateway(judged(mock_vendors, judges, *guards), *AT_ONCE, environment=ENVIRONMENT) as gateway:
        wishes = [Wish(body("openai", f"Number {number}. " + (LATE if number % 4 == 0 else CALM), stream=True)) for number in range(100)]
        for call in crowd(gateway, wishes):
            said = "".join(json.loads(text) for text in re.findall(r'"content": ?("(?:[^"\\]|\\.)*")', call.content.decode()))
            assert call.status == 200 and f"Number {call.number}." in said and "zebrafish" not in said, call
            assert (call.number % 4 == 0) == ("content_filter" in call.content.decode())
            assert call.number % 4 == 0 or CALM.strip() in said
        assert gateway.wasm_trouble() == []


def test_what_is_held_is_bounded(mock_vendors, vendors, judges):
    usual = judged(mock_vendors, judges, guard("webhook", judges, timeout="5s", on=["response"], stream={"window": 1000}))
    usual["listen"] |= {"max_body_bytes": 100_000}
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, "delta": {"content": "word " * 100}, "finish_reason": None}]}
    event = f"data: {json.dumps(chunk)}\n\n"
    with Gateway(usual, *AT_ONCE, environment=ENVIRONMENT) as gateway:
        for delay, status in ((0.5, 502), (0, 200)):
            judges.delay = {PATHS["webhook"]: delay}
            raw = {"kind": "raw", "status": 200, "headers": [["content-type", "text/event-stream"]], "chunks": [{"text": event * 3}] * 200, "gap_ms": 1 if delay else 4}
            vendors.script("openai", raw)
            answer = gateway.client.post("/v1/chat/completions", json=body("openai", stream=True))
            assert answer.status_code == status, answer.text[:300]
            if status == 502:
                assert error_of(answer, 502)["code"] == "provider_answer_too_large"
        assert gateway.wasm_trouble() == []
