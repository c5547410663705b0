"""Prices on the real Envoy: the policy's own, those that nobody knows, and the service tiers that vendors name in their answers."""

import json
import math
import re
from fractions import Fraction

import pytest
from support.answers import error_of
from support.custom import CustomGateway
from support.gateway import MODELS, Gateway, policy
from support.limits import AT_ONCE, METER, Wish, body, lines, logged, metric, quiet, stampede
from support.scripted import play, play_events

MONEY = {"name": "money", "unit": "usd", "per": "day", "limit": "0.01"}
USED = {"prompt_tokens": 1000, "completion_tokens": 7, "total_tokens": 1007, "prompt_tokens_details": {"cached_tokens": 600}}


def completion(usage: dict, **fields: object) -> dict:
    message = {"role": "assistant", "content": "x"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"id": "a", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage} | fields


def nanos(usd: str) -> int:
    return int(Fraction(usd) * 10**9)


def told(gateway: Gateway, wished: dict, path: str = "/v1/chat/completions") -> tuple[int | None, dict]:
    """What a call costs by its answer, and its line of the access log."""
    log = logged(gateway)
    answer = gateway.client.post(path, json=wished)
    assert answer.status_code == 200, answer.text
    (line,) = lines(gateway, 1, skip=log)
    cost = answer.headers.get("x-sluice-cost-usd")
    assert cost == line["cost_usd"]
    return cost and nanos(cost), line


# ---- the policy's own


@pytest.fixture(scope="module")
def priced(mock_vendors):
    """Claude's price is the rate card's, but for the model to which the policy gives another; OpenAI's mock is nobody that the card knows."""
    models = policy(mock_vendors)["models"] | {"opus": {"targets": [{"provider": "anthropic", "model": "claude-opus-5"}]}}
    prices = {MODELS["openai"]: {"input": "1", "output": "2.000001", "cached_input": "0.1"}, MODELS["anthropic"]: {"input": 7, "output": 11}}
    with Gateway(policy(mock_vendors, models, prices=prices, limits=[MONEY | {"limit": 1000}]), *AT_ONCE) as gateway:
        yield gateway
        assert gateway.wasm_trouble() == []


