"""Google's official SDK for Python, `google-genai`, with nothing changed but its address and key."""

import asyncio
import base64
import json
from types import SimpleNamespace

import google.oauth2.credentials
import httpx
import pytest
from google import genai
from google.genai import errors, types
from pydantic import BaseModel, ConfigDict
from support import scripted
from support.gateway import CLIENT_KEY, MODELS, Gateway, policy
from support.scripted import PIXEL

VENDORS = ["openai", "anthropic", "gemini"]
NAMES = {"openai": "OpenAI", "anthropic": "Anthropic", "gemini": "Gemini"}
# Models that reason, each under its vendor's name and this ending.
REASONING = {"openai": "gpt-5.2", "anthropic": "claude-sonnet-5-5", "gemini": "gemini-3.8-flash"}
THOUGHT = "Thinking about the question step by step."
Response = types.GenerateContentResponse


class Solution(BaseModel):
    model_config = ConfigDict(extra="forbid")

    answer: str
    size: int
    certain: bool


class Open(BaseModel):
    answer: str


def get_weather(city: str, unit: str) -> str:
    """Says the weather."""
    return f"12 degrees {unit} in {city}"


def get_time(city: str) -> str:
    """Says the time."""
    return f"noon in {city}"


DECLARATIONS = [
    types.FunctionDeclaration(
        name="get_weather",
        description="Says the weather.",
        parameters=types.Schema(
            type="OBJECT",
            properties={"city": types.Schema(type="STRING"), "unit": types.Schema(type="STRING", enum=["celsius"])},
            required=["city", "unit"],
        ),
    ),
    types.FunctionDeclaration(
        name="get_time",
        description="Says the time.",
        parameters_json_schema={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    ),
]
TOOLS = [types.Tool(function_declarations=DECLARATIONS)]
BY_HAND = {"automatic_function_calling": {"disable": True}, "tools": TOOLS}


@pytest.fixture(scope="module")
def gateway(mock_vendors):
    """The usual gateway, with a reasoning model of each vendor besides, and Google's cloud on another's stage."""
    targets = {name: {"provider": name, "model": REASONING[name]} for name in VENDORS}
    models = {f"{name}-reasoning": {"targets": [target]} for name, target in targets.items()}
    models["any-reasoning"] = {"targets": list(targets.values())}
    models["vertex"] = {"targets": [{"provider": "vertex", "model": "gemini-3.8-flash"}]}
    document = policy(mock_vendors, models=policy(mock_vendors)["models"] | models)
    document["providers"]["vertex"] = scripted.provider(mock_vendors, "vertex")
    with Gateway(document, "--concurrency", "1") as gateway:
        yield gateway
        assert gateway.wasm_trouble() == []


def connect(gateway: Gateway, **options: object) -> genai.Client:
    options = {"api_key": CLIENT_KEY} | options
    http = {"base_url": gateway.url, "timeout": 20_000} | options.pop("http_options", {})
    return genai.Client(**options, http_options=http)


def strict(response: Response) -> Response:
    """The answer, after the SDK's own types have read the body once more, where nothing unknown may be."""
    Response.model_validate(
        response.model_dump(exclude={"sdk_http_response", "parsed", "automatic_function_calling_history"})
    )
    return response


@pytest.fixture(params=["sync", "async"])
def sdk(request, gateway):
    """Plain and streamed calls, of the sync or the async client."""
    client = connect(gateway)
    if request.param == "sync":
        yield SimpleNamespace(
            create=lambda **call: strict(client.models.generate_content(**call)),
            chunks=lambda **call: [strict(chunk) for chunk in client.models.generate_content_stream(**call)],
            count=client.models.count_tokens,
            chat=lambda **call: client.chats.create(**call).send_message,
        )
        client.close()
        return
    runner = asyncio.Runner()

    async def chunks(**call: object) -> list:
        return [strict(chunk) async for chunk in await client.aio.models.generate_content_stream(**call)]

    def chat(**call: object):
        talk = client.aio.chats.create(**call)
        return lambda *said: runner.run(talk.send_message(*said))

    yield SimpleNamespace(
        create=lambda **call: strict(runner.run(client.aio.models.generate_content(**call))),
        chunks=lambda **call: runner.run(chunks(**call)),
        count=lambda **call: runner.run(client.aio.models.count_tokens(**call)),
        chat=chat,
    )
    runner.run(client.aio.aclose())
    runner.close()


@pytest.fixture(params=VENDORS)
def vendor(request, vendors):
    """Each vendor alone, under the model of its name. In the end, none may have got anything that it would refuse or
    should not know."""
    yield request.param
    for record in vendors.records():
        assert record["fault"] is None or record["answer"]["behaviour"] in ("raw", "status"), record["fault"]
        assert record["leaked_headers"] == []
        assert CLIENT_KEY not in json.dumps([record["headers"], record["target"]])


def text_of(*responses: Response) -> str:
    parts = [part for response in responses for part in parts_of(response)]
    return "".join(part.text for part in parts if part.text and not part.thought)


def parts_of(response: Response) -> list[types.Part]:
    candidates = response.candidates or []
    return [part for one in candidates for part in (one.content.parts if one.content and one.content.parts else [])]


def content_of(*responses: Response) -> types.Content:
    """What was said, as the next request's history."""
    return types.Content(role="model", parts=[part for response in responses for part in parts_of(response)])


def calls_of(content: types.Content) -> list[types.FunctionCall]:
    return [part.function_call for part in content.parts if part.function_call]


def results(content: types.Content, with_ids: bool = True) -> types.Content:
    functions = {"get_weather": get_weather, "get_time": get_time}
    parts = [
        types.Part(
            function_response=types.FunctionResponse(
                id=call.id if with_ids else None, name=call.name, response={"output": functions[call.name](**call.args)}
            )
        )
        for call in calls_of(content)
    ]
    return types.Content(role="user", parts=parts)


def user(text: str) -> types.Content:
    return types.Content(role="user", parts=[types.Part(text=text)])


def test_a_question_is_answered(sdk, vendor):
    config = {"system_instruction": "Be brief.", "max_output_tokens": 100}
    response = sdk.create(model=vendor, contents="How are you?", config=config)
    assert response.text == f'This is {NAMES[vendor]}. You said: "How are you?".'
    [candidate] = response.candidates
    assert (candidate.finish_reason, candidate.content.role) == (types.FinishReason.STOP, "model")
    assert response.model_version == MODELS[vendor]
    usage = response.usage_metadata
    assert (usage.prompt_token_count, usage.candidates_token_count, usage.total_token_count) == (5, 8, 13)


def test_a_streamed_answer_is_the_plain_one_in_pieces(sdk, vendor):
    request = {"model": vendor, "contents": "Count the words of this question, please: ¿qué, 何, 🌊?"}
    plain = sdk.create(**request)
    chunks = sdk.chunks(**request)
    assert text_of(*chunks) == plain.text
    assert len(chunks) > 5
    reasons = [chunk.candidates[0].finish_reason for chunk in chunks if chunk.candidates]
    assert reasons[-1] == types.FinishReason.STOP and not any(reasons[:-1])
    assert chunks[-1].usage_metadata.total_token_count == plain.usage_metadata.total_token_count
    assert len({(chunk.response_id, chunk.model_version) for chunk in chunks}) == 1


def test_a_limit_is_told(sdk, vendor, vendors):
    vendors.script(vendor, {"kind": "content", "text": "It goes on and", "finish": "length"}, times=2)
    assert sdk.create(model=vendor, contents="x").candidates[0].finish_reason == types.FinishReason.MAX_TOKENS
    chunks = sdk.chunks(model=vendor, contents="x")
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.MAX_TOKENS


def test_what_is_held_back_is_told(sdk, vendor, vendors):
    vendors.script(vendor, {"kind": "content", "text": "", "finish": "content_filter"})
    assert sdk.create(model=vendor, contents="x").candidates[0].finish_reason == types.FinishReason.SAFETY


@pytest.mark.parametrize("with_ids", [True, False])
def test_tools_are_called_and_their_results_answered(sdk, vendor, with_ids):
    question = user("Both get_time and get_weather, please.")
    for create in (lambda **call: [sdk.create(**call)], sdk.chunks):
        said = content_of(*create(model=vendor, contents=[question], config=BY_HAND))
        calls = calls_of(said)
        assert [(call.name, call.args) for call in calls] == [
            ("get_weather", {"city": "city", "unit": "celsius"}),
            ("get_time", {"city": "city"}),
        ]
        if not with_ids:
            # Older clients have none.
            for call in calls:
                call.id = None
        history = [question, said, results(said, with_ids)]
        answer = text_of(*create(model=vendor, contents=history, config=BY_HAND))
        assert answer.endswith('The tools returned: "12 degrees celsius in city", "noon in city".')


def test_python_functions_are_called_by_the_sdk(sdk, vendor):
    response = sdk.create(model=vendor, contents="Use get_time.", config={"tools": [get_time, get_weather]})
    assert '"noon in city"' in response.text
    assert len(response.automatic_function_calling_history) == 3
    # The SDK also tells what the functions return, which nobody else has a place for.
    paths = {f"tools[0].functionDeclarations[{number}].response_json_schema" for number in (0, 1)}
    assert scripted.dropped(response.sdk_http_response.headers) == (set() if vendor == "gemini" else paths)


def test_a_chat_with_tools_and_thinking_takes_several_rounds(sdk, vendor, vendors):
    config = {"tools": [get_time, get_weather], "thinking_config": {"include_thoughts": True, "thinking_level": "LOW"}}
    say = sdk.chat(model=f"{vendor}-reasoning", config=config)
    for question in ["Use get_weather.", "Now get_time.", "And get_weather with get_time again."]:
        assert " in city" in say(question).text
    answer = say("Thank you.")
    assert answer.text.endswith('You said: "Thank you.".')
    last = json.dumps(vendors.records(vendor)[-1]["json"])
    # What the vendor has signed came back to it: the mocks refuse what they have not signed.
    if vendor == "gemini":
        assert last.count('"thoughtSignature"') >= 3 and "skip_thought_signature_validator" not in last
    elif vendor == "anthropic":
        assert last.count('"signature"') >= 3
    else:
        assert "ignature" not in last


def test_a_conversation_moves_between_vendors(sdk, vendors):
    history = [user("Use get_weather.")]
    thinking = {"include_thoughts": True, "thinking_level": "LOW"}
    for turn in range(9):
        vendors.reset()
        answering = (2 * turn + 1) % 3
        for name in VENDORS[:answering]:
            vendors.script(name, {"kind": "status", "status": 429}, times=0)
        call = {"model": "any-reasoning", "contents": history, "config": BY_HAND | {"thinking_config": thinking}}
        said = content_of(*(sdk.chunks(**call) if turn % 2 else [sdk.create(**call)]))
        assert [record["fault"] for record in vendors.records()] == [None] * (answering + 1)
        history.append(said)
        history.append(results(said) if calls_of(said) else user("And get_weather with get_time again."))


def test_thinking_is_shown(sdk, vendor):
    config = {"thinking_config": {"include_thoughts": True, "thinking_level": "HIGH"}}
    for create in (lambda **call: [sdk.create(**call)], sdk.chunks):
        chunks = create(model=f"{vendor}-reasoning", contents="Think", config=config)
        thoughts = [part.text or "" for chunk in chunks for part in parts_of(chunk) if part.thought]
        # OpenAI shows none of it in chat completions.
        assert "".join(thoughts) == ("" if vendor == "openai" else THOUGHT)
        assert text_of(*chunks) == f'This is {NAMES[vendor]}. You said: "Think".'
        assert chunks[-1].usage_metadata.thoughts_token_count == 7


@pytest.mark.parametrize("mode", ["ANY", "NONE"])
def test_a_tool_can_be_forced_and_forbidden(sdk, vendor, mode):
    calling = {"mode": mode} | ({"allowed_function_names": ["get_time"]} if mode == "ANY" else {})
    config = BY_HAND | {"tool_config": {"function_calling_config": calling}}
    said = content_of(sdk.create(model=vendor, contents="get_weather", config=config))
    assert [call.name for call in calls_of(said)] == (["get_time"] if mode == "ANY" else [])


def test_a_form_of_the_answer_is_kept_to(sdk, vendor):
    # Google's own schemas have no word for closed objects, and Anthropic takes no others.
    form = Solution if vendor == "anthropic" else Open
    config = {"response_mime_type": "application/json", "response_schema": form}
    response = sdk.create(model=vendor, contents="Solve it", config=config)
    assert isinstance(response.parsed, form) and response.parsed.answer == "answer"
    chunks = sdk.chunks(model=vendor, contents="Solve it", config=config)
    assert form.model_validate_json(text_of(*chunks)) == response.parsed
    config = {"response_mime_type": "application/json", "response_json_schema": Solution.model_json_schema()}
    assert Solution.model_validate_json(sdk.create(model=vendor, contents="Solve it", config=config).text)


@pytest.mark.parametrize(("model", "form"), [("anthropic", "open"), ("gemini", "closed")])
def test_a_form_that_a_vendor_does_not_take_is_its_own_to_refuse(sdk, vendors, model, form):
    """No schema is rewritten; the vendor's words come in Google's form."""
    config = {"response_mime_type": "application/json", "response_schema": Open if form == "open" else Solution}
    with pytest.raises(errors.ClientError, match="additional_?[pP]roperties") as raised:
        sdk.create(model=model, contents="Solve it", config=config)
    assert (raised.value.code, raised.value.status) == (400, "INVALID_ARGUMENT")


def test_images_are_seen_by_address_and_as_data(sdk, vendor):
    parts = [
        types.Part(text="What is this?"),
        types.Part.from_bytes(data=PIXEL, mime_type="image/png"),
        types.Part.from_uri(file_uri="https://example.com/cat.png", mime_type="image/png"),
    ]
    contents = [types.Content(role="user", parts=parts)]
    for response in (sdk.create(model=vendor, contents=contents), *[sdk.chunks(model=vendor, contents=contents)]):
        said = text_of(*response) if isinstance(response, list) else response.text
        assert said.endswith(f"I see 2 images, image/png, {len(PIXEL)} bytes; https://example.com/cat.png.")


def test_bytes_of_any_alphabet_arrive_as_they_are(sdk, vendor, vendors):
    # Its base64 has the characters in which the two alphabets differ; the SDK writes the URL-safe one.
    pdf = b"%PDF-1.4 \xfb\xff\xfe\xff\xfb"
    parts = [types.Part(text="Read it."), types.Part.from_bytes(data=pdf, mime_type="application/pdf")]
    sdk.create(model=vendor, contents=[types.Content(role="user", parts=parts)])
    sent = json.dumps(scripted.sent(vendors)["json"])
    own = base64.urlsafe_b64encode(pdf) if vendor == "gemini" else base64.b64encode(pdf)
    assert own.decode() in sent or (vendor == "gemini" and base64.b64encode(pdf).decode() in sent)


def test_tokens_are_counted(sdk, vendors):
    for model, path, body in [
        ("gemini", "/v1beta/models/gemini-2.5-flash:countTokens", {"totalTokens": 7}),
        ("anthropic", "/v1/messages/count_tokens", {"input_tokens": 7}),
    ]:
        vendors.reset()
        scripted.play(vendors, body, vendor=model)
        assert sdk.count(model=model, contents="Hello").total_tokens == 7
        assert scripted.sent(vendors)["target"] == path
    vendors.reset()
    with pytest.raises(errors.ClientError) as raised:
        sdk.count(model="openai", contents="Hello")
    assert (raised.value.code, raised.value.status) == (400, "INVALID_ARGUMENT")
    assert vendors.records() == []


@pytest.mark.parametrize(
    ("status", "word"), [(400, "INVALID_ARGUMENT"), (404, "NOT_FOUND"), (429, "RESOURCE_EXHAUSTED"), (500, "INTERNAL")]
)
def test_errors_of_the_vendors_have_google_s_words(sdk, vendor, vendors, status, word):
    vendors.script(vendor, {"kind": "status", "status": status}, times=2)
    error = errors.ClientError if status < 500 else errors.ServerError
    for call in (sdk.create, sdk.chunks):
        with pytest.raises(error) as raised:
            call(model=vendor, contents="Hello")
        assert (raised.value.code, raised.value.status) == (status, word)
        assert raised.value.message


def test_errors_of_the_gateway_have_google_s_words(sdk, gateway, vendors):
    with pytest.raises(errors.ClientError) as raised:
        sdk.create(model="gemini-nonexistent", contents="Hello")
    assert (raised.value.code, raised.value.status) == (404, "NOT_FOUND")
    with connect(gateway, api_key="a-foreign-key") as stranger, pytest.raises(errors.ClientError) as raised:
        stranger.models.generate_content(model="openai", contents="Hello")
    assert (raised.value.code, raised.value.status) == (401, "UNAUTHENTICATED")
    assert "a-foreign-key" not in str(raised.value.details)
    with pytest.raises(errors.ClientError) as raised:
        sdk.create(model="openai", contents="Hello", config={"top_k": 3})
    assert raised.value.code == 400 and "topK" in raised.value.message
    assert vendors.records() == []


def test_what_only_google_has_is_refused_elsewhere(sdk, vendors):
    for model in ("openai", "anthropic"):
        with pytest.raises(errors.ClientError) as raised:
            sdk.create(model=model, contents="Hello", config={"tools": [{"google_search": {}}]})
        assert raised.value.code == 400 and "tools" in raised.value.message
        with pytest.raises(errors.ClientError):
            sdk.create(model=model, contents="Hello", config={"cached_content": "cachedContents/1"})
    assert vendors.records() == []


def test_an_error_in_the_middle_of_a_stream_is_raised(sdk, vendor, vendors):
    vendors.script(vendor, {"kind": "stream_error", "after_events": 5, "status": 503})
    with pytest.raises(errors.APIError):
        sdk.chunks(model=vendor, contents="A long enough question")


def test_a_stream_that_ends_too_soon_is_an_error(sdk, vendor, vendors):
    vendors.script(vendor, {"kind": "cut", "after_events": 4, "how": "end"})
    with pytest.raises(errors.APIError):
        sdk.chunks(model=vendor, contents="A long enough question")


@pytest.mark.parametrize("version", ["v1", "v1beta", "v1beta1"])
def test_every_version_of_the_api_is_served(gateway, vendor, version):
    with connect(gateway, http_options={"api_version": version}) as client:
        assert client.models.generate_content(model=vendor, contents="Hello").text.endswith('You said: "Hello".')
        chunks = list(client.models.generate_content_stream(model=f"models/{vendor}", contents="Hello"))
        assert text_of(*chunks).endswith('You said: "Hello".')


def test_clients_of_google_s_cloud_are_served(gateway, vendor):
    token = google.oauth2.credentials.Credentials(token=CLIENT_KEY)
    own = {"vertexai": True, "api_key": None, "credentials": token, "project": "project-9", "location": "us-central1"}
    express = {"vertexai": True}
    for options in (own, express):
        with connect(gateway, **options) as client:
            assert client.models.generate_content(model=vendor, contents="Hello").text.endswith('You said: "Hello".')
            chunks = list(client.models.generate_content_stream(model=vendor, contents="Hello"))
            assert text_of(*chunks).endswith('You said: "Hello".')


@pytest.mark.parametrize("cloud", [False, True])
def test_google_s_cloud_serves(gateway, vendors, cloud):
    """As a provider: an answer of the same dialect, by another path and credential."""
    answer = {
        "candidates": [{"content": {"role": "model", "parts": [{"text": "Hi"}]}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2},
        "modelVersion": "gemini-3.8-flash",
        "responseId": "r",
    }
    scripted.play(vendors, answer)
    with connect(gateway, vertexai=cloud) as client:
        config = {"labels": {"team": "qa"}} if cloud else {}
        assert client.models.generate_content(model="vertex", contents="Hello", config=config).text == "Hi"
    record = scripted.sent(vendors)
    root = "/v1/projects/project-1/locations/europe-west4/publishers/google/models"
    assert record["target"] == f"{root}/gemini-3.8-flash:generateContent"
    assert dict(record["headers"])["authorization"] == scripted.bearer()
    assert record["json"].get("labels") == ({"team": "qa"} if cloud else None)


def test_a_stream_without_sse_is_one_array(gateway, vendor):
    body = {"contents": [{"role": "user", "parts": [{"text": "Count the words: ¿qué, 何, 🌊?"}]}]}
    headers = {"x-goog-api-key": CLIENT_KEY}
    path = f"{gateway.url}/v1beta/models/{vendor}:streamGenerateContent"
    answer = httpx.post(path, json=body, headers=headers, timeout=20)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].split(";")[0] == "application/json"
    elements = [strict(Response.model_validate(element)) for element in answer.json()]
    assert len(elements) > 3
    assert text_of(*elements) == f'This is {NAMES[vendor]}. You said: "Count the words: ¿qué, 何, 🌊?".'
    assert elements[-1].candidates[0].finish_reason == types.FinishReason.STOP


def test_an_array_comes_element_by_element_and_may_end_in_an_error(gateway, vendor, vendors):
    vendors.script(vendor, {"kind": "stream_error", "after_events": 5, "status": 503})
    body = {"contents": [{"role": "user", "parts": [{"text": "A long enough question"}]}]}
    path = f"{gateway.url}/v1beta/models/{vendor}:streamGenerateContent"
    answer = httpx.post(path, json=body, headers={"x-goog-api-key": CLIENT_KEY}, timeout=20)
    *elements, last = answer.json()
    assert elements and last["error"]["code"] >= 500
    assert last["error"].keys() >= {"code", "message", "status"}


def test_the_key_may_stand_in_the_query_and_goes_nowhere(gateway, vendor, vendors):
    body = {"contents": [{"parts": [{"text": "Hello"}]}]}
    path = f"{gateway.url}/v1beta/models/{vendor}:generateContent"
    answer = httpx.post(path, params={"key": CLIENT_KEY}, json=body, timeout=20)
    assert answer.status_code == 200, answer.text
    assert "key=" not in scripted.sent(vendors)["target"]


def test_between_the_same_dialect_the_bytes_pass(gateway, vendors):
    content = b'{ "contents":[{"role":"user","parts":[{"text":"\\u0048i"}]}] ,"odd" : 1.0 }'
    reply = {
        "candidates": [{"content": {"parts": [{"text": "Hi"}], "role": "model"}, "finishReason": "STOP"}],
        "odd": [1.0],
    }
    answer = scripted.play(vendors, json.dumps(reply, indent=3), vendor="gemini")
    got = httpx.post(
        f"{gateway.url}/v1beta/models/gemini:generateContent",
        content=content,
        headers={"x-goog-api-key": CLIENT_KEY, "content-type": "application/json"},
        timeout=20,
    )
    assert got.content == answer
    record = scripted.sent(vendors)
    assert scripted.body_of(record) == content
    assert record["target"] == "/v1beta/models/gemini-2.5-flash:generateContent"


def test_the_sdk_needs_nothing_but_its_two_environment_variables(gateway, vendors, monkeypatch):
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", gateway.url)
    monkeypatch.setenv("GEMINI_API_KEY", CLIENT_KEY)
    with genai.Client() as client:
        assert client.models.generate_content(model="anthropic", contents="Hello").text.startswith("This is Anthropic.")
