"""The official OpenAI SDK for Python, sync and async, with nothing changed but its address and key."""

import asyncio
import base64
import json
import time
from types import SimpleNamespace
from typing import Literal

import openai
import pytest
from pydantic import BaseModel
from support.gateway import CLIENT_KEY, MODELS, Gateway, policy
from support.sdk import Async, Sync, checked

VENDORS = ["openai", "anthropic", "gemini"]
NAMES = {"openai": "OpenAI", "anthropic": "Anthropic", "gemini": "Gemini"}
# Models that reason, each under its vendor's name and this ending.
REASONING = {"openai": "gpt-5.2", "anthropic": "claude-sonnet-5-5", "gemini": "gemini-3.8-flash"}
# The least PNG: one pixel.
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class Weather(BaseModel):
    """Says the weather."""

    city: str
    unit: Literal["celsius", "fahrenheit"]


class Clock(BaseModel):
    """Says the time."""

    city: str


class Step(BaseModel):
    explanation: str
    result: float


class Solution(BaseModel):
    steps: list[Step]
    answer: str
    certain: bool


def function(model: type[BaseModel], name: str) -> dict:
    """A tool, as an application that knows no helpers writes it."""
    return {
        "type": "function",
        "function": {"name": name, "description": model.__doc__, "parameters": model.model_json_schema()},
    }


TOOLS = [function(Weather, "get_weather"), function(Clock, "get_time")]
FUNCTIONS = {
    "get_weather": lambda city, unit: f"12 degrees {unit} in {city}",
    "get_time": lambda city: f"noon in {city}",
}


@pytest.fixture(scope="module")
def gateway(mock_vendors):
    """The usual gateway, with a reasoning model of each vendor besides."""
    targets = {name: {"provider": name, "model": REASONING[name]} for name in VENDORS}
    models = {f"{name}-reasoning": {"targets": [target]} for name, target in targets.items()}
    models["any-reasoning"] = {"targets": list(targets.values())}
    with Gateway(policy(mock_vendors, models=policy(mock_vendors)["models"] | models)) as gateway:
        yield gateway


@pytest.fixture(scope="module", params=[Sync, Async], ids=["sync", "async"])
def sdk(request, gateway):
    sdk = request.param(gateway)
    yield sdk
    sdk.close()


@pytest.fixture
def connect(sdk, gateway):
    """Makes further clients of the same kind."""
    clients = []

    def connect(**options: object) -> Sync | Async:
        clients.append(type(sdk)(gateway, **options))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


@pytest.fixture(params=VENDORS)
def vendor(request, vendors):
    """Each vendor alone, under the model of its name."""
    return request.param


@pytest.fixture(params=[*VENDORS, "any-openai", "any-anthropic", "any-gemini"])
def route(request, vendors):
    """A model, and the vendor that answers it: each alone, and `any`, where those before the vendor are made to fail.
    In the end, no vendor may have got anything that it would refuse or should not know."""
    model, _, answering = request.param.partition("-")
    failing = VENDORS[: VENDORS.index(answering)] if answering else []
    for name in failing:
        # A status that doesn't make Envoy eject the vendor.
        vendors.script(name, {"kind": "status", "status": 429}, times=0)
    yield SimpleNamespace(model=model, vendor=answering or model, failing=failing)
    for record in vendors.records():
        assert record["fault"] is None
        assert record["leaked_headers"] == []
        assert CLIENT_KEY not in json.dumps(record["headers"])


def user(text: str) -> list[dict]:
    return [{"role": "user", "content": text}]


def echoed(message, route) -> object:
    """A message of the stream helper as the next request's history. It carries what the SDK has added (`parsed`, the
    calls' `index`), which OpenAI refuses from anybody; so an application that talks to OpenAI leaves that out."""
    if route.model in ("anthropic", "gemini"):
        return message
    fields = {"id": True, "type": True, "function": {"name", "arguments"}, "extra_content": True}
    calls = [call.model_dump(include=fields) for call in message.tool_calls or []]
    return {"role": "assistant", "content": message.content} | ({"tool_calls": calls} if calls else {})


