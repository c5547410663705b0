"""Every test case that is data, on the real Envoy."""

import base64
import json
import time

import httpx
import pytest
from support import cases
from support.cases import Body, Exchange
from support.gateway import MODELS, Gateway, policy

# The gateway's clock in the cases.
CREATED = 1_700_000_000
# Into how many bytes a stream is split, and the pause between two pieces in milliseconds.
SPLITS = {"whole": (1 << 20, 0), "in odd pieces": (61, 1), "in tiny pieces": (7, 0)}


@pytest.fixture(scope="module")
def gateways(mock_vendors):
    """A gateway for each provider. Its model `gpt-4o` has the usual target of the cases, and refuses what is
    unsupported; there are others for cases that want it otherwise."""
    running = {}

    def gateway(provider: str) -> Gateway:
        if provider not in running:
            models = {
                name_for(one): {
                    "targets": [{"provider": provider, "model": one.model}],
                    "unsupported": one.unsupported,
                    "out_of_range": one.out_of_range,
                }
                for one in cases.chat()
                if one.provider == provider
            }
            running[provider] = Gateway(policy(mock_vendors, models), "--concurrency", "1").__enter__()
        return running[provider]

    yield gateway
    trouble = [line for started in running.values() for line in started.wasm_trouble()]
    for started in running.values():
        started.__exit__()
    assert trouble == []


def name_for(exchange: Exchange) -> str:
    """By which name clients ask for a case's target."""
    own = (exchange.model, exchange.unsupported, exchange.out_of_range)
    return "gpt-4o" if own == (MODELS[exchange.provider], "refuse", "refuse") else "@".join(("gpt-4o", *own))


def post(gateway: Gateway, body: bytes) -> httpx.Response:
    return gateway.client.post("/v1/chat/completions", content=body, headers={"content-type": "application/json"})


def script(vendors, exchange: Exchange, size: int = 1 << 20, gap: int = 0) -> None:
    """Makes the vendor answer with the case's exact bytes."""
    body = exchange.answer()
    content_type = "text/event-stream" if body.stream else "application/json"
    headers = {"content-type": content_type} | exchange.expected.get("headers", {})
    pieces = [body.content[at : at + size] for at in range(0, len(body.content), size)]
    chunks = [{"base64": base64.b64encode(piece).decode()} for piece in pieces]
    status = exchange.status if exchange.response else 200
    vendors.script(
        exchange.provider,
        {"kind": "raw", "status": status, "headers": list(headers.items()), "chunks": chunks, "gap_ms": gap},
    )


def expected_answer(exchange: Exchange) -> Body:
    """What the client must get."""
    if exchange.client:
        return exchange.client
    if "client_status" in exchange.expected:
        # The words for an error about the gateway's own account are the same for every provider.
        others = (one.client for one in cases.chat() if one.case == exchange.case and one.client)
        return next(others, exchange.answer())
    return exchange.answer()


def timeless(answer: object) -> object:
    """A translated answer with the clock of the cases in place of the real one."""
    for event in answer if isinstance(answer, list) else [answer]:
        if isinstance(event, dict) and "created" in event:
            assert abs(event["created"] - time.time()) < 60, event
            event["created"] = CREATED
    return answer


def check_upstream(exchange: Exchange, request: bytes, record: dict) -> None:
    """The provider got what the case says."""
    headers = dict(record["headers"])
    assert record["target"] == exchange.expected["path"]
    assert record["method"] == "POST"
    assert record["leaked_headers"] == []
    assert headers["content-type"] == "application/json"
    assert headers["content-length"] == str(record["body_bytes"])
    for name, value in exchange.expected.get("request_headers", {}).items():
        assert headers.get(name) == value, name
    if exchange.provider == "openai":
        assert record["body"] == {"text": cases.counted(cases.renamed(request, exchange.model)).decode()}
    elif exchange.upstream:
        assert cases.same(record["json"], json.loads(exchange.upstream)), record["body"]


