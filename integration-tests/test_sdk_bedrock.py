"""Amazon Bedrock as Amazon's own SDK sees it: what is signed and sent, what streams are, and what clients get."""

import base64
import json
from collections.abc import Callable

import anthropic
import boto3
import botocore.config
import botocore.eventstream
import openai
import pytest
from google import genai
from google.genai import errors
from support import aws, scripted
from support.gateway import CLIENT_KEY, Gateway, policy
from support.matrix import aws_event
from support.scripted import PIXEL

REGION = "eu-central-1"
CLAUDE = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
ARN = "arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/a1b2c3"
# By the model's name: the provider's own one.
MODELS = {"claude": CLAUDE, "nova": "amazon.nova-pro-v1:0", "llama": "meta.llama3-1-70b-instruct-v1:0", "profile": ARN}
TOOL = {
    "name": "get_weather",
    "description": "Says the weather.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
USAGE = {"inputTokens": 7, "outputTokens": 3, "totalTokens": 10, "cacheReadInputTokens": 2, "cacheWriteInputTokens": 0}


def document(vendors, credential: dict) -> dict:
    provider = scripted.provider(vendors, "bedrock", credential=credential)
    models = {name: {"targets": [{"provider": "bedrock", "model": model}]} for name, model in MODELS.items()}
    models["embedder"] = {"targets": [{"provider": "bedrock", "model": "amazon.titan-embed-text-v2:0"}]}
    return policy(vendors, models, providers={"bedrock": provider})


def keys(token: str | None) -> dict:
    return {"AWS_ACCESS_KEY_ID": aws.KEY, "AWS_SECRET_ACCESS_KEY": aws.SECRET} | (
        {"AWS_SESSION_TOKEN": token} if token else {}
    )


@pytest.fixture(scope="module")
def gateway(mock_vendors):
    with Gateway(document(mock_vendors, {"aws_env": True}), "--concurrency", "1", environment=keys(None)) as gateway:
        yield gateway
        assert gateway.wasm_trouble() == []


@pytest.fixture
def claude(gateway, vendors):
    with anthropic.Anthropic(base_url=gateway.url, api_key=CLIENT_KEY, max_retries=0, timeout=20) as client:
        yield client


@pytest.fixture
def boto(mock_vendors):
    """Amazon's SDK, at the mock itself."""
    return boto3.client(
        "bedrock-runtime",
        region_name=REGION,
        endpoint_url=mock_vendors.addresses[scripted.STAGE],
        aws_access_key_id=aws.KEY,
        aws_secret_access_key=aws.SECRET,
        config=botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=20, proxies={}),
    )


def answer(*content: dict, reason: str = "end_turn") -> dict:
    message = {"role": "assistant", "content": list(content or [{"text": "Grüße"}])}
    return {"output": {"message": message}, "stopReason": reason, "usage": USAGE, "metrics": {"latencyMs": 5}}


TEXT = [
    {"messageStart": {"role": "assistant"}},
    {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "Grü"}}},
    {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "ße 🎉"}}},
    {"contentBlockStop": {"contentBlockIndex": 0}},
    {"messageStop": {"stopReason": "end_turn"}},
    {"metadata": {"usage": USAGE, "metrics": {"latencyMs": 5}}},
]
CALL = [
    {"messageStart": {"role": "assistant"}},
    {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": "Think"}}}},
    {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"reasoningContent": {"signature": "c2ln"}}}},
    {"contentBlockStop": {"contentBlockIndex": 0}},
    {
        "contentBlockStart": {
            "contentBlockIndex": 1,
            "start": {"toolUse": {"toolUseId": "tooluse_1", "name": "get_weather"}},
        }
    },
    {"contentBlockDelta": {"contentBlockIndex": 1, "delta": {"toolUse": {"input": '{"city": '}}}},
    {"contentBlockDelta": {"contentBlockIndex": 1, "delta": {"toolUse": {"input": '"Rome"}'}}}},
    {"contentBlockStop": {"contentBlockIndex": 1}},
    {"messageStop": {"stopReason": "tool_use"}},
    {"metadata": {"usage": USAGE, "metrics": {"latencyMs": 5}}},
]


def frames(events: list[dict]) -> list[bytes]:
    return [aws_event(*next(iter(event.items()))) for event in events]


def play(vendors, body: bytes, piece: int = 11) -> None:
    scripted.play(vendors, body, content_type="application/vnd.amazon.eventstream", piece=piece)


def ask(model: str = "claude", **fields: object) -> dict:
    return {"model": model, "max_tokens": 4000, "messages": [{"role": "user", "content": "Hello, Grüße"}]} | fields


