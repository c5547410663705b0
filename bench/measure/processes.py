"""Processes of contenders: started on their processor, halted while others are measured, and what they take."""

import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import threading
import time

from contenders.base import ROOT, Contender, Start, Unavailable

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


class Running:
    """A contender that answers."""

    def __init__(self, contender: Contender, vendor: str, core: int, prepared: Start | None = None) -> None:
        self.contender = contender
        self.vendor = vendor
        self.folder = tempfile.TemporaryDirectory(prefix="sluice-bench-")
        folder = pathlib.Path(self.folder.name)
        start = prepared or contender.prepare(folder, vendor, free_port())
        self.errors = (folder / "errors.txt").open("w+")
        begun = time.monotonic()
        self.process = subprocess.Popen(
            ["taskset", "--cpu-list", str(core), *[str(part) for part in start.command]],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "HOME": self.folder.name} | start.environment,
            stdout=subprocess.PIPE if start.announces else subprocess.DEVNULL,
            stderr=self.errors,
            text=True,
            start_new_session=True,
        )
        self.address = start.address
        try:
            if start.announces:
                self.address = self._announced(start.announces)
            self._wait_until_it_listens()
        except BaseException:
            self.stop()
            raise
        self.begun = begun

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def tree(self) -> list[int]:
        """The process and all below it."""
        found, rest = [], [self.process.pid]
        while rest:
            process = rest.pop()
            found.append(process)
            for task in pathlib.Path(f"/proc/{process}/task").glob("*/children"):
                try:
                    rest.extend(int(child) for child in task.read_text().split())
                except OSError:
                    continue
        return found

    def busy(self) -> float:
        """Seconds of the processor's that all of it has taken."""
        total = 0
        for process in self.tree():
            try:
                fields = pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            # Its own, and that of children that have ended.
            total += sum(int(field) for field in fields[11:15])
        return total / TICK

    def resident(self) -> int:
        """Bytes of memory that all of it has resident."""
        total = 0
        for process in self.tree():
            try:
                total += int(pathlib.Path(f"/proc/{process}/statm").read_text().split()[1]) * PAGE
            except OSError:
                continue
        return total

    def halt(self) -> None:
        """Stands still, so that what it does in the background is not on somebody else's account."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        tree = self.tree()
        self._signal(signal.SIGCONT)
        self._signal(signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self.process.wait(10)
        for process in tree[1:]:
            # Workers that outlived it. They are in its session, so no other process is meant.
            try:
                if os.getsid(process) == self.process.pid:
                    os.kill(process, signal.SIGKILL)
            except OSError:
                continue
        if self.process.stdout:
            self.process.stdout.close()
        self.errors.close()
        self.folder.cleanup()

    def said(self) -> str:
        """The end of what it wrote to its standard error."""
        self.errors.flush()
        return pathlib.Path(self.errors.name).read_text(errors="replace")[-600:].strip()

    def _signal(self, number: int) -> None:
        for process in self.tree():
            try:
                os.kill(process, number)
            except ProcessLookupError:
                continue

    def _announced(self, begin: str) -> str:
        found: list[str] = []

        def read() -> None:
            for line in self.process.stdout:
                if line.startswith(begin) and not found:
                    found.append(line.removeprefix(begin).strip())

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        for _ in range(600):
            if found:
                return found[0].removeprefix("http://").split("/")[0].replace("0.0.0.0", "127.0.0.1")
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise Unavailable(f"it did not start: {self.said()}")

    def _wait_until_it_listens(self) -> None:
        host, port = self.address.rsplit(":", 1)
        for _ in range(24_000):
            if self.process.poll() is not None:
                raise Unavailable(f"it did not start: {self.said()}")
            try:
                socket.create_connection((host, int(port)), timeout=1).close()
                return
            except OSError:
                time.sleep(0.005)
        raise Unavailable(f"it did not listen within two minutes: {self.said()}")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]
