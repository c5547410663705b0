"""What clients are told of their limits, each in its own dialect and by its official SDK."""

import datetime
import json
import re

import anthropic
import google.genai
import google.genai.errors
import openai
import pytest
from support.gateway import CLIENT_KEY, MODELS, Gateway
from support.limits import AT_ONCE, body, cost, limited, lines, logged, metric, quiet
from support.scripted import play

WORDS = [{"role": "user", "content": "Hello"}]
# Each dialect's path and request; `{model}` stands for the model's name.
CALLS = {
    "chat": ("/v1/chat/completions", {"model": "{model}", "messages": WORDS}),
    "responses": ("/v1/responses", {"model": "{model}", "input": "Hello"}),
    "completions": ("/v1/completions", {"model": "{model}", "prompt": "Hello"}),
    "anthropic": ("/v1/messages", {"model": "{model}", "max_tokens": 100, "messages": WORDS}),
    "gemini": ("/v1beta/models/{model}:generateContent", {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}),
}


def call(gateway: Gateway, dialect: str, model: str, **headers: str):
    path, wished = CALLS[dialect]
    text = json.dumps(wished).replace("{model}", model)
    named = {name.replace("_", "-"): value for name, value in headers.items()} | {"content-type": "application/json"}
    return gateway.client.post(path.replace("{model}", model), content=text, headers=named)


def limit(name: str, unit: str, most: object, **fields: object) -> dict:
    period = {} if unit == "concurrent" else {"per": "day"}
    return {"name": name, "unit": unit, "limit": most, "by": ["header:x-run"], "when": {"headers": {"x-case": name}}} | period | fields


@pytest.fixture(scope="module")
def told(mock_vendors):
    always = {"when": {"headers": {"x-case": "all"}}}
    limits = [
        limit("all-requests", "requests", 4, **always),
        limit("all-tokens", "tokens", 100_000, **always),
        limit("all-input", "input_tokens", 90_000, **always),
        limit("all-output", "output_tokens", 80_000, **always),
        limit("all-money", "usd", 5, **always),
        limit("all-at-once", "concurrent", 5, **always),
        limit("once", "requests", 1, action="refuse"),
        limit("often", "requests", 2, per="second", burst=1),
        limit("ever", "requests", 1, per="lifetime"),
        limit("small", "tokens", 50),
        limit("gentle", "requests", 1, action="warn"),
    ]
    with Gateway(limited(mock_vendors, limits), "--concurrency", "2", *AT_ONCE) as gateway:
        yield gateway
        assert gateway.wasm_trouble() == []


def limit_headers(answer) -> dict:
    return {name: value for name, value in answer.headers.items() if "ratelimit" in name}


OPENAI = {
    f"x-ratelimit-{what}-{unit}" for what in ("limit", "remaining", "reset") for unit in ("requests", "tokens")
}
ANTHROPIC = {
    f"anthropic-ratelimit-{unit}-{what}"
    for what in ("limit", "remaining", "reset")
    for unit in ("requests", "tokens", "input-tokens", "output-tokens")
}


# The mock of OpenAI has no legacy completions; at the others they are conversations.
PAIRS = [(dialect, vendor) for dialect in CALLS for vendor in MODELS if (dialect, vendor) != ("completions", "openai")]


@pytest.mark.parametrize(("dialect", "vendor"), PAIRS)
def test_each_dialect_is_told_in_its_own_words(dialect, vendor, told, vendors):
    run = f"{dialect}-{vendor}"
    answers = [call(told, dialect, vendor, x_case="all", x_run=run) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 4 + [429], answers[0].text
    names = ANTHROPIC if dialect == "anthropic" else OPENAI
    for number, answer in enumerate(answers[:4]):
        said = limit_headers(answer)
        assert said.keys() == names
        left = 3 - number
        if dialect == "anthropic":
            assert (said["anthropic-ratelimit-requests-limit"], said["anthropic-ratelimit-requests-remaining"]) == ("4", str(left))
            assert said["anthropic-ratelimit-input-tokens-limit"] == "90000"
            assert said["anthropic-ratelimit-output-tokens-limit"] == "80000"
            assert 0 < int(said["anthropic-ratelimit-tokens-remaining"]) < 100_000
            for name in (name for name in names if name.endswith("-reset")):
                reset = datetime.datetime.fromisoformat(said[name])
                # The day ends at midnight.
                assert (reset.hour, reset.minute, reset.second) == (0, 0, 0)
        else:
            assert (said["x-ratelimit-limit-requests"], said["x-ratelimit-remaining-requests"]) == ("4", str(left))
            # Of the limits in tokens, the one with the least left.
            assert said["x-ratelimit-limit-tokens"] == "80000"
            assert 0 < int(said["x-ratelimit-remaining-tokens"]) < 80_000
            for unit in ("requests", "tokens"):
                assert re.fullmatch(r"(\d+h)?(\d+m)?\d+s|\d+\.\d{3}s|\d+ms", said[f"x-ratelimit-reset-{unit}"]), said
        assert re.fullmatch(r"0\.\d{1,9}", answer.headers["x-sluice-cost-usd"])
    refused = answers[4]
    said = {name for name in limit_headers(refused)}
    assert said == {name for name in names if "requests" in name}
    assert int(refused.headers["retry-after"]) > 0
    message = json.loads(refused.text)["error"]["message"]
    assert message.startswith("The limit 'all-requests' (4 requests per day) is spent. There is room in ")
    assert "x-sluice-provider" not in refused.headers


def test_calls_without_limits_are_told_nothing(told, vendors):
    for dialect in CALLS:
        assert limit_headers(call(told, dialect, "openai")) == {}


# ---- the official SDKs


def openai_sdk(gateway: Gateway, **headers: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=CLIENT_KEY, timeout=20, default_headers=headers)


def anthropic_sdk(gateway: Gateway, **headers: str) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=gateway.url, api_key=CLIENT_KEY, timeout=20, default_headers=headers)


