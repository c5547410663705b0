//! The service root: one for each Envoy, on its main thread. It does what no call waits for.

mod counters;
mod keys;
mod limits;

use std::time::Duration;

use sluice_core::policy::Document;

use crate::host;
use counters::Counters;
use keys::Keys;
use limits::Limits;

/// How often the root looks whether something is to be done, unless some of it is to be done more often.
const TICK: Duration = Duration::from_millis(500);
/// Until the first look: Envoy's clusters are ready once it serves, which is after the root was configured.
const FIRST_TICK: Duration = Duration::from_millis(20);

/// What the service root works on.
pub struct Service {
    keys: Option<Keys>,
    limits: Option<Limits>,
    counters: Option<Counters>,
    tick: Duration,
    ticking: bool,
}

impl Service {
    /// Takes the policy document; credentials of providers are none of the service's business.
    pub fn new(document: &[u8]) -> Result<Self, String> {
        let document = Document::parse(document).map_err(|faults| faults.to_string())?;
        Self::set_up(&document)
            .map_err(|host::Refused(status)| format!("the service could not be set up (status {status})"))
    }

    fn set_up(document: &Document) -> Result<Self, host::Refused> {
        let keys = document.callers.source.clone().map(Keys::new).transpose()?;
        let limits = Limits::new(document).transpose()?;
        let counters = Counters::new(document);
        if keys.is_some() || limits.is_some() || counters.is_some() {
            host::set_tick(FIRST_TICK)?;
        }
        let tick = limits.as_ref().map_or(TICK, |limits| limits.interval().min(TICK));
        Ok(Self { keys, limits, counters, tick, ticking: false })
    }

    pub fn tick(&mut self) {
        if !self.ticking {
            self.ticking = host::set_tick(self.tick).is_ok();
        }
        if let Some(keys) = &mut self.keys {
            keys.tick(self.tick);
        }
        if let Some(limits) = &mut self.limits {
            limits.tick(self.tick);
        }
        if let Some(counters) = &mut self.counters {
            counters.tick();
        }
    }

    /// A call has been answered, with a body of this size, or will not be.
    pub fn answered(&mut self, call: u32, size: usize) {
        if let Some(keys) = &mut self.keys
            && keys.takes(call)
        {
            keys.answered(size);
        } else if let Some(limits) = &mut self.limits
            && limits.takes(call)
        {
            limits.answered(size);
        }
    }
}
