"""A faulty policy document is refused wherever it is read, with all its faults; a good one serves in every form."""

import contextlib
import json
import os
import pathlib
import re
import subprocess

import httpx
import pytest
import yaml
from support.answers import text_of
from support.gateway import CLIENT_KEY, MODELS, SLUICE, VARIABLES, Gateway, policy
from support.vendors import KEYS, ROOT
from support.waiting import until

FORMS = ["StringValue of JSON", "StringValue of YAML", "Struct"]
ENVIRONMENT = os.environ | {VARIABLES[name]: key for name, key in KEYS.items()}

# Each document is a good one with these changes; its faults are told by their paths.
FAULTY = {
    "an unknown field": ({"modells": {}}, ["modells"]),
    "a version of the future": ({"version": 2}, ["version"]),
    "no models": ({"models": None}, ["models"]),
    "a target of no provider": (
        {"models": {"m": {"targets": [{"provider": "opanai", "model": "x"}]}}},
        ["models.m.targets[0].provider"],
    ),
    "a section of the future": ({"audit": {"sink": "x"}}, ["audit"]),
    "a limit without a unit": ({"limits": [{"name": "x", "limit": 1}]}, ["limits[0].unit"]),
    "many faults": (
        {
            "version": "one",
            "listen": {"port": 70000, "max_body_bytes": 1},
            "providers": {
                "a": {"dialect": "klingon", "endpoint": "ftp://x", "credential": "sk-oops"},
                "b": {"dialect": "openai", "endpoint": "https://b.example/v1", "credential": {"env": "A B"}, "x": 1},
            },
            "models": {"m": {"targets": [], "strategy": "luck", "attempt_timeout": "soon"}},
            "callers": {"anonymous": "maybe", "keys": [{"id": "x", "sha256": "short"}]},
        },
        [
            "version",
            "listen.port",
            "listen.max_body_bytes",
            "providers.a.dialect",
            "providers.a.endpoint",
            "providers.a.credential",
            "providers.b.credential.env",
            "providers.b.x",
            "models.m.targets",
            "models.m.strategy",
            "models.m.attempt_timeout",
            "callers.anonymous",
            "callers.keys[0].sha256",
        ],
    ),
}


@pytest.fixture
def rendered(mock_vendors, tmp_path):
    """Envoy's configuration for a good document, as data."""
    path = tmp_path / "policy.yaml"
    path.write_text(json.dumps(policy(mock_vendors)))
    done = subprocess.run([SLUICE, "render", path], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)


def changed(document: dict, changes: dict) -> dict:
    """A document with other values at its top; one that is none is left out."""
    return {name: value for name, value in (document | changes).items() if value is not None}


def configuration(document: dict, form: str) -> dict:
    """A document as the plugin's configuration."""
    kind = "type.googleapis.com/google.protobuf." + form.split()[0]
    if form == "Struct":
        return {"@type": kind, "value": document}
    text = json.dumps(document) if "JSON" in form else yaml.safe_dump(document)
    return {"@type": kind, "value": text}


def write(bootstrap: dict, document: dict, form: str, folder: pathlib.Path) -> pathlib.Path:
    """Writes Envoy's configuration with this document in its policy filter."""
    manager = bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    plugin = manager["http_filters"][0]["typed_config"]["config"]
    assert plugin["root_id"] == "policy"
    plugin["configuration"] = configuration(document, form)
    path = folder / "envoy.yaml"
    path.write_text(json.dumps(bootstrap))
    return path


def envoy() -> str:
    done = subprocess.run([SLUICE, "envoy"], cwd=ROOT, capture_output=True, text=True, timeout=600)
    return done.stdout.strip()


