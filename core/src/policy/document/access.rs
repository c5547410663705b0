//! `access`: who may use what, rule by rule.

use std::collections::HashSet;

use crate::access::hours::{DAY, DAYS, EVERY_DAY};
use crate::access::{Effect, Hours};
use crate::dialect::ProviderDialect;
use crate::exchange::is_internal;
use crate::policy::Faults;
use crate::policy::fields::{Field, Fields};

/// One entry of `access`.
#[derive(Clone, Debug)]
pub struct RuleEntry {
    /// Its own, or its place in the document: `access[2]`.
    pub name: String,
    pub effect: Effect,
    /// The models that are allowed or denied.
    pub models: Vec<String>,
    pub when: WhenEntry,
    pub require: RequireEntry,
}

/// `when` of a rule: all of what is there has to hold, and of each list one item.
#[derive(Clone, Debug, Default)]
pub struct WhenEntry {
    pub users: Option<Vec<String>>,
    pub teams: Option<Vec<String>>,
    pub roles: Option<Vec<String>>,
    pub keys: Option<Vec<String>>,
    pub providers: Option<Vec<String>>,
    pub regions: Option<Vec<String>>,
    pub dialects: Option<Vec<String>>,
    pub endpoints: Option<Vec<String>>,
    /// Names in lower case, and what the value has to match.
    pub headers: Vec<(String, String)>,
    pub time: Option<Hours>,
}

/// `require` of a rule: what a target has to have.
#[derive(Clone, Debug, Default)]
pub struct RequireEntry {
    pub regions: Option<Vec<String>>,
    pub providers: Option<Vec<String>>,
}

/// The words of `when.dialects`.
const DIALECTS: [&str; 5] = ["openai", "anthropic", "gemini", "cohere", "jina"];

pub(super) fn read_access(
    field: &Field<'_>,
    providers: &HashSet<String>,
    faults: &mut Faults,
) -> Vec<RuleEntry> {
    let mut names = HashSet::new();
    let mut rules = Vec::new();
    for item in field.list(faults).unwrap_or_default() {
        let Some(rule) = read_rule(&item, providers, faults) else { continue };
        if !names.insert(rule.name.clone()) {
            faults.add(format!("{}.name", item.path), format!("there is another rule `{}`", rule.name));
        }
        rules.push(rule);
    }
    rules
}

fn read_rule(field: &Field<'_>, providers: &HashSet<String>, faults: &mut Faults) -> Option<RuleEntry> {
    let mut fields = Fields::of(field, faults)?;
    let name = fields.optional("name").and_then(|field| read_name(&field, faults));
    let allow = fields.optional("allow").map(|field| read_names(&field, faults));
    let deny = fields.optional("deny").map(|field| read_names(&field, faults));
    let when = fields.optional("when").and_then(|field| read_when(&field, providers, faults));
    let require = fields.optional("require").and_then(|field| read_require(&field, providers, faults));
    fields.finish(faults);
    let requires = require.is_some();
    let mut fault = |message: &str| {
        faults.add(&field.path, message);
        None
    };
    let (effect, models) = match (allow, deny) {
        (Some(_), Some(_)) => return fault("has `allow` and `deny`, but one rule does one of them"),
        (None, Some(_)) if requires => {
            return fault("`require` stands beside `allow` or alone, not beside `deny`");
        }
        (Some(models), None) => (Effect::Allow, models),
        (None, Some(models)) => (Effect::Deny, models),
        (None, None) if requires => (Effect::Require, vec!["*".to_owned()]),
        (None, None) => return fault("needs `allow`, `deny` or `require`"),
    };
    Some(RuleEntry {
        name: name.unwrap_or_else(|| field.path.clone()),
        effect,
        models,
        when: when.unwrap_or_default(),
        require: require.unwrap_or_default(),
    })
}

/// A rule's name reaches clients.
fn read_name(field: &Field<'_>, faults: &mut Faults) -> Option<String> {
    let text = field.text(faults)?;
    if text.is_empty() || text.chars().count() > 64 || text.chars().any(char::is_control) {
        faults.add(&field.path, "a rule's name has 1 to 64 characters, and none that controls");
        return None;
    }
    Some(text.to_owned())
}

/// One name or a list of them; an empty list would match nothing.
pub(super) fn read_names(field: &Field<'_>, faults: &mut Faults) -> Vec<String> {
    let names: Vec<String> = match field.node {
        crate::policy::node::Node::Text(text) => vec![text.clone()],
        _ => {
            let Some(items) = field.list(faults) else { return Vec::new() };
            if items.is_empty() {
                faults.add(
                    &field.path,
                    "is empty, so nothing can match it; leave it out where it must not matter",
                );
            }
            items.iter().filter_map(|item| item.text(faults)).map(str::to_owned).collect()
        }
    };
    if names.iter().any(|name| name.is_empty() || name.len() > 256) {
        faults.add(&field.path, "a name here has 1 to 256 characters");
    }
    names
}

pub(super) fn read_when(
    field: &Field<'_>,
    providers: &HashSet<String>,
    faults: &mut Faults,
) -> Option<WhenEntry> {
    let mut fields = Fields::of(field, faults)?;
    let mut names = |name: &str| fields.optional(name).map(|field| read_names(&field, faults));
    let (users, teams, roles, keys) = (names("users"), names("teams"), names("roles"), names("keys"));
    let regions = names("regions");
    let read_providers = |field: Field<'_>| read_provider_names(&field, providers, faults);
    let providers = fields.optional("providers").map(read_providers);
    let dialects = fields.optional("dialects").map(|field| read_dialects(&field, faults));
    let endpoints = fields.optional("endpoints").map(|field| read_endpoints(&field, faults));
    let headers = fields.optional("headers").map(|field| read_headers(&field, faults)).unwrap_or_default();
    let time = fields.optional("time").and_then(|field| read_hours(&field, faults));
    fields.finish(faults);
    Some(WhenEntry { users, teams, roles, keys, providers, regions, dialects, endpoints, headers, time })
}

