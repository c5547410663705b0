"""Fits the tables of core/src/usage/estimate/table.rs: fit.py SAMPLES COUNTS… > table.rs

What is fitted: how many tokens begin, on average over the tokenizers, with a character of one class behind one of another. A text's
estimate is the sum of these over its characters. For letters of the Latin script there are two tables, one for English and code, one
for other languages; which one holds is told by the letters before, whose pairs are likelier in the one or in the other.
"""
import json
import sys

import numpy as np

# How much each tokenizer weighs in the average. Claude's is that of its second generation, the last one that was published.
TOKENIZERS = {"o200k": 2.0, "llama3": 1.0, "tekken": 1.0, "claude2": 0.5}
LATIN = "german french spanish italian portuguese dutch swedish polish czech hungarian finnish turkish indonesian".split()
CODE = (
    "rust python javascript typescript go c shell css perl yaml toml xml html markdown json json_spaced json_pretty minified"
).split()
# How much a kind of text weighs, where it is not 1: what models read most, and what is hardest to tell from prose.
WEIGHTS = {"english": 6.0} | dict.fromkeys(CODE, 1.5) | dict.fromkeys(["minified", "base64", "hexadecimal"], 3.0)

# The classes of ASCII, a word for each; what a class has in common is how tokenizers treat it.
LETTERS = [*"abcdefghijklmnopqrstuvwxyz", "AEIOU", "BCDFGHJKLMNPQRSTVWXYZ", " ", "\n\r", "'`"]
ASCII = [*LETTERS, "\t", "0123456789", ".,", ";:", "!?", '"', "()", "[]", "{}", "<>", "/\\", "_", "-", "=", "#$@%&*+^~|"]
# Those of other characters: where each begins; one that is named twice comes back.
RANGES = [
    (0x80, "latin_signs"), (0xC0, "latin"), (0x250, "two_bytes"), (0x300, "marks"), (0x370, "greek"), (0x400, "cyrillic"),
    (0x530, "two_bytes"), (0x590, "hebrew"), (0x600, "arabic"), (0x700, "two_bytes"), (0x800, "three_bytes"), (0x900, "devanagari"),
    (0x980, "bengali"), (0xA00, "indic"), (0xB80, "tamil"), (0xC00, "indic"), (0xE00, "thai"), (0xE80, "three_bytes"),
    (0x10A0, "georgian"), (0x1100, "three_bytes"), (0x1E00, "vietnamese"), (0x1F00, "three_bytes"), (0x2000, "punctuation"),
    (0x2070, "symbols"), (0x2500, "boxes"), (0x2580, "symbols"), (0x2E80, "cjk_punctuation"), (0x3040, "hiragana"),
    (0x30A0, "katakana"), (0x3100, "three_bytes"), (0x3400, "rare_han"), (0x4E00, "han"), (0xA000, "three_bytes"), (0xAC00, "hangul"),
    (0xD7B0, "three_bytes"), (0xF900, "rare_han"), (0xFB00, "three_bytes"), (0xFE00, "variations"), (0xFE10, "three_bytes"),
    (0xFF00, "fullwidth"), (0xFFF0, "three_bytes"), (0x10000, "four_bytes"), (0x1F000, "emoji"), (0x20000, "four_bytes"),
]
# Letters of the Latin script come first, and with them what stands between them.
NAMES = LETTERS + ["latin"]
NAMES += [name for name in ASCII if name not in NAMES] + ["control"]
NAMES += [name for name in dict.fromkeys(name for _, name in RANGES) if name not in NAMES]
START = len(NAMES)  # what stands before a text
COUNT = START + 1
WRITTEN = NAMES.index("latin") + 1  # how many classes have two tables
STARTS = [start for start, _ in RANGES]

UNIT = 4096  # a token
SCALE = 8  # of the logarithms that tell languages apart
CLIP = 256  # how sure one can be of a language
PRIOR = 3.0  # characters of a kind that a rare pair is thought to have been seen among


def class_of(character: str) -> int:
    code = ord(character)
    if code >= 0x80:
        return NAMES.index(RANGES[int(np.searchsorted(STARTS, code, side="right")) - 1][1])
    return next((NAMES.index(name) for name in ASCII if character in name), NAMES.index("control"))


def load(samples: str, counts: list[str]):
    for sample, *rows in zip(open(samples), *map(open, counts), strict=True):
        sample = json.loads(sample)
        for row in rows:
            row = json.loads(row)
            assert (row["kind"], row["part"]) == (sample["kind"], sample["part"])
            sample |= row
        if sample["part"] == "fit":
            yield sample


