"""Limits that several gateways have together, over a rate-limit service: one view, little overshoot, nothing lost."""

import concurrent.futures
import contextlib
import dataclasses
import os
import re
import signal
import subprocess
import threading
import time
from fractions import Fraction

import httpx
import pytest
from support.answers import error_of
from support.gateway import CLIENT_KEY, MODELS, SLUICE, Gateway, policy
from support.limits_services import Limitador, Ratelimit, Redis, Server, configuration, free_port
from support.waiting import until
from test_callers import authority, certificate

INTERVAL = 0.5
# Only for calls of one model, so that other tests don't come near it.
REQUESTS = {"name": "requests", "unit": "requests", "per": "day", "limit": 400, "models": ["anthropic"]}
BUDGET = {"name": "team-day", "unit": "tokens", "per": "day", "limit": 1_000_000, "by": ["team"]}
# With a cap, so that each call holds the same while it is under way.
BODY = {"model": "openai", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 10}
UNREACHABLE = 'sluice_limits_sync_failures_total{type="unreachable"}'
QUIET = ["--log-level", "info", "--concurrency", "1"]


def document(mock_vendors, port: int, limits: list[dict], **sync: object) -> dict:
    entry = {"endpoint": f"http://127.0.0.1:{port}"}
    if sync.get("check") != "synchronous":
        entry["interval"] = f"{int(INTERVAL * 1000)}ms"
    return policy(mock_vendors, limits=limits, limits_sync=entry | sync)


@contextlib.contextmanager
def service(engine: str, text: str):
    """A rate-limit service of this kind, and its Redis if it has one."""
    if engine == "limitador":
        with Limitador(text) as limitador:
            yield limitador, None
    else:
        with Redis() as redis, Ratelimit(redis, text) as ratelimit:
            yield ratelimit, redis


def call(gateway: Gateway, model: str = "openai", **fields: object) -> httpx.Response:
    headers = {"authorization": f"Bearer {CLIENT_KEY}"}
    wished = BODY | {"model": model} | fields
    return httpx.post(f"{gateway.url}/v1/chat/completions", json=wished, headers=headers, timeout=20)


def spend(gateway: Gateway, calls: int) -> int:
    """The tokens that so many calls have used."""
    total = 0
    for _ in range(calls):
        response = call(gateway)
        assert response.status_code == 200, response.text
        total += response.json()["usage"]["total_tokens"]
    return total


def metric(gateway: Gateway, name: str) -> int | None:
    found = re.search(rf"^{re.escape(name)}(?:{{}})? (\d+)$", gateway.metrics(), re.MULTILINE)
    return found and int(found[1])


def failures(gateway: Gateway) -> int:
    return sum(int(count) for count in re.findall(r"sluice_limits_sync_failures_total{.*} (\d+)", gateway.metrics()))


def learned(gateway: Gateway) -> bool:
    return any("in step with the fleet" in line for line in gateway.lines)


def taken(gateway: Gateway) -> tuple[int, int]:
    """What the gateway takes for used and held of the budget, as it says to one call more; and what that call has used."""
    response = call(gateway)
    assert response.status_code == 200, response.text
    limit, remaining = (int(response.headers[f"x-ratelimit-{what}-tokens"]) for what in ("limit", "remaining"))
    assert limit == BUDGET["limit"]
    return limit - remaining, response.json()["usage"]["total_tokens"]


@pytest.fixture(scope="module")
def fleet(mock_vendors, request):
    """Three gateways that have learned their counters, the service of the parameter's kind, and its Redis if it has one."""
    limits = [BUDGET, REQUESTS]
    with service(request.param, configuration(document(mock_vendors, 1, limits))) as (server, redis):
        shared = document(mock_vendors, server.port, limits)
        with concurrent.futures.ThreadPoolExecutor() as pool, contextlib.ExitStack() as stack:
            starting = [pool.submit(Gateway, shared, *QUIET) for _ in range(3)]
            gateways = [stack.enter_context(start.result()) for start in starting]
            until(lambda: all(learned(gateway) for gateway in gateways), 10)
            # Nothing is used yet: what the first call finds taken is what it holds itself.
            hold, spent = taken(gateways[0])
            yield Fleet(gateways, shared, server, redis, hold, spent)


