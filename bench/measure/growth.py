"""How the processor's time for a request grows with the size of bodies and of the policy."""

import hashlib
import json
import pathlib
import tempfile
import time
from collections.abc import Callable

from contenders import Unavailable
from contenders.sluice import KEY, OPTIONAL, Sluice, accepted, document, everything

from . import load
from .processes import Running
from .session import Session, first_answer, tell


class Variant(Sluice):
    """A policy with so many of something."""

    def __init__(self, kind: str, count: int, policy: object) -> None:
        self.kind, self.count = kind, count
        self.name = self.title = f"{kind} {count}"
        self.settings = ""
        self._policy = policy

    def policy(self, vendor: str, port: int) -> dict:
        return self._policy(document(vendor, port))

    def headers(self, vendor: str) -> list[str]:
        return [f"authorization: Bearer {KEY}", "x-tenant: tenant"]


def with_keys(count: int):
    def more(policy: dict) -> dict:
        entry = {"id": "bench", "sha256": hashlib.sha256(KEY.encode()).hexdigest(), "team": "bench"}
        others = [
            {"id": f"key-{number}", "sha256": hashlib.sha256(str(number).encode()).hexdigest(), "team": f"team-{number % 100}"}
            for number in range(count - 1)
        ]
        return policy | {"callers": {"keys": [*others, entry]}}

    return more


def with_rules(count: int):
    def more(policy: dict) -> dict:
        rules = [{"allow": [f"model-{number}"], "when": {"teams": [f"team-{number}"]}} for number in range(count - 1)]
        return with_keys(1)(policy) | {"access": [*rules, {"allow": ["*"], "when": {"teams": ["bench"]}}]}

    return more


# For which calls limits hold.
LIMITS_FOR = {
    "limits for other teams": lambda number: {"when": {"teams": [f"team-{number}"]}},
    "limits for other values of a header": lambda number: {"when": {"headers": {"x-tenant": f"tenant-{number}"}}},
    "limits that all hold": lambda number: {},
}


def with_limits(count: int, kind: str):
    def limit(number: int) -> dict:
        unit = "requests" if number % 2 else "tokens"
        return {"name": f"limit-{number}", "unit": unit, "per": "day", "limit": 1 << 50} | LIMITS_FOR[kind](number)

    return lambda policy: with_keys(1)(policy) | {"limits": [limit(number) for number in range(count)]}


def with_models(count: int):
    def more(policy: dict) -> dict:
        target = policy["models"]["chat"]["targets"][0]
        others = {f"model-{number}": {"targets": [target | {"model": f"model-{number}"}]} for number in range(count - 1)}
        return with_keys(1)(policy) | {"models": others | policy["models"]}

    return more


def limits(**counts: list[int]) -> list[Variant]:
    kinds = {"teams": "limits for other teams", "header": "limits for other values of a header", "all": "limits that all hold"}
    return [Variant(kinds[which], count, with_limits(count, kinds[which])) for which, each in counts.items() for count in each]


LIMITS = limits(teams=[0, 1, 10, 100, 1000], header=[1, 10, 100, 1000], all=[1, 10, 100, 1000])
VARIANTS = [
    *(Variant("keys", count, with_keys(count)) for count in (10, 100_000)),
    *(Variant("access rules, one matches", count, with_rules(count)) for count in (1, 10_000)),
    *limits(teams=[0, 1000], header=[1000], all=[1, 10, 100]),
    *(Variant("models", count, with_models(count)) for count in (1, 1000)),
]
SIZES = [1, 4, 16, 64, 256]


def parts() -> list[Variant]:
    """Each part of *everything on* by itself, beside one key."""
    whole = everything("127.0.0.1:1", 0)

    def only(*sections: str):
        return lambda policy: with_keys(1)(policy) | {name: (whole | OPTIONAL)[name] for name in sections}

    kept = [("one key", ()), ("ten limits and prices", ("limits", "prices")), *((name, (name,)) for name in accepted())]
    return [Variant(f"KB of request, {title}", 0, only(*sections)) for title, sections in kept]


def measure(session: Session, seconds: float, late: Callable[[str], bool]) -> list[dict]:
    """The size of requests, and every kind of growth. What `late` is true of is left out."""
    rows = sizes(session, seconds) + variants(session, seconds, VARIANTS, late)
    return rows + variants(session, seconds, parts(), late, [1, 16])


