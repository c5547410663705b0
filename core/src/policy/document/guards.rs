//! `guards`: what prompts and answers may hold.

use std::collections::HashSet;
use std::sync::Arc;

use super::access::{read_names, read_when};
use super::judge::{self, JudgeEntry, Vendors, read_judge};
use crate::dialect::texts::Source;
use crate::guard::{Action, Place, Schema};
use crate::policy::fields::{Field, Fields};
use crate::policy::node::Node;
use crate::policy::{Faults, WhenEntry};
use crate::redact::Custom;

/// One entry of `guards`.
#[derive(Clone, Debug)]
pub struct GuardEntry {
    /// Unique; it is told to clients.
    pub name: String,
    pub kind: GuardKind,
    pub request: bool,
    pub response: bool,
    /// Whose texts of a request are looked at.
    pub sources: Vec<Source>,
    pub models: Vec<String>,
    pub when: WhenEntry,
    pub action: Action,
}

/// What a guard looks for, or does.
#[derive(Clone, Debug)]
pub enum GuardKind {
    /// Words and phrases.
    Words(Vec<String>),
    Pattern(String),
    /// Topics with their words, and how many of a topic's words a text has at least.
    Topics {
        topics: Vec<(String, Vec<String>)>,
        at_least: u32,
    },
    /// From which score on, in thousandths.
    PromptInjection {
        threshold: u32,
    },
    /// What is not said is not limited.
    PromptSize {
        tokens: Option<u64>,
        messages: Option<u64>,
        characters: Option<u64>,
    },
    SystemPrompt {
        text: String,
        place: Place,
    },
    /// What the text of an answer has to fit.
    AnswerSchema(Arc<Schema>),
    /// What an outside service says.
    Judge(Box<JudgeEntry>),
}

/// The score from which on a text is taken for an injection, in thousandths.
const THRESHOLD: u32 = 500;

const SOURCES: [(&str, Source); 6] = Source::WORDS;

pub(super) fn read_guards(
    field: &Field<'_>,
    providers: &HashSet<String>,
    entries: &[super::ProviderEntry],
    models: &[super::ModelEntry],
    faults: &mut Faults,
) -> Vec<GuardEntry> {
    let mut names = HashSet::new();
    let mut guards = Vec::new();
    for item in field.list(faults).unwrap_or_default() {
        let Some(guard) = read_guard(&item, Vendors { names: providers, entries }, models, faults) else {
            continue;
        };
        if !names.insert(guard.name.clone()) {
            faults.add(format!("{}.name", item.path), format!("there is another guard `{}`", guard.name));
        }
        guards.push(guard);
    }
    guards
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Words,
    Pattern,
    Topics,
    PromptInjection,
    PromptSize,
    SystemPrompt,
    AnswerSchema,
    Judge,
}

impl Word {
    const ALL: [(&str, Self); 8] = [
        ("words", Self::Words),
        ("pattern", Self::Pattern),
        ("topics", Self::Topics),
        ("prompt_injection", Self::PromptInjection),
        ("prompt_size", Self::PromptSize),
        ("system_prompt", Self::SystemPrompt),
        ("answer_schema", Self::AnswerSchema),
        ("judge", Self::Judge),
    ];

    /// Whether it looks for something that stands at places of texts.
    fn finds_places(self) -> bool {
        matches!(self, Self::Words | Self::Pattern | Self::Topics)
    }

    /// Whether it looks at texts by their sources.
    fn has_sources(self) -> bool {
        self.finds_places() || matches!(self, Self::PromptInjection | Self::Judge)
    }
}

