"""TensorZero's gateway, written in Rust, as its package on PyPI carries it."""

import pathlib

from .base import TOOLS, Contender, Start, pip, pip_version

FOLDER = TOOLS / "tensorzero"
# The package has the whole gateway as a library; this serves it over HTTP until it is ended.
SERVE = """
import signal, sys
from tensorzero import _start_http_gateway
gateway = _start_http_gateway(config_file=sys.argv[1], clickhouse_url=None, postgres_url=None, valkey_url=None, async_setup=False)
print("listening on", gateway.base_url, flush=True)
signal.pause()
"""
CONFIG = """
[gateway]
observability.enabled = false
auth.enabled = false

[models.chat]
routing = ["mock"]
[models.chat.providers.mock]
type = "openai"
model_name = "gpt-4o"
api_base = "http://{vendor}/v1/"
api_key_location = "none"

[embedding_models.embeddings]
routing = ["mock"]
[embedding_models.embeddings.providers.mock]
type = "openai"
model_name = "text-embedding-3-small"
api_base = "http://{vendor}/v1/"
api_key_location = "none"
"""


class TensorZero(Contender):
    name = "tensorzero"
    title = "TensorZero"
    settings = "observability and auth off; the gateway of its Python package, `TOKIO_WORKER_THREADS=1`"
    source = "https://github.com/tensorzero/tensorzero/tree/main/gateway/benchmarks"
    path = "/openai/v1/chat/completions"
    embeddings_path = "/openai/v1/embeddings"
    model = "tensorzero::model_name::chat"
    embeddings_model = "tensorzero::embedding_model_name::embeddings"

    def install(self) -> None:
        pip(FOLDER, "tensorzero")

    def version(self) -> str:
        return pip_version(FOLDER, "tensorzero")

    def prepare(self, folder: pathlib.Path, vendor: str, port: int) -> Start:
        config = folder / "tensorzero.toml"
        config.write_text(CONFIG.format(vendor=vendor))
        command = [FOLDER / "bin/python", "-c", SERVE, config]
        return Start(command, "", {"TOKIO_WORKER_THREADS": "1", "RUST_LOG": "error"}, announces="listening on")
