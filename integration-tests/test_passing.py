"""OpenAI's APIs whose bodies pass as they are: routed, with the gateway's credential, and otherwise untouched."""

import asyncio
import base64
import contextlib
import threading

import httpx
import openai
import pytest
import websockets
import websockets.asyncio.server
from support.gateway import CLIENT_KEY, Gateway, policy
from support.vendors import KEYS

PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")


@pytest.fixture(scope="module")
def gateway(mock_vendors):
    models = {
        "pictures": {"targets": [{"provider": "openai", "model": "gpt-image-2"}]},
        "ears": {"targets": [{"provider": "openai", "model": "gpt-4o-transcribe"}]},
        "claude": {"targets": [{"provider": "anthropic", "model": "claude-sonnet-5-5"}]},
    }
    document = policy(mock_vendors, models, pass_through={"provider": "openai"})
    document["listen"]["max_body_bytes"] = 1 << 20
    with Gateway(document, "--concurrency", "1") as gateway:
        yield gateway
        assert gateway.wasm_trouble() == []


@pytest.fixture
def client(gateway):
    with openai.OpenAI(api_key=CLIENT_KEY, base_url=f"{gateway.url}/v1", max_retries=0, timeout=20) as client:
        yield client


def script(vendors, body: bytes, content_type: str = "application/json", status: int = 200, times: int = 1) -> None:
    chunks = [{"base64": base64.b64encode(body).decode()}]
    behaviour = {"kind": "raw", "status": status, "headers": [["content-type", content_type]], "chunks": chunks}
    vendors.script("openai", behaviour, times)


def sent(vendors) -> tuple[dict, dict]:
    """The one request that arrived, and its headers: the gateway's credential and nothing of the client's."""
    [record] = vendors.records()
    headers = dict(record["headers"])
    assert headers["authorization"] == f"Bearer {KEYS['openai']}"
    assert CLIENT_KEY not in str(record)
    assert record["leaked_headers"] == []
    return record, headers


def raw(record: dict) -> bytes:
    body = record["body"]
    return body["text"].encode() if "text" in body else base64.b64decode(body["base64"])


def test_a_picture_is_made(client, vendors):
    script(vendors, b'{"created":1,"data":[{"b64_json":"eA=="}],"x":1.0}')
    answer = client.images.with_raw_response.generate(model="pictures", prompt="a dot", extra_body={"odd": 1.0})
    assert answer.content == b'{"created":1,"data":[{"b64_json":"eA=="}],"x":1.0}'
    assert answer.headers["x-sluice-provider"] == "openai"
    record, _ = sent(vendors)
    assert (record["method"], record["target"]) == ("POST", "/v1/images/generations")
    assert raw(record).replace(b'"gpt-image-2"', b'"pictures"') == answer.http_request.content


def test_a_picture_is_edited(client, vendors):
    script(vendors, b'{"created":1,"data":[]}')
    answer = client.images.with_raw_response.edit(model="pictures", image=("a.png", PNG, "image/png"), prompt="x")
    record, headers = sent(vendors)
    assert headers["content-type"] == answer.http_request.headers["content-type"]
    assert headers["content-length"] == str(len(raw(record)))
    assert raw(record).replace(b"gpt-image-2", b"pictures") == answer.http_request.read()
    assert PNG in raw(record)


def test_speech_is_bytes(client, vendors):
    sound = bytes(range(256)) * 64
    script(vendors, sound, "audio/mpeg")
    answer = client.audio.speech.create(model="pictures", voice="alloy", input="Hello")
    assert answer.content == sound
    assert sent(vendors)[0]["json"]["model"] == "gpt-image-2"


@pytest.mark.parametrize("kind", ["transcriptions", "translations"])
def test_a_recording_is_read(client, vendors, kind):
    script(vendors, b'{"text":"Hello"}')
    answer = getattr(client.audio, kind).create(model="ears", file=("a.wav", b"RIFF" + bytes(1000), "audio/wav"))
    assert answer.text == "Hello"
    record, _ = sent(vendors)
    assert record["target"] == f"/v1/audio/{kind}"
    assert b"gpt-4o-transcribe" in raw(record) and b"\r\n\r\nears\r\n" not in raw(record)


