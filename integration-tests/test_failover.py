"""When a target fails, the next one answers, and neither client nor vendor notices anything of the other."""

import itertools
import socket

import pytest
from support import cases
from support.answers import NAMES, check_request, error_of, text_of
from support.gateway import MODELS, Gateway, policy, providers
from support.vendors import Vendors

DIALECTS = list(MODELS)
PAIRS = list(itertools.permutations(DIALECTS, 2))
RING = list(zip(DIALECTS, DIALECTS[1:] + DIALECTS[:1], strict=True))

# What the first vendor does, and the gateway's word for it in `x-sluice-failed`.
STATUSES = {f"status {status}": status for status in (429, 500, 502, 503, 504, 529)}
FAILURES = {name: ({"kind": "status", "status": status}, str(status)) for name, status in STATUSES.items()} | {
    "a refused credential": ({"kind": "status", "status": 401}, "401"),
    "a forbidden account": ({"kind": "status", "status": 403}, "403"),
    "a reset": ({"kind": "reset"}, "no-answer"),
    "a closed connection": ({"kind": "cut", "after_events": 0, "how": "close"}, "no-answer"),
    "a page that is no answer": (
        {"kind": "raw", "headers": [["content-type", "text/html"]], "chunks": [{"text": "<h1>Welcome</h1>"}]},
        "502",
    ),
}


@pytest.fixture(scope="module")
def closed_port():
    """A port at which nobody listens, and nobody else will."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]


@pytest.fixture(scope="module")
def failover(mock_vendors, closed_port):
    """A gateway with a model for each order of two vendors, and more of that kind."""

    def target(name: str, model: str | None = None) -> dict:
        return {"provider": name, "model": model or MODELS[name.removeprefix("closed-")]}

    models = {name: {"targets": [target(name)]} for name in DIALECTS}
    for first, second in PAIRS:
        both = [target(first), target(second)]
        models[f"{first}+{second}"] = {"targets": both}
        models[f"hurried:{first}+{second}"] = {"targets": both, "attempt_timeout": "1s"}
        models[f"closed:{first}+{second}"] = {"targets": [target(f"closed-{first}"), target(second)]}
        models[f"closed:{first}"] = {"targets": [target(f"closed-{first}")]}
    models["all"] = {"targets": [target(name) for name in DIALECTS]}
    models["hurried"] = {"targets": [target(name) for name in DIALECTS], "attempt_timeout": "300ms"}
    models["twice"] = {"targets": [target("openai"), target("openai", "gpt-4o-mini"), target("gemini")]}
    models["twice-claude"] = {"targets": [target("anthropic"), target("anthropic", "claude-haiku-4-5")]}
    models["n"] = {"targets": [target("anthropic"), target("gemini")]}
    models["n-last"] = {"targets": [target("gemini"), target("anthropic")]}
    models["n-none"] = {"targets": [target("anthropic"), target("anthropic", "claude-haiku-4-5")]}
    models["n-hole"] = {"targets": [target("gemini"), target("anthropic"), target("openai")]}
    nowhere = {
        f"closed-{name}": provider | {"endpoint": f"http://127.0.0.1:{closed_port}"}
        for name, provider in providers(mock_vendors).items()
    }
    document = policy(mock_vendors, models, providers=providers(mock_vendors) | nowhere)
    with Gateway(document) as gateway:
        yield gateway
        assert gateway.wasm_trouble() == []


@pytest.fixture
def gateway(failover, vendors):
    """The gateway with no vendor near its ejection: one good answer starts Envoy's count of failures anew."""
    for name in DIALECTS:
        assert failover.chat(name).status_code == 200
    vendors.reset()
    return failover


def check_failover(answer, vendors: Vendors, first: str, second: str, word: str, attempts: int = 1) -> None:
    """The second vendor answered cleanly, the first one was asked `attempts` times, and no trace of it went on."""
    assert text_of(answer) == f'This is {NAMES[second]}. You said: "Hello".'
    assert answer.headers["x-sluice-provider"] == second
    assert answer.headers["x-sluice-failed"] == word
    assert [name for name in answer.headers if name.startswith("x-envoy")] == []
    records = vendors.records()
    assert [record["instance"] for record in records] == [first] * attempts + [second]
    check_request(records[-1], vendors, second, strangers=tuple(set(DIALECTS) - {second}))
    for record in records[:-1]:
        check_request(record, vendors, first, strangers=tuple(set(DIALECTS) - {first}))


streamed = pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
in_pairs = pytest.mark.parametrize(("first", "second"), PAIRS, ids=["-then-".join(pair) for pair in PAIRS])
in_ring = pytest.mark.parametrize(("first", "second"), RING, ids=["-then-".join(pair) for pair in RING])


