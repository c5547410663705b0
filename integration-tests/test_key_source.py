"""Keys that change while the gateway runs: signed bundles from a source, and what happens when they are bad or missing."""

import re
import time

import httpx
import pytest
from support.answers import error_of, text_of
from support.gateway import CLIENT_KEY, Gateway, policy
from support.keys import Signer, Source, entry
from support.waiting import until

BODY = {"model": "openai", "messages": [{"role": "user", "content": "Hello"}]}
ALICE, BOB = "slc-key-of-alice", "slc-key-of-bob"
# A change is in force after the refresh interval (1 s), half a tick and the time of a fetch.
WITHIN = 1.75


@pytest.fixture(scope="module")
def signer(tmp_path_factory):
    return Signer(tmp_path_factory.mktemp("signer"))


@pytest.fixture
def source():
    with Source() as source:
        yield source


def gateway_of(mock_vendors, source: Source, signer: Signer, *arguments: str, **fields: object) -> Gateway:
    """A gateway that gets keys from the source, and has one of its own."""
    callers = {"keys": [entry(CLIENT_KEY, "own")], "source": source.entry(signer, **fields), "failures_per_minute": 0}
    return Gateway(policy(mock_vendors, callers=callers), "--log-level", "info", *arguments)


def post(gateway: Gateway, key: str) -> httpx.Response:
    headers = {"authorization": f"Bearer {key}"}
    return httpx.post(f"{gateway.url}/v1/chat/completions", json=BODY, headers=headers, timeout=20)


def becomes(gateway: Gateway, key: str, status: int, seconds: float = 10) -> float:
    """Waits until a key is answered so; how long it took."""
    start = time.monotonic()
    until(lambda: post(gateway, key).status_code == status, seconds)
    return time.monotonic() - start


def metric(gateway: Gateway, name: str) -> int | None:
    """The value of one of the module's metrics, by its name with its labels."""
    found = re.search(rf"^{re.escape(name)}(?:{{}})? (\d+)$", gateway.metrics(), re.MULTILINE)
    return found and int(found[1])


def failures(gateway: Gateway, kind: str) -> int:
    return metric(gateway, f'sluice_key_source_failures_total{{type="{kind}"}}') or 0


def test_keys_come_and_go_within_the_refresh_interval(mock_vendors, vendors, source, signer, tell):
    source.bundle = signer.bundle(1, [entry(ALICE, "alice", team="a"), entry(BOB, "bob")])
    with gateway_of(mock_vendors, source, signer) as gateway:
        first = becomes(gateway, ALICE, 200)
        assert text_of(post(gateway, BOB))
        assert text_of(post(gateway, CLIENT_KEY)), "the policy's own key"
        assert error_of(post(gateway, "slc-unknown"), 401)["code"] == "invalid_api_key"

        source.bundle = signer.bundle(2, [entry(ALICE, "alice", team="a")])
        revoked = becomes(gateway, BOB, 401)
        assert revoked < WITHIN
        assert text_of(post(gateway, ALICE))

        source.bundle = signer.bundle(3, [entry(ALICE, "alice", disabled=True), entry(BOB, "bob")])
        assert becomes(gateway, ALICE, 401) < WITHIN
        assert "disabled" in post(gateway, ALICE).text
        assert text_of(post(gateway, BOB))

        source.bundle = signer.bundle(4, [])
        assert becomes(gateway, BOB, 401) < WITHIN
        until(lambda: metric(gateway, "sluice_key_source_serial") == 4, 5)
        # A bundle that is the same is not sent again.
        until(lambda: source.statuses[-1] == 304, 5)
        assert "sluice_key_source_failures_total" not in gateway.metrics()
    tell(
        f"the first bundle was in force {first:.2f} s after the start; a key was revoked {revoked:.2f} s after its bundle"
    )


