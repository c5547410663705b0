"""The test cases that are data: read, and compared as `test-cases/README.md` says."""

import dataclasses
import functools
import json
import pathlib

import yaml

from .gateway import MODELS
from .vendors import ROOT

FOLDER = ROOT / "test-cases"
HOST = "envoy"


@dataclasses.dataclass(frozen=True)
class Body:
    """A body of an answer."""

    content: bytes
    stream: bool


@dataclasses.dataclass(frozen=True)
class Exchange:
    """A chat case at one provider."""

    case: str
    provider: str
    model: str
    unsupported: str
    out_of_range: str
    request: bytes
    # The provider's block of `case.yaml`.
    expected: dict
    upstream: bytes | None
    response: Body | None
    client: Body | None

    @property
    def name(self) -> str:
        return f"{self.case}-at-{self.provider}"

    @property
    def status(self) -> int:
        return self.expected.get("status", 200)

    @property
    def client_status(self) -> int:
        return self.expected.get("client_status", self.status)

    @property
    def skipped(self) -> str | None:
        """Why it can't run on the real Envoy, where that is so."""
        return self.expected.get("skip", {}).get(HOST)

    def answer(self) -> Body:
        """What the provider answers; where the case doesn't say, the usual."""
        if self.response:
            return self.response
        usual = "stream-text" if json.loads(self.request).get("stream") else "text"
        return next(one.response for one in chat() if one.case == usual and one.provider == self.provider)


@dataclasses.dataclass(frozen=True)
class Invalid:
    """A request that is refused before any provider is called."""

    name: str
    request: bytes
    expected: dict


@functools.cache
def chat() -> tuple[Exchange, ...]:
    """Every chat case at every provider that it is about."""
    return tuple(exchange for folder in sorted((FOLDER / "chat").iterdir()) for exchange in _exchanges(folder))


@functools.cache
def invalid() -> tuple[Invalid, ...]:
    """Every invalid case."""
    return tuple(
        Invalid(folder.name, _read(folder, "request.json") or _read(folder, "request.bin") or b"", _yaml(folder))
        for folder in sorted((FOLDER / "invalid").iterdir())
    )


def events(stream: bytes) -> list:
    """The data of each event: JSON values, and the text of what is none."""
    found = []
    for event in stream.decode().replace("\r\n", "\n").split("\n\n"):
        data = [line.removeprefix("data:") for line in event.split("\n") if line.startswith("data:")]
        if data:
            text = "\n".join(data).strip()
            try:
                found.append(json.loads(text))
            except ValueError:
                found.append(text)
    return found


def value(body: Body) -> object:
    """A body as it is compared."""
    return events(body.content) if body.stream else json.loads(body.content)


def same(left: object, right: object) -> bool:
    """Whether two JSON values are the same, however their numbers are written."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return float(left) == float(right)
    return left == right


def counted(request: bytes) -> bytes:
    """A streamed request that also asks for the usage, where it doesn't say whether; every other byte as it was."""
    body = json.loads(request)
    if body.get("stream") is not True or "stream_options" in body:
        return request
    kept = request[: request.rindex(b"}")].rstrip()
    return kept + b',"stream_options":{"include_usage":true}' + request[len(kept) :]


def renamed(request: bytes, model: str) -> bytes:
    """The client's body with another model and every other byte as it was."""
    start, end = _span_of_model(request.decode())
    text = request.decode()
    return (text[:start] + json.dumps(model) + text[end:]).encode()


def _span_of_model(text: str) -> tuple[int, int]:
    """Where the value of the top-level `model` stands."""
    decoder = json.JSONDecoder()

    def blank(at: int) -> int:
        while text[at] in " \t\r\n":
            at += 1
        return at

    at = blank(0) + 1
    while True:
        key, at = decoder.raw_decode(text, blank(at))
        start = blank(blank(at) + 1)
        _, end = decoder.raw_decode(text, start)
        if key == "model":
            return start, end
        at = blank(end) + 1


def _exchanges(folder: pathlib.Path) -> list[Exchange]:
    case = _yaml(folder)
    request = _read(folder, "request.json")
    return [
        Exchange(
            case=folder.name,
            provider=provider,
            model=case.get("model", {}).get(provider, MODELS[provider]),
            unsupported=case.get("unsupported", "refuse"),
            out_of_range=case.get("out_of_range", "refuse"),
            request=request,
            expected=case[provider] or {},
            upstream=_read(folder, f"{provider}.request.json"),
            response=_body(folder, f"{provider}.response"),
            client=_body(folder, f"{provider}.client"),
        )
        for provider in MODELS
        if provider in case
    ]


def _body(folder: pathlib.Path, stem: str) -> Body | None:
    for ending, stream in ((".json", False), (".sse", True)):
        if (content := _read(folder, stem + ending)) is not None:
            return Body(content, stream)
    return None


def _read(folder: pathlib.Path, name: str) -> bytes | None:
    path = folder / name
    return path.read_bytes() if path.exists() else None


def _yaml(folder: pathlib.Path) -> dict:
    return yaml.safe_load((folder / "case.yaml").read_text())
