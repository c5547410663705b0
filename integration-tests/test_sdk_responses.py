"""The Responses API of the official OpenAI SDK for Python, sync and async, at vendors with and without that API."""

import asyncio
import base64
import json
from types import SimpleNamespace
from typing import Literal

import httpx
import openai
import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter
from support import scripted
from support.gateway import CLIENT_KEY, MODELS, Gateway, policy
from support.scripted import PIXEL

VENDORS = ["openai", "anthropic", "gemini"]
NAMES = {"openai": "OpenAI", "anthropic": "Anthropic", "gemini": "Gemini"}
# Models that reason, each under its vendor's name and this ending.
REASONING = {"openai": "gpt-5.2", "anthropic": "claude-sonnet-5-5", "gemini": "gemini-3.8-flash"}
THOUGHT = "Thinking about the question step by step."
EVENT = TypeAdapter(ResponseStreamEvent)
TOOLS = [
    {
        "type": "function",
        "name": "get_weather",
        "description": "Says the weather.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius"]}},
            "required": ["city", "unit"],
            "additionalProperties": False,
        },
        "strict": True,
    },
    {
        "type": "function",
        "name": "get_time",
        "description": "Says the time.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
        "strict": True,
    },
]
PATCH = {"type": "custom", "name": "apply_patch", "description": "Changes files.", "format": {"type": "text"}}
FUNCTIONS = {
    "get_weather": lambda city, unit: f"12 degrees {unit} in {city}",
    "get_time": lambda city: f"noon in {city}",
}


class Solution(BaseModel):
    answer: str
    unit: Literal["celsius", "fahrenheit"]
    certain: bool


@pytest.fixture(scope="module")
def gateway(mock_vendors):
    """The usual gateway, with a reasoning model of each vendor besides, and Azure, which has the API."""
    targets = {name: {"provider": name, "model": REASONING[name]} for name in VENDORS}
    models = {f"{name}-reasoning": {"targets": [target]} for name, target in targets.items()}
    models["any-reasoning"] = {"targets": list(targets.values())}
    models["azure"] = {"targets": [{"provider": "azure", "model": "my-deployment"}]}
    models["dropping"] = {"targets": [targets["gemini"]], "unsupported": "drop"}
    document = policy(mock_vendors, models=policy(mock_vendors)["models"] | models)
    document["providers"]["azure"] = scripted.provider(mock_vendors, "azure_openai")
    with Gateway(document, "--concurrency", "1") as gateway:
        yield gateway
        assert gateway.wasm_trouble() == []


def checked(response: Response) -> Response:
    """The answer, after the SDK's own types have validated what they otherwise take as it comes."""
    Response.model_validate_json(response.to_json(), strict=True)
    return response


def checked_events(events: list) -> list:
    """The events of a stream, likewise; their numbers have no gap."""
    for event in events:
        EVENT.validate_json(event.to_json(), strict=True)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    return events


@pytest.fixture(scope="module", params=["sync", "async"])
def sdk(request, gateway):
    """Plain and streamed calls, of the sync or the async client."""
    options = {"base_url": f"{gateway.url}/v1", "api_key": CLIENT_KEY, "max_retries": 0, "timeout": 20}
    if request.param == "sync":
        with openai.OpenAI(**options) as client:

            def final(**call: object) -> Response:
                with client.responses.stream(**call) as stream:
                    return stream.get_final_response()

            yield SimpleNamespace(
                create=lambda **call: checked(client.responses.create(**call)),
                parse=client.responses.parse,
                events=lambda **call: checked_events(list(client.responses.create(stream=True, **call))),
                final=final,
            )
        return
    with asyncio.Runner() as runner:
        client = openai.AsyncOpenAI(**options)

        async def events(**call: object) -> list:
            return [event async for event in await client.responses.create(stream=True, **call)]

        async def finished(**call: object) -> Response:
            async with client.responses.stream(**call) as stream:
                return await stream.get_final_response()

        yield SimpleNamespace(
            create=lambda **call: checked(runner.run(client.responses.create(**call))),
            parse=lambda **call: runner.run(client.responses.parse(**call)),
            events=lambda **call: checked_events(runner.run(events(**call))),
            final=lambda **call: runner.run(finished(**call)),
        )
        runner.run(client.close())


@pytest.fixture(params=VENDORS)
def vendor(request, vendors):
    """Each vendor alone, under the model of its name. In the end, none may have got anything that it would refuse or
    should not know."""
    yield request.param
    for record in vendors.records():
        assert record["fault"] is None or record["answer"]["behaviour"] in ("raw", "status"), record["fault"]
        assert record["leaked_headers"] == []
        assert CLIENT_KEY not in json.dumps([record["headers"], record["target"]])


