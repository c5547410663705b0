"""What the tests with the Anthropic SDK have in common: a gateway, the SDK in either form, and how requests are made and answers read."""

import json

import pytest

from . import scripted
from .gateway import CLIENT_KEY, Gateway, policy
from .sdk_anthropic import Async, Sync

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
