"""Writes core/data/rate-card.txt from the package genai-prices: prices.py OUT [LICENSE_OUT]

What the card's lines mean stands at its top. Prices that depend on the date or the time of the day are those of the day
and, among the day's, the dearest, so that a budget is never overspent by an hour's discount.
"""

import datetime
import importlib.metadata
import re
import sys
from decimal import ROUND_HALF_UP, Decimal

from genai_prices.data import providers
from genai_prices.types import (
    ClauseAnd,
    ClauseContains,
    ClauseEndsWith,
    ClauseEquals,
    ClauseOr,
    ClauseRegex,
    ClauseStartsWith,
    ModelPrice,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)

# Whom the module can name as a provider's vendor (core/src/price/vendor.rs), and whose models these resell.
VENDORS = {
    "anthropic",
    "aws",
    "azure",
    "cohere",
    "deepseek",
    "fireworks",
    "google",
    "groq",
    "mistral",
    "moonshotai",
    "openai",
    "openrouter",
    "perplexity",
    "together",
    "x-ai",
}
VENDOR_PREFIX = "huggingface_"

# The card's word for each price of the source that the gateway can charge; tokens of other kinds are in `in` or `out`.
WORDS = {
    "input_mtok": "in",
    "output_mtok": "out",
    "cache_read_mtok": "read",
    "cache_write_mtok": "write",
    "cache_write_1h_mtok": "write1h",
    "output_reasoning_mtok": "reasoning",
    "input_audio_mtok": "audio",
    "output_audio_mtok": "audio_out",
    "cache_audio_read_mtok": "audio_read",
    "input_image_mtok": "image",
    "output_image_mtok": "image_out",
    "requests_kcount": "request",
    "web_searches_kcount": "search",
}
TOKENS = {key for key in WORDS if key.endswith("_mtok")}

# The request contexts of the source that are service tiers here. OpenAI answers `priority` to who asks for `fast`.
TIERS = {
    ("service_tier", "flex"): "flex",
    ("service_tier", "priority"): "priority",
    ("processing", "batch"): "batch",
    ("speed", "fast"): "fast",
}

# Models without a price that the vendor's own page calls free. Others without one are left out: unknown is not free.
FREE = {("openai", "moderation"), ("google", "gemma-3"), ("google", "gemma-3n")}


def main() -> None:
    now = datetime.datetime.now(datetime.UTC)
    package = importlib.metadata.distribution("genai-prices")
    vendors = [provider for provider in providers if is_vendor(provider.id)]
    lines = [HEAD.format(version=package.version, date=now.date().isoformat())]
    kept = 0
    for vendor in vendors:
        fallback = [name for name in vendor.fallback_model_providers or [] if is_vendor(name)]
        lines.append("\n@" + " ".join([vendor.id, *fallback]))
        section = []
        if vendor.id == "openrouter":
            section.append((["*:free"], ["free"], None))
        for model in vendor.models:
            entry = entry_of(vendor.id, model, now)
            if entry:
                section.append((*entry, model))
        verify(vendor, section)
        kept += len(section)
        lines += [f"{shortened(names)} = {' | '.join(prices)}" for names, prices, _ in section]
    write(sys.argv[1], "\n".join(lines) + "\n")
    if len(sys.argv) > 2:
        notice = next(file for file in package.files or [] if file.name == "LICENSE")
        write(sys.argv[2], notice.locate().read_text())
    print(f"{kept} models of {len(vendors)} vendors, genai-prices {package.version}")


def is_vendor(name: str) -> bool:
    return name in VENDORS or name.startswith(VENDOR_PREFIX)


