"""Callers without a key of their own: tokens that Envoy's jwt_authn has verified, and client certificates."""

import base64
import hashlib
import hmac
import json
import pathlib
import ssl
import subprocess
import time

import httpx
import pytest
from support.answers import check_request, error_of, text_of
from support.custom import CustomGateway, manager_of
from support.gateway import CLIENT_KEY, policy

SECRET = b"a shared secret of issuer and gateway"
BODY = {"model": "openai", "messages": [{"role": "user", "content": "Hello"}]}


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(secret: bytes = SECRET, algorithm: str = "HS256", **claims: object) -> str:
    """A signed token; by default one that is good for an hour."""
    now = int(time.time())
    claims = {"iss": "https://issuer.example", "aud": "sluice", "sub": "alice", "exp": now + 3600} | claims
    head = {"alg": algorithm, "typ": "JWT", "kid": "one"}
    text = ".".join(encode(json.dumps(part).encode()) for part in (head, claims))
    signature = hmac.new(secret, text.encode(), hashlib.sha256).digest()
    return f"{text}.{'' if algorithm == 'none' else encode(signature)}"


def with_jwt_authn(bootstrap: dict) -> None:
    """Puts jwt_authn before the policy filter, as an operator does who has one already."""
    keys = {"keys": [{"kty": "oct", "alg": "HS256", "kid": "one", "k": encode(SECRET)}]}
    provider = {
        "issuer": "https://issuer.example",
        "audiences": ["sluice"],
        "local_jwks": {"inline_string": json.dumps(keys)},
        "payload_in_metadata": "sso",
        "failed_status_in_metadata": "sso_failed",
    }
    any_of = [{"provider_name": "sso"}, {"allow_missing_or_failed": {}}]
    config = {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
        "providers": {"sso": provider},
        "rules": [{"match": {"prefix": "/"}, "requires": {"requires_any": {"requirements": any_of}}}],
    }
    manager = manager_of(bootstrap)
    manager["http_filters"].insert(0, {"name": "envoy.filters.http.jwt_authn", "typed_config": config})


CLAIMS = {
    "payload_metadata": "sso",
    "user": "{tenant.name}/{sub}",
    "team": "tenant.team",
    "roles": ["https://example.com/roles", "scope"],
}
RULES = [
    {"name": "no-guests", "deny": ["*"], "when": {"roles": ["guest"]}},
    {"name": "carol", "allow": ["gemini"], "when": {"users": ["*/carol"]}},
    {"name": "research", "allow": ["openai"], "when": {"teams": ["research"]}},
    {"name": "admins", "allow": ["*"], "when": {"roles": ["admin"]}},
    {"name": "keys", "allow": ["anthropic"], "when": {"keys": ["tests"]}},
]


@pytest.fixture(scope="module", params=["deny", "allow"], ids=["closed", "open"])
def tokens(request, mock_vendors):
    """A gateway behind jwt_authn, once for known callers only and once for anybody."""
    usual = policy(mock_vendors)["callers"]
    callers = usual | {"anonymous": request.param, "jwt": CLAIMS, "failures_per_minute": 0}
    rules = RULES if request.param == "deny" else []
    with CustomGateway(policy(mock_vendors, callers=callers, access=rules), with_jwt_authn) as gateway:
        gateway.closed = request.param == "deny"
        yield gateway
        assert gateway.wasm_trouble() == []


def post(gateway, headers: dict, model: str = "openai", query: str = "") -> httpx.Response:
    url = f"{gateway.url}/v1/chat/completions{query}"
    return httpx.post(url, json=BODY | {"model": model}, headers=headers, timeout=20)


def bearer(credential: str) -> dict:
    return {"authorization": f"Bearer {credential}"}


def test_a_verified_token_is_a_caller_and_goes_nowhere(tokens, vendors):
    credential = token(tenant={"name": "prod", "team": "research"}, scope="read write")
    answer = post(tokens, bearer(credential))
    assert text_of(answer)
    (record,) = vendors.records()
    check_request(record, vendors, "openai")
    assert credential not in json.dumps(record) and "alice" not in json.dumps(record)
    time.sleep(0.3)
    (line,) = [json.loads(line) for line in tokens.lines if line.startswith("{") and "prod/alice" in line]
    assert "jwt:prod/alice" in line.values() and "research" in line.values()
    assert credential not in "\n".join(tokens.lines)
    label = "research" if tokens.closed else "other"
    assert f'team="{label}"' in tokens.metrics()


