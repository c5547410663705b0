//! `callers.source`: where keys come from that change without a new policy.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::VerifyingKey;

use crate::policy::fields::{Field, Fields};
use crate::policy::node::Node;
use crate::policy::{Endpoint, Faults};

/// `callers.source`.
#[derive(Clone, Debug)]
pub struct SourceEntry {
    pub place: SourcePlace,
    /// The path and query of the bundle.
    pub path: String,
    /// How often the bundle is asked for.
    pub refresh: Duration,
    /// Who may sign bundles; never empty.
    pub public_keys: Vec<VerifyingKey>,
    /// How long the last good bundle stays in force when the source no longer confirms it; for ever where `None`.
    pub stale: Option<Duration>,
}

/// Where the source is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourcePlace {
    /// At an address, for which a cluster is rendered.
    Endpoint(Endpoint),
    /// Behind a cluster that the operator's Envoy has.
    Cluster(String),
}

/// The cluster that is rendered for a source's `endpoint`.
const CLUSTER: &str = "sluice-key-source";
const DEFAULT_REFRESH: Duration = Duration::from_secs(30);
const REFRESH: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);

impl SourceEntry {
    /// The cluster by which the source is reached.
    pub fn cluster(&self) -> &str {
        match &self.place {
            SourcePlace::Endpoint(_) => CLUSTER,
            SourcePlace::Cluster(name) => name,
        }
    }

    /// What the source is asked for: `:authority` and `:path`.
    pub fn target(&self) -> (&str, String) {
        match &self.place {
            SourcePlace::Endpoint(endpoint) => {
                (&endpoint.authority, format!("{}{}", endpoint.path, self.path))
            }
            SourcePlace::Cluster(name) => (name, self.path.clone()),
        }
    }
}

pub(super) fn read_source(field: &Field<'_>, faults: &mut Faults) -> Option<SourceEntry> {
    let mut fields = Fields::of(field, faults)?;
    let endpoint = fields.optional("endpoint").map(|field| read_endpoint(&field, faults));
    let cluster = fields.optional("cluster").map(|field| read_cluster(&field, faults));
    let path = fields.required("path", faults).and_then(|field| read_path(&field, faults));
    let refresh = fields.optional("refresh").map(|field| read_refresh(&field, faults));
    let public_keys =
        fields.required("public_key", faults).and_then(|field| read_public_keys(&field, faults));
    let stale = fields.optional("stale").map(|field| field.duration(faults));
    fields.finish(faults);
    let place = match (endpoint, cluster) {
        (Some(endpoint), None) => endpoint.map(SourcePlace::Endpoint),
        (None, Some(cluster)) => cluster.map(SourcePlace::Cluster),
        _ => {
            faults.add(&field.path, "needs `endpoint` or `cluster`, one of them");
            None
        }
    };
    Some(SourceEntry {
        place: place?,
        path: path?,
        refresh: refresh.unwrap_or(Some(DEFAULT_REFRESH))?,
        public_keys: public_keys?,
        stale: stale.map_or(Some(None), |stale| stale.map(Some))?,
    })
}

pub(super) fn read_endpoint(field: &Field<'_>, faults: &mut Faults) -> Option<Endpoint> {
    let text = field.text(faults)?;
    Endpoint::parse(text).map_err(|reason| faults.add(&field.path, format!("`{text}` {reason}"))).ok()
}

pub(super) fn read_cluster(field: &Field<'_>, faults: &mut Faults) -> Option<String> {
    let text = field.text(faults)?;
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        faults.add(&field.path, "is not a cluster's name");
        return None;
    }
    Some(text.to_owned())
}

pub(super) fn read_path(field: &Field<'_>, faults: &mut Faults) -> Option<String> {
    let text = field.text(faults)?;
    if !text.starts_with('/') || text.contains('#') || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        faults.add(&field.path, format!("`{text}` is not a path such as /keys.bundle"));
        return None;
    }
    Some(text.to_owned())
}

fn read_refresh(field: &Field<'_>, faults: &mut Faults) -> Option<Duration> {
    let refresh = field.duration(faults)?;
    if !REFRESH.contains(&refresh) {
        faults.add(&field.path, "has to lie between 1s and 1day");
        return None;
    }
    Some(refresh)
}