def user(text: str) -> list[dict]:
    return [{"role": "user", "content": text}]


def echoed(response: Response) -> list[dict]:
    """The items of an answer as the next request's history."""
    return [json.loads(item.to_json()) for item in response.output]


def calls_of(response: Response) -> list:
    return [item for item in response.output if item.type in ("function_call", "custom_tool_call")]


def results(response: Response) -> list[dict]:
    """What the tools said, as an application sends it."""
    return [
        {
            "type": "function_call_output",
            "call_id": call.call_id,
            "output": FUNCTIONS[call.name](**json.loads(call.arguments)),
        }
        for call in calls_of(response)
    ]


def test_a_question_is_answered(sdk, vendor):
    response = sdk.create(model=vendor, instructions="Be brief.", input="How are you?", max_output_tokens=100)
    assert response.output_text == f'This is {NAMES[vendor]}. You said: "How are you?".'
    assert (response.status, response.model, response.instructions) == ("completed", MODELS[vendor], "Be brief.")
    assert [item.type for item in response.output] == ["message"]
    usage = response.usage
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (5, 8, 13)
    assert response.store is False and response.previous_response_id is None


def test_a_streamed_answer_is_the_plain_one_in_pieces(sdk, vendor):
    request = {"model": vendor, "input": "Count the words of this question, please: ¿qué, 何, 🌊?"}
    plain = sdk.create(**request)
    events = sdk.events(**request)
    kinds = [event.type for event in events]
    assert kinds[:4] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ]
    assert kinds[-4:] == [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert set(kinds[4:-4]) == {"response.output_text.delta"} and len(kinds) > 12
    assert "".join(event.delta for event in events[4:-4]) == events[-4].text == plain.output_text
    final = checked(events[-1].response)
    assert final.output_text == plain.output_text
    assert final.usage.model_dump() == plain.usage.model_dump()
    helped = sdk.final(**request)
    assert (helped.output_text, helped.status) == (plain.output_text, "completed")


def test_a_limit_is_told(sdk, vendor, vendors):
    vendors.script(vendor, {"kind": "content", "text": "It goes on and", "finish": "length"}, times=2)
    response = sdk.create(model=vendor, input="x")
    assert (response.status, response.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    last = sdk.events(model=vendor, input="x")[-1]
    assert last.type == "response.incomplete"
    assert last.response.incomplete_details.reason == "max_output_tokens"


@pytest.mark.parametrize("how", ["create", "final"])
def test_functions_are_called_and_their_results_answered(sdk, vendor, how):
    create = getattr(sdk, how)
    request = {"model": vendor, "tools": TOOLS}
    question = user("Both get_time and get_weather, please.")
    response = create(**request, input=question)
    assert [call.name for call in calls_of(response)] == ["get_weather", "get_time"]
    assert json.loads(calls_of(response)[0].arguments) == {"city": "city", "unit": "celsius"}
    assert len({call.call_id for call in calls_of(response)}) == 2
    answer = create(**request, input=[*question, *echoed(response), *results(response)])
    assert answer.output_text.endswith('The tools returned: "12 degrees celsius in city", "noon in city".')


def test_streamed_calls_are_told_in_order(sdk, vendor):
    events = sdk.events(model=vendor, tools=TOOLS, input="Use get_weather.")
    deltas = [event.delta for event in events if event.type == "response.function_call_arguments.delta"]
    [done] = [event for event in events if event.type == "response.function_call_arguments.done"]
    assert "".join(deltas) == done.arguments
    [item] = [
        event.item
        for event in events
        if event.type == "response.output_item.done" and event.item.type == "function_call"
    ]
    assert (item.name, item.arguments, item.status) == ("get_weather", done.arguments, "completed")


@pytest.mark.parametrize("how", ["create", "final"])
def test_custom_tools_are_called_and_answered(sdk, vendor, vendors, how):
    create = getattr(sdk, how)
    request = {"model": vendor, "tools": [PATCH, TOOLS[1]]}
    question = user("Please apply_patch.")
    # A vendor without custom tools is offered a function with one text.
    arguments = {"input": '*** Begin Patch\n+ "x"\n*** End Patch'}
    vendors.script(vendor, {"kind": "content", "calls": [{"name": "apply_patch", "arguments": arguments}]})
    response = create(**request, input=question)
    [call] = calls_of(response)
    assert (call.type, call.name, call.input) == ("custom_tool_call", "apply_patch", arguments["input"])
    output = {"type": "custom_tool_call_output", "call_id": call.call_id, "output": "Done."}
    answer = create(**request, input=[*question, *echoed(response), output])
    assert answer.output_text.endswith('The tools returned: "Done.".')


def test_a_tool_can_be_forced_and_forbidden(sdk, vendor):
    request = {"model": vendor, "tools": TOOLS}
    [call] = calls_of(sdk.create(**request, input="Hello", tool_choice={"type": "function", "name": "get_time"}))
    assert call.name == "get_time"
    assert len(calls_of(sdk.create(**request, input="Hello", tool_choice="required"))) == 1
    assert calls_of(sdk.create(**request, input="get_time", tool_choice="none")) == []


def test_structured_output_is_parsed(sdk, vendor):
    expected = Solution(answer="answer", unit="celsius", certain=True)
    response = sdk.parse(model=vendor, input="Solve it", text_format=Solution)
    assert response.output_parsed == expected
    final = sdk.final(model=vendor, input="Solve it", text_format=Solution)
    assert final.output_parsed == expected


def test_thinking_is_a_summary_and_sealed(sdk, vendor):
    request = {"model": f"{vendor}-reasoning", "input": "Think", "reasoning": {"effort": "high", "summary": "auto"}}
    for response in (sdk.create(**request), sdk.final(**request)):
        thoughts = [item for item in response.output if item.type == "reasoning"]
        shown = "".join(part.text for item in thoughts for part in item.summary)
        # OpenAI shows none of it in chat completions.
        assert shown == ("" if vendor == "openai" else THOUGHT)
        assert response.output_text == f'This is {NAMES[vendor]}. You said: "Think".'
        assert response.usage.output_tokens_details.reasoning_tokens == 7
        if vendor == "anthropic":
            assert all(item.encrypted_content for item in thoughts)


def test_a_tool_loop_with_thinking_takes_several_rounds(sdk, vendor, vendors):
    settings = {
        "reasoning": {"effort": "low", "summary": "auto"},
        "include": ["reasoning.encrypted_content"],
        "store": False,
    }
    request = {"model": f"{vendor}-reasoning", "tools": TOOLS} | settings
    items = user("Use get_weather.")
    for question in ["Now get_time.", "And get_weather with get_time again.", "Thank you."]:
        response = sdk.create(**request, input=items)
        items += [*echoed(response), *results(response)]
        final = checked(sdk.events(**request, input=items)[-1].response)
        assert "The tools returned:" in final.output_text
        items += [*echoed(final), *user(question)]
    assert sdk.create(**request, input=items).output_text.endswith('You said: "Thank you.".')
    last = json.dumps(vendors.records(vendor)[-1]["json"])
    # What the vendor has signed came back to it: the mocks refuse what they have not signed.
    if vendor == "anthropic":
        assert last.count('"signature"') >= 6
    elif vendor == "gemini":
        assert last.count('"thoughtSignature"') >= 3 and "skip_thought_signature_validator" not in last
    else:
        assert "sluice" not in last


def test_a_conversation_moves_between_vendors(sdk, vendors):
    items = user("Use get_weather.")
    for turn in range(9):
        vendors.reset()
        answering = (2 * turn + 1) % 3
        for name in VENDORS[:answering]:
            vendors.script(name, {"kind": "status", "status": 429}, times=0)
        request = {"model": "any-reasoning", "input": items, "tools": TOOLS, "reasoning": {"effort": "low"}}
        response = sdk.create(**request) if turn % 2 else sdk.events(**request)[-1].response
        assert [record["fault"] for record in vendors.records()] == [None] * (answering + 1)
        items += echoed(response)
        items += results(response) if calls_of(response) else user("And get_weather with get_time again.")


def test_images_and_files_are_sent(sdk, vendor, vendors):
    data = base64.b64encode(PIXEL).decode()
    pdf = base64.b64encode(b"%PDF-1.4 one page").decode()
    parts = [
        {"type": "input_text", "text": "What is this?"},
        {"type": "input_image", "detail": "auto", "image_url": f"data:image/png;base64,{data}"},
        {"type": "input_image", "detail": "auto", "image_url": "https://example.com/cat.png"},
        {"type": "input_file", "filename": "a.pdf", "file_data": f"data:application/pdf;base64,{pdf}"},
    ]
    response = sdk.create(model=vendor, input=[{"role": "user", "content": parts}])
    assert f"image/png, {len(PIXEL)} bytes; https://example.com/cat.png" in response.output_text
    assert pdf in json.dumps(scripted.sent(vendors)["json"])


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"background": True}, "background"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"store": True}, "store"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0].type"),
        ({"input": [{"role": "user", "content": 5}]}, "input[0].content"),
    ],
)
def test_what_only_openai_keeps_is_refused_by_name(sdk, vendor, vendors, fields, param):
    with pytest.raises(openai.BadRequestError) as raised:
        sdk.create(**({"model": vendor, "input": "Hello"} | fields))
    assert (raised.value.param, raised.value.type) == (param, "invalid_request_error")
    assert vendors.records() == []


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, openai.BadRequestError),
        (404, openai.NotFoundError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
    ],
)
def test_errors_of_the_vendors_have_the_sdk_s_types(sdk, vendor, vendors, status, error):
    vendors.script(vendor, {"kind": "status", "status": status}, times=2)
    for call in (sdk.create, sdk.events):
        with pytest.raises(error) as raised:
            call(model=vendor, input="Hello")
        assert raised.value.status_code == status
        assert raised.value.type


