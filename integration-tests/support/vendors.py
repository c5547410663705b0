"""The mock vendors as a process of their own: scripts go in, records come out."""

import json
import pathlib
import subprocess
import time

import httpx

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = ROOT / "target/release/mock-vendors"

# What a vendor takes for one of its own keys.
KEYS = {"openai": "sk-vendor-openai", "anthropic": "sk-ant-vendor-anthropic", "gemini": "AIza-vendor-gemini"}


class Vendors:
    """Mock vendors on free ports; `mock-vendors --help` says what can be scripted."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen([BINARY, *arguments], stdout=subprocess.PIPE, text=True)
        self.addresses = json.loads(self.process.stdout.readline())
        self.control = httpx.Client(base_url=self.addresses["control"], timeout=10)

    def __enter__(self) -> "Vendors":
        return self

    def __exit__(self, *_: object) -> None:
        self.control.close()
        self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()

    def endpoint(self, name: str) -> str:
        """The address that a policy gives as the endpoint of this vendor."""
        return self.addresses[name] + ("/v1" if name.startswith("openai") else "")

    def script(self, vendor: str, behaviour: dict, times: int = 1) -> None:
        """Queues a behaviour for the vendor's next requests; `times` 0 is from now on."""
        body = {"vendor": vendor, "behaviour": behaviour, "times": times}
        self.control.post("/script", json=body).raise_for_status()

    def script_all(self, vendor: str, behaviours: list[dict]) -> None:
        """Queues a behaviour for each of the vendor's next requests."""
        scripts = [{"vendor": vendor, "behaviour": behaviour} for behaviour in behaviours]
        self.control.post("/script", json=scripts).raise_for_status()

    def pace(self, vendor: str | None, **pace: object) -> None:
        """Sets how fast a vendor (or each) streams."""
        self.control.post("/pace", json={"vendor": vendor, "pace": pace}).raise_for_status()

    def hold(self, vendor: str | None, held: bool) -> None:
        """Has a vendor (or each) take requests and hold back every answer, or answer those that it holds."""
        self.control.post("/hold", json={"vendor": vendor, "held": held}).raise_for_status()

    def records(self, vendor: str | None = None) -> list[dict]:
        """What has arrived since the last reset, in order."""
        records = self.control.get("/records").raise_for_status().json()["records"]
        return [record for record in records if vendor in (None, record["instance"])]

    def wait_for(self, count: int, seconds: float = 5, vendor: str | None = None) -> list[dict]:
        """The records, once there are at least so many."""
        until = time.monotonic() + seconds
        while len(records := self.records(vendor)) < count:
            assert time.monotonic() < until, f"{len(records)} of {count} requests arrived"
            time.sleep(0.02)
        return records

    def reset(self) -> None:
        """Forgets scripts, paces and records, and holds nothing back."""
        self.control.post("/reset").raise_for_status()
