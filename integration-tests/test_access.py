"""The access cases on the real Envoy: who is let through, to which targets, and in which words the others are refused."""

import datetime
import hashlib
import pathlib

import httpx
import pytest
import yaml
from support.answers import NAMES, error_of, text_of
from support.gateway import MODELS, Gateway, policy, providers
from support.vendors import ROOT

CASES = sorted(pathlib.Path(ROOT / "test-cases/access").glob("*.yaml"))
# The providers of the cases, and the vendors that stand for them.
VENDORS = {"eu": "openai", "us": "anthropic", "here": "gemini"}
REGIONS = {"eu": "eu-west", "us": "us-east"}


def key_of(name: str) -> str:
    return f"key-of-{name}"


def keys(callers: dict) -> list[dict]:
    return [
        {"id": name, "sha256": hashlib.sha256(key_of(name).encode()).hexdigest()} | fields
        for name, fields in callers.items()
    ]


def document(mock_vendors, case: dict) -> dict:
    """The policy of a case."""
    known = providers(mock_vendors)
    places = {
        name: known[vendor] | ({"region": REGIONS[name]} if name in REGIONS else {}) for name, vendor in VENDORS.items()
    }
    models = {
        model: {"targets": [{"provider": name, "model": MODELS[VENDORS[name]]} for name in targets]}
        for model, targets in case["models"].items()
    }
    return policy(
        mock_vendors,
        models,
        providers=places,
        callers={"anonymous": "allow", "keys": keys(case["callers"])},
        access=case["access"],
    )


def ask(gateway: Gateway, model: str, caller: str | None = None, headers: dict | None = None) -> httpx.Response:
    headers = dict(headers or {})
    if caller:
        headers["authorization"] = f"Bearer {key_of(caller)}"
    body = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
    return httpx.post(f"{gateway.url}/v1/chat/completions", json=body, headers=headers, timeout=20)


def check_denied(answer: httpx.Response, denied: bool | str, model: str) -> None:
    error = error_of(answer, 403)
    assert (error["code"], error["param"]) == ("access_denied", "model")
    said = {
        True: f"No access rule allows you to use the model '{model}'.",
        "credential": f"Your credential is not for the model '{model}'.",
    }
    assert error["message"] == said.get(
        denied, f"The access rule '{denied}' does not let you use the model '{model}'."
    )


@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
def test_every_case_is_decided_as_it_says(path, mock_vendors, vendors):
    case = yaml.safe_load(path.read_text())
    with Gateway(document(mock_vendors, case), "--concurrency", "1") as gateway:
        for vendor in VENDORS.values():
            # A status that leads to the next target, and that no provider is passed over for.
            vendors.script(vendor, {"kind": "status", "status": 500}, times=0)
        asked = 0
        for request in case["requests"]:
            # Envoy's clock can't be set.
            if "at" in request:
                continue
            before = len(vendors.records())
            answer = ask(gateway, request["model"], request.get("caller"), request.get("headers"))
            tried = [record["instance"] for record in vendors.records()[before:]]
            if "targets" in request:
                assert tried == [VENDORS[name] for name in request["targets"]], request
                assert answer.headers["x-sluice-failed"] == ", ".join(f"{name};500" for name in request["targets"])
            elif "denied" in request:
                check_denied(answer, request["denied"], request["model"])
                assert tried == [], request
            else:
                assert error_of(answer, 404)["code"] == "model_not_found"
                assert tried == [], request
            asked += 1
        assert asked >= 5
        assert gateway.wasm_trouble() == []


def test_a_target_that_may_not_be_used_is_left_out_of_the_middle(mock_vendors, vendors):
    case = {
        "models": {"chat": ["eu", "us", "here"]},
        "callers": {"eu": {"team": "eu"}, "all": {"team": "all"}},
        "access": [{"name": "not-us", "deny": ["*"], "when": {"teams": ["eu"], "regions": ["us-*"]}}, {"allow": ["*"]}],
    }
    with Gateway(document(mock_vendors, case), "--concurrency", "1") as gateway:
        for caller, second in [("eu", "here"), ("all", "us"), ("eu", "here")]:
            vendors.reset()
            vendors.script("openai", {"kind": "status", "status": 500})
            answer = ask(gateway, "chat", caller)
            assert text_of(answer) == f'This is {NAMES[VENDORS[second]]}. You said: "Hello".'
            assert answer.headers["x-sluice-failed"] == "eu;500"
            assert [record["instance"] for record in vendors.records()] == ["openai", VENDORS[second]]
        # Nor when everybody else has failed, in whatever way.
        vendors.reset()
        vendors.script("openai", {"kind": "reset"})
        vendors.script("gemini", {"kind": "status", "status": 429})
        answer = ask(gateway, "chat", "eu")
        assert answer.status_code == 429
        assert vendors.records("anthropic") == []


