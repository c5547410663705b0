"""Rankings, asked for by the official Cohere SDK and in Jina's shape, at every provider that ranks."""

import asyncio
import json

import cohere
import httpx
import pytest
from cohere.v2.types import V2RerankResponse
from support import scripted
from support.gateway import CLIENT_KEY, Gateway, policy

DOCUMENTS = ["Rome is in Italy.", "¿Qué? 何 🌊", "Bern is in Switzerland."]
RANKS = [(2, 0.98), (0, 0.25)]
# By the model's name: its provider's dialect, the provider's own name, and the path.
PROVIDERS = {
    "cohere": ("cohere", "rerank-v4.0-pro", "/v2/rerank"),
    "compatible": ("openai", "jina-reranker-v3", "/v1/rerank"),
    "bedrock-cohere": ("bedrock", "cohere.rerank-v3-5:0", "/model/cohere.rerank-v3-5%3A0/invoke"),
    "bedrock-amazon": ("bedrock", "amazon.rerank-v1:0", "/model/amazon.rerank-v1%3A0/invoke"),
}


@pytest.fixture(scope="module")
def gateway(mock_vendors):
    dialects = {dialect for dialect, _, _ in PROVIDERS.values()} | {"anthropic"}
    providers = {dialect: scripted.provider(mock_vendors, dialect) for dialect in dialects}
    models = {
        name: {"targets": [{"provider": dialect, "model": model}]} for name, (dialect, model, _) in PROVIDERS.items()
    }
    models["claude"] = {"targets": [{"provider": "anthropic", "model": "claude-sonnet-5-5"}]}
    with Gateway(policy(mock_vendors, models, providers=providers), "--concurrency", "1") as gateway:
        yield gateway
        assert gateway.wasm_trouble() == []


@pytest.fixture
def client(gateway, vendors):
    with httpx.Client(timeout=20) as http:
        yield cohere.ClientV2(CLIENT_KEY, base_url=gateway.url, httpx_client=http, max_retries=0)


def answer(model: str) -> dict:
    results = [{"index": index, "relevance_score": score} for index, score in RANKS]
    if model == "cohere":
        return {
            "id": "r-1",
            "results": results,
            "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}},
        }
    if model == "compatible":
        return {"model": "jina-reranker-v3", "object": "list", "usage": {"total_tokens": 9}, "results": results}
    return {"results": results}


def ranks(response: V2RerankResponse) -> list[tuple]:
    V2RerankResponse.model_validate(response.model_dump(), strict=True)
    return [(result.index, result.relevance_score) for result in response.results]


@pytest.mark.parametrize("model", PROVIDERS)
def test_documents_are_ranked(client, vendors, model):
    scripted.play(vendors, answer(model))
    response = client.rerank(model=model, query="Which city?", documents=DOCUMENTS, top_n=2)
    assert ranks(response) == RANKS
    if model == "cohere":
        assert response.meta.billed_units.search_units == 1
    if model == "compatible":
        assert response.meta.billed_units.input_tokens == 9
    record = scripted.sent(vendors)
    assert record["target"] == PROVIDERS[model][2]
    body = record["json"]
    assert (body["query"], body["documents"], body["top_n"]) == ("Which city?", DOCUMENTS, 2)
    assert body.get("model", PROVIDERS[model][1]) == PROVIDERS[model][1]


def test_an_async_client_is_served(gateway, vendors):
    scripted.play(vendors, answer("bedrock-amazon"))

    async def run() -> V2RerankResponse:
        async with httpx.AsyncClient(timeout=20) as http:
            client = cohere.AsyncClientV2(CLIENT_KEY, base_url=gateway.url, httpx_client=http, max_retries=0)
            return await client.rerank(model="bedrock-amazon", query="Which city?", documents=DOCUMENTS)

    assert ranks(asyncio.run(run())) == RANKS