def call_all(message) -> list[dict]:
    """The results of a message's tool calls, as an application sends them."""
    return [
        {
            "role": "tool",
            "tool_call_id": call.id,
            "content": FUNCTIONS[call.function.name](**json.loads(call.function.arguments)),
        }
        for call in message.tool_calls
    ]


def text_of(chunks: list) -> str:
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


def test_a_question_is_answered(sdk, route):
    messages = [{"role": "system", "content": "Be brief."}, *user("How are you?")]
    answer = sdk.create(model=route.model, messages=messages)
    (choice,) = answer.choices
    assert choice.message.content == f'This is {NAMES[route.vendor]}. You said: "How are you?".'
    assert (choice.message.role, choice.message.refusal, choice.message.tool_calls) == ("assistant", None, None)
    assert choice.finish_reason == "stop"
    assert answer.model == MODELS[route.vendor]
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (5, 8, 13)
    assert answer.usage.prompt_tokens_details.cached_tokens == 0


def test_raw_responses_tell_who_answered(sdk, route, vendors):
    response = sdk.raw(model=route.model, messages=user("Hello"))
    assert response.headers["x-sluice-provider"] == route.vendor
    failed = response.headers.get("x-sluice-failed", "")
    assert failed == ", ".join(f"{name};429" for name in route.failing)
    assert response.parse().choices[0].message.content.startswith(f"This is {NAMES[route.vendor]}.")
    assert [record["instance"] for record in vendors.records()] == [*route.failing, route.vendor]


def test_a_streamed_answer_is_the_plain_one_in_pieces(sdk, route):
    request = {"model": route.model, "messages": user("Count the words of this question")}
    plain = sdk.create(**request)
    chunks = sdk.chunks(**request)
    assert text_of(chunks) == plain.choices[0].message.content
    assert len(chunks) > 5
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}) == 1
    assert not any(chunk.usage for chunk in chunks)


def test_a_stream_ends_with_the_usage_when_asked(sdk, route):
    request = {"model": route.model, "messages": user("What does this cost?")}
    plain = sdk.create(**request)
    *chunks, last = sdk.chunks(**request, stream_options={"include_usage": True})
    assert last.choices == []
    assert last.usage.model_dump(exclude_none=True) == plain.usage.model_dump(exclude_none=True)
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)


def test_the_stream_helper_puts_the_plain_answer_together(sdk, route):
    request = {"model": route.model, "messages": user("Put me together")}
    plain = sdk.create(**request)
    events, final = sdk.helper(**request, stream_options={"include_usage": True})
    deltas = [event.delta for event in events if event.type == "content.delta"]
    (done,) = [event for event in events if event.type == "content.done"]
    assert "".join(deltas) == done.content == plain.choices[0].message.content
    assert final.choices[0].message.content == plain.choices[0].message.content
    assert final.choices[0].finish_reason == plain.choices[0].finish_reason
    assert (final.model, final.usage.total_tokens) == (plain.model, plain.usage.total_tokens)


def test_a_tool_is_called_and_its_result_answered(sdk, route):
    messages = user("What is the weather? Use get_weather.")
    answer = sdk.create(model=route.model, messages=messages, tools=TOOLS)
    (choice,) = answer.choices
    assert choice.finish_reason == "tool_calls"
    (call,) = choice.message.tool_calls
    assert (call.type, call.function.name) == ("function", "get_weather")
    assert json.loads(call.function.arguments) == {"city": "city", "unit": "celsius"}

    messages += [choice.message, *call_all(choice.message)]
    answer = sdk.create(model=route.model, messages=messages, tools=TOOLS)
    said = f'This is {NAMES[route.vendor]}. The tools returned: "12 degrees celsius in city".'
    assert answer.choices[0].message.content == said
    assert answer.choices[0].finish_reason == "stop"


