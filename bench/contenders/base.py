"""What every contender has: how it is installed, started and asked."""

import dataclasses
import json
import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".tools/bench"


class Unavailable(Exception):
    """It can't be had here; the text says what was tried."""


@dataclasses.dataclass
class Start:
    """How one is started. The address is where it listens then."""

    command: list
    address: str
    environment: dict = dataclasses.field(default_factory=dict)
    # Where the address is only known once it runs: the line of its output that begins with this has it.
    announces: str | None = None


class Contender:
    """One side of the comparison."""

    name: str
    title: str
    # With what settings it runs, and where its makers say that these are the fast ones.
    settings: str
    source: str
    path = "/v1/chat/completions"
    embeddings_path: str | None = "/v1/embeddings"
    model = "chat"
    embeddings_model = "embeddings"
    # The core set is measured in every workload.
    core = False

    def install(self) -> None:
        """Installs what isn't there yet; raises `Unavailable`."""

    def version(self) -> str:
        return ""

    def prepare(self, folder: pathlib.Path, vendor: str, port: int) -> Start:
        """Writes its configuration into `folder`. `vendor` is host and port of the mock, `port` a free one."""
        raise NotImplementedError

    def headers(self, vendor: str) -> list[str]:
        """What its clients send beside a content type."""
        return []

    def more_fields(self) -> dict:
        """What its clients put into a body beside what OpenAI's do."""
        return {}


def pip(folder: pathlib.Path, *requirements: str) -> None:
    """An environment of its own for Python packages."""
    done = folder / "done"
    if done.exists() and done.read_text() == "\n".join(requirements):
        return
    run("python3", "-m", "venv", "--clear", folder)
    run(folder / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements)
    done.write_text("\n".join(requirements))


def pip_version(folder: pathlib.Path, package: str) -> str:
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    return run(folder / "bin/python", "-c", code).strip()


def go_install(module: str, folder: pathlib.Path, binary: pathlib.Path) -> None:
    """Builds a command from its Go module, as long as that takes minutes."""
    if binary.exists():
        return
    if not shutil.which("go"):
        raise Unavailable(f"`go install {module}@latest` needs Go, which isn't there")
    run("env", f"GOBIN={folder}", "go", "install", f"{module}@latest", timeout=150)


def module_version(binary: pathlib.Path) -> str:
    for line in run("go", "version", "-m", binary).splitlines():
        if line.split()[:1] == ["mod"]:
            return line.split()[2]
    return ""


def run(*command: object, timeout: int = 900) -> str:
    """Runs a command; raises `Unavailable` with the end of what it said."""
    try:
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=timeout)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{' '.join(map(str, command))}: {error}".replace(f"{ROOT}/", "")) from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["nothing"]
        # Where the project lies is nobody's business.
        words = " ".join(str(part) for part in command).replace(f"{ROOT}/", "")
        raise Unavailable(f"`{words}` failed: {said[0][:300]}")
    return done.stdout


def write(path: pathlib.Path, document: object) -> pathlib.Path:
    """JSON, which YAML readers read too."""
    path.write_text(json.dumps(document, indent=1))
    return path
