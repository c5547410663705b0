#!/usr/bin/env python3
"""Starts the gateway with a demonstration policy, sends it a sample request and prints the answer; runs until it is stopped.

Vendors whose key is in the environment are the real ones; where no key is set at all, mock vendors answer.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
SLUICE = ROOT / "target/release/sluice"
MOCKS = ROOT / "target/release/mock-vendors"
POLICY = ROOT / ".run/policy.yaml"
KEY = "sluice-demo-key"
# printf %s sluice-demo-key | sha256sum
KEY_SHA256 = "579084b337941a6a4a172d804df80263a01442341327e1c8aded14669aee6724"

# name, dialect, variable, endpoint, path of the API at a mock vendor, model
VENDORS = [
    ("openai", "openai", "OPENAI_API_KEY", "https://api.openai.com/v1", "/v1", "gpt-5.5"),
    ("claude", "anthropic", "ANTHROPIC_API_KEY", "https://api.anthropic.com", "", "claude-sonnet-5-5"),
    ("gemini", "gemini", "GEMINI_API_KEY", "https://generativelanguage.googleapis.com", "", "gemini-3.8-flash"),
]
MOCK_KEYS = {"openai": "sk-mock", "anthropic": "sk-ant-mock", "gemini": "AIza-mock"}


class Stopped(Exception):
    """Somebody wants this to end."""


def stop(*_: object) -> None:
    raise Stopped


def main() -> int:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    environment = dict(os.environ)
    vendors = [vendor for vendor in VENDORS if environment.get(vendor[2])]
    endpoints = {vendor[0]: vendor[3] for vendor in vendors}
    children = []
    try:
        if not vendors:
            print("No key is set, so mock vendors answer.", flush=True)
            vendors = VENDORS
            children.append(subprocess.Popen([MOCKS], stdout=subprocess.PIPE, text=True))
            addresses = json.loads(children[0].stdout.readline())
            for name, dialect, variable, _, path, _ in VENDORS:
                endpoints[name] = addresses[dialect] + path
                environment[variable] = MOCK_KEYS[dialect]
        POLICY.parent.mkdir(exist_ok=True)
        POLICY.write_text(policy(vendors, endpoints))
        command = [SLUICE, "run", POLICY]
        children.append(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True))
        return follow(children[-1])
    except Stopped:
        return 0
    finally:
        # Whatever comes now, the gateway and the vendors end first.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        for child in reversed(children):
            child.terminate()
            child.wait(30)


def policy(vendors: list, endpoints: dict) -> str:
    """A policy with one model, `chat`, that tries each vendor in turn, and one model for each vendor alone."""
    targets = [{"provider": name, "model": model} for name, _, _, _, _, model in vendors]
    models = {"chat": {"targets": targets, "unsupported": "drop"}}
    models |= {target["provider"]: {"targets": [target]} for target in targets}
    document = {
        "version": 1,
        "listen": {"address": "127.0.0.1", "port": 10000, "admin_port": 9901},
        "providers": {
            name: {"dialect": dialect, "endpoint": endpoints[name], "credential": {"env": variable}}
            for name, dialect, variable, _, _, _ in vendors
        },
        "models": models,
        "callers": {"keys": [{"id": "demo", "sha256": KEY_SHA256}]},
    }
    # JSON is YAML.
    return json.dumps(document, indent=2) + "\n"


def follow(sluice: subprocess.Popen) -> int:
    """Shows what the gateway says until it ends, and sends the sample request when it is ready."""
    for line in sluice.stdout:
        print(line, end="", flush=True)
        if line.startswith("admin on "):
            sample()
    return sluice.wait()


def sample() -> None:
    """Asks the gateway something, as an OpenAI client does."""
    body = {"model": "chat", "messages": [{"role": "user", "content": "What does a sluice do?"}]}
    request = urllib.request.Request(
        "http://127.0.0.1:10000/v1/chat/completions",
        data=json.dumps(body).encode(),
        headers={"authorization": f"Bearer {KEY}", "content-type": "application/json"},
    )
    print(f"\n$ curl http://127.0.0.1:10000/v1/chat/completions -H 'authorization: Bearer {KEY}' "
          f"-H 'content-type: application/json' -d '{json.dumps(body)}'")
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            provider, answer = response.headers["x-sluice-provider"], json.load(response)
    except urllib.error.HTTPError as error:
        provider, answer = error.headers["x-sluice-provider"], error.read().decode(errors="replace")
    except (OSError, ValueError) as error:
        provider, answer = None, f"no answer: {error}"
    print(answer if isinstance(answer, str) else json.dumps(answer, indent=2))
    print(f"\nanswered by {provider or 'no provider'}; stop with Ctrl-C", flush=True)


if __name__ == "__main__":
    sys.exit(main())
