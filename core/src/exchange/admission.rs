//! Whether a call may be made now: what it may need is taken of its limits, before it is sent.

use std::sync::Arc;
use std::time::Duration;

use crate::access::{Asking, Place};
use crate::failure::Failure;
use crate::identity::Caller;
use crate::limit::typical::Typical;
use crate::limit::{Amounts, Call, Limits, Reservation, Spent};
use crate::policy::{Model, Plan, Target};
use crate::price::Most;
use crate::shared::{SharedMemory, update};
use crate::task::Task;
use crate::usage::ServiceTier;
use crate::usage::estimate::{self, Family, Input, Kept};

use super::guarded::Refused;
use super::prepare::Prepared;

/// Why a call is not made.
#[derive(Debug)]
pub(super) enum Denied {
    Failure(Failure),
    Spent(Box<Spent>),
    /// The rule of redaction that finds in it what may not go on.
    Blocked(Box<Failure>, String),
    Guarded(Box<Refused>),
}

/// What a call asks for, whoever serves it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    pub input: Input,
    /// How many tokens the answer may have, where the client says so.
    pub cap: Option<u64>,
    /// Whether the client asks for a service tier that may cost more.
    pub urgent: bool,
    /// For how long it wants the request kept, which may cost more too.
    pub kept: Kept,
}

/// What a call to one model is expected to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    input: Input,
    /// Tokens: the client's cap, or what the model's answers typically have.
    pub output: u64,
    urgent: bool,
    kept: Kept,
}

/// A call that may be made.
#[derive(Debug)]
pub(super) struct Admitted {
    pub model: Arc<Model>,
    /// The positions of the targets that may be tried; never empty.
    pub able: Vec<usize>,
    /// The request for the first of them.
    pub prepared: Prepared,
    pub reservation: Option<Reservation>,
    /// What that was taken for; `None` for what is free.
    pub expected: Option<Expected>,
}

/// Makes requests for a model's targets, or finds out why that can't be.
pub(super) struct Maker<'a> {
    pub prepare: &'a dyn Fn(&Model, &Target) -> Result<Prepared, Failure>,
    /// The same, with as little work as that takes.
    pub check: &'a dyn Fn(&Model, &Target) -> Result<(), Failure>,
}

/// Whose call it is, and what is known of it before its model is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Applicant<'a> {
    pub plan: &'a Plan,
    pub memory: &'a dyn SharedMemory,
    pub caller: Option<&'a Caller>,
    pub asking: &'a Asking,
    /// `None` for what costs nothing.
    pub needs: Option<Needs>,
}

impl From<Failure> for Denied {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<Box<Spent>> for Denied {
    fn from(spent: Box<Spent>) -> Self {
        Self::Spent(spent)
    }
}

impl Needs {
    /// `input`: where it is known.
    pub(super) fn of(task: &Task<'_>, input: Option<Input>) -> Self {
        Self {
            input: input.unwrap_or_else(|| estimate::input(task)),
            cap: estimate::output_cap(task),
            urgent: estimate::is_urgent(task),
            kept: estimate::kept(task),
        }
    }

    /// For where no limit asks.
    pub(super) fn rough(task: &Task<'_>) -> Self {
        Self { input: estimate::rough_input(task), ..Self::default() }
    }

