"""What the tests of redaction plant, where, and how they look for it."""

import base64
import copy
import json

# What is planted: an address that no vendor, client or gateway would ever say by itself.
PLANTED = "planted.person@example.com"
MASK = "[EMAIL]"

CHAT, RESPONSES, COMPLETIONS = "openai_chat", "openai_responses", "openai_completions"
EMBEDDINGS, ANTHROPIC, GEMINI, COHERE, JINA = "openai_embeddings", "anthropic", "gemini", "cohere_rerank", "jina_rerank"
# Who understands each client's own bytes, and who gets them translated.
NATIVE = {
    CHAT: "openai",
    RESPONSES: "azure_openai",
    COMPLETIONS: "openai",
    EMBEDDINGS: "openai",
    ANTHROPIC: "anthropic",
    GEMINI: "gemini",
    COHERE: "cohere",
    JINA: "openai",
}
TRANSLATED = {CHAT: ["anthropic", "gemini", "bedrock"], RESPONSES: ["anthropic", "openai"], COMPLETIONS: ["anthropic"], EMBEDDINGS: ["gemini"],
              ANTHROPIC: ["openai", "gemini"], GEMINI: ["openai", "anthropic"], COHERE: ["openai"], JINA: ["cohere"]}  # fmt: skip
# The provider's own model, which decides what it takes.
MODELS = {"openai": "gpt-4o", "azure_openai": "deployment", "anthropic": "claude-sonnet-4-5", "gemini": "gemini-2.5-flash",
          "bedrock": "us.meta.llama3-3-70b-instruct-v1:0", "cohere": "rerank-v3.5"}  # fmt: skip
DOCUMENT = base64.b64encode(f"Write to {PLANTED} today.".encode()).decode()
BARE_DOCUMENT = base64.b64encode(b"Write today.").decode()


def path_of(client: str, model: str, stream: bool = False) -> str:
    """The path of a call; streams of Gemini's have one of their own."""
    if client == GEMINI:
        return f"/v1beta/models/{model}:" + ("streamGenerateContent?alt=sse" if stream else "generateContent")
    return {
        CHAT: "/v1/chat/completions",
        RESPONSES: "/v1/responses",
        COMPLETIONS: "/v1/completions",
        EMBEDDINGS: "/v1/embeddings",
        ANTHROPIC: "/v1/messages",
        COHERE: "/v2/rerank",
        JINA: "/v1/rerank",
    }[client]


FUNCTION = {"type": "object", "properties": {"to": {"type": "string", "description": "Whom.", "enum": ["a"], "default": "a", "examples": ["a"]}}}
# A whole request of each client; `?` stands where a text is, one of which is planted at a time.
REQUESTS = {
    CHAT: {
        "user": "?",
        "metadata": {"k": "?"},
        "stop": ["?"],
        "x_unknown": {"id": ["?"]},
        "messages": [
            {"role": "system", "content": "?", "name": "?"},
            {"role": "developer", "content": [{"type": "text", "text": "?"}]},
            {"role": "user", "content": [{"type": "text", "text": "?"}, {"type": "file", "file": {"filename": "?", "file_data": "data:text/plain;base64,=?"}}]},
            {
                "role": "assistant",
                "content": "?",
                "refusal": "?",
                "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "mail", "arguments": '{"to": "?"}'}}],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "?"},
            {"role": "user", "content": "?"},
        ],
        "tools": [{"type": "function", "function": {"name": "mail", "description": "?", "parameters": FUNCTION}}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "description": "?", "schema": {"type": "object", "title": "?"}}},
    },
    RESPONSES: {
        "instructions": "?",
        "user": "?",
        "metadata": {"k": "?"},
        "input": [
            {"role": "user", "content": "?"},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "?"}, {"type": "input_file", "filename": "?", "file_data": "data:text/plain;base64,=?"}]},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "?"}]},
            {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "mail", "arguments": '{"to": "?"}'},
            {"type": "function_call_output", "call_id": "call_1", "output": "?"},
            {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [{"type": "output_text", "text": "?", "annotations": []}]},
            {"role": "user", "content": "?"},
        ],
        "tools": [{"type": "function", "name": "mail", "description": "?", "parameters": FUNCTION}],
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object", "title": "?"}}},
    },
    COMPLETIONS: {"prompt": "?", "suffix": "?", "user": "?", "stop": ["?"]},
    EMBEDDINGS: {"input": ["?", "?"], "user": "?"},
    ANTHROPIC: {
        "max_tokens": 100,
        "system": [{"type": "text", "text": "?"}],
        "metadata": {"user_id": "?"},
        "stop_sequences": ["?"],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "?"},
                    {"type": "document", "title": "?", "context": "?", "source": {"type": "text", "media_type": "text/plain", "data": "?"}},
                    {"type": "document", "source": {"type": "base64", "media_type": "text/plain", "data": "=?"}},
                    {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "?"}]}},
                    {"type": "search_result", "source": "?", "title": "?", "content": [{"type": "text", "text": "?"}]},
                ],
            },
            {
                "role": "assistant",
                "content": [{"type": "thinking", "thinking": "?", "signature": "c2ln"}, {"type": "text", "text": "?"}, {"type": "tool_use", "id": "t1", "name": "mail", "input": {"to": ["?", {"cc": "?"}]}}],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "?"}]}]},
            {"role": "user", "content": "?"},
        ],
        "tools": [{"name": "mail", "description": "?", "input_schema": FUNCTION}],
    },
    GEMINI: {
        "systemInstruction": {"parts": [{"text": "?"}]},
        "contents": [
            {"role": "user", "parts": [{"text": "?"}, {"inlineData": {"mimeType": "text/plain", "data": "=?"}}]},
            {"role": "model", "parts": [{"text": "?", "thought": True}, {"text": "?"}, {"functionCall": {"name": "mail", "args": {"to": "?"}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "mail", "response": {"done": "?"}}}]},
            {"role": "user", "parts": [{"text": "?"}]},
        ],
        "tools": [{"functionDeclarations": [{"name": "mail", "description": "?", "parameters": FUNCTION}]}],
        "generationConfig": {"stopSequences": ["?"], "responseSchema": {"type": "OBJECT", "description": "?"}},
    },
    COHERE: {"query": "?", "documents": ["?", "?"]},
    JINA: {"query": "?", "documents": ["?", {"text": "?"}]},
}


