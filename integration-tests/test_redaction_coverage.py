"""What is planted in any text of any dialect, in either direction, plain or streamed, arrives nowhere."""

import json

import pytest
from support import cases
from support.gateway import Gateway, policy
from support.redaction import (
    ANTHROPIC, CHAT, COHERE, COMPLETIONS, EMBEDDINGS, GEMINI, JINA, MASK, MODELS, NATIVE, PLANTED, REQUESTS, RESPONSES, TRANSLATED,
    dump, fill, has, joined, leaves, named, path_of, policy_section,
)  # fmt: skip
from support.scripted import body_of, play, play_events, provider

PROVIDERS = sorted({*NATIVE.values(), *(name for names in TRANSLATED.values() for name in names)})


@pytest.fixture(scope="module")
def masked(mock_vendors):
    """A gateway that masks both ways, with a model for each provider dialect."""
    more = {"azure_openai": {"api_version": "2025-04-01-preview"}}
    providers = {name: provider(mock_vendors, name, **more.get(name, {})) for name in PROVIDERS}
    providers["bedrock"]["credential"] = {"env": "TEST_OPENAI_KEY"}
    model = lambda name: {"targets": [{"provider": name, "model": MODELS[name]}], "unsupported": "drop", "default_max_tokens": 100}
    document = policy(mock_vendors, {name: model(name) for name in PROVIDERS}, providers=providers, redaction=policy_section())
    with Gateway(document) as gateway:
        yield gateway
        assert not gateway.wasm_trouble()
        gateway.client.close()
    # Nothing of it is in what Envoy and the module have said either.
    assert not has("\n".join(gateway.lines).encode())


# ---- requests ----

FIELDS = [
    pytest.param(client, target, path, id=f"{client}-at-{target}-{named(path)}")
    for client, request in REQUESTS.items()
    for target in [NATIVE[client], *TRANSLATED[client]]
    for path in leaves(request)
]


def answer_of(vendors, target: str) -> None:
    """Whatever the provider answers: what it got is what is looked at."""
    play(vendors, {"error": {"message": "no"}}, status=400)


@pytest.mark.parametrize(("client", "target", "path"), FIELDS)
def test_no_request_carries_what_is_planted(masked, vendors, client, target, path):
    answer_of(vendors, target)
    body = fill(REQUESTS[client], path)
    if client != GEMINI:
        body["model"] = target
    answer = masked.client.post(path_of(client, target), json=body)
    records = vendors.records()
    for record in records:
        assert not has(dump(record)), record["body"]
        assert not has(body_of(record)), record["body"]
    if not records:
        # What the target can't do is refused, without a word of what was said.
        assert answer.status_code == 400 and not has(answer.content), answer.text
        assert target != NATIVE[client], answer.text
    elif target == NATIVE[client]:
        sent = json.loads(body_of(records[0]))
        mask = fill(REQUESTS[client], path, MASK)
        for part in path:
            sent, mask = sent[part], mask[part]
        assert sent == mask
        assert answer.headers["x-sluice-redactions"] == "email=1"


# ---- whole answers ----

TEXT = f"Write to {PLANTED} today."
ARGUMENTS = json.dumps({"to": PLANTED, "n": 1})


def completion(message: dict, **choice: object) -> dict:
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "gpt-4o", "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "words"} | message} | choice]}  # fmt: skip


