"""Tools, thinking and the loops of agents, with the official Anthropic SDK."""

import base64
import json

import anthropic
import pytest
from support import scripted
from support.gateway import policy
from support.messages import (
    EPHEMERAL,
    NAMES,
    THOUGHT,
    TOOLS,
    VENDORS,
    ask,
    calls_of,
    gateway,
    message,
    results,
    sdk,
    text_of,
    thinking,
    user,
    vendor,
)
from support.scripted import PIXEL


def test_a_tool_is_called_and_its_result_answered(sdk, vendor):
    messages = user("What is the weather? Use get_weather.")
    request = {"model": vendor, "max_tokens": 2000, "tools": TOOLS}
    for create in (sdk.create, sdk.final):
        answer = create(**request, messages=messages)
        assert answer.stop_reason == "tool_use"
        [call] = calls_of(answer)
        assert (call.name, call.input) == ("get_weather", {"city": "city", "unit": "celsius"})
        history = [*messages, {"role": "assistant", "content": answer.content}, results(answer)]
        answer = create(**request, messages=history)
        assert text_of(answer) == f'This is {NAMES[vendor]}. The tools returned: "12 degrees celsius in city".'
        assert answer.stop_reason == "end_turn"


def test_tools_are_called_in_parallel(sdk, vendor):
    messages = user("Both get_time and get_weather, please.")
    request = {"model": vendor, "max_tokens": 2000, "tools": TOOLS}
    for create in (sdk.create, sdk.final):
        answer = create(**request, messages=messages)
        assert [call.name for call in calls_of(answer)] == ["get_weather", "get_time"]
        assert len({call.id for call in calls_of(answer)}) == 2
        history = [*messages, {"role": "assistant", "content": answer.content}, results(answer)]
        said = text_of(create(**request, messages=history))
        assert said.endswith('The tools returned: "12 degrees celsius in city", "noon in city".')


def test_a_tool_can_be_forced_and_forbidden(sdk, vendor):
    request = ask(vendor, tools=TOOLS)
    for choice, expected in [({"type": "any"}, "get_weather"), ({"type": "tool", "name": "get_time"}, "get_time")]:
        [call] = calls_of(sdk.create(**request, tool_choice=choice))
        assert call.name == expected
    answer = sdk.create(**ask(vendor, "get_time", tools=TOOLS), tool_choice={"type": "none"})
    assert calls_of(answer) == []


def test_parallel_calls_can_be_forbidden(sdk, vendor, vendors):
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    request = ask(vendor, "Both get_time and get_weather, please.", tools=TOOLS, tool_choice=choice)
    if vendor == "gemini":
        with pytest.raises(anthropic.BadRequestError, match="tool_choice.disable_parallel_tool_use"):
            sdk.create(**request)
        assert vendors.records() == []
        return
    assert [call.name for call in calls_of(sdk.create(**request))] == ["get_weather"]


