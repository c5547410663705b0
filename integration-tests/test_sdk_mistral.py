"""The official Mistral SDK as a client of chat completions and embeddings, at other vendors and at Mistral itself.

What it sends is what the SDK of the requirements was seen to send; `docs/clients.md` has the rules.
"""

import json

import pytest
from mistralai.client import Mistral
from mistralai.client.errors import SDKError
from support import scripted
from support.gateway import CLIENT_KEY, Gateway, policy

TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tells the weather.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
QUESTION = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Weather in Rome and Oslo?"}]
CITIES = {"call_1": "Rome", "call_2": "Oslo"}

# What the vendors answer, whole and as the events of a stream.
TEXT = {
    "anthropic": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5-5",
        "content": [{"type": "text", "text": "Grüße! 🎉"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 20, "output_tokens": 5},
    },
    "gemini": {
        "candidates": [{"content": {"role": "model", "parts": [{"text": "Grüße! 🎉"}]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 20, "candidatesTokenCount": 5, "totalTokenCount": 25},
        "modelVersion": "gemini-3.8-flash",
        "responseId": "r-1",
    },
}
MESSAGE = TEXT["anthropic"] | {"content": [], "stop_reason": None, "usage": {"input_tokens": 20, "output_tokens": 1}}
TEXT_EVENTS = {
    "anthropic": [
        {"type": "message_start", "message": MESSAGE},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Grü"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "ße! 🎉"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 5}},
        {"type": "message_stop"},
    ],
    "gemini": [
        {"candidates": [{"content": {"role": "model", "parts": [{"text": "Grü"}]}}], "responseId": "r-1"},
        {
            "candidates": [{"content": {"role": "model", "parts": [{"text": "ße! 🎉"}]}, "finishReason": "STOP"}],
            "usageMetadata": {"promptTokenCount": 20, "candidatesTokenCount": 5, "totalTokenCount": 25},
        },
    ],
}
CALLS = {
    "anthropic": TEXT["anthropic"]
    | {
        "content": [
            {"type": "tool_use", "id": id, "name": "weather", "input": {"city": city}} for id, city in CITIES.items()
        ],
        "stop_reason": "tool_use",
    },
    "gemini": TEXT["gemini"]
    | {
        "candidates": [
            {
                "content": {
                    "role": "model",
                    "parts": [
                        {"functionCall": {"id": id, "name": "weather", "args": {"city": city}}}
                        for id, city in CITIES.items()
                    ],
                },
                "finishReason": "STOP",
            }
        ]
    },
}
CALL_EVENTS = {
    "anthropic": [
        {"type": "message_start", "message": MESSAGE},
        *(
            event
            for index, (id, city) in enumerate(CITIES.items())
            for event in [
                {
                    "type": "content_block_start",
                    "index": index,
                    "content_block": {"type": "tool_use", "id": id, "name": "weather", "input": {}},
                },
                {
                    "type": "content_block_delta",
                    "index": index,
                    "delta": {"type": "input_json_delta", "partial_json": '{"city"'},
                },
                {
                    "type": "content_block_delta",
                    "index": index,
                    "delta": {"type": "input_json_delta", "partial_json": f': "{city}"}}'},
                },
                {"type": "content_block_stop", "index": index},
            ]
        ),
        {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None}, "usage": {"output_tokens": 9}},
        {"type": "message_stop"},
    ],
    "gemini": [CALLS["gemini"]],
}
VECTORS = {
    "gemini": {"embeddings": [{"values": [0.5, -0.25]}, {"values": [1, 2]}], "usageMetadata": {"promptTokenCount": 9}},
    "cohere": {
        "id": "e-1",
        "embeddings": {"float": [[0.5, -0.25], [1, 2]]},
        "meta": {"billed_units": {"input_tokens": 9}},
    },
}
VENDORS = ["anthropic", "gemini"]


@pytest.fixture(scope="module")
def gateway(mock_vendors):
    providers = {dialect: scripted.provider(mock_vendors, dialect) for dialect in ["anthropic", "gemini", "cohere"]}
    providers["mistral"] = {
        "preset": "mistral",
        "endpoint": mock_vendors.addresses[scripted.STAGE] + "/v1",
        "credential": {"env": "TEST_OPENAI_KEY"},
    }
    model = {
        # One that can be made to call a tool.
        "anthropic": "claude-sonnet-4-5",
        "gemini": "gemini-3.8-flash",
        "mistral": "mistral-large-2512",
    }
    models = {name: {"targets": [{"provider": name, "model": own}]} for name, own in model.items()}
    models["gemini-vectors"] = {"targets": [{"provider": "gemini", "model": "gemini-embedding-001"}]}
    models["cohere-vectors"] = {"targets": [{"provider": "cohere", "model": "embed-v4.0"}]}
    with Gateway(policy(mock_vendors, models, providers=providers), "--concurrency", "1") as gateway:
        yield gateway
        assert gateway.wasm_trouble() == []


@pytest.fixture
def client(gateway, vendors):
    with Mistral(api_key=CLIENT_KEY, server_url=gateway.url, timeout_ms=20_000, retry_config=None) as client:
        yield client


def texts(value: object) -> list[str]:
    """Every text in a value."""
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for one in inner for text in texts(one)]


