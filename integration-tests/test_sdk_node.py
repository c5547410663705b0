"""The official OpenAI SDK for Node against the same vendors: node's own test runner runs `node/*.test.mjs`."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest
from support.gateway import CLIENT_KEY, Gateway, policy

FOLDER = pathlib.Path(__file__).parent / "node"
# Models that reason, each under its vendor's name and this ending.
REASONING = {"openai": "gpt-5.2", "anthropic": "claude-sonnet-5-5", "gemini": "gemini-3.8-flash"}


@pytest.fixture(scope="module")
def gateway(mock_vendors):
    """The usual gateway, with a reasoning model of each vendor besides."""
    targets = {name: {"provider": name, "model": model} for name, model in REASONING.items()}
    models = {f"{name}-reasoning": {"targets": [target]} for name, target in targets.items()}
    models["any-reasoning"] = {"targets": list(targets.values())}
    with Gateway(policy(mock_vendors, models=policy(mock_vendors)["models"] | models)) as gateway:
        yield gateway


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.test.mjs")))
def test_the_node_sdk_works_unchanged(gateway, vendors, tell, name):
    node = shutil.which("node")
    assert node, "Node is not installed; version 20 or later is needed"
    assert (FOLDER / "node_modules/openai").is_dir(), "run `npm ci` in integration-tests/node (`make test` does)"
    run = subprocess.run(
        [node, "--test", "--test-reporter=tap", name],
        cwd=FOLDER,
        env=os.environ
        | {"GATEWAY": gateway.url, "CLIENT_KEY": CLIENT_KEY, "CONTROL": vendors.addresses["control"]},
        capture_output=True,
        text=True,
        timeout=110,
    )
    counts = {key: int(count) for key, count in re.findall(r"^# (tests|pass|fail|skipped) (\d+)$", run.stdout, re.M)}
    assert run.returncode == 0, run.stdout + run.stderr
    assert counts["pass"] == counts["tests"] > 10
    tell(f"node/{name}: {counts['pass']} passed")
