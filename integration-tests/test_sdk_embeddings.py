"""Embeddings and legacy completions, asked for by the official OpenAI SDK, at every provider that can serve them."""

import asyncio
import base64
import json
import struct

import openai
import pytest
from openai.types import CreateEmbeddingResponse
from support import scripted
from support.gateway import CLIENT_KEY, Gateway, policy

VECTORS = [[0.5, -0.25, 0.1], [1.0, 2.5e-05, -3.0]]
# What is left of them in 32 bits.
SINGLE = [list(struct.unpack("<3f", struct.pack("<3f", *vector))) for vector in VECTORS]
TITAN = "amazon.titan-embed-text-v2:0"
COHERE = "cohere.embed-v4:0"
# By the model's name: its provider's dialect, the provider's own name, the path, and the answer for so many texts.
PROVIDERS = {
    "openai": ("openai", "text-embedding-3-small", "/v1/embeddings"),
    "azure": ("azure_openai", "my-embedder", "/openai/deployments/my-embedder/embeddings?api-version=2024-10-21"),
    "gemini": ("gemini", "gemini-embedding-001", "/v1beta/models/gemini-embedding-001:batchEmbedContents"),
    "cohere": ("cohere", "embed-v4.0", "/v2/embed"),
    "bedrock-cohere": ("bedrock", COHERE, "/model/cohere.embed-v4%3A0/invoke"),
    "bedrock-titan": ("bedrock", TITAN, "/model/amazon.titan-embed-text-v2%3A0/invoke"),
}


@pytest.fixture(scope="module")
def gateway(mock_vendors):
    dialects = {dialect for dialect, _, _ in PROVIDERS.values()}
    providers = {dialect: scripted.provider(mock_vendors, dialect) for dialect in dialects}
    models = {
        name: {"targets": [{"provider": dialect, "model": model}]} for name, (dialect, model, _) in PROVIDERS.items()
    }
    usual = policy(mock_vendors)
    # The vendors that answer by themselves, for the legacy completions.
    providers |= {f"smart-{name}": provider for name, provider in usual["providers"].items()}
    for name, model in usual["models"].items():
        targets = [target | {"provider": f"smart-{target['provider']}"} for target in model["targets"]]
        models[f"smart-{name}"] = {"targets": targets}
    with Gateway(policy(mock_vendors, models, providers=providers), "--concurrency", "1") as gateway:
        yield gateway
        assert gateway.wasm_trouble() == []


@pytest.fixture
def client(gateway, vendors):
    with openai.OpenAI(api_key=CLIENT_KEY, base_url=f"{gateway.url}/v1", max_retries=0, timeout=20) as client:
        yield client


def answer(model: str, count: int, form: str = "float") -> dict:
    """What the provider of this model answers about so many texts."""
    vectors = VECTORS[:count]
    dialect, name, _ = PROVIDERS[model]
    if dialect in ("openai", "azure_openai"):
        written = vectors if form == "float" else [encoded(vector) for vector in vectors]
        data = [{"object": "embedding", "index": index, "embedding": one} for index, one in enumerate(written)]
        return {"object": "list", "data": data, "model": name, "usage": {"prompt_tokens": 7, "total_tokens": 7}}
    if dialect == "gemini":
        return {"embeddings": [{"values": vector} for vector in vectors], "usageMetadata": {"promptTokenCount": 7}}
    if model == "bedrock-titan":
        return {"embedding": vectors[0], "embeddingsByType": {"float": vectors[0]}, "inputTextTokenCount": 7}
    body = {"id": "e", "embeddings": {"float": vectors}, "texts": [], "response_type": "embeddings_by_type"}
    return body | ({"meta": {"billed_units": {"input_tokens": 7}}} if dialect == "cohere" else {})


