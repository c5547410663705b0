"""Portkey's gateway, from npm."""

import json
import os
import pathlib
import shutil

from .base import TOOLS, Contender, Start, Unavailable, run

FOLDER = TOOLS / "portkey"
PACKAGE = FOLDER / "node_modules/@portkey-ai/gateway"


class Portkey(Contender):
    name = "portkey"
    title = "Portkey gateway"
    settings = "`start-server.js --headless` (no console), `NODE_ENV=production`; provider and address by headers; the open-source gateway keeps no logs or keys"
    source = "https://github.com/Portkey-AI/gateway/blob/main/docs/installation-deployments.md"
    model = "gpt-4o"
    embeddings_model = "text-embedding-3-small"

    def install(self) -> None:
        if not shutil.which("npm"):
            raise Unavailable("there is no npm")
        if not PACKAGE.exists():
            run("npm", "install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", FOLDER, "@portkey-ai/gateway")

    def version(self) -> str:
        return json.loads((PACKAGE / "package.json").read_text())["version"]

    def prepare(self, folder: pathlib.Path, vendor: str, port: int) -> Start:
        command = [shutil.which("node"), PACKAGE / "build/start-server.js", "--headless", f"--port={port}"]
        # It refuses addresses of this machine unless they are trusted.
        trusted = {"TRUSTED_CUSTOM_HOSTS": "localhost,127.0.0.1", "NODE_ENV": "production"}
        return Start(command, f"127.0.0.1:{port}", trusted | {"PATH": os.environ["PATH"]})

    def headers(self, vendor: str) -> list[str]:
        return ["authorization: Bearer sk-bench", "x-portkey-provider: openai", f"x-portkey-custom-host: http://{vendor}/v1"]
