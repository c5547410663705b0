"""How well redaction finds what it should, beside Presidio's pattern recognizers on the same texts.

    make redaction-quality

The texts come from presidio-evaluator, Microsoft's generator for this purpose, with a fixed seed; any file in its format can
be measured instead (`--data synth_dataset_v2.json`). Three sets:

- labelled: its templates with generated values;
- disguised: the same values percent-encoded, with spaces between digits, full-width, with look-alike letters, with
  invisible characters;
- benign: look-alikes that are no personal data, made here: numbers of orders, hashes, timestamps, versions, program text.

Figures: leaks (recall with at least 90 % of a value's characters covered by any finding), strict recall and precision (the
same span and type), their F2, and false redactions per 10,000 tokens of the benign set.
"""

import argparse
import io
import contextlib
import json
import random
import re
import subprocess
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

# The set's name for an entity, ours, and Presidio's.
ENTITIES = {
    "EMAIL_ADDRESS": ("EMAIL", "EMAIL_ADDRESS"),
    "PHONE_NUMBER": ("PHONE", "PHONE_NUMBER"),
    "CREDIT_CARD": ("CREDIT_CARD", "CREDIT_CARD"),
    "IBAN_CODE": ("IBAN", "IBAN_CODE"),
    "US_SSN": ("US_SSN", "US_SSN"),
    "IP_ADDRESS": ("IP_ADDRESS", "IP_ADDRESS"),
    "US_DRIVER_LICENSE": ("US_DRIVER_LICENSE", "US_DRIVER_LICENSE"),
    "DOMAIN_NAME": ("URL", "URL"),
}
# Rules that guess, which are off unless they are asked for.
GUESSES = {"PERSON": "PERSON_NAME", "STREET_ADDRESS": "STREET_ADDRESS"}
# What presidio-evaluator itself takes when it measures Presidio.
THRESHOLD = 0.4
PACKS = ["pii", "pci", "hipaa", "gdpr", "secrets", "url"]


def generated(count, seed):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        from presidio_evaluator.data_generator import PresidioSentenceFaker

        random.seed(seed)
        faker = PresidioSentenceFaker("en_US", lower_case_ratio=0.05, random_seed=seed)
        faker.add_provider_alias(provider_name="name", new_name="person")
        faker.add_provider_alias(provider_name="credit_card_number", new_name="credit_card")
        faker.add_provider_alias(provider_name="date_of_birth", new_name="birthday")
        samples = faker.generate_new_fake_sentences(count)
    return [
        (sample.full_text, [(span.entity_type, span.start_position, span.end_position) for span in sample.spans])
        for sample in samples
    ]


def from_file(path):
    samples = json.loads(Path(path).read_text())
    return [
        (s["full_text"], [(x["entity_type"], x["start_position"], x["end_position"]) for x in s["spans"]]) for s in samples
    ]


LOOK_ALIKES = str.maketrans("aceopxyABCEHKMOPTX", "асеорхуАВСЕНКМОРТХ")
DISGUISES = {
    "percent-encoded": lambda value: "".join(c if c.isalnum() else f"%{ord(c):02X}" for c in value) if value.isascii() else value,
    "spaces between digits": lambda value: re.sub(r"(?<=\d)(?=\d)", " ", value),
    "full-width": lambda value: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in value),
    "look-alike letters": lambda value: value.translate(LOOK_ALIKES),
    "invisible characters": lambda value: "\u200b".join(value),
}


def disguised(samples, disguise):
    result = []
    for text, spans in samples:
        out, moved, at = "", [], 0
        for kind, start, end in sorted(spans, key=lambda span: span[1]):
            if start < at:
                continue
            out += text[at:start]
            value = text[start:end]
            changed = disguise(value) if kind in ENTITIES else value
            if changed != value:
                moved.append((kind, len(out), len(out) + len(changed)))
            out += changed
            at = end
        if moved:
            result.append((out + text[at:], moved))
    return result


