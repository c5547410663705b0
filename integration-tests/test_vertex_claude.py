"""Claude at Vertex AI: what Google's platform gets is what Anthropic's own SDK for it sends, and what it answers is read."""

import contextlib
import http.server
import json
import threading

import anthropic
import openai
import pytest
from support import scripted
from support.gateway import CLIENT_KEY, Gateway, policy

MODEL = "claude-sonnet-5-5"
PROJECT, REGION = "project-1", "europe-west4"
ROOT = f"/v1/projects/{PROJECT}/locations/{REGION}/publishers/anthropic/models"
TOOL = {"name": "weather", "description": "Tells.", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
REQUEST = {
    "max_tokens": 99,
    "system": "Be brief.",
    "messages": [
        {"role": "user", "content": "Weather in Paris?"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Paris"}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "12 degrees"}]},
    ],
    "tools": [TOOL],
}
ANSWER = {
    "id": "msg_vrtx_1",
    "type": "message",
    "role": "assistant",
    "model": MODEL,
    "content": [
        {"type": "text", "text": "Grüße! 🎉"},
        {"type": "tool_use", "id": "toolu_2", "name": "weather", "input": {"city": "Rome"}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {"input_tokens": 20, "output_tokens": 5, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0},
}
EVENTS = [
    {"type": "message_start", "message": ANSWER | {"content": [], "stop_reason": None}},
    {"type": "vertex_event", "usage": {}},
    {"type": "ping"},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Grü"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "ße! 🎉"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "toolu_2", "name": "weather", "input": {}}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"city": "Ro'}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": 'me"}'}},
    {"type": "content_block_stop", "index": 1},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None}, "usage": {"output_tokens": 5}},
    {"type": "message_stop"},
]


@pytest.fixture(scope="module")
def gateway(mock_vendors):
    providers = {"vertex": scripted.provider(mock_vendors, "vertex")}
    models = {"claude": {"targets": [{"provider": "vertex", "model": MODEL}]}}
    with Gateway(policy(mock_vendors, models, providers=providers), "--concurrency", "1") as gateway:
        yield gateway
        assert gateway.wasm_trouble() == []


@pytest.fixture
def client(gateway, vendors):
    with anthropic.Anthropic(api_key=CLIENT_KEY, base_url=gateway.url, max_retries=0, timeout=20) as client:
        yield client


@contextlib.contextmanager
def listener():
    """A server that keeps what it is asked, and answers with an error."""
    asked: list[tuple[str, dict]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append((self.path, json.loads(self.rfile.read(int(self.headers["content-length"])))))
            self.send_response(400)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1", asked
        server.shutdown()


def own_sdk(call) -> tuple[str, dict]:
    """The path and body of this call as Anthropic's SDK for Vertex AI sends it to Google."""
    with listener() as (url, asked):
        options = {"project_id": PROJECT, "region": REGION, "access_token": "token", "max_retries": 0, "timeout": 20}
        with anthropic.AnthropicVertex(base_url=url, **options) as client, pytest.raises(anthropic.APIError):
            call(client)
    [(path, body)] = asked
    return path, body


def check_sent(vendors, expected: tuple[str, dict]) -> None:
    record = scripted.sent(vendors)
    headers = dict(record["headers"])
    assert (record["target"], record["json"]) == expected
    assert headers["authorization"] == scripted.bearer()


def check_message(message: anthropic.types.Message) -> None:
    text, call = message.content
    assert (text.text, call.name, call.input) == ("Grüße! 🎉", "weather", {"city": "Rome"})
    assert (message.stop_reason, message.usage.input_tokens, message.usage.output_tokens) == ("tool_use", 20, 5)


def test_a_message(client, vendors):
    scripted.play(vendors, ANSWER)
    check_message(client.messages.create(model="claude", **REQUEST))
    check_sent(vendors, own_sdk(lambda sdk: sdk.messages.create(model=MODEL, **REQUEST)))
    assert scripted.sent(vendors)["target"] == f"{ROOT}/{MODEL}:rawPredict"


def test_a_stream(client, vendors):
    scripted.play_events(vendors, "anthropic", EVENTS)
    with client.messages.stream(model="claude", **REQUEST) as stream:
        check_message(stream.get_final_message())
    expected = own_sdk(lambda sdk: sdk.messages.create(model=MODEL, stream=True, **REQUEST))
    check_sent(vendors, expected)
    assert expected[0] == f"{ROOT}/{MODEL}:streamRawPredict"


def test_a_count_of_tokens(client, vendors):
    counted = {name: value for name, value in REQUEST.items() if name != "max_tokens"}
    scripted.play(vendors, {"input_tokens": 17})
    assert client.messages.count_tokens(model="claude", **counted).input_tokens == 17
    path, body = own_sdk(lambda sdk: sdk.messages.count_tokens(model=MODEL, **counted))
    record = scripted.sent(vendors)
    assert (record["target"], record["json"]) == (path, body)
    assert path == f"{ROOT}/count-tokens:rawPredict"


def chat(client: openai.OpenAI, **fields: object):
    function = {"name": "weather", "description": "Tells.", "parameters": TOOL["input_schema"]}
    arguments = json.dumps({"city": "Paris"})
    return client.chat.completions.create(
        model="claude",
        max_completion_tokens=99,
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Weather in Paris?"},
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": "toolu_1", "type": "function", "function": {"name": "weather", "arguments": arguments}}
                ],
            },
            {"role": "tool", "tool_call_id": "toolu_1", "content": "12 degrees"},
        ],
        tools=[{"type": "function", "function": function}],
        **fields,
    )


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_client_of_another_dialect(gateway, vendors, streamed):
    with openai.OpenAI(api_key=CLIENT_KEY, base_url=f"{gateway.url}/v1", max_retries=0, timeout=20) as client:
        if streamed:
            scripted.play_events(vendors, "anthropic", EVENTS)
            state = openai.lib.streaming.chat.ChatCompletionStreamState()
            for chunk in chat(client, stream=True, stream_options={"include_usage": True}):
                state.handle_chunk(chunk)
            answer = state.get_final_completion()
        else:
            scripted.play(vendors, ANSWER)
            answer = chat(client)
    [choice] = answer.choices
    [call] = choice.message.tool_calls
    assert choice.message.content == "Grüße! 🎉" and json.loads(call.function.arguments) == {"city": "Rome"}
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (20, 5)
    record = scripted.sent(vendors)
    method = "streamRawPredict" if streamed else "rawPredict"
    assert record["target"] == f"{ROOT}/{MODEL}:{method}"
    body = record["json"]
    assert body["anthropic_version"] == "2026-10-21" and "model" not in body
    assert body.get("stream", False) is streamed
    [_, said, result] = body["messages"]
    assert said["content"] == REQUEST["messages"][1]["content"]
    assert result["content"][0]["content"] == [{"type": "text", "text": "12 degrees"}]


def test_an_error_is_told(client, vendors):
    failure = {"error": {"code": 403, "message": "Permission denied on project-1", "status": "PERMISSION_DENIED"}}
    scripted.play(vendors, [failure], status=403)
    with pytest.raises(anthropic.APIStatusError) as refused:
        client.messages.create(model="claude", **REQUEST)
    assert refused.value.status_code == 502 and "project-1" not in str(refused.value)
