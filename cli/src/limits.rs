//! `sluice limits`: the live counters of limits, read from Envoy's admin interface.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use sluice_core::limit::report::{CAPACITY, HELD, RESETS, USED};
use sluice_core::price::NanoUsd;
use ureq::Agent;

/// The counters of an Envoy.
#[derive(Debug)]
pub struct Table {
    /// By the limit's name, its unit, and whom each counts.
    rows: BTreeMap<(String, String, String), Row>,
    /// Seconds since the Unix epoch.
    now: u64,
}

#[derive(Debug, Default)]
struct Row {
    used: u64,
    held: u64,
    capacity: u64,
    resets: u64,
}

/// Asks an admin interface, such as `http://127.0.0.1:9901`.
///
/// # Errors
/// Why it could not be asked.
pub fn fetch(admin: &str, now: Duration) -> Result<Table, String> {
    // No proxy: an environment's HTTP_PROXY is not for an interface that only this machine has.
    let config = Agent::config_builder().timeout_global(Some(Duration::from_secs(5))).proxy(None).build();
    let url = format!("{}/stats/prometheus?filter=sluice_limit_", admin.trim_end_matches('/'));
    let failed = |error: ureq::Error| format!("{url}: {error}");
    let mut answer = Agent::from(config).get(&url).call().map_err(failed)?;
    Ok(Table::read(&answer.body_mut().read_to_string().map_err(failed)?, now.as_secs()))
}

impl Table {
    /// Reads the text form of Prometheus. What is no counter of a limit is passed over.
    fn read(text: &str, now: u64) -> Self {
        let mut rows: BTreeMap<_, Row> = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((name, rest)) = line.split_once('{') else { continue };
            let Some((labels, value)) = rest.rsplit_once("} ") else { continue };
            let (Some(limit), Some(value)) = (label(labels, "limit"), number(value.trim())) else { continue };
            let of = |name: &str| label(labels, name).unwrap_or_default();
            let field: fn(&mut Row) -> &mut u64 = match name {
                USED => |row| &mut row.used,
                HELD => |row| &mut row.held,
                CAPACITY => |row| &mut row.capacity,
                RESETS => |row| &mut row.resets,
                _ => continue,
            };
            *field(rows.entry((limit, of("unit"), of("by"))).or_default()) = value;
        }
        Self { rows, now }
    }

    /// Whether there is no counter at all.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// A whole number; one in a form of floating point is exact only up to 2^53.
fn number(text: &str) -> Option<u64> {
    text.parse().ok().or_else(|| text.parse::<f64>().ok().map(|value| value as u64))
}

/// The value of a label.
fn label(labels: &str, name: &str) -> Option<String> {
    let start = labels.match_indices(name).map(|(at, _)| at).find(|at| {
        let before = labels.get(..*at).unwrap_or_default();
        let after = labels.get(at + name.len()..).unwrap_or_default();
        (before.is_empty() || before.ends_with(',')) && after.starts_with("=\"")
    })?;
    let rest = labels.get(start + name.len() + 2..)?;
    let mut value = String::new();
    let mut characters = rest.chars();
    loop {
        match characters.next()? {
            '"' => return Some(value),
            '\\' => match characters.next()? {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
}

/// What clients have sent must not speak to a terminal.
fn shown(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { c.escape_unicode().to_string() } else { c.to_string() })
        .collect()
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = vec![["LIMIT", "BY", "USED", "HELD", "OF", "UNIT", "FREE IN"].map(str::to_owned)];
        for ((limit, unit, by), row) in &self.rows {
            let amount = |amount: u64| match unit.as_str() {
                "usd" => NanoUsd(amount).to_string(),
                _ => amount.to_string(),
            };
            let free = match row.resets.checked_sub(self.now) {
                _ if row.used == 0 && row.held == 0 => "-".to_owned(),
                None if row.resets == 0 => "never".to_owned(),
                None | Some(0) => "now".to_owned(),
                Some(seconds) => humantime::format_duration(Duration::from_secs(seconds)).to_string(),
            };
            lines.push([
                limit.clone(),
                if by.is_empty() { "-".to_owned() } else { shown(by) },
                amount(row.used),
                amount(row.held),
                amount(row.capacity),
                unit.clone(),
                free,
            ]);
        }
        let width = |column: usize| {
            let cells = lines.iter().filter_map(|line| line.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..7).map(width).collect();
        for (position, line) in lines.iter().enumerate() {
            let cells: Vec<String> =
                line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            let end = if position + 1 < lines.len() { "\n" } else { "" };
            write!(f, "{}{end}", cells.join("  ").trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_and_shown() {
        let text = "# TYPE sluice_limit_used gauge\n\
            sluice_limit_used{limit=\"team-day\",unit=\"usd\",by=\"team:pl\\\"at,model:gpt-4o\"} 12500000000\n\
            sluice_limit_held{limit=\"team-day\",unit=\"usd\",by=\"team:pl\\\"at,model:gpt-4o\"} 1\n\
            sluice_limit_capacity{limit=\"team-day\",unit=\"usd\",by=\"team:pl\\\"at,model:gpt-4o\"} 2.5e10\n\
            sluice_limit_resets_timestamp_seconds{limit=\"team-day\",unit=\"usd\",by=\"team:pl\\\"at,model:gpt-4o\"} 1090\n\
            sluice_limit_used{limit=\"all\",unit=\"requests\",by=\"\"} 0\n\
            sluice_limit_held{limit=\"all\",unit=\"requests\",by=\"\"} 0\n\
            sluice_limit_refusals_total{limit=\"all\"} 7\n";
        let shown = Table::read(text, 1000).to_string();
        let expected = "LIMIT     BY                         USED  HELD         OF  UNIT      FREE IN\n\
             all       -                          0     0            0   requests  -\n\
             team-day  team:pl\"at,model:gpt-4o  12.5  0.000000001  25  usd       1m 30s";
        assert_eq!(
            shown.split_whitespace().collect::<Vec<_>>(),
            expected.split_whitespace().collect::<Vec<_>>()
        );
        assert!(shown.lines().all(|line| line.find("  ").is_some()), "{shown}");
    }

    #[test]
    fn counters_are_exact_and_do_not_speak_to_terminals() {
        let text = "sluice_limit_used{by=\"header:x:a\u{9b}31mb\",limit=\"l\",unit=\"usd\"} 9007199254740993\n\
            sluice_limit_used{by=\"header:x:a\u{9b}31mb\",limit=\"l\",unit=\"tokens\"} 7\n";
        let table = Table::read(text, 1000);
        assert!(!table.is_empty() && Table::read("", 1000).is_empty());
        let shown = table.to_string();
        assert!(shown.contains("  9007199.254740993  ") && !shown.contains('\u{9b}'), "{shown}");
        assert!(shown.contains(r"  header:x:a\u{9b}31mb  ") && shown.lines().count() == 3, "{shown}");
    }
}
