//! Templates of prompts: what a policy says in callers' stead, named and versioned, with places for what callers say.
//!
//! A request names one in `prompt`, as OpenAI's Responses API has it (`{"id", "version", "variables"}`), or in headers.

mod named;
mod place;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::access::{Asking, Patterns, When};
use crate::dialect::ClientDialect;
use crate::dialect::texts::prompts::{self, Member};
use crate::failure::{Blame, Failure};
use crate::identity::Caller;
use crate::policy::TemplateEntry;
pub use named::Named;

/// A policy's templates.
#[derive(Debug, Default)]
pub struct Templates(Vec<Template>);

#[derive(Debug)]
struct Template {
    name: String,
    default: Option<String>,
    models: Patterns,
    when: When,
    versions: Arc<[Version]>,
}

/// One version of a template.
#[derive(Clone, Debug)]
pub struct Version {
    pub name: String,
    pub variables: Vec<Variable>,
    pub system: Option<Text>,
    pub messages: Vec<Message>,
}

/// A place for what a caller says.
#[derive(Clone, Debug)]
pub struct Variable {
    pub name: String,
    /// What stands there where the caller says nothing; `None`: he has to.
    pub default: Option<String>,
    /// In characters.
    pub max_length: u64,
}

/// A message that comes before the caller's own.
#[derive(Clone, Debug)]
pub struct Message {
    pub speaker: Speaker,
    pub text: Text,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    User,
    Assistant,
}

/// A text with places for variables.
#[derive(Clone, Debug)]
pub struct Text(Vec<Piece>);

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    /// The value of the variable of this name.
    Variable(String),
}

/// A template that a request has chosen, with its values.
#[derive(Clone, Debug)]
pub struct Chosen<'p> {
    template: &'p str,
    version: &'p Version,
}

impl Text {
    /// Reads a text with places such as `{{name}}`. The error completes the sentence "the text …".
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("{{") {
            let (name, behind) = behind.split_once("}}").ok_or("has `{{` without `}}`")?;
            if !is_name(name.trim()) {
                return Err("has a place whose name is none: letters, digits and `_`, at most 64");
            }
            pieces.extend([Piece::Text(before.to_owned()), Piece::Variable(name.trim().to_owned())]);
            rest = behind;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Ok(Self(pieces))
    }

    /// The variables that it has places for.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Variable(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// The text with its values; what stands in them is text, whatever it looks like.
    fn fill<'v>(&'v self, value: impl Fn(&str) -> &'v str) -> String {
        let piece = |piece: &'v Piece| match piece {
            Piece::Text(text) => text.as_str(),
            Piece::Variable(name) => value(name),
        };
        self.0.iter().map(piece).collect()
    }
}

/// Whether a variable may be called so.
pub(crate) fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

