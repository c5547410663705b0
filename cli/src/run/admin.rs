//! Asks Envoy's admin interface whether it is ready, and where it listens.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use ureq::Agent;

/// Envoy's admin interface.
pub(super) struct Admin {
    address: SocketAddr,
    agent: Agent,
}

/// Where a ready Envoy can be reached.
pub(super) struct Addresses {
    pub(super) listener: SocketAddr,
    pub(super) admin: SocketAddr,
}

impl Admin {
    /// The interface at the address that Envoy has written to this file; nothing as long as it has not.
    pub(super) fn from_file(path: &Path) -> Option<Self> {
        let address = fs::read_to_string(path).ok()?.trim().parse().ok()?;
        // No proxy: an environment's HTTP_PROXY is not for this machine's own addresses.
        let config = Agent::config_builder().timeout_global(Some(Duration::from_secs(2))).proxy(None).build();
        Some(Self { address, agent: config.into() })
    }

    /// The addresses once Envoy is live and its listener is bound; nothing before.
    pub(super) fn ready(&self) -> Option<Addresses> {
        if self.get("/ready")?.trim() != "LIVE" {
            return None;
        }
        let listener = listener(&self.get("/listeners?format=json")?)?;
        Some(Addresses { listener, admin: self.address })
    }

    fn get(&self, path: &str) -> Option<String> {
        let mut answer = self.agent.get(format!("http://{}{path}", self.address)).call().ok()?;
        answer.body_mut().read_to_string().ok()
    }
}

/// The address of the listener `sluice` in the answer to `/listeners?format=json`.
fn listener(json: &str) -> Option<SocketAddr> {
    let answer: serde_json::Value = serde_json::from_str(json).ok()?;
    let listeners = answer.get("listener_statuses")?.as_array()?;
    let listener =
        listeners.iter().find(|listener| listener.get("name").is_some_and(|name| name == "sluice"))?;
    let address = listener.get("local_address")?.get("socket_address")?;
    let port = u16::try_from(address.get("port_value")?.as_u64()?).ok().filter(|port| *port != 0)?;
    Some(SocketAddr::new(address.get("address")?.as_str()?.parse().ok()?, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_listener_is_found_by_its_name() {
        let json = r#"{"listener_statuses": [
            {"name": "other", "local_address": {"socket_address": {"address": "127.0.0.1", "port_value": 1}}},
            {"name": "sluice", "local_address": {"socket_address": {"address": "::1", "port_value": 10000}}}
        ]}"#;
        assert_eq!(listener(json), Some("[::1]:10000".parse().unwrap()));
    }

    #[test]
    fn a_listener_that_is_not_bound_yet_has_no_address() {
        for json in [
            "",
            "{}",
            r#"{"listener_statuses": []}"#,
            r#"{"listener_statuses": [{"name": "sluice", "local_address":
                {"socket_address": {"address": "127.0.0.1", "port_value": 0}}}]}"#,
        ] {
            assert_eq!(listener(json), None, "{json}");
        }
    }
}