def benign(count, seed):
    rng = random.Random(seed)
    digits = lambda n: "".join(rng.choice("0123456789") for _ in range(n))
    hexes = lambda n: "".join(rng.choice("0123456789abcdef") for _ in range(n))
    words = "service request update customer shipment server module queue table build step worker result cache index".split()
    word = lambda: rng.choice(words)
    forms = [
        lambda: f"Order #{digits(rng.randint(6, 12))} shipped on 20{digits(2)[0]}{rng.randint(0, 9)}-0{rng.randint(1, 9)}-1{rng.randint(0, 9)}.",
        lambda: f"commit {hexes(40)} fixes the {word()} {word()}",
        lambda: f"[20{rng.randint(10, 26)}-0{rng.randint(1, 9)}-1{rng.randint(0, 9)}T1{rng.randint(0, 9)}:2{rng.randint(0, 9)}:3{rng.randint(0, 9)}.{digits(3)}Z] {word()} took {digits(4)} ms",
        lambda: f"upgrade {word()} from {rng.randint(0, 9)}.{rng.randint(0, 99)}.{rng.randint(0, 99)} to v{rng.randint(0, 9)}.{rng.randint(0, 99)}.{rng.randint(0, 99)}",
        lambda: f"uuid {hexes(8)}-{hexes(4)}-4{hexes(3)}-a{hexes(3)}-{hexes(12)}",
        lambda: f"tracking number 1Z{digits(3)}AA1{digits(10)}",
        lambda: f"let {word()}_{digits(2)} = {word()}({digits(5)}, 0x{hexes(8)});",
        lambda: f"total {rng.randint(1, 9)},{digits(3)},{digits(3)}.{digits(2)} USD for {digits(2)} items",
        lambda: f"sha256:{hexes(64)}",
        lambda: f"{rng.random():.16f} {rng.random():.12f} {rng.random() * 1000:.6f}",
        lambda: f"ISBN 978-{digits(1)}-{digits(2)}-{digits(6)}-{digits(1)}",
        lambda: f"invoice {digits(4)}-{digits(4)}-{digits(4)} of {word()} {digits(3)}",
        lambda: f"timestamp 17{digits(8)} and 17{digits(11)} in {word()}",
        lambda: f"see RFC {digits(4)}, section {rng.randint(1, 9)}.{rng.randint(1, 9)}.{rng.randint(1, 9)}, page {digits(3)}",
        lambda: f"ticket {word().upper()}-{digits(5)} assigned to team {word()} at 1{rng.randint(0, 9)}:{rng.randint(10, 59)}",
        lambda: f"GET /api/v2/{word()}/{digits(7)}?page={digits(2)}&limit={digits(3)} HTTP/1.1 200 {digits(5)}",
        lambda: f"part no. {digits(3)}-{digits(2)}-{digits(5)} in bin {digits(2)}-{digits(3)}",
        lambda: f"latitude {rng.uniform(-90, 90):.6f}, longitude {rng.uniform(-180, 180):.6f}",
        lambda: f"from {word()} import {word()}_{word()}  # noqa: E{digits(3)}",
        lambda: f"call the {word()} function {digits(3)} times, then reach step {digits(2)} of {digits(4)}",
        lambda: f"doi:10.{digits(4)}/{word()}.{digits(4)}.{digits(6)}",
        lambda: f"the number is {digits(2)} and the score {digits(2)}-{digits(2)} after {digits(3)} of {digits(4)} games",
    ]
    return [" ".join(rng.choice(forms)() for _ in range(5)) for _ in range(count)]


def ours(binary, texts, rules=PACKS):
    lines = "\n".join(json.dumps(text) for text in texts) + "\n"
    run = subprocess.run([binary, *rules], input=lines, capture_output=True, text=True, timeout=600, check=True)
    return [[tuple(f) for f in json.loads(line)] for line in run.stdout.splitlines()], run.stderr.strip()


