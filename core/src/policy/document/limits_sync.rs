//! `limits_sync`: by which rate-limit service the gateways of a fleet tell each other what has been used.

use std::time::Duration;

use super::source::{read_cluster, read_endpoint};
use crate::policy::fields::{Field, Fields};
use crate::policy::{Faults, SourcePlace};

/// `limits_sync`.
#[derive(Clone, Debug)]
pub struct SyncEntry {
    pub place: SourcePlace,
    /// Under which the service keeps the counters of this fleet.
    pub domain: String,
    /// How often the service is asked.
    pub interval: Duration,
    pub on_lost: OnLost,
    pub check: SyncCheck,
}

/// What happens to calls that a limit holds for when the service has been silent for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLost {
    /// They are judged by what is known here.
    Local,
    Refuse,
}

/// Who asks the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncCheck {
    /// The module, beside the calls.
    Background,
    /// Envoy's own filter, for each call.
    Synchronous,
}

/// The cluster that is rendered for an `endpoint`.
const CLUSTER: &str = "sluice-limits-sync";
const DEFAULT_DOMAIN: &str = "sluice";
const DEFAULT_INTERVAL: Duration = Duration::from_secs(1);
const INTERVAL: std::ops::RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(300);
/// The shortest time after which a silent service is lost.
const PATIENCE: Duration = Duration::from_secs(5);

impl SyncEntry {
    /// The cluster by which the service is reached.
    pub fn cluster(&self) -> &str {
        match &self.place {
            SourcePlace::Endpoint(_) => CLUSTER,
            SourcePlace::Cluster(name) => name,
        }
    }

    /// The `:authority` of requests to the service.
    pub fn authority(&self) -> &str {
        match &self.place {
            SourcePlace::Endpoint(endpoint) => &endpoint.authority,
            SourcePlace::Cluster(name) => name,
        }
    }

    /// How old the service's last good word may be.
    pub fn patience(&self) -> Duration {
        self.interval.saturating_mul(3).max(PATIENCE)
    }

    /// Whether the module itself asks the service.
    pub fn is_background(&self) -> bool {
        self.check == SyncCheck::Background
    }
}

pub(super) fn read_limits_sync(field: &Field<'_>, faults: &mut Faults) -> Option<SyncEntry> {
    let mut fields = Fields::of(field, faults)?;
    let endpoint = fields.optional("endpoint").map(|field| read_address(&field, faults));
    let cluster = fields.optional("cluster").map(|field| read_cluster(&field, faults));
    let domain = fields.optional("domain").map(|field| read_domain(&field, faults));
    let interval = fields.optional("interval").map(|field| (read_interval(&field, faults), field.path));
    let words = [("local", OnLost::Local), ("refuse", OnLost::Refuse)];
    let on_lost = fields.optional("on_lost").map(|field| (field.word(&words, faults), field.path));
    let words = [("background", SyncCheck::Background), ("synchronous", SyncCheck::Synchronous)];
    let check = fields.optional("check").map(|field| field.word(&words, faults));
    fields.finish(faults);
    let place = match (endpoint, cluster) {
        (Some(endpoint), None) => endpoint.map(SourcePlace::Endpoint),
        (None, Some(cluster)) => cluster.map(SourcePlace::Cluster),
        _ => {
            faults.add(&field.path, "needs `endpoint` or `cluster`, one of them");
            None
        }
    };
    let check = check.unwrap_or(Some(SyncCheck::Background))?;
    if let (SyncCheck::Synchronous, Some((_, path))) = (check, &interval) {
        faults.add(path, "has no meaning with `check: synchronous`: each call asks");
    }
    Some(SyncEntry {
        place: place?,
        domain: domain.unwrap_or_else(|| Some(DEFAULT_DOMAIN.to_owned()))?,
        interval: interval.map_or(Some(DEFAULT_INTERVAL), |(interval, _)| interval)?,
        on_lost: on_lost.map_or(Some(OnLost::Local), |(on_lost, _)| on_lost)?,
        check,
    })
}

/// An address alone: what is asked of it has a path of its own.
fn read_address(field: &Field<'_>, faults: &mut Faults) -> Option<crate::policy::Endpoint> {
    let endpoint = read_endpoint(field, faults)?;
    if !endpoint.path.is_empty() {
        faults.add(&field.path, "must not have a path");
        return None;
    }
    Some(endpoint)
}

fn read_domain(field: &Field<'_>, faults: &mut Faults) -> Option<String> {
    let text = field.text(faults)?;
    if text.is_empty() || text.len() > 128 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        faults.add(&field.path, "a domain has 1 to 128 visible ASCII characters");
        return None;
    }
    Some(text.to_owned())
}

fn read_interval(field: &Field<'_>, faults: &mut Faults) -> Option<Duration> {
    let interval = field.duration(faults)?;
    if !INTERVAL.contains(&interval) {
        faults.add(&field.path, "has to lie between 100ms and 5m");
        return None;
    }
    Some(interval)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Document;

    fn read(sync: &str) -> Result<SyncEntry, Vec<String>> {
        let text = format!("version: 1\nproviders: {{}}\nmodels: {{}}\nlimits_sync: {sync}\n");
        let document = Document::parse(text.as_bytes())
            .map_err(|faults| faults.0.into_iter().map(|fault| fault.path).collect::<Vec<_>>())?;
        Ok(document.limits_sync.expect("a document without faults has it"))
    }

    #[test]
    fn the_service_is_at_an_endpoint_or_behind_a_cluster() {
        let entry = read("{endpoint: 'http://127.0.0.1:8081'}").unwrap();
        assert_eq!((entry.cluster(), entry.authority()), (CLUSTER, "127.0.0.1:8081"));
        assert_eq!((entry.domain.as_str(), entry.interval), ("sluice", DEFAULT_INTERVAL));
        assert_eq!((entry.on_lost, entry.check), (OnLost::Local, SyncCheck::Background));
        assert_eq!(entry.patience(), Duration::from_secs(5));

        let entry = read("{cluster: rls, domain: eu, interval: 10s, on_lost: refuse}").unwrap();
        assert_eq!((entry.cluster(), entry.authority()), ("rls", "rls"));
        assert_eq!((entry.on_lost, entry.patience()), (OnLost::Refuse, Duration::from_secs(30)));
        assert!(!read("{cluster: rls, check: synchronous}").unwrap().is_background());
    }

    #[test]
    fn every_fault_is_told_by_its_path() {
        for (sync, path) in [
            ("{domain: a}", ""),
            ("{endpoint: 'http://a', cluster: b}", ""),
            ("{endpoint: 'a:8081'}", ".endpoint"),
            ("{endpoint: 'http://a/b'}", ".endpoint"),
            ("{cluster: 'a b'}", ".cluster"),
            ("{cluster: a, domain: ''}", ".domain"),
            ("{cluster: a, domain: 'a b'}", ".domain"),
            ("{cluster: a, interval: 10ms}", ".interval"),
            ("{cluster: a, interval: soon}", ".interval"),
            ("{cluster: a, interval: 1s, check: synchronous}", ".interval"),
            ("{cluster: a, on_lost: wait}", ".on_lost"),
            ("{cluster: a, check: never}", ".check"),
            ("{cluster: a, other: 1}", ".other"),
        ] {
            assert_eq!(read(sync).unwrap_err(), [format!("limits_sync{path}")], "{sync}");
        }
    }
}
