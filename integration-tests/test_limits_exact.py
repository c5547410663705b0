"""Five hundred calls at once on four workers: exactly as many pass as a limit allows, and what is left is exact afterwards."""

import collections
import itertools
import random
import re

import pytest
from support.answers import error_of
from support.gateway import MODELS, Gateway
from support.limits import AT_ONCE, Wish, all_lines, body, cost, crowd, held, limited, lines, logged, metric, quiet, spread, stampede, total
from support.scripted import play, play_events

CALLS = 500
WORKERS = 4
LIMITS = {"requests": 50, "concurrent": 50, "tokens": 5000, "input_tokens": 2000, "output_tokens": 2500, "usd": "0.003"}
# What a limit in money holds, in billionths of a dollar.
NANOS = 3_000_000


def daily(unit: str, **fields: object) -> dict:
    """A limit that holds for calls which name its unit, and counts each run of a test by itself."""
    usual = {"name": f"{unit}-limit", "unit": unit, "limit": LIMITS[unit], "by": ["header:x-run"], "when": {"headers": {"x-unit": unit}}}
    return usual | ({} if unit == "concurrent" else {"per": "day"}) | fields


@pytest.fixture(scope="module")
def four(mock_vendors):
    with Gateway(limited(mock_vendors, [daily(unit) for unit in LIMITS]), "--concurrency", str(WORKERS), *AT_ONCE) as gateway:
        yield gateway
        assert gateway.wasm_trouble() == []


def headers(unit: str, run: str) -> dict:
    return {"x-unit": unit, "x-run": run}


def wish(unit: str, run: str, stream: bool, cap: int = 90, model: str = "openai", text: str = "Hello") -> Wish:
    more = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    return Wish(body(model, text, max_completion_tokens=cap, **more), headers(unit, run))


def remaining(gateway: Gateway, unit: str, run: str, cap: int = 1) -> int:
    """What is left of a limit in tokens while a call is under way that may use so much."""
    answer = gateway.client.post("/v1/chat/completions", json=body("openai", max_completion_tokens=cap), headers=headers(unit, run))
    assert answer.status_code == 200, answer.text
    return int(answer.headers["x-ratelimit-remaining-tokens"])


def expected_input(gateway: Gateway, name: str) -> int:
    """How many tokens are expected of the text `Hello`."""
    return LIMITS["tokens"] - 1 - remaining(gateway, "tokens", f"{name}-input")


def passed(calls: list) -> list:
    """Those that passed; all others were refused, for the right reason."""
    for call in calls:
        assert not call.broken
        assert call.status in (200, 429), (call.status, call.content)
        assert call.status == 200 or b"-limit'" in call.content, call.content
    return [call for call in calls if call.status == 200]


def used(calls: list, vendors, vendor: str = "openai") -> list[dict]:
    """What the vendor says that the calls have used, which is what they themselves say."""
    told = [record["answer"]["usage"] for record in vendors.records(vendor)[-len(calls) :]]
    seen = collections.Counter((call.usage["prompt_tokens"], call.usage["completion_tokens"]) for call in calls)
    assert seen == collections.Counter((one["input"], one["output"]) for one in told)
    return told


both = pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])


@both
def test_requests(stream, four, vendors, tell):
    run = f"requests-{stream}"
    calls = stampede(four, vendors, [wish("requests", run, stream)] * CALLS)
    assert len(passed(calls)) == LIMITS["requests"]
    assert {call.headers["x-ratelimit-remaining-requests"] for call in calls if call.status == 429} == {"0"}
    left = sorted(int(call.headers["x-ratelimit-remaining-requests"]) for call in calls if call.status == 200)
    assert left == list(range(LIMITS["requests"])), "each of those who passed is told another number"
    quiet(four)
    assert len(passed(crowd(four, [wish("requests", run, stream)] * 20))) == 0, "what has been used stays used"
    assert len(vendors.records()) == LIMITS["requests"]
    assert len([count for count in spread(four) if count > 0]) == WORKERS, spread(four)
    tell(f"requests: {LIMITS['requests']} of {CALLS} passed; connections by worker {spread(four)}")


@both
def test_calls_at_a_time(stream, four, vendors):
    """Again and again: no place is lost, and none is given twice."""
    run = f"concurrent-{stream}"
    for _ in range(3):
        calls = stampede(four, vendors, [wish("concurrent", run, stream)] * CALLS)
        assert len(passed(calls)) == LIMITS["concurrent"]
        quiet(four)


