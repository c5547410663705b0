"""Guards of answers on the real Envoy, as the official SDKs see them: the mock vendors say what they are told, in small pieces."""

import json

import anthropic
import httpx
import openai
import pytest
from google import genai
from support.gateway import CLIENT_KEY, MODELS, Gateway, policy
from support.limits import lines, logged, metric

GUARDS = [
    {"name": "nightingale", "kind": "words", "words": ["project nightingale"], "on": ["response"]},
    {"name": "tickets", "kind": "pattern", "pattern": "TICKET-[0-9]+", "on": ["response"], "action": {"replace": "[ticket]"}},
    {"name": "gossip", "kind": "words", "words": ["gossip"], "on": ["response"], "action": "warn"},
]
# What OpenAI itself answers in the Responses API, other vendors by translation.
SECRET = "We name it Project Nightingale and nothing else."


@pytest.fixture(scope="module")
def gateway(mock_vendors):
    with Gateway(policy(mock_vendors, guards=GUARDS), "--concurrency", "1", "--", "--file-flush-interval-msec", "50") as gateway:
        yield gateway
        assert gateway.wasm_trouble() == []


@pytest.fixture(params=MODELS)
def model(request, vendors):
    # A few bytes a piece, so that words are cut.
    vendors.pace(request.param, pieces=20)
    return request.param


class Chat:
    """The OpenAI SDK, Chat Completions."""

    def __init__(self, gateway: Gateway) -> None:
        self.client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=CLIENT_KEY, max_retries=0, timeout=20)

    def whole(self, model: str, text: str) -> tuple:
        answer = self.client.chat.completions.with_raw_response.create(**self.request(model, text))
        choice = answer.parse().choices[0]
        return answer.headers, choice.message.content or "", choice.finish_reason

    def streamed(self, model: str, text: str) -> tuple:
        said, finish = "", None
        for chunk in self.client.chat.completions.create(stream=True, **self.request(model, text)):
            for choice in chunk.choices:
                said += choice.delta.content or ""
                finish = choice.finish_reason or finish
        return said, finish

    def request(self, model: str, text: str) -> dict:
        return {"model": model, "messages": [{"role": "user", "content": text}]}


class Responses(Chat):
    """The same SDK, the Responses API."""

    def whole(self, model: str, text: str) -> tuple:
        answer = self.client.responses.with_raw_response.create(model=model, input=text)
        response = answer.parse()
        return answer.headers, response.output_text, self.finish_of(response)

    def streamed(self, model: str, text: str) -> tuple:
        said, last = "", None
        for event in self.client.responses.create(model=model, input=text, stream=True):
            said += event.delta if event.type == "response.output_text.delta" else ""
            last = event
        return said, self.finish_of(last.response)

    def finish_of(self, response) -> str:
        return response.incomplete_details.reason if response.status == "incomplete" else response.status


class Messages:
    """The Anthropic SDK."""

    def __init__(self, gateway: Gateway) -> None:
        self.client = anthropic.Anthropic(base_url=gateway.url, api_key=CLIENT_KEY, max_retries=0, timeout=20)

    def whole(self, model: str, text: str) -> tuple:
        answer = self.client.messages.with_raw_response.create(**self.request(model, text))
        message = answer.parse()
        return answer.headers, "".join(block.text for block in message.content), message.stop_reason

    def streamed(self, model: str, text: str) -> tuple:
        with self.client.messages.stream(**self.request(model, text)) as stream:
            said = "".join(stream.text_stream)
            return said, stream.get_final_message().stop_reason

    def request(self, model: str, text: str) -> dict:
        return {"model": model, "max_tokens": 200, "messages": [{"role": "user", "content": text}]}


class Gemini:
    """Google's SDK."""

    def __init__(self, gateway: Gateway) -> None:
        self.client = genai.Client(api_key=CLIENT_KEY, http_options={"base_url": gateway.url, "timeout": 20_000})

    def whole(self, model: str, text: str) -> tuple:
        answer = self.client.models.generate_content(model=model, contents=text)
        said = "".join(part.text or "" for part in (answer.candidates[0].content.parts or []))
        return answer.sdk_http_response.headers, said, answer.candidates[0].finish_reason.value

    def streamed(self, model: str, text: str) -> tuple:
        said, finish = "", None
        for chunk in self.client.models.generate_content_stream(model=model, contents=text):
            for candidate in chunk.candidates or []:
                said += "".join(part.text or "" for part in (candidate.content.parts or [])) if candidate.content else ""
                finish = candidate.finish_reason.value if candidate.finish_reason else finish
        return said, finish


WITHHELD = {Chat: "content_filter", Responses: "content_filter", Messages: "refusal", Gemini: "SAFETY"}
DONE = {Chat: "stop", Responses: "completed", Messages: "end_turn", Gemini: "STOP"}


@pytest.fixture(params=WITHHELD, ids=lambda sdk: sdk.__name__)
def sdk(request, gateway):
    return request.param(gateway)


def test_an_answer_that_is_refused_is_withheld(gateway, sdk, model):
    headers, said, finish = sdk.whole(model, SECRET)
    assert finish == WITHHELD[type(sdk)]
    assert "Nightingale" not in said and "nothing else" not in said
    named = {name.lower(): value for name, value in headers.items()}
    assert named["x-sluice-guards"] == "nightingale;refuse"


def test_a_stream_ends_before_what_is_refused(gateway, sdk, model):
    before = logged(gateway)
    try:
        said, finish = sdk.streamed(model, SECRET)
    except (openai.BadRequestError, anthropic.BadRequestError, genai.errors.ClientError) as refused:
        # Nothing had been said yet.
        said, finish = "", WITHHELD[type(sdk)]
        assert "'nightingale'" in str(refused)
    assert finish == WITHHELD[type(sdk)]
    assert "Nightingale" not in said and "Project" not in said and "nothing else" not in said
    assert lines(gateway, 1, skip=before)[0]["guards"] == "nightingale;refuse"


def test_what_is_replaced_is_in_no_answer(gateway, sdk, model):
    text = "See TICKET-1234 or TICKET-5678."
    _, said, finish = sdk.whole(model, text)
    assert "[ticket] or [ticket]" in said and "1234" not in said and finish == DONE[type(sdk)]
    said, finish = sdk.streamed(model, text)
    assert "[ticket] or [ticket]" in said and "1234" not in said and finish == DONE[type(sdk)]


def test_a_warning_is_told_with_a_whole_answer(gateway, sdk, model):
    headers, said, finish = sdk.whole(model, "Some gossip.")
    assert ("gossip" in said, finish) == (True, DONE[type(sdk)])
    assert {name.lower(): value for name, value in headers.items()}["x-sluice-guards"] == "gossip;warn"


def test_the_bytes_of_a_withheld_answer_hold_nothing_of_it(gateway, model):
    for stream in (False, True):
        answer = gateway.chat(model, SECRET, stream=stream)
        assert "ightingale" not in answer.text.replace("'nightingale'", "")


def test_guards_of_answers_are_counted(gateway, vendors):
    def counted() -> int:
        logged(gateway)
        return metric(gateway, "sluice_guards_total", guard="nightingale", action="refuse")

    before = counted()
    gateway.chat("openai", SECRET)
    gateway.chat("openai", SECRET, stream=True)
    gateway.chat("openai", "hello", stream=True)
    assert counted() == before + 2
    assert "nightingale" not in json.dumps(httpx.get(f"{gateway.admin}/stats", params={"filter": "project"}, timeout=10).text.lower())
