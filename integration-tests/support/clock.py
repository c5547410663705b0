"""A clock of our own for Envoy: it goes as fast as the real one, from whatever instant a test puts it to.

libfaketime would be the usual way, but it asks for memory while it is being set up, and Envoy's allocator for the time: both wait for
each other for ever. `clock.c` is what is needed of it.
"""

import datetime
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(__file__).with_name("clock.c")


def lacks() -> str | None:
    """Why there can be no such clock here."""
    if sys.platform != "linux":
        return "a program's clock can be replaced on Linux only"
    return None if shutil.which("cc") else "there is no C compiler (`cc`)"


def instant(text: str) -> float:
    """Seconds since the Unix epoch of `2027-03-28T03:00+02:00`."""
    return datetime.datetime.fromisoformat(text).timestamp()


class Clock:
    """What programs with its `environment` take for the time of day. What they measure by the monotonic clock stays real."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="sluice-clock-")
        library, ahead = (pathlib.Path(self.folder.name) / name for name in ("clock.so", "ahead"))
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", library, SOURCE], check=True, timeout=60)
        self.file = os.open(ahead, os.O_RDWR | os.O_CREAT, 0o600)
        self.environment = {"LD_PRELOAD": str(library), "TEST_CLOCK": str(ahead)}
        self.set(time.time())

    def __enter__(self) -> "Clock":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.file)
        self.folder.cleanup()

    def set(self, seconds: float) -> None:
        """Puts it to an instant, in seconds since the Unix epoch; from there it goes on."""
        self.ahead = round((seconds - time.time()) * 10**9)
        os.pwrite(self.file, struct.pack("=q", self.ahead), 0)

    def now(self) -> float:
        return time.time() + self.ahead / 10**9
