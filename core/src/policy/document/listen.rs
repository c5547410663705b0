//! `listen`: where the gateway is.

use crate::policy::Faults;
use crate::policy::fields::{Field, Fields};

/// `listen`: where `sluice render` and `sluice run` put the gateway.
#[derive(Clone, Debug)]
pub struct Listen {
    pub address: String,
    /// 0 for a free port.
    pub port: u16,
    /// Envoy's administration interface, always on the loopback address; 0 for a free port.
    pub admin_port: u16,
    /// The largest request or response body that is held, in bytes.
    pub max_body_bytes: u32,
}

const DEFAULT_ADDRESS: &str = "127.0.0.1";
const DEFAULT_PORT: u16 = 10000;
const DEFAULT_ADMIN_PORT: u16 = 9901;
const DEFAULT_MAX_BODY_BYTES: u32 = 16 << 20;

impl Default for Listen {
    fn default() -> Self {
        Self {
            address: DEFAULT_ADDRESS.to_owned(),
            port: DEFAULT_PORT,
            admin_port: DEFAULT_ADMIN_PORT,
            max_body_bytes: DEFAULT_MAX_BODY_BYTES,
        }
    }
}

pub(super) fn read_listen(field: &Field<'_>, faults: &mut Faults) -> Option<Listen> {
    let mut fields = Fields::of(field, faults)?;
    let mut listen = Listen::default();
    if let Some(field) = fields.optional("address")
        && let Some(address) = field.text(faults)
    {
        match address.parse::<std::net::IpAddr>() {
            Ok(_) => listen.address = address.to_owned(),
            Err(_) => faults.add(&field.path, format!("`{address}` is not an IP address")),
        }
    }
    let mut port = |name, into: &mut u16| {
        let port = fields.optional(name).and_then(|field| field.integer(0..=65535, faults));
        *into = port.and_then(|port| u16::try_from(port).ok()).unwrap_or(*into);
    };
    port("port", &mut listen.port);
    port("admin_port", &mut listen.admin_port);
    if let Some(bytes) =
        fields.optional("max_body_bytes").and_then(|field| field.integer(1024..=1 << 30, faults))
    {
        listen.max_body_bytes = u32::try_from(bytes).unwrap_or(listen.max_body_bytes);
    }
    fields.finish(faults);
    Some(listen)
}