def google_sdk(gateway: Gateway, **headers: str) -> google.genai.Client:
    return google.genai.Client(api_key=CLIENT_KEY, http_options={"base_url": gateway.url, "timeout": 20_000, "headers": headers})


def test_sdks_raise_their_own_error_and_try_no_more(told, vendors):
    """They would try twice more by themselves; where that can't help for a day, they are told not to."""
    before = metric(told, "sluice_limit_refusals_total", limit="once")
    client = openai_sdk(told, **{"x-case": "once", "x-run": "openai"})
    client.chat.completions.create(model="openai", messages=WORDS)
    for stream in (False, True):
        with pytest.raises(openai.RateLimitError) as raised:
            client.chat.completions.create(model="openai", messages=WORDS, stream=stream)
        assert (raised.value.status_code, raised.value.code) == (429, "rate_limit_exceeded")
        assert "'once' (1 requests per day)" in raised.value.message or "'once'" in str(raised.value)
        assert int(raised.value.response.headers["retry-after"]) > 60
        assert raised.value.response.headers["x-should-retry"] == "false"
    client = anthropic_sdk(told, **{"x-case": "once", "x-run": "anthropic"})
    client.messages.create(model="anthropic", max_tokens=50, messages=WORDS)
    with pytest.raises(anthropic.RateLimitError) as raised:
        client.messages.create(model="anthropic", max_tokens=50, messages=WORDS)
    assert raised.value.body["error"]["type"] == "rate_limit_error" and "'once'" in raised.value.body["error"]["message"]
    client = google_sdk(told, **{"x-case": "once", "x-run": "google"})
    client.models.generate_content(model="gemini", contents="Hello")
    with pytest.raises(google.genai.errors.ClientError) as raised:
        client.models.generate_content(model="gemini", contents="Hello")
    assert (raised.value.code, raised.value.status) == (429, "RESOURCE_EXHAUSTED") and "'once'" in raised.value.message
    quiet(told)
    assert metric(told, "sluice_limit_refusals_total", limit="once") - before == 4, "nobody tried again"


def test_sdks_wait_where_that_helps(told, vendors):
    client = openai_sdk(told, **{"x-case": "often", "x-run": "openai"})
    for _ in range(3):
        assert client.chat.completions.create(model="openai", messages=WORDS).choices
    client = anthropic_sdk(told, **{"x-case": "often", "x-run": "anthropic"})
    for _ in range(3):
        assert client.messages.create(model="anthropic", max_tokens=50, messages=WORDS).content
    quiet(told)
    assert metric(told, "sluice_limit_refusals_total", limit="often") >= 4


def test_what_never_comes_again_is_a_quota(told, vendors):
    client = openai_sdk(told, **{"x-case": "ever", "x-run": "openai"})
    client.chat.completions.create(model="openai", messages=WORDS)
    with pytest.raises(openai.RateLimitError) as raised:
        client.chat.completions.create(model="openai", messages=WORDS)
    assert raised.value.code == "insufficient_quota" and "retry-after" not in raised.value.response.headers
    assert raised.value.response.headers["x-should-retry"] == "false"


def test_a_call_that_never_fits_is_told_so(told, vendors):
    with pytest.raises(openai.RateLimitError) as raised:
        openai_sdk(told, **{"x-case": "small", "x-run": "a"}).chat.completions.create(
            model="openai", messages=WORDS, max_completion_tokens=51
        )
    assert re.search(r"The limit 'small' allows 50 tokens per day, and this request may need \d+ tokens\.", str(raised.value))
    assert "retry-after" not in raised.value.response.headers
    assert vendors.records() == []


def test_a_warning_stands_in_a_header(told, vendors):
    client = openai_sdk(told, **{"x-case": "gentle", "x-run": "a"})
    said = []
    for stream in (False, True, True):
        raw = client.chat.completions.with_raw_response.create(model="openai", messages=WORDS, stream=stream)
        said.append(raw.headers.get("x-sluice-limit-warning"))
        raw.parse()
    assert said == [None, "gentle", "gentle"]