def test_a_stream_of_any_kind_passes(client, vendors):
    events = b'event: transcript.text.delta\ndata: {"type":"transcript.text.delta","delta":"Hi"}\n\n'
    script(vendors, events, "text/event-stream")
    file = ("a.wav", b"RIFF", "audio/wav")
    with client.audio.transcriptions.with_streaming_response.create(model="ears", file=file, stream=True) as answer:
        assert answer.read() == events


def test_moderations_pass(client, vendors):
    script(vendors, b'{"id":"m","model":"x","results":[]}')
    client.moderations.create(model="pictures", input="Hello")
    assert sent(vendors)[0]["target"] == "/v1/moderations"


def test_files_go_to_the_provider_of_the_policy(client, vendors):
    script(vendors, b'{"object":"list","data":[],"has_more":false}')
    client.files.list(limit=3)
    record, _ = sent(vendors)
    assert (record["method"], record["target"]) == ("GET", "/v1/files?limit=3")
    vendors.reset()
    script(vendors, b"line 1\nline 2\n", "application/octet-stream")
    assert client.files.content("file-1").content == b"line 1\nline 2\n"
    vendors.reset()
    script(vendors, b'{"id":"file-1","object":"file","deleted":true}')
    client.files.delete("file-1")
    assert sent(vendors)[0]["method"] == "DELETE"


def test_a_file_may_be_larger_than_what_is_held(client, vendors):
    script(vendors, b'{"id":"file-1","object":"file","bytes":1,"created_at":1,"filename":"a","purpose":"batch"}')
    content = bytes(range(256)) * (12 << 10)
    client.files.create(file=("a.jsonl", content), purpose="batch")
    record, _ = sent(vendors)
    assert record["body_bytes"] > len(content)


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/batches"), ("POST", "/v1/batches/b/cancel"), ("GET", "/v1/fine_tuning/jobs?limit=1")],
)
def test_what_belongs_to_an_account_passes(gateway, vendors, method, path):
    script(vendors, b"{}")
    assert gateway.client.request(method, path, json={} if method == "POST" else None).status_code == 200
    assert sent(vendors)[0]["target"] == path


def test_a_provider_that_refuses_the_gateway_is_not_quoted(gateway, vendors):
    script(vendors, b'{"error":{"message":"Incorrect API key provided: sk-ve***"}}', status=401)
    answer = gateway.client.get("/v1/files")
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "provider_authentication")


def test_the_providers_own_errors_pass(gateway, vendors):
    script(vendors, b'{"error":{"message":"No such file","odd":1.0}}', status=404)
    answer = gateway.client.get("/v1/files/file-9")
    assert (answer.status_code, answer.content) == (404, b'{"error":{"message":"No such file","odd":1.0}}')


@pytest.mark.parametrize(
    ("model", "status", "code"),
    [("nobody", 404, "model_not_found"), ("claude", 400, "unsupported_operation"), (None, 400, "missing_required_parameter")],
)
def test_what_can_not_be_served_is_refused(gateway, vendors, model, status, code):
    body = {"prompt": "x"} | ({"model": model} if model else {})
    answer = gateway.client.post("/v1/images/generations", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
    assert vendors.records() == []


def test_without_a_key_nothing_passes(gateway, vendors):
    assert httpx.get(f"{gateway.url}/v1/files", timeout=10).status_code == 401
    assert vendors.records() == []


def test_files_are_nobodys_unless_the_policy_says_whose(mock_vendors, vendors):
    with Gateway(policy(mock_vendors), "--concurrency", "1") as gateway:
        answer = gateway.client.get("/v1/files")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unsupported_operation")
    assert vendors.records() == []


@contextlib.contextmanager
def realtime_server(protocols: list[str] | None = None):
    """A WebSocket server that tells what it was asked with, then answers each message in capitals. `protocols`: those that it
    chooses from; it chooses none without."""
    asked: list[dict] = []
    loop = asyncio.new_event_loop()
    started: list[websockets.asyncio.server.Server] = []
    ready = threading.Event()

    async def serve(connection: websockets.asyncio.server.ServerConnection) -> None:
        asked.append({"path": connection.request.path, "headers": dict(connection.request.headers.raw_items())})
        async for message in connection:
            await connection.send(message.upper())

    async def start() -> None:
        started.append(await websockets.serve(serve, "127.0.0.1", 0, subprotocols=protocols))
        ready.set()

    def run() -> None:
        loop.run_until_complete(start())
        loop.run_forever()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(10)
    yield started[0].sockets[0].getsockname()[1], asked
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)


