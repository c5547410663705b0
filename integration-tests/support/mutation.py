"""Random changes of bodies, the same ones each time for the same seed."""

import copy
import json
import random

TOKENS = [
    b"null", b"true", b"{}", b"[]", b'""', b"-1", b"0", b"1e999", b"-0.0", b"18446744073709551616", b'"\\ud800"',
    b'"\\u0000"',
    b"\xff", b"\xc0\x80", b"\xef\xbb\xbf", b"\x00", b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"\n", b"\r\n\r\n",
    b"[" * 200, b'{"a":' * 200, b"data: ", b"event: error\n", b"[DONE]",
]  # fmt: skip
VALUES = [
    None, True, False, 0, 1, -1, 1.5, 2**63, 10**30, "", "x", "\u0000", "none", "auto", "required", "é" * 300, [], {},
    [[]], [{}], [None], {"type": None}, {"type": "text"}, {"type": "function", "function": {}}, {"text": 1},
    [{"role": "user"}],
    [{"type": "text", "text": "x"}], {"error": {"message": "m", "code": 429}}, {"": {}},
]  # fmt: skip


def mutated(body: bytes, rng: random.Random) -> bytes:
    """A body with one to three changes: of its bytes, or of its JSON where it is such."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        body = (_json if rng.random() < 0.7 else _bytes)(body, rng)
    return body


def _bytes(body: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(body) + 1)
    end = min(len(body), start + rng.choice((1, 1, 2, 8, 40)))
    other = rng.randrange(len(body) + 1)
    piece = body[start:end]
    return rng.choice(
        (
            lambda: body[:start] + body[end:],
            lambda: body[:start] + piece + body[start:],
            lambda: body[:other] + piece + body[other:],
            lambda: body[:start] + rng.choice(TOKENS) + body[start:],
            lambda: body[:start] + rng.choice(TOKENS) + body[end:],
            lambda: body[:start] + bytes(byte ^ 1 << rng.randrange(8) for byte in piece) + body[end:],
            lambda: body[:start],
        )
    )()


def _json(body: bytes, rng: random.Random) -> bytes:
    """One value in the JSON of a body, or of one event of a stream, becomes another, goes, or comes twice."""
    lines = body.split(b"\n")
    events = [at for at, line in enumerate(lines) if line.startswith(b"data: {")]
    at = rng.choice(events) if events else None
    try:
        value = json.loads(body if at is None else lines[at][6:])
        text = json.dumps(_changed(value, rng), ensure_ascii=rng.random() < 0.5).encode()
    except (ValueError, RecursionError):
        return _bytes(body, rng)
    if at is None:
        return text
    lines[at] = b"data: " + text
    return b"\n".join(lines)


def _changed(value: object, rng: random.Random) -> object:
    value = copy.deepcopy(value)
    places = list(_places(value))
    if not places:
        return rng.choice(VALUES)
    holder, key = rng.choice(places)
    _, other = rng.choice(places)
    change = rng.randrange(5)
    if change == 0:
        del holder[key]
    elif change == 1 and isinstance(holder, dict):
        holder[other if isinstance(other, str) else "more"] = holder.pop(key)
    elif change == 2 and isinstance(holder, list):
        holder.extend([holder[key]] * rng.choice((1, 3, 50)))
    elif change == 3:
        donor, place = rng.choice(places)
        holder[key] = copy.deepcopy(donor[place])
    else:
        holder[key] = rng.choice(VALUES)
    return value


def _places(value: object):
    """Every place in a value: its holder, and the key or index there."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(pairs):
        yield value, key
        yield from _places(inner)
