//! OpenAI's Chat Completions, Responses, completions and embeddings: what in them is no text.
//!
//! Fields from the official SDK (`openai` for Python) and OpenAI's API reference, and those that compatible vendors add to them.

use super::Source;
use super::tables::{ERROR, Is, NAMED, Origin, TYPED, Table};

pub(super) static CHAT: Table = Table::new(&[
    ("messages", Is::Of(&MESSAGE)),
    ("tools", Is::From(Source::ToolDefinition, &TOOL)),
    ("functions", Is::From(Source::ToolDefinition, &FUNCTION)),
    ("function_call", Is::Of(&NAMED)),
    ("response_format", Is::Of(&FORMAT)),
    ("prediction", Is::From(Source::Assistant, &PREDICTION)),
    ("prompt", Is::From(Source::User, &PROMPT)),
])
.base(&COMMON);

/// What requests have in common.
static COMMON: Table = Table::new(&[
    ("model", Is::Skip),
    ("tool_choice", Is::Of(&NAMED)),
    ("metadata", Is::Json),
    ("service_tier", Is::Skip),
    ("encoding_format", Is::Skip),
]);

static MESSAGE: Table = Table::new(&[
    ("role", Is::Skip),
    ("content", Is::Of(&PART)),
    ("tool_calls", Is::Of(&CALL)),
    ("tool_call_id", Is::Skip),
    ("function_call", Is::Of(&CALLED)),
    ("audio", Is::Of(&AUDIO)),
    ("images", Is::Of(&PART)),
    ("reasoning_details", Is::Of(&REASONING)),
    ("annotations", Is::Of(&TYPED)),
])
.origin(Origin::ByRole);

static PART: Table = Table::new(&[
    ("type", Is::Skip),
    ("image_url", Is::Of(&LINK)),
    ("video_url", Is::Of(&LINK)),
    ("audio_url", Is::Of(&LINK)),
    ("input_audio", Is::Of(&AUDIO)),
    ("file", Is::Of(&FILE)),
    ("cache_control", Is::Skip),
]);

static LINK: Table = Table::new(&[("url", Is::Link), ("detail", Is::Skip)]).rest(Is::Link);

static AUDIO: Table = Table::new(&[("id", Is::Skip), ("data", Is::Base64), ("format", Is::Skip)]);

static FILE: Table = Table::new(&[("file_data", Is::Link), ("file_id", Is::File), ("file_url", Is::Link)]);

static CALL: Table = Table::new(&[
    ("id", Is::Skip),
    ("type", Is::Skip),
    ("function", Is::Of(&CALLED)),
    ("custom", Is::Of(&CALLED)),
    ("extra_content", Is::Of(&EXTRA)),
]);

static CALLED: Table = Table::new(&[("name", Is::Skip)]);

static EXTRA: Table = Table::new(&[("google", Is::Of(&SIGNED))]);

static SIGNED: Table = Table::new(&[("thought_signature", Is::Skip)]);

/// As OpenRouter has it.
static REASONING: Table = Table::new(&[
    ("type", Is::Skip),
    ("id", Is::Skip),
    ("format", Is::Skip),
    ("data", Is::Skip),
    ("signature", Is::Skip),
]);

static TOOL: Table = Table::new(&[
    ("function", Is::Of(&FUNCTION)),
    ("custom", Is::Of(&FUNCTION)),
    ("vector_store_ids", Is::Skip),
    ("server_label", Is::Skip),
    // Meant for the server that the tool is of.
    ("authorization", Is::Skip),
    ("connector_id", Is::Skip),
    ("allowed_tools", Is::Skip),
    ("require_approval", Is::Skip),
    ("search_context_size", Is::Skip),
    ("user_location", Is::Of(&TYPED)),
    ("container", Is::Of(&CONTAINER)),
    ("input_image_mask", Is::Of(&PART)),
    ("tools", Is::Of(&TOOL)),
])
.base(&FUNCTION);