def presidio(texts):
    import logging

    logging.disable(logging.CRITICAL)
    import spacy
    from spacy.language import Language
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    @Language.component("words_as_lemmas")
    def words_as_lemmas(doc):
        for token in doc:
            token.lemma_ = token.lower_
        return doc

    class Blank(SpacyNlpEngine):
        """Tokens only, which its words of context need: what is compared are patterns, not a model of names."""

        def __init__(self):
            super().__init__(models=[{"lang_code": "en", "model_name": "blank"}])
            self.nlp = {"en": spacy.blank("en")}
            self.nlp["en"].add_pipe("words_as_lemmas")

        def load(self):
            pass

    registry = RecognizerRegistry()
    registry.load_predefined_recognizers(languages=["en"])
    for recognizer in list(registry.recognizers):
        if "Spacy" in type(recognizer).__name__:
            registry.recognizers.remove(recognizer)
    engine = AnalyzerEngine(registry=registry, nlp_engine=Blank(), supported_languages=["en"])
    started, size, found = time.monotonic(), 0, []
    for text in texts:
        results = engine.analyze(text, language="en", score_threshold=THRESHOLD)
        found.append([(r.entity_type, r.start, r.end) for r in results])
        size += len(text.encode())
    return found, f"{size / 1e6 / (time.monotonic() - started):.3f} MB/s"


def score(samples, findings, names):
    """By entity: how many there are, leaks stopped, strictly found; and how many findings of the type are wrong.

    `names`: the finder's name for each of the set's entities.
    """
    counts = defaultdict(Counter)
    types = {name: kind for kind, name in names.items()}
    for (text, spans), found in zip(samples, findings):
        covered = set()
        for _, start, end in found:
            covered.update(range(start, end))
        labelled = {(kind, start, end) for kind, start, end in spans}
        for kind, start, end in labelled:
            if kind in names:
                counts[kind]["all"] += 1
                counts[kind]["covered"] += len(covered & set(range(start, end))) >= 0.9 * (end - start)
                counts[kind]["strict"] += (names[kind], start, end) in set(found)
        for kind, start, end in set(found):
            if kind in types:
                right = any(types[kind] == k and start < e and s < end for k, s, e in labelled)
                counts[types[kind]]["found"] += 1
                counts[types[kind]]["right"] += (types[kind], start, end) in labelled
                counts[types[kind]]["touching"] += right
    return counts


def guesses(binary, samples, quiet):
    """How well the rules do that are off, alone on the same texts."""
    found, _ = ours(binary, [text for text, _ in samples], [name.lower() for name in GUESSES.values()])
    counts = score(samples, found, GUESSES)
    false, _ = ours(binary, quiet, [name.lower() for name in GUESSES.values()])
    tokens = sum(len(text.split()) for text in quiet)
    yield "\nRules that guess, which are off unless they are asked for, alone on the same texts:\n"
    yield "| entity | values | leak recall | strict recall | precision | findings that touch no value | in 10,000 tokens of look-alikes |\n|---|---|---|---|---|---|---|"
    for kind, label in GUESSES.items():
        c = counts[kind]
        wrong = 10_000 * sum(name == label for f in false for name, _, _ in f) / tokens
        yield (
            f"| `{kind}` | {c['all']} | {share(c['covered'], c['all']):.3f} | {share(c['strict'], c['all']):.3f} | "
            f"{share(c['right'], c['found']):.3f} | {share(c['found'] - c['touching'], c['found']):.3f} | {wrong:.1f} |"
        )


def share(part, whole):
    return part / whole if whole else float("nan")


