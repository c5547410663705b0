//! Reads a whole answer, and what an answer and the events of a stream have in common.

use serde::{Deserialize, Deserializer};

use crate::conversation::{Answer, Choice, Finish, Maker, Part, Place, Reasoning, Signature, ToolCall};
use crate::failure::Failure;
use crate::json::{self, Raw, Text};
use crate::task::TokenCount;
use crate::usage::{ServiceTier, Usage};

use super::failure::{ErrorObject, malformed};

/// A whole message, or the one that a stream begins with.
#[derive(Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    pub id: Option<Text<'a>>,
    #[serde(borrow)]
    pub model: Option<Text<'a>>,
    #[serde(borrow)]
    content: Option<Vec<Block<'a>>>,
    #[serde(borrow)]
    stop_reason: Option<Text<'a>>,
    #[serde(borrow)]
    stop_details: Option<StopDetails<'a>>,
    #[serde(borrow)]
    stop_sequence: Option<Text<'a>>,
    pub usage: Option<Counts>,
    /// There only where an error stands in place of a message.
    #[serde(borrow)]
    error: Option<ErrorObject<'a>>,
}

/// A content block of any type.
#[derive(Deserialize)]
pub(super) struct Block<'a> {
    #[serde(rename = "type", borrow)]
    pub kind: Text<'a>,
    #[serde(borrow)]
    pub text: Option<Text<'a>>,
    #[serde(borrow)]
    pub thinking: Option<Text<'a>>,
    #[serde(borrow)]
    pub signature: Option<Text<'a>>,
    /// Of `redacted_thinking` a text; blocks of other types may have anything here.
    #[serde(borrow)]
    data: Option<Raw<'a>>,
    #[serde(borrow)]
    pub id: Option<Text<'a>>,
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    #[serde(borrow)]
    pub input: Option<Raw<'a>>,
}

impl<'a> Block<'a> {
    /// The thinking that only Anthropic can read.
    pub fn redacted(&self) -> Option<Text<'a>> {
        self.data?.read().ok()
    }
}

/// What is said about a refusal.
#[derive(Deserialize)]
pub(super) struct StopDetails<'a> {
    #[serde(borrow)]
    explanation: Option<Text<'a>>,
}

/// Counts of tokens. In a stream each is cumulative, and one that is absent has not changed.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct Counts {
    input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation: Option<CacheCreation>,
    output_tokens: Option<u64>,
    output_tokens_details: Option<OutputDetails>,
    server_tool_use: Option<ServerTools>,
    #[serde(default, deserialize_with = "tier")]
    service_tier: Option<ServiceTier>,
    /// `fast` where the model was made faster, for a price of its own.
    #[serde(default, deserialize_with = "tier")]
    speed: Option<ServiceTier>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct ServerTools {
    web_search_requests: Option<u64>,
}

