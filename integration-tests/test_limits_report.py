"""What `sluice limits` prints: the live counters of the real Envoy, to the token and the nano-dollar."""

import collections
import re
import socket
import subprocess
import threading
import time

import pytest
from support.answers import error_of
from support.gateway import MODELS, SLUICE, Gateway, policy
from support.limits import AT_ONCE, Wish, body, cost, crowd, held, limited, metric, quiet, total
from support.scripted import play
from support.waiting import until
from test_limits import people, request_limit

HEADING = ["LIMIT", "BY", "USED", "HELD", "OF", "UNIT", "FREE IN"]
# More than a double can tell to the nano-dollar.
MUCH = "100000000.000001"


def printed(admin: str) -> subprocess.CompletedProcess:
    return subprocess.run([SLUICE, "limits", "--admin", admin], capture_output=True, text=True, timeout=30)


def table(gateway: Gateway) -> dict:
    """Every counter that is printed, by its limit, its unit and whom it counts; each with its other columns."""
    done = printed(gateway.admin)
    assert done.returncode == 0, done.stderr
    heading, *rows = [re.split(r" {2,}", line) for line in done.stdout.splitlines()]
    assert heading == HEADING
    found = {(row[0], row[5], row[1]): dict(zip(heading, row, strict=True)) for row in rows}
    assert len(found) == len(rows)
    return found


def dollars(nanos: int) -> str:
    whole, rest = divmod(nanos, 10**9)
    return f"{whole}.{rest:09}".rstrip("0").rstrip(".")


def comes_to(gateway: Gateway, column: str, expected: dict) -> None:
    """The service looks every two seconds."""
    told: dict = {}

    def same() -> bool:
        told.clear()
        told.update({key: row[column] for key, row in table(gateway).items()})
        return told == expected or bool(time.sleep(0.2))

    try:
        until(same, 10)
    except AssertionError:
        assert told == expected


@pytest.fixture
def reported(mock_vendors):
    limits = [
        {"name": "money", "unit": "usd", "per": "lifetime", "limit": MUCH, "by": ["team"]},
        {"name": "words", "unit": "tokens", "per": "day", "limit": 1_000_000, "by": ["user", "model"]},
        {"name": "answers", "unit": "output_tokens", "per": "month", "limit": 1_000_000, "by": ["provider"]},
        {"name": "calls", "unit": "requests", "per": "hour", "limit": 1000, "by": ["header:x-tenant"]},
        {"name": "at-once", "unit": "concurrent", "limit": 10},
    ]
    with Gateway(limited(mock_vendors, limits, callers=people()), "--concurrency", "2", *AT_ONCE) as gateway:
        yield gateway
        assert gateway.wasm_trouble() == []


def test_the_counters_are_those_of_the_calls(reported, vendors, tell):
    """What is printed is what the mocks say they have produced."""
    users = {"alice": ("alice", "red"), "bob": ("bob", "red"), "carol": ("carol", "blue"), "nobody": ("", "")}
    tenants = ["acme", 'a "b" \\c', "größe", "semi;colon,comma=1"]
    calls = [(who, vendor, tenant) for who in users for vendor in MODELS for tenant in tenants]
    money, words, answers = collections.Counter(), collections.Counter(), collections.Counter()
    for number, (who, vendor, tenant) in enumerate(calls):
        headers = {"authorization": f"Bearer key-{who}", "x-tenant": tenant.encode()}
        wished = body(vendor, f"Say {number} words.", stream=number % 2 == 1)
        answer = reported.client.post("/v1/chat/completions", json=wished, headers=headers)
        assert answer.status_code == 200, answer.text
        used = vendors.records()[-1]["answer"]["usage"]
        user, team = users[who]
        money[f"team:{team}"] += cost(vendor, used)
        words[f"user:{user},model:{vendor}"] += total(used)
        answers[f"provider:{vendor}"] += used["output"]
    quiet(reported)
    each = len(calls) // len(tenants)
    expected = {("money", "usd", by): dollars(nanos) for by, nanos in money.items()}
    expected |= {("words", "tokens", by): str(count) for by, count in words.items()}
    expected |= {("answers", "output_tokens", by): str(count) for by, count in answers.items()}
    expected |= {("calls", "requests", f"header:x-tenant:{tenant.replace(';', '_')}"): str(each) for tenant in tenants}
    comes_to(reported, "USED", expected)
    rows = table(reported)
    assert sum(money.values()) == metric(reported, "sluice_cost_nanousd_total")
    assert {row["HELD"] for row in rows.values()} == {"0"}
    capacities = {"money": MUCH, "words": "1000000", "answers": "1000000", "calls": "1000"}
    frees = {"money": r"never", "words": r"(\d+h ?)?(\d+m ?)?(\d+s)?", "answers": r"(\d+days? ?)?(\d+h ?)?(\d+m ?)?(\d+s)?", "calls": r"(\d+m ?)?(\d+s)?"}
    for (name, _, _), row in rows.items():
        assert row["OF"] == capacities[name]
        assert re.fullmatch(frees[name], row["FREE IN"]), row
    tell(f"{len(rows)} counters of {len(calls)} calls, as the mocks counted them; {dollars(sum(money.values()))} USD in all")


