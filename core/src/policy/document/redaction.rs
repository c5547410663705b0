//! `redaction`: what is looked for in requests and answers, and what is done with it.

use std::collections::HashSet;

use super::access::{read_names, read_when};
use super::providers::read_variable;
use crate::policy::fields::{Field, Fields};
use crate::policy::node::Node;
use crate::policy::{Faults, WhenEntry};
use crate::redact::{Action, Custom, CustomFault, Rule, rules, select};

/// `redaction`.
#[derive(Clone, Debug)]
pub struct RedactionEntry {
    /// In the order in which they decide where two find the same text with equal right; no rule is there twice.
    pub rules: Vec<RuleUse>,
    pub request: Action,
    pub response: Action,
    /// The environment variable that holds the key of hashes and pseudonyms.
    pub key: Option<String>,
    /// Whether content that can't be read is refused.
    pub refuse_unreadable: bool,
    pub exceptions: Vec<ExceptionEntry>,
}

/// A rule that is looked at.
#[derive(Clone, Debug)]
pub struct RuleUse {
    pub rule: RuleChoice,
    /// What is done with what it finds, where that is not what the direction says.
    pub action: Option<Action>,
}

#[derive(Clone, Debug)]
pub enum RuleChoice {
    BuiltIn(&'static Rule),
    Custom(Custom),
}

/// One entry of `redaction.exceptions`.
#[derive(Clone, Debug)]
pub struct ExceptionEntry {
    pub when: WhenEntry,
    pub models: Vec<String>,
    pub request: Option<Action>,
    pub response: Option<Action>,
    /// Rules by their names, and what is done with what they find, in both directions.
    pub rules: Vec<(String, Action)>,
}

const ACTIONS: [(&str, Action); 7] = [
    ("off", Action::Off),
    ("warn", Action::Warn),
    ("mask", Action::Mask),
    ("partial", Action::Partial),
    ("hash", Action::Hash),
    ("pseudonym", Action::Pseudonym),
    ("block", Action::Block),
];

impl RuleChoice {
    pub fn name(&self) -> &str {
        match self {
            Self::BuiltIn(rule) => rule.name,
            Self::Custom(custom) => custom.name(),
        }
    }
}

impl RedactionEntry {
    /// Every action that it names.
    fn actions(&self) -> impl Iterator<Item = Action> {
        let of_rules = self.rules.iter().filter_map(|used| used.action);
        let of_exceptions = self.exceptions.iter().flat_map(|exception| {
            let of_rules = exception.rules.iter().map(|(_, action)| *action);
            exception.request.into_iter().chain(exception.response).chain(of_rules)
        });
        [self.request, self.response].into_iter().chain(of_rules).chain(of_exceptions)
    }
}

pub(super) fn read_redaction(
    field: &Field<'_>,
    providers: &HashSet<String>,
    faults: &mut Faults,
) -> Option<RedactionEntry> {
    let mut fields = Fields::of(field, faults)?;
    let rules = fields.required("rules", faults).map(|field| read_rules(&field, faults)).unwrap_or_default();
    let request = fields.optional("request").map(|field| read_action(&field, faults));
    let response = fields.optional("response").map(|field| read_response(&field, faults));
    let key = fields.optional("key").and_then(|field| read_key(&field, faults));
    let unreadable = fields
        .optional("unreadable")
        .and_then(|field| field.word(&[("pass", false), ("refuse", true)], faults));
    let known: Vec<&str> = rules.iter().map(|used| used.rule.name()).collect();
    let exceptions = fields
        .optional("exceptions")
        .map(|field| read_exceptions(&field, &known, providers, faults))
        .unwrap_or_default();
    fields.finish(faults);
    let entry = RedactionEntry {
        request: request.flatten().unwrap_or(Action::Mask),
        response: response.flatten().unwrap_or(Action::Mask),
        refuse_unreadable: unreadable.unwrap_or(false),
        rules,
        key,
        exceptions,
    };
    if entry.key.is_none() && entry.actions().any(|action| matches!(action, Action::Hash | Action::Pseudonym))
    {
        faults.add(format!("{}.key", field.path), "is missing: `hash` and `pseudonym` need it");
    }
    Some(entry)
}

fn read_rules(field: &Field<'_>, faults: &mut Faults) -> Vec<RuleUse> {
    let mut customs: Vec<RuleUse> = Vec::new();
    let mut chosen: Vec<(&'static Rule, Option<Action>)> = Vec::new();
    for item in field.list(faults).unwrap_or_default() {
        let read = match item.node {
            Node::Text(name) => read_names_of_rules(&item, name, faults).map(|rules| (rules, None)),
            _ => read_rule(&item, &mut customs, faults),
        };
        let Some((rules, action)) = read else { continue };
        for rule in rules {
            match chosen.iter_mut().find(|(other, _)| other.name == rule.name) {
                Some((_, chosen)) => *chosen = action.or(*chosen),
                None => chosen.push((rule, action)),
            }
        }
    }
    // The operator's own know best; the others have an order of theirs.
    let built_in = rules().filter_map(|rule| {
        let (_, action) = chosen.iter().find(|(chosen, _)| chosen.name == rule.name)?;
        Some(RuleUse { rule: RuleChoice::BuiltIn(rule), action: *action })
    });
    customs.extend(built_in);
    customs
}

fn read_names_of_rules(field: &Field<'_>, name: &str, faults: &mut Faults) -> Option<Vec<&'static Rule>> {
    let rules = select(name);
    if rules.is_none() {
        faults
            .add(&field.path, format!("there is no rule and no pack `{name}`; docs/redaction.md lists them"));
    }
    rules
}

/// A rule with an action, or one of the policy's own, which goes to `customs`.
fn read_rule(
    field: &Field<'_>,
    customs: &mut Vec<RuleUse>,
    faults: &mut Faults,
) -> Option<(Vec<&'static Rule>, Option<Action>)> {
    let mut fields = Fields::of(field, faults)?;
    let action = fields.optional("action").map(|field| read_action(&field, faults));
    if let Some(rule) = fields.optional("rule") {
        let rules = rule.text(faults).and_then(|name| read_names_of_rules(&rule, name, faults));
        fields.finish(faults);
        return Some((rules?, action.flatten()));
    }
    let name = fields.required("name", faults).and_then(|field| Some((field.text(faults)?, field.path)));
    let pattern =
        fields.required("pattern", faults).and_then(|field| Some((field.text(faults)?, field.path)));
    let context = fields.optional("context").map(|field| (read_names(&field, faults), field.path));
    let validator = fields.optional("validator").and_then(|field| Some((field.text(faults)?, field.path)));
    fields.finish(faults);
    let ((name, name_path), (pattern, pattern_path)) = (name?, pattern?);
    let (context, context_path) = context.unwrap_or_default();
    let words: Vec<&str> = context.iter().map(String::as_str).collect();
    let custom = match Custom::new(name, pattern, &words, validator.as_ref().map(|(name, _)| *name)) {
        Ok(custom) => custom,
        Err(fault) => {
            let path = match fault {
                CustomFault::Name => name_path,
                CustomFault::Pattern { .. } => pattern_path,
                CustomFault::Validator => validator.map_or(name_path, |(_, path)| path),
                CustomFault::Context => context_path,
            };
            faults.add(path, fault.to_string());
            return None;
        }
    };
    // What stands in a value's stead tells by which rule it was found.
    let label = name.to_ascii_uppercase();
    let is_taken = rules().any(|rule| rule.name == name || rule.label == label)
        || customs.iter().any(|used| used.rule.name() == name);
    if is_taken {
        faults.add(name_path, format!("there is another rule `{name}`, or one whose mask is [{label}]"));
        return None;
    }
    customs.push(RuleUse { rule: RuleChoice::Custom(custom), action: action.flatten() });
    None
}

/// YAML takes a bare `off` for `false`.
fn read_action(field: &Field<'_>, faults: &mut Faults) -> Option<Action> {
    match field.node {
        Node::Boolean(false) => Some(Action::Off),
        _ => field.word(&ACTIONS, faults),
    }
}

/// In answers there is nobody to give values back to.
fn read_response(field: &Field<'_>, faults: &mut Faults) -> Option<Action> {
    let action = read_action(field, faults)?;
    if action == Action::Pseudonym {
        faults.add(&field.path, "pseudonyms are for requests, and given back in answers; use `mask` here");
    }
    Some(action)
}

fn read_key(field: &Field<'_>, faults: &mut Faults) -> Option<String> {
    let mut fields = Fields::of(field, faults)?;
    let name = fields.required("env", faults).and_then(|field| read_variable(&field, faults));
    fields.finish(faults);
    name
}

fn read_exceptions(
    field: &Field<'_>,
    known: &[&str],
    providers: &HashSet<String>,
    faults: &mut Faults,
) -> Vec<ExceptionEntry> {
    let mut exceptions = Vec::new();
    for item in field.list(faults).unwrap_or_default() {
        let Some(mut fields) = Fields::of(&item, faults) else { continue };
        let when = fields.optional("when").and_then(|field| read_when(&field, providers, faults));
        let models = fields.optional("models").map(|field| read_names(&field, faults));
        let request = fields.optional("request").map(|field| read_action(&field, faults));
        let response = fields.optional("response").map(|field| read_response(&field, faults));
        let rules = fields.optional("rules").map(|field| read_changes(&field, known, faults));
        fields.finish(faults);
        if request.is_none() && response.is_none() && rules.is_none() {
            faults.add(&item.path, "needs `request`, `response` or `rules`: it changes nothing");
        }
        exceptions.push(ExceptionEntry {
            when: when.unwrap_or_default(),
            models: models.unwrap_or_else(|| vec!["*".to_owned()]),
            request: request.flatten(),
            response: response.flatten(),
            rules: rules.unwrap_or_default(),
        });
    }
    exceptions
}

/// `rules` of an exception: names of rules or packs, and what is done.
fn read_changes(field: &Field<'_>, known: &[&str], faults: &mut Faults) -> Vec<(String, Action)> {
    let Some(fields) = Fields::of(field, faults) else { return Vec::new() };
    let mut changes = Vec::new();
    for (name, field) in fields.entries() {
        let Some(action) = read_action(&field, faults) else { continue };
        let mut names: Vec<String> =
            select(name).unwrap_or_default().iter().map(|rule| rule.name.to_owned()).collect();
        if names.is_empty() {
            names.push(name.to_owned());
        }
        let before = changes.len();
        let used = names.into_iter().filter(|name| known.contains(&name.as_str()));
        changes.extend(used.map(|name| (name, action)));
        if changes.len() == before {
            faults.add(&field.path, "is none of the rules of this policy");
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Document;

    fn read(redaction: &str) -> Result<RedactionEntry, Vec<String>> {
        let text = format!(
            "version: 1\nproviders: {{local: {{dialect: openai, endpoint: 'http://127.0.0.1:1', credential: none}}}}\nmodels: {{}}\nredaction: {redaction}\n"
        );
        let document = Document::parse(text.as_bytes())
            .map_err(|faults| faults.0.into_iter().map(|fault| fault.path).collect::<Vec<_>>())?;
        Ok(document.redaction.expect("a document without faults has its redaction"))
    }

    #[test]
    fn rules_are_packs_names_and_the_policys_own() {
        let entry = read(
            "{rules: [email, secret, {rule: credit_card, action: partial}, {name: employee_id, pattern: 'EMP-[0-9]{6}', context: [employee], validator: luhn, action: hash}, email], request: mask, response: warn, key: {env: REDACTION_KEY}, unreadable: refuse, exceptions: [{when: {providers: [local]}, models: ['gpt-*'], request: off, rules: {email: warn}}]}",
        )
        .expect("is right");
        let names: Vec<_> = entry.rules.iter().map(|used| (used.rule.name(), used.action)).collect();
        assert_eq!(names[0], ("employee_id", Some(Action::Hash)));
        assert!(names.contains(&("credit_card", Some(Action::Partial))) && names.contains(&("jwt", None)));
        assert_eq!(names.iter().filter(|(name, _)| *name == "email").count(), 1);
        assert_eq!((entry.request, entry.response), (Action::Mask, Action::Warn));
        assert_eq!((entry.key.as_deref(), entry.refuse_unreadable), (Some("REDACTION_KEY"), true));
        let [exception] = entry.exceptions.as_slice() else { panic!("one exception") };
        assert_eq!((exception.request, exception.response), (Some(Action::Off), None));
        assert_eq!(exception.rules, [("email".to_owned(), Action::Warn)]);
    }

    #[test]
    fn every_fault_is_told_by_its_path() {
        for (redaction, path) in [
            ("{}", ".rules"),
            ("{rules: [emial]}", ".rules[0]"),
            ("{rules: [{rule: emial}]}", ".rules[0].rule"),
            ("{rules: [{rule: email, pattern: x}]}", ".rules[0].pattern"),
            ("{rules: [{name: x}]}", ".rules[0].pattern"),
            ("{rules: [{name: X, pattern: x}]}", ".rules[0].name"),
            ("{rules: [{name: email, pattern: x}]}", ".rules[0].name"),
            ("{rules: [{name: secret, pattern: x}]}", ".rules[0].name"),
            ("{rules: [{name: x, pattern: a}, {name: x, pattern: b}]}", ".rules[1].name"),
            ("{rules: [{name: x, pattern: '('}]}", ".rules[0].pattern"),
            ("{rules: [{name: x, pattern: x, validator: y}]}", ".rules[0].validator"),
            ("{rules: [{name: x, pattern: x, context: ['é']}]}", ".rules[0].context"),
            ("{rules: [email], request: hide}", ".request"),
            ("{rules: [email], response: pseudonym, key: {env: K}}", ".response"),
            ("{rules: [email], request: hash}", ".key"),
            ("{rules: [{rule: email, action: pseudonym}]}", ".key"),
            ("{rules: [email], unreadable: drop}", ".unreadable"),
            (
                "{rules: [email], exceptions: [{when: {providers: [x]}, request: off}]}",
                ".exceptions[0].when.providers",
            ),
            ("{rules: [email], exceptions: [{when: {teams: [x]}}]}", ".exceptions[0]"),
            ("{rules: [email], exceptions: [{rules: {phone: off}}]}", ".exceptions[0].rules.phone"),
            ("{rules: [email], other: 1}", ".other"),
        ] {
            assert_eq!(read(redaction).unwrap_err(), [format!("redaction{path}")], "{redaction}");
        }
    }
}
