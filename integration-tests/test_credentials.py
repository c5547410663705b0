"""Who is let in, and where no credential may ever be seen."""

import hashlib
import json
import time

import anthropic
import httpx
import openai
import pytest
from google import genai
from support.answers import check_request, error_of, text_of
from support.gateway import CLIENT_KEY, MODELS, VARIABLES, Gateway, policy
from support.vendors import KEYS
from support.wire import connect

DIALECTS = list(MODELS)
BODY = {"model": "openai", "messages": [{"role": "user", "content": "Hello"}]}
SECRET_TEXT = "words that only client and vendor may read"


def entry(key: str, name: str, **fields: object) -> dict:
    return {"id": name, "sha256": hashlib.sha256(key.encode()).hexdigest()} | fields


KEYS_OF_CALLERS = [
    entry(CLIENT_KEY, "tests", team="qa"),
    entry("key-of-the-past", "old", expires="2020-01-01T00:00:00Z"),
    entry("key-of-the-future", "new", expires="2099-01-01T00:00:00Z"),
    entry("key-that-is-off", "off", disabled=True),
]


@pytest.fixture(scope="module")
def guarded(mock_vendors):
    """A gateway that knows four keys, two of them worth nothing, and has all patience with bad ones."""
    document = policy(mock_vendors, callers={"keys": KEYS_OF_CALLERS, "failures_per_minute": 0})
    with Gateway(document, "--concurrency", "1", "--log-level", "info") as gateway:
        yield gateway
        assert [line for line in gateway.wasm_trouble() if "[error]" in line or "[critical]" in line] == []


@pytest.fixture(scope="module")
def open_house(mock_vendors):
    """A gateway that lets everybody in."""
    document = policy(mock_vendors, callers={"anonymous": "allow", "keys": KEYS_OF_CALLERS})
    with Gateway(document, "--concurrency", "1") as gateway:
        yield gateway
        assert gateway.wasm_trouble() == []


def post(gateway: Gateway, headers: dict | list, body: dict = BODY) -> httpx.Response:
    return httpx.post(f"{gateway.url}/v1/chat/completions", json=body, headers=headers, timeout=20)


REFUSED = {
    "no key": ([], "missing_api_key"),
    "an empty key": ([("x-api-key", "")], "missing_api_key"),
    "a scheme without a key": ([("authorization", "Bearer")], "invalid_api_key"),
    "an unknown key": ([("authorization", "Bearer who-is-this")], "invalid_api_key"),
    "an expired key": ([("authorization", "Bearer key-of-the-past")], "invalid_api_key"),
    "a disabled key": ([("authorization", "Bearer key-that-is-off")], "invalid_api_key"),
    "another scheme": ([("authorization", f"Basic {CLIENT_KEY}")], "invalid_api_key"),
    "no scheme": ([("authorization", CLIENT_KEY)], "invalid_api_key"),
    "a key with more behind it": ([("authorization", f"Bearer {CLIENT_KEY}, Bearer x")], "invalid_api_key"),
    "two keys": ([("authorization", f"Bearer {CLIENT_KEY}"), ("x-api-key", "another")], "invalid_api_key"),
    "two headers": ([("authorization", f"Bearer {CLIENT_KEY}"), ("authorization", "Bearer x")], "invalid_api_key"),
    "two headers the other way round": (
        [("authorization", "Bearer x"), ("authorization", f"Bearer {CLIENT_KEY}")],
        "invalid_api_key",
    ),
    "a vendor's key": ([("authorization", f"Bearer {KEYS['openai']}")], "invalid_api_key"),
    "the digest of a key": ([("authorization", f"Bearer {KEYS_OF_CALLERS[0]['sha256']}")], "invalid_api_key"),
    "a very long key": ([("authorization", "Bearer " + "x" * 20_000)], "invalid_api_key"),
    "no key in words": ([("authorization", "Bearer none")], "missing_api_key"),
    "a key of the wrong case": ([("authorization", f"Bearer {CLIENT_KEY.upper()}")], "invalid_api_key"),
    "two keys in SDKs' own headers": ([("x-api-key", CLIENT_KEY), ("x-goog-api-key", "another")], "invalid_api_key"),
    "a good key beside an expired one": ([("x-api-key", CLIENT_KEY), ("api-key", "key-of-the-past")], "invalid_api_key"),
    "bytes that are no text": ([(b"authorization", b"Bearer \xff\xfe")], "invalid_api_key"),
}