CALLERS = {
    "team": ({"tenant": {"name": "p", "team": "research"}}, "openai", 200),
    "another team": ({"tenant": {"name": "p", "team": "sales"}}, "openai", 403),
    "no team": ({"tenant": {"name": "p"}}, "openai", 403),
    "user": ({"sub": "carol", "tenant": {"name": "p"}}, "gemini", 200),
    "role of a list": ({"tenant": {"name": "p"}, "https://example.com/roles": ["x", "admin"]}, "anthropic", 200),
    "role of a scope": ({"tenant": {"name": "p"}, "scope": "read admin"}, "anthropic", 200),
    "role that is only similar": ({"tenant": {"name": "p"}, "scope": "admin2 read"}, "anthropic", 403),
    "role that denies": ({"tenant": {"name": "p"}, "scope": "admin guest"}, "anthropic", 403),
    "no user": ({"sub": ""}, "openai", 401),
    "a user that is no text": ({"tenant": {"name": ["p", "q"]}}, "openai", 401),
}


@pytest.mark.parametrize("who", CALLERS)
def test_claims_decide(who, tokens, vendors):
    if not tokens.closed:
        pytest.skip("without rules, whoever has proven who he is may use everything")
    claims, model, status = CALLERS[who]
    assert post(tokens, bearer(token(**claims)), model).status_code == status


GOOD = {"tenant": {"name": "p", "team": "research"}}
BAD = {
    "expired": lambda: token(exp=int(time.time()) - 120, **GOOD),
    "not yet valid": lambda: token(nbf=int(time.time()) + 3600, **GOOD),
    "another issuer": lambda: token(iss="https://other.example", **GOOD),
    "another audience": lambda: token(aud="other", **GOOD),
    "another secret": lambda: token(b"another secret", **GOOD),
    "another algorithm": lambda: token(algorithm="HS512", **GOOD),
    "no signature": lambda: token(algorithm="none", **GOOD),
    "a cut signature": lambda: token(**GOOD)[:-3],
    "changed claims": lambda: token(**GOOD).replace(".", "." + encode(b'{"sub":"root"}') + ".", 1).rsplit(".", 2)[0] + ".x",
}


@pytest.mark.parametrize("fault", BAD)
def test_a_token_that_is_not_in_order_is_refused_and_never_anonymous(fault, tokens, vendors):
    credential = BAD[fault]()
    error = error_of(post(tokens, bearer(credential)), 401)
    assert error["code"] == "invalid_token"
    assert error["message"] == ("This token has expired." if fault == "expired" else "This token is not valid here.")
    assert vendors.records() == []
    assert credential not in "\n".join(tokens.lines)


def test_keys_work_beside_tokens_but_not_with_them(tokens, vendors):
    good = token(**GOOD)
    assert text_of(post(tokens, bearer(CLIENT_KEY), "anthropic"))
    assert text_of(post(tokens, {"x-api-key": CLIENT_KEY}, "anthropic"))
    assert "disagree" in error_of(post(tokens, bearer(good) | {"x-api-key": CLIENT_KEY}, "anthropic"), 401)["message"]
    # jwt_authn looks for a token in the query too.
    doubled = post(tokens, bearer(CLIENT_KEY), "anthropic", f"?access_token={good}")
    assert "disagree" in error_of(doubled, 401)["message"]
    if tokens.closed:
        assert error_of(post(tokens, {}), 401)["code"] == "missing_api_key"
        assert error_of(post(tokens, bearer("unknown")), 401)["code"] == "invalid_api_key"
    else:
        assert text_of(post(tokens, bearer("unknown")))


def test_a_client_cannot_claim_anything_by_itself(tokens, vendors):
    claims = {"x-jwt-payload": encode(json.dumps({"sub": "root"}).encode()), "x-forwarded-client-cert": "URI=spiffe://prod"}
    if tokens.closed:
        assert post(tokens, claims).status_code == 401


# ---- certificates


def openssl(*arguments: str, folder: pathlib.Path) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=30)


def authority(folder: pathlib.Path, name: str) -> None:
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *curve, "-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", "2", "-subj", f"/CN={name}", folder=folder)


def certificate(folder: pathlib.Path, name: str, names: str, issuer: str = "ca") -> None:
    """A certificate with these subject alternative names, in `<name>.pem` with its key in `<name>.key`."""
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", *curve, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}", folder=folder)
    (folder / f"{name}.ext").write_text(f"subjectAltName={names}")
    signed = ["-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key", "-CAcreateserial", "-days", "1", "-extfile", f"{name}.ext"]
    openssl("x509", "-req", "-in", f"{name}.csr", *signed, "-out", f"{name}.pem", folder=folder)