def test_an_error_in_the_middle_of_a_stream_is_a_failed_response(sdk, vendor, vendors):
    vendors.script(vendor, {"kind": "stream_error", "after_events": 5, "status": 503})
    events = sdk.events(model=vendor, input="A long enough question")
    assert events[-1].type == "response.failed"
    assert events[-1].response.status == "failed"
    assert events[-1].response.error.code == "server_error" and events[-1].response.error.message


def test_a_stream_that_ends_too_soon_is_a_failed_response(sdk, vendor, vendors):
    vendors.script(vendor, {"kind": "cut", "after_events": 4, "how": "end"})
    assert sdk.events(model=vendor, input="A long enough question")[-1].type == "response.failed"


def agent_request(model: str, parallel: bool) -> dict:
    """A request as Codex makes it: nothing kept, thinking sealed, a patch tool of free text, a long history."""
    functions = [
        {
            "type": "function",
            "name": name,
            "description": f"The tool {name}. " * 20,
            "strict": False,
            "parameters": {
                "type": "object",
                "properties": {
                    "command": {"type": "array", "items": {"type": "string"}},
                    "timeout_ms": {"type": "number"},
                },
                "required": ["command"],
                "additionalProperties": False,
            },
        }
        for name in ("shell", "update_plan", "view_image")
    ]
    grammar = {"type": "grammar", "syntax": "lark", "definition": 'start: "*** Begin Patch" LF'}
    text = lambda kind, words: [{"type": kind, "text": words}]  # noqa: E731
    items = [
        {"type": "message", "role": "developer", "content": text("input_text", "<permissions>read</permissions>")},
        {"type": "message", "role": "user", "content": text("input_text", "<environment_context/>")},
        {"type": "message", "role": "user", "content": text("input_text", "Mend the build.")},
    ]
    for turn in range(20):
        sealed = {
            "type": "reasoning",
            "summary": text("summary_text", f"Step {turn}"),
            "encrypted_content": f"gAAAA{turn}",
        }
        items.append(sealed)
        if turn % 3 == 0:
            items.append({"type": "message", "role": "assistant", "content": text("output_text", f"Doing {turn}.")})
        if turn % 2:
            call = {
                "type": "custom_tool_call",
                "call_id": f"call_{turn}",
                "name": "apply_patch",
                "input": f"patch {turn}",
            }
        else:
            arguments = json.dumps({"command": ["ls", str(turn)]})
            call = {"type": "function_call", "call_id": f"call_{turn}", "name": "shell", "arguments": arguments}
        kind = f"{call['type'].removesuffix('_call')}_call_output"
        items += [call, {"type": kind, "call_id": f"call_{turn}", "output": f"out of {turn}\n" * 10}]
    items.append({"type": "message", "role": "user", "content": text("input_text", "Go on.")})
    return {
        "model": model,
        "instructions": "You are an agent. " * 200,
        "input": items,
        "tools": [*functions, PATCH | {"format": grammar}],
        "tool_choice": "auto",
        "parallel_tool_calls": parallel,
        "reasoning": {"effort": "medium", "summary": "auto"},
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "00000000-0000-4000-8000-000000000000",
        "extra_body": {"client_metadata": {"installation": "x"}},
    }