def calls_of(message) -> dict[str, str]:
    return {call.id: json.loads(call.function.arguments)["city"] for call in message.tool_calls or []}


@pytest.mark.parametrize("model", VENDORS)
def test_an_answer_is_read(client, vendors, model):
    scripted.play(vendors, TEXT[model])
    answer = client.chat.complete(model=model, messages=QUESTION, max_tokens=99, safe_prompt=False, stop=["END"])
    assert answer.choices[0].message.content == "Grüße! 🎉"
    assert answer.choices[0].finish_reason == "stop"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (20, 5)
    assert "Be brief." in texts(scripted.sent(vendors)["json"])


@pytest.mark.parametrize("model", VENDORS)
def test_a_stream_is_read(client, vendors, model):
    scripted.play_events(vendors, model, TEXT_EVENTS[model])
    chunks = [event.data for event in client.chat.stream(model=model, messages=QUESTION)]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Grüße! 🎉"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    scripted.sent(vendors)


@pytest.mark.parametrize("model", VENDORS)
def test_tools_are_called_and_answered(client, vendors, model):
    scripted.play(vendors, CALLS[model])
    answer = client.chat.complete(model=model, messages=QUESTION, tools=[TOOL], tool_choice="any")
    message = answer.choices[0].message
    assert calls_of(message) == CITIES and answer.choices[0].finish_reason == "tool_calls"
    # The SDK's own object goes back, with the fields that it has besides OpenAI's.
    results = [
        {"role": "tool", "tool_call_id": id, "name": "weather", "content": f"{city}: 12 degrees"}
        for id, city in CITIES.items()
    ]
    vendors.reset()
    scripted.play(vendors, TEXT[model])
    answer = client.chat.complete(model=model, messages=[*QUESTION, message, *results], tools=[TOOL])
    assert answer.choices[0].message.content == "Grüße! 🎉"
    said = texts(scripted.sent(vendors)["json"])
    assert {"Rome: 12 degrees", "Oslo: 12 degrees", "Rome", "Oslo"} <= set(said)


@pytest.mark.parametrize("model", VENDORS)
def test_streamed_calls_come_whole(client, vendors, model):
    scripted.play_events(vendors, model, CALL_EVENTS[model])
    chunks = [event.data for event in client.chat.stream(model=model, messages=QUESTION, tools=[TOOL])]
    found = {}
    for chunk in chunks:
        for choice in chunk.choices:
            if choice.delta.tool_calls:
                found |= calls_of(choice.delta)
    assert found == CITIES
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices][-1] == "tool_calls"


@pytest.mark.parametrize("vendor", ["gemini", "cohere"])
def test_texts_become_vectors(client, vendors, vendor):
    scripted.play(vendors, VECTORS[vendor])
    answer = client.embeddings.create(model=f"{vendor}-vectors", inputs=["one", "two"])
    assert [one.embedding for one in answer.data] == [[0.5, -0.25], [1, 2]]
    assert answer.usage.prompt_tokens == 9
    assert {"one", "two"} <= set(texts(scripted.sent(vendors)["json"]))


def test_an_image_by_its_bare_url_is_understood(client, vendors):
    scripted.play(vendors, TEXT["anthropic"])
    content = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": "data:image/png;base64,iVBO"}]
    client.chat.complete(model="anthropic", messages=[{"role": "user", "content": content}])
    [message] = scripted.sent(vendors)["json"]["messages"]
    source = {"type": "base64", "media_type": "image/png", "data": "iVBO"}
    assert message["content"][1] == {"type": "image", "source": source}


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"safe_prompt": True}, "safe_prompt"),
        ({"random_seed": 7}, "random_seed"),
        ({"messages": [*QUESTION, {"role": "assistant", "content": "It is", "prefix": True}]}, "messages[2].prefix"),
    ],
)
def test_words_of_mistrals_own_are_refused_elsewhere(client, vendors, fields, named):
    with pytest.raises(SDKError) as refused:
        client.chat.complete(**{"model": "gemini", "messages": QUESTION} | fields)
    assert refused.value.status_code == 400
    error = json.loads(refused.value.body)["error"]
    assert (error["param"], error["code"]) == (named, "unsupported_parameter")
    assert vendors.records() == []


def test_at_mistral_its_own_words_pass(client, vendors):
    own = {
        "id": "c-1",
        "object": "chat.completion",
        "created": 1,
        "model": "mistral-large-2512",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
    scripted.play(vendors, own)
    prefix = {"role": "assistant", "content": "It is", "prefix": True}
    answer = client.chat.complete(
        model="mistral", messages=[*QUESTION, prefix], safe_prompt=True, random_seed=7, prompt_mode="reasoning"
    )
    assert answer.choices[0].message.content == "Hi"
    body = scripted.sent(vendors)["json"]
    assert (body["model"], body["safe_prompt"], body["random_seed"], body["prompt_mode"]) == (
        "mistral-large-2512",
        True,
        7,
        "reasoning",
    )
    assert body["messages"][-1]["prefix"] is True