def test_tools_are_called_in_parallel(sdk, route):
    messages = user("Both get_time and get_weather, please.")
    message = sdk.create(model=route.model, messages=messages, tools=TOOLS).choices[0].message
    assert [call.function.name for call in message.tool_calls] == ["get_weather", "get_time"]
    assert len({call.id for call in message.tool_calls}) == 2

    messages += [message, *call_all(message)]
    answer = sdk.create(model=route.model, messages=messages, tools=TOOLS)
    assert answer.choices[0].message.content.endswith('"12 degrees celsius in city", "noon in city".')


def test_streamed_tool_calls_are_put_together_and_answered(sdk, route):
    messages = user("Both get_time and get_weather, please.")
    events, final = sdk.helper(model=route.model, messages=messages, tools=TOOLS)
    done = [event for event in events if event.type == "tool_calls.function.arguments.done"]
    message = final.choices[0].message
    assert final.choices[0].finish_reason == "tool_calls"
    assert [(event.index, event.name) for event in done] == [(0, "get_weather"), (1, "get_time")]
    assert [call.function.arguments for call in message.tool_calls] == [event.arguments for event in done]
    assert len({call.id for call in message.tool_calls}) == 2

    messages += [echoed(message, route), *call_all(message)]
    chunks = sdk.chunks(model=route.model, messages=messages, tools=TOOLS)
    assert text_of(chunks).endswith('"12 degrees celsius in city", "noon in city".')


def test_streamed_tool_calls_can_be_put_together_by_hand(sdk, route):
    calls: dict[int, dict] = {}
    for chunk in sdk.chunks(model=route.model, messages=user("get_time and get_weather"), tools=TOOLS):
        for delta in chunk.choices[0].delta.tool_calls or []:
            call = calls.setdefault(delta.index, {"arguments": ""})
            for field, value in [("id", delta.id), ("name", delta.function.name)]:
                if value is not None:
                    assert field not in call
                    call[field] = value
            call["arguments"] += delta.function.arguments or ""
    assert [calls[index]["name"] for index in (0, 1)] == ["get_weather", "get_time"]
    assert [json.loads(calls[index]["arguments"])["city"] for index in (0, 1)] == ["city", "city"]


def test_tools_made_of_pydantic_models_are_parsed(sdk, route):
    tools = [openai.pydantic_function_tool(Weather), openai.pydantic_function_tool(Clock)]
    request = {"model": route.model, "messages": user("Weather and Clock"), "tools": tools}
    for completion in [sdk.parse(**request), sdk.helper(**request)[1]]:
        parsed = [call.function.parsed_arguments for call in completion.choices[0].message.tool_calls]
        assert parsed == [Weather(city="city", unit="celsius"), Clock(city="city")]


def test_a_tool_can_be_forced_and_forbidden(sdk, route):
    request = {"model": route.model, "messages": user("Hello"), "tools": TOOLS}
    named = {"type": "function", "function": {"name": "get_time"}}
    for choice, expected in [("required", "get_weather"), (named, "get_time")]:
        (call,) = sdk.create(**request, tool_choice=choice).choices[0].message.tool_calls
        assert call.function.name == expected
    request["messages"] = user("get_time")
    assert sdk.create(**request, tool_choice="none").choices[0].message.tool_calls is None


def test_structured_output_is_parsed(sdk, route):
    expected = Solution(steps=[Step(explanation="explanation", result=1.5)], answer="answer", certain=True)
    request = {"model": route.model, "messages": user("Solve it"), "response_format": Solution}
    assert sdk.parse(**request).choices[0].message.parsed == expected
    events, final = sdk.helper(**request)
    (done,) = [event for event in events if event.type == "content.done"]
    assert done.parsed == final.choices[0].message.parsed == expected


