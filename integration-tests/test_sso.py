"""Single sign-on: tokens of a real OpenID provider, verified by what `sluice render` puts in front of the policy filter."""

import base64
import json
import os
import pathlib
import shutil
import subprocess
import time

import httpx
import pytest
from support.answers import error_of, text_of
from support.gateway import CLIENT_KEY, Gateway, policy
from support.keys import entry

FOLDER = pathlib.Path(__file__).parent / "node"
BODY = {"model": "openai", "messages": [{"role": "user", "content": "Hello"}]}
CLIENTS = [
    {"id": "alice", "secret": "secret-of-alice", "claims": {"org": {"team": "red"}, "groups": ["dev", "ops"]}},
    {"id": "bob", "secret": "secret-of-bob", "claims": {"org": {"team": "blue"}}},
]


class Provider:
    """An OpenID provider, and forgeries of its tokens."""

    def __init__(self) -> None:
        node = shutil.which("node")
        assert node, "Node is not installed; version 20 or later is needed"
        assert (FOLDER / "node_modules/oidc-provider").is_dir(), "run `npm ci` in integration-tests/node"
        self.process = subprocess.Popen(
            [node, "oidc.mjs"],
            cwd=FOLDER,
            env=os.environ | {"CLIENTS": json.dumps(CLIENTS)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        lines = (line for line in self.process.stdout if line.startswith("{"))
        self.addresses = json.loads(next(lines))
        self.issuer, self.audience = self.addresses["issuer"], self.addresses["audience"]

    def __enter__(self) -> "Provider":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()

    def token(self, client: str, resource: str | None = None) -> str:
        """An access token, as a service gets its own."""
        form = {"grant_type": "client_credentials"} | ({"resource": resource} if resource else {})
        secret = next(known["secret"] for known in CLIENTS if known["id"] == client)
        answer = httpx.post(self.addresses["token"], data=form, auth=(client, secret), timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()["access_token"]

    def forge(self, alg: str = "RS256", key: str = "own", **claims: object) -> str:
        """A token of any content; a claim that is none is left out."""
        now = int(time.time())
        good = {"iss": self.issuer, "aud": self.audience, "sub": "alice", "iat": now, "exp": now + 600}
        claims = {name: value for name, value in (good | claims).items() if value is not None}
        body = {"claims": claims, "alg": alg, "key": key}
        return httpx.post(self.addresses["forge"], json=body, timeout=20).json()["token"]


@pytest.fixture(scope="module")
def provider():
    with Provider() as provider:
        yield provider


def document(mock_vendors, provider: Provider, **callers: object) -> dict:
    jwt = {
        "issuer": provider.issuer,
        "audiences": [provider.audience],
        "jwks_uri": provider.addresses["jwks_uri"],
        "team": "org.team",
        "roles": ["groups"],
    }
    callers = {"keys": [entry(CLIENT_KEY, "own")], "jwt": jwt, "failures_per_minute": 0} | callers
    return policy(mock_vendors, callers=callers, access=[{"allow": ["openai"], "when": {"teams": ["red"]}}])


@pytest.fixture(scope="module")
def gateway(mock_vendors, provider):
    with Gateway(document(mock_vendors, provider), "--log-level", "info") as gateway:
        yield gateway


def post(gateway: Gateway, headers: dict | str) -> httpx.Response:
    headers = {"authorization": f"Bearer {headers}"} if isinstance(headers, str) else headers
    return httpx.post(f"{gateway.url}/v1/chat/completions", json=BODY, headers=headers, timeout=20)


def test_a_token_is_its_users(gateway, vendors, provider):
    assert text_of(post(gateway, provider.token("alice")))
    error = error_of(post(gateway, provider.token("bob")), 403)
    assert error["code"] == "access_denied", "bob's team may not"
    (record,) = vendors.records()
    assert provider.token("alice").split(".")[0] not in json.dumps(record)


@pytest.mark.parametrize("header", ["x-api-key", "api-key", "x-goog-api-key"])
def test_a_token_is_taken_wherever_sdks_put_a_key(gateway, vendors, provider, header):
    assert text_of(post(gateway, {header: provider.token("alice")}))


def test_keys_work_beside_tokens(mock_vendors, vendors, provider):
    callers = {"keys": [entry(CLIENT_KEY, "own", team="red"), entry("a.b.c", "dotted", team="red")]}
    with Gateway(document(mock_vendors, provider, **callers), "--concurrency", "1") as gateway:
        for key in (CLIENT_KEY, "a.b.c"):
            assert text_of(post(gateway, key))
            assert text_of(post(gateway, {"x-api-key": key}))


BAD = {
    "another issuer": {"iss": "https://issuer.example"},
    "no issuer": {"iss": None},
    "another audience": {"aud": "https://other.example"},
    "no audience": {"aud": None},
    "expired": {"iat": 1_600_000_000, "exp": 1_600_000_600},
    "without an end": {"exp": None},
    "not yet": {"nbf": 4_000_000_000},
    "another key": {"key": "stranger"},
    "no algorithm": {"alg": "none"},
    "the public key as a secret": {"alg": "HS256"},
    "without a user": {"sub": None},
}


@pytest.mark.parametrize("name", BAD)
def test_a_token_that_is_not_good_is_refused(name, gateway, vendors, provider):
    answer = post(gateway, provider.forge(**BAD[name], org={"team": "red"}))
    error = error_of(answer, 401)
    assert error["type"] == "invalid_request_error"
    assert vendors.records() == []


def test_a_forgery_that_is_good_in_all_is_accepted(gateway, vendors, provider):
    """So that the others are refused for what they lack, and for nothing else."""
    assert text_of(post(gateway, provider.forge(org={"team": "red"})))


def test_a_token_for_another_service_is_refused(gateway, vendors, provider):
    error_of(post(gateway, provider.token("alice", "https://other.example")), 401)


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_token_that_was_touched_is_refused(gateway, vendors, provider, part):
    parts = provider.token("alice").split(".")
    if part == 1:
        padded = parts[1] + "=" * (-len(parts[1]) % 4)
        claims = json.loads(base64.urlsafe_b64decode(padded)) | {"sub": "root"}
        parts[1] = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    else:
        parts[part] = parts[part][:-5] + ("AAAAA" if parts[part][-5:] != "AAAAA" else "BBBBB")
    error_of(post(gateway, ".".join(parts)), 401)


def test_credentials_that_disagree_are_refused(gateway, vendors, provider):
    alice, bob = provider.token("alice"), provider.token("bob")
    for headers in (
        {"authorization": f"Bearer {alice}", "x-api-key": CLIENT_KEY},
        {"authorization": f"Bearer {CLIENT_KEY}", "x-api-key": alice},
        {"authorization": f"Bearer {bob}", "x-api-key": alice},
        {"authorization": f"Bearer x, Bearer {alice}"},
        {"authorization": f"Basic x Bearer {alice}"},
        {"authorization": f"Bearer {alice},{bob}"},
    ):
        error_of(post(gateway, headers), 401)
    assert vendors.records() == []


def test_a_token_in_the_url_counts_for_nothing(gateway, vendors, provider):
    url = f"{gateway.url}/v1/chat/completions?access_token={provider.token('alice')}"
    error_of(httpx.post(url, json=BODY, timeout=20), 401)


def test_a_bad_token_is_never_anybody(mock_vendors, vendors, provider):
    with Gateway(document(mock_vendors, provider, anonymous="allow") | {"access": []}, "--concurrency", "1") as gateway:
        assert text_of(post(gateway, {}))
        assert text_of(post(gateway, "any-key-of-an-sdk"))
        error_of(post(gateway, provider.forge(iss="https://issuer.example")), 401)
        error_of(post(gateway, provider.forge(alg="none")), 401)


def test_no_token_stands_in_any_log(gateway, provider):
    tokens = [provider.token("alice"), provider.token("bob"), provider.forge(alg="none")]
    for token in tokens:
        post(gateway, token)
    pages = [httpx.get(f"{gateway.admin}/{page}", timeout=20).text for page in ("stats", "config_dump", "clusters")]
    said = "\n".join(gateway.lines + pages)
    assert provider.issuer in said, "the dump is not the one that was meant"
    for token in tokens:
        for part in token.split(".")[1:]:
            assert not part or part not in said
