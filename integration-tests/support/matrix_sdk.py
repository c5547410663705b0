"""The official SDKs as the clients of the matrix: each makes the scenario's call, and tells the gist of what it got."""

import copy
import dataclasses
import json

import anthropic
import openai
from google import genai
from google.genai import types

from .gateway import CLIENT_KEY
from .matrix import Square


@dataclasses.dataclass
class Gist:
    """What every dialect can say of an answer."""

    text: str = ""
    calls: list[tuple[str, str, dict]] = dataclasses.field(default_factory=list)
    finish: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


FINISHES = {
    "stop": "stop",
    "end_turn": "stop",
    "STOP": "stop",
    "completed": "stop",
    "length": "length",
    "max_tokens": "length",
    "MAX_TOKENS": "length",
    "max_output_tokens": "length",
    "tool_calls": "tools",
    "tool_use": "tools",
}


def expected(square: Square) -> Gist:
    """The gist of the answer that the scenario states."""
    return READERS[square.client](square.answer())


def call(square: Square, url: str) -> Gist:
    """Makes the call with the client's official SDK, whole or streamed."""
    return CALLERS[square.client](square, url)


def read_chat(answer: dict) -> Gist:
    choice = answer["choices"][0]
    message, usage = choice["message"], answer["usage"]
    calls = [
        (one["id"], one["function"]["name"], json.loads(one["function"]["arguments"]))
        for one in message.get("tool_calls") or []
    ]
    finish = FINISHES[choice["finish_reason"]]
    return Gist(message["content"] or "", calls, finish, usage["prompt_tokens"], usage["completion_tokens"])


def read_response(answer: dict) -> Gist:
    gist = Gist()
    for item in answer["output"]:
        if item["type"] == "message":
            gist.text += "".join(part["text"] for part in item["content"])
        elif item["type"] == "function_call":
            gist.calls.append((item["call_id"], item["name"], json.loads(item["arguments"])))
    details = answer.get("incomplete_details")
    gist.finish = FINISHES[details["reason"] if details else answer["status"]]
    if gist.calls:
        gist.finish = "tools"
    gist.input_tokens, gist.output_tokens = answer["usage"]["input_tokens"], answer["usage"]["output_tokens"]
    return gist


def read_message(answer: dict) -> Gist:
    text = "".join(block["text"] for block in answer["content"] if block["type"] == "text")
    calls = [(block["id"], block["name"], block["input"]) for block in answer["content"] if block["type"] == "tool_use"]
    usage = answer["usage"]
    return Gist(text, calls, FINISHES[answer["stop_reason"]], usage["input_tokens"], usage["output_tokens"])


def read_contents(*answers: dict) -> Gist:
    gist = Gist()
    for answer in answers:
        for candidate in answer.get("candidates") or []:
            for part in (candidate.get("content") or {}).get("parts") or []:
                gist.text += part.get("text") or ""
                if called := part.get("functionCall"):
                    gist.calls.append((called["id"], called["name"], called["args"]))
            if candidate.get("finishReason"):
                gist.finish = FINISHES[candidate["finishReason"]]
        if usage := answer.get("usageMetadata"):
            gist.input_tokens = usage.get("promptTokenCount")
            gist.output_tokens = usage.get("candidatesTokenCount")
    if gist.calls:
        gist.finish = "tools"
    return gist


def call_chat(square: Square, url: str) -> Gist:
    _, body = square.call()
    with openai.OpenAI(api_key=CLIENT_KEY, base_url=f"{url}/v1", max_retries=0, timeout=20) as client:
        if not square.stream:
            return read_chat(client.chat.completions.create(**body).model_dump())
        state = openai.lib.streaming.chat.ChatCompletionStreamState()
        for chunk in client.chat.completions.create(**body):
            state.handle_chunk(chunk)
        return read_chat(state.get_final_completion().model_dump())


def call_response(square: Square, url: str) -> Gist:
    _, body = square.call()
    body.pop("stream", None)
    with openai.OpenAI(api_key=CLIENT_KEY, base_url=f"{url}/v1", max_retries=0, timeout=20) as client:
        if not square.stream:
            return read_response(client.responses.create(**body).model_dump())
        with client.responses.stream(**body) as stream:
            numbers = [event.sequence_number for event in stream]
            assert numbers == sorted(set(numbers))
            return read_response(stream.get_final_response().model_dump())


def call_message(square: Square, url: str) -> Gist:
    _, body = square.call()
    body.pop("stream", None)
    named = {name: body.pop(name) for name in ("model", "max_tokens", "messages")}
    with anthropic.Anthropic(api_key=CLIENT_KEY, base_url=url, max_retries=0, timeout=20) as client:
        if not square.stream:
            return read_message(client.messages.create(**named, extra_body=body).model_dump())
        with client.messages.stream(**named, extra_body=body) as stream:
            return read_message(stream.get_final_message().model_dump())


def call_contents(square: Square, url: str) -> Gist:
    body = copy.deepcopy(square.said["request"])
    client = genai.Client(api_key=CLIENT_KEY, http_options={"base_url": url, "timeout": 20_000})
    config = dict(body.get("generationConfig", {}))
    for name in ("systemInstruction", "tools", "toolConfig", "safetySettings"):
        if name in body:
            config[name] = body[name]
    arguments = {
        "model": square.model,
        "contents": [types.Content.model_validate(content) for content in body["contents"]],
        "config": types.GenerateContentConfig.model_validate(config),
    }
    dump = {"mode": "json", "by_alias": True, "exclude_none": True}
    if not square.stream:
        return read_contents(client.models.generate_content(**arguments).model_dump(**dump))
    return read_contents(*(chunk.model_dump(**dump) for chunk in client.models.generate_content_stream(**arguments)))


READERS = {
    "openai_chat": read_chat,
    "openai_responses": read_response,
    "anthropic": read_message,
    "gemini": read_contents,
}
CALLERS = {
    "openai_chat": call_chat,
    "openai_responses": call_response,
    "anthropic": call_message,
    "gemini": call_contents,
}
