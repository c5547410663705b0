"""Gateways that would be measured too and can't be had from a package registry as something that runs."""

import shutil

from .base import TOOLS, Contender, Start, Unavailable, run


class GoModule(Contender):
    """A gateway that is a Go module. Where it builds, the reason says so: it is not started."""

    def __init__(self, name: str, title: str, module: str, source: str) -> None:
        self.name, self.title, self.module, self.source = name, title, module, source
        self.settings = ""

    def install(self) -> None:
        if not shutil.which("go"):
            raise Unavailable(f"`go install {self.module}@latest` needs Go, which isn't there")
        run("env", f"GOBIN={TOOLS / self.name}", "go", "install", f"{self.module}@latest", timeout=300)
        raise Unavailable(f"`go install {self.module}@latest` built it, and how it is started here isn't known yet")

    def prepare(self, folder: object, vendor: str, port: int) -> Start:
        raise Unavailable("it is not started")


NOT_HAD = [
    GoModule("bifrost", "Bifrost", "github.com/maximhq/bifrost/transports/bifrost-http", "https://github.com/maximhq/bifrost"),
    GoModule("aigw", "Envoy AI Gateway", "github.com/envoyproxy/ai-gateway/cmd/aigw", "https://github.com/envoyproxy/ai-gateway"),
]
