//! The objects of a client's request, as they stand on the wire.
//!
//! Google's APIs take each field in camel case and in snake case; the official Python SDK mixes both in one body.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

use crate::json::{Raw, RawObject, Text, object};

object! {
    #[derive(Default)]
    pub(super) struct GenerateRequest<'a> {
        "contents" => contents: Vec<Content<'a>>,
        "systemInstruction" | "system_instruction" => system: Content<'a>,
        "tools" => tools: Vec<Tool<'a>>,
        "toolConfig" | "tool_config" => tool_config: ToolConfig<'a>,
        "generationConfig" | "generation_config" => generation: GenerationConfig<'a>,
        "serviceTier" | "service_tier" => service_tier: Text<'a>,
        // Of a request for a count only.
        "generateContentRequest" | "generate_content_request" => counted: Raw<'a>,
        ..others
    }
}

object! {
    pub(super) struct Content<'a> {
        "role" => role: Text<'a>,
        "parts" => parts: Vec<Part<'a>>,
        ..others
    }
}

object! {
    pub(super) struct Part<'a> {
        "text" => text: Text<'a>,
        "thought" => thought: bool,
        "thoughtSignature" | "thought_signature" => signature: Text<'a>,
        "inlineData" | "inline_data" => inline_data: Blob<'a>,
        "fileData" | "file_data" => file_data: FileData<'a>,
        "functionCall" | "function_call" => call: FunctionCall<'a>,
        "functionResponse" | "function_response" => result: FunctionResponse<'a>,
        ..others
    }
}

object! {
    pub(super) struct Blob<'a> {
        "mimeType" | "mime_type" => media_type: Text<'a>,
        "data" => data: Text<'a>,
        "displayName" | "display_name" => name: Text<'a>,
        ..others
    }
}

object! {
    pub(super) struct FileData<'a> {
        "mimeType" | "mime_type" => media_type: Text<'a>,
        "fileUri" | "file_uri" => uri: Text<'a>,
        ..others
    }
}

object! {
    pub(super) struct FunctionCall<'a> {
        "id" => id: Text<'a>,
        "name" => name: Text<'a>,
        "args" => args: RawObject<'a>,
        ..others
    }
}

object! {
    pub(super) struct FunctionResponse<'a> {
        "id" => id: Text<'a>,
        "name" => name: Text<'a>,
        "response" => response: RawObject<'a>,
        "parts" => parts: Vec<ResponsePart<'a>>,
        ..others
    }
}

object! {
    /// What a function gave, where it is in one of the two fields that Gemini gives a meaning.
    pub(super) struct Output<'a> {
        "output" => output: Raw<'a>,
        "error" => error: Raw<'a>,
        ..others
    }
}

object! {
    pub(super) struct ResponsePart<'a> {
        "inlineData" | "inline_data" => inline_data: Blob<'a>,
        "fileData" | "file_data" => file_data: FileData<'a>,
        ..others
    }
}

object! {
    pub(super) struct Tool<'a> {
        "functionDeclarations" | "function_declarations" => functions: Vec<Declaration<'a>>,
        ..others
    }
}

object! {
    pub(super) struct Declaration<'a> {
        "name" => name: Text<'a>,
        "description" => description: Text<'a>,
        "parameters" => parameters: RawObject<'a>,
        "parametersJsonSchema" | "parameters_json_schema" => json_schema: RawObject<'a>,
        ..others
    }
}

object! {
    pub(super) struct ToolConfig<'a> {
        "functionCallingConfig" | "function_calling_config" => calling: CallingConfig<'a>,
        ..others
    }
}

object! {
    pub(super) struct CallingConfig<'a> {
        "mode" => mode: Text<'a>,
        "allowedFunctionNames" | "allowed_function_names" => allowed: Vec<Text<'a>>,
        ..others
    }
}

object! {
    #[derive(Default)]
    pub(super) struct GenerationConfig<'a> {
        "candidateCount" | "candidate_count" => candidates: Number,
        "stopSequences" | "stop_sequences" => stop: Vec<Text<'a>>,
        "maxOutputTokens" | "max_output_tokens" => max_tokens: Number,
        "temperature" => temperature: Number,
        "topP" | "top_p" => top_p: Number,
        "topK" | "top_k" => top_k: Number,
        "seed" => seed: Number,
        "presencePenalty" | "presence_penalty" => presence_penalty: Number,
        "frequencyPenalty" | "frequency_penalty" => frequency_penalty: Number,
        "responseLogprobs" | "response_logprobs" => response_logprobs: bool,
        "logprobs" => logprobs: Number,
        "responseMimeType" | "response_mime_type" => media_type: Text<'a>,
        "responseSchema" | "response_schema" => schema: RawObject<'a>,
        "responseJsonSchema" | "response_json_schema" => json_schema: Raw<'a>,
        "thinkingConfig" | "thinking_config" => thinking: ThinkingConfig<'a>,
        ..others
    }
}

object! {
    pub(super) struct ThinkingConfig<'a> {
        "includeThoughts" | "include_thoughts" => shown: bool,
        "thinkingBudget" | "thinking_budget" => budget: Number,
        "thinkingLevel" | "thinking_level" => level: Text<'a>,
        ..others
    }
}

/// A number as protobuf's JSON takes it: written as a number or as text, a whole one with a fraction of zero too.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number(pub(super) f64);

impl Number {
    /// The number, where it is whole and fits.
    pub(super) fn whole<T: TryFrom<i64>>(self) -> Option<T> {
        // Up to 2^53 every whole number is exact.
        let is_whole = self.0.fract() == 0.0 && self.0.abs() <= 9_007_199_254_740_992.0;
        is_whole.then_some(self.0 as i64).and_then(|number| T::try_from(number).ok())
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor)
    }
}

struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Number, E> {
        Ok(Number(value as f64))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Number, E> {
        Ok(Number(value as f64))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Number, E> {
        Ok(Number(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Number, E> {
        let number = value.parse().ok().filter(|number: &f64| number.is_finite());
        number.map(Number).ok_or_else(|| E::custom("invalid value: string, expected a number"))
    }
}