    fn of_model(self, model: &Model, memory: &dyn SharedMemory) -> Expected {
        let typical = || {
            let typical = typical(memory, &model.name).tokens();
            // Where a provider has to be told a limit, it is this one.
            model.default_max_tokens.map_or(typical, |most| typical.min(u64::from(most)))
        };
        let output = self.cap.unwrap_or_else(typical);
        Expected { input: self.input, output, urgent: self.urgent, kept: self.kept }
    }
}

impl Expected {
    /// What limits have to hold for a target: rarely less than it will be.
    pub(super) fn at(self, target: &Target) -> Amounts {
        let family = Family::of(target.provider.dialect, &target.model);
        let (input, output) = (estimate::reserve(self.input.tokens(family)), self.output);
        // Which tier serves it only the answer tells.
        let tiers: &[ServiceTier] = match self.urgent {
            true => &[ServiceTier::Standard, ServiceTier::Priority, ServiceTier::Fast],
            false => &[ServiceTier::Standard],
        };
        // And how much of it was written to the vendor's cache. Of Claude's that is what is marked, if any; others write unasked,
        // as OpenAI does since GPT-5.6.
        let kept = match family {
            Family::Claude => self.kept,
            Family::Common => self.kept.max(Kept::Briefly),
        };
        let most = Most { input, media: estimate::reserve(self.input.media), kept, output };
        let nano_usd = tiers.iter().filter_map(|tier| target.most(&most, *tier)).max();
        Amounts { input, output, nano_usd: nano_usd.unwrap_or(0) }
    }
}

/// What the model's answers typically have.
fn typical(memory: &dyn SharedMemory, model: &str) -> Typical {
    memory.get(&typical_name(model)).and_then(|(state, _)| Typical::decode(&state)).unwrap_or_default()
}

/// Learns from an answer. What others have learnt in the same moment goes before it.
pub(super) fn learn(memory: &dyn SharedMemory, model: &str, output: u64) {
    let _ = update(memory, &typical_name(model), 1, |state| {
        let learnt = Typical::decode(state).unwrap_or_default().learn(output);
        Ok((Some(learnt.encode().to_vec()), ()))
    });
}

fn typical_name(model: &str) -> String {
    format!("sluice-typical/{model}")
}

impl Applicant<'_> {
    fn limits(&self) -> &Limits {
        &self.plan.limits
    }

    fn now(&self) -> Duration {
        self.asking.now()
    }

    pub(super) fn call<'a>(&'a self, model: &'a Model) -> Call<'a> {
        Call { caller: self.caller, asking: self.asking, model: &model.name }
    }

    /// Takes what a call may need of its limits, for the first target that can serve it and has room.
    pub(super) fn admit(
        &self,
        model: Arc<Model>,
        mut allowed: Vec<usize>,
        maker: &Maker<'_>,
    ) -> Result<Admitted, Denied> {
        let limits = self.limits();
        if limits.is_empty() {
            let (able, prepared) = choose(&model, &allowed, maker)?;
            return Ok(Admitted { model, able, prepared, reservation: None, expected: None });
        }
        let places: Vec<Place<'_>> =
            allowed.iter().filter_map(|position| model.targets.get(*position)).map(Place::of).collect();
        limits.in_step(self.memory, self.call(&model), &places, self.now())?;
        let expected = self.needs.map(|needs| needs.of_model(&model, self.memory));
        self.keep_affordable(&model, expected, &mut allowed)?;
        loop {
            let (able, prepared) = choose(&model, &allowed, maker)?;
            let targets: Vec<&Target> =
                able.iter().filter_map(|position| model.targets.get(*position)).collect();
            let [first, ..] = targets.as_slice() else {
                return Err(Failure::operator("The model has no targets.").into());
            };
            // Whichever of them serves it in the end, the call does not outgrow what is held.
            let most = |expected: Expected| {
                let each = targets.iter().map(|target| expected.at(target));
                each.fold(Amounts::default(), Amounts::most)
            };
            let call = self.call(&model);
            let mut reservation = limits.take(self.memory, call, expected.map(most), self.now())?;
            let at_first = expected.map(|expected| expected.at(first));
            let place = Place::of(first);
            match limits.take_for(self.memory, call, place, at_first, self.now(), &mut reservation) {
                Ok(()) => {
                    let reservation = Some(reservation);
                    return Ok(Admitted { model, able, prepared, reservation, expected });
                }
                // Others were quicker: the next target is the first then.
                Err(spent) => {
                    limits.cancel(self.memory, reservation, self.now());
                    let taken = able.first();
                    allowed.retain(|position| Some(position) != taken);
                    if allowed.is_empty() {
                        return Err(spent.into());
                    }
                }
            }
        }
    }

