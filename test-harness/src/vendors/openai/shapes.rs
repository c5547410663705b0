//! The shape of a Chat Completions request (SDK: `types/chat/completion_create_params.py` and what it imports).

use crate::vendors::shape::{Field, Shape, Shape::*, optional, required};

const ANY_INTEGER: (i64, i64) = (i64::MIN, i64::MAX);

/// A request's body.
pub static BODY: Shape = Record(&[
    required("messages", &MESSAGES),
    required("model", &Text),
    optional("audio", &Nullable(&AUDIO)),
    optional("frequency_penalty", &Nullable(&Number(-2.0, 2.0))),
    optional("function_call", &Either(&[&Choice(&["none", "auto"]), &NAMED])),
    optional("functions", &List(&FUNCTION)),
    optional("logit_bias", &Nullable(&Map(&Integer(-100, 100)))),
    optional("logprobs", &Nullable(&Bool)),
    optional("max_completion_tokens", &Nullable(&Integer(1, i64::MAX))),
    optional("max_tokens", &Nullable(&Integer(1, i64::MAX))),
    optional("metadata", &Nullable(&Map(&Text))),
    optional("modalities", &Nullable(&List(&Choice(&["text", "audio"])))),
    optional(
        "moderation",
        &Nullable(&Record(&[required("model", &Text), optional("policy", &Nullable(&Free))])),
    ),
    optional("n", &Nullable(&Integer(1, 128))),
    optional("parallel_tool_calls", &Bool),
    optional(
        "prediction",
        &Nullable(&Record(&[required("type", &Choice(&["content"])), required("content", &TEXTS)])),
    ),
    optional("presence_penalty", &Nullable(&Number(-2.0, 2.0))),
    optional("prompt_cache_key", &Nullable(&Text)),
    optional(
        "prompt_cache_options",
        &Record(&[optional("mode", &Choice(&["implicit", "explicit"])), optional("ttl", &Choice(&["30m"]))]),
    ),
    optional("prompt_cache_retention", &Nullable(&Choice(&["in_memory", "24h"]))),
    optional(
        "reasoning_effort",
        &Nullable(&Choice(&["none", "minimal", "low", "medium", "high", "xhigh", "max"])),
    ),
    optional("response_format", &RESPONSE_FORMAT),
    optional("safety_identifier", &Nullable(&Text)),
    optional("seed", &Nullable(&Integer(ANY_INTEGER.0, ANY_INTEGER.1))),
    optional("service_tier", &Nullable(&Choice(&["auto", "default", "flex", "scale", "priority", "fast"]))),
    optional("stop", &Nullable(&Either(&[&Text, &List(&Text)]))),
    optional("store", &Nullable(&Bool)),
    optional("stream", &Nullable(&Bool)),
    optional(
        "stream_options",
        &Nullable(&Record(&[optional("include_obfuscation", &Bool), optional("include_usage", &Bool)])),
    ),
    optional("temperature", &Nullable(&Number(0.0, 2.0))),
    optional("tool_choice", &TOOL_CHOICE),
    optional("tools", &List(&TOOL)),
    optional("top_logprobs", &Nullable(&Integer(0, 20))),
    optional("top_p", &Nullable(&Number(0.0, 1.0))),
    optional("user", &Text),
    optional("verbosity", &Nullable(&Choice(&["low", "medium", "high"]))),
    optional("web_search_options", &Free),
]);

static AUDIO: Shape = Record(&[
    required("format", &Choice(&["wav", "aac", "mp3", "flac", "opus", "pcm16"])),
    required("voice", &Either(&[&Text, &Record(&[required("id", &Text)])])),
]);

static MESSAGES: Shape = List(&MESSAGE);

static MESSAGE: Shape = Tagged {
    key: "role",
    default: None,
    cases: &[
        ("system", &INSTRUCTION),
        ("assistant", &ASSISTANT),
        ("user", &USER),
        ("function", &FUNCTION_RESULT),
        ("tool", &TOOL_RESULT),
        ("developer", &INSTRUCTION),
    ],
};

const ROLE: Field = required("role", &Text);

static INSTRUCTION: Shape = Record(&[ROLE, required("content", &TEXTS), optional("name", &Text)]);

static USER: Shape =
    Record(&[ROLE, required("content", &Either(&[&Text, &List(&USER_PART)])), optional("name", &Text)]);

static ASSISTANT: Shape = Record(&[
    ROLE,
    optional("annotations", &Nullable(&List(&Free))),
    optional("audio", &Nullable(&Record(&[required("id", &Text)]))),
    optional("content", &Nullable(&Either(&[&Text, &List(&ASSISTANT_PART)]))),
    optional("function_call", &Nullable(&CALLED_FUNCTION)),
    optional("name", &Text),
    optional("refusal", &Nullable(&Text)),
    optional("tool_calls", &Nullable(&List(&TOOL_CALL))),
]);