@streamed
@in_pairs
@pytest.mark.parametrize("failure", FAILURES)
def test_the_next_target_answers_after(failure, first, second, stream, gateway, vendors):
    behaviour, word = FAILURES[failure]
    vendors.script(first, behaviour)
    answer = gateway.chat(f"{first}+{second}", stream=stream)
    check_failover(answer, vendors, first, second, f"{first};{word}")


@streamed
@in_ring
def test_the_next_target_answers_when_nobody_listens(first, second, stream, gateway, vendors):
    answer = gateway.chat(f"closed:{first}+{second}", stream=stream)
    check_failover(answer, vendors, first, second, f"closed-{first};no-answer", attempts=0)


@streamed
@in_ring
def test_the_next_target_answers_when_an_answer_does_not_come_in_time(first, second, stream, gateway, vendors):
    vendors.script(first, {"kind": "hang"})
    answer = gateway.chat(f"hurried:{first}+{second}", stream=stream)
    check_failover(answer, vendors, first, second, f"{first};no-answer")
    assert 0.9 < answer.elapsed.total_seconds() < 5
    assert vendors.records(first)[0]["disconnected"], "the vendor is still at work"


@in_pairs
@pytest.mark.parametrize("status", [429, 500, 503])
def test_the_next_target_answers_when_a_stream_begins_with_an_error(status, first, second, gateway, vendors):
    vendors.script(first, {"kind": "stream_error", "after_events": 0, "status": status})
    answer = gateway.chat(f"{first}+{second}", stream=True)
    said = answer.headers["x-sluice-failed"].removeprefix(f"{first};")
    # Anthropic and OpenAI have no words for some statuses.
    assert said in {str(status), "500", "529"}
    check_failover(answer, vendors, first, second, f"{first};{said}")


@in_pairs
def test_the_next_target_answers_when_an_answer_is_malformed(first, second, gateway, vendors):
    vendors.script(first, {"kind": "malformed"})
    answer = gateway.chat(f"{first}+{second}")
    check_failover(answer, vendors, first, second, f"{first};502")


@in_pairs
def test_the_next_target_answers_when_a_body_breaks_off(first, second, gateway, vendors):
    vendors.script(first, {"kind": "cut", "after_events": 1, "how": "reset"})
    answer = gateway.chat(f"{first}+{second}")
    check_failover(answer, vendors, first, second, f"{first};no-answer")


@in_pairs
def test_the_next_target_answers_when_a_stream_is_empty(first, second, gateway, vendors):
    nothing = {"kind": "raw", "headers": [["content-type", "text/event-stream"]], "chunks": []}
    vendors.script(first, nothing)
    answer = gateway.chat(f"{first}+{second}", stream=True)
    check_failover(answer, vendors, first, second, f"{first};502")


@streamed
def test_three_targets_are_tried_in_order(stream, gateway, vendors):
    vendors.script("openai", {"kind": "status", "status": 503})
    vendors.script("anthropic", {"kind": "reset"})
    answer = gateway.chat("all", stream=stream)
    assert text_of(answer) == 'This is Gemini. You said: "Hello".'
    assert answer.headers["x-sluice-provider"] == "gemini"
    assert answer.headers["x-sluice-failed"] == "openai;503, anthropic;no-answer"
    records = vendors.records()
    assert [record["instance"] for record in records] == DIALECTS
    for name, record in zip(DIALECTS, records, strict=True):
        check_request(record, vendors, name, strangers=tuple(set(DIALECTS) - {name}))


@pytest.mark.parametrize(
    ("model", "provider", "second"),
    [("twice", "openai", "gpt-4o-mini"), ("twice-claude", "anthropic", "claude-haiku-4-5")],
)
def test_a_provider_may_stand_twice_with_another_model(model, provider, second, gateway, vendors):
    vendors.script(provider, {"kind": "status", "status": 503})
    answer = gateway.chat(model)
    assert text_of(answer) == f'This is {NAMES[provider]}. You said: "Hello".'
    assert answer.headers["x-sluice-failed"] == f"{provider};503"
    records = vendors.records()
    assert [record["json"]["model"] for record in records] == [MODELS[provider], second]
    for record in records:
        check_request(record, vendors, provider, strangers=tuple(set(DIALECTS) - {provider}))


def test_after_both_of_its_models_the_next_provider_is_tried(gateway, vendors):
    vendors.script("openai", {"kind": "status", "status": 429}, times=2)
    answer = gateway.chat("twice")
    assert answer.headers["x-sluice-provider"] == "gemini"
    assert answer.headers["x-sluice-failed"] == "openai;429, openai;429"
    assert [record["instance"] for record in vendors.records()] == ["openai", "openai", "gemini"]