def sizes(session: Session, seconds: float) -> list[dict]:
    rows = []
    session.vendor.behave()
    for name in ("envoy", "sluice-empty", "sluice"):
        if name not in session.running:
            continue
        with session.only(name) as running:
            for size in SIZES:
                result = session.load.run(running, "closed", load.chat(size * 1024), connections=16, seconds=seconds, warmup=0.3)
                rows.append(row(f"KB of request, {running.contender.title}", size, result))
    return rows


def variants(
    session: Session, seconds: float, wanted: list[Variant], late: Callable[[str], bool], sizes_of_requests: list[int] | None = None
) -> list[dict]:
    rows = []
    session.vendor.behave()
    for variant in wanted:
        if late(f"growth, {variant.kind}"):
            continue
        try:
            rows += one(session, variant, seconds, sizes_of_requests)
        except Unavailable as reason:
            rows.append({"kind": variant.kind, "count": variant.count, "unavailable": str(reason)[:400]})
            tell(f"{variant.name}: {reason}")
    return rows


def one(session: Session, variant: Variant, seconds: float, sizes_of_requests: list[int] | None = None) -> list[dict]:
    """A row for the variant, or one for each of these sizes."""
    tell(f"growth: {variant.name}")
    with Running(variant, session.vendor.address, session.cores.contender) as running:
        first_answer(running)
        started = {"start_seconds": round(time.monotonic() - running.begun, 2)}
        session.load.warm_up(running, at_least=2, at_most=3)
        rows = []
        for size in sizes_of_requests or [1]:
            result = session.load.run(running, "closed", load.chat(size * 1024), connections=16, seconds=seconds, warmup=0.3)
            rows.append(row(variant.kind, size if sizes_of_requests else variant.count, result) | started)
        return rows


def row(kind: str, count: int, result: dict) -> dict:
    return {"kind": kind, "count": count} | {key: result.get(key) for key in ("cpu_us", "rate", "errors", "what", "resident")}


def reload(session: Session, seconds: float) -> dict:
    """A policy with one key more, put under a running Envoy that serves load: its listener's file is replaced (Envoy's LDS from a file).

    Told are the time from the new file to the first answer that only the new policy gives, and how many of the requests meanwhile failed.
    """
    import http.client
    import subprocess

    import yaml
    from contenders.envoy import start
    from contenders.sluice import rendered

    from .processes import free_port

    new_key = "sluice-bench-key-of-the-new-policy"
    contender = Variant("reload", 0, None)
    with tempfile.TemporaryDirectory(prefix="sluice-reload-") as name:
        folder = pathlib.Path(name)
        port = free_port()
        watched = folder / "watched"
        watched.mkdir()

        def listener(policy: dict) -> tuple[dict, str]:
            configuration = rendered(folder, policy)
            resources = [
                {"@type": "type.googleapis.com/envoy.config.listener.v3.Listener"} | each
                for each in configuration["static_resources"].pop("listeners")
            ]
            return configuration, yaml.safe_dump({"resources": resources}, sort_keys=False)

        old = everything(session.vendor.address, port)
        added = {"id": "new", "sha256": hashlib.sha256(new_key.encode()).hexdigest(), "team": "bench"}
        new = old | {"callers": {"keys": [*old["callers"]["keys"], added]}}
        configuration, first = listener(old)
        (watched / "lds.yaml").write_text(first)
        source = {"path": str(watched / "lds.yaml"), "watched_directory": {"path": str(watched)}}
        configuration["dynamic_resources"] = {"lds_config": {"path_config_source": source}}
        prepared = start(folder, configuration, port)
        _, second = listener(new)
        with Running(contender, session.vendor.address, session.cores.contender, prepared) as running:
            first_answer(running)
            command = session.load.command(running, "closed", load.chat(1024), connections=4, seconds=seconds + 2, warmup=0)
            under_load = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            time.sleep(1)
            (folder / "next.yaml").write_text(second)
            begun = time.monotonic()
            (folder / "next.yaml").rename(watched / "lds.yaml")
            took = None
            body = json.dumps({"model": "chat"} | load.chat(100))
            headers = {"content-type": "application/json", "authorization": f"Bearer {new_key}"}
            while time.monotonic() - begun < 15 and took is None:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                try:
                    connection.request("POST", "/v1/chat/completions", body, headers)
                    if connection.getresponse().status == 200:
                        took = time.monotonic() - begun
                except (OSError, http.client.HTTPException):
                    pass
                finally:
                    connection.close()
                time.sleep(0.002)
            result = json.loads(under_load.communicate(timeout=seconds + 30)[0])
    return {"seconds": took and round(took, 3), "requests": result["all"], "errors": result["errors"], "what": result["what"]}
