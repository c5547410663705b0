"""The list of models, asked for by each official SDK."""

import anthropic
import openai
import pytest
from google import genai
from support.gateway import CLIENT_KEY

NAMES = ["anthropic", "any", "gemini", "openai"]


def test_openai(gateway):
    with openai.OpenAI(api_key=CLIENT_KEY, base_url=f"{gateway.url}/v1", max_retries=0, timeout=10) as client:
        assert [model.id for model in client.models.list()] == NAMES
        assert client.models.retrieve("any").id == "any"
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve("nobody")


def test_anthropic(gateway):
    with anthropic.Anthropic(api_key=CLIENT_KEY, base_url=gateway.url, max_retries=0, timeout=10) as client:
        assert [model.id for model in client.models.list(limit=3)] == NAMES
        assert client.models.retrieve("any").display_name == "any"
        with pytest.raises(anthropic.NotFoundError):
            client.models.retrieve("nobody")


def test_gemini(gateway):
    options = {"base_url": gateway.url, "timeout": 10_000}
    client = genai.Client(api_key=CLIENT_KEY, http_options=options)
    assert [model.name for model in client.models.list(config={"page_size": 3})] == [f"models/{name}" for name in NAMES]
    assert client.models.get(model="any").name == "models/any"
    with pytest.raises(genai.errors.ClientError):
        client.models.get(model="nobody")
