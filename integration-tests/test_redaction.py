"""Redaction as operators use it: who gets what, pseudonyms, refusals, and that nothing of it is told anywhere."""

import concurrent.futures
import json
import re

import httpx
import pytest
from support import cases
from support.answers import error_of
from support.echo import Echo
from support.gateway import MODELS, Gateway, policy
from support.redaction import MASK, PLANTED, has, policy_section
from support.scripted import body_of, play, play_events

CONVERSATIONS = 1000
KEY = {"env": "TEST_REDACTION_KEY"}
SECRET = {"TEST_REDACTION_KEY": "a key of the tests, long enough"}
TARGETS = {name: {"provider": name, "model": MODELS[name]} for name in MODELS}


def gateway_of(mock_vendors, redaction: dict, models: dict | None = None) -> Gateway:
    models = models or {name: {"targets": [target]} for name, target in TARGETS.items()}
    return Gateway(policy(mock_vendors, models, redaction=redaction), environment=SECRET)


def counted(gateway: Gateway, rule: str, direction: str) -> int:
    lines = [line for line in gateway.metrics().splitlines() if line.startswith("sluice_redactions_total{")]
    found = [line for line in lines if f'rule="{rule}"' in line and f'direction="{direction}"' in line]
    return sum(int(line.rsplit(" ", 1)[1]) for line in found)


def completion(text: str, **message: object) -> dict:
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text} | message}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "gpt", "choices": [choice], "usage": usage}


def stream_of(*parts: str) -> list:
    def event(delta: dict, finish: str | None = None) -> dict:
        return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    return [*(event({"content": part}) for part in parts), event({}, "stop"), "[DONE]"]


# ---- who gets what ----


@pytest.fixture(scope="module")
def excepting(mock_vendors):
    """Unmasked to the provider of one's own, masked to the others; each of them first in one list."""
    redaction = policy_section(exceptions=[{"when": {"providers": ["gemini"]}, "request": "off", "response": "off", "rules": {"phone": "warn"}}])
    models = {
        "own-first": {"targets": [TARGETS["gemini"], TARGETS["openai"], TARGETS["anthropic"]]},
        "own-last": {"targets": [TARGETS["anthropic"], TARGETS["openai"], TARGETS["gemini"]]},
    }
    with gateway_of(mock_vendors, redaction, models) as gateway:
        yield gateway


@pytest.mark.parametrize("model", ["own-first", "own-last"])
def test_each_attempt_of_a_failover_gets_what_holds_for_its_provider(excepting, vendors, model):
    failing = {"own-first": ["gemini", "openai"], "own-last": ["anthropic", "openai"]}[model]
    for name in failing:
        vendors.script(name, {"kind": "status", "status": 503})
    answer = excepting.chat(model, f"I am {PLANTED}, +1 415 555 2671.")
    assert answer.status_code == 200, answer.text
    records = vendors.records()
    assert len(records) == 3
    for record in records:
        sent = body_of(record).decode()
        if record["vendor"] == "gemini":
            assert PLANTED in sent and "+1 415 555 2671" in sent
        else:
            assert not has(sent.encode()) and f"I am {MASK}, [PHONE]." in sent
    # The mock may say again what it was told.
    is_own = records[-1]["vendor"] == "gemini"
    assert answer.headers["x-sluice-redactions"].startswith("phone=" if is_own else "email=1, phone=1")


