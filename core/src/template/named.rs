//! Which template a request names, with which values.

use crate::dialect::texts::prompts::{self, Member};
use crate::failure::Failure;

/// What a request says of the template that it wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub id: String,
    pub version: Option<String>,
    /// In the request's order.
    pub variables: Vec<(String, String)>,
}

const VARIABLES_HEADER: &str = "x-sluice-template-variables";

impl Named {
    /// What headers name: `name` or `name@version`, and an object of values.
    pub(crate) fn in_headers(template: &str, variables: Option<&str>) -> Result<Self, Failure> {
        let (id, version) =
            template.split_once('@').map_or((template, None), |(id, version)| (id, Some(version)));
        let variables = match variables.map(prompts::members) {
            None => Vec::new(),
            Some(Some(members)) => read_values(members, VARIABLES_HEADER)?,
            Some(None) => {
                return Err(Failure::invalid_value(
                    VARIABLES_HEADER,
                    "has to be an object of texts, as JSON",
                ));
            }
        };
        Ok(Self { id: id.to_owned(), version: version.map(str::to_owned), variables })
    }

    /// Reads the `prompt` of a body, a JSON object.
    pub(crate) fn read(prompt: &str) -> Result<Self, Failure> {
        let (mut id, mut version, mut variables) = (None, None, Vec::new());
        for (name, member) in prompts::members(prompt).unwrap_or_default() {
            let at = format!("prompt.{}", super::short(&name));
            match (name.as_str(), member) {
                ("id", Member::Text(text)) => id = Some(text),
                ("version", Member::Text(text)) => version = Some(text),
                ("version" | "variables", Member::Null) => {}
                ("variables", Member::Object(text)) => {
                    variables = read_values(prompts::members(&text).unwrap_or_default(), &at)?;
                }
                ("variables", _) => return Err(Failure::invalid_value(at, "has to be an object")),
                ("id" | "version", _) => return Err(Failure::invalid_value(at, "has to be a text")),
                _ => {
                    let message = format!("Unknown parameter: '{at}'.");
                    return Err(Failure::invalid(message, Some(at)).code("unknown_parameter"));
                }
            }
        }
        let Some(id) = id else {
            let message = "Missing required parameter: 'prompt.id'.";
            return Err(
                Failure::invalid(message, Some("prompt.id".to_owned())).code("missing_required_parameter")
            );
        };
        Ok(Self { id, version, variables })
    }

    /// The same as the body's `prompt`, as JSON.
    pub(crate) fn to_json(&self) -> String {
        // A text always serialises.
        let quoted = |text: &str| serde_json::to_string(text).unwrap_or_default();
        let variables =
            self.variables.iter().map(|(name, value)| format!("{}:{}", quoted(name), quoted(value)));
        let variables = variables.collect::<Vec<_>>().join(",");
        let version = self.version.as_deref().map(|version| format!(r#""version":{},"#, quoted(version)));
        let (id, version) = (quoted(&self.id), version.unwrap_or_default());
        format!(r#"{{"id":{id},{version}"variables":{{{variables}}}}}"#)
    }
}

fn read_values(members: Vec<(String, Member)>, path: &str) -> Result<Vec<(String, String)>, Failure> {
    let mut read: Vec<(String, String)> = Vec::new();
    for (name, member) in members {
        let at = format!("{path}.{}", super::short(&name));
        if read.iter().any(|(known, _)| *known == name) {
            return Err(Failure::invalid_value(at, "is there twice"));
        }
        let Member::Text(value) = member else {
            return Err(Failure::invalid_value(at, "has to be a text").code("invalid_template_variable"));
        };
        read.push((name, value));
    }
    Ok(read)
}