def refusal_for_seven_seconds(vendor: str) -> dict:
    """A 429 that says when to come back, in the vendor's own way."""
    if vendor != "gemini":
        return {"kind": "status", "status": 429, "headers": [["retry-after", "7"]]}
    delay = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "6.2s"}
    error = {"code": 429, "message": "Too many.", "status": "RESOURCE_EXHAUSTED", "details": [delay]}
    return {"kind": "status", "status": 429, "body": {"error": error}}


@streamed
@pytest.mark.parametrize("last", DIALECTS)
def test_when_all_fail_the_client_gets_the_last_error_and_who_failed(last, stream, gateway, vendors):
    first = next(name for name in DIALECTS if name != last)
    vendors.script(first, {"kind": "status", "status": 500})
    vendors.script(last, refusal_for_seven_seconds(last))
    answer = gateway.chat(f"{first}+{last}", stream=stream)
    assert answer.status_code == 429, answer.text
    assert answer.headers["content-type"] == "application/json"
    # OpenAI's own error passes as it is; it may have a wording of its own for `type`.
    error = answer.json()["error"]
    assert error["message"] and error["code"] == "rate_limit_exceeded"
    assert last == "openai" or error["type"] == "rate_limit_error"
    assert answer.headers["retry-after"] == "7"
    assert answer.headers["x-sluice-provider"] == last
    assert answer.headers["x-sluice-failed"] == f"{first};500, {last};429"
    assert [record["instance"] for record in vendors.records()] == [first, last]


def test_when_nobody_can_be_reached_the_client_is_told_so(gateway, vendors):
    answer = gateway.chat("closed:openai")
    error = error_of(answer, 503)
    assert error["type"] == "server_error"
    assert answer.headers["x-sluice-failed"] == "closed-openai;no-answer"
    assert vendors.records() == []


def test_when_nobody_answers_in_time_the_client_is_told_so(gateway, vendors):
    for name in DIALECTS:
        vendors.script(name, {"kind": "hang"})
    answer = gateway.chat("hurried")
    error = error_of(answer, 504)
    assert error["type"] == "server_error"
    assert answer.headers["x-sluice-failed"] == ", ".join(f"{name};no-answer" for name in DIALECTS)
    assert [record["instance"] for record in vendors.records()] == DIALECTS


def test_when_the_last_target_resets_the_client_is_told_so(gateway, vendors):
    vendors.script("openai", {"kind": "status", "status": 500})
    vendors.script("anthropic", {"kind": "reset"})
    answer = gateway.chat("openai+anthropic")
    error = error_of(answer, answer.status_code)
    assert answer.status_code in (502, 503)
    assert error["type"] == "server_error"
    assert answer.headers["x-sluice-failed"] == "openai;500, anthropic;no-answer"


@pytest.mark.parametrize("last", ["anthropic", "gemini"])
def test_a_credential_that_the_last_vendor_refuses_is_not_the_clients_fault(last, gateway, vendors):
    vendors.script("openai", {"kind": "status", "status": 503})
    vendors.script(last, {"kind": "status", "status": 401, "body": {"error": {"message": "key sk-x is bad"}}})
    answer = gateway.chat(f"openai+{last}")
    error = error_of(answer, 502)
    assert error["message"] == "The provider refused the gateway's credential."
    assert (error["type"], error["code"]) == ("server_error", "provider_authentication")
    assert answer.headers["x-sluice-failed"] == f"openai;503, {last};401"


@pytest.mark.parametrize("last", DIALECTS)
def test_a_stream_of_the_last_target_that_begins_with_an_error_is_an_error_with_its_status(last, gateway, vendors):
    first = next(name for name in DIALECTS if name != last)
    vendors.script(first, {"kind": "status", "status": 503})
    vendors.script(last, {"kind": "stream_error", "after_events": 0, "status": 429})
    answer = gateway.chat(f"{first}+{last}", stream=True)
    error = error_of(answer, 429)
    assert error["code"] == "rate_limit_exceeded"
    assert answer.headers["x-sluice-failed"] == f"{first};503, {last};429"


@streamed
@in_ring
def test_a_request_that_a_vendor_finds_wrong_is_not_tried_elsewhere(first, second, stream, gateway, vendors):
    vendors.script(first, {"kind": "status", "status": 400})
    answer = gateway.chat(f"{first}+{second}", stream=stream)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert answer.headers["x-sluice-provider"] == first
    assert [record["instance"] for record in vendors.records()] == [first]


