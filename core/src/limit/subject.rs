//! What a limit counts by, and the names of its counters.

use sha2::{Digest as _, Sha256};

use super::Call;

/// What a limit has a counter each for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum By {
    User,
    Team,
    Key,
    /// A caller with several roles counts for each of them.
    Role,
    /// The name that clients send.
    Model,
    /// Who serves the call.
    Provider,
    /// The first value of a header, by its name in lower case. A client sends what it likes.
    Header(String),
}

/// Between the parts of a subject; the names that they are made of have no control characters.
const SEPARATOR: char = '\u{1f}';
/// What is longer is known by its digest.
const MAX_PART_BYTES: usize = 128;

impl By {
    pub(super) fn header(&self) -> Option<&str> {
        match self {
            Self::Header(name) => Some(name),
            _ => None,
        }
    }

    /// The word in the policy.
    pub fn word(&self) -> String {
        match self {
            Self::User => "user".to_owned(),
            Self::Team => "team".to_owned(),
            Self::Key => "key".to_owned(),
            Self::Role => "role".to_owned(),
            Self::Model => "model".to_owned(),
            Self::Provider => "provider".to_owned(),
            Self::Header(name) => format!("header:{name}"),
        }
    }

    fn values<'a>(&'a self, call: Call<'a>, provider: &'a str) -> Vec<&'a str> {
        let of_caller = call.caller;
        let one = |value: Option<&'a str>| vec![value.unwrap_or_default()];
        match self {
            Self::User => one(of_caller.and_then(|caller| caller.user.as_deref())),
            Self::Team => one(of_caller.and_then(|caller| caller.team.as_deref())),
            Self::Key => one(of_caller.map(|caller| caller.id.as_str())),
            Self::Role => match of_caller.map(|caller| caller.roles.as_slice()) {
                Some(roles @ [_, ..]) => roles.iter().map(String::as_str).collect(),
                _ => one(None),
            },
            Self::Model => one(Some(call.model)),
            Self::Provider => one(Some(provider)),
            Self::Header(name) => one(call.asking.header_values(name).next()),
        }
    }
}

/// The counters that a call is counted by: one, or one for each role of its caller. Whoever has nothing of what is counted by
/// shares a counter with the others who have not.
pub(super) fn subjects(by: &[By], call: Call<'_>, provider: &str) -> Vec<String> {
    let mut subjects = vec![String::new()];
    for (position, each) in by.iter().enumerate() {
        let values = each.values(call, provider);
        let longer = subjects.iter().flat_map(|subject| {
            values.iter().map(move |value| {
                let mut longer = subject.clone();
                if position > 0 {
                    longer.push(SEPARATOR);
                }
                push(value, &mut longer);
                longer
            })
        });
        subjects = longer.collect();
    }
    subjects.sort_unstable();
    subjects.dedup();
    subjects
}

fn push(value: &str, subject: &mut String) {
    match value.len() <= MAX_PART_BYTES && !value.contains(SEPARATOR) {
        true => subject.push_str(value),
        false => {
            let digest = Sha256::digest(value.as_bytes());
            subject.push_str("sha256-");
            subject.extend(digest.iter().map(|byte| format!("{byte:02x}")));
        }
    }
}

/// The subject of these values, in the order of what is counted by.
pub(super) fn join(values: &[&str]) -> String {
    let mut subject = String::new();
    for (position, value) in values.iter().enumerate() {
        if position > 0 {
            subject.push(SEPARATOR);
        }
        push(value, &mut subject);
    }
    subject
}

/// The parts of a subject, in the order of what it counts by.
pub fn parts(subject: &str) -> impl Iterator<Item = &str> {
    subject.split(SEPARATOR)
}
