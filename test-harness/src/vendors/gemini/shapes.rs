//! The shape of a GenerateContentRequest (SDK: `types.py`, and what `models.py` sends in Developer API mode).

use crate::vendors::shape::{Shape, Shape::*, optional, required};

/// A request's body.
pub static BODY: Shape = Record(&[
    required("contents", &List(&CONTENT)),
    optional("tools", &List(&TOOL)),
    optional(
        "toolConfig",
        &Record(&[
            optional(
                "functionCallingConfig",
                &Record(&[
                    optional("mode", &Choice(&["MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"])),
                    optional("allowedFunctionNames", &List(&Text)),
                ]),
            ),
            optional("retrievalConfig", &Free),
            optional("includeServerSideToolInvocations", &Bool),
        ]),
    ),
    optional(
        "safetySettings",
        &List(&Record(&[
            optional(
                "category",
                &Choice(&[
                    "HARM_CATEGORY_HARASSMENT",
                    "HARM_CATEGORY_HATE_SPEECH",
                    "HARM_CATEGORY_SEXUALLY_EXPLICIT",
                    "HARM_CATEGORY_DANGEROUS_CONTENT",
                    "HARM_CATEGORY_CIVIC_INTEGRITY",
                ]),
            ),
            optional(
                "threshold",
                &Choice(&[
                    "HARM_BLOCK_THRESHOLD_UNSPECIFIED",
                    "BLOCK_LOW_AND_ABOVE",
                    "BLOCK_MEDIUM_AND_ABOVE",
                    "BLOCK_ONLY_HIGH",
                    "BLOCK_NONE",
                    "OFF",
                ]),
            ),
        ])),
    ),
    optional("systemInstruction", &CONTENT),
    optional("generationConfig", &GENERATION),
    optional("cachedContent", &Text),
    optional("labels", &Map(&Text)),
    optional("serviceTier", &Choice(&["unspecified", "flex", "standard", "priority"])),
    optional("continuationToken", &Base64),
    optional("store", &Bool),
]);

static GENERATION: Shape = Record(&[
    optional("stopSequences", &List(&Text)),
    optional("responseMimeType", &Text),
    optional("responseSchema", &SCHEMA),
    optional("responseJsonSchema", &Any),
    optional(
        "responseModalities",
        &List(&Choice(&["MODALITY_UNSPECIFIED", "TEXT", "IMAGE", "AUDIO", "VIDEO"])),
    ),
    optional("responseFormat", &Any),
    optional("candidateCount", &Integer(1, 8)),
    optional("maxOutputTokens", &Integer(1, i32::MAX as i64)),
    optional("temperature", &Number(0.0, 2.0)),
    optional("topP", &Number(0.0, 1.0)),
    optional("topK", &Number(1.0, i32::MAX as f64)),
    optional("seed", &Integer(i32::MIN as i64, i32::MAX as i64)),
    optional("presencePenalty", &Number(-2.0, 2.0)),
    optional("frequencyPenalty", &Number(-2.0, 2.0)),
    optional("responseLogprobs", &Bool),
    optional("logprobs", &Integer(0, 20)),
    optional("enableEnhancedCivicAnswers", &Bool),
    optional("speechConfig", &Free),
    optional("imageConfig", &Free),
    optional("audioTranscriptionConfig", &Free),
    optional(
        "mediaResolution",
        &Choice(&[
            "MEDIA_RESOLUTION_UNSPECIFIED",
            "MEDIA_RESOLUTION_LOW",
            "MEDIA_RESOLUTION_MEDIUM",
            "MEDIA_RESOLUTION_HIGH",
        ]),
    ),
    optional(
        "thinkingConfig",
        &Record(&[
            optional("includeThoughts", &Bool),
            optional("thinkingBudget", &Integer(-1, i32::MAX as i64)),
            optional(
                "thinkingLevel",
                &Choice(&["THINKING_LEVEL_UNSPECIFIED", "MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH"]),
            ),
        ]),
    ),
]);

