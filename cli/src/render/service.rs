//! The service of the module, and the cluster by which it reaches the source of keys.

use sluice_core::policy::{SourceEntry, SourcePlace};

use super::tree::Tree;
use super::{Error, Input, side, wasm};

/// The bootstrap extension, where the document gives the service something to do.
pub(super) fn extension(input: &Input<'_>) -> Option<Tree> {
    source(input).map(|_| wasm::service(input))
}

/// The cluster of `callers.source.endpoint`; one that the document only names is the operator's.
pub(super) fn cluster(input: &Input<'_>) -> Result<Option<Tree>, Error> {
    let Some(source) = source(input) else { return Ok(None) };
    match &source.place {
        SourcePlace::Cluster(_) => Ok(None),
        SourcePlace::Endpoint(endpoint) => {
            side::cluster(input, source.cluster(), endpoint, "callers.source.endpoint").map(Some)
        }
    }
}

fn source<'i>(input: &'i Input<'_>) -> Option<&'i SourceEntry> {
    input.document.callers.source.as_ref()
}