def main() -> None:
    rows = list(load(sys.argv[1], sys.argv[2:]))
    characters = {character: class_of(character) for row in rows for character in row["text"]}
    known = np.array([characters[character] for row in rows for character in row["text"]])
    assert known.max() < START
    for row in rows:
        row["classes"] = np.array([characters[character] for character in row["text"]])
        row["pairs"] = np.concatenate(([START], row["classes"][:-1])) * COUNT + row["classes"]
        ends = np.cumsum([0] + [len(character.encode()) for character in row["text"]])
        row["starts"] = np.zeros(len(row["text"]))
        for name, weight in TOKENIZERS.items():
            begins = np.cumsum([0] + row[name])[:-1]
            owners = np.searchsorted(ends, begins, side="right") - 1
            row["starts"] += weight / sum(TOKENIZERS.values()) * np.bincount(owners, minlength=len(row["text"]))

    # Which pairs of letters tell English from other languages.
    seen = np.zeros((2, COUNT * COUNT))
    for row in rows:
        pairs = np.bincount(row["pairs"], minlength=COUNT * COUNT)
        if row["kind"] in LATIN:
            seen[1] += pairs
        elif row["kind"] == "english" or row["kind"] in CODE:
            seen[0] += pairs * (4.0 if row["kind"] == "english" else 0.5)
    written = np.zeros(COUNT, bool)
    written[[index for index, name in enumerate(NAMES[:WRITTEN]) if name.isalpha() or name == " "]] = True
    telling = np.outer(written, written).reshape(-1)
    shares = (seen * telling + 20) / (seen * telling + 20).sum(1, keepdims=True)
    language = np.where(telling, np.clip(np.round(SCALE * np.log(shares[0] / shares[1])), -127, 127), 0).astype(int)

    # How often tokens begin, in English and code, and in other languages.
    sizes = {}
    for row in rows:
        sizes[row["kind"]] = sizes.get(row["kind"], 0) + len(row["classes"])
    seen, begun = np.zeros((2, COUNT * COUNT)), np.zeros((2, COUNT * COUNT))
    for row in rows:
        score, other = 0, np.zeros(len(row["pairs"]), bool)
        for position, step in enumerate(language[row["pairs"]].tolist()):
            other[position] = score < 0
            score = max(-CLIP, min(CLIP, score + step))
        weight = WEIGHTS.get(row["kind"], 1.0) * 100_000 / sizes[row["kind"]]
        for table, chosen in ((0, ~other), (1, other)):
            pairs, starts = row["pairs"][chosen], row["starts"][chosen]
            seen[table] += weight * np.bincount(pairs, minlength=COUNT * COUNT)
            begun[table] += weight * np.bincount(pairs, starts, minlength=COUNT * COUNT)
    seen, begun = seen.reshape(2, COUNT, COUNT), begun.reshape(2, COUNT, COUNT)
    # A class that no sample has: one token for each byte.
    bytes_of = {"two_bytes": 2, "three_bytes": 3, "four_bytes": 4}
    fallback = np.array([bytes_of.get(name, 1.0) for name in NAMES] + [0.0])
    of_class = (begun.sum((0, 1)) + PRIOR * fallback) / (seen.sum((0, 1)) + PRIOR)
    both = (begun.sum(0) + PRIOR * of_class) / (seen.sum(0) + PRIOR)
    tables = (begun + PRIOR * both) / (seen + PRIOR)
    # Outside the letters there is one table.
    main, other = both.copy(), tables[1, :WRITTEN, :WRITTEN]
    main[:WRITTEN, :WRITTEN] = tables[0, :WRITTEN, :WRITTEN]
    write(main, other, language.reshape(COUNT, COUNT)[:WRITTEN, :WRITTEN])


def write(main: np.ndarray, other: np.ndarray, language: np.ndarray) -> None:
    def rows(name: str, kind: str, doc: str, table: np.ndarray) -> None:
        print(f"\n/// {doc}\n#[rustfmt::skip]\npub(super) static {name}: [{kind}; {table.size}] = [")
        for row in table:
            line = ""
            for value in row:
                if len(line) + len(f"{value}, ") > 104:
                    print(f"    {line.rstrip()}")
                    line = ""
                line += f"{value}, "
            print(f"    {line.rstrip()}")
        print("];")

    units = lambda table: np.minimum(np.round(table * UNIT), 65535).astype(int)
    print("//! What the estimate was fitted to: written by bench/estimate, to be changed there.")
    print(f"\n/// Of these a token is made.\npub(super) const UNIT: u64 = {UNIT};")
    print(f"\n/// How many classes of characters there are, with the start of a text, which is the last.\npub(super) const CLASSES: usize = {COUNT};")
    print(f"\n/// How many of them, the first, are written in between letters of the Latin script.\npub(super) const WRITTEN: usize = {WRITTEN};")
    print(f"\n/// How sure one can be of a language.\npub(super) const SURE: i32 = {CLIP};")
    ascii_classes = np.array([class_of(chr(code)) for code in range(128)]).reshape(8, 16)
    rows("ASCII", "u8", "The class of each character of ASCII.", ascii_classes)
    print(f"\n/// The classes of other characters, each by the code point from which on it holds.\n#[rustfmt::skip]\npub(super) static RANGES: [(u32, u8); {len(RANGES)}] = [")
    for start, name in RANGES:
        print(f"    ({start:#x}, {NAMES.index(name)}), // {name}")
    print("];")
    steps = np.zeros(main.shape, int)
    steps[:WRITTEN, :WRITTEN] = language
    doc = "For a character behind another, a row for the class of the one, a column for that of its own: how many units begin with it in the"
    rows("PAIRS", "i32", f"{doc}\n/// lower 16 bits, and above them how much likelier the pair is in English than in other languages.", units(main) + (steps << 16))
    rows("OTHER_STARTS", "u16", "How many units begin with a letter behind another in languages other than English.", units(other))


if __name__ == "__main__":
    main()