static FUNCTION: Table = Table::new(&[
    ("type", Is::Skip),
    ("name", Is::Skip),
    ("parameters", Is::Schema),
    ("input_schema", Is::Schema),
    ("format", Is::Of(&GRAMMAR)),
    ("cache_control", Is::Skip),
]);

static GRAMMAR: Table =
    Table::new(&[("type", Is::Skip), ("syntax", Is::Skip), ("grammar", Is::Of(&GRAMMAR))]);

static CONTAINER: Table =
    Table::new(&[("type", Is::Skip), ("memory_limit", Is::Skip), ("file_ids", Is::File)]).rest(Is::Skip);

static FORMAT: Table = Table::new(&[
    ("type", Is::Skip),
    ("name", Is::Skip),
    ("schema", Is::Schema),
    ("json_schema", Is::Of(&FORMAT)),
    ("format", Is::Of(&FORMAT)),
    ("verbosity", Is::Skip),
]);

static PREDICTION: Table = Table::new(&[("type", Is::Skip), ("content", Is::Of(&PART))]);

pub(super) static COMPLETIONS: Table =
    Table::new(&[("prompt", Is::From(Source::User, &PLAIN)), ("suffix", Is::From(Source::User, &PLAIN))])
        .base(&COMMON);

pub(super) static EMBEDDINGS: Table = Table::new(&[("input", Is::From(Source::User, &PLAIN))]).base(&COMMON);

/// Texts, or a list of such.
static PLAIN: Table = Table::new(&[]);

pub(super) static VECTORS: Table = Table::new(&[("data", Is::Skip)]).base(&ENVELOPE);

/// What answers have around their texts.
static ENVELOPE: Table = Table::new(&[
    ("id", Is::Skip),
    ("object", Is::Skip),
    ("model", Is::Skip),
    ("provider", Is::Skip),
    ("status", Is::Skip),
    ("system_fingerprint", Is::Skip),
    ("service_tier", Is::Skip),
    ("obfuscation", Is::Skip),
    ("error", Is::Of(&ERROR)),
]);

/// A whole answer of Chat Completions or completions.
pub(super) static COMPLETION: Table = Table::new(&[("choices", Is::Of(&CHOICE))]).base(&ENVELOPE);

static CHOICE: Table = Table::new(&[
    ("finish_reason", Is::Skip),
    ("native_finish_reason", Is::Skip),
    ("message", Is::Of(&MESSAGE)),
    ("logprobs", Is::Tokens),
]);

/// An event of Chat Completions or completions.
pub(super) static CHUNK: Table = Table::new(&[("choices", Is::Of(&CHOICE_OF_CHUNK))]).base(&ENVELOPE);

static CHOICE_OF_CHUNK: Table = Table::new(&[("text", Is::Delta), ("delta", Is::Of(&DELTA))]).base(&CHOICE);

static DELTA: Table = Table::new(&[
    ("role", Is::Skip),
    ("tool_calls", Is::Of(&CALL_DELTA)),
    ("function_call", Is::Of(&CALLED_DELTA)),
    ("audio", Is::Of(&AUDIO_DELTA)),
    ("images", Is::Of(&PART)),
    ("reasoning_details", Is::Of(&REASONING_DELTA)),
    ("annotations", Is::Of(&TYPED)),
    ("tool_call_id", Is::Skip),
    ("content", Is::Of(&PART_DELTA)),
])
.rest(Is::Delta);

/// Mistral's reasoning models give parts.
static PART_DELTA: Table = Table::new(&[("type", Is::Skip)]).rest(Is::Delta);

static CALL_DELTA: Table = Table::new(&[
    ("id", Is::Skip),
    ("type", Is::Skip),
    ("function", Is::Of(&CALLED_DELTA)),
    ("custom", Is::Of(&CUSTOM_DELTA)),
    ("extra_content", Is::Of(&EXTRA)),
]);

static CALLED_DELTA: Table = Table::new(&[("name", Is::Skip), ("arguments", Is::DeltaJson)]);

static CUSTOM_DELTA: Table = Table::new(&[("name", Is::Skip)]).rest(Is::Delta);

static AUDIO_DELTA: Table = Table::new(&[("id", Is::Skip), ("data", Is::Skip), ("transcript", Is::Delta)]);

