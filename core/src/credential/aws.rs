//! AWS Signature Version 4: requests signed with an access key.

use std::time::Duration;

use super::{Secret, Unsigned};
use crate::failure::Failure;

/// An AWS access key.
#[derive(Debug)]
pub struct AwsKeys {
    pub access_key_id: Secret,
    pub secret_access_key: Secret,
    pub session_token: Option<Secret>,
    pub region: String,
}

impl AwsKeys {
    /// The headers that sign a request to the service `bedrock`.
    pub(super) fn sign(
        &self,
        _request: Unsigned<'_>,
        _now: Duration,
    ) -> Result<Vec<(&'static str, String)>, Failure> {
        Err(Failure::operator("AWS signatures are not made yet."))
    }
}
