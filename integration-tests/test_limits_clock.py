"""Windows by a clock of our own, on the real Envoy: midnights, ends of months, a leap day, clocks that are set, and one that goes back."""

import email.utils
import threading
import time

import httpx
import pytest
from support.answers import error_of
from support.clock import Clock, instant, lacks
from support.gateway import Gateway
from support.limits import AT_ONCE, PATH, Wish, body, crowd, held, limited, quiet, total

pytestmark = pytest.mark.skipif(lacks() is not None, reason=str(lacks()))
BERLIN = "Europe/Berlin"
LORD_HOWE = "Australia/Lord_Howe"
# So many calls fit into a window.
CALLS = 3
TOKENS = 1000
DAY = 24 * 60 * 60


def limits() -> list[dict]:
    """A limit of each kind in each zone, with a counter for each case; of those a call names one."""
    kinds = [("minute", {})] + [(per, {"timezone": zone}) for per in ("hour", "day", "month") for zone in (BERLIN, LORD_HOWE)]
    named = [(f"{per}-{more['timezone'].split('/')[1]}" if more else per, per, more) for per, more in kinds]
    usual = {"unit": "requests", "limit": CALLS, "by": ["header:x-case"]}
    return [usual | {"name": name, "per": per, "when": {"headers": {"x-limit": name}}} | more for name, per, more in named]


@pytest.fixture(scope="module")
def clock():
    with Clock() as clock:
        yield clock


@pytest.fixture(scope="module")
def timed(mock_vendors, clock):
    """A gateway that lives by the clock."""
    tokens = {"name": "tokens", "unit": "tokens", "per": "day", "limit": TOKENS, "by": ["header:x-case"], "timezone": BERLIN, "when": {"headers": {"x-limit": "tokens"}}}
    document = limited(mock_vendors, [*limits(), tokens])
    with Gateway(document, "--concurrency", "2", *AT_ONCE, environment=clock.environment) as gateway:
        yield gateway
        assert gateway.wasm_trouble() == []


class Counter:
    """One counter of a limit."""

    def __init__(self, gateway: Gateway, clock: Clock, limit: str, case: str) -> None:
        self.gateway, self.clock, self.headers = gateway, clock, {"x-limit": limit, "x-case": case}

    def at(self, seconds: float) -> "Counter":
        """Puts the clock to an instant."""
        self.clock.set(seconds)
        return self

    def call(self) -> httpx.Response:
        return self.gateway.client.post(PATH, json=body("gemini"), headers=self.headers)

    def passes(self) -> int:
        """How many calls there is room for; they are made."""
        count = 0
        while (answer := self.call()).status_code == 200:
            count += 1
            assert count <= 2 * CALLS
        assert f"'{self.headers['x-limit']}'" in error_of(answer, 429)["message"]
        return count

    def wait(self) -> float:
        """How far off the instant is that a refusal tells."""
        answer = self.call()
        error_of(answer, 429)
        return int(answer.headers["retry-after"]) + self.clock.now()


def test_envoy_lives_by_the_clock(timed, clock):
    """Else nothing here would be shown."""
    for text in ("2031-05-06T07:08:09+00:00", "2024-02-29T23:59:59+00:00"):
        clock.set(instant(text))
        # Envoy writes the date twice a second.
        time.sleep(1)
        refused = timed.client.get("/none-of-ours")
        date = email.utils.parsedate_to_datetime(refused.headers["date"])
        assert abs(date.timestamp() - clock.now()) <= 2


