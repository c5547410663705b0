//! What a request's method and path ask of the gateway.

use super::{Call, ClientDialect, Listing, Passage};

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Service {
    /// Work of a kind that the gateway understands, in one of the clients' dialects.
    Task(Call),
    /// One of OpenAI's other APIs, whose bodies pass as they are.
    Passage(Passage),
    /// Which models there are.
    Models(Listing),
}

impl Service {
    /// What a request is for, by its method, its path (with its query), and whether it has a header of this name; `None`
    /// where nothing is served.
    pub fn of(method: &str, path: &str, has_header: impl Fn(&str) -> bool) -> Option<Self> {
        let task = || Call::of(method, path).map(Self::Task);
        let models = || Listing::of(method, path, has_header).map(Self::Models);
        task().or_else(models).or_else(|| Passage::of(method, path).map(Self::Passage))
    }

    /// The dialect in which the client has to be answered.
    pub fn client(&self) -> ClientDialect {
        match self {
            Self::Task(call) => call.dialect,
            Self::Models(listing) => listing.client(),
            Self::Passage(_) => ClientDialect::OpenAiChat,
        }
    }
}
