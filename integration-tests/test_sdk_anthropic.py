"""The official Anthropic SDK for Python, sync and async, with nothing changed but its address and key."""

import base64
import json
import time
from typing import Literal

import anthropic
import httpx
import pytest
from pydantic import BaseModel
from support import scripted
from support.gateway import CLIENT_KEY, MODELS, Gateway, policy
from support.scripted import PIXEL
from support.sdk_anthropic import Async, Sync

VENDORS = ["openai", "anthropic", "gemini"]
NAMES = {"openai": "OpenAI", "anthropic": "Anthropic", "gemini": "Gemini"}
# Models that reason, each under its vendor's name and this ending.
REASONING = {"openai": "gpt-5.2", "anthropic": "claude-sonnet-5-5", "gemini": "gemini-3.8-flash"}
THOUGHT = "Thinking about the question step by step."
TOOLS = [
    {
        "name": "get_weather",
        "description": "Says the weather.",
        "input_schema": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"enum": ["celsius", "fahrenheit"]}},
            "required": ["city", "unit"],
        },
    },
    {
        "name": "get_time",
        "description": "Says the time.",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
]
FUNCTIONS = {
    "get_weather": lambda city, unit: f"12 degrees {unit} in {city}",
    "get_time": lambda city: f"noon in {city}",
}
EPHEMERAL = {"type": "ephemeral"}


class Solution(BaseModel):
    answer: str
    unit: Literal["celsius", "fahrenheit"]
    certain: bool


@pytest.fixture(scope="module")
def gateway(mock_vendors):
    """The usual gateway, with a reasoning model of each vendor besides, and Bedrock on OpenAI's stage."""
    targets = {name: {"provider": name, "model": REASONING[name]} for name in VENDORS}
    models = {f"{name}-reasoning": {"targets": [target]} for name, target in targets.items()}
    models["any-reasoning"] = {"targets": list(targets.values())}
    models["bedrock"] = {"targets": [{"provider": "bedrock", "model": "anthropic.claude-sonnet-4-5-20250929-v1:0"}]}
    document = policy(mock_vendors, models=policy(mock_vendors)["models"] | models)
    document["providers"]["bedrock"] = scripted.provider(mock_vendors, "bedrock")
    with Gateway(document, "--concurrency", "1") as gateway:
        yield gateway
        assert gateway.wasm_trouble() == []


@pytest.fixture(scope="module", params=[Sync, Async], ids=["sync", "async"])
def sdk(request, gateway):
    sdk = request.param(gateway)
    yield sdk
    sdk.close()


@pytest.fixture(params=VENDORS)
def vendor(request, vendors):
    """Each vendor alone, under the model of its name. In the end, none may have got anything that it would refuse or
    should not know."""
    yield request.param
    for record in vendors.records():
        assert record["fault"] is None or record["answer"]["behaviour"] in ("raw", "status"), record["fault"]
        assert record["leaked_headers"] == []
        assert CLIENT_KEY not in json.dumps([record["headers"], record["target"]])


def ask(model: str, text: str = "Hello", **fields: object) -> dict:
    return {"model": model, "max_tokens": 2000, "messages": user(text)} | fields


def user(content: object) -> list[dict]:
    return [{"role": "user", "content": content}]


def text_of(message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def calls_of(message) -> list:
    return [block for block in message.content if block.type == "tool_use"]


def results(message) -> dict:
    """What the tools said, as an application sends it."""
    blocks = [
        {"type": "tool_result", "tool_use_id": call.id, "content": FUNCTIONS[call.name](**call.input)}
        for call in calls_of(message)
    ]
    return {"role": "user", "content": blocks}


def thinking(vendor: str) -> dict:
    return {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "low"}}


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


def test_a_tool_is_called_and_its_result_answered(sdk, vendor):
    messages = user("What is the weather? Use get_weather.")
    request = {"model": vendor, "max_tokens": 2000, "tools": TOOLS}
    for create in (sdk.create, sdk.final):
        answer = create(**request, messages=messages)
        assert answer.stop_reason == "tool_use"
        [call] = calls_of(answer)
        assert (call.name, call.input) == ("get_weather", {"city": "city", "unit": "celsius"})
        history = [*messages, {"role": "assistant", "content": answer.content}, results(answer)]
        answer = create(**request, messages=history)
        assert text_of(answer) == f'This is {NAMES[vendor]}. The tools returned: "12 degrees celsius in city".'
        assert answer.stop_reason == "end_turn"


