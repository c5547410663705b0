"""How far the estimate is from what tokenizers count: judge.py ESTIMATES COUNTS… > the tables of docs/limits-estimates.md

ESTIMATES has a line for each sample to judge.
"""
import json
import sys

import numpy as np

COMMON = ["o200k", "cl100k", "llama3", "tekken"]
GROUPS = {
    "English prose": ["english"],
    "German, French, Spanish, Italian, Portuguese, Dutch": ["german", "french", "spanish", "italian", "portuguese", "dutch"],
    "Swedish, Polish, Czech, Hungarian, Finnish, Turkish, Indonesian": [
        "swedish", "polish", "czech", "hungarian", "finnish", "turkish", "indonesian",
    ],
    "Vietnamese": ["vietnamese"],
    "Russian, Ukrainian": ["russian", "ukrainian"],
    "Greek": ["greek"],
    "Chinese, simplified and traditional": ["chinese", "chinese_traditional"],
    "Japanese": ["japanese"],
    "Korean": ["korean"],
    "Arabic, Persian, Hebrew": ["arabic", "persian", "hebrew"],
    "Hindi": ["hindi"],
    "Bengali, Tamil": ["bengali", "tamil"],
    "Thai": ["thai"],
    "Georgian": ["georgian"],
    "Rust, Python, Go, C, JavaScript, TypeScript, Perl, shell": [
        "rust", "python", "go", "c", "javascript", "typescript", "perl", "shell",
    ],
    "JSON, compact, spaced and indented": ["json", "json_spaced", "json_pretty"],
    "Markdown, HTML, XML, CSS, YAML, TOML": ["markdown", "html", "xml", "css", "yaml", "toml"],
    "Minified scripts": ["minified"],
    "Tables of numbers, logs": ["numbers", "log"],
    "UUIDs, hexadecimal digits": ["uuids", "hexadecimal"],
    "Base64": ["base64"],
    "English with emoji": ["emoji"],
}


def percent(value: float) -> str:
    return f"{100 * value:+.0f} %"


def main() -> None:
    rows = []
    for lines in zip(*map(open, sys.argv[2:]), strict=True):
        row = {}
        for line in lines:
            row |= json.loads(line)
        if row["part"] == "test":
            rows.append(row)
    for row, line in zip(rows, open(sys.argv[1]), strict=True):
        row["estimate"] = int(line)

    def errors(kinds: list[str], tokenizer: str) -> tuple[np.ndarray, float]:
        chosen = [row for row in rows if row["kind"] in kinds]
        estimates = np.array([row["estimate"] for row in chosen], float)
        truths = np.array([row[tokenizer] for row in chosen], float)
        return estimates / truths - 1, estimates.sum() / truths.sum() - 1

    print("| texts | " + " | ".join([*COMMON, "claude2"]) + " | 1 of 20 is under by more than | 1 of 20 is over by more than |")
    print("|---|" + "---:|" * (len(COMMON) + 3))
    groups = dict(GROUPS)
    known = {kind for kinds in groups.values() for kind in kinds}
    assert known == {row["kind"] for row in rows}, known ^ {row["kind"] for row in rows}
    for name, kinds in groups.items():
        means = [percent(errors(kinds, tokenizer)[1]) for tokenizer in [*COMMON, "claude2"]]
        ends = [np.percentile(errors(kinds, tokenizer)[0], [5, 95]) for tokenizer in COMMON]
        low, high = min(end[0] for end in ends), max(end[1] for end in ends)
        print(f"| {name} | {' | '.join(means)} | {percent(low)} | {percent(high)} |")
    western = [kind for name, kinds in GROUPS.items() if name.startswith(("English prose", "Rust", "JSON", "Markdown")) for kind in kinds]
    margins = (0, 15, 25, 40)
    heads = "".join(f" above it plus {margin} % |" for margin in margins)
    print(f"\n| texts | tokenizer | mean | mean distance |{heads}\n|---|---|---:|---:|{'---:|' * len(margins)}")
    for title, kinds in {"English, code, JSON, documents": western, "all kinds alike": [row["kind"] for row in rows]}.items():
        for tokenizer in [*COMMON, "claude2"]:
            each, mean = errors(kinds, tokenizer)
            shares = [100 * float(((each + 1) * (1 + margin / 100) < 1).mean()) for margin in margins]
            cells = "".join(f" {share:.1f} % |" for share in shares)
            print(f"| {title} | {tokenizer} | {percent(mean)} | {100 * np.abs(each).mean():.1f} % |{cells}")


if __name__ == "__main__":
    main()
