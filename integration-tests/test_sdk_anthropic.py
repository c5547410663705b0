"""The official Anthropic SDK for Python, sync and async, with nothing changed but its address and key."""

import base64
import json
from typing import Literal

import anthropic
import httpx
import pytest
from pydantic import BaseModel
from support import scripted
from support.gateway import CLIENT_KEY, MODELS
from support.messages import EPHEMERAL, NAMES, TOOLS, ask, gateway, message, sdk, text_of, user, vendor
from support.scripted import PIXEL


class Solution(BaseModel):
    answer: str
    unit: Literal["celsius", "fahrenheit"]
    certain: bool


def test_a_question_is_answered(sdk, vendor):
    answer = sdk.create(**ask(vendor, "How are you?", system="Be brief."))
    assert [block.type for block in answer.content] == ["text"]
    assert text_of(answer) == f'This is {NAMES[vendor]}. You said: "How are you?".'
    assert (answer.role, answer.stop_reason, answer.stop_sequence) == ("assistant", "end_turn", None)
    assert answer.model == MODELS[vendor]
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (5, 8)
    assert not answer.usage.cache_read_input_tokens


def test_a_streamed_answer_is_the_plain_one_in_pieces(sdk, vendor):
    request = ask(vendor, "Count the words of this question, please: ¿qué, 何, 🌊?")
    plain = sdk.create(**request)
    events = [event for event in sdk.events(**request) if event.type != "ping"]
    kinds = [event.type for event in events]
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert set(kinds[2:-3]) == {"content_block_delta"} and len(kinds) > 8
    assert "".join(event.delta.text for event in events[2:-3]) == text_of(plain)
    assert events[0].message.content == [] and events[0].message.stop_reason is None
    assert events[-2].delta.stop_reason == "end_turn"
    final = sdk.final(**request)
    assert text_of(final) == text_of(plain)
    assert (final.model, final.stop_reason, final.role) == (plain.model, plain.stop_reason, plain.role)
    assert (final.usage.input_tokens, final.usage.output_tokens) == (
        plain.usage.input_tokens,
        plain.usage.output_tokens,
    )


def test_raw_responses_tell_who_answered(sdk, vendors):
    vendors.script("openai", {"kind": "status", "status": 429})
    headers, answer = sdk.raw(**ask("any"))
    assert headers["x-sluice-provider"] == "anthropic"
    assert headers["x-sluice-failed"] == "openai;429"
    assert text_of(answer).startswith("This is Anthropic.")


def test_the_limit_and_the_stop_texts_are_told(sdk, vendor, vendors):
    answer = sdk.create(**ask(vendor, "one two three", max_tokens=16, stop_sequences=["two"]))
    assert "two" not in text_of(answer)
    # Only Anthropic says which text it was that ended the answer.
    told = ("stop_sequence", "two") if vendor == "anthropic" else ("end_turn", None)
    assert (answer.stop_reason, answer.stop_sequence) == told
    vendors.script(vendor, {"kind": "content", "text": "It goes on and", "finish": "length"}, times=2)
    assert sdk.create(**ask(vendor)).stop_reason == "max_tokens"
    assert sdk.final(**ask(vendor)).stop_reason == "max_tokens"


def test_a_refusal_is_a_stop_reason(sdk, vendor, vendors):
    vendors.script(vendor, {"kind": "content", "text": "No", "finish": "content_filter"}, times=2)
    assert sdk.create(**ask(vendor)).stop_reason == "refusal"
    assert sdk.final(**ask(vendor)).stop_reason == "refusal"