def test_calls_under_way_hold_what_they_may_use(reported, vendors):
    with held(vendors):
        wishes = [Wish(body("openai", max_completion_tokens=70), {"authorization": "Bearer key-alice"})] * 3
        caller = threading.Thread(target=crowd, args=(reported, wishes))
        caller.start()
        vendors.wait_for(3)
        until(lambda: ("at-once", "concurrent", "-") in table(reported) or time.sleep(0.2), 10)
        rows = table(reported)
        assert (rows["at-once", "concurrent", "-"]["HELD"], rows["at-once", "concurrent", "-"]["USED"]) == ("3", "0")
        assert rows["answers", "output_tokens", "provider:openai"]["HELD"] == "210"
        assert int(rows["words", "tokens", "user:alice,model:openai"]["HELD"]) > 210
        assert re.fullmatch(r"0\.\d{4,9}", rows["money", "usd", "team:red"]["HELD"])
    caller.join(20)
    quiet(reported)
    until(lambda: {row["HELD"] for row in table(reported).values()} == {"0"} or time.sleep(0.2), 10)
    assert table(reported)["answers", "output_tokens", "provider:openai"]["USED"] != "0"


def test_what_goes_beyond_a_limit_is_told(mock_vendors, vendors):
    """A vendor that says it has made more than it was allowed: it is believed, and nothing passes any more."""
    limits = [{"name": "words", "unit": "output_tokens", "per": "day", "limit": 100}]
    with Gateway(limited(mock_vendors, limits), *AT_ONCE) as gateway:
        said = {"prompt_tokens": 100, "completion_tokens": 150, "total_tokens": 250}
        choice = {"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}
        play(vendors, {"id": "a", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": said})
        assert gateway.chat("openai", max_completion_tokens=90).status_code == 200
        assert error_of(gateway.chat("openai", max_completion_tokens=1), 429)
        quiet(gateway)
        assert metric(gateway, "sluice_limit_overshoot_total", limit="words") == 50
        assert metric(gateway, "sluice_limit_lost_total") == 0
        comes_to(gateway, "USED", {("words", "output_tokens", "-"): "150"})
        # Of the request's hundred tokens, by the vendor's word, few were expected. Envoy sums histograms up every five seconds.
        error = "sluice_input_estimate_error_percent"
        until(lambda: metric(gateway, f"{error}_count", model="openai") == 1 or time.sleep(0.2), 15)
        (off,) = re.findall(rf"^{error}_sum{{.*}} ([\d.]+)$", gateway.metrics(), re.MULTILINE)
        assert 80 <= float(off) <= 100


def test_counters_come_and_go_and_their_number_is_bounded(mock_vendors, vendors, tell):
    """Envoy forgets no metric, so that clients who name themselves anew with each call can't have one for each."""
    limits = [
        request_limit("each", 1000, by=["header:x-tenant"]),
        {"name": "slow", "unit": "requests", "per": "second", "limit": 1, "burst": 5, "models": ["gemini"]},
    ]
    with Gateway(limited(mock_vendors, limits), "--concurrency", "2", *AT_ONCE) as gateway:
        for _ in range(5):
            assert gateway.chat("gemini").status_code == 200
        until(lambda: table(gateway).get(("slow", "requests", "-"), {}).get("USED", "0") != "0" or time.sleep(0.2), 6)
        until(lambda: table(gateway)["slow", "requests", "-"]["USED"] == "0" or time.sleep(0.2), 12)
        named = [Wish(body("openai", max_completion_tokens=5), {"x-tenant": f"tenant-{number}"}) for number in range(1100)]
        for start in range(0, len(named), 100):
            assert {call.status for call in crowd(gateway, named[start : start + 100])} == {200}
        time.sleep(5)
        rows = table(gateway)
        del rows["slow", "requests", "-"], rows["each", "requests", "header:x-tenant:"]
        assert len(rows) == 998 and {row["USED"] for row in rows.values()} == {"1"}
        # Those that are not shown count all the same.
        hidden = next(wish for wish in named if ("each", "requests", f"header:x-tenant:{wish.headers['x-tenant']}") not in rows)
        (call,) = crowd(gateway, [hidden])
        assert call.headers["x-ratelimit-remaining-requests"] == "998"
        started = time.monotonic()
        table(gateway)
        tell(f"{len(rows)} of {len(named)} counters are printed, in {time.monotonic() - started:.2f} s")
        assert gateway.wasm_trouble() == []


def test_where_nothing_is_counted_that_is_said(mock_vendors, vendors):
    for limits in ([], [request_limit("unused", 1)]):
        with Gateway(policy(mock_vendors, limits=limits)) as gateway:
            time.sleep(1)
            done = printed(gateway.admin)
            assert (done.returncode, done.stdout.split()) == (0, " ".join(HEADING).split())
            assert done.stderr == "No counter is in use: nothing has been counted yet, or the policy has no limits.\n"


def test_an_admin_that_does_not_answer_is_told_of():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        for listens in (False, True):
            if listens:
                silent.listen()
            started = time.monotonic()
            done = printed(address)
            assert (done.returncode, done.stdout) == (1, "")
            assert done.stderr.startswith(f"{address}/stats/prometheus?filter=sluice_limit_: "), done.stderr
            assert time.monotonic() - started < 10