def claude(usage: dict) -> dict:
    content = [{"type": "text", "text": "x"}]
    return {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": content, "stop_reason": "end_turn", "stop_sequence": None, "usage": usage}


def test_the_policys_prices_go_before_the_cards(priced, vendors):
    play(vendors, completion(USED))
    cost, _ = told(priced, body("openai"))
    # 400 at a dollar a million, 600 from the cache at a tenth of it, 7 at a price that leaves a fraction of a billionth.
    assert cost == math.ceil(400 * 1000 + 600 * 100 + 7 * Fraction("2000.001"))
    used = {"input_tokens": 1000, "output_tokens": 10}
    play(vendors, claude(used), vendor="anthropic")
    assert told(priced, body("anthropic"))[0] == 1000 * 7000 + 10 * 11_000
    play(vendors, claude(used), vendor="anthropic")
    assert told(priced, body("opus"))[0] == 1000 * 5000 + 10 * 25_000, "the card's"


# ---- those that nobody knows


def unknown(mock_vendors, **fields: object) -> dict:
    document = policy(mock_vendors, limits=[MONEY | {"models": ["openai"]}], **fields)
    document["models"]["free"] = {"targets": [{"provider": "openai", "model": METER}]}
    return document


@pytest.mark.parametrize("said", [{}, {"unknown_price": "refuse"}], ids=["by default", "by name"])
def test_an_unknown_price_is_refused_where_money_is_limited(said, mock_vendors, vendors):
    with Gateway(unknown(mock_vendors, **said), *AT_ONCE) as gateway:
        error = error_of(gateway.chat("openai"), 503)
        assert error["code"] == "unknown_price" and "'openai'" in error["message"]
        assert vendors.records() == []
        assert metric(gateway, "sluice_unknown_price_total") == 0, "nothing was answered"
        # No limit in money holds for this one.
        cost, line = told(gateway, body("free"))
        assert (cost, line["cost_nanousd"]) == (None, None) and int(line["output_tokens"]) > 0
        assert metric(gateway, "sluice_unknown_price_total", model="free") == 1
        assert gateway.wasm_trouble() == []


def test_an_unknown_price_may_be_nothing(mock_vendors, vendors):
    with Gateway(unknown(mock_vendors, unknown_price="zero"), *AT_ONCE) as gateway:
        for turn in range(3):
            play(vendors, completion(USED))
            assert told(gateway, body("openai", max_completion_tokens=1_000_000))[0] == 0
            assert metric(gateway, "sluice_unknown_price_total", model="openai") == turn + 1
        assert metric(gateway, "sluice_cost_nanousd_total") == 0
        assert gateway.wasm_trouble() == []


def test_an_unknown_price_may_be_anothers(mock_vendors, vendors):
    like = unknown(mock_vendors, unknown_price={"like": "usual"}, prices={"usual": {"input": "2", "output": "3"}})
    like["limits"][0]["alert_at"] = [0.2, 0.21]
    with Gateway(like, *AT_ONCE) as gateway:
        play(vendors, completion(USED))
        assert told(gateway, body("openai", max_completion_tokens=100))[0] == 1000 * 2000 + 7 * 3000
        assert metric(gateway, "sluice_unknown_price_total", model="openai") == 1
        shares = {share: metric(gateway, "sluice_limit_alerts_total", limit="money", share=share) for share in ("0.2", "0.21")}
        assert shares == {"0.2": 1, "0.21": 0}, "2,021,000 of 10,000,000"
        # 0.01 dollars are 3,333 tokens and a bit; of them something is spent already.
        error = error_of(gateway.chat("openai", max_completion_tokens=3300), 429)
        assert "'money'" in error["message"]
        assert gateway.wasm_trouble() == []


# ---- service tiers


def at_openais_address(mock_vendors) -> CustomGateway:
    """A gateway whose provider has OpenAI's own address, by which its prices are told; the mock answers there."""
    name, port = "sluice-provider-openai", mock_vendors.addresses["openai"].rsplit(":", 1)[1]

    def answered_by_the_mock(bootstrap: dict) -> None:
        clusters = {cluster["name"]: cluster for cluster in bootstrap["static_resources"]["clusters"]}
        # Another provider's, which is a mock's as well.
        text = json.dumps(clusters["sluice-provider-anthropic"]).replace("anthropic", "openai")
        clusters[name].clear()
        clusters[name].update(json.loads(re.sub(r'"port_value": \d+', f'"port_value": {port}', text)))

    document = policy(mock_vendors, limits=[MONEY | {"limit": 50}])
    document["providers"]["openai"]["endpoint"] = "https://api.openai.com/v1"
    document["models"]["openai"] = {"targets": [{"provider": "openai", "model": "gpt-5.5"}]}
    return CustomGateway(document, answered_by_the_mock)


# What a million tokens cost there, by genai-prices: of the request, from the cache, of the answer; nano-dollars a token.
TIERS = {"default": (5000, 500, 30_000), "flex": (2500, 250, 15_000), "priority": (12_500, 1250, 75_000), "scale": (5000, 500, 30_000)}


def test_openais_tiers_are_those_that_its_answers_name(mock_vendors, vendors):
    with at_openais_address(mock_vendors) as gateway:
        for tier, (fresh, cached, output) in TIERS.items():
            cost = 400 * fresh + 600 * cached + 7 * output
            # Whatever was asked for.
            play(vendors, completion(USED, service_tier=tier))
            assert told(gateway, body("openai", max_completion_tokens=10, service_tier="auto"))[0] == cost, tier
            delta = {"id": "a", "object": "chat.completion.chunk", "created": 1, "model": "m", "service_tier": tier}
            first = delta | {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "x"}, "finish_reason": None}]}
            last = delta | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
            play_events(vendors, "openai", [first, last, delta | {"choices": [], "usage": USED}, "[DONE]"])
            log = logged(gateway)
            assert gateway.chat("openai", max_completion_tokens=10, stream=True).text.endswith("data: [DONE]\n\n")
            assert int(lines(gateway, 1, skip=log)[0]["cost_nanousd"]) == cost, tier
        # A million tokens cost 30 dollars, or 75 with priority: there are some 50.
        assert gateway.chat("openai", max_completion_tokens=1_000_000, service_tier="default").status_code == 200
        assert error_of(gateway.chat("openai", max_completion_tokens=1_000_000, service_tier="priority"), 429)
        assert gateway.wasm_trouble() == []