@both
@pytest.mark.parametrize("unit", ["tokens", "input_tokens", "output_tokens"])
def test_tokens(unit, stream, four, vendors, tell):
    run, limit = f"{unit}-{stream}", LIMITS[unit]
    expected = expected_input(four, run)
    each = {"tokens": expected + 80, "input_tokens": expected, "output_tokens": 80}[unit]
    left = limit
    for _ in range(2):
        vendors.reset()
        calls = passed(stampede(four, vendors, [wish(unit, run, stream, 80)] * CALLS))
        assert len(calls) == left // each
        quiet(four)
        told = used(calls, vendors)
        left -= {"tokens": sum(map(total, told)), "input_tokens": sum(one["input"] for one in told), "output_tokens": sum(one["output"] for one in told)}[unit]
        one = {"tokens": expected + 1, "input_tokens": expected, "output_tokens": 1}[unit]
        assert remaining(four, unit, run) == left - one, "exact to the token"
        quiet(four)
        last = vendors.records()[-1]["answer"]["usage"]
        left -= {"tokens": total(last), "input_tokens": last["input"], "output_tokens": last["output"]}[unit]
    tell(f"{unit}: {each} reserved for each call, {left} left of {limit}")
    if unit != "input_tokens":
        most = left - (expected if unit == "tokens" else 0)
        with held(vendors):
            assert error_of(post(four, unit, run, most + 1), 429)["code"] == "rate_limit_exceeded"
        assert post(four, unit, run, most).status_code == 200, "what is left can be used to the last token"


def post(gateway: Gateway, unit: str, run: str, cap: int, model: str = "openai"):
    wished = body(model, max_completion_tokens=cap)
    return gateway.client.post("/v1/chat/completions", json=wished, headers=headers(unit, run))


def exactly(gateway: Gateway, run: str, nanos: int) -> None:
    """A limit in money has just so much left, in billionths of a dollar. A call by which that is found out takes what it says."""
    assert error_of(post(gateway, "usd", run, nanos + 1, "meter"), 429)["code"] == "rate_limit_exceeded"
    answer = post(gateway, "usd", run, nanos, "meter")
    assert answer.status_code == 200, answer.text


@both
def test_money(stream, four, vendors, tell):
    run = f"usd-{stream}"
    each = cost("openai", {"input": expected_input(four, run), "cached": 0, "output": 80})
    left = NANOS
    before = metric(four, "sluice_cost_nanousd_total")
    for _ in range(2):
        vendors.reset()
        calls = passed(stampede(four, vendors, [wish("usd", run, stream, 80)] * CALLS))
        assert len(calls) == left // each
        quiet(four)
        charged = [cost("openai", one) for one in used(calls, vendors)]
        if not stream:
            assert sorted(call.headers["x-sluice-cost-usd"] for call in calls) == sorted(dollars(nanos) for nanos in charged)
        left -= sum(charged)
        vendors.reset()
        exactly(four, run, left)
        quiet(four)
        left -= vendors.records()[-1]["answer"]["usage"]["output"]
    assert metric(four, "sluice_cost_nanousd_total") - before == NANOS - left
    tell(f"usd: {each} nano-dollars reserved for each call, {left} left of {NANOS}")


def dollars(nanos: int) -> str:
    whole, rest = divmod(nanos, 10**9)
    return f"{whole}.{rest:09}".rstrip("0").rstrip(".")


# ---- the same with everything that goes wrong

ROOM = 120
ROUNDS = 5
SEED = 20270401
MUCH = {"requests": 1 << 40, "tokens": 1 << 50, "usd": "1000000"}


@pytest.fixture(scope="module")
def rough(mock_vendors):
    limits = [{"name": f"{unit}-limit", "unit": unit, "per": "day", "limit": limit} for unit, limit in MUCH.items()]
    limits.append({"name": "concurrent-limit", "unit": "concurrent", "limit": ROOM})
    # A model's target that failed again and again is passed over for a while; it is there again for the next round.
    every = [{"provider": name, "model": MODELS[name]} for name in MODELS]
    names = ["steady", "leaving", "silent"]
    document = limited(mock_vendors, limits)
    document["models"] |= {name: {"targets": every} for name in names} | {"silent": {"targets": every[:1]}}
    with Gateway(document, "--concurrency", str(WORKERS), *AT_ONCE) as gateway:
        yield gateway
        assert gateway.wasm_trouble() == []


