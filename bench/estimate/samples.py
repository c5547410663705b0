"""Collects texts of many kinds from what Debian, Python, Node, Go and Cargo have installed: samples.py OUT

Each line of OUT is {"kind", "part", "text"}: about 3 kB of text, half of them to fit the estimate (`fit`), half to judge it (`test`).
"""
import base64
import gettext
import gzip
import hashlib
import json
import random
import re
import sys
import sysconfig
import unicodedata
import uuid
from pathlib import Path

SIZE = 3_000
EACH = 30  # samples of each kind for each part
HOME = Path.home()
STDLIB = Path(sysconfig.get_path("stdlib"))
PACKAGES = Path(sysconfig.get_path("purelib"))
REPOSITORY = Path(__file__).parents[2]
NODE = REPOSITORY / "integration-tests/node/node_modules"

LANGUAGES = {
    # Manual pages, Vim's tutor and programs' messages, by the names that each has for the language.
    "german": "de", "french": "fr", "spanish": "es", "italian": "it", "portuguese": "pt_BR pt", "dutch": "nl", "swedish": "sv",
    "polish": "pl", "czech": "cs", "hungarian": "hu", "finnish": "fi", "turkish": "tr", "indonesian": "id", "vietnamese": "vi",
    "russian": "ru", "ukrainian": "uk", "greek": "el", "georgian": "ka", "hebrew": "he", "arabic": "ar", "persian": "fa",
    "hindi": "hi", "bengali": "bn", "tamil": "ta", "thai": "th", "chinese": "zh_CN", "chinese_traditional": "zh_TW",
    "japanese": "ja", "korean": "ko",
}
CODE = {
    "rust": (HOME / ".cargo/registry/src", "*.rs"), "python": (STDLIB, "*.py"), "javascript": (NODE, "*.js"),
    "typescript": (NODE, "*.ts"), "go": (Path("/usr/local/go/src"), "*.go"), "c": (Path("/usr/include"), "*.h"),
    "shell": (Path("/usr/share"), "*.sh"), "css": (Path("/usr"), "*.css"), "perl": (Path("/usr/share/perl"), "*.pm"),
    "yaml": (HOME / ".cargo/registry/src", "*.yml"), "toml": (HOME / ".cargo/registry/src", "Cargo.toml"),
    "xml": (Path("/usr/share"), "*.xml"), "html": (Path("/usr"), "*.html"),
    "markdown": (HOME / ".cargo/registry/src", "*.md"),
}


def read(path: Path) -> str:
    """A file's text; nothing where it is no UTF-8."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    try:
        return data.decode()
    except UnicodeDecodeError:
        return ""


def manual(path: Path) -> str:
    """The prose of a manual page, without what formats it; nothing of one whose letters are written as commands."""
    text = read(path)
    if re.search(r"\\\(['`:^~,]|\\\*\(", text):
        return ""
    lines = [line for line in text.splitlines() if line and line[0] not in ".'"]
    return re.sub(r"\\f(\[\w+\]|\(..|.)|\\&", "", "\n".join(lines)).replace("\\-", "-").replace("\\(aq", "'")


def messages(path: Path) -> str:
    """The translations in a catalogue of messages."""
    try:
        with path.open("rb") as file:
            catalogue = gettext.GNUTranslations(file)._catalog
    except (OSError, UnicodeDecodeError, ValueError):
        return ""
    texts = [text for name, text in catalogue.items() if isinstance(text, str) and name and text != name and len(text) > 20]
    return "\n".join(texts)


def chunks(text: str) -> list[str]:
    """A text in pieces of about SIZE bytes, cut at the ends of lines where it has any."""
    pieces, piece, length = [], [], 0
    for line in text.splitlines(keepends=True):
        for start in range(0, len(line), SIZE):
            part = line[start : start + SIZE]
            piece.append(part)
            length += len(part.encode())
            if length >= SIZE:
                pieces.append("".join(piece))
                piece, length = [], 0
    return pieces


def language(codes: str) -> list[list[str]]:
    sources = []
    for code in codes.split():
        sources += [manual(path) for path in sorted(Path("/usr/share/man", code).glob("man*/*.gz"))]
        sources += [read(path) for path in sorted(Path("/usr/share/vim").glob(f"vim*/tutor/tutor.{code.lower()}.utf-8"))]
        sources += [messages(path) for path in sorted(Path("/usr/share/locale", code, "LC_MESSAGES").glob("*.mo"))]
    return [chunks(source) for source in sources]


def code(folder: Path, pattern: str) -> list[list[str]]:
    paths = [path for path in sorted(folder.rglob(pattern)) if "site-packages" not in path.parts]
    paths = [path for path in paths if path.is_file() and path.stat().st_size > 500]
    random.Random(pattern).shuffle(paths)
    texts = [read(path)[: 4 * SIZE] for path in paths[:400]]
    # Small files stand together in a sample; minified ones are a kind of their own.
    texts = [text for text in texts if text and len(text) / (text.count("\n") + 1) < 200]
    return [chunks("".join(texts[start : start + 4])) for start in range(0, len(texts), 4)]


def english() -> list[list[str]]:
    pages = sorted(Path("/usr/share/man/man1").glob("*.gz")) + sorted(Path("/usr/share/man/man7").glob("*.gz"))
    random.Random("pages").shuffle(pages)
    licences = sorted(Path("/usr/share/common-licenses").glob("*"))
    tutor = sorted(Path("/usr/share/vim").glob("vim*/tutor/tutor.utf-8"))
    return [chunks(manual(path)) for path in pages[:150]] + [chunks(read(path)) for path in licences + tutor if path.is_file()]


def documents() -> list:
    """JSON as interfaces exchange it: descriptions of Amazon's services, and the cases of this project."""
    paths = sorted(PACKAGES.glob("botocore/data/*/*/service-2.json*"))
    random.Random("services").shuffle(paths)
    cases = sorted(REPOSITORY.glob("test-cases/**/*.json"))
    values = [json.loads(read(path)) for path in paths[:60]]
    shapes = [value["shapes"] for value in values]
    random.Random("cases").shuffle(cases)
    texts = [text for text in (read(path) for path in cases[:100]) if text[:1] in ("{", "[") and text[1:2] != "]"]
    return shapes + [value for value in map(parsed, texts) if value]