@pytest.mark.parametrize("who", REFUSED)
def test_whoever_is_not_known_is_refused(who, guarded, vendors):
    headers, code = REFUSED[who]
    answer = post(guarded, headers)
    error = error_of(answer, 401)
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", None, code)
    assert CLIENT_KEY not in answer.text and "key-" not in answer.text
    assert vendors.records() == []
    assert guarded.chat("openai").status_code == 200


@pytest.mark.parametrize("header", ["authorization", "x-api-key", "api-key", "x-goog-api-key"])
@pytest.mark.parametrize("key", [CLIENT_KEY, "key-of-the-future"])
def test_a_key_is_taken_from_every_header_that_sdks_use_and_goes_nowhere(header, key, guarded, vendors):
    value = f"Bearer {key}" if header == "authorization" else key
    for vendor in DIALECTS:
        assert text_of(post(guarded, {header: value}, BODY | {"model": vendor}))
    for record in vendors.records():
        check_request(record, vendors, record["instance"])
        assert key not in json.dumps(record)


def status_of_openai(gateway: Gateway, key: str) -> int:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=0, timeout=20) as sdk:
        try:
            sdk.chat.completions.create(model="openai", messages=BODY["messages"])
        except openai.APIStatusError as error:
            return error.status_code
    return 200


def status_of_anthropic(gateway: Gateway, key: str, **arguments: str) -> int:
    arguments = arguments or {"api_key": key}
    with anthropic.Anthropic(base_url=gateway.url, max_retries=0, timeout=20, **arguments) as sdk:
        try:
            sdk.messages.create(model="anthropic", max_tokens=10, messages=BODY["messages"])
        except anthropic.APIStatusError as error:
            return error.status_code
    return 200


def status_of_bearer_of_anthropic(gateway: Gateway, key: str) -> int:
    return status_of_anthropic(gateway, key, auth_token=key)


def status_of_google(gateway: Gateway, key: str) -> int:
    sdk = genai.Client(api_key=key, http_options={"base_url": gateway.url, "timeout": 20_000})
    try:
        sdk.models.generate_content(model="gemini", contents="Hello")
    except genai.errors.APIError as error:
        return error.code
    return 200


SDKS = [status_of_openai, status_of_anthropic, status_of_bearer_of_anthropic, status_of_google]


@pytest.mark.parametrize("status_of", SDKS, ids=[sdk.__name__.removeprefix("status_of_") for sdk in SDKS])
def test_each_sdk_sends_its_key_in_its_own_way(status_of, guarded, vendors):
    assert status_of(guarded, CLIENT_KEY) == 200
    for key in ("unknown", "key-of-the-past", "key-that-is-off"):
        assert status_of(guarded, key) == 401
    assert CLIENT_KEY not in json.dumps(vendors.records())