def response(*items: dict, **more: object) -> dict:
    return {"id": "r", "object": "response", "created_at": 1, "model": "gpt-4o", "status": "completed", "output": list(items), "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}} | more


def said(part: dict) -> dict:
    return {"id": "m", "type": "message", "role": "assistant", "status": "completed", "content": [{"type": "output_text", "text": "words", "annotations": []} | part]}


def message(*blocks: dict) -> dict:
    return {"id": "m", "type": "message", "role": "assistant", "model": "claude", "content": list(blocks), "stop_reason": "end_turn", "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1}}


def contents(*parts: dict, **candidate: object) -> dict:
    return {"candidates": [{"content": {"role": "model", "parts": list(parts)}, "finishReason": "STOP", "index": 0} | candidate], "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}, "modelVersion": "g"}


CALL = {"id": "call_1", "type": "function", "function": {"name": "mail", "arguments": ARGUMENTS}}
ANSWERS = {
    (CHAT, "content"): completion({"content": TEXT}),
    (CHAT, "refusal"): completion({"content": None, "refusal": TEXT}),
    (CHAT, "reasoning_content"): completion({"reasoning_content": TEXT}),
    (CHAT, "arguments"): completion({"content": None, "tool_calls": [CALL]}),
    (CHAT, "annotations"): completion({"annotations": [{"type": "url_citation", "url_citation": {"url": f"https://x.test/?{PLANTED}", "title": TEXT, "start_index": 0, "end_index": 1}}]}),
    (CHAT, "transcript"): completion({"audio": {"id": "a", "data": "AAAA", "expires_at": 1, "transcript": TEXT}}),
    (CHAT, "logprobs"): completion({"content": TEXT}, logprobs={"content": [{"token": PLANTED, "logprob": -1, "bytes": None, "top_logprobs": []}]}),
    (CHAT, "unknown"): completion({}) | {"x_unknown": [{"y": TEXT}]},
    (COMPLETIONS, "text"): {"id": "c", "object": "text_completion", "created": 1, "model": "gpt", "choices": [{"index": 0, "text": TEXT, "finish_reason": "stop", "logprobs": None}], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}},
    (RESPONSES, "text"): response(said({"text": TEXT})),
    (RESPONSES, "annotations"): response(said({"annotations": [{"type": "url_citation", "url": f"https://x.test/?{PLANTED}", "title": TEXT, "start_index": 0, "end_index": 1}]})),
    (RESPONSES, "arguments"): response({"id": "fc", "type": "function_call", "call_id": "call", "name": "mail", "arguments": ARGUMENTS, "status": "completed"}),
    (RESPONSES, "reasoning"): response({"id": "rs", "type": "reasoning", "summary": [{"type": "summary_text", "text": TEXT}]}, said({})),
    (RESPONSES, "instructions"): response(said({}), instructions=TEXT),
    (RESPONSES, "metadata"): response(said({}), metadata={"k": TEXT}),
    (ANTHROPIC, "text"): message({"type": "text", "text": TEXT}),
    (ANTHROPIC, "citations"): message({"type": "text", "text": "words", "citations": [{"type": "char_location", "cited_text": TEXT, "document_index": 0, "document_title": TEXT, "start_char_index": 0, "end_char_index": 1}]}),
    (ANTHROPIC, "thinking"): message({"type": "thinking", "thinking": TEXT, "signature": "c2ln"}, {"type": "text", "text": "words"}),
    (ANTHROPIC, "input"): message({"type": "tool_use", "id": "t", "name": "mail", "input": json.loads(ARGUMENTS)}),
    (ANTHROPIC, "search"): message({"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"type": "web_search_result", "url": f"https://x.test/?{PLANTED}", "title": TEXT, "encrypted_content": "e"}]}),
    (GEMINI, "text"): contents({"text": TEXT}),
    (GEMINI, "thought"): contents({"text": TEXT, "thought": True}, {"text": "words"}),
    (GEMINI, "args"): contents({"functionCall": {"name": "mail", "args": json.loads(ARGUMENTS)}}),
    (GEMINI, "code"): contents({"executableCode": {"language": "PYTHON", "code": TEXT}}, {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": TEXT}}),
    (GEMINI, "finish"): contents({"text": "words"}, finishMessage=TEXT),
    (GEMINI, "grounding"): contents({"text": "words"}, groundingMetadata={"webSearchQueries": [TEXT]}),
    (COHERE, "document"): {"id": "r", "results": [{"index": 0, "relevance_score": 0.5, "document": {"text": TEXT}}], "meta": {"billed_units": {"search_units": 1}}},
    (JINA, "document"): {"model": "m", "results": [{"index": 0, "relevance_score": 0.5, "document": {"text": TEXT}}], "usage": {"total_tokens": 1}},
}  # fmt: skip
# What each provider's dialect says a text and a call of a tool in, for clients of others.
OF_PROVIDER = {"openai": (CHAT, ("content", "reasoning_content", "arguments", "refusal")), "anthropic": (ANTHROPIC, ("text", "thinking", "input")), "gemini": (GEMINI, ("text", "thought", "args"))}
ASKED = {
    CHAT: {"messages": [{"role": "user", "content": "Hello"}], "tools": REQUESTS[CHAT]["tools"]},
    RESPONSES: {"input": "Hello"},
    COMPLETIONS: {"prompt": "Hello"},
    ANTHROPIC: {"max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]},
    GEMINI: {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]},
    COHERE: {"query": "Hello", "documents": ["a"]},
    JINA: {"query": "Hello", "documents": ["a"]},
}


def ask(masked, client: str, target: str, stream: bool = False):
    body = fill(ASKED[client], ())
    if client != GEMINI:
        body["model"] = target
        if stream:
            body["stream"] = True
    return masked.client.post(path_of(client, target, stream), json=body)


WHOLE = [pytest.param(client, NATIVE[client], client, field, id=f"{client}-{field}") for client, field in ANSWERS] + [
    pytest.param(client, target, OF_PROVIDER[target][0], field, id=f"{client}-at-{target}-{field}")
    for client in (CHAT, RESPONSES, ANTHROPIC, GEMINI)
    for target in TRANSLATED[client]
    if target in OF_PROVIDER
    for field in OF_PROVIDER[target][1]
]


@pytest.mark.parametrize(("client", "target", "speaker", "field"), WHOLE)
def test_no_answer_carries_what_is_planted(masked, vendors, client, target, speaker, field):
    play(vendors, ANSWERS[speaker, field])
    answer = ask(masked, client, target)
    assert answer.status_code == 200, answer.text
    assert not has(answer.content), answer.text
    json.loads(answer.content)
    shown = (target, field) != ("gemini", "thought") or client != CHAT
    if MASK in answer.text:
        assert answer.headers["x-sluice-redactions"].startswith("email="), answer.headers
    else:
        # Some clients have no place for what some providers say.
        assert client != speaker or not shown, answer.text


@pytest.mark.parametrize("client", [CHAT, RESPONSES, ANTHROPIC, GEMINI, EMBEDDINGS])
@pytest.mark.parametrize("is_native", [True, False])
def test_no_error_carries_what_is_planted(masked, vendors, client, is_native):
    target = NATIVE[client] if is_native else TRANSLATED[client][0]
    play(vendors, {"type": "error", "error": {"type": "invalid_request_error", "code": 400, "message": TEXT, "details": [TEXT]}}, status=400)
    answer = ask(masked, client, target) if client != EMBEDDINGS else masked.client.post("/v1/embeddings", json={"model": target, "input": "Hello"})
    assert answer.status_code == 400 and not has(answer.content), answer.text
    # What can not be read of a vendor of another dialect is left out.
    assert MASK in answer.text or not is_native, answer.text


# ---- streams ----


def pieces(text: str, cut: int) -> list[str]:
    return [text[:cut], text[cut:]] if cut else list(text)


def chunk(delta: dict, finish: str | None = None) -> dict:
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def chat_stream(parts: list[dict], finish: str = "stop") -> list:
    end = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt", "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}
    return [chunk({"role": "assistant", "content": ""}), *(chunk(part) for part in parts), chunk({}, finish), end, "[DONE]"]


def anthropic_stream(block: dict, deltas: list[dict], stop: str = "end_turn") -> list:
    return [
        {"type": "message_start", "message": message() | {"stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": block},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": {"output_tokens": 1}},
        {"type": "message_stop"},
    ]


def responses_stream(item: dict, kind: str, field: str, parts: list[str]) -> list:
    whole = "".join(parts)
    events = [
        {"type": "response.created", "response": response(status="in_progress", usage=None)},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        *({"type": f"{kind}.delta", "item_id": "i", "output_index": 0, "content_index": 0, "delta": part} for part in parts),
        {"type": f"{kind}.done", "item_id": "i", "output_index": 0, "content_index": 0, field: whole},
        {"type": "response.output_item.done", "output_index": 0, "item": item | ({"arguments": whole} if field == "arguments" else {"content": [{"type": "output_text", "text": whole, "annotations": []}]})},
        {"type": "response.completed", "response": response(said({"text": whole}))},
    ]  # fmt: skip
    return [event | {"sequence_number": number} for number, event in enumerate(events)]


def gemini_stream(parts: list[dict]) -> list:
    each = [{"candidates": [{"content": {"role": "model", "parts": [part]}, "index": 0}], "modelVersion": "g"} for part in parts]
    return [*each, contents({"text": ""})]


STREAMS = {
    (CHAT, "content"): lambda cut: chat_stream([{"content": part} for part in pieces(TEXT, cut)]),
    (CHAT, "reasoning_content"): lambda cut: chat_stream([*({"reasoning_content": part} for part in pieces(TEXT, cut)), {"content": "words"}]),
    (CHAT, "refusal"): lambda cut: chat_stream([{"refusal": part} for part in pieces(TEXT, cut)]),
    (CHAT, "arguments"): lambda cut: chat_stream(
        [{"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": {"name": "mail", "arguments": ""}}]}, *({"tool_calls": [{"index": 0, "function": {"arguments": part}}]} for part in pieces(ARGUMENTS, cut))],
        "tool_calls",
    ),
    (COMPLETIONS, "text"): lambda cut: [*({"id": "c", "object": "text_completion", "created": 1, "model": "gpt", "choices": [{"index": 0, "text": part, "finish_reason": None}]} for part in pieces(TEXT, cut)), {"id": "c", "object": "text_completion", "created": 1, "model": "gpt", "choices": [{"index": 0, "text": "", "finish_reason": "stop"}]}, "[DONE]"],
    (RESPONSES, "text"): lambda cut: responses_stream({"id": "i", "type": "message", "role": "assistant", "status": "in_progress", "content": []}, "response.output_text", "text", pieces(TEXT, cut)),
    (RESPONSES, "refusal"): lambda cut: responses_stream({"id": "i", "type": "message", "role": "assistant", "status": "in_progress", "content": []}, "response.refusal", "refusal", pieces(TEXT, cut)),
    (RESPONSES, "reasoning"): lambda cut: responses_stream({"id": "i", "type": "reasoning", "summary": []}, "response.reasoning_summary_text", "text", pieces(TEXT, cut)),
    (RESPONSES, "arguments"): lambda cut: responses_stream({"id": "i", "type": "function_call", "call_id": "c", "name": "mail", "arguments": ""}, "response.function_call_arguments", "arguments", pieces(ARGUMENTS, cut)),
    (ANTHROPIC, "text"): lambda cut: anthropic_stream({"type": "text", "text": ""}, [{"type": "text_delta", "text": part} for part in pieces(TEXT, cut)]),
    (ANTHROPIC, "thinking"): lambda cut: anthropic_stream({"type": "thinking", "thinking": "", "signature": ""}, [*({"type": "thinking_delta", "thinking": part} for part in pieces(TEXT, cut)), {"type": "signature_delta", "signature": "c2ln"}]),
    (ANTHROPIC, "input"): lambda cut: anthropic_stream({"type": "tool_use", "id": "t", "name": "mail", "input": {}}, [{"type": "input_json_delta", "partial_json": part} for part in pieces(ARGUMENTS, cut)], "tool_use"),
    (GEMINI, "text"): lambda cut: gemini_stream([{"text": part} for part in pieces(TEXT, cut)]),
    (GEMINI, "thought"): lambda cut: gemini_stream([*({"text": part, "thought": True} for part in pieces(TEXT, cut)), {"text": "words"}]),
    (GEMINI, "args"): lambda _: gemini_stream([{"functionCall": {"name": "mail", "args": json.loads(ARGUMENTS)}}]),
}  # fmt: skip
STREAMED = [pytest.param(client, NATIVE[client], client, field, id=f"{client}-{field}") for client, field in STREAMS] + [
    pytest.param(client, target, OF_PROVIDER[target][0], field, id=f"{client}-at-{target}-{field}")
    for client in (CHAT, RESPONSES, ANTHROPIC, GEMINI)
    for target in TRANSLATED[client]
    if target in OF_PROVIDER
    for field in OF_PROVIDER[target][1]
]
FRAMING = {CHAT: "openai", COMPLETIONS: "openai", RESPONSES: "anthropic", ANTHROPIC: "anthropic", GEMINI: "gemini"}


@pytest.mark.parametrize(("client", "target", "speaker", "field"), STREAMED)
def test_no_stream_carries_what_is_planted(masked, vendors, client, target, speaker, field):
    start = min(TEXT.index(PLANTED), ARGUMENTS.index(PLANTED))
    # Character by character, and cut once at every byte of what is planted.
    for cut in range(0, max(TEXT.index(PLANTED), ARGUMENTS.index(PLANTED)) + len(PLANTED) + 1):
        if 0 < cut < start:
            continue
        play_events(vendors, FRAMING[speaker], STREAMS[speaker, field](cut))
        answer = ask(masked, client, target, stream=True)
        assert answer.status_code == 200, answer.text
        events = cases.events(answer.content)
        text = joined(events)
        assert not has(answer.content) and not has(text.encode()), f"cut at {cut}: {answer.text}"
        for leak in ("planted.", ".person", "person@"):
            assert leak not in text, f"cut at {cut}: {answer.text}"
        if client == speaker:
            assert MASK in text, f"cut at {cut}: {answer.text}"
        if client == RESPONSES:
            numbers = [event["sequence_number"] for event in events if isinstance(event, dict)]
            assert numbers == list(range(len(numbers))), numbers
        if field == "arguments" and client == CHAT == speaker:
            calls = [call for event in events[:-1] for choice in event["choices"] for call in choice["delta"].get("tool_calls", [])]
            assert json.loads("".join(call["function"]["arguments"] for call in calls)) == {"to": MASK, "n": 1}