def test_a_tool_that_failed_says_so(sdk, vendor, vendors):
    call = {"type": "tool_use", "id": "toolu_1", "name": "get_time", "input": {"city": "Rome"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "is_error": True, "content": "No clock."}
    messages = [*user("get_time"), {"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    headers, answer = sdk.raw(model=vendor, max_tokens=100, tools=TOOLS, messages=messages)
    assert "No clock." in text_of(answer)
    # Chat completions have no field for it: the words go on, and what is left out is named.
    assert scripted.dropped(headers) == ({"messages[2].content[0].is_error"} if vendor == "openai" else set())
    sent = json.dumps(scripted.sent(vendors)["json"])
    if vendor == "anthropic":
        assert '"is_error": true' in sent
    elif vendor == "gemini":
        assert '"response": {"error": "No clock."}' in sent
    else:
        assert '"role": "tool"' in sent and "is_error" not in sent


def test_results_may_hold_blocks_and_stand_beside_text(sdk, vendor, vendors):
    calls = [
        {"type": "tool_use", "id": f"toolu_{number}", "name": "get_time", "input": {"city": "Rome"}}
        for number in (1, 2)
    ]
    content = [
        {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "noon"}]},
        {"type": "tool_result", "tool_use_id": "toolu_2"},
        {"type": "text", "text": "And now?"},
    ]
    messages = [
        *user("get_time twice"),
        {"role": "assistant", "content": [{"type": "text", "text": "Let me see."}, *calls]},
        {"role": "user", "content": content},
    ]
    answer = sdk.create(model=vendor, max_tokens=100, tools=TOOLS, messages=messages)
    said = text_of(answer)
    # Anthropic has both in one message, and the mock answers the results there.
    assert said.endswith('The tools returned: "noon", "".' if vendor == "anthropic" else 'You said: "And now?".')
    assert "And now?" in json.dumps(scripted.sent(vendors)["json"])


def test_results_may_hold_images(sdk, vendor, vendors):
    data = base64.b64encode(PIXEL).decode()
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}
    call = {"type": "tool_use", "id": "toolu_1", "name": "get_time", "input": {"city": "Rome"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "noon"}, image]}
    messages = [*user("get_time"), {"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    request = {"model": f"{vendor}-reasoning", "max_tokens": 2000, "tools": TOOLS, "messages": messages}
    if vendor == "openai":
        # Its results are texts, and what is said is never left out.
        with pytest.raises(anthropic.BadRequestError, match=r"messages\[2\]\.content\[0\]\.content\[1\]"):
            sdk.create(**request)
        assert vendors.records() == []
        return
    assert "noon" in text_of(sdk.create(**request))
    assert data in json.dumps(scripted.sent(vendors)["json"])


def test_thinking_is_shown_and_signed(sdk, vendor):
    request = ask(f"{vendor}-reasoning", "Think", **thinking(vendor))
    for create in (sdk.create, sdk.final):
        answer = create(**request)
        assert text_of(answer) == f'This is {NAMES[vendor]}. You said: "Think".'
        thoughts = [block for block in answer.content if block.type == "thinking"]
        # OpenAI shows none of it in chat completions.
        assert "".join(block.thinking for block in thoughts) == ("" if vendor == "openai" else THOUGHT)
        if vendor == "anthropic":
            assert all(block.signature for block in thoughts)


def test_a_tool_loop_with_thinking_takes_several_rounds(sdk, vendor, vendors):
    request = {"model": f"{vendor}-reasoning", "max_tokens": 4000, "tools": TOOLS} | thinking(vendor)
    messages = user("Use get_weather.")
    for question in ["Now get_time.", "And get_weather with get_time again.", "Thank you."]:
        answer = sdk.create(**request, messages=messages)
        messages += [{"role": "assistant", "content": answer.content}, results(answer)]
        final = sdk.final(**request, messages=messages)
        assert "The tools returned:" in text_of(final)
        messages += [{"role": "assistant", "content": final.content}, *user(question)]
    answer = sdk.create(**request, messages=messages)
    assert text_of(answer).endswith('You said: "Thank you.".')
    last = json.dumps(vendors.records(vendor)[-1]["json"])
    # What the vendor has signed came back to it: it refuses what it has not signed.
    assert last.count('"signature"') >= 6 if vendor == "anthropic" else '"signature"' not in last
    if vendor == "gemini":
        assert last.count('"thoughtSignature"') >= 3 and "skip_thought_signature_validator" not in last


def test_a_conversation_moves_between_vendors(sdk, vendors):
    messages = user("Use get_weather.")
    for turn in range(9):
        vendors.reset()
        answering = (2 * turn + 1) % 3
        for name in VENDORS[:answering]:
            vendors.script(name, {"kind": "status", "status": 429}, times=0)
        request = {"model": "any-reasoning", "max_tokens": 4000, "messages": messages, "tools": TOOLS}
        create = sdk.create if turn % 2 else sdk.final
        answer = create(**request, **thinking("anthropic"))
        assert [record["fault"] for record in vendors.records()] == [None] * (answering + 1)
        messages.append({"role": "assistant", "content": answer.content})
        messages += [results(answer)] if calls_of(answer) else user("And get_weather with get_time again.")


def test_redacted_thinking_comes_back_to_its_maker_alone(sdk, vendor, vendors):
    blocks = [{"type": "redacted_thinking", "data": "c2VhbGVk"}, {"type": "text", "text": "Hi"}]
    messages = [*user("Hello"), {"role": "assistant", "content": blocks}, *user("Again")]
    if vendor == "anthropic":
        scripted.play(vendors, message(), vendor="anthropic")
    sdk.create(model=f"{vendor}-reasoning", max_tokens=2000, messages=messages, **thinking(vendor))
    assert ("c2VhbGVk" in json.dumps(scripted.sent(vendors)["json"])) == (vendor == "anthropic")


def agent_request(model: str) -> dict:
    """A request as a coding agent makes it: cache marks, who the user is, many tools, thinking, a long history."""
    tools = [
        {
            "name": f"tool_{number}",
            "description": f"Does thing {number}. " * 20,
            "input_schema": {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "type": "object",
                "properties": {
                    "file_path": {"type": "string", "description": "The absolute path"},
                    "edits": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {"old": {"type": "string"}, "all": {"type": "boolean", "default": False}},
                            "required": ["old"],
                            "additionalProperties": False,
                        },
                    },
                },
                "required": ["file_path"],
                "additionalProperties": False,
            },
        }
        for number in range(20)
    ]
    system = [
        {"type": "text", "text": "You are an agent.", "cache_control": EPHEMERAL},
        {"type": "text", "text": "Rules of the house. " * 200, "cache_control": EPHEMERAL},
    ]
    messages = [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "<system-reminder>\nContext.\n</system-reminder>"},
                {"type": "text", "text": "Mend the build.", "cache_control": EPHEMERAL},
            ],
        }
    ]
    for turn in range(30):
        calls = [
            {
                "type": "tool_use",
                "id": f"toolu_{turn}_{call}",
                "name": f"tool_{call}",
                "input": {"file_path": f"/a/{turn}"},
            }
            for call in range(1 + turn % 3)
        ]
        text = [{"type": "text", "text": f"Step {turn}."}] if turn % 2 else []
        messages.append({"role": "assistant", "content": [*text, *calls]})
        blocks = [
            {
                "type": "tool_result",
                "tool_use_id": call["id"],
                "content": [{"type": "text", "text": f"line of {turn}\n" * 10}] if turn % 4 else f"line of {turn}\n",
                "is_error": turn % 5 == 0,
            }
            for call in calls
        ]
        messages.append({"role": "user", "content": blocks})
    last = messages[-1]["content"]
    last[-1]["cache_control"] = EPHEMERAL
    last.append({"type": "text", "text": "<system-reminder>Keep the list of things to do.</system-reminder>"})
    return {
        "model": model,
        "max_tokens": 32000,
        "system": system,
        "tools": tools,
        "messages": messages,
        "metadata": {"user_id": "user_abc_account__session_00000000-0000-4000-8000-000000000000"},
        "thinking": {"type": "adaptive"},
    }