def test_a_key_in_the_query_is_taken_where_google_has_it(guarded, vendors):
    def ask(query: str, headers: dict | None = None) -> httpx.Response:
        url = f"{guarded.url}/v1beta/models/gemini:generateContent?{query}"
        return httpx.post(url, json={"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}, headers=headers, timeout=20)

    escaped = CLIENT_KEY.replace("-", "%2D")
    for query in (f"key={CLIENT_KEY}", f"alt=sse&key={escaped}"):
        assert ask(query).status_code == 200
        assert ask(query, {"x-goog-api-key": CLIENT_KEY}).status_code == 200
    for query in ("key=unknown", f"key={CLIENT_KEY}&key=unknown", "key=%zz"):
        assert ask(query).status_code == 401
    assert ask(f"key={CLIENT_KEY}", {"x-goog-api-key": "unknown"}).status_code == 401
    elsewhere = httpx.post(f"{guarded.url}/v1/chat/completions?key={CLIENT_KEY}", json=BODY, timeout=20)
    assert error_of(elsewhere, 401)["code"] == "missing_api_key"
    assert CLIENT_KEY not in json.dumps(vendors.records())
    time.sleep(0.3)
    assert CLIENT_KEY not in "\n".join(guarded.lines) and escaped not in "\n".join(guarded.lines)


def test_who_keeps_sending_bad_keys_is_told_to_wait(mock_vendors, vendors):
    with Gateway(policy(mock_vendors), "--concurrency", "1") as gateway:

        def ask(key: str, source: str = "127.0.0.1") -> httpx.Response:
            with httpx.Client(transport=httpx.HTTPTransport(local_address=source), timeout=20) as client:
                headers = {"authorization": f"Bearer {key}"}
                return client.post(f"{gateway.url}/v1/chat/completions", json=BODY, headers=headers)

        begun = time.monotonic()
        statuses = [ask(f"guess-{number}").status_code for number in range(12)]
        assert time.monotonic() - begun < 50
        assert statuses == [401] * 10 + [429] * 2
        refused = ask("guess")
        error = error_of(refused, 429)
        assert (error["type"], error["code"]) == ("rate_limit_error", "too_many_failures")
        assert 0 < int(refused.headers["retry-after"]) <= 60
        assert "guess" not in refused.text
        # Whoever shares the address and has a good key has nothing to suffer, nor have other addresses.
        assert text_of(ask(CLIENT_KEY))
        assert ask("guess", "127.0.0.2").status_code == 401
        assert ask("guess").status_code == 429


def test_a_hundred_thousand_keys_cost_a_request_no_more_than_ten(mock_vendors, vendors, tell):
    """Side by side: the memory of Envoy with one worker, and what a request takes that is refused before its body."""
    figures = {}
    for count in (10, 100_000):
        keys = [entry(f"key-{number}", f"id-{number}", team=f"team-{number % 100}") for number in range(count)]
        document = policy(mock_vendors, callers={"keys": keys, "failures_per_minute": 0})
        begun = time.monotonic()
        with Gateway(document, "--concurrency", "1") as gateway:
            ready = time.monotonic() - begun
            with httpx.Client(timeout=20, headers={"authorization": f"Bearer key-{count - 1}"}) as client:

                def one(client: httpx.Client = client, gateway: Gateway = gateway) -> float:
                    begun = time.perf_counter()
                    # It is let in, and there is nothing at this path.
                    assert client.post(f"{gateway.url}/v1/nothing").status_code == 404
                    return time.perf_counter() - begun

                one()
                rounds = sorted(one() for _ in range(400))
            assert text_of(post(gateway, {"x-api-key": f"key-{count - 1}"}))
            figures[count] = (rounds[100], gateway.resident(), ready)
    for count, (seconds, resident, ready) in figures.items():
        tell(f"{count} keys: {seconds * 1e6:.0f} µs a request, {resident / 2**20:.0f} MiB, ready in {ready:.1f} s")
    (few, few_bytes, _), (many, many_bytes, _) = figures[10], figures[100_000]
    assert many < few * 1.5 + 100e-6
    # Main thread, the VM that is copied, and one worker each hold the table; the document stands in the configuration.
    assert many_bytes - few_bytes < 1 << 30


def test_who_is_not_known_learns_nothing_about_models_and_paths(guarded, vendors):
    for path, body in [("/v1/chat/completions", BODY | {"model": "nothing"}), ("/nowhere", BODY)]:
        answer = httpx.post(f"{guarded.url}{path}", json=body, timeout=20)
        assert error_of(answer, 401)["code"] == "missing_api_key"


def test_a_refusal_does_not_wait_for_the_body(guarded, vendors):
    with connect(guarded) as connection:
        head = connection.head("content-length: 1000000").replace(CLIENT_KEY.encode(), b"unknown")
        connection.send(head, b"{")
        assert connection.response()[0].status_code == 401


def test_everybody_is_served_where_the_policy_says_so(open_house, vendors):
    for headers in ({}, {"authorization": "Bearer sk-of-any-sdk"}, {"x-api-key": "sk-ant-of-any-sdk"}):
        for vendor in DIALECTS:
            assert text_of(post(open_house, headers, BODY | {"model": vendor}))
    for record in vendors.records():
        check_request(record, vendors, record["instance"])
        assert "of-any-sdk" not in json.dumps(record)
    assert error_of(post(open_house, {"authorization": "Bearer key-that-is-off"}), 401)
    assert error_of(post(open_house, {"authorization": "Bearer key-of-the-past"}), 401)


CREDENTIALS_OF_OTHERS = {
    "cookie": "session=client-secret",
    "proxy-authorization": "Basic client-secret",
    "openai-organization": "org-of-the-client",
    "openai-project": "proj-of-the-client",
}


@pytest.mark.parametrize("vendor", DIALECTS)
def test_what_tells_who_the_client_is_goes_nowhere(vendor, guarded, vendors):
    headers = {"authorization": f"Bearer {CLIENT_KEY}", "x-api-key": CLIENT_KEY, "x-goog-api-key": CLIENT_KEY}
    headers |= CREDENTIALS_OF_OTHERS | {"x-forwarded-for": "203.0.113.9", "forwarded": "for=203.0.113.9"}
    assert text_of(post(guarded, headers, BODY | {"model": vendor}))
    (record,) = vendors.records()
    check_request(record, vendors, vendor)
    everything = json.dumps(record)
    for trace in ("client-secret", "of-the-client", "203.0.113.9", "127.0.0.1:" + guarded.url.rsplit(":")[-1]):
        assert trace not in everything


STEERING = {
    "x-sluice-route": "sluice-targets/gemini",
    "x-sluice-provider": "gemini",
    "x-sluice-failed": "openai;503",
    "x-sluice-dropped": "everything",
    "x-sluice-exchange": "1",
    "x-envoy-max-retries": "9",
    "x-envoy-retry-on": "5xx,retriable-4xx",
    "x-envoy-retriable-status-codes": "200,400",
    "x-envoy-upstream-rq-timeout-ms": "1",
    "x-envoy-upstream-rq-per-try-timeout-ms": "1",
    "x-envoy-upstream-alt-stat-name": "mine",
    "x-envoy-hedge-on-per-try-timeout": "true",
    "x-envoy-attempt-count": "7",
    "x-envoy-original-path": "/admin",
    "x-envoy-force-trace": "1",
    "x-envoy-internal": "true",
}


@pytest.mark.parametrize("vendor", DIALECTS)
def test_a_client_cannot_steer_the_gateway_by_headers(vendor, guarded, vendors):
    headers = {"authorization": f"Bearer {CLIENT_KEY}"} | STEERING
    vendors.pace(vendor, head_ms=50)
    answer = post(guarded, headers, BODY | {"model": vendor})
    assert text_of(answer)
    assert answer.headers["x-sluice-provider"] == vendor
    assert answer.headers.keys().isdisjoint({"x-sluice-failed", "x-sluice-dropped", "x-sluice-route"})
    assert [name for name in answer.headers if name.startswith("x-envoy")] == []
    vendors.script(vendor, {"kind": "status", "status": 400})
    assert post(guarded, headers, BODY | {"model": vendor}).status_code == 400
    records = vendors.records()
    assert [record["instance"] for record in records] == [vendor] * 2, "the client made Envoy retry"
    for record in records:
        check_request(record, vendors, vendor)
        assert record["leaked_headers"] == []


def test_a_refused_request_cannot_steer_the_gateway_by_headers(guarded, vendors):
    answer = post(guarded, STEERING)
    assert error_of(answer, 401)
    assert answer.headers.keys().isdisjoint(STEERING)
    assert vendors.records() == []


def test_credentials_and_words_stand_in_no_log_dump_or_metric(mock_vendors, vendors):
    """Everything that a gateway says of itself after good, refused and failed requests, by clients that leave too."""
    # At its finest, Envoy itself would log the headers of requests; what concerns modules it may.
    loud = ["--log-level", "info", "--", "--component-log-level", "wasm:trace"]
    with Gateway(policy(mock_vendors), "--concurrency", "1", *loud) as gateway:
        for model in [*DIALECTS, "any"]:
            for stream in (False, True):
                assert gateway.chat(model, SECRET_TEXT, stream=stream).status_code == 200
        for name, status in [("openai", 503), ("anthropic", 401), ("gemini", 400)]:
            vendors.script(name, {"kind": "status", "status": status, "body": f"{SECRET_TEXT} {KEYS[name]}"})
        assert gateway.chat("any", SECRET_TEXT).status_code == 400
        assert gateway.chat("no-such-model", SECRET_TEXT).status_code == 404
        gateway.client.post("/v1/chat/completions", content=f'{{"{SECRET_TEXT}'.encode())
        for _ in range(12):
            post(gateway, {"authorization": "Bearer unknown-client-secret"})
        post(gateway, {"authorization": f"Bearer {CLIENT_KEY}", "x-api-key": "unknown-client-secret"})
        vendors.script("gemini", {"kind": "hang"})
        with connect(gateway) as connection:
            body = json.dumps(BODY | {"model": "gemini"}).encode()
            connection.send(connection.head(f"content-length: {len(body)}"), body)
            vendors.wait_for(12)
        pages = {
            path: httpx.get(f"{gateway.admin}{path}", timeout=20).text
            for path in (
                "/config_dump?include_eds",
                "/stats",
                "/stats/prometheus",
                "/clusters",
                "/server_info",
                "/certs",
            )
        }
    assert len([line for line in gateway.lines if line.startswith("{")]) >= 12
    pages["what it printed"] = "\n".join(gateway.lines)
    for page, text in pages.items():
        for secret in [*KEYS.values(), CLIENT_KEY, "unknown-client-secret", SECRET_TEXT]:
            assert secret not in text, f"{secret!r} stands in {page}"
    assert VARIABLES["openai"] in pages["/config_dump?include_eds"], "the dump is not the one that was meant"