def parsed(text: str):
    """A text's value; None where it is no JSON, as some cases are on purpose."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def made(kind: str) -> list[list[str]]:
    """Kinds that are made, as nobody writes them: the same at every run."""
    chance = random.Random(kind)
    emoji = [chr(code) for code in [*range(0x1F300, 0x1F650), *range(0x1F680, 0x1F6D0), *range(0x1F900, 0x1FA00), 0x2764, 0x2705]]
    emoji = [character for character in emoji if unicodedata.category(character) == "So"]
    words = re.findall(r"[a-z]+", " ".join(chunk for source in english()[:20] for chunk in source))
    make = {
        "base64": lambda: base64.b64encode(chance.randbytes(SIZE * 3 // 4)).decode(),
        "hexadecimal": lambda: "\n".join(chance.randbytes(32).hex() for _ in range(SIZE // 65)),
        "uuids": lambda: "\n".join(str(uuid.UUID(bytes=chance.randbytes(16), version=4)) for _ in range(SIZE // 37)),
        "numbers": lambda: "\n".join(
            ",".join(f"{chance.gauss(0, 10 ** chance.randint(0, 4)):.{chance.randint(0, 4)}f}" for _ in range(8)) for _ in range(SIZE // 45)
        ),
        "log": lambda: "".join(
            f"2026-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}T{chance.randint(0, 23):02}:{chance.randint(0, 59):02}:"
            f"{chance.randint(0, 59):02}.{chance.randint(0, 999):03}Z {chance.choice(['INFO', 'WARN', 'ERROR', 'DEBUG'])} "
            f"[{chance.choice(words)}-{chance.randint(1, 64)}] {chance.choice(words)}={chance.randint(0, 99999)} "
            f"10.{chance.randint(0, 255)}.{chance.randint(0, 255)}.{chance.randint(1, 254)} {' '.join(chance.choices(words, k=6))}\n"
            for _ in range(SIZE // 105)
        ),
        "emoji": lambda: "".join(
            f"{' '.join(chance.choices(words, k=chance.randint(2, 9)))} {''.join(chance.choices(emoji, k=chance.randint(1, 4)))}\n"
            for _ in range(SIZE // 45)
        ),
    }[kind]
    return [[make()] for _ in range(2 * EACH)]


def parted(kind: str, sources: list[list[str]]):
    """Samples for each part, from different sources where there are enough of them."""
    sources = [source for source in sources if source]
    random.Random(kind).shuffle(sources)
    sides = {"fit": [], "test": []}
    for source in sources:
        for start in range(0, len(source), 8):
            part = min(sides, key=lambda part: len(sides[part])) if len(sources) >= 8 or len(source) > 8 else None
            for position, chunk in enumerate(source[start : start + 8]):
                sides[part or ("fit", "test")[position % 2]].append(chunk)
    for part, texts in sides.items():
        random.Random(kind + part).shuffle(texts)
        for text in texts[:EACH]:
            yield {"kind": kind, "part": part, "text": text}


def main() -> None:
    kinds = {"english": english()}
    kinds |= {name: language(codes) for name, codes in LANGUAGES.items()}
    kinds |= {name: code(*where) for name, where in CODE.items()}
    values = documents()
    kinds["json"] = [chunks(json.dumps(value, separators=(",", ":"))[: 6 * SIZE]) for value in values]
    kinds["json_spaced"] = [chunks(json.dumps(value)[: 6 * SIZE]) for value in values]
    kinds["json_pretty"] = [chunks(json.dumps(value, indent=2)[: 6 * SIZE]) for value in values]
    minified = [path for path in sorted(NODE.rglob("*.js")) + sorted(Path("/usr").rglob("*.min.js")) if path.is_file()]
    minified = [text for text in (read(path) for path in minified) if text and len(text) / (text.count("\n") + 1) > 300]
    kinds["minified"] = [chunks(re.sub(r"[\w+/]{200,}", "", text)[: 10 * SIZE]) for text in minified]
    for kind in ["base64", "hexadecimal", "uuids", "numbers", "log", "emoji"]:
        kinds[kind] = made(kind)
    with open(sys.argv[1], "w") as out:
        for kind, sources in kinds.items():
            samples = list(parted(kind, sources))
            size = sum(len(sample["text"].encode()) for sample in samples)
            digest = hashlib.sha256("".join(sample["text"] for sample in samples).encode()).hexdigest()[:8]
            print(f"{kind}: {len(samples)} samples, {size} bytes, {digest}", file=sys.stderr)
            out.writelines(json.dumps(sample, ensure_ascii=False) + "\n" for sample in samples)


if __name__ == "__main__":
    main()