BAD = {
    "nobody's signature": lambda good, new, _: b"A" * 86 + b"==\n" + new.split(b"\n", 1)[1],
    "another one's signature": lambda good, new, other: other,
    "a changed line": lambda good, new, _: new.replace(b'"bob"', b'"eve"'),
    "a line less": lambda good, new, _: new[: new.rindex(b"\n", 0, -1) + 1],
    "a line more": lambda good, new, _: new + new.splitlines()[-1].replace(b"bob", b"eve") + b"\n",
    "half of it": lambda good, new, _: new[: len(new) // 2],
    "another signature": lambda good, new, _: good.split(b"\n", 1)[0] + b"\n" + new.split(b"\n", 1)[1],
    "nothing": lambda good, new, _: b"",
    "bytes": lambda good, new, _: bytes(range(256)) * 50,
    "a page": lambda good, new, _: b"<html>Not found</html>\n",
}


def test_a_bundle_that_is_not_good_changes_nothing(mock_vendors, vendors, source, signer, tmp_path):
    """Each in turn, against one gateway: the keys in force stay, the failure is counted and said once, and a good one heals it."""
    good = signer.bundle(10, [entry(ALICE, "alice")])
    new = signer.bundle(11, [entry(BOB, "bob")])
    stranger = Signer(tmp_path, "stranger").bundle(11, [entry(BOB, "bob")])
    source.bundle = good
    with gateway_of(mock_vendors, source, signer) as gateway:
        becomes(gateway, ALICE, 200)
        for name, make in BAD.items():
            served = len(source.statuses)
            source.bundle = make(good, new, stranger)
            until(lambda served=served: len(source.statuses) > served, 5)
            time.sleep(0.1)
            assert post(gateway, ALICE).status_code == 200, name
            assert post(gateway, BOB).status_code == 401, name
        assert failures(gateway, "signature") >= 4
        assert failures(gateway, "malformed") >= 3

        source.bundle = signer.bundle(9, [entry(BOB, "bob")])
        until(lambda: failures(gateway, "older") >= 1, 5)
        source.bundle = signer.bundle(10, [entry(BOB, "bob")])
        until(lambda: failures(gateway, "older") >= 2, 5)
        source.bundle = signer.bundle(12, [entry(BOB, "bob")], "--expires", "2020-01-01T00:00:00Z")
        until(lambda: failures(gateway, "expired") >= 1, 5)
        assert post(gateway, ALICE).status_code == 200
        assert post(gateway, BOB).status_code == 401
        assert metric(gateway, "sluice_key_source_serial") == 10

        source.bundle = new
        becomes(gateway, BOB, 200, 3)
        said = [line for line in gateway.lines if "bundle of keys is refused" in line]
        assert any("older" in line for line in said) and any("signature" in line for line in said)
        assert not [line for line in gateway.lines if ALICE in line or BOB in line]


def test_a_source_that_is_down_leaves_the_keys_in_force(mock_vendors, vendors, source, signer):
    source.bundle = signer.bundle(1, [entry(ALICE, "alice")])
    with gateway_of(mock_vendors, source, signer) as gateway:
        becomes(gateway, ALICE, 200)
        source.stop()
        until(lambda: failures(gateway, "unreachable") + failures(gateway, "status") >= 2, 10)
        assert metric(gateway, "sluice_key_source_age_seconds") >= 1
        assert text_of(post(gateway, ALICE))
        source.start()
        source.bundle = signer.bundle(2, [entry(BOB, "bob")])
        becomes(gateway, BOB, 200, 5)
        assert post(gateway, ALICE).status_code == 401
        until(lambda: metric(gateway, "sluice_key_source_age_seconds") <= 1, 5)
        source.status = 500
        until(lambda: failures(gateway, "status") >= 1, 5)
        assert text_of(post(gateway, BOB))


def test_keys_end_when_the_source_is_silent_for_too_long(mock_vendors, vendors, source, signer):
    source.bundle = signer.bundle(1, [entry(ALICE, "alice")])
    with gateway_of(mock_vendors, source, signer, stale="3s") as gateway:
        becomes(gateway, ALICE, 200)
        time.sleep(4)
        assert text_of(post(gateway, ALICE)), "a source that answers 304 keeps them fresh"
        source.status = 503
        took = becomes(gateway, ALICE, 503, 8)
        assert 1.5 < took < 6
        error = error_of(post(gateway, ALICE), 503)
        assert error["code"] == "keys_unavailable"
        assert post(gateway, ALICE).headers["retry-after"] == "5"
        assert post(gateway, "slc-unknown").status_code == 503
        assert text_of(post(gateway, CLIENT_KEY)), "the policy's own keys depend on no source"
        source.status = 200
        becomes(gateway, ALICE, 200, 3)


def test_keys_end_with_their_bundle(mock_vendors, vendors, source, signer):
    source.bundle = signer.bundle(1, [])
    with gateway_of(mock_vendors, source, signer) as gateway:
        becomes(gateway, ALICE, 401)
        end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 5))
        source.bundle = signer.bundle(2, [entry(ALICE, "alice")], "--expires", end)
        becomes(gateway, ALICE, 200, 4)
        becomes(gateway, ALICE, 503, 8)