def fault(dice: random.Random, name: str) -> dict:
    faults = [
        {"kind": "normal"},
        {"kind": "normal"},
        {"kind": "status", "status": dice.choice([429, 500, 503])},
        {"kind": "reset"},
        {"kind": "stream_error", "after_events": 0},
        {"kind": "stream_error", "after_events": dice.randint(1, 6)},
        {"kind": "cut", "after_events": dice.randint(0, 6), "how": dice.choice(["end", "close", "reset"])},
        {"kind": "slow", "first_ms": dice.randint(0, 300), "gap_ms": dice.randint(0, 60)},
        {"kind": "slow", "head_ms": dice.randint(0, 300)},
        {"kind": "malformed"},
    ]
    # The last in the row does well, so that many calls are answered in the end.
    return dice.choice(faults if name != "gemini" else [faults[0], faults[7], faults[8]])


def test_whatever_happens_is_charged_once(rough, vendors, tell):
    dice = random.Random(SEED)
    log, calls = logged(rough), []
    complete = []
    for turn in range(ROUNDS):
        vendors.reset()
        for name in MODELS:
            vendors.script_all(name, [fault(dice, name) for _ in range(ROOM)])
        wishes = []
        for number in range(ROOM):
            stream = dice.random() < 0.6
            more = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
            text = f"call-{turn}-{number} " + " ".join(["word"] * dice.randint(1, 60))
            leaves = dice.random() < 0.35
            patience = dice.choice([None, dice.random() * 0.4]) if leaves else None
            pieces = dice.randint(1, 8) if leaves and patience is None else None
            wished = body("leaving" if leaves else "steady", text, **more)
            wishes.append(Wish(wished, patience=patience, pieces=pieces))
        made = crowd(rough, wishes)
        calls += made
        quiet(rough)
        whole = [call for call in made if answered(call) and wishes[call.number].body["model"] == "steady"]
        check_answers(whole, wishes, vendors.records())
        complete += whole
    found = all_lines(rough, skip=log)
    assert len(calls) * 0.8 < len(found) <= len(calls)
    steady = [line for line in found if line["model"] == "steady"]
    told = [call.usage for call in complete]
    of_complete = sum(usage["prompt_tokens"] + usage["completion_tokens"] for usage in told)
    whole = [line for line in steady if line["status"] == 200]
    assert sum(int(line["input_tokens"] or 0) + int(line["output_tokens"] or 0) for line in whole) >= of_complete
    vendors.reset()
    check_sums(rough, found)
    assert len(passed(stampede(rough, vendors, [Wish(body("openai"))] * (ROOM + 30)))) == ROOM, "no hold stays"
    left = sum(call.broken for call in calls)
    statuses = collections.Counter(call.status for call in calls)
    tell(f"{len(calls)} calls, {left} left or broke off, {len(complete)} complete, statuses {dict(statuses)}")
    assert left > ROOM / 2 and len(complete) > ROOM


def check_answers(calls: list, wishes: list[Wish], records: list[dict]) -> None:
    """Whoever got a whole answer is told what the last vendor that was asked for it has counted."""
    latest = {}
    for record in records:
        latest[re.search(r"call-\d+-\d+", record["body"]["text"])[0]] = record
    for call in calls:
        name = wishes[call.number].body["messages"][0]["content"].split()[0]
        told = latest[name]["answer"]["usage"]
        assert (call.usage["prompt_tokens"], call.usage["completion_tokens"]) == (told["input"], told["output"]), name


def answered(call) -> bool:
    """Whether the answer is whole."""
    if call.broken or call.status != 200:
        return False
    return b'"error"' not in call.content and call.usage is not None


def check_sums(gateway: Gateway, found: list[dict]) -> None:
    """Access log, metrics and counters agree; nothing is held for anybody."""
    number = lambda line, field: int(line[field] or 0)
    of_log = {kind: sum(number(line, f"{kind}_tokens") for line in found) for kind in ("input", "output")}
    nanos = sum(number(line, "cost_nanousd") for line in found)
    for kind, count in of_log.items():
        assert metric(gateway, "sluice_tokens_total", type=kind) == count, kind
    assert metric(gateway, "sluice_cost_nanousd_total") == nanos
    skip = logged(gateway)
    probe = body("meter", max_completion_tokens=1)
    answer = gateway.client.post("/v1/chat/completions", json=probe)
    assert answer.status_code == 200, answer.text
    # Who left before the call was whole has made none.
    made = sum(line["model"] is not None for line in found)
    assert int(answer.headers["x-ratelimit-remaining-requests"]) == MUCH["requests"] - made - 1
    (line,) = lines(gateway, 1, skip=skip)
    left = int(answer.headers["x-ratelimit-remaining-tokens"])
    reserve = MUCH["tokens"] - sum(of_log.values()) - left
    # As much as one call reserves, and nothing else.
    assert 1 <= reserve < 100, f"{reserve} more than was used are gone"
    left = 10**15 - nanos - number(line, "cost_nanousd")
    assert error_of(gateway.chat("meter", max_completion_tokens=left + 1), 429)
    assert gateway.chat("meter", max_completion_tokens=left).status_code == 200


