//! `limits`: how much may be used, by whom, and what happens then.

use std::collections::HashSet;

use super::access::{header_name, read_names, read_when};
use crate::limit::window::{Period, Zone};
use crate::limit::{Action, By, Unit};
use crate::policy::fields::{Field, Fields};
use crate::policy::node::Node;
use crate::policy::{Faults, WhenEntry};

/// One entry of `limits`.
#[derive(Clone, Debug)]
pub struct LimitEntry {
    /// Unique; it is told to clients.
    pub name: String,
    pub unit: Unit,
    /// `None` for calls at a time.
    pub period: Option<Period>,
    /// In the unit; nano-dollars for money.
    pub limit: u64,
    /// How much of a rate may be used at once.
    pub burst: Option<u64>,
    pub by: Vec<By>,
    pub models: Vec<String>,
    pub when: WhenEntry,
    pub action: Action,
    /// Shares of the limit, in thousandths.
    pub alert_at: Vec<u16>,
    /// Whether a stream is cut that outgrows the limit.
    pub mid_stream: bool,
    pub zone: Zone,
}

/// The most of any unit: far from where sums could overflow.
const MOST: u64 = 1 << 53;

pub(super) fn read_limits(
    field: &Field<'_>,
    providers: &HashSet<String>,
    models: &[super::ModelEntry],
    faults: &mut Faults,
) -> Vec<LimitEntry> {
    let mut names = HashSet::new();
    let mut limits = Vec::new();
    for item in field.list(faults).unwrap_or_default() {
        let Some(limit) = read_limit(&item, providers, models, faults) else { continue };
        if !names.insert(limit.name.clone()) {
            faults.add(format!("{}.name", item.path), format!("there is another limit `{}`", limit.name));
        }
        limits.push(limit);
    }
    limits
}

fn read_limit(
    field: &Field<'_>,
    providers: &HashSet<String>,
    models: &[super::ModelEntry],
    faults: &mut Faults,
) -> Option<LimitEntry> {
    let mut fields = Fields::of(field, faults)?;
    let name = fields.required("name", faults).and_then(|field| read_name(&field, faults));
    let unit = fields.required("unit", faults).and_then(|field| field.word(&Unit::WORDS, faults));
    let per = fields.optional("per").map(|field| (field.word(&Period::WORDS, faults), field.path));
    let amount = |field: &Field<'_>, faults: &mut Faults| match unit? {
        Unit::Usd => field.decimal(faults),
        _ => field.integer(0..=MOST, faults),
    };
    let limit = fields.required("limit", faults).and_then(|field| amount(&field, faults));
    let burst = fields.optional("burst").map(|field| (amount(&field, faults), field.path));
    let by = fields.optional("by").map(|field| read_by(&field, faults)).unwrap_or_default();
    let for_models = fields.optional("models").map(|field| read_names(&field, faults));
    let when = fields.optional("when").and_then(|field| read_when(&field, providers, faults));
    let action = fields.optional("action").map(|field| read_action(&field, models, faults));
    let alert_at = fields.optional("alert_at").map(|field| read_shares(&field, faults));
    let enforce = fields
        .optional("enforce")
        .map(|field| (field.word(&[("call", false), ("mid_stream", true)], faults), field.path));
    let zone = fields.optional("timezone").map(|field| (read_zone(&field, faults), field.path));
    fields.finish(faults);

    let unit = unit?;
    let is_rate = matches!(&per, Some((Some(Period::Second | Period::Minute), _)));
    match &per {
        None if unit != Unit::Concurrent => faults.add(format!("{}.per", field.path), "is missing"),
        Some((_, path)) if unit == Unit::Concurrent => {
            faults.add(path, "has no meaning for calls at a time; leave it out");
        }
        _ => {}
    }
    if let Some((_, path)) = &burst
        && !is_rate
    {
        faults.add(path, "has a meaning for limits per second or minute only");
    }
    if let Some((_, path)) = &zone
        && (is_rate || unit == Unit::Concurrent)
    {
        faults.add(path, "has a meaning for the windows of a calendar only: per hour, day or month");
    }
    if let Some((Some(true), path)) = &enforce
        && matches!(unit, Unit::Requests | Unit::InputTokens | Unit::Concurrent)
    {
        faults.add(path, "a stream does not outgrow a limit of this unit");
    }
    Some(LimitEntry {
        name: name?,
        unit,
        period: per.and_then(|(period, _)| period),
        limit: limit?,
        burst: burst.and_then(|(burst, _)| burst),
        by,
        models: for_models.unwrap_or_else(|| vec!["*".to_owned()]),
        when: when.unwrap_or_default(),
        action: action.unwrap_or(Some(Action::Refuse))?,
        alert_at: alert_at.unwrap_or_default(),
        mid_stream: enforce.and_then(|(mid_stream, _)| mid_stream).unwrap_or(false),
        zone: zone.and_then(|(zone, _)| zone).unwrap_or_else(Zone::utc),
    })
}

