//! Writes the tools of a request, and which of them may or must be called.

use serde::Serialize;

use crate::conversation::{Field, Part, Request, Tool, ToolChoice};
use crate::dialect::Lacks;
use crate::json::Raw;

use super::messages::{CachePoint, Marks};
use super::model::Model;

/// `toolConfig`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolConfig<'r> {
    tools: Vec<ToolEntry<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice<'r>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum ToolEntry<'r> {
    ToolSpec(Specification<'r>),
    CachePoint(CachePoint),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Specification<'r> {
    name: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'r str>,
    input_schema: InputSchema<'r>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    strict: bool,
}

#[derive(Debug, Serialize)]
struct InputSchema<'r> {
    json: Schema<'r>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Schema<'r> {
    Given(Raw<'r>),
    /// A schema is demanded even of a tool that takes nothing.
    Nothing {
        r#type: &'static str,
        properties: Empty,
    },
    /// Of a function that stands for a custom tool.
    Custom {
        r#type: &'static str,
        properties: CustomProperties,
        required: [&'static str; 1],
    },
}

#[derive(Debug, Serialize)]
struct Empty {}

#[derive(Debug, Serialize)]
struct CustomProperties {
    /// Named as [`Tool::CUSTOM_INPUT`] has it.
    input: StringSchema,
}

#[derive(Debug, Serialize)]
struct StringSchema {
    r#type: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum Choice<'r> {
    Any {},
    Tool { name: &'r str },
}

/// A choice in Anthropic's own words, for what Converse has none for.
#[derive(Debug, Serialize)]
pub(super) struct NativeChoice<'r> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'r str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    disable_parallel_tool_use: bool,
}

/// The tools, and the choice among them where Converse has no word for it: two choices at once are refused.
pub(super) fn write_tools<'r>(
    request: &'r Request<'_>,
    model: Model,
    marks: &mut Marks,
    lacks: &mut Lacks,
) -> (Option<ToolConfig<'r>>, Option<NativeChoice<'r>>) {
    let (choice, native) = write_choice(request, model, lacks);
    let forbids = matches!(request.tool_choice, Some(ToolChoice::None)) && native.is_none();
    // Where no call may be made, no tool is offered; but Bedrock wants to know the tools of the calls that were made.
    if request.tools.is_empty() || (forbids && !has_calls(request)) {
        return (None, None);
    }
    let is_allowed = |tool: &Tool<'_>| match &request.tool_choice {
        Some(ToolChoice::Allowed { names, .. }) => names.contains(&tool.name),
        _ => true,
    };
    let mut tools = Vec::with_capacity(request.tools.len());
    for tool in request.tools.iter().filter(|tool| is_allowed(tool)) {
        tools.push(ToolEntry::ToolSpec(write_tool(tool, lacks)));
        if let Some(mark) = &tool.cache {
            match model {
                Model::Claude(_) => tools.push(ToolEntry::CachePoint(marks.point(mark, lacks))),
                // Nova takes marks, but none among the tools.
                _ => marks.omit(mark, lacks),
            }
        }
    }
    let config = (!tools.is_empty()).then_some(ToolConfig { tools, tool_choice: choice });
    let native = native.filter(|_| config.is_some());
    (config, native)
}

fn has_calls(request: &Request<'_>) -> bool {
    let mut parts = request.messages.iter().flat_map(|message| &message.parts);
    parts.any(|part| matches!(part, Part::ToolCall(_) | Part::ToolResult(_)))
}

/// Whether some tool has to be called.
pub(super) fn forces_a_tool(request: &Request<'_>) -> bool {
    use ToolChoice::{Allowed, Named, Required};
    matches!(request.tool_choice, Some(Required | Named(_) | Allowed { required: true, .. }))
}

fn write_choice<'r>(
    request: &'r Request<'_>,
    model: Model,
    lacks: &mut Lacks,
) -> (Option<Choice<'r>>, Option<NativeChoice<'r>>) {
    if request.tools.is_empty() {
        if forces_a_tool(request) {
            lacks.parameter(Field::ToolChoice);
        }
        return (None, None);
    }
    let can_force = !matches!(model, Model::Claude(family) if !family.forces_tools);
    let forced = forces_a_tool(request) && can_force;
    if forces_a_tool(request) && !can_force {
        lacks.parameter(Field::ToolChoice);
    }
    let one_by_one = request.parallel_tool_calls == Some(false);
    let name = match &request.tool_choice {
        Some(ToolChoice::Named(name)) if forced => Some(&**name),
        _ => None,
    };
    let forbids = matches!(request.tool_choice, Some(ToolChoice::None));
    if let Model::Claude(_) = model {
        if forbids {
            let r#type = "none";
            return (None, Some(NativeChoice { r#type, name, disable_parallel_tool_use: false }));
        }
        if one_by_one {
            let r#type = match (forced, name) {
                (true, Some(_)) => "tool",
                (true, None) => "any",
                (false, _) => "auto",
            };
            return (None, Some(NativeChoice { r#type, name, disable_parallel_tool_use: true }));
        }
    } else {
        if one_by_one && !forbids {
            lacks.parameter(Field::ParallelToolCalls);
        }
        if forbids && has_calls(request) {
            lacks.parameter(Field::ToolChoice);
        }
    }
    let choice = match name {
        Some(name) => Some(Choice::Tool { name }),
        None => forced.then_some(Choice::Any {}),
    };
    (choice, None)
}

fn write_tool<'r>(tool: &'r Tool<'_>, lacks: &mut Lacks) -> Specification<'r> {
    let json = match (tool.custom, tool.parameters) {
        (Some(custom), _) => {
            if custom.format.is_some() {
                // No model can be held to a grammar here; it knows the tool's description.
                lacks.omission(Field::ToolFormat(tool.at));
            }
            let properties = CustomProperties { input: StringSchema { r#type: "string" } };
            Schema::Custom { r#type: "object", properties, required: [Tool::CUSTOM_INPUT] }
        }
        (None, Some(schema)) if !is_empty_object(schema) => Schema::Given(schema),
        _ => Schema::Nothing { r#type: "object", properties: Empty {} },
    };
    Specification {
        name: &tool.name,
        description: tool.description.as_deref().filter(|text| !text.is_empty()),
        input_schema: InputSchema { json },
        strict: tool.strict == Some(true),
    }
}

fn is_empty_object(value: Raw<'_>) -> bool {
    let inner = value.get().strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    inner.is_some_and(|inner| inner.trim_ascii().is_empty())
}
