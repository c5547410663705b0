//! The shape of a Messages request (SDK: `types/message_create_params.py` and what it imports).

use crate::vendors::shape::{Field, Shape, Shape::*, optional, required};

/// A request's body.
pub static BODY: Shape = Record(&[
    required("max_tokens", &Integer(0, i64::MAX)),
    required("messages", &List(&MESSAGE)),
    required("model", &Text),
    optional("cache_control", &CACHE),
    optional(
        "container",
        &Nullable(&Either(&[
            &Text,
            &Record(&[optional("id", &Nullable(&Text)), optional("skills", &Nullable(&List(&Free)))]),
        ])),
    ),
    optional("diagnostics", &Nullable(&Record(&[optional("previous_message_id", &Nullable(&Text))]))),
    optional("inference_geo", &Nullable(&Text)),
    optional("metadata", &Record(&[optional("user_id", &Nullable(&Text))])),
    optional(
        "output_config",
        &Record(&[
            optional("effort", &Nullable(&Choice(&["low", "medium", "high", "xhigh", "max"]))),
            optional(
                "format",
                &Nullable(&Tagged {
                    key: "type",
                    default: None,
                    cases: &[("json_schema", &Record(&[required("type", &Text), required("schema", &Free)]))],
                }),
            ),
        ]),
    ),
    optional("service_tier", &Choice(&["auto", "standard_only"])),
    optional("speed", &Nullable(&Choice(&["standard", "fast"]))),
    optional("stop_sequences", &List(&Text)),
    optional("stream", &Bool),
    optional("system", &Either(&[&Text, &List(&TEXT_BLOCK)])),
    // The sampling parameters left the SDK with API version 2026-10-21; the rules refuse them there.
    optional("temperature", &Number(0.0, 1.0)),
    optional("top_k", &Integer(0, i64::MAX)),
    optional("top_p", &Number(0.0, 1.0)),
    optional(
        "thinking",
        &Tagged {
            key: "type",
            default: None,
            cases: &[
                ("enabled", &Record(&[TYPE, required("budget_tokens", &Integer(1024, i64::MAX)), DISPLAY])),
                ("disabled", &Record(&[TYPE])),
                ("between_tools", &Record(&[TYPE])),
                ("adaptive", &Record(&[TYPE, DISPLAY])),
            ],
        },
    ),
    optional(
        "tool_choice",
        &Tagged {
            key: "type",
            default: None,
            cases: &[
                ("auto", &Record(&[TYPE, SERIAL])),
                ("any", &Record(&[TYPE, SERIAL])),
                ("tool", &Record(&[TYPE, required("name", &Text), SERIAL])),
                ("none", &Record(&[TYPE])),
            ],
        },
    ),
    optional("tools", &List(&TOOL)),
    optional("user_profile_id", &Text),
]);

const TYPE: Field = required("type", &Text);
const DISPLAY: Field = optional("display", &Nullable(&Choice(&["summarized", "omitted"])));
const SERIAL: Field = optional("disable_parallel_tool_use", &Bool);
const CACHED: Field = optional("cache_control", &CACHE);
const CITATIONS: Field = optional("citations", &Nullable(&Record(&[optional("enabled", &Bool)])));

static CACHE: Shape = Nullable(&Tagged {
    key: "type",
    default: None,
    cases: &[("ephemeral", &Record(&[TYPE, optional("ttl", &Choice(&["5m", "1h"]))]))],
});

static MESSAGE: Shape = Record(&[
    required("role", &Choice(&["user", "assistant", "system"])),
    required("content", &Either(&[&Text, &List(&BLOCK)])),
]);

static TEXT: Shape =
    Record(&[TYPE, required("text", &Text), CACHED, optional("citations", &Nullable(&List(&Free)))]);

static TEXT_BLOCK: Shape = Tagged { key: "type", default: None, cases: &[("text", &TEXT)] };

static IMAGE: Shape = Record(&[
    TYPE,
    required(
        "source",
        &Tagged {
            key: "type",
            default: None,
            cases: &[
                (
                    "base64",
                    &Record(&[
                        TYPE,
                        required(
                            "media_type",
                            &Choice(&["image/jpeg", "image/png", "image/gif", "image/webp"]),
                        ),
                        required("data", &Base64),
                    ]),
                ),
                ("url", &Record(&[TYPE, required("url", &Text)])),
                ("file", &Record(&[TYPE, required("file_id", &Text)])),
            ],
        },
    ),
    CACHED,
    optional(
        "transformations",
        &Nullable(&Record(&[optional("oversized_image", &Choice(&["downsize", "error"]))])),
    ),
]);

static TEXT_OR_IMAGE: Shape =
    Tagged { key: "type", default: None, cases: &[("text", &TEXT), ("image", &IMAGE)] };