FAULTS = {
    "status": {"kind": "status", "status": 503},
    "reset": {"kind": "reset"},
    "error as first event": {"kind": "stream_error", "after_events": 0},
    "nothing but an end": {"kind": "cut", "after_events": 0},
    "cut before anything": {"kind": "cut", "after_events": 0, "how": "reset"},
    "never answers": {"kind": "hang"},
    "no event in time": {"kind": "slow", "first_ms": 60_000},
}


@both
@pytest.mark.parametrize("name", FAULTS)
def test_failed_attempts_cost_nothing(name, stream, failing, vendors):
    """Two of them, then a good one: what that has used is charged, to the token."""
    headers = {"x-run": f"{name}-{stream}"}
    wished = body("any", max_completion_tokens=50)
    ask = lambda **fields: failing.client.post("/v1/chat/completions", json=wished | fields, headers=headers)
    more = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    log = logged(failing)
    for vendor in ("openai", "anthropic"):
        vendors.script(vendor, FAULTS[name])
    assert ask(**more).headers["x-sluice-provider"] == "gemini"
    told = vendors.records("gemini")[0]["answer"]["usage"]
    (line,) = all_lines(failing, skip=log)
    assert (int(line["input_tokens"]), int(line["output_tokens"])) == (told["input"], told["output"])
    assert int(line["cost_nanousd"]) == cost("gemini", told)
    # Both, unless Envoy passes over a vendor that has failed too often by now.
    assert line["failed"]
    vendors.reset()
    # What is held for another one is known from a run of its own.
    probe = failing.client.post("/v1/chat/completions", json=wished, headers={"x-run": f"probe-{name}-{stream}"})
    reserve = LIMITS["tokens"] - int(probe.headers["x-ratelimit-remaining-tokens"])
    assert int(ask().headers["x-ratelimit-remaining-tokens"]) == LIMITS["tokens"] - total(told) - reserve


@pytest.fixture(scope="module")
def failing(mock_vendors):
    limits = [{"name": "tokens-limit", "unit": "tokens", "per": "day", "limit": LIMITS["tokens"], "by": ["header:x-run"]}]
    document = limited(mock_vendors, limits)
    document["models"]["any"] |= {"attempt_timeout": "1s", "default_max_tokens": 50}
    with Gateway(document, "--concurrency", "1", *AT_ONCE) as gateway:
        yield gateway
        assert gateway.wasm_trouble() == []


def test_whoever_hangs_up_is_charged_for_what_was_produced(failing, vendors):
    """Once, whenever that is; what was held for the rest is free again."""
    words = " ".join(f"word{number}" for number in range(400))
    for pieces in (1, 5, 20, 60):
        run = {"x-run": f"left-{pieces}"}
        vendors.reset()
        vendors.script("openai", {"kind": "content", "text": words})
        vendors.pace("openai", gap_ms=10)
        log = logged(failing)
        (call,) = crowd(failing, [Wish(body("openai", max_completion_tokens=400, stream=True), run, pieces=pieces)])
        assert call.broken and b"[DONE]" not in call.content
        (line,) = all_lines(failing, skip=log)
        charged = int(line["input_tokens"]) + int(line["output_tokens"])
        sent = vendors.records()[0]["disconnected"]["after_events"]
        # Each word has two tokens or so; what was on its way may be in it.
        assert pieces - 2 <= int(line["output_tokens"]) <= 4 * sent + 4, (line, sent)
        vendors.reset()
        probe = body("openai", max_completion_tokens=1)
        left = failing.client.post("/v1/chat/completions", json=probe, headers=run).headers["x-ratelimit-remaining-tokens"]
        fresh = failing.client.post("/v1/chat/completions", json=probe, headers={"x-run": f"fresh-{pieces}"})
        assert int(left) == int(fresh.headers["x-ratelimit-remaining-tokens"]) - charged


ZEROS = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