fn read_guard(
    field: &Field<'_>,
    vendors: Vendors<'_>,
    models: &[super::ModelEntry],
    faults: &mut Faults,
) -> Option<GuardEntry> {
    let mut fields = Fields::of(field, faults)?;
    let name = fields.required("name", faults).and_then(|field| read_name(&field, faults));
    let word = fields.required("kind", faults).and_then(|field| field.word(&Word::ALL, faults));
    let kind = word.and_then(|word| match word {
        Word::Judge => read_judge(&mut fields, &field.path, vendors, faults)
            .map(|judge| GuardKind::Judge(Box::new(judge))),
        word => read_kind(word, &mut fields, &field.path, faults),
    });
    let on = fields.optional("on").map(|field| (read_on(&field, faults), field.path));
    let sources = fields.optional("sources").map(|field| (read_sources(&field, faults), field.path));
    let for_models = fields.optional("models").map(|field| read_names(&field, faults));
    let when = fields.optional("when").and_then(|field| {
        let when = read_when(&field, vendors.names, faults)?;
        if when.providers.is_some() || when.regions.is_some() {
            faults.add(
                &field.path,
                "a guard is asked before a target is chosen; leave out `providers` and `regions`",
            );
        }
        Some(when)
    });
    let action = fields.optional("action").map(|field| (read_action(&field, models, faults), field.path));
    fields.finish(faults);

    let word = word?;
    let of_answers = word == Word::AnswerSchema;
    let (request, response) = on.as_ref().map_or((!of_answers, of_answers), |(on, _)| *on);
    match &on {
        Some((_, path)) if of_answers && request => {
            faults.add(path, "this kind of guard looks at answers only")
        }
        Some((_, path)) if response && !of_answers && !word.finds_places() && word != Word::Judge => {
            faults.add(path, "this kind of guard looks at requests only");
        }
        _ => {}
    }
    if let Some((_, path)) = sources.as_ref().filter(|_| !word.has_sources()) {
        faults.add(path, "this kind of guard looks at no single texts");
    }
    if let (true, Some(GuardKind::Topics { at_least: 2.., .. })) = (response, &kind)
        && action.as_ref().is_none_or(|(action, _)| matches!(action, Some(Action::Refuse)))
    {
        faults.add(
            &field.path,
            "in an answer a topic is refused by its first word; leave out `at_least`, or `response`",
        );
    }
    let adds = matches!(kind, Some(GuardKind::SystemPrompt { place: Place::Prepend | Place::Append, .. }));
    match &action {
        Some((_, path)) if adds => {
            faults.add(path, "a system prompt that is added refuses nothing; leave it out")
        }
        Some((Some(Action::Replace(_)), path)) if !word.finds_places() => {
            faults.add(path, "`replace` is for words, patterns and topics");
        }
        Some((Some(Action::Reroute(_)), path)) if !request => {
            faults.add(path, "an answer can't be rerouted: it is there already");
        }
        _ => {}
    }
    if let Some(GuardKind::Judge(judge)) = &kind {
        let names = for_models.as_deref();
        judge::check(judge, response, names, models, &field.path, faults);
    }
    let otherwise = match word {
        Word::PromptInjection | Word::Judge => vec![Source::User, Source::ToolResult],
        _ => SOURCES.iter().map(|(_, source)| *source).collect(),
    };
    Some(GuardEntry {
        name: name?,
        kind: kind?,
        request,
        response,
        sources: sources.map_or(otherwise, |(sources, _)| sources),
        models: for_models.unwrap_or_else(|| vec!["*".to_owned()]),
        when: when.unwrap_or_default(),
        action: action.map_or(Some(Action::Refuse), |(action, _)| action)?,
    })
}

/// A guard's name reaches clients and labels metrics.
fn read_name(field: &Field<'_>, faults: &mut Faults) -> Option<String> {
    let text = field.text(faults)?;
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || text.len() > 64 || !text.chars().all(good) {
        faults.add(&field.path, "a guard's name has 1 to 64 letters, digits, `-`, `_` and `.`");
        return None;
    }
    Some(text.to_owned())
}

fn read_kind(word: Word, fields: &mut Fields<'_>, path: &str, faults: &mut Faults) -> Option<GuardKind> {
    Some(match word {
        Word::Words => GuardKind::Words(read_words(&fields.required("words", faults)?, faults)),
        Word::Pattern => {
            let field = fields.required("pattern", faults)?;
            let pattern = field.text(faults)?;
            if let Err(fault) = Custom::guard("", pattern, None) {
                faults.add(&field.path, fault.to_string());
            }
            GuardKind::Pattern(pattern.to_owned())
        }
        Word::Topics => {
            let at_least = fields.optional("at_least").map(|field| field.integer(1..=1000, faults));
            let entries = Fields::of(&fields.required("topics", faults)?, faults)?;
            let topics: Vec<_> = entries
                .entries()
                .map(|(name, field)| (name.to_owned(), read_words(&field, faults)))
                .collect();
            if topics.is_empty() {
                faults.add(path, "has no topics");
            }
            let at_least = at_least.unwrap_or(Some(1))?;
            GuardKind::Topics { topics, at_least: u32::try_from(at_least).unwrap_or(u32::MAX) }
        }
        Word::PromptInjection => {
            let threshold = fields.optional("threshold").map(|field| read_threshold(&field, faults));
            GuardKind::PromptInjection { threshold: threshold.unwrap_or(Some(THRESHOLD))? }
        }
        Word::PromptSize => {
            let mut most = |name: &str, faults: &mut Faults| {
                fields.optional(name).and_then(|field| field.integer(1..=1 << 40, faults))
            };
            let (tokens, messages, characters) =
                (most("max_tokens", faults), most("max_messages", faults), most("max_characters", faults));
            if tokens.is_none() && messages.is_none() && characters.is_none() {
                faults.add(path, "needs `max_tokens`, `max_messages` or `max_characters`");
            }
            GuardKind::PromptSize { tokens, messages, characters }
        }
        Word::SystemPrompt => {
            let text = fields.required("text", faults).and_then(|field| {
                let text = field.text(faults)?;
                if text.trim().is_empty() {
                    faults.add(&field.path, "is empty");
                }
                Some(text.to_owned())
            });
            let place = fields.optional("place").map(|field| field.word(&Place::WORDS, faults));
            GuardKind::SystemPrompt { text: text?, place: place.unwrap_or(Some(Place::Prepend))? }
        }
        Word::AnswerSchema => {
            let field = fields.required("schema", faults)?;
            match Schema::new(field.node) {
                Ok(schema) => GuardKind::AnswerSchema(Arc::new(schema)),
                Err(found) => {
                    for (path, message) in found {
                        let path = if path.is_empty() { path } else { format!(".{path}") };
                        faults.add(format!("{}{path}", field.path), message);
                    }
                    return None;
                }
            }
        }
        Word::Judge => return None,
    })
}