/// A word for how a request was served; whatever else stands there is no reason to refuse an answer.
fn tier<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ServiceTier>, D::Error> {
    let raw = Option::<Raw<'de>>::deserialize(deserializer)?;
    Ok(raw.and_then(|raw| raw.read::<Text<'_>>().ok()).map(|word| ServiceTier::read(&word)))
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct OutputDetails {
    thinking_tokens: Option<u64>,
}

/// What has been written to the cache, by how long it is kept.
#[derive(Clone, Copy, Debug, Deserialize)]
struct CacheCreation {
    ephemeral_1h_input_tokens: Option<u64>,
}

impl Counts {
    /// These counts, with the older ones where these say nothing.
    pub fn after(self, older: Self) -> Self {
        Self {
            input_tokens: self.input_tokens.or(older.input_tokens),
            cache_creation_input_tokens: self
                .cache_creation_input_tokens
                .or(older.cache_creation_input_tokens),
            cache_read_input_tokens: self.cache_read_input_tokens.or(older.cache_read_input_tokens),
            cache_creation: self.cache_creation.or(older.cache_creation),
            output_tokens: self.output_tokens.or(older.output_tokens),
            output_tokens_details: self.output_tokens_details.or(older.output_tokens_details),
            server_tool_use: self.server_tool_use.or(older.server_tool_use),
            service_tier: self.service_tier.or(older.service_tier),
            speed: self.speed.or(older.speed),
        }
    }

    /// Anthropic counts what the cache has to do with apart from the rest of the input.
    pub fn to_usage(self) -> Usage {
        let cached_input = self.cache_read_input_tokens.unwrap_or(0);
        let cache_write = self.cache_creation_input_tokens.unwrap_or(0);
        Usage {
            input: self.input_tokens.unwrap_or(0).saturating_add(cached_input).saturating_add(cache_write),
            cached_input,
            cache_write,
            cache_write_1h: self
                .cache_creation
                .and_then(|written| written.ephemeral_1h_input_tokens)
                .unwrap_or(0)
                .min(cache_write),
            output: self.output_tokens.unwrap_or(0),
            reasoning: self.output_tokens_details.and_then(|details| details.thinking_tokens).unwrap_or(0),
            searches: self.server_tool_use.and_then(|tools| tools.web_search_requests).unwrap_or(0),
            tier: self
                .speed
                .filter(|speed| *speed == ServiceTier::Fast)
                .or(self.service_tier)
                .unwrap_or_default(),
            ..Usage::default()
        }
    }
}

/// Reads a whole answer.
pub(crate) fn decode_answer(body: &[u8]) -> Result<Answer<'_>, Failure> {
    let message: Message<'_> = json::read(body).map_err(|_| malformed())?;
    if let Some(error) = message.error {
        return Err(error.into_failure());
    }
    let mut parts = Vec::new();
    for block in message.content.ok_or_else(malformed)? {
        parts.extend(read_block(block)?);
    }
    let stop_reason = message.stop_reason.as_deref();
    parts.extend(refusal(stop_reason, message.stop_details).map(Part::Refusal));
    let choice =
        Choice { index: 0, parts, finish: finish(stop_reason), logprobs: None, stop: message.stop_sequence };
    Ok(Answer {
        id: message.id,
        model: message.model,
        choices: vec![choice],
        usage: message.usage.map(Counts::to_usage),
    })
}

/// Reads the number of tokens.
pub(crate) fn decode_count(body: &[u8]) -> Result<TokenCount, Failure> {
    #[derive(Deserialize)]
    struct Count<'a> {
        input_tokens: Option<u64>,
        #[serde(borrow)]
        error: Option<ErrorObject<'a>>,
    }
    let count: Count<'_> = json::read(body).map_err(|_| malformed())?;
    match (count.input_tokens, count.error) {
        (_, Some(error)) => Err(error.into_failure()),
        (Some(input), None) => Ok(TokenCount { input, cached_input: 0 }),
        (None, None) => Err(malformed()),
    }
}

/// What Claude has signed or hidden.
pub(super) fn sign(value: Text<'_>) -> Signature<'_> {
    Signature { maker: Maker::Anthropic, value }
}

/// A block as a part; none for types that the conversation has no word for: what the vendor's own tools do.
fn read_block(block: Block<'_>) -> Result<Option<Part<'_>>, Failure> {
    Ok(match &*block.kind {
        "text" => block.text.filter(|text| !text.is_empty()).map(Part::Text),
        "thinking" => {
            let text = block.thinking.unwrap_or_default();
            let signature = block.signature.filter(|signature| !signature.is_empty()).map(sign);
            let is_there = !text.is_empty() || signature.is_some();
            is_there.then(|| Part::Reasoning(Reasoning { text, signature, ..Reasoning::default() }))
        }
        "redacted_thinking" => block
            .redacted()
            .map(|data| Part::Reasoning(Reasoning { hidden: Some(sign(data)), ..Reasoning::default() })),
        "tool_use" => Some(Part::ToolCall(ToolCall {
            id: block.id.ok_or_else(malformed)?,
            name: block.name.ok_or_else(malformed)?,
            arguments: block.input.map_or(Text::from("{}"), compact),
            signature: None,
            custom: false,
            at: Place::default(),
        })),
        _ => None,
    })
}

/// Why an answer ended. Reasons that come with future versions are no failures.
pub(super) fn finish(stop_reason: Option<&str>) -> Finish {
    match stop_reason {
        Some("max_tokens" | "model_context_window_exceeded") => Finish::Length,
        Some("tool_use") => Finish::ToolCalls,
        Some("refusal") => Finish::ContentFilter,
        // `end_turn`, `stop_sequence`; and `pause_turn`, which only the vendor's own tools bring about.
        _ => Finish::Stop,
    }
}

/// The words of a refusal, where there are any.
pub(super) fn refusal<'a>(stop_reason: Option<&str>, details: Option<StopDetails<'a>>) -> Option<Text<'a>> {
    if stop_reason != Some("refusal") {
        return None;
    }
    details?.explanation.filter(|text| !text.is_empty())
}

/// JSON without the white space between its tokens.
pub(in crate::dialect) fn compact(value: Raw<'_>) -> Text<'_> {
    let json = value.get();
    let mut compacted = String::new();
    let (mut taken, mut in_string, mut escaped) = (0, false, false);
    for (position, byte) in json.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b' ' | b'\n' | b'\r' | b'\t' if !in_string => {
                compacted.push_str(json.get(taken..position).unwrap_or_default());
                taken = position + 1;
            }
            _ => {}
        }
    }
    if taken == 0 {
        return Text::from(json);
    }
    compacted.push_str(json.get(taken..).unwrap_or_default());
    Text::from(compacted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_without_a_word_for_them_are_passed_over() {
        let body = br#"{"id":"msg_1","model":"claude-x","content":[
            {"type":"redacted_thinking","data":"abc"},
            {"type":"thinking","thinking":"","signature":""},
            {"type":"thinking","thinking":"Hm.","signature":"sig"},
            {"type":"server_tool_use","id":"srv","name":"web_search","input":{"query":"x"}},
            {"type":"web_search_tool_result","tool_use_id":"srv","content":[]},
            {"type":"text","text":""},
            {"type":"tool_use","id":"toolu_1","name":"f","input":{ "a b": "c \" d" , "e":[1, 2] }},
            {"type":"from_the_future","text":7}]}"#;
        assert!(decode_answer(body).is_err(), "a known field of another type is no answer");
        let body = String::from_utf8_lossy(body).replace("\"text\":7", "\"novel\":7");
        let answer = decode_answer(body.as_bytes()).expect("reads");
        let [Part::Reasoning(hidden), Part::Reasoning(reasoning), Part::ToolCall(call)] =
            &answer.choices[0].parts[..]
        else {
            panic!("{:?}", answer.choices);
        };
        assert_eq!((&*hidden.text, &hidden.hidden), ("", &Some(sign(Text::from("abc")))));
        assert_eq!((&*reasoning.text, &reasoning.signature), ("Hm.", &Some(sign(Text::from("sig")))));
        assert_eq!(&*call.arguments, r#"{"a b":"c \" d","e":[1,2]}"#);
        assert_eq!(answer.usage, None);
    }

    #[test]
    fn a_refusal_is_said_in_its_own_words() {
        let body = br#"{"content":[{"type":"text","text":"Well"}],"stop_reason":"refusal",
            "stop_details":{"type":"refusal","category":"cyber","explanation":"No."}}"#;
        let answer = decode_answer(body).expect("reads");
        assert_eq!(answer.choices[0].finish, Finish::ContentFilter);
        assert!(
            matches!(&answer.choices[0].parts[..], [Part::Text(_), Part::Refusal(words)] if &**words == "No.")
        );
    }

    #[test]
    fn every_reason_has_its_finish() {
        for (reason, expected) in [
            ("end_turn", Finish::Stop),
            ("stop_sequence", Finish::Stop),
            ("pause_turn", Finish::Stop),
            ("compaction", Finish::Stop),
            ("max_tokens", Finish::Length),
            ("model_context_window_exceeded", Finish::Length),
            ("tool_use", Finish::ToolCalls),
            ("refusal", Finish::ContentFilter),
        ] {
            assert_eq!(finish(Some(reason)), expected, "{reason}");
        }
    }

    #[test]
    fn what_the_cache_took_is_input_too() {
        let body = br#"{"content":[],"stop_reason":"end_turn","usage":{"input_tokens":5,"cache_creation_input_tokens":10,
            "cache_read_input_tokens":20,"cache_creation":{"ephemeral_5m_input_tokens":6,"ephemeral_1h_input_tokens":4},
            "output_tokens":7,"output_tokens_details":{"thinking_tokens":3}}}"#;
        let usage = decode_answer(body).expect("reads").usage;
        assert_eq!(
            usage,
            Some(Usage {
                input: 35,
                cached_input: 20,
                cache_write: 10,
                cache_write_1h: 4,
                output: 7,
                reasoning: 3,
                ..Usage::default()
            })
        );
    }

    #[test]
    fn how_it_was_served_is_told() {
        for (more, tier, searches) in [
            ("", ServiceTier::Standard, 0),
            (r#","service_tier":"standard","speed":"standard""#, ServiceTier::Standard, 0),
            (r#","service_tier":"batch""#, ServiceTier::Batch, 0),
            (r#","service_tier":"priority","server_tool_use":null"#, ServiceTier::Priority, 0),
            (
                r#","service_tier":"standard","speed":"fast","server_tool_use":{"web_search_requests":3}"#,
                ServiceTier::Fast,
                3,
            ),
            (r#","service_tier":{"x":1},"speed":null,"server_tool_use":{}"#, ServiceTier::Standard, 0),
        ] {
            let body = format!(
                r#"{{"content":[],"stop_reason":"end_turn","usage":{{"input_tokens":5,"output_tokens":7{more}}}}}"#
            );
            let usage = decode_answer(body.as_bytes()).expect("reads").usage.expect("is there");
            assert_eq!((usage.tier, usage.searches), (tier, searches), "{more}");
        }
        // A stream says it at its beginning only.
        let first: Counts = serde_json::from_str(r#"{"input_tokens":1,"service_tier":"priority"}"#).unwrap();
        let last: Counts = serde_json::from_str(r#"{"output_tokens":2}"#).unwrap();
        assert_eq!(last.after(first).to_usage().tier, ServiceTier::Priority);
    }

    #[test]
    fn an_error_in_a_success_is_a_failure() {
        let body = br#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
        assert_eq!(decode_answer(body).unwrap_err().status, 503);
        for body in [&b"{}"[..], b"[]", b"", b"null", br#"{"content":[{"type":"tool_use","input":{}}]}"#] {
            assert_eq!(decode_answer(body).unwrap_err().code.as_deref(), Some("provider_malformed"));
        }
    }
}
