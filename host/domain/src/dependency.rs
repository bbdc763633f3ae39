//! Which target depends on which: an order with dependencies first, or the cycle that there is.
//!
//! Invariant: no recursion, so a chain of any length is fine.

use crate::name::TargetName;
use std::collections::HashMap;

/// Targets that wait for one another for ever: each depends on the next, the last on the first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the dependencies go round in a circle: {}; take one of them out of `depends_on`",
    circle(.0)
)]
pub struct DependencyCycle(pub Vec<TargetName>);

fn circle(names: &[TargetName]) -> String {
    let round = names.iter().chain(names.first());
    let words: Vec<&str> = round.map(TargetName::as_str).collect();
    words.join(" → ")
}

enum Visit {
    Begun,
    Done,
}

/// The targets, each after all that it depends on, else as given. A dependency that is no target is passed over.
pub fn order<'a>(
    targets: &[(&'a TargetName, &'a [TargetName])],
) -> Result<Vec<&'a TargetName>, DependencyCycle> {
    let depends_on: HashMap<&TargetName, &'a [TargetName]> = targets.iter().copied().collect();
    let mut visits: HashMap<&TargetName, Visit> = HashMap::new();
    let mut ordered = Vec::with_capacity(targets.len());
    for (start, needs) in targets {
        if visits.contains_key(start) {
            continue;
        }
        visits.insert(start, Visit::Begun);
        // The way from the start to where we are, each with what of its dependencies is still to be looked at.
        let mut path = vec![(*start, needs.iter())];
        while let Some((name, remaining)) = path.last_mut() {
            let Some(next) = remaining.next() else {
                visits.insert(name, Visit::Done);
                ordered.push(*name);
                path.pop();
                continue;
            };
            match (visits.get(next), depends_on.get(next)) {
                (Some(Visit::Begun), _) => {
                    let on_path = path.iter().map(|(name, _)| *name);
                    let cycle = on_path.skip_while(|name| *name != next);
                    return Err(DependencyCycle(cycle.cloned().collect()));
                }
                (None, Some(needs)) => {
                    visits.insert(next, Visit::Begun);
                    path.push((next, needs.iter()));
                }
                (Some(Visit::Done), _) | (None, None) => {}
            }
        }
    }
    Ok(ordered)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> TargetName {
        TargetName::parse(text).unwrap()
    }

    fn order_of(graph: &[(TargetName, Vec<TargetName>)]) -> Result<Vec<String>, String> {
        let targets: Vec<_> = graph.iter().map(|(n, d)| (n, d.as_slice())).collect();
        order(&targets)
            .map(|names| names.into_iter().map(ToString::to_string).collect())
            .map_err(|cycle| cycle.to_string())
    }

    /// `a:b,c d` reads: a depends on b and c, d on nothing.
    fn check(graph: &str, expected: Result<&str, &str>) {
        let graph: Vec<_> = graph
            .split_whitespace()
            .map(|target| {
                let (target, needs) = target.split_once(':').unwrap_or((target, ""));
                let needs = needs.split(',').filter(|n| !n.is_empty());
                (name(target), needs.map(name).collect())
            })
            .collect();
        match (order_of(&graph), expected) {
            (Ok(names), Ok(expected)) => assert_eq!(names.join(" "), expected),
            (Err(error), Err(expected)) => assert!(error.contains(expected), "{error}"),
            (found, _) => panic!("{found:?} where {expected:?} was expected"),
        }
    }

    #[test]
    fn dependencies_come_first_and_else_the_order_of_the_file_stays() {
        check("a b c", Ok("a b c"));
        check("a:b b", Ok("b a"));
        check("a:b,c b:d c:d d", Ok("d b c a"));
        check("a:elsewhere b", Ok("a b"));
    }

    #[test]
    fn a_cycle_is_named_as_it_goes_round() {
        check("a:a", Err("circle: a → a;"));
        check("x:a a:b b:c c:a", Err("circle: a → b → c → a;"));
    }

    #[test]
    fn a_chain_of_a_hundred_thousand_is_fine() {
        let graph: Vec<_> = (0..100_000)
            .map(|n| (name(&format!("t{n}")), vec![name(&format!("t{}", n + 1))]))
            .collect();
        assert_eq!(order_of(&graph).unwrap().len(), graph.len());
    }

    proptest! {
        #[test]
        fn every_target_follows_what_it_depends_on(edges in proptest::collection::vec((0_usize..12, 0_usize..12), 0..40)) {
            // Only towards greater numbers, so there is no cycle.
            let graph: Vec<_> = (0..12).map(|n| {
                let needs = edges.iter().filter(|(from, to)| *from == n && to > from);
                (name(&format!("t{n}")), needs.map(|(_, to)| name(&format!("t{to}"))).collect::<Vec<_>>())
            }).collect();
            let ordered = order_of(&graph).unwrap();
            prop_assert_eq!(ordered.len(), 12);
            let place = |n: &TargetName| ordered.iter().position(|o| o == n.as_str());
            for (target, needs) in &graph {
                for need in needs {
                    prop_assert!(place(need) < place(target));
                }
            }
        }
    }
}
