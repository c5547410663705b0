"""The machine, and which of its processors does what."""

import dataclasses
import os
import pathlib
import platform
import re
import subprocess
import time


@dataclasses.dataclass
class Cores:
    """The contender has a processor to itself; load and vendor share one where there are only two."""

    contender: int
    load: int
    vendor: int


def cores() -> Cores:
    have = sorted(os.sched_getaffinity(0))
    return Cores(contender=have[-1], load=have[0], vendor=have[1] if len(have) > 2 else have[0])


def describe() -> dict:
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())
    name = re.search(r'PRETTY_NAME="(.*)"', pathlib.Path("/etc/os-release").read_text())
    return {
        "processor": cpu[1] if cpu else platform.machine(),
        "processors": len(os.sched_getaffinity(0)),
        "memory_gib": round(int(memory[1]) / (1 << 20), 1) if memory else None,
        "system": name[1] if name else "",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "node": said("node", "--version"),
        "rustc": said("rustc", "--version"),
    }


def load_average() -> float:
    """Of the last minute: how much else the machine did."""
    return os.getloadavg()[0]


def busy(seconds: float = 2) -> float:
    """Which share of all processors is in use."""

    def ticks() -> tuple[int, int]:
        fields = [int(field) for field in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        return sum(fields), fields[3] + fields[4]

    all_before, idle_before = ticks()
    time.sleep(seconds)
    all_after, idle_after = ticks()
    return round(1 - (idle_after - idle_before) / max(1, all_after - all_before), 3)


def said(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=30).stdout.strip()
    except OSError:
        return ""
