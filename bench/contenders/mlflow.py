"""MLflow's gateway, from PyPI."""

import pathlib

from .base import TOOLS, Contender, Start, pip, pip_version, write

FOLDER = TOOLS / "mlflow"


class MlFlow(Contender):
    name = "mlflow"
    title = "MLflow gateway"
    settings = "`mlflow gateway start --workers 1`; it has no logging or keys to turn off"
    source = "https://mlflow.org/docs/latest/genai/governance/ai-gateway/"
    embeddings_path = "/v1/embeddings"

    def install(self) -> None:
        pip(FOLDER, "mlflow[gateway]")

    def version(self) -> str:
        return pip_version(FOLDER, "mlflow")

    def prepare(self, folder: pathlib.Path, vendor: str, port: int) -> Start:
        def endpoint(name: str, kind: str, model: str) -> dict:
            settings = {"openai_api_key": "sk-bench", "openai_api_base": f"http://{vendor}/v1"}
            return {"name": name, "endpoint_type": kind, "model": {"provider": "openai", "name": model, "config": settings}}

        endpoints = [
            endpoint("chat", "llm/v1/chat", "gpt-4o"),
            endpoint("embeddings", "llm/v1/embeddings", "text-embedding-3-small"),
        ]
        config = write(folder / "mlflow.yaml", {"endpoints": endpoints})
        command = [FOLDER / "bin/mlflow", "gateway", "start", "--config-path", config]
        return Start(
            [*command, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"],
            f"127.0.0.1:{port}",
            # Its servers are found beside it.
            {"PATH": f"{FOLDER / 'bin'}:/usr/local/bin:/usr/bin:/bin", "MLFLOW_DISABLE_TELEMETRY": "true"},
        )