@pytest.mark.parametrize("model", ["openai-reasoning", "anthropic-reasoning", "gemini-reasoning", "dropping"])
def test_a_coding_agent_is_served_by_each_vendor(sdk, vendors, model):
    # Gemini has no word for calls one by one: the policy of that model lets it be left out.
    request = agent_request(model, parallel=not (model == "dropping"))
    events = sdk.events(**request)
    assert events[-1].type == "response.completed"
    # Claude has the last results and the user's words in one message, and the mock answers the results there.
    end = '"out of 19' if model.startswith("anthropic") else 'You said: "Go on.".'
    assert end in events[-1].response.output_text
    record = scripted.sent(vendors)
    assert record["fault"] is None
    sent = json.dumps(record["json"])
    assert all(f"patch {turn}" in sent for turn in range(1, 20, 2))
    assert sent.count("out of 19") == 10 and "gAAAA" not in sent and "Doing 18." in sent and "Go on." in sent
    # Claude and Gemini get no thinking that they have not signed.
    assert "client_metadata" not in sent and "prompt_cache_key" not in sent


NATIVE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "status": "completed",
    "model": "gpt-5.5",
    "output": [
        {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "gAAAA"},
        {
            "id": "msg_1",
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Hi ✓", "annotations": [], "logprobs": []}],
        },
    ],
    "odd": [1.0],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "usage": {
        "input_tokens": 5,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 2,
        "output_tokens_details": {"reasoning_tokens": 1},
        "total_tokens": 7,
    },
}


