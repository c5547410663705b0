//! A policy's redaction, compiled: which action each rule has, for whom and where.

use std::sync::Arc;

use super::action::Action;
use super::redactor::{Redactor, RuleId, Selection};
use super::session::{Keys, Session, keyed};
use crate::access::{Asking, Patterns, Place, When};
use crate::identity::Caller;
use crate::policy::{RedactionEntry, RuleChoice};

/// A policy's redaction.
#[derive(Debug)]
pub struct Redaction {
    redactor: Arc<Redactor>,
    keys: Keys,
    pub refuse_unreadable: bool,
    /// What holds where no exception does, and then that of each exception.
    tables: Vec<Table>,
    exceptions: Vec<Exception>,
}

/// What is done with what each rule finds.
#[derive(Debug)]
struct Table {
    request: Arc<[Action]>,
    response: Arc<[Action]>,
}

#[derive(Debug)]
struct Exception {
    when: When,
    models: Patterns,
}

/// Which of a policy's tables of actions holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice(usize);

/// Which way a text goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    Request,
    Response,
}

impl Redaction {
    /// `secret`: of which the keys of hashes and pseudonyms are made. `None` when the rules are too many.
    pub(crate) fn new(entry: &RedactionEntry, secret: &[u8]) -> Option<Self> {
        let selection = entry.rules.iter().map(|used| match &used.rule {
            RuleChoice::BuiltIn(rule) => Selection::BuiltIn(rule),
            RuleChoice::Custom(custom) => Selection::Custom(custom.clone()),
        });
        let redactor = Arc::new(Redactor::new(selection.collect())?);
        let plain = |direction: Action| -> Vec<Action> {
            entry.rules.iter().map(|used| of_rule(direction, used.action)).collect()
        };
        let (request, response) = (plain(entry.request), plain(entry.response));
        let mut tables = Vec::new();
        for exception in &entry.exceptions {
            let change = |before: &[Action], direction: Option<Action>| -> Vec<Action> {
                let rules = entry.rules.iter().zip(before);
                let changed = rules.map(|(used, before)| {
                    let own = exception.rules.iter().rev().find(|(name, _)| name == used.rule.name());
                    match (own, direction) {
                        (Some((_, action)), _) => *action,
                        (None, Some(direction)) => of_rule(direction, used.action),
                        (None, None) => *before,
                    }
                });
                changed.collect()
            };
            tables
                .push(Table::new(change(&request, exception.request), change(&response, exception.response)));
        }
        tables.insert(0, Table::new(request, response));
        let exceptions = entry.exceptions.iter().map(|exception| Exception {
            when: When::new(&exception.when),
            models: Patterns::new(&exception.models),
        });
        let keys = Keys {
            hash: keyed(secret, &[b"hash"]).to_vec(),
            pseudonym: keyed(secret, &[b"pseudonym"]).to_vec(),
            conversation: Vec::new(),
        };
        let refuse_unreadable = entry.refuse_unreadable;
        Some(Self { redactor, keys, refuse_unreadable, tables, exceptions: exceptions.collect() })
    }

    /// The headers that exceptions ask for.
    pub(crate) fn headers(&self) -> impl Iterator<Item = &str> {
        self.exceptions.iter().flat_map(|exception| exception.when.headers())
    }

    /// What holds for a call of a model at a place: the first exception that matches decides.
    pub fn choose(&self, caller: Option<&Caller>, asking: &Asking, model: &str, place: Place<'_>) -> Choice {
        let found = self.exceptions.iter().position(|exception| {
            exception.models.matches(model)
                && exception.when.matches(caller, asking)
                && exception.when.matches_target(place)
        });
        Choice(found.map_or(0, |position| position + 1))
    }

    /// Whether anything is looked for.
    pub fn looks(&self, choice: Choice, direction: Direction) -> bool {
        self.actions(choice, direction).iter().any(|action| *action != Action::Off)
    }

    /// Whether anything is replaced.
    pub fn replaces(&self, choice: Choice, direction: Direction) -> bool {
        self.actions(choice, direction).iter().any(|action| !matches!(action, Action::Off | Action::Warn))
    }

    /// Whether answers may hold what has to be given back.
    pub fn gives_back(&self, choice: Choice) -> bool {
        self.actions(choice, Direction::Request).contains(&Action::Pseudonym)
    }

    /// A rule's name.
    pub fn name(&self, rule: RuleId) -> &str {
        self.redactor.name(rule)
    }

    /// What one exchange does with what is found. `conversation` tells its pseudonyms from those of others.
    pub fn session(&self, choice: Choice, direction: Direction, conversation: &[u8]) -> Session {
        let keys = Keys { conversation: conversation.to_vec(), ..self.keys.clone() };
        let table = self.tables.get(choice.0);
        let actions = table.map_or_else(|| Arc::from([]), |table| Arc::clone(table.of(direction)));
        Session::new(Arc::clone(&self.redactor), actions, keys)
    }

    /// A word that stands for a conversation by how it begins, and says nothing of it.
    pub fn conversation(&self, caller: &str, beginning: &str) -> [u8; 32] {
        keyed(&self.keys.pseudonym, &[b"conversation", caller.as_bytes(), beginning.as_bytes()])
    }

    fn actions(&self, choice: Choice, direction: Direction) -> &[Action] {
        self.tables.get(choice.0).map(|table| &**table.of(direction)).unwrap_or_default()
    }
}

/// A rule's own action holds in the place of one that replaces or blocks; where a direction is off or only warns, all rules do.
fn of_rule(direction: Action, own: Option<Action>) -> Action {
    match direction {
        Action::Off | Action::Warn => direction,
        _ => own.unwrap_or(direction),
    }
}

impl Table {
    fn new(request: Vec<Action>, response: Vec<Action>) -> Self {
        // In answers there is nobody to give values back to.
        let given = |action| if action == Action::Pseudonym { Action::Mask } else { action };
        Self { request: request.into(), response: response.into_iter().map(given).collect() }
    }

    fn of(&self, direction: Direction) -> &Arc<[Action]> {
        match direction {
            Direction::Request => &self.request,
            Direction::Response => &self.response,
        }
    }
}

impl Direction {
    /// The word for it in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
        }
    }
}
