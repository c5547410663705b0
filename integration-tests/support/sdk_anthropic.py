"""The Anthropic SDK's sync and async clients behind one face, so that each test is told once for both."""

import asyncio
import math

import anthropic
from anthropic.types import Message, RawMessageStreamEvent
from pydantic import TypeAdapter

from .gateway import CLIENT_KEY, Gateway

EVENT = TypeAdapter(RawMessageStreamEvent)


def checked(answer: Message) -> Message:
    """The answer, after the SDK's own types have validated what they otherwise take as it comes."""
    Message.model_validate_json(answer.to_json(), strict=True)
    return answer


def checked_event(event: object) -> object:
    """An event of a stream, likewise."""
    EVENT.validate_json(event.to_json(), strict=True)
    return event


class Sync:
    """The SDK's sync client."""

    def __init__(self, gateway: Gateway, **options: object) -> None:
        options = {"api_key": CLIENT_KEY, "max_retries": 0, "timeout": 20} | options
        self.client = anthropic.Anthropic(base_url=gateway.url, **options)

    def create(self, **request: object) -> Message:
        return checked(self.client.messages.create(**request))

    def raw(self, **request: object) -> tuple:
        """The headers and the message."""
        response = self.client.messages.with_raw_response.create(**request)
        return response.headers, checked(response.parse())

    def beta(self, **request: object):
        return self.client.beta.messages.create(**request)

    def parse(self, **request: object):
        return self.client.messages.parse(**request)

    def count(self, **request: object):
        return self.client.messages.count_tokens(**request)

    def events(self, seen: list | None = None, stop_after: float = math.inf, **request: object) -> list:
        """All events as they come; `seen` has those before an error, too."""
        seen = [] if seen is None else seen
        with self.client.messages.create(stream=True, **request) as stream:
            for event in stream:
                seen.append(checked_event(event))
                if len(seen) >= stop_after:
                    break
        return seen

    def final(self, **request: object) -> Message:
        """The message that the stream helper has put together."""
        with self.client.messages.stream(**request) as stream:
            return checked(stream.get_final_message())

    def close(self) -> None:
        self.client.close()


class Async:
    """The SDK's async client, driven from outside."""

    def __init__(self, gateway: Gateway, **options: object) -> None:
        options = {"api_key": CLIENT_KEY, "max_retries": 0, "timeout": 20} | options
        self.runner = asyncio.Runner()
        self.client = anthropic.AsyncAnthropic(base_url=gateway.url, **options)

    def create(self, **request: object) -> Message:
        return checked(self.runner.run(self.client.messages.create(**request)))

    def raw(self, **request: object) -> tuple:
        async def run() -> tuple:
            response = await self.client.messages.with_raw_response.create(**request)
            return response.headers, checked(await response.parse())

        return self.runner.run(run())

    def beta(self, **request: object):
        return self.runner.run(self.client.beta.messages.create(**request))

    def parse(self, **request: object):
        return self.runner.run(self.client.messages.parse(**request))

    def count(self, **request: object):
        return self.runner.run(self.client.messages.count_tokens(**request))

    def events(self, seen: list | None = None, stop_after: float = math.inf, **request: object) -> list:
        seen = [] if seen is None else seen

        async def run() -> list:
            async with await self.client.messages.create(stream=True, **request) as stream:
                async for event in stream:
                    seen.append(checked_event(event))
                    if len(seen) >= stop_after:
                        break
            return seen

        return self.runner.run(run())

    def final(self, **request: object) -> Message:
        async def run() -> Message:
            async with self.client.messages.stream(**request) as stream:
                return checked(await stream.get_final_message())

        return self.runner.run(run())

    def close(self) -> None:
        self.runner.run(self.client.close())
        self.runner.close()
