//! The counters that a policy can name before anybody has called: those that a gateway asks for when it starts.

use std::collections::BTreeSet;

use crate::access::Patterns;
use crate::limit::subject::join;
use crate::limit::{By, Limits};
use crate::policy::{Document, WhenEntry};

/// At most so many are asked for; of more, the rest when they are first used.
pub const MOST: usize = 4096;

/// What a policy names.
struct Names<'d> {
    document: &'d Document,
    models: Vec<&'d str>,
    providers: Vec<&'d str>,
    callers: Vec<Named<'d>>,
}

/// A caller, as far as a policy names him.
#[derive(Clone, Copy, Default)]
struct Named<'d> {
    user: Option<&'d str>,
    team: Option<&'d str>,
    key: Option<&'d str>,
    role: Option<&'d str>,
}

/// The subjects of all limits that are told, each with its limit's position. Whether there are more of them than
/// [`MOST`] stands beside.
pub(super) fn counters(document: &Document, limits: &Limits) -> (Vec<(usize, String)>, bool) {
    let names = Names::of(document);
    let mut found = Vec::new();
    for (position, limit) in limits.iter().enumerate().filter(|(_, limit)| limit.book.tells()) {
        let models = Patterns::new(document.limits.get(position).map_or(&[][..], |entry| &entry.models));
        for subject in names.subjects(&limit.by, &models) {
            if found.len() == MOST {
                return (found, true);
            }
            found.push((position, subject));
        }
    }
    (found, false)
}

impl<'d> Names<'d> {
    fn of(document: &'d Document) -> Self {
        let mut names = Self {
            document,
            models: document.models.iter().map(|model| model.name.as_str()).collect(),
            providers: document.providers.iter().map(|provider| provider.name.as_str()).collect(),
            callers: Vec::new(),
        };
        let mut add = |named: Named<'d>, roles: &'d [String]| {
            names.callers.push(named);
            names.callers.extend(roles.iter().map(|role| Named { role: Some(role), ..named }));
        };
        for key in &document.callers.keys {
            let named = Named {
                user: key.user.as_deref(),
                team: key.team.as_deref(),
                key: Some(&key.id),
                role: None,
            };
            add(named, &key.roles);
        }
        for entry in &document.callers.mtls {
            let named =
                Named { user: entry.user.as_deref(), team: entry.team.as_deref(), ..Named::default() };
            add(named, &entry.roles);
        }
        names
    }

    /// The conditions that name callers of whom no key does: those with tokens.
    fn conditions(&self) -> impl Iterator<Item = &'d WhenEntry> {
        let rules = self.document.access.iter().map(|rule| &rule.when);
        rules.chain(self.document.limits.iter().map(|limit| &limit.when))
    }

    fn subjects(&self, by: &[By], models: &Patterns) -> BTreeSet<String> {
        let of_callers: Vec<&By> =
            by.iter().filter(|by| !matches!(by, By::Model | By::Provider | By::Header(_))).collect();
        let mut callers = match of_callers.is_empty() {
            true => vec![Named::default()],
            false => self.callers.clone(),
        };
        // Names of conditions are found where a limit counts by one thing of its callers: nobody knows which go together.
        if let [by] = of_callers.as_slice() {
            callers.extend(self.conditions().flat_map(|when| named_by(by, when)));
        }
        let mut subjects = BTreeSet::new();
        for caller in callers {
            let mut ways = vec![Vec::new()];
            for by in by {
                let values: Vec<&str> = match by {
                    By::User => caller.user.into_iter().collect(),
                    By::Team => caller.team.into_iter().collect(),
                    By::Key => caller.key.into_iter().collect(),
                    By::Role => caller.role.into_iter().collect(),
                    By::Model => self.models.iter().copied().filter(|model| models.matches(model)).collect(),
                    By::Provider => self.providers.clone(),
                    By::Header(_) => Vec::new(),
                };
                ways = ways
                    .iter()
                    .flat_map(|way: &Vec<&str>| {
                        values.iter().map(|value| way.iter().copied().chain([*value]).collect())
                    })
                    .take(MOST + 1)
                    .collect();
            }
            subjects.extend(ways.iter().map(|way| join(way)));
            if subjects.len() > MOST {
                break;
            }
        }
        subjects
    }
}

/// The names in a condition that a limit by this counts, without those that stand for several.
fn named_by<'d>(by: &By, when: &'d WhenEntry) -> Vec<Named<'d>> {
    let names = match by {
        By::User => &when.users,
        By::Team => &when.teams,
        By::Key => &when.keys,
        By::Role => &when.roles,
        By::Model | By::Provider | By::Header(_) => &None,
    };
    let names = names.iter().flatten().map(String::as_str).filter(|name| !name.contains('*'));
    names
        .map(|name| match by {
            By::User => Named { user: Some(name), ..Named::default() },
            By::Team => Named { team: Some(name), ..Named::default() },
            By::Key => Named { key: Some(name), ..Named::default() },
            _ => Named { role: Some(name), ..Named::default() },
        })
        .collect()
}