def native_events() -> list[dict]:
    started = NATIVE | {"status": "in_progress", "output": [], "usage": None}
    delta = {"output_index": 1, "item_id": "msg_1", "content_index": 0, "logprobs": [], "obfuscation": "abc"}
    events = [
        {"type": "response.created", "response": started},
        {"type": "response.output_text.delta", "delta": "Hi "} | delta,
        {"type": "response.output_text.delta", "delta": "✓"} | delta,
        {"type": "response.something.new", "odd": 1.0},
        {"type": "response.completed", "response": NATIVE},
    ]
    return [event | {"sequence_number": number} for number, event in enumerate(events)]


def post(gateway: Gateway, content: bytes) -> httpx.Response:
    headers = {"authorization": f"Bearer {CLIENT_KEY}", "content-type": "application/json"}
    return httpx.post(f"{gateway.url}/v1/responses", content=content, headers=headers, timeout=20)


def test_where_the_provider_has_the_api_the_bytes_pass(gateway, vendors):
    content = b'{ "input":"\\u0048i" ,"previous_response_id":"resp_0", "odd" : 1.0,"model":"azure","background":false }'
    answer = scripted.play(vendors, json.dumps(NATIVE, indent=3), piece=17)
    got = post(gateway, content)
    assert got.content == answer
    record = scripted.sent(vendors)
    assert scripted.body_of(record) == content.replace(b'"azure"', b'"my-deployment"')
    assert record["target"].startswith("/openai/v1/responses")
    assert scripted.bearer().removeprefix("Bearer ") in dict(record["headers"]).values()


def test_where_the_provider_has_the_api_its_stream_passes(gateway, vendors):
    content = b'{"input":"Hi","stream":true,"model":"azure","tools":[{"type":"web_search"}]}'
    body = b"".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n".encode() for one in native_events())
    scripted.play(vendors, body, content_type="text/event-stream", piece=31)
    got = post(gateway, content)
    assert (got.status_code, got.content) == (200, body)
    assert scripted.body_of(scripted.sent(vendors)) == content.replace(b'"azure"', b'"my-deployment"')


def test_the_sdk_reads_what_passes(sdk, vendors):
    scripted.play(vendors, NATIVE)
    assert sdk.create(model="azure", input="Hi", store=True).output_text == "Hi ✓"
    assert scripted.sent(vendors)["json"]["store"] is True


def test_a_stream_that_passes_and_breaks_off_ends_in_an_error(gateway, vendors):
    body = b"".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n".encode() for one in native_events()[:3])
    scripted.play(vendors, body, content_type="text/event-stream", piece=31)
    got = post(gateway, b'{"input":"Hi","stream":true,"model":"azure"}')
    assert got.content.startswith(body)
    event = json.loads(got.content.removeprefix(body).decode().split("data:", 1)[1])
    assert (event["type"], event["code"]) == ("error", "stream_truncated")


def test_errors_of_a_provider_that_has_the_api_pass(sdk, gateway, vendors):
    error = {
        "error": {
            "message": "No such response.",
            "type": "invalid_request_error",
            "param": "x",
            "code": "odd",
            "n": 1.0,
        }
    }
    content = scripted.play(vendors, error, status=404)
    assert post(gateway, b'{"input":"Hi","model":"azure"}').content == content
    scripted.play(vendors, error, status=404)
    with pytest.raises(openai.NotFoundError) as raised:
        sdk.create(model="azure", input="Hi")
    assert (raised.value.param, raised.value.code) == ("x", "odd")