def f2(precision, recall):
    return 5 * precision * recall / (4 * precision + recall) if precision + recall else 0.0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/examples/redact_lines")
    parser.add_argument("--data", help="a file of presidio-research's format, in place of generated texts")
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--ours-only", action="store_true")
    parser.add_argument("--misses", help="an entity whose misses are printed")
    parser.add_argument("--output", help="the page to write")
    options = parser.parse_args()

    samples = from_file(options.data) if options.data else generated(options.count, options.seed)
    quiet = benign(400, options.seed)
    sets = {"labelled": samples} | {name: disguised(samples, change) for name, change in DISGUISES.items()}
    engines = {"Sluice": (0, lambda texts: ours(options.binary, texts))}
    if not options.ours_only:
        engines["Presidio"] = (1, presidio)

    lines = []
    scores, speeds, false = {}, {}, {}
    for engine, (column, find) in engines.items():
        for name, of_set in sets.items():
            found, speed = find([text for text, _ in of_set])
            scores[engine, name] = score(of_set, found, {kind: names[column] for kind, names in ENTITIES.items()})
            if name == "labelled":
                speeds[engine] = speed
                if engine == "Sluice" and options.misses:
                    show(samples, found, options.misses)
        found, _ = find(quiet)
        tokens = sum(len(text.split()) for text in quiet)
        false[engine] = 10_000 * sum(len(f) for f in found) / tokens
        if engine == "Sluice" and options.misses == "benign":
            for text, f in zip(quiet, found):
                for kind, start, end in f:
                    print(kind, repr(text[start:end]), "in", repr(text[max(0, start - 40) : end + 10]))

    source = Path(options.data).name if options.data else f"{options.count} texts of presidio-evaluator, seed {options.seed}"
    lines.append(f"### {source}\n")
    lines.append("| entity | values | " + " | ".join(f"{e}: leak recall | strict recall | precision | F2" for e in engines) + " |")
    lines.append("|---|---|" + "---|---|---|---|" * len(engines))
    for kind in ENTITIES:
        row = [f"| `{kind}` | {scores['Sluice', 'labelled'][kind]['all']} |"]
        for engine in engines:
            c = scores[engine, "labelled"][kind]
            precision, recall = share(c["right"], c["found"]), share(c["strict"], c["all"])
            row.append(f" {share(c['covered'], c['all']):.3f} | {recall:.3f} | {precision:.3f} | {f2(precision, recall):.3f} |")
        lines.append("".join(row))
    lines.append("\n| disguise | values | " + " | ".join(f"{e}: leak recall" for e in engines) + " |\n|---|---|" + "---|" * len(engines))
    for name in DISGUISES:
        total = lambda engine, key: sum(c[key] for kind, c in scores[engine, name].items())
        row = f"| {name} | {total('Sluice', 'all')} |"
        lines.append(row + "".join(f" {share(total(e, 'covered'), total(e, 'all')):.3f} |" for e in engines))
    lines.append("\n| | " + " | ".join(engines) + " |\n|---|" + "---|" * len(engines))
    lines.append("| false redactions per 10,000 tokens of look-alikes | " + " | ".join(f"{false[e]:.1f}" for e in engines) + " |")
    lines.append("| speed in this run | " + " | ".join(speeds[e] for e in engines) + " |")
    lines += guesses(options.binary, samples, quiet)
    page = "\n".join(lines) + "\n"
    print(page)
    if options.output:
        path = Path(options.output)
        head = path.read_text().split("<!-- figures -->")[0] if path.exists() else ""
        path.write_text(head + "<!-- figures -->\n\n" + page)


def show(samples, findings, kind):
    for (text, spans), found in zip(samples, findings):
        for entity, start, end in spans:
            if entity == kind and (ENTITIES[kind][0], start, end) not in found:
                near = [(k, text[s:e]) for k, s, e in found if s < end and start < e]
                print("missed", repr(text[start:end]), "in", repr(text[max(0, start - 50) : end + 15]), near, file=sys.stderr)
        for entity, start, end in found:
            if entity == ENTITIES.get(kind, ("",))[0] and (kind, start, end) not in spans:
                print("extra ", repr(text[start:end]), "in", repr(text[max(0, start - 50) : end + 15]), file=sys.stderr)


if __name__ == "__main__":
    main()
