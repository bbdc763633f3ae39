//! Which target depends on which: an order with dependencies first, or the cycles that there are.
//!
//! Invariant: no recursion, so a chain of any length is fine.
//! Invariant: one walk finds every cycle; looking for the next one never begins anew.

use crate::name::TargetName;
use std::collections::HashMap;

/// Of a longer cycle only the targets at its beginning and its end are named.
const SHOWN_OF_A_CIRCLE: usize = 12;

/// Targets that wait for one another for ever: each depends on the next, the last on the first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the dependencies go round in a circle: {}; take one of them out of `depends_on`",
    circle(.0)
)]
pub struct DependencyCycle(pub Vec<TargetName>);

fn circle(names: &[TargetName]) -> String {
    let round = names.iter().chain(names.first());
    let mut words: Vec<&str> = round.map(TargetName::as_str).collect();
    let left_out = names.len().saturating_sub(SHOWN_OF_A_CIRCLE);
    let more = format!("… {left_out} more …");
    if left_out > 0 {
        let half = SHOWN_OF_A_CIRCLE / 2;
        words.splice(half..half + left_out, [more.as_str()]);
    }
    words.join(" → ")
}

enum Visit {
    Begun,
    Done,
}

/// The targets, each after all that it depends on, else as given. A dependency that is no target is passed over.
///
/// # Errors
/// The first circle of targets that wait for one another.
pub fn order<'a>(
    targets: &[(&'a TargetName, &'a [TargetName])],
) -> Result<Vec<&'a TargetName>, DependencyCycle> {
    let walk = walk(targets);
    match walk.cycles.closing.first() {
        Some(closing) => Err(walk.cycles.closed_by(closing)),
        None => Ok(walk.ordered),
    }
}

/// Of each target those that depend on it, in the order of the targets. A dependency that is no target is passed over.
pub fn dependents<'a>(
    targets: &[(&'a TargetName, &'a [TargetName])],
) -> HashMap<&'a TargetName, Vec<&'a TargetName>> {
    let mut dependents: HashMap<_, Vec<_>> = targets
        .iter()
        .map(|(name, _)| (*name, Vec::new()))
        .collect();
    for (name, needs) in targets {
        for need in *needs {
            if let Some(dependents) = dependents.get_mut(need) {
                dependents.push(*name);
            }
        }
    }
    dependents
}

/// A dependency without which there would be one cycle less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closing<'a> {
    /// The target that depends.
    pub from: &'a TargetName,
    /// Which of its dependencies it is, from 0.
    pub number: usize,
    /// What it depends on.
    pub to: &'a TargetName,
}

/// Every cycle of some targets.
#[derive(Debug)]
pub struct Cycles<'a> {
    closing: Vec<Closing<'a>>,
    /// From which target the walk came to each.
    came_from: HashMap<&'a TargetName, &'a TargetName>,
}

impl<'a> Cycles<'a> {
    /// The dependencies that close them, in the order of the walk. Without these there is no cycle.
    pub fn closing(&self) -> &[Closing<'a>] {
        &self.closing
    }

    /// The cycle that a dependency closes.
    pub fn closed_by(&self, closing: &Closing<'_>) -> DependencyCycle {
        let mut names = vec![closing.from.clone()];
        let mut at = closing.from;
        while at != closing.to
            && let Some(before) = self.came_from.get(at).copied()
        {
            at = before;
            names.push(at.clone());
        }
        names.reverse();
        DependencyCycle(names)
    }
}

/// Every cycle; of two that are closed by the same dependency the one that the walk takes, from the first target on.
pub fn cycles<'a>(targets: &[(&'a TargetName, &'a [TargetName])]) -> Cycles<'a> {
    walk(targets).cycles
}

struct Walk<'a> {
    /// The targets, each after those that it depends on.
    ordered: Vec<&'a TargetName>,
    cycles: Cycles<'a>,
}

