//! What a provider can't do of a request, by the names that the client used.

use super::{ClientDialect, Excess};
use crate::conversation::{Field, Other};
use crate::failure::Failure;

/// Collects what a dialect had to leave out of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lacks {
    client: ClientDialect,
    parameters: Vec<String>,
    contents: Vec<String>,
    omissions: Vec<String>,
    excesses: Vec<Excess>,
}

impl Lacks {
    /// Nothing is lacking yet of a request in this dialect.
    pub fn new(client: ClientDialect) -> Self {
        Self {
            client,
            parameters: Vec::new(),
            contents: Vec::new(),
            omissions: Vec::new(),
            excesses: Vec::new(),
        }
    }

    pub(super) fn client(&self) -> ClientDialect {
        self.client
    }

    /// A parameter (`seed`) that the provider has nothing for: the policy may allow to leave it out. What only
    /// [advises](ClientDialect::is_advice) the vendor is an [omission](Self::omission).
    pub fn parameter(&mut self, field: Field<'_>) {
        let name = self.client.name(field);
        match self.client.is_advice(&name) {
            true => self.omissions.push(name),
            false => self.parameters.push(name),
        }
    }

    /// Something that is part of what is said: never to be left out.
    pub fn content(&mut self, field: Field<'_>) {
        self.contents.push(self.client.name(field));
    }

    /// A parameter that is left out whatever the policy says, because refusing it would break what clients can't
    /// help: it is only named.
    pub fn omission(&mut self, field: Field<'_>) {
        self.omissions.push(self.client.name(field));
    }

    /// A value that is out of range, so that another was written: the policy may allow that. `demand` completes the
    /// sentence "'path' …".
    pub(super) fn exceeds(&mut self, field: Field<'_>, demand: String) {
        self.excesses.push(Excess { parameter: self.client.name(field), demand });
    }

    /// What the client's dialect has and the canonical request has no word for: no other dialect has one either.
    pub fn others(&mut self, others: &[Other]) {
        for other in others {
            match other.content {
                true => self.content(Field::Path(&other.path)),
                false => self.parameter(Field::Path(&other.path)),
            }
        }
    }

    /// The failure of a request whose field has a value that can't be; `reason` completes the sentence "'path' …".
    pub fn invalid_value(&self, field: Field<'_>, reason: &str) -> Failure {
        Failure::invalid_value(self.client.name(field), reason)
    }

    /// The parameters that were left out, in the order in which they were noted.
    pub fn parameters(&self) -> &[String] {
        &self.parameters
    }

    /// The contents that could not be said.
    pub fn contents(&self) -> &[String] {
        &self.contents
    }

    /// The parameters that are left out under every policy.
    pub fn omissions(&self) -> &[String] {
        &self.omissions
    }

    /// The values in whose place others were written.
    pub fn excesses(&self) -> &[Excess] {
        &self.excesses
    }
}