def test_models_with_the_same_targets_share_their_clusters(mock_vendors, vendors):
    case = {
        "models": {name: ["eu", "us", "here"] for name in ("one", "two", "three")} | {"part": ["eu", "here"]},
        "callers": {"ci": {}},
        "access": [],
    }
    with Gateway(document(mock_vendors, case), "--concurrency", "1") as gateway:
        clusters = httpx.get(f"{gateway.admin}/clusters?format=json", timeout=20).json()["cluster_statuses"]
        lists = sorted(cluster["name"] for cluster in clusters if cluster["name"].startswith("sluice-targets/"))
        assert lists == sorted(
            f"sluice-targets/{names}" for names in ["eu", "us", "here", "eu,us", "eu,here", "us,here", "eu,us,here"]
        )
        for model in case["models"]:
            assert text_of(ask(gateway, model, "ci"))


def test_a_window_of_time_is_of_the_real_clock(mock_vendors, vendors):
    """A window around now, in a zone some hours away, and one that is over."""
    zone = datetime.timezone(datetime.timedelta(hours=5, minutes=30))

    def window(begin: int, end: int) -> dict:
        now = datetime.datetime.now(zone)
        clock = [f"{now + datetime.timedelta(minutes=minutes):%H:%M}" for minutes in (begin, end)]
        days = {f"{now + datetime.timedelta(minutes=minutes):%a}".lower() for minutes in (begin, end)}
        return {"time": {"from": clock[0], "to": clock[1], "days": sorted(days), "offset": "+05:30"}}

    case = {
        "models": {"now": ["eu"], "over": ["eu"]},
        "callers": {"ci": {}},
        "access": [{"allow": ["now"], "when": window(-30, 30)}, {"allow": ["over"], "when": window(-60, -30)}],
    }
    with Gateway(document(mock_vendors, case), "--concurrency", "1") as gateway:
        assert text_of(ask(gateway, "now", "ci"))
        check_denied(ask(gateway, "over", "ci"), True, "over")


def test_the_list_of_models_shows_what_the_caller_may_use(mock_vendors, vendors):
    callers = {"dev": {"team": "dev"}, "ops": {"team": "ops", "models": ["gem*"]}, "guest": {}}
    access = [
        {"deny": "anthropic", "when": {"teams": ["dev"]}},
        {"allow": "*", "when": {"teams": ["dev", "ops"]}},
        {"allow": "openai", "when": {"dialects": ["anthropic"]}},
        {"allow": "gemini", "when": {"endpoints": ["/v1/models"]}},
    ]
    document = policy(mock_vendors, callers={"keys": keys(callers)}, access=access)
    with Gateway(document, "--concurrency", "1") as gateway:

        def listed(caller: str, headers: dict | None = None) -> list[str]:
            headers = {"authorization": f"Bearer {key_of(caller)}"} | (headers or {})
            answer = httpx.get(f"{gateway.url}/v1/models", headers=headers, timeout=10).raise_for_status()
            return [model["id"] for model in answer.json()["data"]]

        assert listed("dev") == ["any", "gemini", "openai"]
        assert listed("ops") == ["gemini"]
        assert listed("guest") == ["gemini"]
        assert listed("guest", {"anthropic-version": "2023-06-01"}) == ["gemini", "openai"]
        hidden = httpx.get(
            f"{gateway.url}/v1/models/anthropic", headers={"authorization": f"Bearer {key_of('dev')}"}, timeout=10
        )
        assert hidden.status_code == 404
        # Who may use a model in one dialect only is refused in the others, each in its own words.
        message = {"model": "openai", "max_tokens": 5, "messages": [{"role": "user", "content": "Hello"}]}
        headers = {"x-api-key": key_of("guest")}
        served = httpx.post(f"{gateway.url}/v1/messages", json=message, headers=headers, timeout=20)
        assert served.status_code == 200, served.text
        refused = httpx.post(f"{gateway.url}/v1/messages", json=message | {"model": "gemini"}, headers=headers, timeout=20)
        assert (refused.status_code, refused.json()["error"]["type"]) == (403, "permission_error")
        refused = httpx.post(f"{gateway.url}/v1/chat/completions", json=message, headers=headers, timeout=20)
        assert error_of(refused, 403)["code"] == "access_denied"
        contents = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}
        path = "/v1beta/models/openai:generateContent"
        refused = httpx.post(f"{gateway.url}{path}", json=contents, headers={"x-goog-api-key": key_of("guest")}, timeout=20)
        assert (refused.status_code, refused.json()["error"]["status"]) == (403, "PERMISSION_DENIED")
