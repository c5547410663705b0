//! What of a document's rules is allowed but probably not meant: rules that can't match, or that come too late.

use std::collections::BTreeSet;

use super::{Effect, Patterns};
use crate::policy::{Document, RuleEntry};

/// What is allowed but probably not meant, one sentence each, in the document's order.
pub fn warnings(document: &Document) -> Vec<String> {
    let models: Vec<&str> = document.models.iter().map(|model| model.name.as_str()).collect();
    let mut warnings = Vec::new();
    for (position, key) in document.callers.keys.iter().enumerate() {
        for name in unmatched(key.models.as_deref().unwrap_or_default(), &models) {
            warnings.push(format!("callers.keys[{position}].models: no model is called `{name}`"));
        }
    }
    let rules = &document.access;
    for (position, rule) in rules.iter().enumerate() {
        let path = format!("access[{position}]");
        for name in unmatched(&rule.models, &models) {
            warnings.push(format!("{path}: no model is called `{name}`"));
        }
        for (field, name) in nobody(document, rule) {
            warnings.push(format!("{path}.{field}: nothing here is called `{name}`"));
        }
        if let Some(earlier) =
            rules.iter().take(position).find(|earlier| decides_before(earlier, rule, &models))
        {
            warnings.push(format!(
                "{path}: can't match, because `{}` before it decides the same and more",
                earlier.name
            ));
        }
    }
    if !rules.is_empty() && !rules.iter().any(|rule| rule.effect == Effect::Allow) {
        warnings.push("access: no rule allows anything, so nobody is served".to_owned());
    }
    warnings
}

/// Of these patterns, those that none of the names matches.
fn unmatched<'p>(patterns: &'p [String], names: &[&str]) -> Vec<&'p str> {
    let matches = |pattern: &String| {
        let pattern = Patterns::new(&[pattern]);
        names.iter().any(|name| pattern.matches(name))
    };
    patterns.iter().filter(|pattern| !matches(pattern)).map(String::as_str).collect()
}

/// What a rule asks for and nothing in the document has, as far as the document says who there is.
fn nobody<'r>(document: &Document, rule: &'r RuleEntry) -> Vec<(&'static str, &'r str)> {
    let when = &rule.when;
    let providers: Vec<&str> = document.providers.iter().map(|provider| provider.name.as_str()).collect();
    let regions: Vec<&str> =
        document.providers.iter().filter_map(|provider| provider.region.as_deref()).collect();
    let callers = &document.callers;
    let keys: Vec<&str> = callers.keys.iter().map(|key| key.id.as_str()).collect();
    let teams = callers.keys.iter().map(|key| &key.team).chain(callers.mtls.iter().map(|entry| &entry.team));
    let teams: Vec<&str> = teams.filter_map(Option::as_deref).collect();
    let roles = callers.keys.iter().flat_map(|key| &key.roles);
    let roles: Vec<&str> =
        roles.chain(callers.mtls.iter().flat_map(|entry| &entry.roles)).map(String::as_str).collect();
    let mut asked = vec![
        ("when.providers", &when.providers, providers.clone()),
        ("require.provider", &rule.require.providers, providers),
        ("when.regions", &when.regions, regions.clone()),
        ("require.region", &rule.require.regions, regions),
    ];
    // Tokens and keys from elsewhere may have names that the document doesn't.
    if document.names_all_callers() {
        asked.extend([
            ("when.keys", &when.keys, keys),
            ("when.teams", &when.teams, teams),
            ("when.roles", &when.roles, roles),
        ]);
    }
    let missing = asked.into_iter().flat_map(|(field, names, known)| {
        let missing = unmatched(names.as_deref().unwrap_or_default(), &known);
        missing.into_iter().map(move |name| (field, name))
    });
    missing.collect()
}

