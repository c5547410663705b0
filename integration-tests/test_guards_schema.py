"""Answers that have to fit a schema, on the real Envoy, as the official SDKs see them."""

import json

import anthropic
import openai
import pytest
from google import genai
from support.gateway import MODELS, Gateway, policy
from support.limits import lines, logged, metric
from test_guards_answers import DONE, WITHHELD

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string", "minLength": 1}, "degrees": {"type": "number", "minimum": -90}},
    "required": ["city"],
    "additionalProperties": False,
}
GUARDS = [
    {"name": "form", "kind": "answer_schema", "schema": SCHEMA},
    {"name": "strict", "kind": "answer_schema", "schema": {"required": ["degrees"]}, "action": "warn"},
]
# The same in words that every vendor knows.
PLAIN = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "degrees": {"type": "number"}},
    "required": ["city", "degrees"],
    "additionalProperties": False,
}
FITS = '{"city": "Köln", "degrees": 3.5}'
MISFITS = ['{"city": "", "degrees": 3}', "It is warm.", '{"city": "Köln"', '{"city": "Köln", "secret": 1}']


@pytest.fixture(scope="module")
def gateway(mock_vendors):
    with Gateway(policy(mock_vendors, guards=GUARDS), "--concurrency", "1", "--", "--file-flush-interval-msec", "50") as gateway:
        yield gateway
        assert gateway.wasm_trouble() == []


@pytest.fixture(params=MODELS)
def model(request, vendors):
    vendors.pace(request.param, pieces=20)
    return request.param


@pytest.fixture(params=WITHHELD, ids=lambda sdk: sdk.__name__)
def sdk(request, gateway):
    return request.param(gateway)


def says(vendors, model: str, text: str) -> None:
    vendors.script(model, {"kind": "content", "text": text})


def test_what_fits_passes_whole_and_streamed(vendors, sdk, model):
    says(vendors, model, FITS)
    headers, said, finish = sdk.whole(model, "How warm is it?")
    assert (said, finish) == (FITS, DONE[type(sdk)])
    assert "x-sluice-guards" not in {name.lower() for name in headers}
    says(vendors, model, FITS)
    assert sdk.streamed(model, "How warm is it?") == (FITS, DONE[type(sdk)])


@pytest.mark.parametrize("text", MISFITS)
def test_what_does_not_fit_is_withheld(vendors, sdk, model, text):
    says(vendors, model, text)
    headers, said, finish = sdk.whole(model, "How warm is it?")
    assert (said, finish) == ("", WITHHELD[type(sdk)])
    assert {name.lower(): value for name, value in headers.items()}["x-sluice-guards"].startswith("form;refuse")


@pytest.mark.parametrize("text", MISFITS)
def test_a_stream_that_does_not_fit_does_not_end_well(gateway, vendors, sdk, model, text):
    before = logged(gateway)
    says(vendors, model, text)
    try:
        said, finish = sdk.streamed(model, "How warm is it?")
        assert text.startswith(said)
    except (openai.BadRequestError, anthropic.BadRequestError, genai.errors.ClientError) as refused:
        # Nothing had been said yet.
        finish = WITHHELD[type(sdk)]
        assert "'form'" in str(refused)
    assert finish == WITHHELD[type(sdk)]
    line = lines(gateway, 1, skip=before)[0]
    assert line["guards"].startswith("form;refuse")
    # What the vendor tells of its usage behind the end is charged.
    assert line["output_tokens"] == str(len(text.split()))


def test_a_warning_lets_streams_pass(gateway, vendors, sdk, model):
    before = logged(gateway)
    says(vendors, model, '{"city": "Bonn"}')
    assert sdk.streamed(model, "How warm is it?") == ('{"city": "Bonn"}', DONE[type(sdk)])
    says(vendors, model, '{"city": "Bonn"}')
    headers, said, _ = sdk.whole(model, "How warm is it?")
    assert said == '{"city": "Bonn"}'
    assert {name.lower(): value for name, value in headers.items()}["x-sluice-guards"] == "strict;warn"
    assert [line["guards"] for line in lines(gateway, 2, skip=before)] == ["strict;warn"] * 2


def test_calls_of_tools_are_no_answer_yet(gateway, vendors, model):
    tool = {"type": "function", "function": {"name": "forecast", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}
    answer = gateway.chat(model, "forecast", tools=[tool])
    assert answer.status_code == 200 and answer.json()["choices"][0]["message"]["tool_calls"]
    assert "x-sluice-guards" not in answer.headers


def test_a_model_that_is_asked_for_the_schema_fits_it(gateway, vendors, model):
    form = {"type": "json_schema", "json_schema": {"name": "weather", "strict": True, "schema": PLAIN}}
    answer = gateway.chat(model, "How warm is it?", response_format=form)
    assert answer.status_code == 200, answer.text
    choice = answer.json()["choices"][0]
    assert choice["finish_reason"] == "stop" and "city" in json.loads(choice["message"]["content"])


def test_they_are_counted(gateway, vendors):
    def counted() -> int:
        logged(gateway)
        return metric(gateway, "sluice_guards_total", guard="form", action="refuse")

    before = counted()
    gateway.chat("openai", "no JSON")
    gateway.chat("openai", "no JSON", stream=True)
    assert counted() == before + 2
