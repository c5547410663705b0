//! What a client is told of its limits in headers, in the words of its own dialect.

use std::time::{Duration, SystemTime};

use super::{Standing, Unit};
use crate::dialect::ClientDialect;

/// The headers for these standings, at `now` (since the Unix epoch).
///
/// OpenAI: `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, the reset as a duration (`1m30s`)
/// (developers.openai.com: guides/rate-limits). Anthropic: `anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset}`,
/// the reset as an instant (platform.claude.com: api/rate-limits). Google and Cohere have no words of their own, so theirs are OpenAI's.
pub fn headers(
    client: ClientDialect,
    standings: &[(Unit, Standing)],
    now: Duration,
) -> Vec<(&'static str, String)> {
    match client {
        ClientDialect::Anthropic | ClientDialect::AnthropicTokens => {
            standings.iter().flat_map(|(unit, standing)| of_anthropic(*unit, *standing, now)).collect()
        }
        _ => {
            let is_tokens =
                |unit: Unit| matches!(unit, Unit::Tokens | Unit::InputTokens | Unit::OutputTokens);
            let requests = standings.iter().find(|(unit, _)| *unit == Unit::Requests);
            let tokens = standings
                .iter()
                .filter(|(unit, _)| is_tokens(*unit))
                .min_by_key(|(_, standing)| standing.remaining);
            let names =
                |names: [&'static str; 3], (_, standing): &(Unit, Standing)| of_openai(names, *standing);
            requests
                .into_iter()
                .flat_map(|standing| names(REQUESTS, standing))
                .chain(tokens.into_iter().flat_map(|standing| names(TOKENS, standing)))
                .collect()
        }
    }
}

const REQUESTS: [&str; 3] =
    ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"];
const TOKENS: [&str; 3] =
    ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"];

fn of_openai(names: [&'static str; 3], standing: Standing) -> Vec<(&'static str, String)> {
    let [limit, remaining, reset] = names;
    let mut headers = vec![(limit, standing.limit.to_string()), (remaining, standing.remaining.to_string())];
    headers.extend(standing.reset.map(|wait| (reset, duration(wait))));
    headers
}

fn of_anthropic(unit: Unit, standing: Standing, now: Duration) -> Vec<(&'static str, String)> {
    let [limit, remaining, reset] = match unit {
        Unit::Requests => [
            "anthropic-ratelimit-requests-limit",
            "anthropic-ratelimit-requests-remaining",
            "anthropic-ratelimit-requests-reset",
        ],
        Unit::Tokens => [
            "anthropic-ratelimit-tokens-limit",
            "anthropic-ratelimit-tokens-remaining",
            "anthropic-ratelimit-tokens-reset",
        ],
        Unit::InputTokens => [
            "anthropic-ratelimit-input-tokens-limit",
            "anthropic-ratelimit-input-tokens-remaining",
            "anthropic-ratelimit-input-tokens-reset",
        ],
        Unit::OutputTokens => [
            "anthropic-ratelimit-output-tokens-limit",
            "anthropic-ratelimit-output-tokens-remaining",
            "anthropic-ratelimit-output-tokens-reset",
        ],
        Unit::Usd | Unit::Concurrent => return Vec::new(),
    };
    let mut headers = vec![(limit, standing.limit.to_string()), (remaining, standing.remaining.to_string())];
    headers.extend(standing.reset.map(|wait| {
        let instant = SystemTime::UNIX_EPOCH + now + wait;
        (reset, humantime::format_rfc3339_seconds(instant).to_string())
    }));
    headers
}

/// As OpenAI writes it: `6m0s`, `1s`, `20ms`.
fn duration(wait: Duration) -> String {
    let (seconds, millis) = (wait.as_secs(), u64::from(wait.subsec_nanos().div_ceil(1_000_000)));
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes, seconds, millis) {
        (0, 0, 0, millis) => format!("{millis}ms"),
        (0, 0, seconds, 0) => format!("{seconds}s"),
        (0, 0, seconds, millis) => format!("{seconds}.{millis:03}s"),
        (0, minutes, seconds, _) => format!("{minutes}m{seconds}s"),
        (hours, minutes, seconds, _) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_806_537_590);

    fn standing(limit: u64, remaining: u64, reset: u64) -> Standing {
        Standing { limit, remaining, reset: Some(Duration::from_millis(reset)) }
    }

    #[test]
    fn each_dialect_has_its_own_words() {
        let standings = [
            (Unit::Requests, standing(60, 59, 1_000)),
            (Unit::InputTokens, standing(5_000, 400, 90_000)),
            (Unit::Tokens, standing(9_000, 700, 20)),
            (Unit::Usd, standing(1, 1, 1)),
        ];
        let text = |client| {
            let headers = headers(client, &standings, NOW).into_iter();
            headers.map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(
            text(ClientDialect::OpenAiChat),
            "x-ratelimit-limit-requests: 60\nx-ratelimit-remaining-requests: 59\nx-ratelimit-reset-requests: 1s\n\
             x-ratelimit-limit-tokens: 5000\nx-ratelimit-remaining-tokens: 400\nx-ratelimit-reset-tokens: 1m30s"
        );
        assert_eq!(
            text(ClientDialect::Anthropic),
            "anthropic-ratelimit-requests-limit: 60\nanthropic-ratelimit-requests-remaining: 59\n\
             anthropic-ratelimit-requests-reset: 2027-03-31T23:59:51Z\n\
             anthropic-ratelimit-input-tokens-limit: 5000\nanthropic-ratelimit-input-tokens-remaining: 400\n\
             anthropic-ratelimit-input-tokens-reset: 2027-04-01T00:01:20Z\n\
             anthropic-ratelimit-tokens-limit: 9000\nanthropic-ratelimit-tokens-remaining: 700\n\
             anthropic-ratelimit-tokens-reset: 2027-03-31T23:59:50Z"
        );
    }

    #[test]
    fn durations_are_written_as_openai_does() {
        let written = [0, 20, 1_000, 1_500, 61_000, 360_000, 3_661_000]
            .map(|millis| duration(Duration::from_millis(millis)));
        assert_eq!(written, ["0ms", "20ms", "1s", "1.500s", "1m1s", "6m0s", "1h1m1s"]);
    }
}