@pytest.mark.parametrize(("said", "input_price", "output_price"), [
    ({"service_tier": "standard"}, 5000, 25_000),
    ({"service_tier": "batch"}, 2500, 12_500),
    ({"service_tier": "priority"}, 5000, 25_000),
    ({"service_tier": "standard", "speed": "fast"}, 10_000, 50_000),
], ids=["standard", "batch", "priority", "fast"])
def test_anthropics_tiers_are_those_that_its_answers_name(said, input_price, output_price, priced, vendors):
    play(vendors, claude({"input_tokens": 1000, "output_tokens": 10} | said), vendor="anthropic")
    wished = {"model": "opus", "max_tokens": 50, "messages": [{"role": "user", "content": "Hello"}]}
    assert told(priced, wished, "/v1/messages")[0] == 1000 * input_price + 10 * output_price


# ---- the vendor's cache


def test_what_may_be_written_to_the_cache_is_held_at_what_that_costs(mock_vendors, vendors):
    """A limit that is worth ten calls lets ten pass, though each of them writes all of its request to the vendor's cache."""
    prices = {MODELS["anthropic"]: {"input": 3, "output": 15, "cached_input": "0.3", "cache_write": "3.75", "cache_write_1h": 6}}
    marks = {"plain": None, "5m": {"type": "ephemeral"}, "1h": {"type": "ephemeral", "ttl": "1h"}}
    path, cap, calls = "/v1/messages", 50, 10

    def wish(name: str) -> dict:
        block = {"type": "text", "text": "All work and no play makes Jack a dull boy. " * 100, "cache_control": marks[name]}
        return {"model": "anthropic", "max_tokens": cap, "messages": [{"role": "user", "content": [block]}]}

    needs = {}
    with Gateway(policy(mock_vendors, prices=prices, limits=[MONEY | {"limit": "0.000000001"}])) as gateway:
        for name in marks:
            refused = gateway.client.post(path, json=wish(name))
            needs[name] = nanos(re.search(r"may need ([0-9.]+) USD", refused.json()["error"]["message"])[1])
    tokens = (needs["plain"] - cap * 15_000) // 3000
    assert tokens > 1000
    assert needs == {name: tokens * price + cap * 15_000 for name, price in [("plain", 3000), ("5m", 3750), ("1h", 6000)]}

    worth = f"0.{(calls + 1) * needs['5m'] - 1:09}"
    with Gateway(policy(mock_vendors, prices=prices, limits=[MONEY | {"limit": worth}]), "--concurrency", "2", *AT_ONCE) as gateway:
        for _ in range(calls):
            used = {"input_tokens": 0, "cache_read_input_tokens": 0, "cache_creation_input_tokens": tokens, "output_tokens": cap}
            play(vendors, claude(used), vendor="anthropic")
        made = stampede(gateway, vendors, [Wish(wish("5m"), path=path)] * 3 * calls, vendor="anthropic")
        assert sorted(call.status for call in made) == [200] * calls + [429] * 2 * calls
        quiet(gateway)
        assert metric(gateway, "sluice_cost_nanousd_total") == calls * needs["5m"]
        assert metric(gateway, "sluice_limit_overshoot_total") == 0
        assert gateway.client.post(path, json=wish("5m")).status_code == 429, "a billionth is missing"
        assert gateway.client.post(path, json=wish("plain")).status_code == 200
        assert gateway.wasm_trouble() == []