def check_answer(exchange: Exchange, answer: httpx.Response) -> None:
    """The client got what the case says."""
    for change in ("dropped", "clamped"):
        named = {path for path in answer.headers.get(f"x-sluice-{change}", "").split(", ") if path}
        assert named == set(exchange.expected.get(change, [])), change
    assert answer.headers["x-sluice-provider"] == exchange.provider
    if not exchange.response:
        assert answer.status_code == 200
        return
    assert answer.status_code == exchange.client_status, answer.text
    for name, value in exchange.expected.get("client_headers", {}).items():
        assert answer.headers.get(name) == value, name
    expected = expected_answer(exchange)
    if exchange.provider == "openai" and expected is exchange.response:
        assert answer.content == expected.content
        return
    assert answer.headers["content-type"] == ("text/event-stream" if expected.stream else "application/json")
    got = cases.value(Body(answer.content, expected.stream))
    if exchange.provider != "openai":
        got = timeless(got)
    assert cases.same(got, cases.value(expected)), answer.text


def check_error(answer: httpx.Response, status: int, param: str | None, code: str | None) -> str:
    """A refusal in OpenAI's form; returns its message."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    error = body["error"]
    assert (body.keys(), error.keys()) == ({"error"}, {"message", "type", "param", "code"})
    assert (error["param"], error["code"], error["type"]) == (param, code, "invalid_request_error"), error
    assert error["message"]
    return error["message"]


def run(exchange: Exchange, gateway: Gateway, vendors, size: int, gap: int) -> None:
    name = name_for(exchange)
    request = exchange.request if name == "gpt-4o" else cases.renamed(exchange.request, name)
    vendors.reset()
    script(vendors, exchange, size, gap)
    answer = post(gateway, request)
    records = vendors.records()
    if refused := exchange.expected.get("refused"):
        code = refused.get("code", "unsupported_parameter")
        message = check_error(answer, refused["status"], refused["param"], code)
        assert not refused["param"] or refused["param"] in message
        assert records == []
        return
    assert [record["instance"] for record in records] == [exchange.provider], answer.text
    check_upstream(exchange, request, records[0])
    check_answer(exchange, answer)


@pytest.mark.parametrize("exchange", [pytest.param(one, id=one.name) for one in cases.chat()])
def test_a_chat_case_holds(exchange, gateways, vendors):
    if exchange.skipped:
        pytest.skip(exchange.skipped)
    streamed = exchange.answer().stream and "refused" not in exchange.expected
    for size, gap in SPLITS.values() if streamed else [SPLITS["whole"]]:
        run(exchange, gateways(exchange.provider), vendors, size, gap)


@pytest.mark.parametrize("case", [pytest.param(one, id=one.name) for one in cases.invalid()])
def test_an_invalid_request_is_refused_and_the_next_is_served(case, gateways, vendors):
    expected, gateway = case.expected, gateways("openai")
    answer = post(gateway, case.request)
    message = check_error(answer, expected["status"], expected.get("param"), expected.get("code"))
    assert expected.get("message_contains", "").lower() in message.lower()
    assert vendors.records() == []
    assert gateway.chat("gpt-4o").status_code == 200


def test_no_case_is_lost():
    """A folder that is not read, or a block that is not run, would go unnoticed otherwise."""
    folders = {kind: {path.name for path in (cases.FOLDER / kind).iterdir()} for kind in ("chat", "invalid")}
    assert {one.case for one in cases.chat()} == folders["chat"]
    assert {one.name for one in cases.invalid()} == folders["invalid"]
    answers = list((cases.FOLDER / "chat").glob("*/*.response.*")) + list((cases.FOLDER / "chat").glob("*/*.client.*"))
    assert len(answers) == sum((one.response is not None) + (one.client is not None) for one in cases.chat())
    requests = list((cases.FOLDER / "chat").glob("*/*.request.json"))
    assert len(requests) == sum(one.upstream is not None for one in cases.chat())
    assert len(cases.chat()) >= 350
    assert len(cases.invalid()) >= 70
    assert [one.name for one in cases.chat() if one.skipped] == []