@pytest.mark.parametrize("token", [None, aws.TOKEN], ids=["keys", "temporary"])
def test_requests_are_signed_as_amazon_s_sdk_signs_them(mock_vendors, vendors, token):
    with Gateway(document(mock_vendors, {"aws_env": True}), "--concurrency", "1", environment=keys(token)) as gateway:
        for model in MODELS:
            for stream in (False, True):
                vendors.reset()
                if stream:
                    play(vendors, b"".join(frames(TEXT)))
                else:
                    scripted.play(vendors, answer())
                got = gateway.chat(model, "Hello, ¿qué? 何 🌊", stream=stream)
                assert got.status_code == 200, got.text
                record = scripted.sent(vendors)
                sent, expected = aws.signature(record, REGION, token)
                assert sent == expected
                assert aws.SECRET not in json.dumps(record)
        vendors.reset()
        scripted.play(vendors, {"embedding": [0.5], "inputTextTokenCount": 1})
        assert gateway.client.post("/v1/embeddings", json={"model": "embedder", "input": "Hello"}).status_code == 200
        sent, expected = aws.signature(scripted.sent(vendors), REGION, token)
        assert sent == expected
        assert gateway.wasm_trouble() == []


def test_a_key_of_bedrock_s_own_is_a_bearer(mock_vendors, vendors):
    with Gateway(document(mock_vendors, {"env": "TEST_OPENAI_KEY"}), "--concurrency", "1") as gateway:
        scripted.play(vendors, answer())
        assert gateway.chat("claude").status_code == 200
        headers = dict(scripted.sent(vendors)["headers"])
        assert headers["authorization"] == scripted.bearer()
        assert "x-amz-date" not in headers


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("stream", [False, True])
def test_the_service_model_knows_the_request(gateway, vendors, model, stream):
    """The SDK validates it, and writes the same path and body."""
    if stream:
        play(vendors, b"".join(frames(TEXT)))
    else:
        scripted.play(vendors, answer())
    image = f"data:image/png;base64,{base64.b64encode(PIXEL).decode()}"
    pdf = f"data:application/pdf;base64,{base64.b64encode(b'%PDF-1.4').decode()}"
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Rome"}'}}
    blocks = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": image}},
        {"type": "file", "file": {"filename": "a b.pdf", "file_data": pdf}},
    ]
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": blocks},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "12 degrees"},
        {"role": "user", "content": "And now?"},
    ]
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": TOOL["input_schema"]}}
    settings = {"temperature": 0.5, "stop": ["END"], "max_completion_tokens": 100, "tool_choice": "required"}
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=CLIENT_KEY, max_retries=0, timeout=20) as client:
        got = client.chat.completions.create(model=model, messages=messages, tools=[tool], stream=stream, **settings)
        text = "".join(chunk.choices[0].delta.content or "" for chunk in got if chunk.choices) if stream else None
    assert (text or got.choices[0].message.content).startswith("Grüße")
    sent = aws.check("ConverseStream" if stream else "Converse", scripted.sent(vendors), MODELS[model])
    assert sent["messages"][0]["content"][1]["image"]["source"]["bytes"] == PIXEL
    assert sent["inferenceConfig"] == {"maxTokens": 100, "temperature": 0.5, "stopSequences": ["END"]}
    assert sent["toolConfig"]["toolChoice"] == {"any": {}}


