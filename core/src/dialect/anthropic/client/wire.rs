//! A Messages request as it stands in a body.

use std::fmt;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::json::{Raw, RawObject, Text, TextOr, object};

object! {
    pub(super) struct MessagesRequest<'a> {
        "model" => model: Text<'a>,
        "messages" => messages: Vec<WireMessage<'a>>,
        "system" => system: Content<'a>,
        "max_tokens" => max_tokens: u64,
        "tools" => tools: Vec<WireTool<'a>>,
        "tool_choice" => tool_choice: WireToolChoice<'a>,
        "thinking" => thinking: WireThinking<'a>,
        "output_config" => output_config: OutputConfig<'a>,
        // Where beta versions of structured outputs had the format.
        "output_format" => output_format: OutputFormat<'a>,
        "temperature" => temperature: f64,
        "top_p" => top_p: f64,
        "top_k" => top_k: u64,
        "stop_sequences" => stop_sequences: Vec<Text<'a>>,
        "metadata" => metadata: Metadata<'a>,
        "service_tier" => service_tier: Text<'a>,
        "stream" => stream: bool,
        "cache_control" => cache_control: CacheControl<'a>,
        ..others
    }
}

object! {
    pub(super) struct WireMessage<'a> {
        "role" => role: Text<'a>,
        "content" => content: Content<'a>,
        ..others
    }
}

/// Text, or blocks.
pub(super) enum Content<'a> {
    Text(Text<'a>),
    Blocks(Vec<Block<'a>>),
    /// An object, as results of the vendor's own tools have it.
    Object,
}

object! {
    /// A content block of any type.
    pub(super) struct Block<'a> {
        "type" => kind: Text<'a>,
        "text" => text: Text<'a>,
        "thinking" => thinking: Text<'a>,
        "signature" => signature: Text<'a>,
        "data" => data: Text<'a>,
        "id" => id: Text<'a>,
        "name" => name: Text<'a>,
        "input" => input: Raw<'a>,
        "tool_use_id" => tool_use_id: Text<'a>,
        "content" => content: Content<'a>,
        "is_error" => is_error: bool,
        "source" => source: TextOr<'a, Source<'a>>,
        "title" => title: Text<'a>,
        "cache_control" => cache_control: CacheControl<'a>,
        ..others
    }
}

impl Block<'_> {
    /// Whether it, or a block in it, ends what may be cached.
    pub fn is_marked(&self) -> bool {
        self.cache_control.is_some() || self.content.as_ref().is_some_and(Content::is_marked)
    }
}

impl Content<'_> {
    pub fn is_marked(&self) -> bool {
        matches!(self, Self::Blocks(blocks) if blocks.iter().any(Block::is_marked))
    }
}

object! {
    /// Where an image's or a document's bytes are.
    pub(super) struct Source<'a> {
        "type" => kind: Text<'a>,
        "media_type" => media_type: Text<'a>,
        "data" => data: Text<'a>,
        "url" => url: Text<'a>,
        "file_id" => file_id: Text<'a>,
        "content" => content: Content<'a>,
        ..others
    }
}

object! {
    pub(super) struct CacheControl<'a> {
        "type" => kind: Text<'a>,
        "ttl" => ttl: Text<'a>,
        ..others
    }
}

object! {
    pub(super) struct WireTool<'a> {
        "type" => kind: Text<'a>,
        "name" => name: Text<'a>,
        "description" => description: Text<'a>,
        "input_schema" => input_schema: RawObject<'a>,
        "strict" => strict: bool,
        "cache_control" => cache_control: CacheControl<'a>,
        ..others
    }
}

object! {
    pub(super) struct WireToolChoice<'a> {
        "type" => kind: Text<'a>,
        "name" => name: Text<'a>,
        "disable_parallel_tool_use" => disable_parallel: bool,
        ..others
    }
}

object! {
    pub(super) struct WireThinking<'a> {
        "type" => kind: Text<'a>,
        "budget_tokens" => budget_tokens: u64,
        "display" => display: Text<'a>,
        ..others
    }
}

object! {
    pub(super) struct OutputConfig<'a> {
        "effort" => effort: Text<'a>,
        "format" => format: OutputFormat<'a>,
        ..others
    }
}

object! {
    pub(super) struct OutputFormat<'a> {
        "type" => kind: Text<'a>,
        "schema" => schema: RawObject<'a>,
        ..others
    }
}

object! {
    pub(super) struct Metadata<'a> {
        "user_id" => user_id: Text<'a>,
        ..others
    }
}

object! {
    /// What is to be left out of the context; only looked at to see whether it asks for anything.
    pub(super) struct ContextManagement<'a> {
        "edits" => edits: Vec<ContextEdit<'a>>,
        ..others
    }
}

object! {
    pub(super) struct ContextEdit<'a> {
        "type" => kind: Text<'a>,
        "keep" => keep: Raw<'a>,
        ..others
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Content<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, or an array of blocks")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Content::Text(Text::from(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Content::Text(Text::from(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, blocks: A) -> Result<Self::Value, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(blocks)).map(Content::Blocks)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Content::Object)
    }
}
