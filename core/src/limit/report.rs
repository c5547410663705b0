//! The live counters as gauges of Envoy's, for `sluice limits` and for dashboards.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::subject::parts;
use super::{Counter, Limit, Limits};
use crate::shared::SharedMemory;

/// What is used; units of the limit, nano-dollars for money.
pub const USED: &str = "sluice_limit_used";
/// What calls under way hold.
pub const HELD: &str = "sluice_limit_held";
/// What the limit allows.
pub const CAPACITY: &str = "sluice_limit_capacity";
/// When everything is free again, in seconds since the Unix epoch; 0 for never.
pub const RESETS: &str = "sluice_limit_resets_timestamp_seconds";

/// So many counters are shown at most: Envoy forgets no metric.
const MOST: usize = 1000;

/// Which counters have been shown.
#[derive(Debug, Default)]
pub struct Report {
    shown: HashSet<String>,
}

impl Report {
    /// The gauges as they stand at `now` (since the Unix epoch), each with its name and labels. A counter that was shown and is
    /// there no more is zero; one too many is left out.
    pub fn gauges(
        &mut self,
        limits: &Limits,
        memory: &dyn SharedMemory,
        now: Duration,
    ) -> Vec<(String, u64)> {
        let mut living: HashMap<String, [(&str, u64); 4]> = HashMap::new();
        for (position, subject, counter) in limits.counters(memory, now) {
            let Some(limit) = limits.get(position) else { continue };
            let labels = labels(limit, &subject);
            let is_new = !self.shown.contains(&labels);
            if is_new && self.shown.len() >= MOST {
                continue;
            }
            self.shown.insert(labels.clone());
            living.insert(labels, values(limit, &counter, now));
        }
        let mut gauges = Vec::with_capacity(self.shown.len() * 4);
        for labels in &self.shown {
            let gone = [(USED, 0), (HELD, 0)];
            let values = living.get(labels).map_or(gone.as_slice(), |values| values.as_slice());
            gauges.extend(values.iter().map(|(name, value)| (format!("{name}{labels}"), *value)));
        }
        gauges
    }
}

/// `;limit=<name>;unit=<unit>;by=team:platform,model:gpt-4o`.
fn labels(limit: &Limit, subject: &str) -> String {
    let by: Vec<String> =
        limit.by.iter().zip(parts(subject)).map(|(by, part)| format!("{}:{part}", by.word())).collect();
    let by = by.join(",").replace(';', "_");
    format!(";limit={};unit={};by={by}", limit.name, limit.unit.word())
}

fn values(limit: &Limit, counter: &Counter, now: Duration) -> [(&'static str, u64); 4] {
    let meter = &limit.book.meter;
    let reset = counter.standing(meter, now).reset.map_or(0, |wait| (now + wait).as_secs());
    [(USED, counter.used(meter)), (HELD, counter.held()), (CAPACITY, meter.capacity()), (RESETS, reset)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Asking;
    use crate::dialect::ClientDialect;
    use crate::identity::{Caller, Proof};
    use crate::limit::{Amounts, Call};
    use crate::policy;
    use crate::shared::LocalMemory;

    const NOW: Duration = Duration::from_secs(1_806_500_000);

    #[test]
    fn counters_come_go_and_are_bounded() {
        let document = policy::Document::parse(
            br#"{"version": 1, "providers": {"p": {"dialect": "openai", "endpoint": "http://h", "credential": "none"}},
            "models": {"m": {"targets": [{"provider": "p", "model": "x"}]}},
            "limits": [{"name": "l", "unit": "tokens", "per": "hour", "limit": 100, "by": ["user", "model"]}]}"#,
        )
        .expect("is good");
        let limits = Limits::new(&document.limits, None);
        let memory = LocalMemory::default();
        let asking = Asking::new(ClientDialect::OpenAiChat, "/", &[], |_| false, NOW);
        for user in 0..1_500 {
            let caller = Caller::of_tests(Proof::Key, "k", Some(format!("u;{user}")), None, Vec::new());
            let call = Call { caller: Some(&caller), asking: &asking, model: "m" };
            let amounts = Some(Amounts { input: 30, output: 20, nano_usd: 0 });
            let taken = limits.take(&memory, call, amounts, NOW).expect("has room");
            if user > 0 {
                limits.settle(&memory, taken, Some(Amounts { input: 3, output: 4, nano_usd: 0 }), NOW);
            }
        }
        let mut report = Report::default();
        let first: HashMap<_, _> = report.gauges(&limits, &memory, NOW).into_iter().collect();
        assert_eq!(first.len(), 4 * MOST);
        let one = first.keys().find(|name| name.starts_with(USED)).expect("there is one").clone();
        assert!(one.starts_with("sluice_limit_used;limit=l;unit=tokens;by=user:u_"), "{one}");
        assert!(one.ends_with(",model:m"), "{one}");
        assert!(first.values().all(|value| [0, 7, 50, 100, 1_806_501_600].contains(value)), "{first:?}");
        let later = NOW + Duration::from_secs(3 * 3600);
        let gone: HashMap<_, _> = report.gauges(&limits, &memory, later).into_iter().collect();
        assert_eq!(gone.get(&one), Some(&0));
    }
}
