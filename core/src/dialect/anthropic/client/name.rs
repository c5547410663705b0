//! The names of the fields of a Messages request, and the places in it.

use crate::conversation::{Field, Place};

/// In place of a message's position: the top-level `system`.
const SYSTEM: u32 = u32::MAX;

/// In place of a message's position: the request itself.
const REQUEST: u32 = u32::MAX - 1;

/// In place of a block's position: the item is a tool.
const TOOL: u32 = u32::MAX;

/// How many bits the position of a block has; those above are the position, from 1, of a block in its content.
const BLOCK_BITS: u32 = 20;

/// The place of a block of the top-level `system`.
pub(super) fn in_system(block: usize) -> Place {
    Place { item: SYSTEM, ..Place::part(0, block) }
}

/// The place of the request itself.
pub(super) fn in_request() -> Place {
    Place { item: REQUEST, part: 0 }
}

/// The place of something at a tool.
pub(super) fn in_tool(tool: usize) -> Place {
    Place { part: TOOL, ..Place::item(tool) }
}

/// The place of a block inside of a block; that of the outer one where the numbers are too large.
pub(super) fn inside(outer: Place, block: usize) -> Place {
    let inner = u32::try_from(block + 1).ok().filter(|inner| *inner < (1 << (32 - BLOCK_BITS)) - 1);
    match inner {
        Some(inner) if outer.part < 1 << BLOCK_BITS => {
            Place { part: outer.part | inner << BLOCK_BITS, ..outer }
        }
        _ => outer,
    }
}

/// The path of a block.
pub(super) fn path(at: Place) -> String {
    let (block, inner) = (at.part & ((1 << BLOCK_BITS) - 1), at.part >> BLOCK_BITS);
    match (at.item, inner) {
        (SYSTEM, _) => format!("system[{}]", at.part),
        (item, 0) => format!("messages[{item}].content[{block}]"),
        (item, inner) => format!("messages[{item}].content[{block}].content[{}]", inner - 1),
    }
}

/// The name of a field, as a path from the body's root.
pub(crate) fn name(field: Field<'_>) -> String {
    let fixed = match field {
        Field::Model => "model",
        Field::Messages => "messages",
        Field::MaxTokens => "max_tokens",
        Field::Temperature => "temperature",
        Field::TopP => "top_p",
        Field::TopK => "top_k",
        Field::Stop => "stop_sequences",
        Field::Effort => "output_config.effort",
        Field::Thinking => "thinking",
        Field::User | Field::SafetyIdentifier => "metadata.user_id",
        Field::ServiceTier => "service_tier",
        Field::Format | Field::FormatDescription => "output_config.format",
        Field::FormatSchema => "output_config.format.schema",
        Field::Tools => "tools",
        Field::ToolChoice | Field::AllowedTools => "tool_choice",
        Field::ParallelToolCalls => "tool_choice.disable_parallel_tool_use",
        // Only requests of other dialects or kinds have these.
        Field::PresencePenalty => "presence_penalty",
        Field::FrequencyPenalty => "frequency_penalty",
        Field::Seed => "seed",
        Field::Choices => "n",
        Field::Logprobs => "logprobs",
        Field::TopLogprobs => "top_logprobs",
        Field::Verbosity => "verbosity",
        Field::Input => "input",
        Field::Dimensions => "dimensions",
        Field::EncodingFormat => "encoding_format",
        Field::Query => "query",
        Field::Documents => "documents",
        Field::TopN => "top_n",
        Field::Path(path) => path,
        Field::MessageContent(Place { item: SYSTEM, .. }) => "system",
        Field::CacheMark(Place { item: REQUEST, .. }) => "cache_control",
        Field::Tool(at) | Field::ToolFormat(at) => return format!("tools[{}]", at.item),
        Field::ToolStrict(at) => return format!("tools[{}].strict", at.item),
        Field::MessageName(at) => return format!("messages[{}]", at.item),
        Field::MessageContent(at) => return format!("messages[{}].content", at.item),
        Field::Media(at, _) => return path(at),
        Field::MediaSource(at, _) => return format!("{}.source", path(at)),
        Field::Arguments(at) => return format!("{}.input", path(at)),
        Field::ResultCall(at) => return format!("{}.tool_use_id", path(at)),
        Field::ResultFailed(at) => return format!("{}.is_error", path(at)),
        Field::CacheMark(at @ Place { part: TOOL, .. }) => {
            return format!("tools[{}].cache_control", at.item);
        }
        Field::CacheMark(at) => return format!("{}.cache_control", path(at)),
    };
    fixed.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::MediaKind;

    #[test]
    fn places_have_their_paths() {
        let block = Place::part(2, 1);
        for (field, expected) in [
            (Field::CacheMark(in_system(3)), "system[3].cache_control"),
            (Field::CacheMark(in_request()), "cache_control"),
            (Field::CacheMark(in_tool(4)), "tools[4].cache_control"),
            (Field::CacheMark(block), "messages[2].content[1].cache_control"),
            (Field::CacheMark(inside(block, 0)), "messages[2].content[1].content[0].cache_control"),
            (
                Field::MediaSource(inside(block, 7), MediaKind::Image),
                "messages[2].content[1].content[7].source",
            ),
            (Field::Media(inside(block, 70_000), MediaKind::File), "messages[2].content[1]"),
            (Field::MessageContent(in_system(0)), "system"),
            (Field::MessageContent(Place::item(5)), "messages[5].content"),
        ] {
            assert_eq!(name(field), expected);
        }
    }
}
