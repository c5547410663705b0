"""Each example of docs/clients.md, run against a gateway, prints what the page says."""

import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
from support.gateway import MODELS, VARIABLES, Gateway, policy
from support.vendors import ROOT

NODE = pathlib.Path(__file__).parent / "node"
ADDRESS = "http://127.0.0.1:10000"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```\n", re.M | re.S)
COMMANDS = {
    "sh": ["bash", "-euo", "pipefail", "-c"],
    "python": [sys.executable, "-c"],
    "js": ["node", "--input-type=module", "--eval"],
}


def examples() -> list:
    blocks = BLOCK.findall((ROOT / "docs/clients.md").read_text())
    pairs = list(zip(blocks[::2], blocks[1::2], strict=True))
    assert all(output == "text" for _, (output, _) in pairs), "each example is followed by what it prints"
    return [
        pytest.param(language, code, printed, id=f"{number}-{language}")
        for number, ((language, code), (_, printed)) in enumerate(pairs, 1)
    ]


@pytest.fixture(scope="module")
def gateway(mock_vendors):
    """A gateway with the names and the key of `make run`, on a free port."""
    names = {"openai": "openai", "claude": "anthropic", "gemini": "gemini"}
    targets = {name: {"provider": name, "model": MODELS[dialect]} for name, dialect in names.items()}
    document = policy(
        mock_vendors,
        providers={
            name: {
                "dialect": dialect,
                "endpoint": mock_vendors.endpoint(dialect),
                "credential": {"env": VARIABLES[dialect]},
            }
            for name, dialect in names.items()
        },
        models={
            "chat": {"targets": list(targets.values())},
            **{name: {"targets": [target]} for name, target in targets.items()},
        },
        callers={"keys": [{"id": "demo", "sha256": hashlib.sha256(b"sluice-demo-key").hexdigest()}]},
    )
    with Gateway(document) as gateway:
        yield gateway


@pytest.mark.parametrize(("language", "code", "printed"), examples())
def test_an_example_prints_what_the_page_says(gateway, vendors, language, code, printed):
    assert ADDRESS in code
    if code.startswith("curl") and not shutil.which("curl"):
        pytest.skip("curl is not installed")
    run = subprocess.run(
        [*COMMANDS[language], code.replace(ADDRESS, gateway.url)],
        # From here Node finds the SDK; `python3` is the one that runs the tests.
        cwd=NODE,
        env=os.environ | {"PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == printed.strip()


def test_the_page_has_an_example_for_each_client():
    languages = {language for language, _ in BLOCK.findall((ROOT / "docs/clients.md").read_text())}
    assert languages == {*COMMANDS, "text"}