fn read_require(field: &Field<'_>, providers: &HashSet<String>, faults: &mut Faults) -> Option<RequireEntry> {
    let mut fields = Fields::of(field, faults)?;
    let regions = fields.optional("region").map(|field| read_names(&field, faults));
    let required = fields.optional("provider").map(|field| read_provider_names(&field, providers, faults));
    fields.finish(faults);
    if regions.is_none() && required.is_none() {
        faults.add(&field.path, "needs `region` or `provider`");
    }
    Some(RequireEntry { regions, providers: required })
}

fn read_provider_names(field: &Field<'_>, providers: &HashSet<String>, faults: &mut Faults) -> Vec<String> {
    let names = read_names(field, faults);
    for name in names.iter().filter(|name| !name.contains('*') && !providers.contains(*name)) {
        faults.add(&field.path, format!("there is no provider `{name}`"));
    }
    names
}

fn read_dialects(field: &Field<'_>, faults: &mut Faults) -> Vec<String> {
    let names = read_names(field, faults);
    for name in names.iter().filter(|name| !DIALECTS.contains(&name.as_str())) {
        let known = DIALECTS.map(|word| format!("`{word}`")).join(", ");
        faults.add(&field.path, format!("`{name}` is none of the clients' dialects {known}"));
    }
    names
}

fn read_endpoints(field: &Field<'_>, faults: &mut Faults) -> Vec<String> {
    let names = read_names(field, faults);
    for name in names.iter().filter(|name| !name.starts_with('/') && !name.starts_with('*')) {
        faults.add(&field.path, format!("`{name}` is not a path such as /v1/embeddings"));
    }
    names
}

/// A header that may be asked for, by its name in lower case.
pub(super) fn header_name(name: &str) -> Result<String, &'static str> {
    let name = name.to_ascii_lowercase();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if name.is_empty() || !name.chars().all(plain) {
        return Err("is not the name of a header");
    }
    if ProviderDialect::CREDENTIAL_HEADERS.contains(&name.as_str()) || is_internal(&name) {
        return Err("is a header that no rule may ask for");
    }
    Ok(name)
}

fn read_headers(field: &Field<'_>, faults: &mut Faults) -> Vec<(String, String)> {
    let Some(fields) = Fields::of(field, faults) else { return Vec::new() };
    let mut headers = Vec::new();
    for (name, field) in fields.entries() {
        match (header_name(name), field.text(faults)) {
            (Err(message), _) => faults.add(&field.path, message),
            (Ok(name), Some(pattern)) => headers.push((name, pattern.to_owned())),
            (Ok(_), None) => {}
        }
    }
    if headers.is_empty()
        && matches!(field.node, crate::policy::node::Node::Map(entries) if entries.is_empty())
    {
        faults.add(&field.path, "is empty; leave it out where it must not matter");
    }
    headers
}

fn read_hours(field: &Field<'_>, faults: &mut Faults) -> Option<Hours> {
    let mut fields = Fields::of(field, faults)?;
    let mut clock = |name: &str, otherwise: u16, faults: &mut Faults| {
        let Some(field) = fields.optional(name) else { return Some(otherwise) };
        let text = field.text(faults)?;
        let minutes = minutes(text).filter(|minutes| *minutes <= DAY);
        if minutes.is_none() {
            faults.add(&field.path, format!("`{text}` is not a time of the day such as \"08:30\""));
        }
        minutes
    };
    let (from, to) = (clock("from", 0, faults), clock("to", DAY, faults));
    let days = fields.optional("days").map_or(Some(EVERY_DAY), |field| read_days(&field, faults));
    let offset = fields.optional("offset").map_or(Some(0), |field| read_offset(&field, faults));
    fields.finish(faults);
    let hours = Hours { from: from?, to: to?, days: days?, offset: offset? };
    if hours.from == hours.to {
        faults.add(&field.path, "ends when it begins, so nothing can match it");
    }
    Some(hours)
}

/// `08:30` as minutes.
fn minutes(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let two = |text: &str| -> Option<u16> {
        (text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
    };
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    (hours <= 24 && minutes < 60).then(|| hours * 60 + minutes)
}

fn read_days(field: &Field<'_>, faults: &mut Faults) -> Option<u8> {
    let names = read_names(field, faults);
    let mut days = 0;
    for name in &names {
        match DAYS.iter().position(|day| day == name) {
            Some(day) => days |= 1 << day,
            None => faults.add(&field.path, format!("`{name}` is not one of {}", DAYS.join(", "))),
        }
    }
    Some(days)
}

/// `+02:00` or `-05:00` or `Z`, as minutes east of UTC.
fn read_offset(field: &Field<'_>, faults: &mut Faults) -> Option<i16> {
    let text = field.text(faults)?;
    let east = match (text, text.split_at_checked(1)) {
        ("Z", _) => Some(0),
        (_, Some(("+", rest))) => minutes(rest).and_then(|minutes| i16::try_from(minutes).ok()),
        (_, Some(("-", rest))) => {
            minutes(rest).and_then(|minutes| i16::try_from(minutes).ok()).map(|east| -east)
        }
        _ => None,
    };
    let east = east.filter(|minutes| (-12 * 60..=14 * 60).contains(minutes));
    if east.is_none() {
        faults.add(&field.path, format!("`{text}` is not a fixed distance from UTC such as \"+02:00\""));
    }
    east
}
