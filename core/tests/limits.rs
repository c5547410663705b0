//! A hundred thousand random exchanges at every provider: what was produced, what clients were told, the counters, the metrics
//! and the access log are the same to the token and the nano-dollar, and nothing stays held.
// A test stops where it can't go on.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod accounts;

use std::collections::HashMap;
use std::sync::Arc;

use accounts::{Answer, Fate, Key, Ledger, NOW, PROVIDERS, Told, request};
use sluice_core::exchange::{self, Exchange, Head, Held, Reply, Step};
use sluice_core::identity::Origin;
use sluice_core::limit::Unit;
use sluice_core::policy::Plan;
use sluice_core::shared::{LocalMemory, SharedMemory};
use sluice_core::usage::metrics::{self, Ended};

const EXCHANGES: usize = 100_000;
const THREADS: u64 = 4;
/// So many exchanges are under way in a thread at once.
const AT_ONCE: usize = 6;

/// A client, and what becomes of its exchange.
struct Player<'a> {
    plan: &'a Arc<Plan>,
    memory: &'a dyn SharedMemory,
    random: fastrand::Rng,
    ledger: Ledger,
}

impl Player<'_> {
    fn open(&mut self) -> Option<Exchange> {
        let random = &mut self.random;
        let team = *random.choice(&["blue", "red", "tight", "cut"]).unwrap();
        let model =
            *random.choice(&["all", "chain", "dear", "openai", "claude", "gemini", "cohere"]).unwrap();
        let (path, body) = request(random, model);
        let mut headers = vec![
            (":method", "POST".to_owned()),
            (":path", path),
            ("content-type", "application/json".to_owned()),
            ("authorization", format!("Bearer key-{team}")),
        ];
        if random.bool() {
            headers.push(("x-sluice-stream-cost", "true".to_owned()));
        }
        let headers: Vec<_> = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let opening = exchange::open(self.plan, Head { headers: &headers, origin: Origin::default() }, NOW);
        let opening = opening.unwrap_or_else(|reply| panic!("{}", String::from_utf8_lossy(&reply.body)));
        match opening.read(Some(body), self.memory) {
            Ok(exchange) => Some(exchange),
            Err(reply) => {
                let limit = reply.limit.unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&reply.body)));
                assert_eq!(reply.status, 429);
                *self.ledger.refused.entry(limit).or_default() += 1;
                None
            }
        }
    }

    /// Plays an exchange to its end.
    fn play(&mut self, mut exchange: Exchange) {
        let routing = exchange.routing();
        let route = &routing.iter().find(|(name, _)| *name == "x-sluice-route").unwrap().1;
        let providers: Vec<String> =
            route.trim_start_matches("sluice-targets/").split(',').map(str::to_owned).collect();
        let (mut told, mut hung_up) = (None, false);
        for (position, provider) in providers.iter().enumerate() {
            if position > 0 {
                self.ledger.failovers += 1;
            }
            let Ok((_, attempt)) = exchange.attempt(provider, 1, self.memory, NOW) else {
                // Another call was quicker to take the last of this target's limit.
                self.ledger.overtaken += 1;
                break;
            };
            let answer = Answer::new(&mut self.random, provider, exchange.client(), exchange.stream);
            match answer.fate {
                Fate::NoAnswer => continue,
                Fate::Left => {
                    hung_up = true;
                    break;
                }
                Fate::Answers => {}
            }
            let header = |name: &str| (name == "content-type").then(|| answer.content_type.to_owned());
            match attempt.headers(&mut exchange, answer.status, &header, NOW.as_secs()) {
                Step::Pass(status) if attempt.gives_way(status) => {}
                Step::Pass(_) => break,
                Step::Whole => {
                    let reply = attempt.whole(&mut exchange, answer.status, &answer.body, NOW.as_secs());
                    let status = reply.map_or(answer.status, |reply| reply.status);
                    if attempt.gives_way(status) {
                        continue;
                    }
                    if status == 200 {
                        told = answer.told;
                        self.check_header(&exchange);
                    }
                    break;
                }
                Step::Stream(mut stream) => {
                    match self.stream(&mut exchange, &mut stream, &answer) {
                        Some(status) if attempt.gives_way(status) => continue,
                        Some(_) => {}
                        None => told = answer.told.filter(|_| answer.is_whole() && !stream.is_cut()),
                    }
                    self.ledger.cut += u64::from(stream.is_cut());
                    break;
                }
            }
        }
        exchange.close(self.memory, NOW, hung_up);
        // Whatever is told of the end twice is counted once.
        exchange.close(self.memory, NOW, true);
        self.account(&exchange, told);
    }

    /// Plays a stream as the provider filter does; the status of what takes its place where it failed before it began.
    fn stream(
        &mut self,
        exchange: &mut Exchange,
        stream: &mut exchange::StreamAnswer,
        answer: &Answer,
    ) -> Option<u16> {
        let (mut out, mut client, mut begun) = (Vec::new(), Vec::new(), false);
        let chunks = answer.chunks(&mut self.random);
        for (position, chunk) in chunks.iter().enumerate() {
            let is_end = position + 1 == chunks.len() && answer.ends;
            if stream.is_cut() && begun {
                break;
            }
            out.clear();
            if stream.push(chunk, &mut out) {
                client.extend_from_slice(chunk);
            }
            if is_end {
                stream.end(&mut out);
            }
            match stream.held() {
                Held::Waiting => continue,
                Held::Failed(failure) => {
                    let reply = Reply::failure(exchange.client(), failure);
                    exchange.failed(failure);
                    return Some(reply.status);
                }
                Held::Begun if !begun => {
                    begun = true;
                    exchange.settle(None);
                }
                Held::Begun => {}
            }
            exchange.watch(stream, self.memory, NOW, is_end, &mut out);
            client.extend_from_slice(&out);
            if is_end {
                self.check_comment(exchange, &client);
            }
        }
        None
    }

    /// A whole answer tells its cost in a header.
    fn check_header(&mut self, exchange: &Exchange) {
        let remarks = exchange.remarks();
        let header = remarks.iter().find(|(name, _)| *name == "x-sluice-cost-usd").map(|(_, value)| value);
        assert_eq!(accounts::nanos(header.expect("has a price")), exchange.cost().expect("has a price"));
        self.ledger.headers += 1;
    }

    /// A stream tells its cost in a comment at its end, once.
    fn check_comment(&mut self, exchange: &Exchange, client: &[u8]) {
        let text = String::from_utf8_lossy(client);
        let told = |line: &str| {
            // Google's clients take no comments.
            let event = line
                .strip_prefix("data: {\"x-sluice-cost-usd\":\"")
                .and_then(|rest| rest.strip_suffix("\"}"));
            line.strip_prefix(": x-sluice-cost-usd=").or(event).map(str::to_owned)
        };
        let mut comments = text.lines().filter_map(told);
        if let Some(comment) = comments.next() {
            assert_eq!(accounts::nanos(&comment), exchange.cost().expect("has a price"));
            assert_eq!(comments.next(), None);
            self.ledger.comments += 1;
        }
    }

    /// Enters an exchange into the books.
    fn account(&mut self, exchange: &Exchange, told: Option<Told>) {
        let bill = exchange.bill().expect("is closed");
        let (usage, nanos) = (bill.usage.unwrap_or_default(), bill.nano_usd.unwrap_or(0));
        let provider = exchange.provider().unwrap_or_default().to_owned();
        if let Some(told) = told {
            assert_eq!(
                (usage.input, usage.cached_input, usage.cache_write, usage.output),
                (told.input, told.cached, told.written, told.output),
                "{provider} for {:?}, streamed: {}",
                exchange.client(),
                exchange.stream
            );
            assert_eq!(nanos, told.nanos(&provider), "{provider}: {told:?}");
            assert!(!usage.estimated);
            self.ledger.told += 1;
        }
        let team = exchange.caller.as_ref().and_then(|caller| caller.team.clone()).unwrap();
        self.ledger.enter(Key { team, provider, model: exchange.model.name.clone() }, &usage, nanos);
        let ended = Ended {
            exchange: Some(exchange),
            limit: None,
            guards: &[],
            blocked: None,
            status: 200,
            elapsed: NOW,
        };
        for measure in metrics::of(ended) {
            let name = measure.name.split(';').next().unwrap().to_owned();
            let kind = measure.name.split_once("type=").map_or("", |(_, kind)| kind);
            *self.ledger.metrics.entry(format!("{name} {kind}")).or_default() += measure.value;
        }
        for (name, value) in exchange.log_fields() {
            if let Ok(value) = value.parse::<u64>() {
                *self.ledger.log.entry(name).or_default() += value;
            }
        }
        let of_log = |name: &str| exchange.log_fields().iter().find(|(field, _)| *field == name).cloned();
        let cost_usd = of_log("sluice_cost_usd").map(|(_, usd)| accounts::nanos(&usd));
        assert_eq!(cost_usd.unwrap_or(0), nanos, "both forms of the cost are one");
    }
}

