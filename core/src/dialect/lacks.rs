//! What a provider can't do of a request, by the names that the client used.

/// Collects what a dialect had to leave out of a request.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Lacks {
    parameters: Vec<String>,
    contents: Vec<String>,
    omissions: Vec<String>,
}

impl Lacks {
    /// A parameter (`seed`) that the provider has nothing for: the policy may allow to leave it out.
    pub fn parameter(&mut self, path: impl Into<String>) {
        self.parameters.push(path.into());
    }

    /// Something that is part of what is said (`messages[1].content[0].input_audio`): never to be left out.
    pub fn content(&mut self, path: impl Into<String>) {
        self.contents.push(path.into());
    }

    /// A parameter that is left out whatever the policy says, because refusing it would break what clients can't
    /// help: it is only named.
    pub fn omission(&mut self, path: impl Into<String>) {
        self.omissions.push(path.into());
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
}