# ---- costs


@pytest.mark.parametrize("vendor", MODELS)
def test_a_whole_answer_tells_its_cost(vendor, told, vendors):
    log = logged(told)
    answer = call(told, "chat", vendor)
    nanos = cost(vendor, vendors.records()[-1]["answer"]["usage"])
    whole, rest = divmod(nanos, 10**9)
    assert answer.headers["x-sluice-cost-usd"] == f"{whole}.{rest:09}".rstrip("0").rstrip(".")
    (line,) = lines(told, 1, skip=log)
    assert (line["cost_usd"], line["cost_nanousd"]) == (answer.headers["x-sluice-cost-usd"], str(nanos))


# Google's SDKs take every line for JSON, so there it is an object of its own.
TOLD = {"gemini": 'data: {{"x-sluice-cost-usd":"{}"}}\n\n'}
COMMENT = ": x-sluice-cost-usd={}\n\n"


@pytest.mark.parametrize(("dialect", "vendor"), PAIRS)
def test_a_streams_cost_comes_at_its_end_if_asked_for(dialect, vendor, told, vendors):
    path, wished = CALLS[dialect]
    path = path.replace("{model}", vendor).replace(":generateContent", ":streamGenerateContent?alt=sse")
    wished = json.loads(json.dumps(wished).replace("{model}", vendor))
    wished |= {} if dialect == "gemini" else {"stream": True}
    plain = told.client.post(path, json=wished)
    assert plain.status_code == 200 and b"x-sluice-cost" not in plain.content
    assert "x-sluice-cost-usd" not in plain.headers, "it is not known when the headers go"
    log = logged(told)
    answer = told.client.post(path, json=wished, headers={"x-sluice-stream-cost": "true"})
    (line,) = lines(told, 1, skip=log)
    assert answer.text.endswith(TOLD.get(dialect, COMMENT).format(line["cost_usd"]))
    assert answer.text.count("x-sluice-cost-usd") == 1
    assert int(line["cost_nanousd"]) == cost(vendor, vendors.records()[-1]["answer"]["usage"])
    assert all("x-sluice-stream-cost" not in dict(record["headers"]) for record in vendors.records())


@pytest.mark.parametrize("vendor", MODELS)
def test_sdks_read_a_stream_with_its_cost_as_any_other(vendor, told, vendors):
    wish = {"x-sluice-stream-cost": "true"}
    client = openai_sdk(told, **wish)
    with client.chat.completions.stream(model=vendor, messages=WORDS) as stream:
        events = list(stream)
        assert events and "Hello" in stream.get_final_completion().choices[0].message.content
    with client.responses.stream(model=vendor, input="Hello") as stream:
        assert "Hello" in stream.until_done().get_final_response().output_text
    with anthropic_sdk(told, **wish).messages.stream(model=vendor, max_tokens=100, messages=WORDS) as stream:
        assert "Hello" in stream.get_final_text()
    client = google_sdk(told, **wish)
    chunks = client.models.generate_content_stream(model=vendor, contents="Hello")
    assert "Hello" in "".join(chunk.text or "" for chunk in chunks)


# ---- what vendors say of their own limits

THEIRS = {
    "x-ratelimit-limit-requests": "777",
    "x-ratelimit-remaining-tokens": "777",
    "x-ratelimit-reset-tokens": "777ms",
    "anthropic-ratelimit-tokens-remaining": "777",
    "anthropic-ratelimit-requests-reset": "2027-01-01T00:00:00Z",
}


@pytest.mark.parametrize("case", ["", "all"])
def test_a_providers_own_limits_are_not_the_clients(case, told, vendors):
    """Neither where both speak one dialect nor where not; in good answers, streams and failures."""
    named = {"x_case": case, "x_run": "theirs"} if case else {}
    answer = {"id": "a", "object": "chat.completion", "created": 1, "model": "m", "choices": [{"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}]}
    error = {"error": {"message": "Slow down", "type": "requests", "param": None, "code": "rate_limit_exceeded"}}
    for dialect in ("chat", "anthropic"):
        for status, content in ((200, answer), (429, error)):
            play(vendors, content, status, headers=tuple(THEIRS.items()))
            got = call(told, dialect, "openai", **named)
            assert got.status_code == status
            assert "777" not in json.dumps(dict(got.headers)), got.headers
            assert bool(limit_headers(got)) == bool(case)


def test_a_vendors_retry_after_goes_on(told, vendors):
    for vendor in MODELS:
        vendors.script(vendor, {"kind": "status", "status": 429, "headers": [["retry-after", "17"]]})
        answer = call(told, "chat", vendor)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "17")


def test_a_stream_is_told_of_its_limits_in_its_headers(told, vendors):
    answer = told.client.post(
        "/v1/chat/completions", json=body("openai", stream=True), headers={"x-case": "all", "x-run": "stream"}
    )
    assert limit_headers(answer).keys() == OPENAI
