//! The clusters by which outside judges are asked: one for each provider among them, one for each webhook.

use std::collections::BTreeSet;

use sluice_core::policy::{GuardKind, JudgeAsks, SourcePlace};

use super::tree::Tree;
use super::{Error, Input, side};

/// In the document's order. They are none of those that models have: what becomes of judges' calls takes no provider away from
/// clients.
pub(super) fn clusters(input: &Input<'_>) -> Result<Vec<Tree>, Error> {
    let mut rendered = BTreeSet::new();
    let mut clusters = Vec::new();
    for entry in &input.document.guards {
        let GuardKind::Judge(judge) = &entry.kind else { continue };
        let endpoint = match &judge.asks {
            JudgeAsks::Moderation { provider, .. } | JudgeAsks::Chat { provider, .. } => {
                let provider = input.document.providers.iter().find(|known| known.name == *provider);
                provider.map(|provider| &provider.endpoint)
            }
            JudgeAsks::Webhook { place: SourcePlace::Endpoint(endpoint), .. } => Some(endpoint),
            // The operator's own.
            JudgeAsks::Webhook { place: SourcePlace::Cluster(_), .. } => None,
        };
        let name = judge.cluster(&entry.name);
        if let Some(endpoint) = endpoint
            && rendered.insert(name.clone())
        {
            clusters.push(side::cluster(input, &name, endpoint, &format!("guards: {}", entry.name))?);
        }
    }
    Ok(clusters)
}