@pytest.mark.parametrize(
    ("finish", "error"),
    [("length", openai.LengthFinishReasonError), ("content_filter", openai.ContentFilterFinishReasonError)],
)
def test_structured_output_that_is_cut_off_is_an_error_of_the_sdk(sdk, route, vendors, finish, error):
    vendors.script(route.vendor, {"kind": "content", "text": '{"steps": [', "finish": finish}, times=2)
    request = {"model": route.model, "messages": user("Solve it"), "response_format": Solution}
    with pytest.raises(error):
        sdk.parse(**request)
    with pytest.raises(error):
        sdk.helper(**request)


def test_images_are_seen_by_address_and_as_data(sdk, route, vendors):
    data = f"data:image/png;base64,{base64.b64encode(PIXEL).decode()}"
    address = "https://example.com/cat.png"
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in (data, address)]
    messages = [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, *parts]}]
    for content in [
        sdk.create(model=route.model, messages=messages).choices[0].message.content,
        text_of(sdk.chunks(model=route.model, messages=messages)),
    ]:
        assert content.endswith(f"I see 2 images, image/png, {len(PIXEL)} bytes; {address}.")
    assert base64.b64encode(PIXEL).decode() in vendors.records(route.vendor)[-1]["body"]["text"]


def test_reasoning_is_asked_for_shown_and_counted(sdk, route):
    request = {"model": f"{route.model}-reasoning", "messages": user("Think"), "reasoning_effort": "high"}
    answer = sdk.create(**request)
    assert answer.choices[0].message.content == f'This is {NAMES[route.vendor]}. You said: "Think".'
    assert answer.model == REASONING[route.vendor]
    assert answer.usage.completion_tokens_details.reasoning_tokens == 7
    *chunks, last = sdk.chunks(**request, stream_options={"include_usage": True})
    assert last.usage.completion_tokens_details.reasoning_tokens == 7
    assert text_of(chunks) == answer.choices[0].message.content
    # OpenAI itself shows none of it in this API.
    shown = None if route.vendor == "openai" else "Thinking about the question step by step."
    assert getattr(answer.choices[0].message, "reasoning_content", None) == shown
    deltas = [getattr(chunk.choices[0].delta, "reasoning_content", None) or "" for chunk in chunks]
    assert "".join(deltas) == (shown or "")


def test_a_tool_loop_with_reasoning_takes_several_rounds(sdk, route):
    request = {"model": f"{route.model}-reasoning", "tools": TOOLS, "reasoning_effort": "low"}
    messages = user("Use get_weather.")
    for question in ["Now get_time.", "And get_weather with get_time again.", "Thank you."]:
        message = sdk.create(**request, messages=messages).choices[0].message
        messages += [message, *call_all(message)]
        _, final = sdk.helper(**request, messages=messages)
        assert "The tools returned:" in final.choices[0].message.content
        messages += [echoed(final.choices[0].message, route), *user(question)]
    answer = sdk.create(**request, messages=messages)
    assert answer.choices[0].message.content.endswith('You said: "Thank you.".')


def test_a_conversation_moves_between_vendors(sdk, vendors):
    messages = user("Use get_weather.")
    for turn in range(9):
        vendors.reset()
        answering = (2 * turn + 1) % 3
        for name in VENDORS[:answering]:
            vendors.script(name, {"kind": "status", "status": 429}, times=0)
        request = {"model": "any-reasoning", "messages": messages, "tools": TOOLS, "reasoning_effort": "low"}
        message = sdk.create(**request).choices[0].message
        assert [record["fault"] for record in vendors.records()] == [None] * (answering + 1)
        messages.append(message)
        messages += call_all(message) if message.tool_calls else user("And get_weather with get_time again.")


