"""Limits on the real Envoy: what they count by and when, what happens where one has no room, and when there is room again."""

import hashlib
import json
import pathlib
import time

import httpx
import pytest
from support.answers import error_of, text_of
from support.custom import CustomGateway, render
from support.gateway import CLIENT_KEY, MODELS, Gateway, policy
from support.limits import AT_ONCE, Wish, body, held, limited, lines, logged, metric, quiet, stampede
from support.scripted import play
from support.waiting import until
from support.wire import connect

WHO = {
    "alice": {"user": "alice", "team": "red", "roles": ["dev", "ops"]},
    "bob": {"user": "bob", "team": "red", "roles": ["dev"]},
    "carol": {"user": "carol", "team": "blue"},
    "nobody": {},
}


def people() -> dict:
    digest = lambda name: hashlib.sha256(f"key-{name}".encode()).hexdigest()
    keys = [{"id": f"id-{name}", "sha256": digest(name)} | fields for name, fields in WHO.items()]
    return {"keys": [*policy_keys(), *keys], "failures_per_minute": 0}


def policy_keys() -> list[dict]:
    return [{"id": "tests", "sha256": hashlib.sha256(CLIENT_KEY.encode()).hexdigest(), "team": "qa"}]


def request_limit(name: str, limit: int, **fields: object) -> dict:
    return {"name": name, "unit": "requests", "per": "day", "limit": limit} | fields


