//! `templates`: prompts that callers use by name.

use std::collections::HashSet;
use std::sync::Arc;

use super::access::{read_names, read_when};
use crate::policy::fields::{Field, Fields};
use crate::policy::{Faults, WhenEntry};
use crate::template::{Message, Speaker, Text, Variable, Version, is_name};

/// One entry of `templates`.
#[derive(Clone, Debug)]
pub struct TemplateEntry {
    pub name: String,
    /// The version of those who name none; there is only one where it is not said.
    pub default: Option<String>,
    pub models: Vec<String>,
    pub when: WhenEntry,
    /// Never empty.
    pub versions: Arc<[Version]>,
}

/// How long a value may be where it is not said, in characters.
const MAX_LENGTH: u64 = 10_000;

pub(super) fn read_templates(
    field: &Field<'_>,
    providers: &HashSet<String>,
    faults: &mut Faults,
) -> Vec<TemplateEntry> {
    let Some(entries) = Fields::of(field, faults) else { return Vec::new() };
    let mut templates = Vec::new();
    for (name, field) in entries.entries() {
        check_name(name, &field.path, faults);
        templates.extend(read_template(name, &field, providers, faults));
    }
    templates
}

/// Names stand in logs and headers, with an `@` between them.
fn check_name(name: &str, path: &str, faults: &mut Faults) {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > 64 || !name.chars().all(good) {
        faults.add(path, "the name of a template or version has 1 to 64 letters, digits, `-`, `_` and `.`");
    }
}

fn read_template(
    name: &str,
    field: &Field<'_>,
    providers: &HashSet<String>,
    faults: &mut Faults,
) -> Option<TemplateEntry> {
    let mut fields = Fields::of(field, faults)?;
    let default =
        fields.optional("default").and_then(|field| Some((field.text(faults)?.to_owned(), field.path)));
    let models = fields.optional("models").map(|field| read_names(&field, faults));
    let when = fields.optional("when").and_then(|field| {
        let when = read_when(&field, providers, faults)?;
        if when.providers.is_some() || when.regions.is_some() {
            faults.add(
                &field.path,
                "a template is filled in before a target is chosen; leave out `providers` and `regions`",
            );
        }
        Some(when)
    });
    let mut versions = Vec::new();
    let listed = fields.required("versions", faults).and_then(|field| {
        let path = field.path.clone();
        Some((Fields::of(&field, faults)?, path))
    });
    fields.finish(faults);
    let (listed, path) = listed?;
    for (version, field) in listed.entries() {
        check_name(version, &field.path, faults);
        versions.extend(read_version(version, &field, faults));
    }
    if versions.is_empty() {
        faults.add(&path, "has no versions");
        return None;
    }
    match &default {
        Some((default, path)) if !versions.iter().any(|version| version.name == *default) => {
            faults.add(path, format!("there is no version `{default}`"));
        }
        None if versions.len() > 1 => {
            faults.add(&field.path, "has more than one version; `default` has to say which counts");
        }
        _ => {}
    }
    Some(TemplateEntry {
        name: name.to_owned(),
        default: default.map(|(default, _)| default),
        models: models.unwrap_or_else(|| vec!["*".to_owned()]),
        when: when.unwrap_or_default(),
        versions: versions.into(),
    })
}

fn read_version(name: &str, field: &Field<'_>, faults: &mut Faults) -> Option<Version> {
    let mut fields = Fields::of(field, faults)?;
    let variables = fields.optional("variables");
    let variables = variables.map(|field| read_variables(&field, faults)).unwrap_or_default();
    let mut used = HashSet::new();
    let mut text = |field: Field<'_>, faults: &mut Faults| {
        let text = match Text::parse(field.text(faults)?) {
            Ok(text) => text,
            Err(fault) => {
                faults.add(&field.path, format!("the text {fault}"));
                return None;
            }
        };
        for place in text.variables() {
            used.insert(place.to_owned());
            if !variables.iter().any(|variable| variable.name == place) {
                faults.add(&field.path, format!("`{{{{{place}}}}}` is no variable of this version"));
            }
        }
        Some(text)
    };
    let system = fields.optional("system").map(|field| text(field, faults));
    let items = fields.optional("messages").map(|field| field.list(faults).unwrap_or_default());
    if system.is_none() && items.as_ref().is_none_or(Vec::is_empty) {
        faults.add(&field.path, "says nothing: it needs `system` or `messages`");
    }
    let mut messages = Vec::new();
    for item in items.unwrap_or_default() {
        let Some(mut fields) = Fields::of(&item, faults) else { continue };
        let roles = [("user", Speaker::User), ("assistant", Speaker::Assistant)];
        let speaker = fields.required("role", faults).and_then(|field| field.word(&roles, faults));
        let text = fields.required("content", faults).and_then(|field| text(field, faults));
        fields.finish(faults);
        messages.extend(speaker.zip(text).map(|(speaker, text)| Message { speaker, text }));
    }
    fields.finish(faults);
    for variable in variables.iter().filter(|variable| !used.contains(&variable.name)) {
        faults.add(&field.path, format!("the variable `{}` has no place in it", variable.name));
    }
    Some(Version { name: name.to_owned(), variables, system: system.flatten(), messages })
}

fn read_variables(field: &Field<'_>, faults: &mut Faults) -> Vec<Variable> {
    let Some(entries) = Fields::of(field, faults) else { return Vec::new() };
    let mut variables = Vec::new();
    for (name, field) in entries.entries() {
        if !is_name(name) {
            faults.add(&field.path, "a variable's name has 1 to 64 letters, digits and `_`");
        }
        let Some(mut fields) = Fields::of(&field, faults) else { continue };
        let required = fields.optional("required").and_then(|field| field.boolean(faults));
        let default = fields.optional("default").and_then(|field| field.text(faults));
        let max_length = fields.optional("max_length").and_then(|field| field.integer(1..=1 << 24, faults));
        fields.finish(faults);
        let max_length = max_length.unwrap_or(MAX_LENGTH);
        if required == Some(true) && default.is_some() {
            faults.add(&field.path, "is required and has a `default`, which nobody would get");
        }
        if default.is_some_and(|default| default.chars().count() as u64 > max_length) {
            faults.add(&field.path, "its `default` is longer than `max_length`");
        }
        // What need not be said and has no other value is empty.
        let default = default.or((required == Some(false)).then_some("")).map(str::to_owned);
        variables.push(Variable { name: name.to_owned(), default, max_length });
    }
    variables
}