@pytest.mark.parametrize(
    ("model", "named"), [("openai", {"context_management"}), ("gemini", {"context_management", "metadata.user_id"})]
)
def test_advice_that_agents_always_give_is_left_out_and_named(sdk, vendors, model, named):
    edits = {"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}}
    headers, _ = sdk.raw(**ask(model, metadata={"user_id": "user_1"}), extra_body=edits)
    assert scripted.dropped(headers) == named
    assert scripted.sent(vendors)["json"].get("safety_identifier") == ("user_1" if model == "openai" else None)


@pytest.mark.parametrize("ending", ["", "-reasoning"])
def test_a_coding_agent_is_served_by_each_vendor(sdk, vendor, vendors, ending):
    """Under the default policy, which refuses what a vendor lacks."""
    request = agent_request(f"{vendor}{ending}")
    if (vendor, ending) == ("anthropic", ""):
        # This Claude knows budgets only; whether it takes the rest is its own to say.
        request["thinking"] = {"type": "disabled"}
    final = sdk.final(**request)
    assert final.stop_reason == "end_turn"
    assert ("line of 29" if vendor == "anthropic" else "Keep the list") in text_of(final)
    sent = scripted.sent(vendors)["json"]
    assert "Keep the list" in json.dumps(sent)
    assert json.dumps(sent).count("line of 29") == json.dumps(request).count("line of 29")
    if vendor == "anthropic":
        assert json.dumps(sent).count('"cache_control"') == 4