@pytest.mark.parametrize("model", PROVIDERS)
@pytest.mark.parametrize("given_back", [True, False, None])
def test_jina_s_shape_is_served(gateway, vendors, model, given_back):
    reply = answer(model)
    if model == "compatible" and given_back is not False:
        # It is of the same dialect, so its own words pass.
        for result in reply["results"]:
            result["document"] = {"text": DOCUMENTS[result["index"]]}
    scripted.play(vendors, reply)
    body = {"model": model, "query": "Which city?", "documents": DOCUMENTS, "top_n": 2}
    body |= {} if given_back is None else {"return_documents": given_back}
    got = gateway.client.post("/v1/rerank", json=body)
    assert got.status_code == 200, got.text
    results = got.json()["results"]
    assert [(result["index"], result["relevance_score"]) for result in results] == RANKS
    # There, documents come back unless one says otherwise.
    expected = [None, None] if given_back is False else [{"text": DOCUMENTS[index]} for index, _ in RANKS]
    assert [result.get("document") for result in results] == expected
    record = scripted.sent(vendors)
    assert record["target"] == PROVIDERS[model][2]
    assert [text["text"] if isinstance(text, dict) else text for text in record["json"]["documents"]] == DOCUMENTS


@pytest.mark.parametrize("model", PROVIDERS)
def test_documents_may_be_objects(gateway, vendors, model):
    documents = [{"text": text} for text in DOCUMENTS]
    scripted.play(vendors, answer(model))
    body = {"model": model, "query": "Which city?", "documents": documents, "return_documents": True}
    got = gateway.client.post("/v1/rerank", json=body)
    assert got.status_code == 200, got.text
    said = [text["text"] if isinstance(text, dict) else text for text in scripted.sent(vendors)["json"]["documents"]]
    assert said == DOCUMENTS


def test_between_the_same_dialect_the_bytes_pass(gateway, vendors):
    for path, model, own in [
        ("/v2/rerank", "cohere", "rerank-v4.0-pro"),
        ("/v1/rerank", "compatible", "jina-reranker-v3"),
    ]:
        vendors.reset()
        content = b'{ "query":"\\u0048i" ,"odd" : 1.0,"documents":["a"],"model":"%s" }' % model.encode()
        reply = scripted.play(vendors, json.dumps(answer(model) | {"odd": [1.0]}, indent=3))
        got = gateway.client.post(path, content=content, headers={"content-type": "application/json"})
        assert (got.status_code, got.content) == (200, reply)
        assert scripted.body_of(scripted.sent(vendors)) == content.replace(model.encode(), own.encode())


@pytest.mark.parametrize("model", PROVIDERS)
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, cohere.BadRequestError),
        (404, cohere.NotFoundError),
        (429, cohere.TooManyRequestsError),
        (500, cohere.InternalServerError),
    ],
)
def test_errors_have_the_sdk_s_types(client, vendors, model, status, error):
    message = {"error": {"message": "No.", "type": "x"}} if model == "compatible" else {"message": "No."}
    scripted.play(vendors, message, status=status)
    with pytest.raises(error) as raised:
        client.rerank(model=model, query="Which city?", documents=DOCUMENTS)
    assert raised.value.status_code == status
    assert raised.value.body["message"] == "No."


def test_what_can_not_be_served_is_refused(client, gateway, vendors):
    with pytest.raises(cohere.BadRequestError, match="rank"):
        client.rerank(model="claude", query="Which city?", documents=DOCUMENTS)
    with pytest.raises(cohere.NotFoundError):
        client.rerank(model="nobody", query="Which city?", documents=DOCUMENTS)
    stranger = cohere.ClientV2("another-key", base_url=gateway.url, max_retries=0, timeout=20)
    with pytest.raises(cohere.UnauthorizedError):
        stranger.rerank(model="cohere", query="Which city?", documents=DOCUMENTS)
    got = gateway.client.post("/v1/rerank", json={"model": "cohere", "query": "Which city?"})
    assert got.status_code == 400 and "documents" in got.text
    assert vendors.records() == []


def test_an_answer_that_can_not_be_read_is_an_error(client, vendors):
    for model in ("compatible", "bedrock-cohere"):
        scripted.play(vendors, {"results": [{"index": "first"}]})
        with pytest.raises(cohere.core.ApiError) as raised:
            client.rerank(model=model, query="Which city?", documents=DOCUMENTS)
        assert raised.value.status_code == 502