def test_tools_are_called_in_parallel(sdk, vendor):
    messages = user("Both get_time and get_weather, please.")
    request = {"model": vendor, "max_tokens": 2000, "tools": TOOLS}
    for create in (sdk.create, sdk.final):
        answer = create(**request, messages=messages)
        assert [call.name for call in calls_of(answer)] == ["get_weather", "get_time"]
        assert len({call.id for call in calls_of(answer)}) == 2
        history = [*messages, {"role": "assistant", "content": answer.content}, results(answer)]
        said = text_of(create(**request, messages=history))
        assert said.endswith('The tools returned: "12 degrees celsius in city", "noon in city".')


def test_a_tool_can_be_forced_and_forbidden(sdk, vendor):
    request = ask(vendor, tools=TOOLS)
    for choice, expected in [({"type": "any"}, "get_weather"), ({"type": "tool", "name": "get_time"}, "get_time")]:
        [call] = calls_of(sdk.create(**request, tool_choice=choice))
        assert call.name == expected
    answer = sdk.create(**ask(vendor, "get_time", tools=TOOLS), tool_choice={"type": "none"})
    assert calls_of(answer) == []


def test_parallel_calls_can_be_forbidden(sdk, vendor, vendors):
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    request = ask(vendor, "Both get_time and get_weather, please.", tools=TOOLS, tool_choice=choice)
    if vendor == "gemini":
        with pytest.raises(anthropic.BadRequestError, match="tool_choice.disable_parallel_tool_use"):
            sdk.create(**request)
        assert vendors.records() == []
        return
    assert [call.name for call in calls_of(sdk.create(**request))] == ["get_weather"]


