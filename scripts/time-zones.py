#!/usr/bin/env python3
"""Writes core/data/time-zones.txt from the package tzdata: the rule that each zone of the IANA database follows from now on."""
import io
import struct
from datetime import datetime, timezone
from importlib import resources
from pathlib import Path
from zoneinfo import ZoneInfo

import tzdata

HEAD = """\
# Time zones by name, and the rule that each follows from now on, in the form of the POSIX variable TZ (RFC 9636, section 3.3.1).
# From the IANA Time Zone Database {version}, which is in the public domain, by way of the package tzdata {package}, on {day};
# `make time-zones` renews it. Changes that were ahead then and that no such rule says (for one year, or around Ramadan) are not
# followed: {odd}.
"""


def transitions(data: bytes) -> list[int]:
    """The instants at which the clock changes that a TZif file lists, in seconds since the Unix epoch."""
    counts = struct.Struct(">4sc15x6l")
    _, _, isut, isstd, leap, times, types, chars = counts.unpack_from(data)
    second = counts.size + 5 * times + 6 * types + chars + 8 * leap + isstd + isut
    times = counts.unpack_from(data, second)[5]
    return list(struct.unpack_from(f">{times}q", data, second + counts.size))


def only(rule: str) -> ZoneInfo:
    """A zone that has always followed a rule."""
    empty = struct.pack(">4sc15x6l", b"TZif", b"2", 0, 0, 0, 0, 1, 4) + struct.pack(">lbb4s", 0, 0, 0, b"UTC\0")
    return ZoneInfo.from_file(io.BytesIO(empty + empty + b"\n" + rule.encode() + b"\n"))


def deviates(data: bytes, rule: str, since: float) -> bool:
    """Whether a zone has a change of the clock ahead that its rule does not say."""
    whole, simple = ZoneInfo.from_file(io.BytesIO(data)), only(rule)
    ahead = [since, *(instant for instant in transitions(data) if instant > since)]
    moments = [datetime.fromtimestamp(instant, timezone.utc) for instant in ahead]
    return any(moment.astimezone(whole).utcoffset() != moment.astimezone(simple).utcoffset() for moment in moments)


def main() -> None:
    package = resources.files(tzdata)
    names = [name for name in package.joinpath("zones").read_text().split() if name != "Factory"]
    now = datetime.now(timezone.utc)
    lines, odd = [], []
    for name in sorted(names):
        data = package.joinpath("zoneinfo", *name.split("/")).read_bytes()
        rule = data.rstrip(b"\n").rsplit(b"\n", 1)[1].decode("ascii")
        if deviates(data, rule, now.timestamp()):
            odd.append(name)
        lines.append(f"{name} {rule}\n")
    odd = ", ".join(odd) or "none"
    version = tzdata.IANA_VERSION
    head = HEAD.format(version=version, package=tzdata.__version__, day=now.date(), odd=odd)
    path = Path(__file__).parents[1] / "core/data/time-zones.txt"
    path.write_text(head + "".join(lines))
    print(f"{path.name}: {len(lines)} zones of the database {version}; changes that no rule says: {odd}")


if __name__ == "__main__":
    main()