    /// Leaves out the targets whose own limits have no room, and those that nobody can tell the price of, where that matters.
    fn keep_affordable(
        &self,
        model: &Model,
        expected: Option<Expected>,
        allowed: &mut Vec<usize>,
    ) -> Result<(), Denied> {
        let mut denied = None;
        allowed.retain(|position| {
            let Some(target) = model.targets.get(*position) else { return false };
            match self.affords(model, expected, target) {
                Ok(()) => true,
                Err(reason) => {
                    denied.get_or_insert(reason);
                    false
                }
            }
        });
        match denied {
            Some(denied) if allowed.is_empty() => Err(denied),
            _ => Ok(()),
        }
    }

    fn affords(&self, model: &Model, expected: Option<Expected>, target: &Target) -> Result<(), Denied> {
        let (call, place) = (self.call(model), Place::of(target));
        if expected.is_some() && target.price.is_none() && self.limits().counts_money(call, place) {
            return Err(unpriced(&model.name).into());
        }
        if self.limits().are_of_targets() {
            let amounts = expected.map(|expected| expected.at(target));
            self.limits().admit(self.memory, call, place, amounts, self.now())?;
        }
        Ok(())
    }
}

fn unpriced(model: &str) -> Failure {
    Failure::operator(format!(
        "A limit in money holds for this call, and the policy has no price for the model '{model}'."
    ))
    .status(503)
    .code("unknown_price")
}