def test_a_tool_that_failed_says_so(sdk, vendor, vendors):
    call = {"type": "tool_use", "id": "toolu_1", "name": "get_time", "input": {"city": "Rome"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "is_error": True, "content": "No clock."}
    messages = [*user("get_time"), {"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    answer = sdk.create(model=vendor, max_tokens=100, tools=TOOLS, messages=messages)
    assert "No clock." in text_of(answer)
    sent = json.dumps(scripted.sent(vendors)["json"])
    if vendor == "anthropic":
        assert '"is_error": true' in sent
    elif vendor == "gemini":
        assert '"response": {"error": "No clock."}' in sent
    else:
        assert '"role": "tool"' in sent and "is_error" not in sent


def test_results_may_hold_blocks_and_stand_beside_text(sdk, vendor, vendors):
    calls = [
        {"type": "tool_use", "id": f"toolu_{number}", "name": "get_time", "input": {"city": "Rome"}}
        for number in (1, 2)
    ]
    content = [
        {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "noon"}]},
        {"type": "tool_result", "tool_use_id": "toolu_2"},
        {"type": "text", "text": "And now?"},
    ]
    messages = [
        *user("get_time twice"),
        {"role": "assistant", "content": [{"type": "text", "text": "Let me see."}, *calls]},
        {"role": "user", "content": content},
    ]
    answer = sdk.create(model=vendor, max_tokens=100, tools=TOOLS, messages=messages)
    said = text_of(answer)
    # Anthropic has both in one message, and the mock answers the results there.
    assert said.endswith('The tools returned: "noon", "".' if vendor == "anthropic" else 'You said: "And now?".')
    assert "And now?" in json.dumps(scripted.sent(vendors)["json"])


def test_results_may_hold_images(sdk, vendor, vendors):
    data = base64.b64encode(PIXEL).decode()
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}
    call = {"type": "tool_use", "id": "toolu_1", "name": "get_time", "input": {"city": "Rome"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "noon"}, image]}
    messages = [*user("get_time"), {"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    request = {"model": f"{vendor}-reasoning", "max_tokens": 2000, "tools": TOOLS, "messages": messages}
    if vendor == "openai":
        # Its results are texts, and what is said is never left out.
        with pytest.raises(anthropic.BadRequestError, match=r"messages\[2\]\.content\[0\]\.content\[1\]"):
            sdk.create(**request)
        assert vendors.records() == []
        return
    assert "noon" in text_of(sdk.create(**request))
    assert data in json.dumps(scripted.sent(vendors)["json"])


def test_thinking_is_shown_and_signed(sdk, vendor):
    request = ask(f"{vendor}-reasoning", "Think", **thinking(vendor))
    for create in (sdk.create, sdk.final):
        answer = create(**request)
        assert text_of(answer) == f'This is {NAMES[vendor]}. You said: "Think".'
        thoughts = [block for block in answer.content if block.type == "thinking"]
        # OpenAI shows none of it in chat completions.
        assert "".join(block.thinking for block in thoughts) == ("" if vendor == "openai" else THOUGHT)
        if vendor == "anthropic":
            assert all(block.signature for block in thoughts)


def test_a_tool_loop_with_thinking_takes_several_rounds(sdk, vendor, vendors):
    request = {"model": f"{vendor}-reasoning", "max_tokens": 4000, "tools": TOOLS} | thinking(vendor)
    messages = user("Use get_weather.")
    for question in ["Now get_time.", "And get_weather with get_time again.", "Thank you."]:
        answer = sdk.create(**request, messages=messages)
        messages += [{"role": "assistant", "content": answer.content}, results(answer)]
        final = sdk.final(**request, messages=messages)
        assert "The tools returned:" in text_of(final)
        messages += [{"role": "assistant", "content": final.content}, *user(question)]
    answer = sdk.create(**request, messages=messages)
    assert text_of(answer).endswith('You said: "Thank you.".')
    last = json.dumps(vendors.records(vendor)[-1]["json"])
    # What the vendor has signed came back to it: it refuses what it has not signed.
    assert last.count('"signature"') >= 6 if vendor == "anthropic" else '"signature"' not in last
    if vendor == "gemini":
        assert last.count('"thoughtSignature"') >= 3 and "skip_thought_signature_validator" not in last


def test_a_conversation_moves_between_vendors(sdk, vendors):
    messages = user("Use get_weather.")
    for turn in range(9):
        vendors.reset()
        answering = (2 * turn + 1) % 3
        for name in VENDORS[:answering]:
            vendors.script(name, {"kind": "status", "status": 429}, times=0)
        request = {"model": "any-reasoning", "max_tokens": 4000, "messages": messages, "tools": TOOLS}
        create = sdk.create if turn % 2 else sdk.final
        answer = create(**request, **thinking("anthropic"))
        assert [record["fault"] for record in vendors.records()] == [None] * (answering + 1)
        messages.append({"role": "assistant", "content": answer.content})
        messages += [results(answer)] if calls_of(answer) else user("And get_weather with get_time again.")


def test_redacted_thinking_comes_back_to_its_maker_alone(sdk, vendor, vendors):
    blocks = [{"type": "redacted_thinking", "data": "c2VhbGVk"}, {"type": "text", "text": "Hi"}]
    messages = [*user("Hello"), {"role": "assistant", "content": blocks}, *user("Again")]
    if vendor == "anthropic":
        scripted.play(vendors, message(), vendor="anthropic")
    sdk.create(model=f"{vendor}-reasoning", max_tokens=2000, messages=messages, **thinking(vendor))
    assert ("c2VhbGVk" in json.dumps(scripted.sent(vendors)["json"])) == (vendor == "anthropic")


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


def message(**fields: object) -> dict:
    """An answer of Anthropic's."""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5-5",
        "content": [{"type": "text", "text": "Hi"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    } | fields


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


def test_a_malformed_request_is_refused_by_name(sdk, vendor, vendors):
    with pytest.raises(anthropic.BadRequestError) as raised:
        sdk.create(model=vendor, max_tokens=9, messages=[*user("Hello"), {"role": "user", "content": 5}])
    assert raised.value.body["type"] == "error"
    assert raised.value.body["error"]["type"] == "invalid_request_error"
    assert "messages[1].content" in raised.value.message
    assert vendors.records() == []


def test_what_a_vendor_lacks_is_refused_by_name(sdk, vendors):
    with pytest.raises(anthropic.BadRequestError, match="top_k"):
        sdk.create(**ask("openai"), extra_body={"top_k": 3})
    tools = [{"type": "web_search_20250305", "name": "web_search"}]
    for model in ("openai", "gemini"):
        with pytest.raises(anthropic.BadRequestError, match=r"tools\[0\]"):
            sdk.create(**ask(model), tools=tools)
    assert vendors.records() == []


def test_errors_of_the_gateway_have_the_sdk_s_types(sdk, gateway, vendors):
    with pytest.raises(anthropic.NotFoundError) as raised:
        sdk.create(**ask("claude-nonexistent"))
    assert raised.value.body["error"]["type"] == "not_found_error"
    stranger = type(sdk)(gateway, api_key="a-foreign-key")
    with pytest.raises(anthropic.AuthenticationError) as raised:
        stranger.create(**ask("openai"))
    assert "a-foreign-key" not in str(raised.value.body)
    stranger.close()
    assert vendors.records() == []


@pytest.mark.parametrize(
    ("status", "error", "word"),
    [
        (400, anthropic.BadRequestError, "invalid_request_error"),
        (404, anthropic.NotFoundError, "not_found_error"),
        (429, anthropic.RateLimitError, "rate_limit_error"),
        (500, anthropic.InternalServerError, "api_error"),
    ],
)
def test_errors_of_the_vendors_have_the_sdk_s_types(sdk, vendor, vendors, status, error, word):
    vendors.script(vendor, {"kind": "status", "status": status, "headers": [["retry-after", "7"]]}, times=2)
    for call in (sdk.create, sdk.events):
        with pytest.raises(error) as raised:
            call(**ask(vendor))
        assert raised.value.status_code == status
        assert raised.value.body["error"]["type"] == word
        assert raised.value.response.headers["x-sluice-provider"] == vendor
        assert raised.value.response.headers["retry-after"] == "7"


def test_an_overloaded_vendor_is_told(sdk, vendor, vendors):
    vendors.script(vendor, {"kind": "status", "status": 529})
    with pytest.raises(anthropic.InternalServerError) as raised:
        sdk.create(**ask(vendor))
    assert raised.value.status_code == (529 if vendor == "anthropic" else 503)
    assert raised.value.body["error"]["type"] == "overloaded_error"
    sdk.create(**ask(vendor, "Well again"))


def test_a_vendor_that_refuses_our_key_is_no_fault_of_the_client(sdk, vendor, vendors):
    vendors.script(vendor, {"kind": "status", "status": 401})
    with pytest.raises(anthropic.InternalServerError) as raised:
        sdk.create(**ask(vendor))
    assert raised.value.status_code == 502
    assert raised.value.body["error"]["type"] == "api_error"


def test_an_error_in_the_middle_of_a_stream_is_raised(sdk, vendor, vendors):
    vendors.script(vendor, {"kind": "stream_error", "after_events": 5, "status": 503})
    seen = []
    with pytest.raises(anthropic.APIError) as raised:
        sdk.events(seen, **ask(vendor, "A long enough question"))
    assert raised.value.body["type"] == "error"
    assert raised.value.body["error"]["message"]
    assert seen and "message_stop" not in [event.type for event in seen]


def test_a_stream_that_ends_too_soon_is_an_error(sdk, vendor, vendors):
    vendors.script(vendor, {"kind": "cut", "after_events": 4, "how": "end"})
    with pytest.raises(anthropic.APIError) as raised:
        sdk.events(**ask(vendor, "A long enough question"))
    assert raised.value.body["error"]["type"] == "api_error"


def test_a_stream_that_begins_with_an_error_is_an_error_with_a_status(sdk, vendor, vendors):
    vendors.script(vendor, {"kind": "stream_error", "after_events": 0, "status": 429})
    with pytest.raises(anthropic.RateLimitError) as raised:
        sdk.events(**ask(vendor))
    assert raised.value.response.headers["content-type"] == "application/json"


def disconnected(vendors, vendor: str) -> dict:
    """The vendor's latest request, once the vendor has noticed that nobody waits for its answer."""
    until = time.monotonic() + 10
    while not (record := vendors.records(vendor)[-1])["disconnected"]:
        assert time.monotonic() < until, "the vendor was never told"
        time.sleep(0.02)
    return record


def test_a_stream_that_is_closed_early_ends_at_the_vendor(sdk, vendor, vendors):
    vendors.script(vendor, {"kind": "slow", "gap_ms": 50})
    assert len(sdk.events(**ask(vendor, "word " * 400), stop_after=3)) == 3
    record = disconnected(vendors, vendor)
    assert record["disconnected"]["after_events"] < 100
    sdk.create(**ask(vendor, "Still there?"))


def test_a_client_that_runs_out_of_patience_gets_its_timeout(sdk, vendor, vendors):
    vendors.script(vendor, {"kind": "hang"}, times=2)
    for call in (sdk.create, sdk.events):
        with pytest.raises(anthropic.APITimeoutError):
            call(**ask(vendor), timeout=0.4)
        disconnected(vendors, vendor)
    sdk.create(**ask(vendor, "Still there?"))


def agent_request(model: str) -> dict:
    """A request as a coding agent makes it: cache marks, who the user is, many tools, thinking, a long history."""
    tools = [
        {
            "name": f"tool_{number}",
            "description": f"Does thing {number}. " * 20,
            "input_schema": {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "type": "object",
                "properties": {
                    "file_path": {"type": "string", "description": "The absolute path"},
                    "edits": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {"old": {"type": "string"}, "all": {"type": "boolean", "default": False}},
                            "required": ["old"],
                            "additionalProperties": False,
                        },
                    },
                },
                "required": ["file_path"],
                "additionalProperties": False,
            },
        }
        for number in range(20)
    ]
    system = [
        {"type": "text", "text": "You are an agent.", "cache_control": EPHEMERAL},
        {"type": "text", "text": "Rules of the house. " * 200, "cache_control": EPHEMERAL},
    ]
    messages = [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "<system-reminder>\nContext.\n</system-reminder>"},
                {"type": "text", "text": "Mend the build.", "cache_control": EPHEMERAL},
            ],
        }
    ]
    for turn in range(30):
        calls = [
            {
                "type": "tool_use",
                "id": f"toolu_{turn}_{call}",
                "name": f"tool_{call}",
                "input": {"file_path": f"/a/{turn}"},
            }
            for call in range(1 + turn % 3)
        ]
        text = [{"type": "text", "text": f"Step {turn}."}] if turn % 2 else []
        messages.append({"role": "assistant", "content": [*text, *calls]})
        blocks = [
            {
                "type": "tool_result",
                "tool_use_id": call["id"],
                "content": [{"type": "text", "text": f"line of {turn}\n" * 10}] if turn % 4 else f"line of {turn}\n",
                "is_error": turn % 5 == 0,
            }
            for call in calls
        ]
        messages.append({"role": "user", "content": blocks})
    last = messages[-1]["content"]
    last[-1]["cache_control"] = EPHEMERAL
    last.append({"type": "text", "text": "<system-reminder>Keep the list of things to do.</system-reminder>"})
    return {
        "model": model,
        "max_tokens": 32000,
        "system": system,
        "tools": tools,
        "messages": messages,
        "metadata": {"user_id": "user_abc_account__session_00000000-0000-4000-8000-000000000000"},
        "thinking": {"type": "adaptive"},
    }


