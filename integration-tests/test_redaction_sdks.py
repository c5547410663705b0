"""The official SDKs read masked streams as they read any other."""

import anthropic
import openai
import pytest
from google import genai
from google.genai import types
from support.gateway import CLIENT_KEY, Gateway, policy
from support.redaction import MASK, PLANTED, policy_section
from support.scripted import play_events
from test_redaction_coverage import ANTHROPIC, ARGUMENTS, CHAT, FRAMING, GEMINI, RESPONSES, STREAMS

SAID = f"Write to {MASK} today."


@pytest.fixture(scope="module")
def masked(mock_vendors):
    azure = {"dialect": "azure_openai", "endpoint": mock_vendors.addresses["openai"], "api_version": "v1", "credential": {"env": "TEST_OPENAI_KEY"}}
    document = policy(mock_vendors, redaction=policy_section())
    document["providers"]["azure"] = azure
    document["models"]["azure"] = {"targets": [{"provider": "azure", "model": "deployment"}]}
    with Gateway(document) as gateway:
        yield gateway


def play(vendors, client: str, field: str, vendor: str) -> None:
    play_events(vendors, FRAMING[client], STREAMS[client, field](0), vendor=vendor)


def test_openai_chat(masked, vendors):
    client = openai.OpenAI(base_url=f"{masked.url}/v1", api_key=CLIENT_KEY, timeout=30, max_retries=0)
    messages = [{"role": "user", "content": "Hello"}]
    play(vendors, CHAT, "content", "openai")
    with client.chat.completions.stream(model="openai", messages=messages) as stream:
        completion = stream.get_final_completion()
    assert completion.choices[0].message.content == SAID and completion.choices[0].finish_reason == "stop"
    play(vendors, CHAT, "arguments", "openai")
    with client.chat.completions.stream(model="openai", messages=messages) as stream:
        [call] = stream.get_final_completion().choices[0].message.tool_calls
    assert (call.id, call.function.name, call.function.arguments) == ("call_1", "mail", ARGUMENTS.replace(PLANTED, MASK))


def test_openai_responses(masked, vendors):
    client = openai.OpenAI(base_url=f"{masked.url}/v1", api_key=CLIENT_KEY, timeout=30, max_retries=0)
    play(vendors, RESPONSES, "text", "openai")
    events = list(client.responses.create(model="azure", input="Hello", stream=True))
    deltas = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert (deltas, events[-1].response.output_text) == (SAID, SAID)


def test_anthropic(masked, vendors):
    client = anthropic.Anthropic(base_url=masked.url, api_key=CLIENT_KEY, timeout=30, max_retries=0)
    ask = {"model": "anthropic", "max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]}
    play(vendors, ANTHROPIC, "text", "anthropic")
    with client.messages.stream(**ask) as stream:
        assert stream.get_final_text() == SAID
    play(vendors, ANTHROPIC, "input", "anthropic")
    with client.messages.stream(**ask) as stream:
        [block] = stream.get_final_message().content
    assert block.input == {"to": MASK, "n": 1}


def test_google(masked, vendors):
    options = types.HttpOptions(base_url=masked.url, timeout=30_000)
    client = genai.Client(api_key=CLIENT_KEY, http_options=options)
    play(vendors, GEMINI, "text", "gemini")
    chunks = list(client.models.generate_content_stream(model="gemini", contents="Hello"))
    assert "".join(chunk.text or "" for chunk in chunks) == SAID
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP


def test_a_stream_as_one_array(masked, vendors):
    play(vendors, GEMINI, "text", "gemini")
    path = "/v1beta/models/gemini:streamGenerateContent"
    answer = masked.client.post(path, json={"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]})
    events = answer.json()
    parts = [part for event in events for part in event["candidates"][0].get("content", {}).get("parts", [])]
    assert "".join(part.get("text", "") for part in parts) == SAID
    assert events[-1]["candidates"][0]["finishReason"] == "STOP"
