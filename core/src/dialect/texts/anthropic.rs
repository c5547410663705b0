//! Anthropic's messages: what in them is no text.
//!
//! Fields from the official SDK (`anthropic` for Python) and Anthropic's API reference.

use super::Source;
use super::openai::PROMPT;
use super::tables::{ERROR, Is, NAMED, Origin, TYPED, Table};

pub(super) static REQUEST: Table = Table::new(&[
    ("model", Is::Skip),
    ("messages", Is::Of(&TURN)),
    ("system", Is::From(Source::System, &BLOCK)),
    ("tools", Is::From(Source::ToolDefinition, &TOOL)),
    ("tool_choice", Is::Of(&NAMED)),
    ("metadata", Is::Json),
    ("container", Is::Skip),
    ("mcp_servers", Is::Of(&MCP_SERVER)),
    ("service_tier", Is::Skip),
    ("output_config", Is::Of(&OUTPUT)),
    ("output_format", Is::Of(&OUTPUT)),
    ("cache_control", Is::Skip),
    ("betas", Is::Skip),
    ("prompt", Is::From(Source::User, &PROMPT)),
]);

static TURN: Table = Table::new(&[("role", Is::Skip), ("content", Is::Of(&BLOCK))]).origin(Origin::ByRole);

static BLOCK: Table = Table::new(&[
    ("type", Is::Skip),
    ("id", Is::Skip),
    ("tool_use_id", Is::Skip),
    ("name", Is::Skip),
    ("server_name", Is::Skip),
    ("cache_control", Is::Skip),
    ("caller", Is::Of(&CALLER)),
    ("signature", Is::Skip),
    // Of thinking that the vendor keeps to itself.
    ("data", Is::Skip),
    ("encrypted_content", Is::Skip),
    ("encrypted_stdout", Is::Skip),
    ("error_code", Is::Skip),
    ("input", Is::Json),
    ("content", Is::Of(&BLOCK)),
    ("source", Is::Of(&SOURCE)),
    ("citations", Is::Of(&CITATION)),
    ("file_id", Is::File),
])
.origin(Origin::ByRole);

static CALLER: Table = Table::new(&[("type", Is::Skip), ("tool_id", Is::Skip)]);

static SOURCE: Table = Table::new(&[
    ("type", Is::Skip),
    ("media_type", Is::Skip),
    ("data", Is::Base64),
    ("url", Is::Link),
    ("file_id", Is::File),
    ("content", Is::Of(&BLOCK)),
]);

static CITATION: Table =
    Table::new(&[("type", Is::Skip), ("encrypted_index", Is::Skip), ("file_id", Is::Skip)]);

static TOOL: Table = Table::new(&[
    ("type", Is::Skip),
    ("name", Is::Skip),
    ("cache_control", Is::Skip),
    ("allowed_callers", Is::Skip),
    ("input_schema", Is::Schema),
    ("input_examples", Is::Json),
    ("user_location", Is::Of(&TYPED)),
]);

static MCP_SERVER: Table = Table::new(&[
    ("type", Is::Skip),
    ("name", Is::Skip),
    // Meant for the server that it names.
    ("authorization_token", Is::Skip),
    ("tool_configuration", Is::Skip),
]);

static OUTPUT: Table = Table::new(&[
    ("effort", Is::Skip),
    ("type", Is::Skip),
    ("schema", Is::Schema),
    ("format", Is::Of(&FORMAT)),
]);

static FORMAT: Table = Table::new(&[("type", Is::Skip), ("schema", Is::Schema)]);

pub(super) static MESSAGE: Table = Table::new(&[
    ("id", Is::Skip),
    ("type", Is::Skip),
    ("role", Is::Skip),
    ("model", Is::Skip),
    ("content", Is::Of(&BLOCK)),
    ("stop_reason", Is::Skip),
    ("container", Is::Skip),
    ("error", Is::Of(&ERROR)),
    ("request_id", Is::Skip),
]);

pub(super) static EVENT: Table = Table::new(&[
    ("type", Is::Skip),
    ("message", Is::Of(&MESSAGE)),
    ("content_block", Is::Of(&BEGUN)),
    ("delta", Is::Of(&DELTA)),
    ("error", Is::Of(&ERROR)),
    ("request_id", Is::Skip),
]);

/// A block as it begins: of what goes on, this is the first part.
static BEGUN: Table = Table::new(&[("text", Is::Delta), ("thinking", Is::Delta)]).base(&BLOCK);

static DELTA: Table = Table::new(&[
    ("type", Is::Skip),
    ("partial_json", Is::DeltaJson),
    ("signature", Is::Skip),
    ("citation", Is::Of(&CITATION)),
    ("stop_reason", Is::Skip),
    ("stop_sequence", Is::Text),
    ("stop_details", Is::Text),
    ("container", Is::Skip),
])
.rest(Is::Delta);