@pytest.mark.parametrize(
    ("model", "named"), [("openai", {"context_management"}), ("gemini", {"context_management", "metadata.user_id"})]
)
def test_advice_that_agents_always_give_is_left_out_and_named(sdk, vendors, model, named):
    edits = {"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}}
    headers, _ = sdk.raw(**ask(model, metadata={"user_id": "user_1"}), extra_body=edits)
    assert scripted.dropped(headers) == named
    assert scripted.sent(vendors)["json"].get("safety_identifier") == ("user_1" if model == "openai" else None)


@pytest.mark.parametrize("ending", ["", "-reasoning"])
def test_a_coding_agent_is_served_by_each_vendor(sdk, vendor, vendors, ending):
    """Under the default policy, which refuses what a vendor lacks."""
    request = agent_request(f"{vendor}{ending}")
    if (vendor, ending) == ("anthropic", ""):
        # This Claude knows budgets only; whether it takes the rest is its own to say.
        request["thinking"] = {"type": "disabled"}
    final = sdk.final(**request)
    assert final.stop_reason == "end_turn"
    assert ("line of 29" if vendor == "anthropic" else "Keep the list") in text_of(final)
    sent = scripted.sent(vendors)["json"]
    assert "Keep the list" in json.dumps(sent)
    assert json.dumps(sent).count("line of 29") == json.dumps(request).count("line of 29")
    if vendor == "anthropic":
        assert json.dumps(sent).count('"cache_control"') == 4


def test_the_sdk_needs_nothing_but_its_two_environment_variables(gateway, vendors, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_BASE_URL", gateway.url)
    monkeypatch.setenv("ANTHROPIC_API_KEY", CLIENT_KEY)
    with anthropic.Anthropic() as client:
        answer = client.messages.create(**ask("gemini"))
    assert text_of(answer) == 'This is Gemini. You said: "Hello".'