static CONTENT: Shape = Record(&[optional("role", &Text), optional("parts", &List(&PART))]);

static PART: Shape = Record(&[
    optional("text", &Text),
    optional(
        "inlineData",
        &Record(&[required("mimeType", &Text), required("data", &Base64), optional("displayName", &Text)]),
    ),
    optional(
        "fileData",
        &Record(&[optional("mimeType", &Text), required("fileUri", &Text), optional("displayName", &Text)]),
    ),
    optional(
        "functionCall",
        &Record(&[optional("id", &Text), optional("name", &Text), optional("args", &Free)]),
    ),
    optional(
        "functionResponse",
        &Record(&[
            optional("id", &Text),
            optional("name", &Text),
            optional("response", &Free),
            optional("parts", &List(&Free)),
            optional("willContinue", &Bool),
            optional("scheduling", &Choice(&["SCHEDULING_UNSPECIFIED", "SILENT", "WHEN_IDLE", "INTERRUPT"])),
        ]),
    ),
    optional("executableCode", &Free),
    optional("codeExecutionResult", &Free),
    optional("toolCall", &Free),
    optional("toolResponse", &Free),
    optional("thought", &Bool),
    optional("thoughtSignature", &Base64),
    optional("mediaResolution", &Free),
    optional("mediaProcessing", &Free),
    optional("videoMetadata", &Free),
    optional("partMetadata", &Free),
    optional("audioTranscription", &Free),
    optional("audioMetadata", &Free),
    optional("speechMetadata", &Free),
    optional("documentMetadata", &Free),
    optional("spreadsheetMetadata", &Free),
]);

static TOOL: Shape = Record(&[
    optional("functionDeclarations", &List(&DECLARATION)),
    optional("googleSearch", &Free),
    optional("googleSearchRetrieval", &Free),
    optional("googleMaps", &Free),
    optional("codeExecution", &Free),
    optional("computerUse", &Free),
    optional("fileSearch", &Free),
    optional("urlContext", &Free),
    optional("mcpServers", &List(&Free)),
]);

static DECLARATION: Shape = Record(&[
    required("name", &Text),
    optional("description", &Text),
    optional("parameters", &SCHEMA),
    optional("parametersJsonSchema", &Any),
    optional("response", &SCHEMA),
    optional("responseJsonSchema", &Any),
    optional("behavior", &Choice(&["UNSPECIFIED", "BLOCKING", "NON_BLOCKING"])),
]);

/// Google's subset of OpenAPI 3.0. `additionalProperties`, `$ref`, `const`, `oneOf` and other JSON Schema keywords are
/// unknown here; they go into the `…JsonSchema` fields.
static SCHEMA: Shape = Record(&[
    optional(
        "type",
        &Choice(&["TYPE_UNSPECIFIED", "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"]),
    ),
    optional("format", &Text),
    optional("title", &Text),
    optional("description", &Text),
    optional("nullable", &Bool),
    optional("enum", &List(&Text)),
    optional("items", &SCHEMA),
    optional("maxItems", &Integer(0, i64::MAX)),
    optional("minItems", &Integer(0, i64::MAX)),
    optional("properties", &Map(&SCHEMA)),
    optional("required", &List(&Text)),
    optional("propertyOrdering", &List(&Text)),
    optional("minProperties", &Integer(0, i64::MAX)),
    optional("maxProperties", &Integer(0, i64::MAX)),
    optional("minimum", &Number(f64::MIN, f64::MAX)),
    optional("maximum", &Number(f64::MIN, f64::MAX)),
    optional("minLength", &Integer(0, i64::MAX)),
    optional("maxLength", &Integer(0, i64::MAX)),
    optional("pattern", &Text),
    optional("example", &Any),
    optional("default", &Any),
    optional("anyOf", &List(&SCHEMA)),
]);