NAMES = {
    "checkout": "URI:spiffe://prod/ns/shop/sa/checkout",
    "other": "URI:spiffe://prod/ns/shop/sa/other",
    "deeper": "URI:spiffe://prod/ns/a/b/sa/checkout",
    "foreign": "URI:spiffe://test/ns/shop/sa/checkout",
    "service": "DNS:reports.svc.example.com",
    "subdomain": "DNS:a.reports.svc.example.com",
    "text": "DNS:spiffe.example.com,email:spiffe@example.com",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    authority(folder, "ca")
    authority(folder, "rogue")
    certificate(folder, "server", "IP:127.0.0.1")
    for name, names in NAMES.items():
        certificate(folder, name, names)
    certificate(folder, "forged", NAMES["checkout"], "rogue")
    return folder


@pytest.fixture(scope="module")
def mesh(mock_vendors, folder):
    """A gateway with TLS that takes clients' certificates, and asks for none."""

    def with_tls(bootstrap: dict) -> None:
        context = {
            "tls_certificates": [
                {"certificate_chain": {"filename": str(folder / "server.pem")}, "private_key": {"filename": str(folder / "server.key")}}
            ],
            "validation_context": {"trusted_ca": {"filename": str(folder / "ca.pem")}},
        }
        bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]["transport_socket"] = {
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
                "require_client_certificate": False,
                "common_tls_context": context,
            },
        }

    callers = policy(mock_vendors)["callers"] | {
        "mtls": [
            {"spiffe": "spiffe://prod/ns/*/sa/checkout", "team": "shop", "roles": ["service"], "models": ["openai"]},
            {"dns": "*.svc.example.com", "user": "reports", "team": "reports"},
        ],
        "failures_per_minute": 0,
    }
    rules = [{"allow": ["openai", "gemini"], "when": {"teams": ["shop", "reports"]}}, {"allow": ["*"], "when": {"keys": ["tests"]}}]
    with CustomGateway(policy(mock_vendors, callers=callers, access=rules), with_tls) as gateway:
        yield gateway
        assert gateway.wasm_trouble() == []


def call(mesh, folder: pathlib.Path, name: str | None, model: str = "openai", **headers: str) -> httpx.Response:
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    if name:
        context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    headers = {header.replace("_", "-"): value for header, value in headers.items()}
    with httpx.Client(verify=context, timeout=20) as client:
        url = f"https://127.0.0.1:{mesh.port}/v1/chat/completions"
        return client.post(url, json=BODY | {"model": model}, headers=headers)


def test_a_certificate_is_a_caller(mesh, folder, vendors):
    assert text_of(call(mesh, folder, "checkout"))
    assert text_of(call(mesh, folder, "service", "gemini"))
    # SDKs insist on a key; this one stands for none.
    assert text_of(call(mesh, folder, "checkout", authorization="Bearer none"))
    assert error_of(call(mesh, folder, "checkout", "gemini"), 403)["message"].startswith("Your credential is not for")
    assert error_of(call(mesh, folder, "service", "anthropic"), 403)["code"] == "access_denied"
    for record in vendors.records():
        assert "spiffe" not in json.dumps(record) and "svc.example.com" not in json.dumps(record)
    time.sleep(0.3)
    logged = [line for line in mesh.lines if line.startswith("{")]
    assert any("mtls:spiffe://prod/ns/shop/sa/checkout" in line for line in logged)
    assert any("mtls:reports.svc.example.com" in line for line in logged)


@pytest.mark.parametrize("name", [None, "other", "deeper", "foreign", "subdomain", "text"])
def test_a_certificate_of_another_name_is_none(mesh, folder, vendors, name):
    assert error_of(call(mesh, folder, name), 401)["code"] == "missing_api_key"
    assert vendors.records() == []


def test_a_certificate_of_another_authority_ends_the_connection(mesh, folder, vendors):
    with pytest.raises(httpx.TransportError):
        call(mesh, folder, "forged")
    assert vendors.records() == []


def test_a_key_goes_before_the_certificate_and_a_bad_one_is_not_passed_over(mesh, folder, vendors):
    assert text_of(call(mesh, folder, "other", "anthropic", x_api_key=CLIENT_KEY))
    assert text_of(call(mesh, folder, "checkout", "anthropic", x_api_key=CLIENT_KEY))
    assert error_of(call(mesh, folder, "checkout", authorization="Bearer unknown"), 401)["code"] == "invalid_api_key"