def write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def entry_of(vendor: str, model, now: datetime.datetime) -> tuple[list[str], list[str]] | None:
    """The patterns and prices of a model; `None` where there is nothing that the gateway could charge."""
    names = patterns(model.match)
    if vendor == "openrouter":
        # Its models have their maker before a slash; free variants have a rule of their own.
        names = [name for name in names if "/" in name and not name.endswith(":free")]
    if not names:
        return None
    standard = counted(model.id, prices_at(model.prices, now))
    if not standard:
        is_free = (vendor, model.id) in FREE or "free of charge" in (model.price_comments or "").lower()
        return (names, ["free"]) if is_free else None
    if not TOKENS & standard.keys():
        return None
    segments = bands("", standard)
    tiers = {}
    for variant in model.price_variants or []:
        if len(variant.when) != 1 or (variant.constraint and not variant.constraint.active(now)):
            continue
        tier = TIERS.get(next(iter(variant.when.items())))
        # The first that applies wins, price by price, as in the source.
        for key, price in known(variant.prices).items():
            if tier:
                tiers.setdefault(tier, {}).setdefault(key, price)
    for tier in ("batch", "flex", "priority", "fast"):
        if tier in tiers:
            segments += bands(tier, tiers[tier])
    return names, segments


def shortened(names: list[str]) -> str:
    """The names of a model, with a `+` for the first one in the others; none that another one covers."""
    names = [name for name in names if not any(finder([other])(name) for other in names if other != name)]
    assert not any("+" in name for name in names), names
    first = names[0].strip("*")
    return " ".join([names[0], *(name.replace(first, "+", 1) for name in names[1:])])


def known(prices: ModelPrice) -> dict:
    return {key: price for key, price in prices.__dict__.items() if key in WORDS and price is not None}


def counted(model: str, prices: dict) -> dict:
    """Without the price of searches where the answer doesn't say how many there were: only Anthropic's do."""
    return {key: price for key, price in prices.items() if key != "web_searches_kcount" or model.startswith("claude-")}


def prices_at(prices, now: datetime.datetime) -> dict:
    """The prices in force on this day; where they change by the hour, the dearest of the day."""
    if isinstance(prices, ModelPrice):
        return known(prices)
    standard = prices[0].prices
    for conditional in prices:
        constraint = conditional.constraint
        if constraint is None or isinstance(constraint, StartDateConstraint) and constraint.active(now):
            standard = conditional.prices
    hourly = [known(conditional.prices) for conditional in prices if isinstance(conditional.constraint, TimeOfDateConstraint)]
    # None of those that change by the hour has a price for long prompts.
    return max([known(standard), *hourly], key=lambda prices: prices["input_mtok"]) if hourly else known(standard)


def bands(tier: str, prices: dict) -> list[str]:
    """The prices up to the first threshold, then those above each, as far as they differ."""
    starts = sorted({t.start for price in prices.values() if isinstance(price, TieredPrices) for t in price.tiers})
    segments = [" ".join([*([tier] if tier else []), *rates(prices, -1)])]
    segments += [" ".join([f"{tier}>{start}", *rates(prices, start, tiered_only=True)]) for start in starts]
    return segments


def rates(prices: dict, start: int, tiered_only: bool = False) -> list[str]:
    words = []
    for key, word in WORDS.items():
        price = prices.get(key)
        if price is None or tiered_only and not isinstance(price, TieredPrices):
            continue
        if isinstance(price, TieredPrices):
            price = next((t.price for t in reversed(price.tiers) if t.start <= start), price.base)
        if key.endswith("_kcount"):
            price /= 1000
        # Some prices of the source were computed with floating point.
        price = price.quantize(Decimal("0.000000001"), ROUND_HALF_UP).normalize()
        if word == "out" and not words:
            words = ["0"]
        words += [f"{price:f}"] if word in ("in", "out") else [word, f"{price:f}"]
    return words