def test_a_long_conversation_is_carried_on(sdk, route, vendors):
    messages = [{"role": "developer", "content": "Answer politely."}]
    for turn in range(24):
        messages += user(f"Question {turn}: ¿qué, 何, 🌊?")
        if turn % 2:
            answer = sdk.create(model=route.model, messages=messages)
            content = answer.choices[0].message.content
            messages.append(answer.choices[0].message)
        else:
            content = text_of(sdk.chunks(model=route.model, messages=messages))
            messages.append({"role": "assistant", "content": content})
        assert content == f'This is {NAMES[route.vendor]}. You said: "Question {turn}: ¿qué, 何, 🌊?".'
    last = vendors.records(route.vendor)[-1]["json"]
    sent = last.get("contents") or [message for message in last["messages"] if message["role"] != "developer"]
    assert len(sent) == 47
    # What was said before is counted, whoever counts.
    assert answer.usage.prompt_tokens == 2 + 24 * 5 + 23 * 10


def test_what_a_vendor_lacks_is_refused_by_name(sdk, vendors):
    with pytest.raises(openai.BadRequestError) as raised:
        sdk.create(model="anthropic", messages=user("Hello"), seed=7)
    error = raised.value
    assert (error.status_code, error.param, error.code) == (400, "seed", "unsupported_parameter")
    assert error.type == "invalid_request_error"
    assert "seed" in error.message
    assert vendors.records() == []


def test_a_malformed_request_is_refused_by_name(sdk, vendor, vendors):
    faulty = [*user("Hello"), {"role": "user", "content": 5}]
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError) as raised:
            sdk.raw(model=vendor, messages=faulty, stream=stream)
        assert (raised.value.param, raised.value.code) == ("messages[1].content", "invalid_type")
        assert raised.value.response.headers["content-type"] == "application/json"
    assert vendors.records() == []


def test_a_refusal_of_the_vendor_arrives(sdk, vendor, vendors):
    vendors.script(vendor, {"kind": "status", "status": 400})
    with pytest.raises(openai.BadRequestError) as raised:
        sdk.create(model=vendor, messages=user("Hello"))
    assert raised.value.type == "invalid_request_error"
    assert raised.value.message
    assert raised.value.response.headers["x-sluice-provider"] == vendor


def test_an_unknown_model_is_not_found(sdk, vendors):
    with pytest.raises(openai.NotFoundError) as raised:
        sdk.create(model="gpt-nonexistent", messages=user("Hello"))
    assert (raised.value.param, raised.value.code) == ("model", "model_not_found")
    assert vendors.records() == []


def test_an_unknown_key_is_refused(connect, vendors):
    stranger = connect(api_key="a-foreign-key")
    for stream in (False, True):
        with pytest.raises(openai.AuthenticationError) as raised:
            stranger.raw(model="openai", messages=user("Hello"), stream=stream)
        assert raised.value.code == "invalid_api_key"
        assert "a-foreign-key" not in str(raised.value.body)
    assert vendors.records() == []


def test_a_vendor_that_refuses_our_key_is_no_fault_of_the_client(sdk, vendor, vendors):
    vendors.script(vendor, {"kind": "status", "status": 401})
    with pytest.raises(openai.InternalServerError) as raised:
        sdk.create(model=vendor, messages=user("Hello"))
    assert (raised.value.status_code, raised.value.code) == (502, "provider_authentication")


def test_a_rate_limit_says_when_to_come_back(sdk, vendor, vendors):
    vendors.script(vendor, {"kind": "status", "status": 429, "headers": [["retry-after", "7"]]})
    with pytest.raises(openai.RateLimitError) as raised:
        sdk.create(model=vendor, messages=user("Hello"))
    assert raised.value.response.headers["retry-after"] == "7"
    assert raised.value.status_code == 429
    assert len(vendors.records()) == 1


def test_the_sdk_comes_back_when_the_rate_limit_says(connect, vendor, vendors):
    vendors.script(vendor, {"kind": "status", "status": 429, "headers": [["retry-after", "1"]]})
    answer = connect(max_retries=1).create(model=vendor, messages=user("Again"))
    assert answer.choices[0].message.content.endswith('You said: "Again".')
    first, second = vendors.records()
    assert 950 < second["arrived_ms"] - first["arrived_ms"] < 10_000