def test_the_service_model_knows_what_claude_s_clients_send(claude, vendors):
    scripted.play(vendors, answer())
    ephemeral = {"type": "ephemeral"}
    blocks = [
        {"type": "thinking", "thinking": "Hm", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": base64.b64encode(b"sealed").decode()},
        {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Rome"}},
    ]
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "is_error": True, "content": "No."}
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "Hello", "cache_control": ephemeral}]},
        {"role": "assistant", "content": blocks},
        {"role": "user", "content": [result]},
    ]
    claude.messages.create(
        model="claude",
        max_tokens=4000,
        system=[{"type": "text", "text": "Rules.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        tools=[TOOL | {"cache_control": ephemeral}],
        messages=messages,
        thinking={"type": "enabled", "budget_tokens": 1024},
        metadata={"user_id": "user_1"},
    )
    sent = aws.check("Converse", scripted.sent(vendors), CLAUDE)
    assert sent["system"] == [{"text": "Rules."}, {"cachePoint": {"type": "default", "ttl": "1h"}}]
    assert "cachePoint" in sent["toolConfig"]["tools"][1]
    said = sent["messages"][1]["content"]
    assert said[0]["reasoningContent"]["reasoningText"] == {"text": "Hm", "signature": "c2ln"}
    assert said[1]["reasoningContent"]["redactedContent"] == b"sealed"
    assert said[2]["toolUse"]["input"] == {"city": "Rome"}
    assert sent["messages"][2]["content"][0]["toolResult"]["status"] == "error"
    assert sent["additionalModelRequestFields"]["thinking"] == {"type": "enabled", "budget_tokens": 1024}


def test_tokens_are_counted(claude, vendors):
    scripted.play(vendors, {"inputTokens": 7})
    assert claude.messages.count_tokens(model="claude", messages=ask()["messages"], tools=[TOOL]).input_tokens == 7
    # Models are counted for, not the inference profiles of an area.
    aws.check("CountTokens", scripted.sent(vendors), CLAUDE.removeprefix("eu."))


@pytest.mark.parametrize("events", [TEXT, CALL], ids=["text", "call"])
def test_amazon_s_sdk_reads_the_frames_of_these_tests(boto, vendors, events):
    """Its checksums too: so what the gateway reads here is what Bedrock sends."""
    play(vendors, b"".join(frames(events)))
    stream = boto.converse_stream(modelId=CLAUDE, messages=[{"role": "user", "content": [{"text": "Hello"}]}])["stream"]
    read = list(stream)
    assert [next(iter(event)) for event in read] == [next(iter(event)) for event in events]
    assert read == events
    parser = botocore.eventstream.EventStreamBuffer()
    parser.add_data(aws.exception("throttlingException", "Slow."))
    assert next(parser).headers[":exception-type"] == "throttlingException"


@pytest.mark.parametrize("piece", [1, 7, 100_000])
def test_streams_are_read_however_they_are_cut(claude, vendors, piece):
    play(vendors, b"".join(frames(CALL)), piece)
    with claude.messages.stream(**ask(tools=[TOOL])) as stream:
        final = stream.get_final_message()
    thought, call = final.content
    assert (thought.type, thought.thinking, thought.signature) == ("thinking", "Think", "c2ln")
    assert (call.type, call.id, call.name, call.input) == ("tool_use", "tooluse_1", "get_weather", {"city": "Rome"})
    assert final.stop_reason == "tool_use"
    usage = final.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (7, 2, 3)


def test_thinking_goes_round(claude, vendors):
    """Through a client of the Messages API and back, as it was signed."""
    thought = {"reasoningContent": {"reasoningText": {"text": "Think", "signature": "c2ln"}}}
    call = {"toolUse": {"toolUseId": "tooluse_1", "name": "get_weather", "input": {"city": "Rome"}}}
    scripted.play(vendors, answer(thought, {"text": "Let me see."}, call, reason="tool_use"))
    messages = ask()["messages"]
    said = claude.messages.create(**ask(tools=[TOOL]))
    assert said.stop_reason == "tool_use"
    vendors.reset()
    scripted.play(vendors, answer())
    result = {"type": "tool_result", "tool_use_id": "tooluse_1", "content": "12 degrees"}
    messages = [*messages, {"role": "assistant", "content": said.content}, {"role": "user", "content": [result]}]
    claude.messages.create(**ask(tools=[TOOL], messages=messages))
    sent = aws.check("Converse", scripted.sent(vendors), CLAUDE)
    assert sent["messages"][1]["content"] == [thought, {"text": "Let me see."}, call]


def chat(gateway: Gateway) -> tuple[str, str]:
    """What the client's SDK has read, and the code of the error that it raised."""
    seen = []
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=CLIENT_KEY, max_retries=0, timeout=20) as client:
        try:
            for chunk in client.chat.completions.create(**ask(), stream=True):
                seen += [choice.delta.content or "" for choice in chunk.choices]
        except openai.APIError as error:
            return "".join(seen), error.type
    return "".join(seen), ""


def responses(gateway: Gateway) -> tuple[str, str]:
    seen = []
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=CLIENT_KEY, max_retries=0, timeout=20) as client:
        try:
            for event in client.responses.create(model="claude", input="Hello", stream=True):
                seen += [event.delta] if event.type == "response.output_text.delta" else []
                if event.type == "response.failed":
                    return "".join(seen), event.response.error.code
        except openai.APIError as error:
            return "".join(seen), error.type
    return "".join(seen), ""


def messages(gateway: Gateway) -> tuple[str, str]:
    seen = []
    with anthropic.Anthropic(base_url=gateway.url, api_key=CLIENT_KEY, max_retries=0, timeout=20) as client:
        try:
            for event in client.messages.create(**ask(), stream=True):
                seen += [event.delta.text] if event.type == "content_block_delta" else []
        except anthropic.APIError as error:
            return "".join(seen), error.body["error"]["type"]
    return "".join(seen), ""