def test_a_target_that_cannot_serve_is_passed_over(gateway, vendors):
    answer = gateway.chat("n", n=2)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["choices"]) == 2
    assert answer.headers["x-sluice-provider"] == "gemini"
    assert "x-sluice-failed" not in answer.headers
    assert [record["instance"] for record in vendors.records()] == ["gemini"]
    check_request(vendors.records()[0], vendors, "gemini", strangers=("openai", "anthropic"))


def test_a_target_that_cannot_serve_is_no_help_when_another_fails(gateway, vendors):
    vendors.script("gemini", {"kind": "status", "status": 503})
    answer = gateway.chat("n-last", n=2)
    error = error_of(answer, 503)
    assert error["type"] == "server_error"
    assert answer.headers["x-sluice-provider"] == "gemini"
    assert answer.headers["x-sluice-failed"] == "gemini;503"
    assert [record["instance"] for record in vendors.records()] == ["gemini"]


def test_a_target_that_cannot_serve_is_left_out_between_others(gateway, vendors):
    vendors.script("gemini", {"kind": "status", "status": 503})
    answer = gateway.chat("n-hole", n=2)
    assert [record["instance"] for record in vendors.records()] == ["gemini", "openai"]
    assert answer.status_code == 200
    assert answer.headers["x-sluice-failed"] == "gemini;503"


def test_when_no_target_can_serve_the_request_is_refused(gateway, vendors):
    error = error_of(gateway.chat("n-none", n=2), 400)
    assert (error["param"], error["code"]) == ("n", "unsupported_parameter")
    assert vendors.records() == []


def test_what_one_target_leaves_out_is_only_said_when_it_answers(mock_vendors, vendors):
    targets = [{"provider": name, "model": MODELS[name]} for name in ("anthropic", "gemini")]
    document = policy(mock_vendors, {"m": {"targets": targets, "unsupported": "drop"}})
    with Gateway(document) as gateway:
        assert gateway.chat("m", seed=1).headers["x-sluice-dropped"] == "seed"
        vendors.script("anthropic", {"kind": "status", "status": 503})
        answer = gateway.chat("m", seed=1)
        assert answer.headers["x-sluice-provider"] == "gemini"
        assert "x-sluice-dropped" not in answer.headers
        assert vendors.records("gemini")[0]["json"]["generationConfig"] == {"seed": 1}


@in_ring
def test_a_tool_loop_survives_a_change_of_vendor(first, second, gateway, vendors):
    """The conversation's tool calls were made by one vendor, and another one goes on with it."""
    tool = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}
    question = {"role": "user", "content": "please add"}

    def ask(messages: list) -> dict:
        body = {"model": f"{first}+{second}", "messages": messages, "tools": [tool]}
        answer = gateway.client.post("/v1/chat/completions", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()["choices"][0]["message"]

    called = ask([question])
    result = {"role": "tool", "tool_call_id": called["tool_calls"][0]["id"], "content": "42"}
    vendors.script(first, {"kind": "status", "status": 529})
    answered = ask([question, called, result])
    assert answered["content"] == f'This is {NAMES[second]}. The tools returned: "42".'
    assert vendors.records()[-1]["fault"] is None


def test_a_vendor_that_keeps_failing_is_passed_over_for_a_while(mock_vendors, vendors):
    """Envoy ejects it after five failures in a row; nobody waits for it then, and every answer is still clean."""
    targets = [{"provider": name, "model": MODELS[name]} for name in ("openai", "anthropic")]
    with Gateway(policy(mock_vendors, {"m": {"targets": targets}}), "--concurrency", "1") as gateway:
        vendors.script("openai", {"kind": "status", "status": 503}, times=0)
        for _ in range(5):
            assert gateway.chat("m").headers["x-sluice-failed"] == "openai;503"
        answer = gateway.chat("m")
        assert text_of(answer) == 'This is Anthropic. You said: "Hello".'
        assert "x-sluice-failed" not in answer.headers
        assert len(vendors.records("openai")) == 5
        # With everybody ejected, everybody is tried again.
        vendors.script("anthropic", {"kind": "status", "status": 503}, times=0)
        for _ in range(7):
            answer = gateway.chat("m")
            assert answer.status_code == 503
            assert answer.json()["error"]["message"]


def test_streams_that_fail_over_have_one_beginning(gateway, vendors):
    vendors.script("anthropic", {"kind": "stream_error", "after_events": 0})
    answer = gateway.chat("anthropic+openai", stream=True, stream_options={"include_usage": True})
    events = cases.events(answer.content)
    assert events[-1] == "[DONE]"
    assert [event["choices"] for event in events[:-1]].count([]) == 1
    assert {event["model"] for event in events[:-1]} == {MODELS["openai"]}