def encoded(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def texts_of(body: dict) -> list[str]:
    """The texts of a request, in whatever dialect."""
    if "requests" in body:
        return [one["content"]["parts"][0]["text"] for one in body["requests"]]
    if "inputText" in body:
        return [body["inputText"]]
    texts = body.get("texts", body.get("input"))
    return [texts] if isinstance(texts, str) else texts


def checked(response: CreateEmbeddingResponse) -> CreateEmbeddingResponse:
    CreateEmbeddingResponse.model_validate_json(response.to_json(), strict=True)
    return response


@pytest.mark.parametrize("model", PROVIDERS)
@pytest.mark.parametrize("form", ["default", "float"])
def test_vectors_come_in_the_form_that_was_asked_for(client, vendors, model, form):
    texts = ["¿qué?", "何 🌊"][: 1 if model == "bedrock-titan" else 2]
    dialect, name, path = PROVIDERS[model]
    is_native = dialect in ("openai", "azure_openai")
    # Whoever has the API itself answers in the form; the SDK asks for base64 unless it is told otherwise.
    scripted.play(vendors, answer(model, len(texts), "base64" if is_native and form == "default" else "float"))
    options = {} if form == "default" else {"encoding_format": "float"}
    response = checked(client.embeddings.create(model=model, input=texts, **options))
    expected = SINGLE if form == "default" else VECTORS
    assert [one.embedding for one in response.data] == expected[: len(texts)]
    assert [one.index for one in response.data] == list(range(len(texts)))
    assert response.object == "list" and response.model
    # Bedrock tells Cohere's tokens in a header only.
    assert response.usage.prompt_tokens == 7 or model == "bedrock-cohere"
    record = scripted.sent(vendors)
    assert record["target"] == path
    assert texts_of(record["json"]) == texts


@pytest.mark.parametrize("model", PROVIDERS)
def test_the_base64_that_clients_ask_for_is_on_the_wire(gateway, vendors, model):
    """What the SDK decodes by itself, seen by a client that doesn't."""
    is_native = PROVIDERS[model][0] in ("openai", "azure_openai")
    scripted.play(vendors, answer(model, 1, "base64" if is_native else "float"))
    body = {"model": model, "input": "Hello", "encoding_format": "base64"}
    got = gateway.client.post("/v1/embeddings", json=body)
    assert got.status_code == 200, got.text
    assert got.json()["data"][0]["embedding"] == encoded(VECTORS[0])


@pytest.mark.parametrize("model", [model for model in PROVIDERS if not model.startswith("bedrock-titan")])
def test_dimensions_are_asked_for(client, vendors, model):
    scripted.play(vendors, answer(model, 1))
    client.embeddings.create(model=model, input="Hello", dimensions=256, encoding_format="float")
    body = scripted.sent(vendors)["json"]
    settings = body["requests"][0] if "requests" in body else body
    [said] = [settings[name] for name in ("dimensions", "output_dimension", "outputDimensionality") if name in settings]
    assert said == 256


def test_an_async_client_is_served(gateway, vendors):
    scripted.play(vendors, answer("gemini", 2))

    async def run() -> CreateEmbeddingResponse:
        async with openai.AsyncOpenAI(api_key=CLIENT_KEY, base_url=f"{gateway.url}/v1", max_retries=0) as client:
            return await client.embeddings.create(model="gemini", input=["a", "b"], timeout=20)

    assert [one.embedding for one in asyncio.run(run()).data] == SINGLE


def test_tokens_go_to_the_same_dialect_only(client, vendors):
    scripted.play(vendors, answer("openai", 1))
    client.embeddings.create(model="openai", input=[[1, 2, 3]], encoding_format="float")
    assert scripted.sent(vendors)["json"]["input"] == [[1, 2, 3]]
    vendors.reset()
    for model in ("gemini", "cohere", "bedrock-cohere", "bedrock-titan"):
        with pytest.raises(openai.BadRequestError) as raised:
            client.embeddings.create(model=model, input=[[1, 2, 3]])
        assert raised.value.param == "input"
    assert vendors.records() == []


def test_what_a_provider_takes_at_once_is_a_limit(client, vendors):
    for model, count in [("bedrock-titan", 2), ("cohere", 97)]:
        with pytest.raises(openai.BadRequestError) as raised:
            client.embeddings.create(model=model, input=["x"] * count)
        assert raised.value.param == "input"
    assert vendors.records() == []


def test_between_the_same_dialect_the_bytes_pass(gateway, vendors):
    content = b'{ "input":["\\u0048i"] ,"odd" : 1.0,"model":"openai" }'
    reply = scripted.play(vendors, json.dumps(answer("openai", 1) | {"odd": [1.0]}, indent=3))
    got = gateway.client.post("/v1/embeddings", content=content, headers={"content-type": "application/json"})
    assert got.content == reply
    assert scripted.body_of(scripted.sent(vendors)) == content.replace(b'"openai"', b'"text-embedding-3-small"')


@pytest.mark.parametrize("model", ["gemini", "cohere", "bedrock-titan"])
@pytest.mark.parametrize(
    ("status", "error"),
    [(400, openai.BadRequestError), (429, openai.RateLimitError), (500, openai.InternalServerError)],
)
def test_errors_have_the_sdk_s_types(client, vendors, model, status, error):
    message = {"message": "No."} if model != "gemini" else {"error": {"code": status, "message": "No.", "status": "X"}}
    scripted.play(vendors, message, status=status)
    with pytest.raises(error) as raised:
        client.embeddings.create(model=model, input="Hello")
    assert raised.value.status_code == status
    assert raised.value.body["message"] == "No."


@pytest.mark.parametrize("model", ["gemini", "cohere", "bedrock-titan"])
def test_what_is_no_vector_is_an_error(client, vendors, model):
    scripted.play(vendors, {"embeddings": "none", "embedding": "none"})
    with pytest.raises(openai.InternalServerError) as raised:
        client.embeddings.create(model=model, input="Hello")
    assert (raised.value.status_code, raised.value.code) == (502, "provider_malformed")


def test_who_has_no_embeddings_says_so(client, vendors):
    with pytest.raises(openai.BadRequestError) as raised:
        client.embeddings.create(model="smart-anthropic", input="Hello")
    assert raised.value.code == "unsupported_operation"
    assert vendors.records() == []


@pytest.mark.parametrize(("vendor", "name"), [("anthropic", "Anthropic"), ("gemini", "Gemini")])
def test_legacy_completions_are_answered_by_chats(client, vendors, vendor, name):
    request = {"model": f"smart-{vendor}", "prompt": "How are you?", "max_tokens": 50}
    plain = client.completions.create(**request)
    assert (plain.object, plain.choices[0].finish_reason) == ("text_completion", "stop")
    assert plain.choices[0].text == f'This is {name}. You said: "How are you?".'
    assert plain.usage.total_tokens == 11
    chunks = list(client.completions.create(**request, stream=True, stream_options={"include_usage": True}))
    assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == plain.choices[0].text
    assert chunks[-1].usage.total_tokens == 11 and chunks[-1].choices == []
    assert all(record["fault"] is None for record in vendors.records())


def test_legacy_completions_pass_where_they_are_known(client, vendors):
    choice = {"text": " you?", "index": 0, "logprobs": None, "finish_reason": "stop"}
    usage = {"prompt_tokens": 2, "completion_tokens": 2, "total_tokens": 4}
    scripted.play(
        vendors,
        {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m", "choices": [choice], "usage": usage},
    )
    request = {"model": "openai", "prompt": ["How are", "What is"], "best_of": 2, "suffix": "!"}
    assert client.completions.create(**request).choices[0].text == " you?"
    record = scripted.sent(vendors)
    assert record["target"] == "/v1/completions"
    assert record["json"] == request | {"model": "text-embedding-3-small"}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": ["a", "b"]}, "prompt"),
        ({"prompt": [1, 2]}, "prompt"),
        ({"suffix": "!"}, "suffix"),
        ({"echo": True}, "echo"),
    ],
)
def test_legacy_settings_without_a_counterpart_are_refused(client, vendors, fields, param):
    with pytest.raises(openai.BadRequestError) as raised:
        client.completions.create(**({"model": "smart-anthropic", "prompt": "a"} | fields))
    assert raised.value.param == param
    assert vendors.records() == []