static DOCUMENT: Shape = Record(&[
    TYPE,
    required(
        "source",
        &Tagged {
            key: "type",
            default: None,
            cases: &[
                (
                    "base64",
                    &Record(&[
                        TYPE,
                        required("media_type", &Choice(&["application/pdf"])),
                        required("data", &Base64),
                    ]),
                ),
                (
                    "text",
                    &Record(&[
                        TYPE,
                        required("media_type", &Choice(&["text/plain"])),
                        required("data", &Text),
                    ]),
                ),
                ("content", &Record(&[TYPE, required("content", &Either(&[&Text, &List(&TEXT_OR_IMAGE)]))])),
                ("url", &Record(&[TYPE, required("url", &Text)])),
                ("file", &Record(&[TYPE, required("file_id", &Text)])),
            ],
        },
    ),
    CACHED,
    CITATIONS,
    optional("context", &Nullable(&Text)),
    optional("title", &Nullable(&Text)),
]);

static SEARCH_RESULT: Shape = Record(&[
    TYPE,
    required("content", &List(&TEXT_BLOCK)),
    required("source", &Text),
    required("title", &Text),
    CACHED,
    CITATIONS,
]);

static BLOCK: Shape = Tagged {
    key: "type",
    default: None,
    cases: &[
        ("text", &TEXT),
        ("image", &IMAGE),
        ("document", &DOCUMENT),
        ("search_result", &SEARCH_RESULT),
        ("thinking", &Record(&[TYPE, required("signature", &Text), required("thinking", &Text)])),
        ("redacted_thinking", &Record(&[TYPE, required("data", &Text)])),
        (
            "tool_use",
            &Record(&[
                TYPE,
                required("id", &Text),
                required("input", &Free),
                required("name", &Text),
                CACHED,
                optional("caller", &Nullable(&Free)),
                optional("toolset_name", &Nullable(&Text)),
            ]),
        ),
        (
            "tool_result",
            &Record(&[
                TYPE,
                required("tool_use_id", &Text),
                CACHED,
                optional("content", &Either(&[&Text, &List(&RESULT_BLOCK)])),
                optional("is_error", &Bool),
                optional("toolset_name", &Nullable(&Text)),
            ]),
        ),
        ("server_tool_use", &Free),
        ("web_search_tool_result", &Free),
        ("web_fetch_tool_result", &Free),
        ("code_execution_tool_result", &Free),
        ("bash_code_execution_tool_result", &Free),
        ("text_editor_code_execution_tool_result", &Free),
        ("tool_search_tool_result", &Free),
        ("container_upload", &Record(&[TYPE, required("file_id", &Text), CACHED])),
    ],
};

static RESULT_BLOCK: Shape = Tagged {
    key: "type",
    default: None,
    cases: &[
        ("text", &TEXT),
        ("image", &IMAGE),
        ("search_result", &SEARCH_RESULT),
        ("document", &DOCUMENT),
        ("tool_reference", &Record(&[TYPE, required("tool_name", &Text), CACHED])),
        ("browser_state", &Free),
    ],
};

/// A client tool; the server tools are known by their types only.
static TOOL: Shape = Tagged {
    key: "type",
    default: Some("custom"),
    cases: &[
        (
            "custom",
            &Record(&[
                optional("type", &Nullable(&Text)),
                required("name", &Text),
                required("input_schema", &Free),
                optional(
                    "allowed_callers",
                    &List(&Choice(&[
                        "direct",
                        "code_execution_20250825",
                        "code_execution_20260120",
                        "code_execution_20260521",
                    ])),
                ),
                CACHED,
                optional("defer_loading", &Bool),
                optional("description", &Text),
                optional("eager_input_streaming", &Nullable(&Bool)),
                optional("input_examples", &List(&Free)),
                optional("strict", &Bool),
            ]),
        ),
        ("bash_20250124", &Free),
        ("text_editor_20250124", &Free),
        ("text_editor_20250429", &Free),
        ("text_editor_20250728", &Free),
        ("code_execution_20250522", &Free),
        ("code_execution_20250825", &Free),
        ("code_execution_20260120", &Free),
        ("code_execution_20260521", &Free),
        ("memory_20250818", &Free),
        ("web_search_20250305", &Free),
        ("web_search_20260209", &Free),
        ("web_search_20260318", &Free),
        ("web_fetch_20250910", &Free),
        ("web_fetch_20260209", &Free),
        ("web_fetch_20260309", &Free),
        ("web_fetch_20260318", &Free),
        ("tool_search_tool_bm25_20251119", &Free),
        ("tool_search_tool_regex_20251119", &Free),
        ("browser_toolset_20260801", &Free),
        ("computer_toolset_20260801", &Free),
    ],
};
