//! What went wrong with an exchange, and who is to blame: each blame fixes the status and what may be said.

use std::borrow::Cow;

/// An exchange that failed. Its text is fit for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub blame: Blame,
    /// The HTTP status that the client gets.
    pub status: u16,
    pub kind: Kind,
    /// A word for programs (`model_not_found`).
    pub code: Option<Cow<'static, str>>,
    /// Words for people.
    pub message: Cow<'static, str>,
    /// The parameter that is wrong, by its path in the client's body.
    pub parameter: Option<String>,
    /// When it may be worth another try, in seconds from now.
    pub retry_after: Option<u64>,
}

const MALFORMED: &str = "provider_malformed";

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The client sent what can't be served.
    Client,
    /// The provider failed, or refused.
    Provider,
    /// The policy forbids it.
    Policy,
    /// The gateway is not set up as it has to be.
    Operator,
}

/// What sort of failure it is; each dialect has its own word for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    InvalidRequest,
    Authentication,
    Permission,
    NotFound,
    TooLarge,
    RateLimit,
    /// An account has nothing left to spend.
    Quota,
    Timeout,
    Overloaded,
    Server,
}

impl Failure {
    /// The client's body is wrong; `parameter` says where.
    pub fn invalid(message: impl Into<Cow<'static, str>>, parameter: Option<String>) -> Self {
        Self {
            blame: Blame::Client,
            status: 400,
            kind: Kind::InvalidRequest,
            code: None,
            message: message.into(),
            parameter,
            retry_after: None,
        }
    }

    /// The client's body has a value that can't be; `reason` completes the sentence "'path' …".
    pub fn invalid_value(path: impl Into<String>, reason: &str) -> Self {
        let path = path.into();
        Self::invalid(format!("Invalid value: '{path}' {reason}."), Some(path)).code("invalid_value")
    }

    /// A provider failed, with this status for the client.
    pub fn provider(status: u16, message: impl Into<Cow<'static, str>>) -> Self {
        let kind = Kind::of_status(status);
        Self {
            blame: Blame::Provider,
            status,
            kind,
            code: None,
            message: message.into(),
            parameter: None,
            retry_after: None,
        }
    }

    /// A provider sent what can't be read.
    pub fn malformed(message: &'static str) -> Self {
        Self::provider(502, message).code(MALFORMED)
    }

    /// Whether it is that what the provider sent can't be read.
    pub(crate) fn is_malformed(&self) -> bool {
        self.code.as_deref() == Some(MALFORMED)
    }

    /// A provider's stream ended before its answer did.
    pub fn truncated() -> Self {
        Self::provider(502, "The provider's stream ended early.").code("stream_truncated")
    }

    /// The gateway can't do its work, and the client can't help it.
    pub fn operator(message: impl Into<Cow<'static, str>>) -> Self {
        Self { blame: Blame::Operator, ..Self::provider(500, message) }
    }

    /// The same, with another status.
    pub fn status(self, status: u16) -> Self {
        Self { status, kind: Kind::of_status(status), ..self }
    }

    /// The same, with a word for programs.
    pub fn code(self, code: impl Into<Cow<'static, str>>) -> Self {
        Self { code: Some(code.into()), ..self }
    }
}

impl Kind {
    /// The sort of failure that an HTTP status stands for.
    pub fn of_status(status: u16) -> Self {
        match status {
            401 => Self::Authentication,
            403 => Self::Permission,
            404 => Self::NotFound,
            408 | 504 => Self::Timeout,
            413 => Self::TooLarge,
            429 => Self::RateLimit,
            503 | 529 => Self::Overloaded,
            400..=499 => Self::InvalidRequest,
            _ => Self::Server,
        }
    }
}