fn walk<'a>(targets: &[(&'a TargetName, &'a [TargetName])]) -> Walk<'a> {
    let depends_on: HashMap<&TargetName, &'a [TargetName]> = targets.iter().copied().collect();
    let mut visits: HashMap<&TargetName, Visit> = HashMap::new();
    let mut ordered = Vec::with_capacity(targets.len());
    let mut closing = Vec::new();
    let mut came_from: HashMap<&'a TargetName, &'a TargetName> = HashMap::new();
    for (start, needs) in targets {
        if visits.contains_key(start) {
            continue;
        }
        visits.insert(start, Visit::Begun);
        // The way from the start to where we are, each with what of its dependencies is still to be looked at.
        let mut path = vec![(*start, needs.iter().enumerate())];
        while let Some(&mut (from, ref mut remaining)) = path.last_mut() {
            let Some((number, to)) = remaining.next() else {
                visits.insert(from, Visit::Done);
                ordered.push(from);
                path.pop();
                continue;
            };
            match (visits.get(to), depends_on.get(to)) {
                (Some(Visit::Begun), _) => closing.push(Closing { from, number, to }),
                (None, Some(needs)) => {
                    visits.insert(to, Visit::Begun);
                    came_from.insert(to, from);
                    path.push((to, needs.iter().enumerate()));
                }
                (Some(Visit::Done), _) | (None, None) => {}
            }
        }
    }
    Walk {
        ordered,
        cycles: Cycles { closing, came_from },
    }
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
    fn the_dependents_of_a_target_are_those_that_name_it() {
        let (a, b, c) = (name("a"), name("b"), name("c"));
        let (of_a, of_b) = ([b.clone(), c.clone()], [c.clone(), name("elsewhere")]);
        let of_c: [TargetName; 0] = [];
        let found = dependents(&[(&a, &of_a[..]), (&b, &of_b[..]), (&c, &of_c[..])]);
        assert_eq!(found.len(), 3);
        assert_eq!(found[&a], Vec::<&TargetName>::new());
        assert_eq!(found[&b], [&a]);
        assert_eq!(found[&c], [&a, &b]);
    }

    #[test]
    fn a_cycle_is_named_as_it_goes_round() {
        check("a:a", Err("circle: a → a;"));
        check("x:a a:b b:c c:a", Err("circle: a → b → c → a;"));
    }

    #[test]
    fn a_long_circle_is_named_by_its_beginning_and_its_end() {
        let names: Vec<String> = (0..14).map(|n| format!("t{n}")).collect();
        let graph: Vec<String> = (0..14).map(|n| format!("t{n}:t{}", (n + 1) % 14)).collect();
        let expected = "circle: t0 → t1 → t2 → t3 → t4 → t5 → … 2 more … → t8 → t9 → t10 → t11 → t12 → t13 → t0;";
        check(&graph.join(" "), Err(expected));
        let graph: Vec<String> = (0..12).map(|n| format!("t{n}:t{}", (n + 1) % 12)).collect();
        let expected = format!("circle: {} → t0;", names[..12].join(" → "));
        check(&graph.join(" "), Err(expected.as_str()));
    }

    /// Every cycle by looking for the first one again and again, each time without what closed the one before.
    fn one_by_one(graph: &[(TargetName, Vec<TargetName>)]) -> Vec<DependencyCycle> {
        let mut graph = graph.to_vec();
        let mut found = Vec::new();
        loop {
            let targets: Vec<_> = graph.iter().map(|(n, d)| (n, d.as_slice())).collect();
            let Err(cycle) = order(&targets) else {
                return found;
            };
            let (last, first) = (cycle.0.last().unwrap(), cycle.0.first().unwrap());
            let (_, needs) = graph.iter_mut().find(|(name, _)| name == last).unwrap();
            let closing = needs.iter().position(|need| need == first).unwrap();
            needs.remove(closing);
            found.push(cycle);
        }
    }

    fn in_one_walk(graph: &[(TargetName, Vec<TargetName>)]) -> Vec<DependencyCycle> {
        let targets: Vec<_> = graph.iter().map(|(n, d)| (n, d.as_slice())).collect();
        let cycles = cycles(&targets);
        let closing = cycles.closing().iter();
        closing.map(|closing| cycles.closed_by(closing)).collect()
    }

    #[test]
    fn a_hundred_thousand_cycles_are_found_in_one_walk() {
        let graph: Vec<_> = (0..100_000)
            .map(|n| (name(&format!("t{n}")), vec![name(&format!("t{}", n ^ 1))]))
            .collect();
        assert_eq!(in_one_walk(&graph).len(), 50_000);
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
        fn one_walk_finds_the_cycles_that_are_found_one_by_one(
            edges in proptest::collection::vec((0_usize..8, 0_usize..8), 0..30),
        ) {
            let graph: Vec<_> = (0..8).map(|n| {
                let needs = edges.iter().filter(|(from, _)| *from == n);
                (name(&format!("t{n}")), needs.map(|(_, to)| name(&format!("t{to}"))).collect::<Vec<_>>())
            }).collect();
            prop_assert_eq!(in_one_walk(&graph), one_by_one(&graph));
        }

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
