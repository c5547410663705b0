"""Bifrost, from its Go module."""

import os
import pathlib

from .base import TOOLS, Contender, Start, go_install, module_version, write

FOLDER = TOOLS / "bifrost"
BINARY = FOLDER / "bifrost-http"
MODULE = "github.com/maximhq/bifrost/transports/bifrost-http"


class Bifrost(Contender):
    name = "bifrost"
    title = "Bifrost"
    settings = "no store of configurations, logs or metrics; `GOMAXPROCS=1`, a pool of 1,000 for requests to the vendor, log level `error`"
    source = "https://github.com/maximhq/bifrost/blob/main/transports/config.example.json"
    model = "openai/gpt-4o"
    embeddings_model = "openai/text-embedding-3-small"

    def install(self) -> None:
        go_install(MODULE, FOLDER, BINARY)

    def version(self) -> str:
        return module_version(BINARY)

    def prepare(self, folder: pathlib.Path, vendor: str, port: int) -> Start:
        key = {"name": "bench", "value": "sk-bench", "models": ["*"], "weight": 1.0}
        network = {"base_url": f"http://{vendor}", "allow_private_network": True}
        pool = {"concurrency": 1000, "buffer_size": 5000}
        provider = {"keys": [key], "network_config": network, "concurrency_and_buffer_size": pool}
        stores = {f"{name}_store": {"enabled": False} for name in ("config", "logs")}
        write(folder / "config.json", {"providers": {"openai": provider}} | stores)
        command = [BINARY, "-host", "127.0.0.1", "-port", str(port), "-app-dir", folder, "-log-level", "error"]
        return Start(command, f"127.0.0.1:{port}", {"GOMAXPROCS": "1", "PATH": os.environ["PATH"]})
