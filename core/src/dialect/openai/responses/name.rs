//! The names of the fields of a Responses request.

use crate::conversation::{Field, MediaKind, Place};

/// Where `instructions` stand, which are no input item.
pub(super) const INSTRUCTIONS: Place = Place { item: u32::MAX, part: 0 };
/// Where an `input` stands that is one text.
pub(super) const TEXT_INPUT: Place = Place { item: u32::MAX - 1, part: 0 };
/// Set in the part of a place that is in the `output` of an item, in place of its `content`.
const OUTPUT: u32 = 1 << 31;

/// The place of a part of an item's `output`.
pub(super) fn output_part(item: usize, part: usize) -> Place {
    let place = Place::part(item, part);
    Place { part: place.part | OUTPUT, ..place }
}

/// The name of a field, as a path from the body's root.
pub(crate) fn name(field: Field<'_>) -> String {
    let fixed = match field {
        Field::Model => "model",
        Field::Messages => "input",
        Field::MaxTokens => "max_output_tokens",
        Field::Temperature => "temperature",
        Field::TopP => "top_p",
        Field::Logprobs => "include",
        Field::TopLogprobs => "top_logprobs",
        Field::Effort | Field::Thinking => "reasoning.effort",
        Field::Verbosity => "text.verbosity",
        Field::User => "user",
        Field::SafetyIdentifier => "safety_identifier",
        Field::ServiceTier => "service_tier",
        Field::Format => "text.format",
        Field::FormatSchema => "text.format.schema",
        Field::FormatDescription => "text.format.description",
        Field::Tools => "tools",
        Field::ToolChoice => "tool_choice",
        Field::AllowedTools => "tool_choice.tools",
        Field::ParallelToolCalls => "parallel_tool_calls",
        // This dialect has none of these.
        Field::TopK => "top_k",
        Field::PresencePenalty => "presence_penalty",
        Field::FrequencyPenalty => "frequency_penalty",
        Field::Seed => "seed",
        Field::Stop => "stop",
        Field::Choices => "n",
        Field::Input => "input",
        Field::Dimensions => "dimensions",
        Field::EncodingFormat => "encoding_format",
        Field::Query => "query",
        Field::Documents => "documents",
        Field::TopN => "top_n",
        Field::Path(path) => path,
        Field::Tool(at) => return format!("tools[{}]", at.item),
        Field::ToolStrict(at) => return format!("tools[{}].strict", at.item),
        Field::ToolFormat(at) => return format!("tools[{}].format", at.item),
        Field::MessageName(at) => return format!("{}.name", item(at)),
        Field::MessageContent(at) => return content(at),
        Field::Media(at, _) => return part(at),
        Field::MediaSource(at, MediaKind::Image) => return format!("{}.image_url", part(at)),
        Field::MediaSource(at, MediaKind::Audio) => return format!("{}.input_audio.data", part(at)),
        Field::MediaSource(at, MediaKind::Video | MediaKind::File) => {
            return format!("{}.file_data", part(at));
        }
        Field::Arguments(at) => return format!("{}.arguments", item(at)),
        // No client of this dialect can say it.
        Field::ResultFailed(at) => return item(at),
        Field::ResultCall(at) => return format!("{}.call_id", item(at)),
        Field::CacheMark(at) => return format!("{}.prompt_cache_breakpoint", part(at)),
    };
    fixed.to_owned()
}

fn item(at: Place) -> String {
    match at.item {
        item if item == INSTRUCTIONS.item => "instructions".to_owned(),
        item if item == TEXT_INPUT.item => "input".to_owned(),
        item => format!("input[{item}]"),
    }
}

fn content(at: Place) -> String {
    match at {
        INSTRUCTIONS | TEXT_INPUT => item(at),
        at if at.part & OUTPUT != 0 => format!("{}.output", item(at)),
        at => format!("{}.content", item(at)),
    }
}

fn part(at: Place) -> String {
    format!("{}[{}]", content(at), at.part & !OUTPUT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_apart() {
        assert_eq!(name(Field::MessageContent(INSTRUCTIONS)), "instructions");
        assert_eq!(name(Field::MessageContent(TEXT_INPUT)), "input");
        assert_eq!(name(Field::MessageContent(Place::item(2))), "input[2].content");
        let image = MediaKind::Image;
        assert_eq!(name(Field::Media(Place::part(2, 1), image)), "input[2].content[1]");
        assert_eq!(name(Field::MediaSource(output_part(2, 1), image)), "input[2].output[1].image_url");
        assert_eq!(name(Field::ResultCall(output_part(2, 0))), "input[2].call_id");
    }
}
