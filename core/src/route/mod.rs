//! Which lists of targets Envoy has a cluster for, and which of them serves a request.
//!
//! Envoy tries the members of an aggregate cluster in their order and can't be told to leave one out. So there is a cluster
//! for each list of targets that a request may need. Its name is the list itself: models with the same list share it.

use std::collections::BTreeSet;

use crate::policy::{Model, Target};

/// The longest model of which every selection has a cluster: 31 of them.
const ALL_OF: usize = 5;
/// The longest model of which every selection of [`FEW`] has a cluster.
const FEW_OF: usize = 10;
const FEW: usize = 3;
/// How many targets are selected at will of a model that is longer than that.
const LEAST: usize = 2;

/// The cluster of a list of targets.
pub fn cluster<'t>(targets: impl IntoIterator<Item = &'t Target>) -> String {
    let names: Vec<String> = targets.into_iter().map(Target::name).collect();
    format!("sluice-targets/{}", names.join(","))
}

/// The cluster that serves the targets at these positions of a model, and how many of them, from the first on, it has.
/// What it lacks at the end is not tried.
pub fn serve<'w>(model: &Model, wished: &'w [usize]) -> (String, &'w [usize]) {
    let served = longest(model.targets.len(), wished);
    (cluster(served.iter().filter_map(|position| model.targets.get(*position))), served)
}

/// Every list of a model's targets that has a cluster, by positions.
pub fn lists(model: &Model) -> BTreeSet<Vec<usize>> {
    selections(model.targets.len())
}

/// The longest beginning of a wished list that has a cluster.
fn longest(count: usize, wished: &[usize]) -> &[usize] {
    let lengths = (1..=wished.len()).rev();
    lengths
        .filter_map(|length| wished.get(..length))
        .find(|list| has_cluster(count, list))
        .unwrap_or_default()
}

/// Whether a list has a cluster. Positions rise: a strategy that changes the order of targets needs more lists than these.
fn has_cluster(count: usize, list: &[usize]) -> bool {
    let neighbours = || list.iter().zip(list.iter().skip(1));
    let rises = neighbours().all(|(one, next)| one < next) && list.last().is_some_and(|last| *last < count);
    let is_run = || neighbours().all(|(one, next)| one + 1 == *next);
    rises && (list.len() <= at_will(count) || is_run())
}

/// How many targets of so many may be any.
fn at_will(count: usize) -> usize {
    match count {
        _ if count <= ALL_OF => ALL_OF,
        _ if count <= FEW_OF => FEW,
        _ => LEAST,
    }
}

/// Every list that has a cluster: every selection of as many as may be any, and every run.
fn selections(count: usize) -> BTreeSet<Vec<usize>> {
    let mut lists: BTreeSet<Vec<usize>> = (0..count)
        .flat_map(|first| (first + 1..=count).map(move |end| (first..end).collect::<Vec<usize>>()))
        .collect();
    let mut last: Vec<Vec<usize>> = vec![Vec::new()];
    for _ in 0..at_will(count).min(count) {
        last = last
            .iter()
            .flat_map(|list| {
                let next = list.last().map_or(0, |last| last + 1);
                (next..count).map(move |position| {
                    let mut longer = list.clone();
                    longer.push(position);
                    longer
                })
            })
            .collect();
        lists.extend(last.iter().cloned());
    }
    lists
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_number_of_clusters_is_bounded() {
        for (count, lists) in [
            (1, 1),
            (2, 3),
            (3, 7),
            (5, 31),
            (6, 6 + 15 + 20 + 6),
            (10, 10 + 45 + 120 + 28),
            (11, 11 + 55 + 45),
            (32, 32 + 496 + 465),
        ] {
            assert_eq!(selections(count).len(), lists, "{count}");
        }
    }

    #[test]
    fn what_has_no_cluster_is_dropped_at_the_end() {
        assert_eq!(longest(5, &[0, 2, 4]), [0, 2, 4]);
        assert_eq!(longest(6, &[0, 2, 4, 5]), [0, 2, 4]);
        assert_eq!(longest(6, &[1, 2, 3, 4, 5]), [1, 2, 3, 4, 5]);
        assert_eq!(longest(6, &[1, 2, 3, 4]), [1, 2, 3, 4]);
        assert_eq!(longest(8, &[0, 1, 2, 3, 5, 6]), [0, 1, 2, 3]);
        assert_eq!(longest(12, &[0, 5, 6]), [0, 5]);
        assert!(longest(3, &[]).is_empty());
        assert!(longest(3, &[3]).is_empty());
    }

    proptest! {
        /// What is rendered and what requests are sent to come from two functions, and are the same.
        #[test]
        fn a_list_is_served_if_and_only_if_it_has_a_cluster(
            count in 0_usize..14,
            list in proptest::collection::vec(0_usize..14, 0..14),
        ) {
            let lists = selections(count);
            prop_assert_eq!(has_cluster(count, &list), lists.contains(&list));
        }

        #[test]
        fn what_serves_a_wish_is_the_longest_beginning_that_has_a_cluster(count in 1_usize..14, bits in any::<u16>()) {
            let wished: Vec<usize> = (0..count).filter(|position| bits >> position & 1 == 1).collect();
            let served = longest(count, &wished);
            let lists = selections(count);
            let expected = (0..=wished.len()).rev().map(|length| &wished[..length]).find(|list| list.is_empty() || lists.contains(*list));
            prop_assert_eq!(Some(served), expected);
            prop_assert!(wished.is_empty() || !served.is_empty(), "one target always has a cluster");
        }
    }
}