def test_an_answer_of_ones_own_provider_is_left_alone_and_others_are_not(excepting, vendors):
    vendors.script("gemini", {"kind": "status", "status": 503})
    play(vendors, completion(f"Ask {PLANTED}."))
    masked = excepting.chat("own-first")
    assert masked.json()["choices"][0]["message"]["content"] == f"Ask {MASK}."
    own = {"candidates": [{"content": {"role": "model", "parts": [{"text": f"Ask {PLANTED}."}]}, "finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}}
    play(vendors, own, vendor="gemini")
    assert excepting.chat("own-first").json()["choices"][0]["message"]["content"] == f"Ask {PLANTED}."


# ---- pseudonyms ----


PSEUDONYMS = {"rules": ["email"], "request": "pseudonym", "response": "off", "key": KEY}


@pytest.fixture(scope="module")
def pseudonyms(mock_vendors):
    with gateway_of(mock_vendors, PSEUDONYMS) as gateway:
        yield gateway


def test_a_thousand_conversations_get_their_values_back_and_no_others(mock_vendors):
    """The vendor says what it was told, as text and as a tool's arguments; the client reads what it has said, to the byte."""
    with Echo() as echo:
        document = policy(mock_vendors, {"echo": {"targets": [{"provider": "echo", "model": "echo"}]}}, redaction=PSEUDONYMS)
        document["providers"] = {"echo": {"dialect": "openai", "endpoint": echo.endpoint, "credential": "none"}}
        with Gateway(document, environment=SECRET) as gateway:

            def converse(number: int) -> None:
                text = f"Conversation {number}: person{number}@example.com, and once more person{number}@example.com."
                answer = gateway.chat("echo", text, stream=number % 2 == 1)
                assert answer.status_code == 200, answer.text
                said, arguments = heard(answer)
                assert said == text
                assert json.loads(arguments) == {"text": text}

            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                list(pool.map(converse, range(CONVERSATIONS)))
            assert not gateway.wasm_trouble()
        told = echo.told
    assert len(told) == CONVERSATIONS and not [body for body in told if "@example.com" in body]
    names = [set(re.findall(r"\+[a-z]{10}@pseudonym\.invalid", body)) for body in told]
    assert all(len(own) == 1 for own in names)
    assert len(set().union(*names)) == CONVERSATIONS


def heard(answer: httpx.Response) -> tuple[str, str]:
    """The text and the arguments of the first call, of an answer whole or streamed."""
    if answer.headers["content-type"] == "application/json":
        message = answer.json()["choices"][0]["message"]
        return message["content"], message["tool_calls"][0]["function"]["arguments"]
    deltas = [event["choices"][0]["delta"] for event in cases.events(answer.content)[:-1]]
    calls = [call for delta in deltas for call in delta.get("tool_calls", [])]
    return "".join(delta.get("content", "") for delta in deltas), "".join(call["function"]["arguments"] for call in calls)


def test_what_stands_for_a_value_of_another_conversation_stays(pseudonyms, vendors):
    play(vendors, completion("words"))
    pseudonyms.chat("openai", "First: one@example.com")
    [first] = re.findall(r"\+[a-z]{10}@pseudonym\.invalid", body_of(vendors.records()[0]).decode())
    play(vendors, completion(f"Write to {first}."))
    answer = pseudonyms.chat("openai", "Second: two@example.com")
    assert answer.json()["choices"][0]["message"]["content"] == f"Write to {first}."


def test_values_come_back_in_streams_and_calls_of_tools_wherever_they_are_cut(pseudonyms, vendors):
    def sent(text: str) -> str:
        vendors.reset()
        play(vendors, completion("words"))
        pseudonyms.chat("openai", text)
        [name] = set(re.findall(r"\+[a-z]{10}@pseudonym\.invalid", body_of(vendors.records()[0]).decode()))
        return name

    ask = "Tell one@example.com"
    name = sent(ask)
    for cut in range(len(name) + 1):
        play_events(vendors, "openai", stream_of("To ", name[:cut], name[cut:], "."))
        answer = pseudonyms.chat("openai", ask, stream=True)
        text = "".join(event["choices"][0]["delta"].get("content", "") for event in cases.events(answer.content)[:-1])
        assert text == "To one@example.com."
    # Models write them in their own ways.
    for written in (name, name.upper(), name.removeprefix("+")):
        call = {"id": "call_1", "type": "function", "function": {"name": "mail", "arguments": json.dumps({"to": [written]})}}
        play(vendors, completion("words", tool_calls=[call]))
        answer = pseudonyms.chat("openai", ask)
        [call] = answer.json()["choices"][0]["message"]["tool_calls"]
        assert json.loads(call["function"]["arguments"]) == {"to": ["one@example.com"]}


def test_a_conversation_keeps_its_pseudonyms(pseudonyms, vendors):
    play(vendors, completion("words"))
    pseudonyms.chat("openai", "Keep one@example.com")
    play(vendors, completion("words"))
    turns = [{"role": "user", "content": "Keep one@example.com"}, {"role": "assistant", "content": "Yes, one@example.com."}, {"role": "user", "content": "And?"}]
    pseudonyms.client.post("/v1/chat/completions", json={"model": "openai", "messages": turns})
    first, second = (set(re.findall(r"\+[a-z]{10}@", body_of(record).decode())) for record in vendors.records())
    assert len(first) == 1 and first == second


# ---- refusals ----


@pytest.fixture(scope="module")
def strict(mock_vendors):
    rules = ["email", {"rule": "iban", "action": "block"}, {"name": "badge", "pattern": "BADGE-[0-9]{4}", "action": "block"}]
    redaction = {"rules": rules, "request": "mask", "response": "mask", "unreadable": "refuse"}
    with gateway_of(mock_vendors, redaction) as gateway:
        yield gateway


def test_what_is_blocked_is_refused_by_the_rules_name_in_each_dialect(strict, vendors):
    text = "Pay DE89 3704 0044 0532 0130 00"
    error = error_of(strict.chat("openai", text), 400)
    assert error["code"] == "content_blocked" and "'iban'" in error["message"] and "DE89" not in error["message"]
    body = {"model": "anthropic", "max_tokens": 10, "messages": [{"role": "user", "content": "BADGE-1234"}]}
    answer = strict.client.post("/v1/messages", json=body)
    assert answer.status_code == 400 and answer.json()["error"]["type"] == "invalid_request_error"
    assert "'badge'" in answer.text and "1234" not in answer.text
    answer = strict.client.post("/v1beta/models/gemini:generateContent", json={"contents": [{"parts": [{"text": text}]}]})
    assert answer.status_code == 400 and answer.json()["error"]["status"] == "INVALID_ARGUMENT" and "DE89" not in answer.text
    assert vendors.records() == []
    assert counted(strict, "iban", "request") == 2 and counted(strict, "badge", "request") == 1


def test_an_answer_that_is_blocked_does_not_come(strict, vendors):
    play(vendors, completion("Take DE89 3704 0044 0532 0130 00"))
    answer = strict.chat("openai")
    assert error_of(answer, 400)["code"] == "content_blocked" and "DE89" not in answer.text
    play_events(vendors, "openai", stream_of("Hello!\n", "Take DE89 3704 0044 ", "0532 0130 00 today", " or tomorrow"))
    answer = strict.chat("openai", stream=True)
    events = cases.events(answer.content)
    assert events[-1]["error"]["code"] == "content_blocked", events
    assert "DE89" not in answer.text and "tomorrow" not in answer.text and "Hello!" in answer.text
    # The same connection serves what comes next.
    assert strict.chat("openai").status_code == 200


def test_what_can_not_be_read_is_refused_by_its_path(strict, vendors):
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    body = {"model": "openai", "messages": [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, image]}]}
    error = error_of(strict.client.post("/v1/chat/completions", json=body), 400)
    assert (error["code"], error["param"]) == ("content_unreadable", "messages[0].content[1].image_url.url")
    files = {"file": ("a.wav", b"RIFF", "audio/wav")}
    answer = strict.client.post("/v1/audio/transcriptions", data={"model": "openai"}, files=files)
    assert error_of(answer, 400)["param"] == "file"
    assert vendors.records() == []


# ---- calls that pass ----


def test_calls_that_pass_are_masked_too(mock_vendors, vendors):
    with gateway_of(mock_vendors, policy_section()) as gateway:
        play(vendors, {"created": 1, "data": [{"b64_json": "AAAA", "revised_prompt": f"A picture of {PLANTED}"}]})
        answer = gateway.client.post("/v1/images/generations", json={"model": "openai", "prompt": f"Paint {PLANTED}"})
        assert answer.json()["data"][0]["revised_prompt"] == f"A picture of {MASK}", answer.text
        assert json.loads(body_of(vendors.records()[-1]))["prompt"] == f"Paint {MASK}"
        play(vendors, {"text": f"I am {PLANTED}"})
        files = {"file": ("a.wav", b"RIFF....", "audio/wav")}
        answer = gateway.client.post("/v1/audio/transcriptions", data={"model": "openai", "prompt": f"Of {PLANTED}"}, files=files)
        assert answer.json() == {"text": f"I am {MASK}"}
        sent = body_of(vendors.records()[-1])
        assert not has(sent) and f"Of {MASK}".encode() in sent and b"RIFF...." in sent and MODELS["openai"].encode() in sent
        play(vendors, f"1\n00:00 --> 00:01\nI am {PLANTED}\n", content_type="text/plain")
        answer = gateway.client.post("/v1/audio/transcriptions", data={"model": "openai", "response_format": "srt"}, files=files)
        assert answer.text == f"1\n00:00 --> 00:01\nI am {MASK}\n"


# ---- what is told ----


def test_counts_are_told_and_nothing_of_what_was_found(mock_vendors, vendors):
    redaction = policy_section(rules=["email", {"rule": "phone", "action": "hash"}, {"rule": "us_ssn", "action": "warn"}], key=KEY)
    with gateway_of(mock_vendors, redaction) as gateway:
        play(vendors, completion(f"Ask {PLANTED} or other@example.com."))
        answer = gateway.chat("openai", f"{PLANTED}, +1 415 555 2671, SSN 536-90-4399")
        assert answer.headers["x-sluice-redactions"] == "email=3, us_ssn=1, phone=1"
        gateway.chat("openai", stream=True)
        sent = body_of(vendors.records()[0]).decode()
        assert re.search(r"\[PHONE:h[0-9a-f]{12}\]", sent) and "536-90-4399" in sent
        assert counted(gateway, "email", "request") == 1 and counted(gateway, "email", "response") == 2
        assert counted(gateway, "phone", "request") == 1 and counted(gateway, "us_ssn", "request") == 1
        dump = httpx.get(f"{gateway.admin}/config_dump", timeout=10).text
        metrics = gateway.metrics()
        assert not gateway.wasm_trouble()
    log = "\n".join(gateway.lines)
    assert '"redactions":"email=3, us_ssn=1, phone=1"' in log.replace(": ", ":").replace(",  ", ", "), log
    for told in (log, metrics, dump):
        for secret in ("planted.person", "other@example", "555 2671", "536-90", SECRET["TEST_REDACTION_KEY"]):
            assert secret not in told