def ask(gateway: Gateway, who: str | None = None, model: str = "openai", **headers: str) -> httpx.Response:
    """One call of somebody's; `headers` with underscores for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if who:
        named["authorization"] = f"Bearer key-{who}"
    return gateway.client.post("/v1/chat/completions", json=body(model), headers=named)


def refused_by(answer: httpx.Response) -> str:
    """The limit that an answer of 429 names."""
    message = error_of(answer, 429)["message"]
    assert message.startswith("The limit '")
    return message.split("'")[1]


# ---- what is counted by, and when

BY = {
    "all": [],
    "user": ["user"],
    "team": ["team"],
    "key": ["key"],
    "role": ["role"],
    "model": ["model"],
    "provider": ["provider"],
    "header": ["header:x-tenant"],
    "two": ["team", "model"],
}


@pytest.fixture(scope="module")
def counted(mock_vendors):
    """One limit of two for each way to count, each for calls that ask for it."""
    limits = [request_limit(name, 2, by=by, when={"headers": {"x-by": name}}) for name, by in BY.items()]
    models = policy(mock_vendors)["models"] | {"twin": {"targets": [{"provider": "openai", "model": "gpt-4o"}]}}
    with Gateway(limited(mock_vendors, limits, models=models, callers=people()), "--concurrency", "2", *AT_ONCE) as gateway:
        yield gateway
        assert gateway.wasm_trouble() == []


# Two calls that share a counter, then one that has another one, then one that shares the first.
COUNTS = {
    "all": [("alice", {}), ("carol", {"model": "gemini"}), None, ("nobody", {"model": "anthropic"})],
    "user": [("alice", {}), ("alice", {"model": "gemini"}), ("bob", {}), ("alice", {})],
    "team": [("alice", {}), ("bob", {}), ("carol", {}), ("bob", {"model": "gemini"})],
    "key": [("alice", {}), ("alice", {}), ("bob", {}), ("alice", {})],
    "role": [("bob", {}), ("bob", {}), ("carol", {}), ("alice", {})],
    "model": [("alice", {}), ("carol", {}), ("alice", {"model": "gemini"}), ("bob", {})],
    "provider": [("alice", {}), ("alice", {"model": "twin"}), ("alice", {"model": "gemini"}), ("bob", {"model": "twin"})],
    "header": [("alice", {"x_tenant": "a"}), ("bob", {"x_tenant": "a"}), ("alice", {"x_tenant": "b"}), ("carol", {"x_tenant": "a"})],
    "two": [("alice", {}), ("bob", {}), ("alice", {"model": "gemini"}), ("alice", {})],
}


@pytest.mark.parametrize("name", BY)
def test_counters_are_by_what_the_limit_says(name, counted, vendors):
    first, second, other, third = COUNTS[name]
    for call in (first, second, other):
        if call:
            assert ask(counted, call[0], x_by=name, **call[1]).status_code == 200, call
    assert refused_by(ask(counted, third[0], x_by=name, **third[1])) == name


def test_whoever_has_nothing_of_what_is_counted_shares_a_counter(counted, vendors):
    for _ in range(2):
        assert ask(counted, "nobody", x_by="user").status_code == 200
    assert refused_by(ask(counted, "nobody", x_by="user")) == "user"
    # Carol has no role either, and one of the two places of those without was hers.
    assert ask(counted, "nobody", x_by="role").status_code == 200
    assert refused_by(ask(counted, "carol", x_by="role")) == "role"


@pytest.fixture(scope="module")
def conditional(mock_vendors):
    limits = [
        request_limit("blue", 1, when={"teams": ["blue"]}),
        request_limit("devs", 1, when={"roles": ["dev"]}),
        request_limit("claudes", 2, models=["anthro*"], when={"users": ["alice", "carol"]}),
        request_limit("openai-only", 3, when={"providers": ["openai"]}),
    ]
    with Gateway(limited(mock_vendors, limits, callers=people()), "--concurrency", "2", *AT_ONCE) as gateway:
        yield gateway
        assert gateway.wasm_trouble() == []


def test_limits_hold_when_they_say(conditional, vendors):
    assert ask(conditional, "carol", "anthropic").status_code == 200
    assert refused_by(ask(conditional, "carol", "anthropic")) == "blue"
    assert ask(conditional, "bob", "gemini").status_code == 200
    assert refused_by(ask(conditional, "alice", "gemini")) == "devs"
    for _ in range(4):
        assert ask(conditional, "nobody", "anthropic").status_code == 200


def test_a_target_whose_limit_is_spent_is_left_out(conditional, vendors):
    """Three of them go to OpenAI, the others to who comes next."""
    providers = [ask(conditional, "nobody", "any").headers["x-sluice-provider"] for _ in range(5)]
    assert providers == ["openai"] * 3 + ["anthropic"] * 2
    assert [record["vendor"] for record in vendors.records()] == providers
    # Where there is no other, the client is told.
    assert refused_by(ask(conditional, "nobody", "openai")) == "openai-only"


def test_failover_takes_of_the_next_targets_limit(mock_vendors, vendors):
    limits = [
        {"name": "each", "unit": "requests", "per": "day", "limit": 3, "by": ["provider"]},
        {"name": "at-once", "unit": "concurrent", "limit": 1, "by": ["provider"]},
    ]
    with Gateway(limited(mock_vendors, limits)) as gateway:
        vendors.script("openai", {"kind": "status", "status": 503}, times=2)
        for _ in range(2):
            answer = ask(gateway, model="any")
            assert (answer.status_code, answer.headers["x-sluice-provider"]) == (200, "anthropic")
        # OpenAI was asked twice, and answers the third; then both have one left and none.
        assert ask(gateway, model="any").headers["x-sluice-provider"] == "openai"
        assert ask(gateway, model="any").headers["x-sluice-provider"] == "anthropic"
        for _ in range(3):
            assert ask(gateway, model="any").headers["x-sluice-provider"] == "gemini"
        assert refused_by(ask(gateway, model="any")) == "each"
        assert gateway.wasm_trouble() == []


# ---- what happens where there is no room


@pytest.fixture(scope="module")
def consequences(mock_vendors):
    limits = [
        request_limit("warns", 2, action="warn", alert_at=[0.5, 1.0], by=["header:x-run"], when={"headers": {"x-case": "warn"}}),
        request_limit("dear", 1, models=["anthropic"], action={"reroute": "openai"}, by=["header:x-run"], when={"headers": {"x-case": "reroute"}}),
        request_limit("middle", 2, models=["openai"], action={"reroute": "gemini"}, by=["header:x-run"], when={"headers": {"x-case": "reroute"}}),
        request_limit("cheap", 1, models=["gemini"], action={"reroute": "anthropic"}, by=["header:x-run"], when={"headers": {"x-case": "reroute"}}),
        request_limit("alerts", 10, alert_at=[0.5, 0.8, 1.0], when={"headers": {"x-case": "alert"}}),
    ]
    with Gateway(limited(mock_vendors, limits), "--concurrency", "2", *AT_ONCE) as gateway:
        yield gateway
        assert gateway.wasm_trouble() == []


def test_a_limit_that_warns_lets_pass(consequences, vendors):
    before = metric(consequences, "sluice_limit_warnings_total", limit="warns")
    said = [ask(consequences, x_case="warn", x_run="w").headers.get("x-sluice-limit-warning") for _ in range(4)]
    assert said == [None, None, "warns", "warns"]
    quiet(consequences)
    assert metric(consequences, "sluice_limit_warnings_total", limit="warns") - before == 2
    assert metric(consequences, "sluice_limit_refusals_total", limit="warns") == 0
    assert len(vendors.records()) == 4


def test_a_spent_limit_falls_to_another_model(consequences, vendors):
    """The dear one has room for one call, the middle one for two, the cheap one for one; then there is nothing, and the client is
    told of the limit of what it asked for."""
    log = logged(consequences)
    answers = [ask(consequences, model="anthropic", x_case="reroute", x_run="r") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 4 + [429]
    assert [answer.headers.get("x-sluice-provider") for answer in answers[:4]] == ["anthropic", "openai", "openai", "gemini"]
    rerouted = [answer.headers.get("x-sluice-rerouted") for answer in answers]
    assert rerouted == [None, "dear;openai", "dear;openai", "dear;gemini", None]
    assert refused_by(answers[4]) == "dear"
    # The answer names the model as ever, and is one of the client's dialect.
    assert all(text_of(answer) for answer in answers[:4])
    found = lines(consequences, 5, skip=log)
    assert [line["model"] for line in found] == ["anthropic", "openai", "openai", "gemini", None]
    assert [line["rerouted"] for line in found] == [None, "dear", "dear", "dear", None]
    quiet(consequences)
    assert metric(consequences, "sluice_limit_reroutes_total", limit="dear") == 3
    assert metric(consequences, "sluice_limit_refusals_total", limit="dear") == 1


def test_alerts_are_told_once_each(consequences, vendors):
    for _ in range(12):
        ask(consequences, x_case="alert")
    quiet(consequences)
    shares = {share: metric(consequences, "sluice_limit_alerts_total", limit="alerts", share=share) for share in ("0.5", "0.8", "1")}
    assert shares == {"0.5": 1, "0.8": 1, "1": 1}
    assert metric(consequences, "sluice_limit_refusals_total", limit="alerts") == 2


def test_a_refused_call_takes_nothing_of_the_other_limits(mock_vendors, vendors):
    limits = [request_limit("wide", 5), request_limit("narrow", 1, models=["gemini"])]
    with Gateway(limited(mock_vendors, limits)) as gateway:
        assert ask(gateway, model="gemini").status_code == 200
        for _ in range(10):
            assert refused_by(ask(gateway, model="gemini")) == "narrow"
        left = [ask(gateway).headers["x-ratelimit-remaining-requests"] for _ in range(4)]
        assert left == ["3", "2", "1", "0"]
        assert refused_by(ask(gateway)) == "wide"


def test_what_is_wrong_or_not_allowed_counts_for_nothing(mock_vendors, vendors):
    rules = [{"name": "no-gemini", "deny": ["gemini"]}, {"allow": ["*"]}]
    with Gateway(limited(mock_vendors, [request_limit("one", 1)], access=rules)) as gateway:
        for _ in range(3):
            assert ask(gateway, model="gemini").status_code == 403
            assert ask(gateway, model="unknown").status_code == 404
            assert gateway.client.post("/v1/chat/completions", json={"model": "openai"}).status_code == 400
        assert ask(gateway).status_code == 200
        assert refused_by(ask(gateway)) == "one"


# ---- rates: bursts, and what comes again with time


@pytest.fixture(scope="module")
def rates(mock_vendors):
    limits = [
        {"name": "per-second", "unit": "requests", "per": "second", "limit": 20, "burst": 30, "models": ["openai"]},
        {"name": "per-minute", "unit": "requests", "per": "minute", "limit": 60, "burst": 3, "models": ["gemini"]},
    ]
    with Gateway(limited(mock_vendors, limits), "--concurrency", "2", *AT_ONCE) as gateway:
        yield gateway
        assert gateway.wasm_trouble() == []


def test_a_rate_lets_a_burst_pass_and_then_its_own_pace(rates, vendors, tell):
    """Over five seconds at most the burst and what has come again in that time pass, and nearly so many do."""
    started, passed, refused, waits = time.monotonic(), 0, 0, set()
    while time.monotonic() - started < 5:
        answer = ask(rates)
        if answer.status_code == 200:
            passed += 1
        else:
            assert refused_by(answer) == "per-second"
            refused += 1
            waits.add(answer.headers["retry-after"])
            time.sleep(0.005)
    took = time.monotonic() - started
    most = 30 + 20 * took
    tell(f"20 a second with bursts of 30: {passed} of {passed + refused} passed in {took:.2f} s, {most:.0f} at most")
    assert waits == {"1"} and refused > 10
    assert most * 0.9 - 2 <= passed <= most + 1


def test_a_full_bucket_frees_one_place_at_a_time(rates, vendors):
    assert [ask(rates, model="gemini").status_code for _ in range(4)] == [200, 200, 200, 429]
    answer = ask(rates, model="gemini")
    assert answer.headers["retry-after"] == "1", "sixty a minute are one a second"
    time.sleep(1.2)
    assert [ask(rates, model="gemini").status_code for _ in range(2)] == [200, 429]


# ---- clients that leave


def test_calls_that_are_left_give_their_places_back(mock_vendors, vendors):
    limits = [{"name": "at-once", "unit": "concurrent", "limit": 3}, request_limit("requests", 1000)]
    with Gateway(limited(mock_vendors, limits), "--concurrency", "2", *AT_ONCE) as gateway:
        raw = json.dumps(body("openai")).encode()
        for turn in range(5):
            with held(vendors):
                with connect(gateway) as one, connect(gateway) as two, connect(gateway) as three:
                    for client in (one, two, three):
                        client.send(client.head(f"content-length: {len(raw)}"), raw)
                    vendors.wait_for(3 * (turn + 1))
                    assert refused_by(ask(gateway)) == "at-once"
            quiet(gateway)
        calls = stampede(gateway, vendors, [Wish(body("openai"))] * 12)
        assert sorted(call.status for call in calls) == [200] * 3 + [429] * 9
        assert gateway.wasm_trouble() == []


# ---- a new policy


def put(path: pathlib.Path, listeners: list[dict]) -> None:
    """Writes a discovery response with these listeners, and moves it into its place at once."""
    kind = {"@type": "type.googleapis.com/envoy.config.listener.v3.Listener"}
    new = path.with_suffix(".new")
    new.write_text(json.dumps({"resources": [kind | listener for listener in listeners]}))
    new.rename(path)


def test_a_new_policy_keeps_the_counters(mock_vendors, vendors, tmp_path):
    """The listener is replaced while Envoy runs. What counts the same under the same name goes on."""

    def document(most: int) -> dict:
        return limited(mock_vendors, [request_limit("kept", most), request_limit("other", 1000, by=["team"])])

    listeners = tmp_path / "listeners.json"

    def by_file(bootstrap: dict) -> None:
        put(listeners, bootstrap["static_resources"].pop("listeners"))
        bootstrap["node"] = {"id": "tests", "cluster": "tests"}
        source = {"path_config_source": {"path": str(listeners), "watched_directory": {"path": str(tmp_path)}}}
        bootstrap["dynamic_resources"] = {"lds_config": source | {"resource_api_version": "V3"}}

    with CustomGateway(document(5), by_file) as gateway:
        gateway.client.headers["connection"] = "close"
        left = [ask(gateway).headers["x-ratelimit-remaining-requests"] for _ in range(3)]
        assert left == ["4", "3", "2"]
        put(listeners, render(document(9), tmp_path)["static_resources"]["listeners"])
        until(lambda: gateway.stat("listener_manager.lds.update_success") >= 2, 10)
        until(lambda: gateway.stat("listener_manager.total_listeners_draining") == 0 or time.sleep(0.1), 20)
        answer = ask(gateway)
        assert (answer.headers["x-ratelimit-limit-requests"], answer.headers["x-ratelimit-remaining-requests"]) == ("9", "5")
        assert gateway.wasm_trouble() == []


# ---- calls without a cap


def test_without_a_cap_what_the_models_answers_usually_have_is_held(mock_vendors, vendors):
    limit, used = 1_000_000, 0
    with Gateway(limited(mock_vendors, [{"name": "tokens", "unit": "tokens", "per": "day", "limit": limit}]), *AT_ONCE) as gateway:

        def holds(model: str, output: int, **fields: object) -> int:
            """What a call holds beside its own request, whose answer then has so many tokens."""
            nonlocal used
            usage = {"prompt_tokens": 10, "completion_tokens": output, "total_tokens": 10 + output}
            choice = {"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}
            play(vendors, {"id": "a", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage})
            answer = gateway.chat(model, **fields)
            assert answer.status_code == 200, answer.text
            quiet(gateway)
            held = limit - used - int(answer.headers["x-ratelimit-remaining-tokens"])
            used += 10 + output
            return held

        request = holds("meter", 50, max_completion_tokens=1) - 1
        assert holds("openai", 100) == request + 1024, "nothing is known of that model"
        assert abs(holds("openai", 100) - request - 400) <= 2, "four times its first answer"
        for _ in range(40):
            last = holds("openai", 100) - request
        assert 100 <= last <= 250
        assert holds("openai", 3000, max_completion_tokens=77) == request + 77, "the client's word goes before it"
        assert holds("openai", 100) - request > last, "and it is learned from"
        assert abs(holds("meter", 50) - request - 200) <= 2, "each model's answers are its own"
        assert gateway.wasm_trouble() == []
