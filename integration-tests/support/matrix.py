"""The matrix of test-cases/matrix: one scenario told in every client's and every provider's dialect."""

import copy
import dataclasses
import functools
import json
import pathlib
import struct
import zlib

import yaml

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "test-cases/matrix"
NATIVE = {
    "openai_chat": {"openai", "azure_openai"},
    "openai_responses": {"azure_openai"},
    "openai_completions": {"openai", "azure_openai"},
    "openai_embeddings": {"openai", "azure_openai"},
    "anthropic": {"anthropic"},
    "anthropic_tokens": {"anthropic"},
    "gemini": {"gemini", "vertex"},
    "gemini_tokens": {"gemini", "vertex"},
    "cohere_rerank": {"cohere"},
    "jina_rerank": {"openai"},
}


@dataclasses.dataclass(frozen=True)
class Square:
    """One client at one provider."""

    scenario: str
    client: str
    provider: str
    stream: bool

    @property
    def name(self) -> str:
        return f"{self.scenario}-{self.client}-at-{self.provider}{'-streamed' if self.stream else ''}"

    @property
    def model(self) -> str:
        """By which name clients ask for the provider's model."""
        return f"{self.scenario}-{self.provider}"

    @property
    def dialect(self) -> str:
        """The provider's dialect; several providers may have one."""
        return self.heard.get("dialect", self.provider)

    @property
    def is_native(self) -> bool:
        if self.dialect == "vertex" and self.heard["model"].startswith("claude"):
            return self.client in ("anthropic", "anthropic_tokens")
        return self.dialect in NATIVE[self.client]

    @property
    def said(self) -> dict:
        return scenarios()[self.scenario]["clients"][self.client]

    @property
    def heard(self) -> dict:
        return scenarios()[self.scenario]["providers"][self.provider]

    @property
    def exceptions(self) -> list[dict]:
        every = scenarios()[self.scenario].get("except", [])
        return [
            one
            for one in every
            if self.client in one.get("client", [self.client]) and self.provider in one.get("provider", [self.provider])
        ]

    @property
    def refused(self) -> str | None:
        return next((one["refused"] for one in self.exceptions if "refused" in one), self.heard.get("refused"))

    @property
    def policy(self) -> dict:
        """What the policy says of the model besides its target."""
        return scenarios()[self.scenario].get("policy", {})

    def named(self, change: str) -> set[str]:
        """What `x-sluice-dropped` or `x-sluice-clamped` names."""
        return {path for one in self.exceptions for path in one.get(change, [])}

    def call(self) -> tuple[str, dict]:
        """The client's path and body."""
        path, body = self.said["path"], copy.deepcopy(self.said["request"])
        if "model" in body:
            body["model"] = self.model
        path = path.replace("/models/m:", f"/models/{self.model}:")
        if self.stream and self.client == "gemini":
            path = path.replace(":generateContent", ":streamGenerateContent?alt=sse")
        elif self.stream:
            body["stream"] = True
        if self.stream and self.client in ("openai_chat", "openai_completions"):
            body["stream_options"] = {"include_usage": True}
        return path, body

    def upstream(self) -> tuple[str, dict]:
        """The path and body that the provider must get."""
        request = copy.deepcopy(self.heard["request"])
        if self.stream:
            merge(request, self.heard.get("stream_request"))
        for one in self.exceptions:
            merge(request, one.get("request"))
        path = self.heard.get("stream_path", self.heard["path"]) if self.stream else self.heard["path"]
        return path, request

    def answer(self) -> object:
        """What the client must get, whole."""
        answer = copy.deepcopy(self.said["answer"])
        for one in self.exceptions:
            merge(answer, one.get("answer"))
        return answer

    def response(self) -> tuple[str, bytes]:
        """The provider's answer: its media type and its bytes."""
        if not self.stream:
            return "application/json", json.dumps(self.heard.get("response")).encode()
        events = self.heard["events"]
        if self.dialect == "bedrock":
            frames = [aws_event(*next(iter(event.items()))) for event in events]
            return "application/vnd.amazon.eventstream", b"".join(frames)
        return "text/event-stream", b"".join(sse(event, self.dialect) for event in events)


@functools.cache
def scenarios() -> dict[str, dict]:
    return {path.stem: alike(yaml.safe_load(path.read_text())) for path in sorted(FOLDER.glob("*.yaml"))}


def alike(scenario: dict) -> dict:
    """A scenario that is like another one: the other with what it says itself merged into it."""
    if "like" not in scenario:
        return scenario
    base = yaml.safe_load((FOLDER / f"{scenario['like']}.yaml").read_text())
    for side in ("clients", "providers"):
        for dialect, own in scenario[side].items():
            # Anchors share their objects.
            scenario[side][dialect] = copy.deepcopy(base[side][dialect])
            merge(scenario[side][dialect], own)
    scenario["except"] = base.get("except", []) + scenario.get("except", [])
    return scenario


def squares() -> list[Square]:
    return [
        Square(name, client, provider, stream)
        for name, scenario in scenarios().items()
        for client, said in scenario["clients"].items()
        for provider, heard in scenario["providers"].items()
        if "envoy" not in heard.get("skip", {})
        for stream in (False, True)
        if not stream or ("no_stream" not in said and heard.get("events"))
        # Azure speaks the Responses API itself, which other scenarios are about.
        if (client, provider) != ("openai_responses", "azure_openai") or "/chat/" not in heard.get("path", "")
    ]


def sse(event: object, dialect: str) -> bytes:
    if isinstance(event, str):
        return f"data: {event}\n\n".encode()
    is_named = dialect in ("anthropic", "cohere") or (dialect == "vertex" and "type" in event)
    name = f"event: {event['type']}\n" if is_named else ""
    return f"{name}data: {json.dumps(event)}\n\n".encode()


def aws_event(name: str, payload: dict) -> bytes:
    """One message of Amazon's event stream encoding."""
    fields = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
    headers = b"".join(
        bytes([len(key)]) + key.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        for key, value in fields.items()
    )
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + body
    return message + struct.pack(">I", zlib.crc32(message))


def merge(target: dict, patch: object) -> None:
    """Applies a JSON merge patch (RFC 7396)."""
    for name, value in (patch or {}).items():
        if value is None:
            target.pop(name, None)
        elif isinstance(value, dict):
            if not isinstance(target.get(name), dict):
                target[name] = {}
            merge(target[name], value)
        else:
            target[name] = value


def matches(got: object, expected: object) -> bool:
    """Whether a value is the expected one, where the string `*` stands for any."""
    if expected == "*":
        return True
    if isinstance(expected, dict):
        return (
            isinstance(got, dict)
            and got.keys() == expected.keys()
            and all(matches(got[key], expected[key]) for key in expected)
        )
    if isinstance(expected, list):
        return (
            isinstance(got, list)
            and len(got) == len(expected)
            and all(matches(one, other) for one, other in zip(got, expected, strict=True))
        )
    return type(got) is type(expected) and got == expected if isinstance(expected, bool) else got == expected