def leaves(value: object, path: tuple = ()) -> list[tuple]:
    """The paths of the places at which something can be planted."""
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in leaves(item, (*path, key))]
    if isinstance(value, list):
        return [leaf for key, item in enumerate(value) for leaf in leaves(item, (*path, key))]
    return [path] if isinstance(value, str) and "?" in value else []


def fill(value: object, path: tuple, planted: str = PLANTED) -> object:
    """The value with `planted` at this path, and something harmless at the others."""

    def walk(item: object, here: tuple) -> object:
        if isinstance(item, dict):
            return {key: walk(inner, (*here, key)) for key, inner in item.items()}
        if isinstance(item, list):
            return [walk(inner, (*here, key)) for key, inner in enumerate(item)]
        if not isinstance(item, str) or "?" not in item:
            return copy.copy(item)
        if "=?" in item:
            content = base64.b64encode(f"Write to {planted} today.".encode()).decode() if here == path else BARE_DOCUMENT
            return item.replace("=?", content)
        return item.replace("?", f"Write to {planted} today." if here == path else "words")

    return walk(value, ())


def named(path: tuple) -> str:
    return ".".join(map(str, path))


def has(content: bytes, planted: str = PLANTED) -> bool:
    """Whether what was planted stands in these bytes, as it is, in parts of escapes, or in base 64."""
    text = content.decode("utf-8", "replace")
    document = base64.b64encode(f"Write to {planted} today.".encode()).decode()
    return any(form in text for form in (planted, planted.split("@")[0], planted.replace("@", "\\u0040"), document))


def joined(events: list) -> str:
    """All strings of a stream's events, those of one place joined: what a client puts together."""
    places: dict[str, str] = {}

    def walk(item: object, here: str) -> None:
        if isinstance(item, dict):
            for key, inner in item.items():
                walk(inner, f"{here}.{key}")
        elif isinstance(item, list):
            for inner in item:
                own = inner.get("index") if isinstance(inner, dict) else None
                walk(inner, f"{here}[{own}]")
        elif isinstance(item, str):
            places[here] = places.get(here, "") + item

    for event in events:
        if isinstance(event, dict):
            walk(event, str([event.get(key) for key in ("type", "index", "output_index", "content_index", "summary_index")]))
    return "\n".join(places.values())


def policy_section(**more: object) -> dict:
    return {"rules": ["pii", "secrets"], "request": "mask", "response": "mask"} | more


def dump(value: object) -> bytes:
    return json.dumps(value).encode()
