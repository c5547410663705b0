//! What a rate-limit service has answered, and what is wrong with it.

use std::fmt;

use super::wire::{self, Response};

/// An answer to a call, as the host has it.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The HTTP status; `None` for no answer at all.
    pub status: Option<u16>,
    /// `grpc-status`, of the headers or the trailers.
    pub grpc_status: Option<&'a str>,
    pub body: &'a [u8],
}

/// How asking for all counters has ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub trouble: Option<Trouble>,
    /// Whether this is news for the operator's log.
    pub is_news: bool,
    /// So many counters are known of the whole fleet for the first time.
    pub learned: Option<usize>,
}

/// Why the service's word is worth nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It could not be asked, or didn't answer.
    Unreachable,
    /// It answered with this status of HTTP.
    Status(u16),
    /// It answered with this status of gRPC.
    Refused(u16),
    /// Its answer can't be read, or doesn't say what remains.
    Malformed,
    /// It keeps no count under the name of this limit's counters, or counts them not far enough.
    Unknown(String),
    /// What it said could not be put into shared memory.
    Unwritable,
}

/// gRPC's words for a service that isn't there: a deadline that has passed, and unavailable.
const UNREACHABLE: [u16; 2] = [4, 14];

impl Answer<'_> {
    /// The statuses of so many descriptors.
    pub(super) fn statuses(&self, expected: usize) -> Result<Vec<wire::Status>, Trouble> {
        let grpc_status = self.grpc_status.map(|status| status.trim().parse::<u16>());
        match (self.status, grpc_status) {
            (None | Some(502..=504), _) => return Err(Trouble::Unreachable),
            (_, Some(Ok(status))) if UNREACHABLE.contains(&status) => return Err(Trouble::Unreachable),
            (_, Some(Ok(status @ 1..))) => return Err(Trouble::Refused(status)),
            (Some(200), Some(Ok(0))) => {}
            (Some(200), _) => return Err(Trouble::Malformed),
            (Some(status), _) => return Err(Trouble::Status(status)),
        }
        let Response { statuses } = wire::unframe(self.body).ok_or(Trouble::Malformed)?;
        match statuses.len() == expected {
            true => Ok(statuses),
            false => Err(Trouble::Malformed),
        }
    }
}

impl Trouble {
    /// One word, for a label of metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Status(_) => "status",
            Self::Refused(_) => "refused",
            Self::Malformed => "malformed",
            Self::Unknown(_) => "unknown_limit",
            Self::Unwritable => "unwritable",
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable => f.write_str("the rate-limit service can't be reached"),
            Self::Status(status) => write!(f, "the rate-limit service answers with the status {status}"),
            Self::Refused(status) => {
                write!(f, "the rate-limit service answers with the status {status} of gRPC")
            }
            Self::Malformed => f.write_str("the rate-limit service doesn't say what remains of limits"),
            Self::Unknown(limit) => {
                write!(f, "the rate-limit service doesn't count for the limit `{limit}`, or not far enough")
            }
            Self::Unwritable => f.write_str("what the fleet has used can't be put into shared memory"),
        }
    }
}