/// Of the targets that may be used, those that can serve the request, and the request for the first of them.
///
/// When none can, the client learns why the first one can't.
fn choose(model: &Model, allowed: &[usize], maker: &Maker<'_>) -> Result<(Vec<usize>, Prepared), Failure> {
    let mut refusal = None;
    let mut targets = allowed.iter().filter_map(|position| Some((*position, model.targets.get(*position)?)));
    while let Some((first, target)) = targets.next() {
        match (maker.prepare)(model, target) {
            Ok(prepared) => {
                let others = targets
                    .filter(|(_, target)| (maker.check)(model, target).is_ok())
                    .map(|(position, _)| position);
                return Ok((std::iter::once(first).chain(others).collect(), prepared));
            }
            Err(failure) => {
                refusal.get_or_insert(failure);
            }
        }
    }
    Err(refusal.unwrap_or_else(|| Failure::operator("The model has no targets.")))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::exchange::{Head, open};
    use crate::identity::Origin;
    use crate::policy;
    use crate::shared::LocalMemory;

    const NOW: Duration = Duration::from_secs(1_800_000_000);

    /// What a call of this form holds of a limit in money, in nano-dollars.
    fn held(path: &str, body: &Value) -> u64 {
        let document = json!({
            "version": 1,
            "providers": {
                "openai": {"dialect": "openai", "endpoint": "https://api.openai.com/v1", "credential": "none"},
                "claude": {"dialect": "anthropic", "endpoint": "https://api.anthropic.com", "credential": "none"},
            },
            "models": {
                "gpt": {"targets": [{"provider": "openai", "model": "gpt-5.5"}]},
                "opus": {"targets": [{"provider": "claude", "model": "claude-opus-5"}]},
                "local": {"targets": [{"provider": "openai", "model": "mine"}]},
                "sol": {"targets": [{"provider": "openai", "model": "gpt-6-sol"}]},
                "plain": {"targets": [{"provider": "openai", "model": "plain"}]},
                "cheaper": {"targets": [{"provider": "openai", "model": "cheaper"}]},
                "audio": {"targets": [{"provider": "openai", "model": "gpt-audio"}]},
            },
            "prices": {
                "mine": {"input": 0, "output": 1},
                "plain": {"input": 2, "output": 10},
                "cheaper": {"input": 2, "output": 10, "cache_write": 1},
            },
            "limits": [{"name": "money", "unit": "usd", "per": "day", "limit": 100}],
            "callers": {"anonymous": "allow"},
        });
        let plan = Arc::new(policy::load(document.to_string().as_bytes(), &|_| None).expect("is good"));
        let memory = LocalMemory::default();
        let headers =
            [(":method", "POST"), (":path", path)].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let opening =
            open(&plan, Head { headers: &headers, origin: Origin::default() }, NOW).expect("is opened");
        opening.read(Some(body.to_string().into_bytes()), &memory).expect("is admitted");
        plan.limits.iter().next().expect("there is one").book.read(&memory, "", NOW).held()
    }

    #[test]
    fn who_asks_to_be_served_faster_holds_what_that_costs() {
        let chat = |model: &str, tier: Value| {
            let body = json!({"model": model, "max_completion_tokens": 1_000_000, "service_tier": tier,
                "messages": [{"role": "user", "content": ""}]});
            // In dollars; the request has some tokens too.
            held("/v1/chat/completions", &body) / 1_000_000_000
        };
        for tier in [Value::Null, json!("auto"), json!("default"), json!("flex")] {
            assert_eq!(chat("gpt", tier.clone()), 30, "{tier}");
        }
        // What OpenAI calls fast, its answers call priority.
        for tier in ["priority", "fast"] {
            assert_eq!(chat("gpt", json!(tier)), 75, "{tier}");
            assert_eq!(chat("local", json!(tier)), 1, "no other price is known");
        }
        let messages = |speed: Value| {
            let mut body = json!({"model": "opus", "max_tokens": 1_000_000, "messages": [{"role": "user", "content": "a"}]});
            body["speed"] = speed;
            held("/v1/messages", &body) / 1_000_000_000
        };
        assert_eq!([messages(json!("standard")), messages(json!("fast"))], [25, 50]);
    }

    #[test]
    fn what_may_be_written_to_a_cache_is_held_at_what_that_costs() {
        let text = "All work and no play makes Jack a dull boy. ".repeat(40);
        let messages = |mark: Value, speed: &str| {
            let block = json!({"type": "text", "text": text, "cache_control": mark});
            let body = json!({"model": "opus", "max_tokens": 1, "speed": speed, "messages": [{"role": "user", "content": [block]}]});
            held("/v1/messages", &body)
        };
        // In nano-dollars a token: of the request 5,000, written to the cache 6,250, and for an hour 10,000; of the answer 25,000.
        let usual = messages(Value::Null, "standard");
        let tokens = (usual - 25_000) / 5000;
        assert_eq!((usual, tokens > 400), (tokens * 5000 + 25_000, true));
        let mark = |ttl: &str| json!({"type": "ephemeral", "ttl": ttl});
        assert_eq!(messages(json!({"type": "ephemeral"}), "standard"), tokens * 6250 + 25_000);
        assert_eq!(messages(mark("5m"), "standard"), tokens * 6250 + 25_000);
        assert_eq!(messages(mark("1h"), "standard"), tokens * 10_000 + 25_000);
        assert_eq!(
            messages(mark("5m"), "fast"),
            tokens * 12_500 + 50_000,
            "each tier has its own price of it"
        );

        let chat = |model: &str| {
            let body = json!({"model": model, "max_completion_tokens": 1, "messages": [{"role": "user", "content": text}]});
            held("/v1/chat/completions", &body)
        };
        // OpenAI's newer models write what nobody has marked.
        let tokens = (chat("plain") - 10_000) / 2000;
        assert_eq!(chat("sol"), tokens * 2500 + 10_000);
        assert_eq!(chat("cheaper"), chat("plain"), "nor is it certain to be written");
    }

    #[test]
    fn what_may_be_heard_or_said_is_held_at_what_that_costs() {
        // A minute, at 16 kHz.
        let audio = json!({"type": "input_audio", "input_audio": {"data": "A".repeat(60 * 32_000 / 3 * 4), "format": "wav"}});
        let chat = |parts: Value| {
            let messages = json!([{"role": "user", "content": parts}]);
            held(
                "/v1/chat/completions",
                &json!({"model": "audio", "max_completion_tokens": 1000, "messages": messages}),
            )
        };
        let text = json!({"type": "text", "text": "What is this?"});
        let written = chat(json!([text]));
        assert!(
            (1000 * 64_000..1000 * 64_000 + 100 * 2500).contains(&written),
            "the answer may be spoken: {written}"
        );
        let tokens = estimate::reserve(60 * 32);
        assert!(
            (tokens * 32_000..tokens * 32_000 + 100_000).contains(&(chat(json!([text, audio])) - written))
        );
    }
}