@dataclasses.dataclass
class Fleet:
    gateways: list[Gateway]
    policy: dict
    server: Server
    redis: Redis | None
    # What one call holds, and what has been used at the start; tokens.
    hold: int
    spent: int

    def used(self, gateway: Gateway) -> tuple[int, int]:
        """What a gateway takes for used of the budget, and what the call that asked has used itself."""
        found, own = taken(gateway)
        return found - self.hold, own


ENGINES = pytest.mark.parametrize("fleet", ["ratelimit", "limitador"], indirect=True)


@ENGINES
def test_gateways_come_to_one_view(fleet, vendors, tell):
    gateways = fleet.gateways
    settled = fleet.spent + sum(spend(gateway, calls) for gateway, calls in zip(gateways, (5, 3, 0), strict=True))
    # Two intervals, of which each may begin a tick late, and the answers.
    time.sleep(2 * INTERVAL + 0.3)
    views, more = [], 0
    for gateway in gateways:
        view, own = fleet.used(gateway)
        # Of the calls that asked before, some may have been told meanwhile.
        assert settled <= view <= settled + more, (settled, view)
        views.append(view)
        more += own
    if fleet.redis:
        until(lambda: fleet.redis.total("team-day") == settled + more, 5)
    assert metric(gateways[2], "sluice_limits_sync_age_seconds") <= 1
    assert metric(gateways[2], "sluice_limits_synced_counters") >= 1
    assert failures(gateways[2]) == 0
    tell(f"{settled} tokens settled at two of three gateways; seen after two intervals: {views}")


@ENGINES
def test_together_they_overshoot_by_no_more_than_an_interval(fleet, vendors, tell):
    limit = REQUESTS["limit"]
    passed: list[float] = []
    stop = time.monotonic() + 12

    def hammer(gateway: Gateway) -> None:
        headers = {"authorization": f"Bearer {CLIENT_KEY}"}
        with httpx.Client(base_url=gateway.url, headers=headers, timeout=20) as client:
            while time.monotonic() < stop:
                response = client.post("/v1/chat/completions", json=BODY | {"model": "anthropic"})
                assert response.status_code in (200, 429), response.text
                if response.status_code == 429:
                    return
                passed.append(time.monotonic())

    threads = [threading.Thread(target=hammer, args=[gateway]) for gateway in fleet.gateways]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert error_of(call(fleet.gateways[0], "anthropic"), 429)["code"] == "rate_limit_exceeded"
    # What all of them have passed in the busiest interval.
    pace = max(sum(start <= at < start + INTERVAL for at in passed) for start in passed)
    tell(f"{len(passed)} of {limit} passed at three gateways, {pace} at most in an interval")
    # An interval may end a tick late, which is half of one here, and the answer takes its time.
    assert limit <= len(passed) <= limit + 2 * pace


@pytest.mark.parametrize("fleet", ["ratelimit"], indirect=True)
def test_nothing_that_was_settled_is_lost_whoever_dies(fleet, vendors, tell):
    """Redis, the service and a gateway are killed in turn while calls go on."""
    gateways, redis, server = fleet.gateways, fleet.redis, fleet.server
    time.sleep(2 * INTERVAL + 0.3)
    settled = redis.total("team-day") + sum(spend(gateway, 3) for gateway in gateways)
    until(lambda: redis.total("team-day") == settled, 5)

    redis.kill()
    settled += sum(spend(gateway, 2) for gateway in gateways)
    until(lambda: all(failures(gateway) > 0 for gateway in gateways), 10)
    settled += sum(spend(gateway, 1) for gateway in gateways)
    redis.start()
    until(lambda: redis.total("team-day") >= settled, 20)

    server.kill()
    settled += sum(spend(gateway, 2) for gateway in gateways)
    until(lambda: all(metric(gateway, UNREACHABLE) for gateway in gateways), 10)
    server.start()
    until(lambda: redis.total("team-day") >= settled, 20)

    os.kill(gateways[0].envoy(), signal.SIGKILL)
    gateways[0].process.wait(10)
    with Gateway(fleet.policy, *QUIET) as again:
        until(lambda: learned(again), 10)
        view, own = fleet.used(again)
        assert view >= settled
        settled += own + spend(again, 1)
        # What was told just as somebody died may be counted twice, and never less than once.
        until(lambda: redis.total("team-day") >= settled, 5)
        time.sleep(2 * INTERVAL)
        extra = redis.total("team-day") - settled
    said = [line for line in gateways[1].lines if "rate-limit service" in line]
    assert [line for line in said if "for this gateway alone" in line], said
    assert [line for line in said if "is well" in line], said
    assert len(said) <= 8, said
    tell(f"{settled} tokens settled through three deaths; {extra} more are counted")