impl Templates {
    pub(crate) fn new(entries: &[TemplateEntry]) -> Self {
        let template = |entry: &TemplateEntry| Template {
            name: entry.name.clone(),
            default: entry.default.clone(),
            models: Patterns::new(&entry.models),
            when: When::new(&entry.when),
            versions: Arc::clone(&entry.versions),
        };
        Self(entries.iter().map(template).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The headers that conditions ask for.
    pub(crate) fn headers(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(|template| template.when.headers())
    }

    /// Whether the `prompt` of a body, as JSON, is a template's. OpenAI keeps prompts for clients of the Responses API, under
    /// names of its own; elsewhere there is nothing else that an object there could be.
    pub(crate) fn concerns(&self, client: ClientDialect, prompt: &str) -> bool {
        prompt.starts_with('{')
            && (client != ClientDialect::OpenAiResponses
                || prompts::members(prompt).unwrap_or_default().iter().any(|(name, id)| {
                    name == "id"
                        && matches!(id, Member::Text(id) if self.0.iter().any(|known| known.name == *id))
                }))
    }

    /// The template that a request names, where its values fit.
    pub(crate) fn choose<'p>(
        &'p self,
        named: &Named,
        caller: Option<&Caller>,
        asking: &Asking,
    ) -> Result<Chosen<'p>, Failure> {
        let refused = |message: String, code: &'static str, at: &str| {
            Failure::invalid(message, Some(at.to_owned())).code(code)
        };
        let Some(template) = self.0.iter().find(|template| template.name == named.id) else {
            let message = format!("There is no template '{}' here.", short(&named.id));
            return Err(refused(message, "unknown_template", "prompt.id"));
        };
        let name = &template.name;
        if !template.when.matches(caller, asking) {
            let failure =
                refused(format!("The template '{name}' is not for you."), "template_denied", "prompt.id");
            return Err(Failure { blame: Blame::Policy, ..failure.status(403) });
        }
        let wanted = named.version.as_ref().or(template.default.as_ref());
        let version = match wanted {
            Some(wanted) => template.versions.iter().find(|version| version.name == *wanted),
            None => template.versions.first(),
        };
        let Some(version) = version else {
            let message = format!(
                "There is no version '{}' of the template '{name}'.",
                short(wanted.map_or("", String::as_str))
            );
            return Err(refused(message, "unknown_template_version", "prompt.version"));
        };
        for (variable, value) in &named.variables {
            let at = format!("prompt.variables.{}", short(variable));
            let Some(known) = version.variables.iter().find(|known| known.name == *variable) else {
                let message = format!("The template '{name}' has no variable '{}'.", short(variable));
                return Err(refused(message, "unknown_template_variable", &at));
            };
            if value.chars().count() as u64 > known.max_length {
                let most = known.max_length;
                let message = format!(
                    "The variable '{variable}' has more than the {most} characters that it may have."
                );
                return Err(refused(message, "template_variable_too_long", &at));
            }
        }
        let given = |variable: &Variable| named.variables.iter().any(|(name, _)| *name == variable.name);
        if let Some(missing) =
            version.variables.iter().find(|variable| variable.default.is_none() && !given(variable))
        {
            let message = format!("The template '{name}' needs the variable '{}'.", missing.name);
            let at = format!("prompt.variables.{}", missing.name);
            return Err(refused(message, "missing_template_variable", &at));
        }
        Ok(Chosen { template: name, version })
    }

    /// Whether a template is meant for a model of this name.
    pub(crate) fn serves(&self, chosen: &Chosen<'_>, model: &str) -> Result<(), Failure> {
        let template = self.0.iter().find(|template| template.name == chosen.template);
        match template.is_none_or(|template| template.models.matches(model)) {
            true => Ok(()),
            false => {
                let message = format!("The template '{}' is not for this model.", chosen.template);
                Err(Failure::invalid(message, Some("model".to_owned())).code("template_model"))
            }
        }
    }
}

impl Chosen<'_> {
    /// As logs name it: `name@version`.
    pub(crate) fn label(&self) -> String {
        format!("{}@{}", self.template, self.version.name)
    }

    /// A request with the template in the place of its name; `body` has to name it, with values for its variables.
    ///
    /// # Errors
    /// The body is no JSON.
    pub(crate) fn expand(&self, client: ClientDialect, body: &[u8]) -> Result<Vec<u8>, Failure> {
        let named = prompts::find(client, body)?.map(|prompt| Named::read(&prompt)).transpose()?;
        let values = named.map(|named| named.variables).unwrap_or_default();
        let value = |name: &str| {
            let given = values.iter().find(|(variable, _)| variable == name).map(|(_, value)| value.as_str());
            let default = || {
                let known = self.version.variables.iter().find(|variable| variable.name == name);
                known.and_then(|variable| variable.default.as_deref()).unwrap_or_default()
            };
            given.unwrap_or_else(default)
        };
        let messages: Vec<_> =
            self.version.messages.iter().map(|message| (message.speaker, message.text.fill(value))).collect();
        let system = self.version.system.as_ref().map(|text| text.fill(value)).unwrap_or_default();
        place::expand(client, body, &system, &messages)
    }
}

/// As much of what a client says as is repeated to it.
fn short(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(64).collect()
}
