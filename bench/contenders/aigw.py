"""Envoy AI Gateway's standalone mode, from its Go module; it fetches an Envoy of its own."""

import os
import pathlib

from .base import TOOLS, Contender, Start, go_install, module_version

FOLDER = TOOLS / "aigw"
BINARY = FOLDER / "aigw"
MODULE = "github.com/envoyproxy/ai-gateway/cmd/aigw"


class AiGateway(Contender):
    name = "aigw"
    title = "Envoy AI Gateway"
    settings = "`aigw run` with a configuration made from `OPENAI_BASE_URL`; `GOMAXPROCS=1`; its Envoy on the same processor"
    source = "https://github.com/envoyproxy/ai-gateway/blob/main/cmd/aigw/README.md"
    model = "gpt-4o"
    embeddings_model = "text-embedding-3-small"

    def install(self) -> None:
        go_install(MODULE, FOLDER, BINARY)

    def version(self) -> str:
        return module_version(BINARY)

    def prepare(self, folder: pathlib.Path, vendor: str, port: int) -> Start:
        environment = {"OPENAI_API_KEY": "sk-bench", "OPENAI_BASE_URL": f"http://{vendor}/v1", "GOMAXPROCS": "1"}
        # The port of what it makes by itself is fixed.
        return Start([BINARY, "run"], "127.0.0.1:1975", environment | {"PATH": os.environ["PATH"]})
