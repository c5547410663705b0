"""What clients of the tests read out of answers, and what no vendor may read in requests."""

import json

import httpx

from . import cases
from .gateway import CLIENT_KEY, MODELS
from .vendors import KEYS, Vendors

NAMES = {"openai": "OpenAI", "anthropic": "Anthropic", "gemini": "Gemini"}
PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages", "gemini": "/v1beta/models"}
# All headers that a vendor may get; an OpenAI client's own ones reach OpenAI too.
HEADERS = {
    "openai": {"authorization"},
    "anthropic": {"x-api-key", "anthropic-version"},
    "gemini": {"x-goog-api-key"},
}
ALWAYS = {"host", "content-type", "content-length", "accept"}


def text_of(answer: httpx.Response) -> str:
    """The text of a complete answer, plain or streamed; anything unclean in it fails."""
    assert answer.status_code == 200, answer.text
    if answer.headers["content-type"] == "application/json":
        choice = answer.json()["choices"][0]
        assert choice["finish_reason"] == "stop"
        return choice["message"]["content"]
    assert answer.headers["content-type"].startswith("text/event-stream")
    return text_of_events(cases.events(answer.content))


def text_of_events(events: list) -> str:
    """The text of a complete stream of one choice: one beginning, one finish, one end."""
    assert events and events[-1] == "[DONE]", events
    chunks = events[:-1]
    assert all(isinstance(chunk, dict) and "error" not in chunk for chunk in chunks), events
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert [choice["delta"].get("role") for choice in choices][0] == "assistant"
    assert sum("role" in choice["delta"] for choice in choices) == 1
    assert [choice["finish_reason"] for choice in choices if choice["finish_reason"]] == ["stop"]
    assert len({chunk["id"] for chunk in chunks}) == 1
    return "".join(choice["delta"].get("content") or "" for choice in choices)


def error_of(answer: httpx.Response, status: int) -> dict:
    """The error of an answer in OpenAI's form."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.headers["content-type"] == "application/json", answer.headers
    body = answer.json()
    assert body.keys() == {"error"}
    error = body["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert error["message"] and error["type"]
    return error


def check_request(record: dict, vendors: Vendors, name: str, strangers: tuple[str, ...] = ()) -> None:
    """A vendor got a request that is well formed and its own: nothing of the client's credential, nothing of what
    belongs between gateway and Envoy, nothing of the other vendors (`strangers`)."""
    vendor = record["vendor"]
    headers = dict(record["headers"])
    assert len(headers) == len(record["headers"]), "a header came twice"
    assert record["fault"] is None
    assert record["method"] == "POST"
    own = ALWAYS | HEADERS[vendor]
    assert own <= headers.keys()
    assert headers.keys() - own <= ({"user-agent"} if vendor == "openai" else set()), headers
    assert headers["host"] == vendors.addresses[name].removeprefix("http://")
    assert headers["content-length"] == str(record["body_bytes"])
    assert KEYS[vendor] in headers.values() or f"Bearer {KEYS[vendor]}" in headers.values()
    assert record["target"].startswith(PATHS[vendor])
    everything = json.dumps([record["target"], record["headers"], record["body"]])
    assert CLIENT_KEY not in everything
    assert not [header for header in headers if header.startswith(("x-sluice", "x-envoy", "x-forwarded", "x-request"))]
    for stranger in strangers:
        assert KEYS[stranger] not in everything
        assert vendors.addresses[stranger].removeprefix("http://") not in everything
        assert PATHS[stranger] not in everything
        assert MODELS[stranger] not in everything