def contents(gateway: Gateway) -> tuple[str, str]:
    seen = []
    with genai.Client(api_key=CLIENT_KEY, http_options={"base_url": gateway.url, "timeout": 20_000}) as client:
        try:
            seen += [
                chunk.text or "" for chunk in client.models.generate_content_stream(model="claude", contents="Hello")
            ]
        except errors.APIError as error:
            return "".join(seen), error.status
    return "".join(seen), ""


CLIENTS = {
    chat: ("server_error", "rate_limit_error"),
    responses: ("server_error", "rate_limit_exceeded"),
    messages: ("api_error", "rate_limit_error"),
    contents: ("INTERNAL", "RESOURCE_EXHAUSTED"),
}
each_client = pytest.mark.parametrize("read", CLIENTS, ids=lambda read: read.__name__)


@each_client
def test_a_stream_is_read_by_each_client(gateway, vendors, read: Callable):
    play(vendors, b"".join(frames(TEXT)))
    assert read(gateway) == ("Grüße 🎉", "")


@each_client
@pytest.mark.parametrize("at", ["prelude", "length", "body", "end"])
def test_a_wrong_checksum_is_an_error_and_no_garbage(gateway, vendors, read: Callable, at):
    good = frames(TEXT)
    bad = bytearray(good[2])
    bad[{"prelude": 9, "length": 2, "body": -12, "end": -1}[at]] ^= 1
    parser = botocore.eventstream.EventStreamBuffer()
    parser.add_data(bytes(bad))
    with pytest.raises(botocore.eventstream.ChecksumMismatch):
        next(parser)
    # What comes behind it is sound, and is not believed either.
    play(vendors, b"".join([*good[:2], bytes(bad), *good[3:]]))
    text, error = read(gateway)
    # Google's SDK tells nothing of what came before.
    assert text in ("Grü", "") and error == CLIENTS[read][0]


@each_client
def test_a_stream_that_begins_with_garbage_is_an_error(gateway, vendors, read: Callable):
    play(vendors, b"\x00\x00\x00\x20" + b"garbage that has no checksum at all, however long it may be", piece=5)
    text, error = read(gateway)
    assert text == "" and error


@each_client
def test_an_exception_in_a_stream_is_an_error(gateway, vendors, read: Callable):
    play(vendors, b"".join(frames(TEXT)[:2]) + aws.exception("modelStreamErrorException", "No."))
    text, error = read(gateway)
    assert text in ("Grü", "") and error == CLIENTS[read][0]


@each_client
def test_a_stream_that_ends_too_soon_is_an_error(gateway, vendors, read: Callable):
    play(vendors, b"".join(frames(TEXT)[:3]))
    text, error = read(gateway)
    assert text in ("Grüße 🎉", "") and error == CLIENTS[read][0]


@pytest.mark.parametrize("read", [chat, messages, contents], ids=lambda read: read.__name__)
def test_an_exception_in_place_of_a_stream_has_a_status(gateway, vendors, read: Callable):
    play(vendors, aws.exception("throttlingException", "Slow down."))
    text, error = read(gateway)
    assert text == "" and error == CLIENTS[read][1]


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (400, "ValidationException", anthropic.BadRequestError),
        (404, "ResourceNotFoundException", anthropic.NotFoundError),
        (429, "ThrottlingException", anthropic.RateLimitError),
        (500, "InternalServerException", anthropic.InternalServerError),
        (403, "AccessDeniedException", anthropic.InternalServerError),
        (400, "ExpiredTokenException", anthropic.InternalServerError),
    ],
)
def test_errors_have_the_client_s_types(claude, boto, vendors, status, kind, error):
    headers = (("x-amzn-errortype", f"{kind}:http://internal.amazon.com/"),)
    body = {"message": f"{kind} of AKIDEXAMPLE", "__type": kind}
    scripted.play(vendors, body, status=status, headers=headers)
    with pytest.raises(error) as raised:
        claude.messages.create(**ask())
    is_ours = kind in ("AccessDeniedException", "ExpiredTokenException")
    assert raised.value.status_code == (502 if is_ours else status)
    # What is said of the gateway's own credential goes to nobody.
    assert ("AKIDEXAMPLE" in raised.value.message) != is_ours
    # And it is what Amazon's SDK takes for such an error.
    scripted.play(vendors, body, status=status, headers=headers)
    with pytest.raises(boto.exceptions.ClientError) as seen:
        boto.converse(modelId=CLAUDE, messages=[{"role": "user", "content": [{"text": "Hello"}]}])
    assert seen.value.response["Error"]["Code"] == kind