def patterns(clause) -> list[str]:
    """A clause as patterns: `*` for anything, `#` for a digit, `!` before what must not match."""
    match clause:
        case ClauseOr():
            return list(dict.fromkeys(name for part in clause.or_ for name in patterns(part)))
        case ClauseAnd():
            positive = [part for part in clause.and_ if not isinstance(part, ClauseRegex)]
            negative = [part.regex for part in clause.and_ if isinstance(part, ClauseRegex)]
            assert len(positive) == 1 and negative == [NO_SPEECH], clause
            return [*patterns(positive[0]), "!*-tts", "!*-tts-*"]
        case ClauseEquals():
            return [clause.equals.lower()]
        case ClauseStartsWith():
            return [clause.starts_with.lower() + "*"]
        case ClauseEndsWith():
            return ["*" + clause.ends_with.lower()]
        case ClauseContains():
            return ["*" + clause.contains.lower() + "*"]
        case ClauseRegex():
            return unfold(clause.regex)
    raise ValueError(clause)


NO_SPEECH = r"^(?!.*-[tT][tT][sS](?:$|-))"


def unfold(regex: str) -> list[str]:
    """The few forms of regular expressions that the source has, as patterns."""
    assert regex.startswith("^"), regex
    text = regex[1:]
    ends = text.endswith("$")
    text = re.sub(r"\\d\{(\d+)\}", lambda found: "#" * int(found[1]), text.removesuffix("$"))
    text = text.replace(r"\d", "#").replace(r"\.", ".").replace(r"\/", "/") + ("" if ends else "*")
    choice = re.search(r"\[([^\]]+)\]", text)
    names = [text[: choice.start()] + one + text[choice.end() :] for one in choice[1]] if choice else [text]
    for name in names:
        assert not re.search(r"[\\()\[\]{}+?|^$]", name), regex
    return [name.lower() for name in names]


def verify(vendor, section) -> None:
    """The card finds for each name what the source finds, and for names like it."""
    finders = [(finder(names), model) for names, _, model in section if model]
    kept = {id(model) for _, model in finders}
    for names, _, model in section:
        for name in names if model else []:
            plain = name.lstrip("!").replace("*", "").replace("#", "7")
            more = [plain + end for end in ENDINGS] + [start + plain for start in STARTS] if len(section) < 500 else []
            for probe in [plain, *more]:
                found = next((model for finds, model in finders if finds(probe)), None)
                expected = vendor._match_model(probe)
                # What has no price that can be charged must not have another model's.
                if found is not (expected if id(expected) in kept else None):
                    raise SystemExit(f"{vendor.id}: {probe} is {found and found.id}, not {expected and expected.id}")


STARTS = ["eu.", "us.", "anthropic/", "publishers/google/models/"]
ENDINGS = ["-20260101", "@20260101", "-2026-01-01", "-latest", "-preview", "-preview-09-2026", "-001", "-tts", "-v1:0"]


def finder(names: list[str]):
    def expression(wanted: list[str]):
        plain = [re.escape(name).replace(r"\*", ".*").replace(r"\#", "[0-9]") for name in wanted]
        return re.compile("|".join(plain) or "(?!)")

    positive = expression([name for name in names if name[0] != "!"])
    negative = expression([name[1:] for name in names if name[0] == "!"])
    return lambda text: positive.fullmatch(text) and not negative.fullmatch(text)


HEAD = """\
# Prices of models by vendor, written by `make prices`; not to be edited.
# Source: genai-prices {version} (https://github.com/pydantic/genai-prices), with the prices of {date}. Its licence stands
# in LICENSE-genai-prices beside this file.
#
# `@vendor others` begins a vendor's models; what is not among them is looked for at the others, without their tiers.
# Then a line for each model: names = prices. `*` stands for anything, `#` for a digit; no name with a `!` may match.
# The first line that matches a name in lower case has its price; a `+` stands for the line's first name.
# Prices are in USD per million tokens: input and output first, then read (from the cache), write (to the cache, for five
# minutes or as the vendor keeps it), write1h (for an hour), reasoning, audio and image (of the request), audio_read (of its
# recordings, from the cache), audio_out and image_out. `request` is USD for each request, `search` for each search of the
# web. `>n` begins the prices of requests with more than n tokens of input; batch, flex, priority and fast those of a service
# tier. What such a part leaves out is priced as in those before it."""

if __name__ == "__main__":
    main()
