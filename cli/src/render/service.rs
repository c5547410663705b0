//! The service of the module, and the clusters by which it reaches the source of keys and the service that keeps count.

use sluice_core::policy::{SourceEntry, SourcePlace, SyncEntry};

use super::tree::Tree;
use super::{Error, Input, side, wasm};

/// The bootstrap extension, where the document gives the service something to do.
pub(super) fn extension(input: &Input<'_>) -> Option<Tree> {
    let has_limits = !input.document.limits.is_empty();
    (source(input).is_some() || has_limits).then(|| wasm::service(input))
}

/// The clusters of `callers.source.endpoint` and `limits_sync.endpoint`; one that the document only names is the
/// operator's.
pub(super) fn clusters(input: &Input<'_>) -> Result<Vec<Tree>, Error> {
    let mut clusters = Vec::new();
    if let Some(source) = source(input)
        && let SourcePlace::Endpoint(endpoint) = &source.place
    {
        clusters.push(side::cluster(input, source.cluster(), endpoint, "callers.source.endpoint")?);
    }
    if let Some(sync) = sync(input)
        && let SourcePlace::Endpoint(endpoint) = &sync.place
    {
        clusters.push(side::grpc(input, sync.cluster(), endpoint, "limits_sync.endpoint")?);
    }
    Ok(clusters)
}

fn source<'i>(input: &'i Input<'_>) -> Option<&'i SourceEntry> {
    input.document.callers.source.as_ref()
}

fn sync<'i>(input: &'i Input<'_>) -> Option<&'i SyncEntry> {
    input.document.limits_sync.as_ref()
}
