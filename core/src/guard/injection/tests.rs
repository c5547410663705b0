//! What signals find, and how long that takes.

use super::*;

fn scorer() -> Scorer {
    Scorer::new().expect("the rules are sound")
}

#[test]
fn every_step_is_a_concept_and_every_name_is_unique() {
    let concepts: Vec<&str> = FAMILIES
        .iter()
        .flat_map(|family| family.concepts)
        .map(|concept| concept.name)
        .chain(families::MARKS.iter().map(|mark| mark.0))
        .collect();
    let mut names = std::collections::HashSet::new();
    for signal in all_signals() {
        assert!(names.insert(signal.name), "{} stands there twice", signal.name);
        let steps: Vec<&str> = signal.steps.strip_prefix('~').unwrap_or(signal.steps).split(", ").collect();
        assert!(steps.len() <= signal::MAX_STEPS, "{}", signal.name);
        for step in steps {
            assert!(concepts.contains(&step), "{}: there is no concept `{step}`", signal.name);
        }
    }
}

#[test]
fn families_hit_and_miss() {
    let scorer = scorer();
    for family in FAMILIES {
        for (text, signal) in family.hits {
            let found = scorer.score(text);
            assert!(found.signals.contains(signal), "{text}: {found:?}");
        }
        for text in family.misses {
            let found = scorer.score(text);
            let own = |name: &&str| family.signals.iter().any(|signal| signal.name == *name);
            assert!(!found.signals.iter().any(own), "{text}: {found:?}");
        }
    }
}