def test_realtime_is_a_websocket(mock_vendors):
    with realtime_server() as (port, asked):
        models = {"voice": {"targets": [{"provider": "openai", "model": "gpt-realtime-2"}]}}
        document = policy(mock_vendors, models)
        document["providers"]["openai"]["endpoint"] = f"http://127.0.0.1:{port}/v1"
        with Gateway(document, "--concurrency", "1") as gateway:

            async def talk() -> list[str]:
                address = gateway.url.replace("http", "ws") + "/v1/realtime?model=voice"
                headers = {"authorization": f"Bearer {CLIENT_KEY}", "openai-beta": "realtime=v1"}
                async with websockets.connect(address, additional_headers=headers, open_timeout=10) as connection:
                    answers = []
                    for message in ["hello", "x" * 100_000]:
                        await connection.send(message)
                        answers.append(await asyncio.wait_for(connection.recv(), 10))
                    return answers

            assert asyncio.run(talk()) == ["HELLO", "X" * 100_000]
            refused = httpx.get(f"{gateway.url}/v1/realtime?model=voice", timeout=10)
            assert refused.status_code == 401
    assert [one["path"] for one in asked] == ["/v1/realtime?model=gpt%2Drealtime%2D2"]
    headers = {name.lower(): value for name, value in asked[0]["headers"].items()}
    assert headers["authorization"] == f"Bearer {KEYS['openai']}"
    assert CLIENT_KEY not in str(headers)


@pytest.mark.parametrize("chosen", [["realtime"], None], ids=["the provider chooses", "the provider chooses none"])
def test_a_browser_brings_its_key_as_a_protocol(mock_vendors, chosen):
    with realtime_server(chosen) as (port, asked):
        models = {"voice": {"targets": [{"provider": "openai", "model": "gpt-realtime-2"}]}}
        document = policy(mock_vendors, models)
        document["providers"]["openai"]["endpoint"] = f"http://127.0.0.1:{port}/v1"
        with Gateway(document, "--concurrency", "1") as gateway:
            address = gateway.url.replace("http", "ws") + "/v1/realtime?model=voice"

            async def talk(key: str) -> tuple[str | None, str]:
                # What `OpenAIRealtimeWebSocket` of the official SDK offers.
                offered = ["realtime", f"openai-insecure-api-key.{key}"]
                async with websockets.connect(address, subprotocols=offered, open_timeout=10) as connection:
                    await connection.send("hello")
                    return connection.subprotocol, await asyncio.wait_for(connection.recv(), 10)

            # A browser closes a socket whose server has chosen nothing of what it offered.
            assert asyncio.run(talk(CLIENT_KEY)) == ("realtime", "HELLO")
            with pytest.raises(websockets.InvalidStatus) as refused:
                asyncio.run(talk("wrong"))
            assert refused.value.response.status_code == 401
            assert CLIENT_KEY not in "\n".join(gateway.lines)
    [one] = asked
    headers = {name.lower(): value for name, value in one["headers"].items()}
    assert headers["sec-websocket-protocol"] == "realtime"
    assert headers["authorization"] == f"Bearer {KEYS['openai']}"
    assert CLIENT_KEY not in str(headers)