def test_a_gateway_that_has_no_bundle_yet_asks_again_soon(mock_vendors, vendors, source, signer):
    source.status = 503
    with gateway_of(mock_vendors, source, signer, refresh="1h") as gateway:
        assert error_of(post(gateway, ALICE), 503)["code"] == "keys_unavailable"
        assert text_of(post(gateway, CLIENT_KEY))
        nobody = httpx.post(f"{gateway.url}/v1/chat/completions", json=BODY, timeout=20)
        assert error_of(nobody, 401)["code"] == "missing_api_key"
        source.bundle = signer.bundle(1, [entry(ALICE, "alice")])
        source.status = 200
        assert becomes(gateway, ALICE, 200) < WITHIN


def test_a_gateway_that_starts_again_has_its_keys_again(mock_vendors, vendors, source, signer):
    source.bundle = signer.bundle(5, [entry(ALICE, "alice")])
    for _ in range(2):
        with gateway_of(mock_vendors, source, signer) as gateway:
            assert becomes(gateway, ALICE, 200) < 2


def test_a_source_that_hangs_stops_nobody(mock_vendors, vendors, source, signer):
    source.bundle = signer.bundle(1, [entry(ALICE, "alice")])
    with gateway_of(mock_vendors, source, signer) as gateway:
        becomes(gateway, ALICE, 200)
        source.hanging.set()
        slowest = 0.0
        end = time.monotonic() + 3
        while time.monotonic() < end:
            start = time.monotonic()
            assert post(gateway, ALICE).status_code == 200
            slowest = max(slowest, time.monotonic() - start)
        assert slowest < 1


def test_two_signers_are_accepted_while_they_change(mock_vendors, vendors, source, signer, tmp_path):
    successor = Signer(tmp_path, "successor")
    source.bundle = signer.bundle(1, [entry(ALICE, "alice")])
    with gateway_of(mock_vendors, source, signer, public_key=[signer.public, successor.public]) as gateway:
        becomes(gateway, ALICE, 200)
        source.bundle = successor.bundle(2, [entry(BOB, "bob")])
        becomes(gateway, BOB, 200, 4)


def test_a_hundred_thousand_keys_stall_nobody(mock_vendors, vendors, source, signer, tell):
    """Requests of one connection run on while bundles of 100,000 keys come into force again and again."""
    many = [entry(f"key {number}", f"id-{number}", team="a", user=f"user {number}") for number in range(100_000)]
    source.bundle = signer.bundle(1, [entry(ALICE, "alice")])
    with gateway_of(mock_vendors, source, signer, "--concurrency", "1", refresh="2s") as gateway:
        becomes(gateway, ALICE, 200)
        small = gateway.resident()
        few = pace(gateway, 4)
        source.bundle = signer.bundle(2, [entry(ALICE, "alice"), *many])
        size = len(source.bundle)
        becomes(gateway, "key 99999", 200, 30)
        full = pace(gateway, 4)
        bundles = [signer.bundle(serial, [entry(ALICE, "alice"), *many]) for serial in (3, 4)]
        start = time.monotonic()
        refreshing = []
        for bundle in bundles:
            source.bundle = bundle
            refreshing += pace(gateway, 5)
        assert metric(gateway, "sluice_key_source_serial") == 4, time.monotonic() - start
        memory = gateway.resident() - small
        tell(
            f"a bundle of {size / 1e6:.1f} MB: {memory / 1e6:.0f} MB more memory; a request took "
            f"{middle(few):.2f} ms with one key, {middle(full):.2f} ms with 100,001 (middle), "
            f"at most {max(full) * 1000:.0f} ms at rest and {max(refreshing) * 1000:.0f} ms during two refreshes"
        )
        assert middle(full) < 2 * middle(few) + 1
        assert max(refreshing) < 0.5


def middle(times: list[float]) -> float:
    """The middle one, in milliseconds."""
    return sorted(times)[len(times) // 2] * 1000


def pace(gateway: Gateway, seconds: float) -> list[float]:
    """How long each of a row of requests took."""
    times = []
    with httpx.Client(base_url=gateway.url, timeout=20, headers={"authorization": f"Bearer {ALICE}"}) as client:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            start = time.monotonic()
            assert client.post("/v1/chat/completions", json=BODY).status_code == 200
            times.append(time.monotonic() - start)
    return times