static REASONING_DELTA: Table = Table::new(&[("text", Is::Delta), ("summary", Is::Delta)]).base(&REASONING);

/// A request or an answer of Responses: an answer repeats most of its request.
pub(super) static RESPONSE: Table = Table::new(&[
    ("id", Is::Skip),
    ("object", Is::Skip),
    ("status", Is::Skip),
    ("input", Is::From(Source::User, &ITEM)),
    ("output", Is::From(Source::Assistant, &ITEM)),
    ("instructions", Is::From(Source::System, &ITEM)),
    ("tools", Is::From(Source::ToolDefinition, &TOOL)),
    ("text", Is::Of(&FORMAT)),
    ("previous_response_id", Is::Skip),
    ("conversation", Is::Of(&STORED)),
    ("prompt", Is::From(Source::User, &PROMPT)),
    ("error", Is::Of(&ERROR)),
])
.base(&COMMON);

/// What lies at the vendor, by its id.
static STORED: Table = Table::new(&[("id", Is::Skip)]).rest(Is::Skip);

pub(super) static PROMPT: Table =
    Table::new(&[("id", Is::Skip), ("version", Is::Skip), ("variables", Is::Of(&VARIABLES))]);

static VARIABLES: Table = Table::new(&[]).rest(Is::Of(&CONTENT));

static ITEM: Table = Table::new(&[
    ("type", Is::Skip),
    ("id", Is::Skip),
    ("call_id", Is::Skip),
    ("approval_request_id", Is::Skip),
    ("container_id", Is::Skip),
    ("role", Is::Skip),
    ("status", Is::Skip),
    ("phase", Is::Skip),
    ("name", Is::Skip),
    ("server_label", Is::Skip),
    ("namespace", Is::Skip),
    ("content", Is::Of(&CONTENT)),
    ("summary", Is::Of(&CONTENT)),
    ("output", Is::Of(&CONTENT)),
    ("outputs", Is::Of(&CONTENT)),
    ("encrypted_content", Is::Skip),
    ("result", Is::Base64),
    ("results", Is::Of(&RESULT)),
    ("action", Is::Of(&TYPED)),
    ("operation", Is::Of(&TYPED)),
    ("tools", Is::From(Source::ToolDefinition, &TOOL)),
    // Parts may stand among the items.
    ("image_url", Is::Of(&LINK)),
    ("file_id", Is::File),
    ("file_data", Is::Link),
    ("file_url", Is::Link),
    ("detail", Is::Skip),
])
.origin(Origin::ByRole);

static CONTENT: Table = Table::new(&[
    ("type", Is::Skip),
    ("status", Is::Skip),
    ("outcome", Is::Of(&TYPED)),
    ("image_url", Is::Of(&LINK)),
    ("input_audio", Is::Of(&AUDIO)),
    ("file_id", Is::File),
    ("file_data", Is::Link),
    ("file_url", Is::Link),
    ("detail", Is::Skip),
    ("annotations", Is::Of(&ANNOTATION)),
    ("logprobs", Is::Tokens),
    ("encrypted_content", Is::Skip),
    ("url", Is::Link),
]);

static RESULT: Table = Table::new(&[("file_id", Is::Skip), ("vector_store_id", Is::Skip)]);

static ANNOTATION: Table =
    Table::new(&[("type", Is::Skip), ("file_id", Is::Skip), ("container_id", Is::Skip)]);

pub(super) static RESPONSE_EVENT: Table = Table::new(&[
    ("type", Is::Skip),
    ("response", Is::Of(&RESPONSE)),
    ("item", Is::Of(&ITEM)),
    ("item_id", Is::Skip),
    ("part", Is::Of(&CONTENT)),
    ("annotation", Is::Of(&ANNOTATION)),
    ("delta", Is::Delta),
    ("partial_image_b64", Is::Skip),
    ("b64_json", Is::Skip),
    ("logprobs", Is::Tokens),
    ("obfuscation", Is::Skip),
    ("error", Is::Of(&ERROR)),
]);