@pytest.mark.parametrize(("status", "seen"), [(500, 500), (503, 503), (529, 503)])
def test_an_ailing_vendor_is_an_error_of_the_server(sdk, vendor, vendors, status, seen):
    vendors.script(vendor, {"kind": "status", "status": status}, times=2)
    for stream in (False, True):
        with pytest.raises(openai.InternalServerError) as raised:
            sdk.raw(model=vendor, messages=user("Hello"), stream=stream)
        assert raised.value.response.headers["x-sluice-provider"] == vendor
        assert raised.value.status_code == (status if vendor == "openai" else seen)
    sdk.create(model=vendor, messages=user("Well again"))


def test_the_sdk_tries_again_when_a_vendor_was_ill(connect, vendor, vendors):
    vendors.script(vendor, {"kind": "status", "status": 503})
    chunks = connect(max_retries=1).chunks(model=vendor, messages=user("Again"))
    assert text_of(chunks).endswith('You said: "Again".')
    assert len(vendors.records()) == 2


def test_when_all_vendors_fail_the_last_error_arrives(sdk, vendors):
    for name in VENDORS:
        vendors.script(name, {"kind": "status", "status": 429}, times=0)
    with pytest.raises(openai.RateLimitError) as raised:
        sdk.create(model="any", messages=user("Hello"))
    assert raised.value.response.headers["x-sluice-provider"] == "gemini"
    assert raised.value.response.headers["x-sluice-failed"] == "openai;429, anthropic;429, gemini;429"


def test_an_error_in_the_middle_of_a_stream_is_raised(sdk, vendor, vendors):
    whole = sdk.chunks(model=vendor, messages=user("A long enough question"))
    vendors.script(vendor, {"kind": "stream_error", "after_events": 5, "status": 503})
    seen = []
    with pytest.raises(openai.APIError) as raised:
        sdk.chunks(seen, model=vendor, messages=user("A long enough question"))
    assert not isinstance(raised.value, openai.APIStatusError | openai.APIConnectionError)
    assert raised.value.message
    # Within one dialect the vendor's own words pass.
    assert raised.value.type == ("service_unavailable_error" if vendor == "openai" else "server_error")
    assert text_of(seen)
    assert text_of(whole).startswith(text_of(seen))
    assert not any(choice.finish_reason for chunk in seen for choice in chunk.choices)
    vendors.script(vendor, {"kind": "stream_error", "after_events": 5, "status": 503})
    with pytest.raises(openai.APIError):
        sdk.helper(model=vendor, messages=user("A long enough question"))


def test_a_stream_that_begins_with_an_error_is_an_error_with_a_status(sdk, vendor, vendors):
    vendors.script(vendor, {"kind": "stream_error", "after_events": 0, "status": 429})
    with pytest.raises(openai.RateLimitError) as raised:
        sdk.chunks(model=vendor, messages=user("Hello"))
    assert raised.value.response.headers["content-type"] == "application/json"


def test_a_stream_that_begins_with_an_error_is_taken_over(sdk, vendors):
    vendors.script("openai", {"kind": "stream_error", "after_events": 0, "status": 503})
    vendors.script("anthropic", {"kind": "stream_error", "after_events": 0, "status": 529})
    chunks = sdk.chunks(model="any", messages=user("Hello"))
    assert text_of(chunks) == 'This is Gemini. You said: "Hello".'


def test_a_stream_that_ends_too_soon_is_an_error(sdk, vendor, vendors):
    vendors.script(vendor, {"kind": "cut", "after_events": 4, "how": "end"})
    with pytest.raises(openai.APIError) as raised:
        sdk.chunks(model=vendor, messages=user("A long enough question"))
    assert raised.value.code == "stream_truncated"