@pytest.mark.parametrize("usage", [None, ZEROS], ids=["none", "zeros"])
def test_answers_without_usage(usage, rough, vendors):
    """They are charged by an estimate, the same everywhere."""
    quiet(rough)
    before = {kind: metric(rough, "sluice_tokens_total", type=kind) for kind in ("input", "output")}
    log = logged(rough)
    words = "It was a dark and stormy night, and the rain fell in torrents. " * 4
    whole = {"id": "a", "object": "chat.completion", "created": 1, "model": "gpt-4o", "choices": [{"index": 0, "message": {"role": "assistant", "content": words}, "finish_reason": "stop"}]}
    chunk = {"id": "a", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o"}
    delta = lambda **fields: chunk | {"choices": [{"index": 0, "finish_reason": None} | fields]}
    last = [chunk | {"choices": [], "usage": usage}] if usage else []
    for _ in range(20):
        play(vendors, whole | {"usage": usage})
        assert rough.chat("silent").status_code == 200
        pieces = [delta(delta={"role": "assistant", "content": ""}), *(delta(delta={"content": word + " "}) for word in words.split())]
        play_events(vendors, "openai", [*pieces, delta(delta={}, finish_reason="stop"), *last, "[DONE]"])
        assert rough.chat("silent", stream=True).status_code == 200
    found = lines(rough, 40, skip=log)
    assert {line["model"] for line in found} == {"silent"}
    for kind, count in before.items():
        of_log = [int(line[f"{kind}_tokens"]) for line in found]
        assert min(of_log) > 0
        assert metric(rough, "sluice_tokens_total", type=kind) - count == sum(of_log)
    outputs = {int(line["output_tokens"]) for line in found}
    # By o200k_base the text has 65. An estimate of a short English text is rarely off by more than the margin of 25 percent
    # with which it is reserved (docs/limits-estimates.md).
    assert all(65 / 1.25 <= output <= 65 * 1.25 for output in outputs), outputs


def test_thousands_of_calls_agree_everywhere(mock_vendors, vendors, tell):
    """What the mocks have produced = what clients were told = access log = metrics = counters, to the nano-dollar."""
    dice = random.Random(SEED)
    limits = [{"name": f"{unit}-limit", "unit": unit, "per": "day", "limit": limit} for unit, limit in MUCH.items()]
    limits.append({"name": "concurrent-limit", "unit": "concurrent", "limit": 100})
    with Gateway(limited(mock_vendors, limits), "--concurrency", str(WORKERS), *AT_ONCE) as gateway:
        nanos, tokens, seen = collections.Counter(), collections.Counter(), collections.Counter()
        everything = []
        for turn in range(30):
            vendors.reset()
            wishes = []
            for number in range(100):
                vendor = dice.choice(list(MODELS))
                stream = dice.random() < 0.5
                more = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
                system = dice.choice([[], [{"role": "system", "content": "This is cached " * dice.randint(1, 9)}]])
                messages = [*system, {"role": "user", "content": " ".join(["word"] * dice.randint(1, 200))}]
                wishes.append(Wish({"model": vendor, "messages": messages} | more))
            calls = crowd(gateway, wishes)
            assert {call.status for call in calls} == {200}
            for record in vendors.records():
                told = record["answer"]["usage"]
                nanos[record["vendor"]] += cost(record["vendor"], told)
                tokens[record["vendor"], "input"] += told["input"]
                tokens[record["vendor"], "output"] += told["output"]
            for wish_, call in zip(wishes, calls):
                seen[wish_.body["model"], "input"] += call.usage["prompt_tokens"]
                seen[wish_.body["model"], "output"] += call.usage["completion_tokens"]
            everything += calls
        quiet(gateway)
        found = lines(gateway, len(everything))
        assert seen == tokens
        for vendor, kind in itertools.product(MODELS, ("input", "output")):
            mine = [line for line in found if line["provider"] == vendor]
            assert sum(int(line[f"{kind}_tokens"]) for line in mine) == tokens[vendor, kind]
            assert metric(gateway, "sluice_tokens_total", provider=vendor, type=kind) == tokens[vendor, kind]
            assert sum(int(line["cost_nanousd"]) for line in mine) == nanos[vendor]
            assert metric(gateway, "sluice_cost_nanousd_total", provider=vendor) == nanos[vendor]
        check_sums(gateway, found)
        tell(f"{len(everything)} calls: {sum(tokens.values())} tokens, {sum(nanos.values())} nano-dollars, the same everywhere")
        assert gateway.wasm_trouble() == []
