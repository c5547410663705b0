"""What goes wrong, and how the official Anthropic SDK learns of it."""

import time

import anthropic
import pytest
from support.messages import ask, gateway, sdk, user, vendor


def test_a_malformed_request_is_refused_by_name(sdk, vendor, vendors):
    with pytest.raises(anthropic.BadRequestError) as raised:
        sdk.create(model=vendor, max_tokens=9, messages=[*user("Hello"), {"role": "user", "content": 5}])
    assert raised.value.body["type"] == "error"
    assert raised.value.body["error"]["type"] == "invalid_request_error"
    assert "messages[1].content" in raised.value.message
    assert vendors.records() == []


def test_what_a_vendor_lacks_is_refused_by_name(sdk, vendors):
    with pytest.raises(anthropic.BadRequestError, match="top_k"):
        sdk.create(**ask("openai"), extra_body={"top_k": 3})
    tools = [{"type": "web_search_20250305", "name": "web_search"}]
    for model in ("openai", "gemini"):
        with pytest.raises(anthropic.BadRequestError, match=r"tools\[0\]"):
            sdk.create(**ask(model), tools=tools)
    assert vendors.records() == []


def test_errors_of_the_gateway_have_the_sdk_s_types(sdk, gateway, vendors):
    with pytest.raises(anthropic.NotFoundError) as raised:
        sdk.create(**ask("claude-nonexistent"))
    assert raised.value.body["error"]["type"] == "not_found_error"
    stranger = type(sdk)(gateway, api_key="a-foreign-key")
    with pytest.raises(anthropic.AuthenticationError) as raised:
        stranger.create(**ask("openai"))
    assert "a-foreign-key" not in str(raised.value.body)
    stranger.close()
    assert vendors.records() == []


@pytest.mark.parametrize(
    ("status", "error", "word"),
    [
        (400, anthropic.BadRequestError, "invalid_request_error"),
        (404, anthropic.NotFoundError, "not_found_error"),
        (429, anthropic.RateLimitError, "rate_limit_error"),
        (500, anthropic.InternalServerError, "api_error"),
    ],
)
def test_errors_of_the_vendors_have_the_sdk_s_types(sdk, vendor, vendors, status, error, word):
    vendors.script(vendor, {"kind": "status", "status": status, "headers": [["retry-after", "7"]]}, times=2)
    for call in (sdk.create, sdk.events):
        with pytest.raises(error) as raised:
            call(**ask(vendor))
        assert raised.value.status_code == status
        assert raised.value.body["error"]["type"] == word
        assert raised.value.response.headers["x-sluice-provider"] == vendor
        assert raised.value.response.headers["retry-after"] == "7"


def test_an_overloaded_vendor_is_told(sdk, vendor, vendors):
    vendors.script(vendor, {"kind": "status", "status": 529})
    with pytest.raises(anthropic.InternalServerError) as raised:
        sdk.create(**ask(vendor))
    assert raised.value.status_code == (529 if vendor == "anthropic" else 503)
    assert raised.value.body["error"]["type"] == "overloaded_error"
    sdk.create(**ask(vendor, "Well again"))


def test_a_vendor_that_refuses_our_key_is_no_fault_of_the_client(sdk, vendor, vendors):
    vendors.script(vendor, {"kind": "status", "status": 401})
    with pytest.raises(anthropic.InternalServerError) as raised:
        sdk.create(**ask(vendor))
    assert raised.value.status_code == 502
    assert raised.value.body["error"]["type"] == "api_error"


def test_an_error_in_the_middle_of_a_stream_is_raised(sdk, vendor, vendors):
    vendors.script(vendor, {"kind": "stream_error", "after_events": 5, "status": 503})
    seen = []
    with pytest.raises(anthropic.APIError) as raised:
        sdk.events(seen, **ask(vendor, "A long enough question"))
    assert raised.value.body["type"] == "error"
    assert raised.value.body["error"]["message"]
    assert seen and "message_stop" not in [event.type for event in seen]


def test_a_stream_that_ends_too_soon_is_an_error(sdk, vendor, vendors):
    vendors.script(vendor, {"kind": "cut", "after_events": 4, "how": "end"})
    with pytest.raises(anthropic.APIError) as raised:
        sdk.events(**ask(vendor, "A long enough question"))
    assert raised.value.body["error"]["type"] == "api_error"


def test_a_stream_that_begins_with_an_error_is_an_error_with_a_status(sdk, vendor, vendors):
    vendors.script(vendor, {"kind": "stream_error", "after_events": 0, "status": 429})
    with pytest.raises(anthropic.RateLimitError) as raised:
        sdk.events(**ask(vendor))
    assert raised.value.response.headers["content-type"] == "application/json"


def disconnected(vendors, vendor: str) -> dict:
    """The vendor's latest request, once the vendor has noticed that nobody waits for its answer."""
    until = time.monotonic() + 10
    while not (record := vendors.records(vendor)[-1])["disconnected"]:
        assert time.monotonic() < until, "the vendor was never told"
        time.sleep(0.02)
    return record


def test_a_stream_that_is_closed_early_ends_at_the_vendor(sdk, vendor, vendors):
    vendors.script(vendor, {"kind": "slow", "gap_ms": 50})
    assert len(sdk.events(**ask(vendor, "word " * 400), stop_after=3)) == 3
    record = disconnected(vendors, vendor)
    assert record["disconnected"]["after_events"] < 100
    sdk.create(**ask(vendor, "Still there?"))


def test_a_client_that_runs_out_of_patience_gets_its_timeout(sdk, vendor, vendors):
    vendors.script(vendor, {"kind": "hang"}, times=2)
    for call in (sdk.create, sdk.events):
        with pytest.raises(anthropic.APITimeoutError):
            call(**ask(vendor), timeout=0.4)
        disconnected(vendors, vendor)
    sdk.create(**ask(vendor, "Still there?"))
