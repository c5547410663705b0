"""The OpenAI SDK's sync and async clients behind one face, so that each test is told once for both."""

import asyncio
import math

import openai
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from .gateway import CLIENT_KEY, Gateway


def checked(answer: ChatCompletion | ChatCompletionChunk) -> ChatCompletion | ChatCompletionChunk:
    """The answer, after the SDK's own types have validated what they otherwise take as it comes."""
    declared = ChatCompletion if isinstance(answer, ChatCompletion) else ChatCompletionChunk
    declared.model_validate_json(answer.to_json(), strict=True)
    return answer


class Sync:
    """The SDK's sync client."""

    def __init__(self, gateway: Gateway, **options: object) -> None:
        options = {"api_key": CLIENT_KEY, "max_retries": 0, "timeout": 20} | options
        self.client = openai.OpenAI(base_url=f"{gateway.url}/v1", **options)

    def create(self, **request: object) -> ChatCompletion:
        return checked(self.client.chat.completions.create(**request))

    def raw(self, **request: object):
        return self.client.chat.completions.with_raw_response.create(**request)

    def parse(self, **request: object):
        return self.client.chat.completions.parse(**request)

    def chunks(self, seen: list | None = None, stop_after: float = math.inf, **request: object) -> list:
        """All chunks; `seen` has those that came before an error, too."""
        seen = [] if seen is None else seen
        with self.client.chat.completions.create(stream=True, **request) as stream:
            for chunk in stream:
                seen.append(checked(chunk))
                if len(seen) >= stop_after:
                    break
        return seen

    def helper(self, **request: object):
        """All events of the stream helper, and the completion that it has put together."""
        with self.client.chat.completions.stream(**request) as stream:
            return list(stream), stream.get_final_completion()

    def close(self) -> None:
        self.client.close()


class Async:
    """The SDK's async client, driven from outside."""

    def __init__(self, gateway: Gateway, **options: object) -> None:
        options = {"api_key": CLIENT_KEY, "max_retries": 0, "timeout": 20} | options
        self.runner = asyncio.Runner()
        self.client = openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", **options)

    def create(self, **request: object) -> ChatCompletion:
        return checked(self.runner.run(self.client.chat.completions.create(**request)))

    def raw(self, **request: object):
        return self.runner.run(self.client.chat.completions.with_raw_response.create(**request))

    def parse(self, **request: object):
        return self.runner.run(self.client.chat.completions.parse(**request))

    def chunks(self, seen: list | None = None, stop_after: float = math.inf, **request: object) -> list:
        seen = [] if seen is None else seen

        async def run() -> list:
            async with await self.client.chat.completions.create(stream=True, **request) as stream:
                async for chunk in stream:
                    seen.append(checked(chunk))
                    if len(seen) >= stop_after:
                        break
            return seen

        return self.runner.run(run())

    def helper(self, **request: object):
        async def run() -> tuple:
            async with self.client.chat.completions.stream(**request) as stream:
                return [event async for event in stream], await stream.get_final_completion()

        return self.runner.run(run())

    def close(self) -> None:
        self.runner.run(self.client.close())
        self.runner.close()