/// One word or phrase, or a list of them.
fn read_words(field: &Field<'_>, faults: &mut Faults) -> Vec<String> {
    let words = read_names(field, faults);
    for word in &words {
        if let Err(fault) = crate::guard::words_pattern(word) {
            faults.add(&field.path, fault);
        }
    }
    words
}

pub(super) fn read_threshold(field: &Field<'_>, faults: &mut Faults) -> Option<u32> {
    let billionths = field.decimal(faults)?;
    let thousandths = u32::try_from(billionths / 1_000_000).ok().filter(|score| (1..=1000).contains(score));
    if thousandths.is_none() {
        faults.add(&field.path, "is a score between 0.001 and 1");
    }
    thousandths
}

fn read_on(field: &Field<'_>, faults: &mut Faults) -> (bool, bool) {
    let names = read_names(field, faults);
    for name in names.iter().filter(|name| !matches!(name.as_str(), "request" | "response")) {
        faults.add(&field.path, format!("is `{name}`, but has to be one of `request`, `response`"));
    }
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    (has("request"), has("response"))
}

fn read_sources(field: &Field<'_>, faults: &mut Faults) -> Vec<Source> {
    let mut sources = Vec::new();
    for name in read_names(field, faults) {
        match SOURCES.iter().find(|(word, _)| *word == name) {
            Some((_, source)) => sources.push(*source),
            None => {
                let known: Vec<_> = SOURCES.iter().map(|(word, _)| format!("`{word}`")).collect();
                faults.add(&field.path, format!("is `{name}`, but has to be one of {}", known.join(", ")));
            }
        }
    }
    sources
}

fn read_action(field: &Field<'_>, models: &[super::ModelEntry], faults: &mut Faults) -> Option<Action> {
    let Node::Map(_) = field.node else {
        let words = [("refuse", 0), ("warn", 1), ("log", 2)];
        return Some(match field.word(&words, faults)? {
            0 => Action::Refuse,
            1 => Action::Warn,
            _ => Action::Log,
        });
    };
    let mut fields = Fields::of(field, faults)?;
    let replace = fields.optional("replace").map(|field| read_instead(&field, faults));
    let reroute = fields.optional("reroute").map(|field| {
        let name = field.text(faults)?;
        if !models.iter().any(|entry| entry.name == name) {
            faults.add(&field.path, format!("there is no model `{name}`"));
            return None;
        }
        Some(name.to_owned())
    });
    fields.finish(faults);
    match (replace, reroute) {
        (Some(instead), None) => instead.map(Action::Replace),
        (None, Some(model)) => model.map(Action::Reroute),
        _ => {
            faults.add(&field.path, "has to be `refuse`, `warn`, `log`, `{replace: …}` or `{reroute: …}`");
            None
        }
    }
}

/// What comes in the place of a finding stands within strings of JSON too.
fn read_instead(field: &Field<'_>, faults: &mut Faults) -> Option<String> {
    let text = field.text(faults)?;
    if text.len() > 256 || text.chars().any(|c| matches!(c, '"' | '\\') || c.is_control()) {
        faults.add(
            &field.path,
            "has at most 256 bytes, no quotation marks, no backslashes and nothing that controls",
        );
        return None;
    }
    Some(text.to_owned())
}