/// Plays so many exchanges, several of them under way at a time.
fn run(plan: &Arc<Plan>, memory: &dyn SharedMemory, seed: u64, count: usize) -> Ledger {
    let mut player =
        Player { plan, memory, random: fastrand::Rng::with_seed(seed), ledger: Ledger::default() };
    let mut under_way = Vec::new();
    for _ in 0..count {
        player.ledger.calls += 1;
        under_way.extend(player.open());
        if under_way.len() >= AT_ONCE {
            let chosen = player.random.usize(..under_way.len());
            let exchange = under_way.swap_remove(chosen);
            player.play(exchange);
        }
    }
    for exchange in under_way {
        player.play(exchange);
    }
    player.ledger
}

#[test]
fn everything_agrees_over_a_hundred_thousand_exchanges() {
    let (plan, memory) = (accounts::plan(), LocalMemory::default());
    let ledgers: Vec<Ledger> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (plan, memory) = (&plan, &memory);
                scope.spawn(move || run(plan, memory, thread, EXCHANGES / THREADS as usize))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("ends well")).collect()
    });
    let total = Ledger::sum(ledgers);

    // Metrics and access log.
    let metric = |name: &str| total.metrics.get(name).copied().unwrap_or(0);
    let log = |name: &str| total.log.get(name).copied().unwrap_or(0);
    assert_eq!(metric("sluice_tokens_total input"), total.of(|account| account.input));
    assert_eq!(metric("sluice_tokens_total output"), total.of(|account| account.output));
    assert_eq!(metric("sluice_cost_nanousd_total "), total.of(|account| account.nanos));
    assert_eq!(log("sluice_input_tokens"), total.of(|account| account.input));
    assert_eq!(log("sluice_output_tokens"), total.of(|account| account.output));
    assert_eq!(log("sluice_total_tokens"), total.of(|account| account.input + account.output));
    assert_eq!(log("sluice_cost_nanousd"), total.of(|account| account.nanos));
    assert_eq!(metric("sluice_limit_lost_total "), 0);

    // Counters.
    let all = plan.limits.counters(&memory, NOW);
    for (position, limit) in plan.limits.iter().enumerate() {
        let own = all.iter().filter(|(of, _, _)| *of == position);
        let counters: HashMap<_, _> = own.map(|(_, subject, counter)| (subject, counter)).collect();
        let (mut used, mut held) = (0, 0);
        for (&subject, counter) in &counters {
            used += counter.used(&limit.book.meter);
            held += counter.held();
            let mine = |key: &Key| match limit.name.as_str() {
                "money-by-team" => key.team == *subject,
                "money-by-provider" => key.provider == *subject,
                "tokens-tight" => key.team == "tight",
                "output-cut" => key.team == "cut",
                "money-red" => key.team == "red" && key.model == "dear",
                _ => true,
            };
            let expected = total.of_those(mine, |account| match limit.unit {
                Unit::Requests => account.calls,
                Unit::Tokens => account.input + account.output,
                Unit::InputTokens => account.input,
                Unit::OutputTokens => account.output,
                Unit::Usd => account.nanos,
                Unit::Concurrent => 0,
            });
            // A request to a target that failed has been made.
            if limit.name != "requests-by-provider" {
                assert_eq!(counter.used(&limit.book.meter), expected, "{} for '{subject}'", limit.name);
            }
        }
        assert_eq!(held, 0, "{}: nothing is held for anybody", limit.name);
        assert!(used > 0 || limit.unit == Unit::Concurrent, "{} has counted nothing", limit.name);
    }
    for provider in PROVIDERS {
        assert!(
            total.of_those(|key| key.provider == provider.name, |account| account.calls) > 100,
            "{provider:?}"
        );
    }
    assert!(total.told > EXCHANGES as u64 / 4 && total.failovers > EXCHANGES as u64 / 20);
    assert!(total.refused.len() >= 2 && total.cut > 100 && total.comments > 1000 && total.headers > 1000);
}
