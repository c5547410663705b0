"""Waiting for what is about to happen."""

import time
from collections.abc import Callable


def until(condition: Callable[[], object], seconds: float) -> None:
    """Returns once the condition holds; fails when it doesn't in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.02)