def test_images_are_seen_by_address_and_as_data(sdk, vendor):
    data = base64.b64encode(PIXEL).decode()
    blocks = [
        {"type": "text", "text": "What is this?"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/cat.png"}},
    ]
    for create in (sdk.create, sdk.final):
        answer = create(model=vendor, max_tokens=100, messages=user(blocks))
        said = f"I see 2 images, image/png, {len(PIXEL)} bytes; https://example.com/cat.png."
        assert text_of(answer).endswith(said)


def test_documents_are_sent(sdk, vendor, vendors):
    pdf = base64.b64encode(b"%PDF-1.4 one page").decode()
    blocks = [
        {
            "type": "document",
            "title": "Page",
            "source": {"type": "base64", "media_type": "application/pdf", "data": pdf},
        },
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Roses are red."}},
        {"type": "text", "text": "What do they say?"},
    ]
    sdk.create(model=vendor, max_tokens=100, messages=user(blocks))
    sent = json.dumps(scripted.sent(vendors)["json"])
    assert pdf in sent
    assert "Roses are red." in sent or base64.b64encode(b"Roses are red.").decode() in sent


def test_a_form_of_the_answer_is_kept_to(sdk, vendor):
    answer = sdk.parse(**ask(vendor, "Solve it"), output_format=Solution)
    assert answer.parsed_output == Solution(answer="answer", unit="celsius", certain=True)


def marked(model: str) -> dict:
    """A request with marks of the cache wherever there may be one."""
    hour = {"type": "ephemeral", "ttl": "1h"}
    tools = [TOOLS[0], TOOLS[1] | {"cache_control": EPHEMERAL}]
    system = [{"type": "text", "text": "Rules."}, {"type": "text", "text": "More rules.", "cache_control": hour}]
    block = {"type": "text", "text": "Hello", "cache_control": EPHEMERAL}
    return {"model": model, "max_tokens": 100, "tools": tools, "system": system, "messages": user([block])}


def test_marks_of_the_cache_are_kept_or_named(sdk, vendor, vendors):
    headers, answer = sdk.raw(**marked(vendor))
    sent = scripted.body_of(scripted.sent(vendors))
    left_out = scripted.dropped(headers)
    if vendor == "anthropic":
        assert sent.count(b'"cache_control"') == 3 and left_out == set()
        assert answer.usage.cache_creation_input_tokens > 0
    else:
        assert b"cache_control" not in sent
        # They are named once, not each.
        assert len(left_out) == 1 and next(iter(left_out)).endswith("cache_control")


def test_cached_tokens_are_told_apart(sdk, vendor):
    for create in (sdk.create, sdk.final):
        usage = create(**ask(vendor, "Hello", system="cached words are three")).usage
        assert usage.cache_read_input_tokens == 4
        assert usage.input_tokens == 1


def test_between_the_same_dialect_the_bytes_pass(gateway, vendors):
    content = b'{ "odd" : 1.0,"messages":[{"role":"user","content":"\\u0048i"}] ,"model":"anthropic","max_tokens":9 }'
    answer = scripted.play(vendors, json.dumps(message(odd=[1.0]), indent=3), vendor="anthropic")
    headers = {
        "x-api-key": CLIENT_KEY,
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "a-2026-01-01,b-2026-01-01",
    }
    got = httpx.post(
        f"{gateway.url}/v1/messages?beta=true",
        content=content,
        headers=headers | {"content-type": "application/json"},
        timeout=20,
    )
    assert got.content == answer
    record = scripted.sent(vendors)
    assert scripted.body_of(record) == content.replace(b'"anthropic"', b'"claude-sonnet-4-5"')
    assert record["target"] == "/v1/messages?beta=true"
    headers = dict(record["headers"])
    assert headers["anthropic-beta"] == "a-2026-01-01,b-2026-01-01"
    assert headers["anthropic-version"] == "2023-06-01"


def test_beta_calls_are_served(sdk, vendor, vendors):
    # Older SDKs and agents put this into the query themselves.
    answer = sdk.beta(**ask(vendor), betas=["context-1m-2025-08-07"], extra_query={"beta": "true"})
    assert text_of(answer) == f'This is {NAMES[vendor]}. You said: "Hello".'
    record = scripted.sent(vendors)
    assert ("beta=true" in record["target"]) == (vendor == "anthropic")
    assert ("anthropic-beta" in dict(record["headers"])) == (vendor == "anthropic")


@pytest.mark.parametrize("version", ["2023-06-01", "2026-10-21", None])
def test_old_and_new_versions_are_served(gateway, vendor, vendors, version):
    headers = {"x-api-key": CLIENT_KEY} | ({"anthropic-version": version} if version else {})
    request = ask(vendor, temperature=0.5) if version == "2023-06-01" else ask(vendor)
    answer = httpx.post(f"{gateway.url}/v1/messages", json=request, headers=headers, timeout=20)
    assert answer.status_code == 200, answer.text
    assert answer.json()["content"][0]["text"].startswith(f"This is {NAMES[vendor]}.")
    record = scripted.sent(vendors)
    assert dict(record["headers"]).get("anthropic-version") == (
        (version or "2023-06-01") if vendor == "anthropic" else None
    )
    if version == "2023-06-01":
        settings = record["json"].get("generationConfig", record["json"])
        assert settings["temperature"] == 0.5


def test_either_credential_is_taken(gateway, vendors):
    for headers in ({"x-api-key": CLIENT_KEY}, {"authorization": f"Bearer {CLIENT_KEY}"}):
        answer = httpx.post(f"{gateway.url}/v1/messages", json=ask("anthropic"), headers=headers, timeout=20)
        assert answer.status_code == 200, answer.text
    both = {"x-api-key": CLIENT_KEY, "authorization": "Bearer another"}
    answer = httpx.post(f"{gateway.url}/v1/messages", json=ask("anthropic"), headers=both, timeout=20)
    assert (answer.status_code, answer.json()["error"]["type"]) == (401, "authentication_error")
    with anthropic.Anthropic(base_url=gateway.url, auth_token=CLIENT_KEY, max_retries=0, timeout=20) as client:
        assert client.messages.create(**ask("gemini")).stop_reason == "end_turn"
    assert len(vendors.records()) == 3


COUNTS = {
    "anthropic": ("/v1/messages/count_tokens", {"input_tokens": 7}),
    "gemini": ("/v1beta/models/gemini-2.5-flash:countTokens", {"totalTokens": 7}),
    "bedrock": ("/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/count-tokens", {"inputTokens": 7}),
}


@pytest.mark.parametrize("model", COUNTS)
def test_tokens_are_counted(sdk, vendors, model):
    path, body = COUNTS[model]
    scripted.play(vendors, body, vendor="openai" if model == "bedrock" else model)
    request = {"model": model, "system": "Rules.", "messages": user("Hello"), "tools": TOOLS}
    assert sdk.count(**request).input_tokens == 7
    record = scripted.sent(vendors)
    assert record["target"] == path
    text = json.dumps(record["json"])
    assert "Rules." in text and "Hello" in text and "get_weather" in text


def test_what_does_not_count_says_so(sdk, vendors):
    with pytest.raises(anthropic.BadRequestError, match="count"):
        sdk.count(model="openai", messages=user("Hello"))
    assert vendors.records() == []


def test_the_sdk_needs_nothing_but_its_two_environment_variables(gateway, vendors, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_BASE_URL", gateway.url)
    monkeypatch.setenv("ANTHROPIC_API_KEY", CLIENT_KEY)
    with anthropic.Anthropic() as client:
        answer = client.messages.create(**ask("gemini"))
    assert text_of(answer) == 'This is Gemini. You said: "Hello".'