/// One key or several: while signers change, both are accepted.
fn read_public_keys(field: &Field<'_>, faults: &mut Faults) -> Option<Vec<VerifyingKey>> {
    let items = match field.node {
        Node::List(_) => field.list(faults)?,
        node => vec![Field { path: field.path.clone(), node }],
    };
    if items.is_empty() {
        faults.add(&field.path, "is empty");
    }
    let keys: Vec<_> = items.iter().filter_map(|item| read_public_key(item, faults)).collect();
    (!keys.is_empty()).then_some(keys)
}

fn read_public_key(field: &Field<'_>, faults: &mut Faults) -> Option<VerifyingKey> {
    let bytes: Option<[u8; 32]> =
        STANDARD.decode(field.text(faults)?).ok().and_then(|bytes| bytes.try_into().ok());
    let key = bytes.and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok()).filter(|key| !key.is_weak());
    if key.is_none() {
        // Not shown: somebody may have put the private key there.
        faults.add(&field.path, "has to be an Ed25519 public key, 32 bytes in base64");
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Document;

    const KEY: &str = "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";

    fn read(source: &str) -> Result<SourceEntry, Vec<String>> {
        let text = format!("version: 1\nproviders: {{}}\nmodels: {{}}\ncallers: {{source: {source}}}\n");
        let document = Document::parse(text.replace("KEY", KEY).as_bytes())
            .map_err(|faults| faults.0.into_iter().map(|fault| fault.path).collect::<Vec<_>>())?;
        Ok(document.callers.source.expect("a document without faults has its source"))
    }

    #[test]
    fn a_source_is_an_endpoint_or_a_cluster() {
        let source =
            read("{endpoint: 'https://keys.example:8443/team/', path: '/keys?v=1', public_key: KEY}")
                .unwrap();
        assert_eq!(source.cluster(), CLUSTER);
        assert_eq!(source.target(), ("keys.example:8443", "/team/keys?v=1".to_owned()));
        assert_eq!((source.refresh, source.stale), (DEFAULT_REFRESH, None));

        let source =
            read("{cluster: keys, path: /k, refresh: 5s, stale: 1h, public_key: [KEY, KEY]}").unwrap();
        assert_eq!((source.cluster(), source.target()), ("keys", ("keys", "/k".to_owned())));
        assert_eq!((source.refresh.as_secs(), source.stale), (5, Some(Duration::from_secs(3600))));
        assert_eq!(source.public_keys.len(), 2);
    }

    #[test]
    fn every_fault_is_told_by_its_path() {
        for (source, path) in [
            ("{path: /k, public_key: KEY}", ""),
            ("{endpoint: 'https://a', cluster: b, path: /k, public_key: KEY}", ""),
            ("{endpoint: 'ftp://a', path: /k, public_key: KEY}", ".endpoint"),
            ("{cluster: 'a b', path: /k, public_key: KEY}", ".cluster"),
            ("{cluster: a, path: k, public_key: KEY}", ".path"),
            ("{cluster: a, path: \"/k\\r\\nx\", public_key: KEY}", ".path"),
            ("{cluster: a, public_key: KEY}", ".path"),
            ("{cluster: a, path: /k}", ".public_key"),
            ("{cluster: a, path: /k, public_key: []}", ".public_key"),
            ("{cluster: a, path: /k, public_key: [KEY, short]}", ".public_key[1]"),
            (
                "{cluster: a, path: /k, public_key: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=}",
                ".public_key",
            ),
            ("{cluster: a, path: /k, public_key: KEY, refresh: 100ms}", ".refresh"),
            ("{cluster: a, path: /k, public_key: KEY, refresh: 2days}", ".refresh"),
            ("{cluster: a, path: /k, public_key: KEY, stale: soon}", ".stale"),
            ("{cluster: a, path: /k, public_key: KEY, other: 1}", ".other"),
        ] {
            assert_eq!(read(source).unwrap_err(), [format!("callers.source{path}")], "{source}");
        }
    }
}
