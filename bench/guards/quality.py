"""How well prompt injections are told from other prompts, on labelled sets that this project has not written.

    make guard-quality

`sets.py` says which sets. Each text is of one of two halves, by a digest of its first eight words, so that near copies are mostly of one half.
Signals were written and their points fitted (`--fit`) by the one; the figures are those of the other. Beside them stands one naive
regular expression.
"""

import argparse
import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import sets

ROOT = Path(__file__).resolve().parents[2]
SCORER = ROOT / "target/release/examples/guard_lines"
FAMILIES = ROOT / "core/src/guard/injection/families"
NAIVE = re.compile(
    r"(?i)(ignore|disregard|forget)\b.{0,40}\b(instructions?|prompts?|rules|above|previous)|\bDAN\b|do anything now|jailbreak"
    r"|developer mode|system prompt|pretend (to be|you are)|act as"
)
# In thousandths.
THRESHOLDS = (300, 400, 500, 600, 700)
TRIGGERS = "trigger words (NotInject)"


def score(texts):
    lines = "\n".join(json.dumps(text) for text in texts)
    done = subprocess.run([SCORER], input=lines, capture_output=True, text=True, check=True, timeout=1800)
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr.strip()


def percent(values):
    values = list(values)
    return f"{100 * sum(values) / len(values):.1f} %" if values else "–"


def table(rows, scores, half):
    by_set = defaultdict(list)
    for (name, is_attack, first, text), (points, _) in zip(rows, scores):
        if first == half:
            by_set[not is_attack, name].append((points, bool(NAIVE.search(text))))
    lines = []
    for benign in (False, True):
        lines.append(f"\n| {'benign: false alarms' if benign else 'attacks: found'} | texts | " + " | ".join(f"from {t / 1000}" for t in THRESHOLDS) + " | naive |")
        lines.append("|---|---|" + "---|" * (len(THRESHOLDS) + 1))
        for (kind, name), found in by_set.items():
            if kind == benign:
                cells = [percent(points >= threshold for points, _ in found) for threshold in THRESHOLDS]
                lines.append(f"| {name} | {len(found)} | " + " | ".join(cells) + f" | {percent(naive for _, naive in found)} |")
    return lines


def at_rates(rows, scores):
    """The least threshold that keeps to both rates of false alarms on the first half, and what that finds in the other."""

    def rate(threshold, half, wanted):
        hits = [p >= threshold for (name, attack, first, _), (p, _) in zip(rows, scores) if first == half and wanted(name, attack)]
        return sum(hits) / len(hits)

    triggers = lambda name, attack: name == TRIGGERS
    ordinary = lambda name, attack: name.startswith("ordinary")
    in_the_wild = lambda name, attack: name.startswith("jailbreaks in the wild")
    every = lambda name, attack: attack
    kept = [t for t in range(10, 1001, 10) if rate(t, True, triggers) < 0.02 and rate(t, True, ordinary) < 0.01]
    lines = ["\n| | threshold | found in the wild | found of all attacks | false alarms: trigger words | false alarms: ordinary |", "|---|---|---|---|---|---|"]
    for label, threshold in (("least that keeps to both rates on the first half", kept[0] / 1000), ("default", 0.5)):
        cells = [f"{100 * rate(threshold * 1000, False, wanted):.1f} %" for wanted in (in_the_wild, every, triggers, ordinary)]
        lines.append(f"| {label} | {threshold} | " + " | ".join(cells) + " |")
    return lines


def fit(rows, scores):
    """Fits the points of signals on the first half, near what they are, by logistic regression."""
    import numpy
    from scipy.optimize import minimize

    written = {}
    for path in FAMILIES.glob("*.rs"):
        written |= {name: int(points) for name, points in re.findall(r'Signal::new\("([^"]+)", (-?\d+)', path.read_text())}
    names = list(written)
    chosen = [(row, signals) for row, (_, signals) in zip(rows, scores) if row[2]]
    there = numpy.array([[name in signals for name in names] for _, signals in chosen], dtype=float)
    sign = numpy.array([1 if row[1] else -1 for row, _ in chosen])
    weight = numpy.array([1.0 if row[1] or row[0].startswith("harmful") else 6.0 if row[0] == TRIGGERS else 2.0 for row, _ in chosen])
    before = numpy.array([points / 1000 for points in written.values()])
    steep, pull = 8.0, 1.5

    def loss(points):
        margin = steep * (there @ points - 0.5) * sign
        slope = -(weight * sign * steep / (1 + numpy.exp(margin))) @ there
        near = pull * steep**2 * ((points - before) ** 2).sum()
        return (weight * numpy.logaddexp(0, -margin)).sum() + near, slope + 2 * pull * steep**2 * (points - before)

    bounds = [(-0.8, 0) if points < 0 else (0, 0.9) for points in before]
    fitted = minimize(loss, before, jac=True, method="L-BFGS-B", bounds=bounds).x
    for path in FAMILIES.glob("*.rs"):
        text = path.read_text()
        for name, points in zip(names, fitted):
            text = re.sub(rf'(Signal::new\("{re.escape(name)}", )-?\d+', lambda found: f"{found[1]}{round(points * 100) * 10}", text)
        path.write_text(text)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", default=ROOT / "target/guard-quality", help="where the public files are, or are put")
    options.add_argument("--output", help="the page whose figures are renewed")
    options.add_argument("--fit", action="store_true", help="fit the signals' points on the first half")
    options.add_argument("--show", help="print the texts of the first half of sets with this in their name that are judged wrongly")
    options = options.parse_args()

    rows = sets.load(options.data)
    scores, speed = score([text for *_, text in rows])
    if options.fit:
        return fit(rows, scores)
    if options.show:
        for (name, attack, first, text), (points, signals) in zip(rows, scores):
            if first and options.show in name and attack != (points >= 500):
                print(points, signals, " ".join(text.split())[:300])
        return None
    lines = [f"{len(rows)} texts, {speed} (native, one core).", *at_rates(rows, scores)]
    lines += ["\n### The other half", *table(rows, scores, False), "\n### The half that the signals were made with", *table(rows, scores, True)]
    page = "\n".join(lines) + "\n"
    print(page)
    if options.output:
        path = Path(options.output)
        path.write_text(path.read_text().split("<!-- figures -->")[0] + "<!-- figures -->\n\n" + page)
    return None


if __name__ == "__main__":
    sys.exit(main())
