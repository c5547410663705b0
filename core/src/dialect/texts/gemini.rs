//! Gemini's contents: what in them is no text.
//!
//! Fields from the official SDK (`google-genai` for Python) and Google's API reference, by Gemini's and by Vertex AI's paths.

use super::Source;
use super::openai::PROMPT;
use super::tables::{ERROR, Is, Origin, Table};

pub(super) static REQUEST: Table = Table::new(&[
    ("model", Is::Skip),
    ("contents", Is::From(Source::User, &CONTENT)),
    ("systemInstruction", Is::From(Source::System, &CONTENT)),
    ("tools", Is::From(Source::ToolDefinition, &TOOL)),
    ("toolConfig", Is::Of(&CHOICE)),
    ("generationConfig", Is::Of(&CONFIG)),
    ("cachedContent", Is::Skip),
    ("serviceTier", Is::Skip),
    ("labels", Is::Json),
    ("prompt", Is::From(Source::User, &PROMPT)),
    // Of a count of tokens.
    ("generateContentRequest", Is::Of(&REQUEST)),
]);

static CONTENT: Table = Table::new(&[("role", Is::Skip), ("parts", Is::Of(&PART))]).origin(Origin::ByRole);

static PART: Table = Table::new(&[
    ("text", Is::Text),
    ("thoughtSignature", Is::Skip),
    ("inlineData", Is::Of(&BLOB)),
    ("fileData", Is::Of(&FILE)),
    ("functionCall", Is::Of(&CALL)),
    ("functionResponse", Is::Of(&RESULT)),
    ("executableCode", Is::Of(&CODE)),
    ("codeExecutionResult", Is::Of(&CODE)),
])
.origin(Origin::IfThere("functionResponse"));

static BLOB: Table = Table::new(&[("mimeType", Is::Skip), ("data", Is::Base64)]);

static FILE: Table = Table::new(&[("mimeType", Is::Skip), ("fileUri", Is::Link)]);

static CALL: Table = Table::new(&[("id", Is::Skip), ("name", Is::Skip), ("args", Is::Json)]);

static RESULT: Table = Table::new(&[
    ("id", Is::Skip),
    ("name", Is::Skip),
    ("response", Is::Json),
    ("parts", Is::Of(&PART)),
    ("scheduling", Is::Skip),
]);

static CODE: Table = Table::new(&[("id", Is::Skip), ("language", Is::Skip), ("outcome", Is::Skip)]);

static CHOICE: Table = Table::new(&[("functionCallingConfig", Is::Of(&CALLING))]);

static CALLING: Table = Table::new(&[("mode", Is::Skip), ("allowedFunctionNames", Is::Skip)]);

static TOOL: Table = Table::new(&[("functionDeclarations", Is::Of(&FUNCTION))]);

static FUNCTION: Table = Table::new(&[
    ("name", Is::Skip),
    ("behavior", Is::Skip),
    ("parameters", Is::Schema),
    ("parametersJsonSchema", Is::Schema),
    ("response", Is::Schema),
    ("responseJsonSchema", Is::Schema),
]);

static CONFIG: Table = Table::new(&[
    ("responseMimeType", Is::Skip),
    ("responseSchema", Is::Schema),
    ("responseJsonSchema", Is::Schema),
]);

pub(super) static ANSWER: Table = Table::new(&[
    ("candidates", Is::Of(&CANDIDATE)),
    ("promptFeedback", Is::Of(&FEEDBACK)),
    ("modelVersion", Is::Skip),
    ("responseId", Is::Skip),
    ("createTime", Is::Skip),
    ("error", Is::Of(&ERROR)),
]);

pub(super) static EVENT: Table = Table::new(&[("candidates", Is::Of(&CANDIDATE_OF_EVENT))]).base(&ANSWER);

static CANDIDATE: Table = Table::new(&[
    ("content", Is::Of(&CONTENT)),
    ("finishReason", Is::Skip),
    ("logprobsResult", Is::Tokens),
    ("groundingMetadata", Is::Of(&GROUNDING)),
]);

static CANDIDATE_OF_EVENT: Table = Table::new(&[("content", Is::Of(&CONTENT_OF_EVENT))]).base(&CANDIDATE);

static CONTENT_OF_EVENT: Table = Table::new(&[("role", Is::Skip), ("parts", Is::Of(&PART_OF_EVENT))]);

static PART_OF_EVENT: Table = Table::new(&[("text", Is::Delta)]).base(&PART);

static GROUNDING: Table = Table::new(&[("searchEntryPoint", Is::Of(&ENTRY_POINT))]);

static ENTRY_POINT: Table = Table::new(&[("sdkBlob", Is::Skip)]);

static FEEDBACK: Table = Table::new(&[("blockReason", Is::Skip)]);