static TOOL_RESULT: Shape = Record(&[ROLE, required("content", &TEXTS), required("tool_call_id", &Text)]);

static FUNCTION_RESULT: Shape =
    Record(&[ROLE, required("content", &Nullable(&Text)), required("name", &Text)]);

static TEXTS: Shape = Either(&[&Text, &List(&TEXT_PART)]);

static BREAKPOINT: Shape =
    Record(&[required("mode", &Choice(&["explicit"])), optional("ttl", &Choice(&["30m", "12h"]))]);

const CACHE: Field = optional("prompt_cache_breakpoint", &BREAKPOINT);

static TEXT_FIELDS: Shape = Record(&[required("type", &Text), required("text", &Text), CACHE]);

static TEXT_PART: Shape = Tagged { key: "type", default: None, cases: &[("text", &TEXT_FIELDS)] };

static ASSISTANT_PART: Shape = Tagged {
    key: "type",
    default: None,
    cases: &[
        ("text", &TEXT_FIELDS),
        ("refusal", &Record(&[required("type", &Text), required("refusal", &Text)])),
    ],
};

static USER_PART: Shape = Tagged {
    key: "type",
    default: None,
    cases: &[
        ("text", &TEXT_FIELDS),
        (
            "image_url",
            &Record(&[
                required("type", &Text),
                required(
                    "image_url",
                    &Record(&[
                        required("url", &Text),
                        optional("detail", &Choice(&["auto", "low", "high", "original"])),
                    ]),
                ),
                CACHE,
            ]),
        ),
        (
            "input_audio",
            &Record(&[
                required("type", &Text),
                required(
                    "input_audio",
                    &Record(&[required("data", &Base64), required("format", &Choice(&["wav", "mp3"]))]),
                ),
                CACHE,
            ]),
        ),
        (
            "file",
            &Record(&[
                required("type", &Text),
                required(
                    "file",
                    &Record(&[
                        optional("file_data", &Text),
                        optional("file_id", &Text),
                        optional("filename", &Text),
                    ]),
                ),
                CACHE,
            ]),
        ),
    ],
};

static CALLED_FUNCTION: Shape = Record(&[required("arguments", &Text), required("name", &Text)]);

static TOOL_CALL: Shape = Tagged {
    key: "type",
    default: None,
    cases: &[
        (
            "function",
            &Record(&[
                required("id", &Text),
                required("type", &Text),
                required("function", &CALLED_FUNCTION),
            ]),
        ),
        (
            "custom",
            &Record(&[
                required("id", &Text),
                required("type", &Text),
                required("custom", &Record(&[required("input", &Text), required("name", &Text)])),
            ]),
        ),
    ],
};

static FUNCTION: Shape = Record(&[
    required("name", &Text),
    optional("description", &Text),
    optional("parameters", &Free),
    optional("strict", &Nullable(&Bool)),
]);

static TOOL: Shape = Tagged {
    key: "type",
    default: None,
    cases: &[
        ("function", &Record(&[required("type", &Text), required("function", &FUNCTION)])),
        (
            "custom",
            &Record(&[
                required("type", &Text),
                required(
                    "custom",
                    &Record(&[
                        required("name", &Text),
                        optional("description", &Text),
                        optional("format", &Free),
                    ]),
                ),
            ]),
        ),
    ],
};

static NAMED: Shape = Record(&[required("name", &Text)]);

static TOOL_CHOICE: Shape = Either(&[
    &Choice(&["none", "auto", "required"]),
    &Tagged {
        key: "type",
        default: None,
        cases: &[
            ("function", &Record(&[required("type", &Text), required("function", &NAMED)])),
            ("custom", &Record(&[required("type", &Text), required("custom", &NAMED)])),
            (
                "allowed_tools",
                &Record(&[
                    required("type", &Text),
                    required(
                        "allowed_tools",
                        &Record(&[
                            required("mode", &Choice(&["auto", "required"])),
                            required("tools", &List(&Free)),
                        ]),
                    ),
                ]),
            ),
        ],
    },
]);

static RESPONSE_FORMAT: Shape = Tagged {
    key: "type",
    default: None,
    cases: &[
        ("json_object", &Record(&[required("type", &Text)])),
        (
            "json_schema",
            &Record(&[
                required("type", &Text),
                required(
                    "json_schema",
                    &Record(&[
                        required("name", &Text),
                        optional("description", &Text),
                        optional("schema", &Free),
                        optional("strict", &Nullable(&Bool)),
                    ]),
                ),
            ]),
        ),
        ("text", &Record(&[required("type", &Text)])),
    ],
};
