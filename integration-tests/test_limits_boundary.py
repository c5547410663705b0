"""Where a window ends while calls are under way, on the real Envoy and by its own clock: nothing is free, nothing is charged twice."""

import threading
import time

import pytest
from support.answers import error_of
from support.gateway import Gateway
from support.limits import AT_ONCE, Wish, body, cost, crowd, held, limited, quiet, total
from test_limits_report import comes_to, dollars

DAILY = 10_000
CAP = 50


def coming_midnight() -> tuple[str, int]:
    """An offset from UTC by which a day begins with one of the next minutes, and when that is; there are ten seconds left at least."""
    instant = (int(time.time() + 10) // 60 + 1) * 60
    minutes = instant // 60 % (24 * 60)
    east = -minutes if minutes < 12 * 60 else 24 * 60 - minutes
    return f"{'-' if east < 0 else '+'}{abs(east) // 60:02}:{abs(east) % 60:02}", instant


def ask(gateway: Gateway, model: str):
    """One call, and what is left of the tokens while it is under way."""
    answer = gateway.client.post("/v1/chat/completions", json=body(model, max_completion_tokens=CAP))
    return answer, int(answer.headers.get("x-ratelimit-remaining-tokens", -1))


@pytest.mark.timeout(150)
def test_midnight_comes_while_calls_are_under_way(mock_vendors, vendors, tell):
    """What they hold is held in the new day too, and they are charged to that; what was spent before is free again, and no more."""
    zone, midnight = coming_midnight()
    limits = [
        {"name": "tokens", "unit": "tokens", "per": "day", "limit": DAILY},
        {"name": "money", "unit": "usd", "per": "day", "limit": 1},
        {"name": "calls", "unit": "requests", "per": "hour", "limit": 5},
    ]
    document = limited(mock_vendors, [limit | {"timezone": zone} for limit in limits])
    with Gateway(document, "--concurrency", "2", *AT_ONCE) as gateway:
        _, left = ask(gateway, "gemini")
        hold, used = DAILY - left, total(vendors.records()[-1]["answer"]["usage"])
        for _ in range(2):
            _, left = ask(gateway, "gemini")
            assert left == DAILY - used - hold
            used += total(vendors.records()[-1]["answer"]["usage"])
        with held(vendors, "openai"):
            wishes = [Wish(body("openai", max_completion_tokens=CAP))] * 2
            calls = threading.Thread(target=crowd, args=(gateway, wishes))
            calls.start()
            vendors.wait_for(2, vendor="openai")
            refused, _ = ask(gateway, "gemini")
            assert "'calls' (5 requests per hour)" in error_of(refused, 429)["message"]
            wait = int(refused.headers["retry-after"])
            assert abs(time.time() + wait - midnight) <= 1.5, "there is room when the hour of that zone ends"
            assert time.time() < midnight, "nothing so far was slow"
            time.sleep(max(midnight - 0.2 - time.time(), 0))
            assert time.time() > midnight or ask(gateway, "gemini")[0].status_code == 429
            time.sleep(max(midnight + 0.3 - time.time(), 0))
            # The new day: what was used is free again, what the two hold is not.
            first, left = ask(gateway, "gemini")
            assert (first.status_code, left) == (200, DAILY - 2 * hold - hold)
            assert int(first.headers["x-ratelimit-remaining-requests"]) == 4
            of_new_day = [("gemini", vendors.records("gemini")[-1])]
        calls.join(30)
        quiet(gateway)
        of_new_day += [("openai", record) for record in vendors.records("openai")]
        assert len(of_new_day) == 3
        used = sum(total(record["answer"]["usage"]) for _, record in of_new_day)
        second, left = ask(gateway, "gemini")
        assert (second.status_code, left) == (200, DAILY - used - hold)
        assert second.headers["x-ratelimit-remaining-requests"] == "3", "a request counts where it was made"
        of_new_day.append(("gemini", vendors.records("gemini")[-1]))
        used += total(of_new_day[-1][1]["answer"]["usage"])
        nanos = sum(cost(vendor, record["answer"]["usage"]) for vendor, record in of_new_day)
        expected = {("tokens", "tokens", "-"): str(used), ("money", "usd", "-"): dollars(nanos), ("calls", "requests", "-"): "2"}
        comes_to(gateway, "USED", expected)
        comes_to(gateway, "HELD", dict.fromkeys(expected, "0"))
        tell(f"midnight at {zone}: two calls of yesterday held {2 * hold} tokens of today and were charged to it; {used} tokens, {nanos} nano-dollars")
        assert gateway.wasm_trouble() == []


PACE, BURST = 40, 2000


def test_a_call_longer_than_its_period_holds_until_it_ends(mock_vendors, vendors):
    """Of a rate, what has been used drains; what is held doesn't. Both are exact when the call is settled, three periods later."""
    limit = {"name": "pace", "unit": "tokens", "per": "second", "limit": PACE, "burst": BURST}
    with Gateway(limited(mock_vendors, [limit]), "--concurrency", "2", *AT_ONCE) as gateway:
        with held(vendors, "openai"):
            began = time.monotonic()
            calls = threading.Thread(target=crowd, args=(gateway, [Wish(body("openai", max_completion_tokens=500))] * 2))
            calls.start()
            vendors.wait_for(2, vendor="openai")
            time.sleep(3)
            answer, left = ask(gateway, "gemini")
            # The same request but for its cap: two hold 500 and their input each, the third 50 and its input.
            three = BURST - left
            each = (three - 1050) // 3
            assert three == 1050 + 3 * each and 0 < each < 50, "nothing of it has drained"
            own = total(vendors.records("gemini")[-1]["answer"]["usage"])
        calls.join(30)
        quiet(gateway)
        settled = time.monotonic()
        used = own + sum(total(record["answer"]["usage"]) for record in vendors.records("openai"))
        answer, left = ask(gateway, "gemini")
        most = BURST - each - CAP
        drained = PACE * (time.monotonic() - began - 3)
        assert most - used <= left <= min(most - used + drained + 1, most), (left, used, drained)
        time.sleep((used + CAP) / PACE)
        assert ask(gateway, "gemini")[1] == most, f"all is free again {time.monotonic() - settled:.1f} s later"
        assert gateway.wasm_trouble() == []
