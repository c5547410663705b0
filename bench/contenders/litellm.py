"""LiteLLM's proxy, from PyPI."""

import pathlib

from .base import TOOLS, Contender, Start, pip, pip_version, write

FOLDER = TOOLS / "litellm"


class LiteLlm(Contender):
    name = "litellm"
    title = "LiteLLM proxy"
    settings = "one uvicorn worker (as many as there are cores), no database, no key, no callbacks, `set_verbose` off, `LITELLM_LOG=ERROR`, `LITELLM_MODE=PRODUCTION`"
    source = "https://docs.litellm.ai/docs/proxy/prod"

    def install(self) -> None:
        pip(FOLDER, "litellm[proxy]")

    def version(self) -> str:
        return pip_version(FOLDER, "litellm")

    def prepare(self, folder: pathlib.Path, vendor: str, port: int) -> Start:
        def model(name: str, target: str) -> dict:
            parameters = {"model": f"openai/{target}", "api_base": f"http://{vendor}/v1", "api_key": "sk-bench"}
            return {"model_name": name, "litellm_params": parameters}

        config = write(
            folder / "litellm.yaml",
            {
                "model_list": [model("chat", "gpt-4o"), model("embeddings", "text-embedding-3-small")],
                "litellm_settings": {"set_verbose": False, "request_timeout": 600, "num_retries": 0, "telemetry": False},
            },
        )
        command = [FOLDER / "bin/litellm", "--config", config, "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
        # The table of prices that comes with it, not one from the network.
        environment = {"LITELLM_LOG": "ERROR", "LITELLM_MODE": "PRODUCTION", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        # Without a key it starts only where it is told that this is meant.
        environment["LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY"] = "true"
        return Start(command, f"127.0.0.1:{port}", environment)