WINDOWS = {
    "the end of a year": ("day-Berlin", "2026-12-31T00:00+01:00", "2027-01-01T00:00+01:00"),
    "a day of 23 hours": ("day-Berlin", "2027-03-28T00:00+01:00", "2027-03-29T00:00+02:00"),
    "a day of 25 hours": ("day-Berlin", "2027-10-31T00:00+02:00", "2027-11-01T00:00+01:00"),
    "the day before a leap day": ("day-Berlin", "2028-02-28T00:00+01:00", "2028-02-29T00:00+01:00"),
    "a leap day": ("day-Berlin", "2028-02-29T00:00+01:00", "2028-03-01T00:00+01:00"),
    "the last day of another February": ("day-Berlin", "2027-02-28T00:00+01:00", "2027-03-01T00:00+01:00"),
    "a February": ("month-Berlin", "2027-02-01T00:00+01:00", "2027-03-01T00:00+01:00"),
    "a February with a leap day": ("month-Berlin", "2028-02-01T00:00+01:00", "2028-03-01T00:00+01:00"),
    "a month that ends in summer": ("month-Berlin", "2027-03-01T00:00+01:00", "2027-04-01T00:00+02:00"),
    "a month that ends in winter": ("month-Berlin", "2027-10-01T00:00+02:00", "2027-11-01T00:00+01:00"),
    "the hour before one that there isn't": ("hour-Berlin", "2027-03-28T01:00+01:00", "2027-03-28T03:00+02:00"),
    "an hour that comes again": ("hour-Berlin", "2027-10-31T02:00+02:00", "2027-10-31T02:00+01:00"),
    "an hour that has come again": ("hour-Berlin", "2027-10-31T02:00+01:00", "2027-10-31T03:00+01:00"),
    "an hour of which half comes again": ("hour-Lord_Howe", "2027-04-04T01:00+11:00", "2027-04-04T02:00+10:30"),
    "an hour with half of one that there isn't": ("hour-Lord_Howe", "2027-10-03T01:00+10:30", "2027-10-03T03:00+11:00"),
    "a day that is half an hour longer": ("day-Lord_Howe", "2027-04-04T00:00+11:00", "2027-04-05T00:00+10:30"),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_a_window_ends_when_the_next_begins(name, timed, clock):
    limit, start, end = WINDOWS[name]
    start, end = instant(start), instant(end)
    counter = Counter(timed, clock, limit, name)
    # The window before has been spent to its end.
    assert counter.at(start - 2).passes() == CALLS
    assert abs(counter.wait() - start) <= 1.5
    assert counter.at(start + 0.1).passes() == CALLS
    assert abs(counter.wait() - end) <= 1.5, "it is told when there is room"
    for seconds in (start + 1, (start + end) / 2, end - 3600, end - 1801, end - 2):
        if seconds > start:
            assert counter.at(seconds).passes() == 0, f"{end - seconds} s before the end"
            assert abs(counter.wait() - end) <= 1.5
    assert counter.at(end + 0.1).passes() == CALLS
    assert counter.wait() > end + 1000


def test_a_budget_is_no_larger_for_a_clock_that_goes_back(timed, clock):
    """Not where it goes back by a second, nor into the day before; and the next day is a new one."""
    day = instant("2027-05-10T00:00+02:00")
    for number, back in enumerate((1, 600, 9 * 3600 + 1, 20 * 3600)):
        counter = Counter(timed, clock, "day-Berlin", f"back-{back}")
        morning = day + 9 * 3600
        assert counter.at(morning).passes() == CALLS
        assert counter.at(morning - back).passes() == 0
        assert counter.at(day + 0.1).passes() == 0, "that midnight was one already"
        assert counter.at(day + DAY - 2).passes() == 0
        assert counter.at(day + DAY + 0.1).passes() == CALLS, number


def test_a_clock_that_was_years_ahead_leaves_nothing_behind(timed, clock):
    """What was spent then stays spent for a window of today's, and no longer."""
    today = instant("2027-06-15T12:00+02:00")
    for limit, ends in (("hour-Berlin", "2027-06-15T13:00+02:00"), ("day-Berlin", "2027-06-16T00:00+02:00"), ("month-Berlin", "2027-07-01T00:00+02:00")):
        counter = Counter(timed, clock, limit, "ahead")
        assert counter.at(today - 40 * DAY).passes() == CALLS
        assert counter.at(today + 3653 * DAY).passes() == CALLS
        assert counter.at(today).passes() == 0
        assert abs(counter.wait() - instant(ends)) <= 1.5, "it is told when there is room"
        assert counter.at(instant(ends) - 2).passes() == 0
        assert counter.at(instant(ends) + 0.1).passes() == CALLS


def test_a_rate_is_no_larger_for_a_clock_that_goes_back_and_never_stops(timed, clock):
    start = instant("2027-07-01T12:00+02:00")
    # A call drains in 20 seconds; clocks that are off by less than a minute have to come back first.
    for back, first in ((30, 20), (59, 20), (3600, 20 - 3600), (400 * DAY, 20 - 400 * DAY)):
        counter = Counter(timed, clock, "minute", f"back-{back}")
        assert counter.at(start).passes() == CALLS
        assert counter.at(start - back).passes() == 0
        assert counter.wait() <= start + first + 2.5
        assert counter.at(start + first - 2).passes() == 0
        assert counter.at(start + first + 1).passes() == 1
        assert counter.at(start + first + 120).passes() == CALLS, "all of it has drained"


def test_what_is_held_is_given_back_whatever_the_clock_does_meanwhile(timed, clock, vendors):
    """And what was used is charged once, in the window that the clock shows then."""

    def left(case: str) -> int:
        answer = timed.client.post(PATH, json=body("gemini", max_completion_tokens=50), headers={"x-limit": "tokens", "x-case": case})
        assert answer.status_code == 200, answer.text
        return int(answer.headers["x-ratelimit-remaining-tokens"])

    start = instant("2027-08-02T12:00+02:00")
    hold = TOKENS - left("alone")
    vendors.reset()
    # What a call holds is free again 68 minutes later at the latest: its worker could be gone.
    for hours, still_held in ((-3, 200), (0.2, 200), (14, 0), (-48, 200)):
        case = f"held-{hours}"
        clock.set(start)
        with held(vendors, "openai"):
            wish = Wish(body("openai", max_completion_tokens=100), {"x-limit": "tokens", "x-case": case})
            calls = threading.Thread(target=crowd, args=(timed, [wish] * 2))
            calls.start()
            vendors.wait_for(2, vendor="openai")
            clock.set(start + hours * 3600)
            assert left(case) <= TOKENS - hold - still_held
        calls.join(30)
        assert not calls.is_alive()
        quiet(timed)
        used = sum(total(record["answer"]["usage"]) for record in vendors.records())
        assert left(case) == TOKENS - used - hold, f"after {hours} hours"
        vendors.reset()