def validate(path: pathlib.Path, environment: dict) -> tuple[int, str]:
    """`envoy --mode validate`: its exit status and what it said."""
    done = subprocess.run(
        [envoy(), "--mode", "validate", "-c", path, "--log-level", "error"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


def check_said(paths: list[str], said: str) -> None:
    """Each fault stands there with its path, and nothing that could be a secret does."""
    for path in paths:
        assert re.search(rf"(^|\s){re.escape(path)}: ", said, re.MULTILINE), f"{path} is not in:\n{said}"
    assert "sk-oops" not in said
    assert "panicked" not in said


@pytest.mark.parametrize("form", FORMS)
def test_envoy_refuses_a_faulty_document_in_every_form(form, rendered, mock_vendors, tmp_path):
    changes, paths = FAULTY["many faults"]
    path = write(rendered, changed(policy(mock_vendors), changes), form, tmp_path)
    status, said = validate(path, ENVIRONMENT)
    assert status == 1, said
    check_said(paths, said)


@pytest.mark.parametrize("command", ["check", "run", "render"])
@pytest.mark.parametrize("fault", FAULTY)
def test_the_command_line_refuses_a_faulty_document(fault, command, mock_vendors, tmp_path):
    changes, paths = FAULTY[fault]
    path = tmp_path / "policy.yaml"
    path.write_text(yaml.safe_dump(changed(policy(mock_vendors), changes)))
    done = subprocess.run(
        [SLUICE, command, path], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    check_said(paths, done.stdout + done.stderr)


@pytest.mark.parametrize("text", ["", "version: [", "- a\n- list\n", "version: 1\nversion: 1\n", "a: &a [*a]\n", "\0"])
def test_what_is_no_document_is_refused(text, tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    done = subprocess.run([SLUICE, "check", path], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert said.strip() and "panicked" not in said


@pytest.mark.parametrize("form", FORMS)
def test_a_good_document_serves(form, rendered, mock_vendors, vendors, tmp_path):
    path = write(rendered, policy(mock_vendors), form, tmp_path)
    address = tmp_path / "admin"
    process = subprocess.Popen(
        [envoy(), "-c", path, "--admin-address-path", address, "--disable-hot-restart", "--concurrency", "1"],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        url = listener(address)
        for name in MODELS:
            body = {"model": name, "messages": [{"role": "user", "content": "Hello"}]}
            headers = {"authorization": f"Bearer {CLIENT_KEY}"}
            assert text_of(httpx.post(f"{url}/v1/chat/completions", json=body, headers=headers, timeout=20))
        assert [record["instance"] for record in vendors.records()] == list(MODELS)
    finally:
        process.terminate()
        process.wait(20)


def test_envoy_accepts_what_is_rendered(rendered, mock_vendors, tmp_path):
    status, said = validate(write(rendered, policy(mock_vendors), FORMS[0], tmp_path), ENVIRONMENT)
    assert status == 0, said


def listener(admin: pathlib.Path) -> str:
    """Where an Envoy listens, once it does."""
    found = []

    def ready() -> bool:
        with contextlib.suppress(httpx.HTTPError, FileNotFoundError, KeyError, IndexError):
            base = f"http://{admin.read_text().strip()}"
            if httpx.get(f"{base}/ready", timeout=5).status_code != 200:
                return False
            statuses = httpx.get(f"{base}/listeners", params={"format": "json"}, timeout=5).json()["listener_statuses"]
            local = statuses[0]["local_address"]["socket_address"]
            found.append(f"http://{local['address']}:{local['port_value']}")
        return bool(found)

    until(ready, 30)
    return found[0]


def test_envoy_refuses_a_credential_that_is_not_set(rendered, mock_vendors, tmp_path):
    path = write(rendered, policy(mock_vendors), FORMS[0], tmp_path)
    environment = {name: value for name, value in ENVIRONMENT.items() if name != VARIABLES["gemini"]}
    status, said = validate(path, environment)
    assert status == 1, said
    check_said(["providers.gemini.credential.env"], said)
    assert VARIABLES["gemini"] in said and VARIABLES["openai"] not in said


@pytest.mark.parametrize("value", [None, ""], ids=["missing", "empty"])
def test_the_command_line_refuses_a_credential_that_is_not_set(value, mock_vendors, tmp_path):
    environment = {name: value for name, value in ENVIRONMENT.items() if name != VARIABLES["gemini"]}
    environment |= {} if value is None else {VARIABLES["gemini"]: value}
    path = tmp_path / "policy.yaml"
    path.write_text(json.dumps(policy(mock_vendors)))
    done = subprocess.run([SLUICE, "run", path], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    said = done.stdout + done.stderr
    check_said(["providers.gemini.credential.env"], said)
    assert VARIABLES["gemini"] in said
    assert not [key for key in KEYS.values() if key in said]


def test_a_document_with_comments_serves(mock_vendors, vendors):
    """What YAML has beyond JSON, and characters beyond ASCII, survive the way into the module."""
    document = policy(mock_vendors)
    document["callers"]["keys"][0]["user"] = 'Zoë ‘the tester’: "yes" #1'
    text = "# A comment: with {braces} and %percent%.\n" + yaml.safe_dump(document, allow_unicode=True)
    with Gateway(text, "--concurrency", "1") as gateway:
        assert text_of(gateway.chat("openai"))


def test_a_rendered_configuration_holds_no_credential(mock_vendors, tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text(json.dumps(policy(mock_vendors)))
    done = subprocess.run(
        [SLUICE, "render", path], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    assert not [key for key in KEYS.values() if key in done.stdout]
    assert VARIABLES["openai"] in done.stdout