/// A limit's name reaches clients, is part of names in shared memory, and labels metrics.
fn read_name(field: &Field<'_>, faults: &mut Faults) -> Option<String> {
    let text = field.text(faults)?;
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || text.len() > 64 || !text.chars().all(good) {
        faults.add(&field.path, "a limit's name has 1 to 64 letters, digits, `-`, `_` and `.`");
        return None;
    }
    Some(text.to_owned())
}

fn read_by(field: &Field<'_>, faults: &mut Faults) -> Vec<By> {
    let words = ["user", "team", "key", "role", "model", "provider"];
    let mut by = Vec::new();
    for item in field.list(faults).unwrap_or_default() {
        let Some(text) = item.text(faults) else { continue };
        let each = match text {
            "user" => By::User,
            "team" => By::Team,
            "key" => By::Key,
            "role" => By::Role,
            "model" => By::Model,
            "provider" => By::Provider,
            _ => match text.strip_prefix("header:").map(header_name) {
                Some(Ok(name)) => By::Header(name),
                Some(Err(message)) => {
                    faults.add(&item.path, message);
                    continue;
                }
                None => {
                    let known = words.map(|word| format!("`{word}`")).join(", ");
                    faults.add(
                        &item.path,
                        format!("is `{text}`, but has to be one of {known}, `header:<name>`"),
                    );
                    continue;
                }
            },
        };
        match by.contains(&each) {
            true => faults.add(&item.path, format!("`{text}` stands there twice")),
            false => by.push(each),
        }
    }
    by
}

fn read_action(field: &Field<'_>, models: &[super::ModelEntry], faults: &mut Faults) -> Option<Action> {
    let Node::Map(_) = field.node else {
        let warns = field.word(&[("refuse", false), ("warn", true)], faults)?;
        return Some(if warns { Action::Warn } else { Action::Refuse });
    };
    let mut fields = Fields::of(field, faults)?;
    let model = fields
        .required("reroute", faults)
        .and_then(|field| Some((field.text(faults)?.to_owned(), field.path)));
    fields.finish(faults);
    let (model, path) = model?;
    if !models.iter().any(|entry| entry.name == model) {
        faults.add(path, format!("there is no model `{model}`"));
        return None;
    }
    Some(Action::Reroute(model))
}

/// Shares such as `0.8`, in thousandths.
fn read_shares(field: &Field<'_>, faults: &mut Faults) -> Vec<u16> {
    let mut shares: Vec<u16> = Vec::new();
    for item in field.list(faults).unwrap_or_default() {
        let Some(share) = item.decimal(faults) else { continue };
        match u16::try_from(share / 1_000_000) {
            Ok(thousandths @ 1..=10_000) if share % 1_000_000 == 0 => shares.push(thousandths),
            _ => faults.add(&item.path, "is a share such as 0.8, between 0.001 and 10, in whole thousandths"),
        }
    }
    shares.sort_unstable();
    shares.dedup();
    shares
}

fn read_zone(field: &Field<'_>, faults: &mut Faults) -> Option<Zone> {
    match Zone::parse(field.text(faults)?) {
        Ok(zone) => Some(zone),
        Err(message) => {
            faults.add(&field.path, message);
            None
        }
    }
}