/// Whether an earlier rule decides in every case in which a later one would.
fn decides_before(earlier: &RuleEntry, later: &RuleEntry, models: &[&str]) -> bool {
    let matched = |rule: &RuleEntry| -> BTreeSet<String> {
        let patterns = Patterns::new(&rule.models);
        models.iter().filter(|model| patterns.matches(model)).map(|model| (*model).to_owned()).collect()
    };
    let covers = |wide: &Option<Vec<String>>, narrow: &Option<Vec<String>>| match (wide, narrow) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(wide), Some(narrow)) => Patterns::new(wide).cover(&Patterns::new(narrow)),
    };
    let (wide, narrow) = (&earlier.when, &later.when);
    let later_models = matched(later);
    earlier.effect != Effect::Require
        // A rule without a model is told of as such.
        && !later_models.is_empty()
        && matched(earlier).is_superset(&later_models)
        && covers(&wide.users, &narrow.users)
        && covers(&wide.teams, &narrow.teams)
        && covers(&wide.roles, &narrow.roles)
        && covers(&wide.keys, &narrow.keys)
        && covers(&wide.providers, &narrow.providers)
        && covers(&wide.regions, &narrow.regions)
        && covers(&wide.dialects, &narrow.dialects)
        && covers(&wide.endpoints, &narrow.endpoints)
        && wide.headers.iter().all(|header| narrow.headers.contains(header))
        && (wide.time.is_none() || wide.time == narrow.time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warn(access: &str) -> Vec<String> {
        let document = format!(
            "version: 1
providers:
  a: {{dialect: openai, endpoint: 'https://a.example/v1', credential: none, region: eu}}
  b: {{dialect: openai, endpoint: 'https://b.example/v1', credential: none}}
models:
  gpt-4o: {{targets: [{{provider: a, model: x}}]}}
  claude: {{targets: [{{provider: b, model: x}}]}}
callers:
  keys: [{{id: ci, sha256: '{}', team: platform, roles: [dev], models: [gpt-*, llama]}}]
access:
{access}",
            "01".repeat(32)
        );
        warnings(&Document::parse(document.as_bytes()).unwrap_or_else(|faults| panic!("{faults}")))
    }

    const KEY: &str = "callers.keys[0].models: no model is called `llama`";

    #[test]
    fn rules_that_can_match_are_not_warned_of() {
        let good = "
  - {deny: [claude], when: {teams: [platform], time: {days: [sat, sun]}}}
  - {deny: [claude], when: {roles: [d*]}}
  - {when: {keys: [ci]}, require: {region: eu}}
  - {allow: ['*'], when: {providers: [a]}}
  - {allow: ['*']}";
        assert_eq!(warn(good), [KEY]);
    }

    #[test]
    fn rules_that_can_not_match_are() {
        let bad = "
  - {allow: [gpt-5, 'gpt-*'], when: {teams: [nobody], roles: [dev]}}
  - {allow: ['*'], when: {regions: [us], providers: ['c*']}, require: {region: 'us-*'}}
  - {deny: ['*'], when: {keys: [nightly]}}";
        assert_eq!(
            warn(bad),
            [
                KEY,
                "access[0]: no model is called `gpt-5`",
                "access[0].when.teams: nothing here is called `nobody`",
                "access[1].when.providers: nothing here is called `c*`",
                "access[1].when.regions: nothing here is called `us`",
                "access[1].require.region: nothing here is called `us-*`",
                "access[2].when.keys: nothing here is called `nightly`",
            ]
        );
    }

    #[test]
    fn rules_that_come_too_late_are() {
        let late = "
  - {name: all, allow: ['gpt-*'], when: {teams: [platform]}, require: {region: eu}}
  - {deny: [gpt-4o], when: {teams: [platform], roles: [dev]}}
  - {deny: [gpt-4o], when: {roles: [dev]}}
  - {deny: [gpt-4o], when: {roles: [dev]}}";
        let found = warn(late);
        let expected = |position: usize, name: &str| {
            format!("access[{position}]: can't match, because `{name}` before it decides the same and more")
        };
        assert_eq!(found, [KEY.to_owned(), expected(1, "all"), expected(3, "access[2]")]);
        assert_eq!(
            warn("  - {deny: [gpt-4o]}").last().unwrap(),
            "access: no rule allows anything, so nobody is served"
        );
    }
}