HUNDREDTH_OF_A_CENT = 100_000
MONEY = {"name": "money", "unit": "usd", "per": "month", "limit": "0.05", "timezone": "Europe/Berlin"}


def used_money(gateway: Gateway) -> int:
    """What `sluice limits` says has been used of the limit in money, in billionths of a dollar; 0 where it has no counter."""
    done = subprocess.run([SLUICE, "limits", "--admin", gateway.admin], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    return sum(int(Fraction(row[2]) * 10**9) for row in rows if row[0] == MONEY["name"])


@pytest.mark.parametrize("engine", ["ratelimit", "limitador"])
def test_money_is_one_view_too(engine, mock_vendors, vendors, tell):
    """Told in hundredths of a cent; what is less than one is kept until it is one."""
    # An answer's token costs 0.00012345 dollars.
    prices = {"prices": {MODELS["openai"]: {"input": "0.1", "output": "123.45"}}}
    with service(engine, configuration(document(mock_vendors, 1, [MONEY]) | prices)) as (server, redis):
        shared = document(mock_vendors, server.port, [MONEY]) | prices
        with contextlib.ExitStack() as stack:
            gateways = [stack.enter_context(Gateway(shared, *QUIET)) for _ in range(3)]
            until(lambda: all(learned(gateway) for gateway in gateways), 10)
            settled = [0, 0, 0]
            # A turn at each of two, then the first alone until nothing is left.
            for turn in range(100):
                asked = 1 if turn == 1 else 0
                response = call(gateways[asked])
                if response.status_code == 429:
                    break
                assert response.status_code == 200, response.text
                settled[asked] += int(Fraction(response.headers["x-sluice-cost-usd"]) * 10**9)
                time.sleep(2 * INTERVAL + 0.3 if turn == 1 else 0)
            total = sum(settled)
            assert settled[0] % HUNDREDTH_OF_A_CENT and settled[1] % HUNDREDTH_OF_A_CENT, "there is something to keep"
            time.sleep(2 * INTERVAL + 0.3)
            views = []
            for position, gateway in enumerate(gateways):
                others = [nanos // HUNDREDTH_OF_A_CENT * HUNDREDTH_OF_A_CENT for nanos in settled]
                expected = settled[position] + sum(others) - others[position]
                until(lambda gateway=gateway, expected=expected: used_money(gateway) == expected or time.sleep(0.2), 5)
                views.append(expected)
                # Nobody has called the last one yet: it refuses by what the others have spent.
                assert "'money' (0.05 USD per month)" in error_of(call(gateway, max_tokens=20), 429)["message"]
            if redis:
                assert redis.total("money") == sum(nanos // HUNDREDTH_OF_A_CENT for nanos in settled)
            assert all(failures(gateway) == 0 for gateway in gateways)
    tell(f"{total} nano-dollars settled at two of three gateways; seen at each: {views}")


def test_the_service_is_reached_by_tls_and_by_its_name(mock_vendors, vendors, tmp_path):
    authority(tmp_path, "authority")
    authority(tmp_path, "stranger")
    for signer in ("authority", "stranger"):
        certificate(tmp_path, f"of-{signer}", "DNS:localhost", signer)
    limits = [BUDGET]
    for signer in ("authority", "stranger"):
        tls = tmp_path / f"of-{signer}.pem", tmp_path / f"of-{signer}.key"
        with Redis() as redis, Ratelimit(redis, configuration(document(mock_vendors, 1, limits)), tls) as server:
            secured = document(mock_vendors, server.port, limits)
            secured["limits_sync"]["endpoint"] = f"https://localhost:{server.port}"
            with Gateway(secured, *QUIET, "--", "--file-flush-interval-msec", "50", environment={"SSL_CERT_FILE": str(tmp_path / "authority.pem")}) as gateway:
                spent = spend(gateway, 2)
                if signer == "authority":
                    until(lambda: redis.total("team-day") == spent, 10)
                    assert learned(gateway) and failures(gateway) == 0
                else:
                    until(lambda: metric(gateway, UNREACHABLE), 10)
                    assert redis.total("team-day") == 0, "nothing is told to who has no certificate that is known"


def test_a_lost_service_refuses_where_the_policy_says_so(mock_vendors, vendors, tell):
    port = free_port()
    limits = [BUDGET]
    refusing = document(mock_vendors, port, limits, on_lost="refuse")
    with Gateway(refusing, *QUIET) as gateway:
        error = error_of(call(gateway), 503)
        assert error["code"] == "limits_unavailable"
        assert call(gateway).headers["retry-after"] == "1"
        limitador = Limitador(configuration(refusing))
        limitador.port = port
        with limitador:
            until(lambda: call(gateway).status_code == 200, 10)
            time.sleep(1)
            assert call(gateway).status_code == 200
            limitador.kill()
            start = time.monotonic()
            assert call(gateway).status_code == 200, "a moment's silence is none"
            until(lambda: call(gateway).status_code == 503, 12)
            took = time.monotonic() - start
            assert 3 < took < 9, took
            limitador.start()
            until(lambda: call(gateway).status_code == 200, 10)
    tell(f"calls were refused {took:.1f} s after the service had died")


def test_a_limit_that_the_service_does_not_know_is_said_once(mock_vendors, vendors):
    other = {"name": "other", "unit": "tokens", "per": "day", "limit": 10}
    with service("limitador", configuration(document(mock_vendors, 1, [other]))) as (server, _):
        with Gateway(document(mock_vendors, server.port, [BUDGET]), *QUIET) as gateway:
            spend(gateway, 2)
            until(lambda: failures(gateway) >= 3, 10)
            said = [line for line in gateway.lines if "doesn't count for the limit `team-day`" in line]
            assert len(said) == 1, said
            assert metric(gateway, 'sluice_limits_sync_failures_total{type="unknown_limit"}') >= 3
            assert not learned(gateway)


def test_envoys_own_filter_asks_for_each_call(mock_vendors, vendors, tell):
    """`check: synchronous`: tokens are charged when a call has ended, and the next one is refused at whichever gateway."""
    limits = [{"name": "tight", "unit": "tokens", "per": "day", "limit": 100, "by": ["team"]}]
    draft = document(mock_vendors, 1, limits, check="synchronous")
    with service("ratelimit", configuration(draft)) as (server, redis):
        synchronous = document(mock_vendors, server.port, limits, check="synchronous")
        with contextlib.ExitStack() as stack:
            gateways = [stack.enter_context(Gateway(synchronous, *QUIET)) for _ in range(2)]
            settled = 0
            for turn in range(20):
                response = call(gateways[turn % 2])
                if response.status_code == 429:
                    break
                settled += response.json()["usage"]["total_tokens"]
                until(lambda settled=settled: redis.total("tight") == settled, 3)
            assert error_of(response, 429)["code"] == "rate_limit_exceeded"
            assert settled > 100, "both gateways' calls together"
            server.kill()
            # Each gateway's own count goes on.
            assert call(gateways[0]).status_code in (200, 429)
    tell(f"refused by Envoy's filter after {settled} of 100 tokens at two gateways")