def test_a_stream_whose_connection_breaks_is_an_error(sdk, vendor, vendors):
    vendors.script(vendor, {"kind": "cut", "after_events": 4, "how": "reset"})
    seen = []
    with pytest.raises(openai.APIConnectionError):
        sdk.chunks(seen, model=vendor, messages=user("A long enough question"))
    assert not any(choice.finish_reason for chunk in seen for choice in chunk.choices)


def disconnected(vendors, vendor: str) -> dict:
    """The vendor's latest request, once the vendor has noticed that nobody waits for its answer."""
    until = time.monotonic() + 10
    while not (record := vendors.records(vendor)[-1])["disconnected"]:
        assert time.monotonic() < until, "the vendor was never told"
        time.sleep(0.02)
    return record


def test_a_client_that_runs_out_of_patience_gets_its_timeout(sdk, vendor, vendors):
    vendors.script(vendor, {"kind": "hang"}, times=2)
    for stream in (False, True):
        started = time.monotonic()
        with pytest.raises(openai.APITimeoutError):
            sdk.raw(model=vendor, messages=user("Hello"), stream=stream, timeout=0.3)
        assert time.monotonic() - started < 5
        assert disconnected(vendors, vendor)["answer"]["status"] is None
    assert sdk.create(model=vendor, messages=user("Still there?"))


def test_a_pause_in_a_stream_gets_the_client_s_timeout(sdk, vendor, vendors):
    vendors.script(vendor, {"kind": "slow", "gap_ms": 60_000})
    seen = []
    with pytest.raises(openai.APITimeoutError):
        sdk.chunks(seen, model=vendor, messages=user("Hello"), timeout=0.5)
    assert seen
    disconnected(vendors, vendor)


def test_a_stream_that_is_closed_early_ends_at_the_vendor(sdk, vendor, vendors):
    vendors.script(vendor, {"kind": "slow", "gap_ms": 50})
    request = {"model": vendor, "messages": user("word " * 400)}
    assert len(sdk.chunks(**request, stop_after=3)) == 3
    record = disconnected(vendors, vendor)
    assert record["disconnected"]["after_events"] < 100
    assert record["answer"]["ended_ms"] is None
    assert sdk.create(model=vendor, messages=user("Still there?"))


def test_a_cancelled_task_ends_at_the_vendor(gateway, vendor, vendors):
    vendors.script(vendor, {"kind": "hang"})

    async def run() -> None:
        async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=CLIENT_KEY) as client:
            request = client.chat.completions.create(model=vendor, messages=user("Hello"))
            task = asyncio.create_task(request)
            await asyncio.to_thread(vendors.wait_for, 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(run())
    disconnected(vendors, vendor)


def test_many_questions_at_once_get_their_own_answers(gateway, vendors):
    vendors.pace(None, gap_ms=2)

    async def ask(client: openai.AsyncOpenAI, number: int) -> None:
        vendor = VENDORS[number % 3]
        request = {"model": vendor, "messages": user(f"Question {number}")}
        if number % 2:
            async with client.chat.completions.stream(**request) as stream:
                answer = await stream.get_final_completion()
        else:
            answer = await client.chat.completions.create(**request)
        said = f'This is {NAMES[vendor]}. You said: "Question {number}".'
        assert answer.choices[0].message.content == said

    async def run() -> None:
        async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=CLIENT_KEY, max_retries=0) as client:
            await asyncio.gather(*(ask(client, number) for number in range(120)))

    asyncio.run(run())
    assert len(vendors.records()) == 120


def test_the_sdk_needs_nothing_but_its_two_environment_variables(gateway, vendors, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", f"{gateway.url}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", CLIENT_KEY)
    with openai.OpenAI() as client:
        answer = client.chat.completions.create(model="gemini", messages=user("Hello"))
    assert checked(answer).choices[0].message.content == 'This is Gemini. You said: "Hello".'
