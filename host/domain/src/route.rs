//! Which route an incident gets.
//!
//! Invariant: the most specific wins: one for the target before one for the failure before one for the severity, and of
//! two severities the higher; of equals, the first in the file.

mod gaps;
mod table;

pub use gaps::{GapNews, GapWatch, Gaps, gaps};
pub use table::RouteTable;

use crate::{severity::Severity, spec::RouteSpec};

/// A route that no incident can get, for another that fits whatever it fits wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreachable {
    /// Its place in the list.
    pub route: usize,
    /// The place of the one that wins.
    pub behind: usize,
}

/// Every route that no incident can get; a warning each.
pub fn unreachable(routes: &[RouteSpec]) -> Vec<Unreachable> {
    let table = RouteTable::new(routes);
    let numbered = routes.iter().enumerate();
    numbered
        .filter_map(|(number, route)| {
            let behind = table.hides(routes, number, route)?;
            Some(Unreachable {
                route: number,
                behind,
            })
        })
        .collect()
}

fn covers(wide: &RouteSpec, narrow: &RouteSpec) -> bool {
    (wide.target.is_none() || wide.target == narrow.target)
        && (wide.failure.is_none() || wide.failure == narrow.failure)
        && least_severity(wide) <= least_severity(narrow)
}

fn specificity(route: &RouteSpec) -> (bool, bool, Option<Severity>) {
    (
        route.target.is_some(),
        route.failure.is_some(),
        route.severity,
    )
}

fn least_severity(route: &RouteSpec) -> Severity {
    route.severity.unwrap_or(Severity::Low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        name::{FailureType, TargetName},
        spec::{Strategy, Workflow},
    };
    use proptest::prelude::*;
    use std::{cmp::Reverse, time::Duration};

    /// What the table has to agree with, said the plain way. The first of equally specific routes that fit wins.
    fn route<'a>(
        routes: &'a [RouteSpec],
        target: &TargetName,
        failure: &FailureType,
        severity: Severity,
    ) -> Option<&'a RouteSpec> {
        let fits = |route: &&RouteSpec| {
            route.target.as_ref().is_none_or(|t| t == target)
                && route.failure.as_ref().is_none_or(|f| f == failure)
                && least_severity(route) <= severity
        };
        routes
            .iter()
            .filter(fits)
            .min_by_key(|route| Reverse(specificity(route)))
    }

    /// `target failure severity`, each `-` where the route does not say.
    fn spec(filters: &str) -> RouteSpec {
        let mut words = filters
            .split_whitespace()
            .map(|w| Some(w).filter(|w| *w != "-"));
        let mut word = || words.next().flatten();
        RouteSpec {
            target: word().map(|w| TargetName::parse(w).unwrap()),
            failure: word().map(|w| FailureType::parse(w).unwrap()),
            severity: word().map(|w| Severity::ALL.into_iter().find(|s| s.as_str() == w).unwrap()),
            strategy: Strategy::Immediate { max_attempts: 1 },
            decider: None,
            cooldown: Duration::ZERO,
            relapse_window: Duration::ZERO,
            workflow: Workflow::Standard,
            simulate: false,
            chain: Vec::new(),
        }
    }

    /// Which of the routes `api` gets for `down` at `high`.
    fn check(routes: &[&str], expected: Option<usize>) {
        let specs: Vec<_> = routes.iter().map(|r| spec(r)).collect();
        let target = TargetName::parse("api").unwrap();
        let failure = FailureType::parse("down").unwrap();
        let found = route(&specs, &target, &failure, Severity::High);
        let place = found.and_then(|found| specs.iter().position(|s| std::ptr::eq(s, found)));
        assert_eq!(place, expected, "{routes:?}");
    }

    fn check_unreachable(routes: &[&str], expected: &[(usize, usize)]) {
        let specs: Vec<_> = routes.iter().map(|r| spec(r)).collect();
        let found: Vec<_> = unreachable(&specs)
            .iter()
            .map(|u| (u.route, u.behind))
            .collect();
        assert_eq!(found, expected, "{routes:?}");
    }

    #[test]
    fn only_a_route_that_fits_is_taken() {
        check(&[], None);
        check(&["web - -", "- slow -", "- - critical"], None);
        check(&["web - -", "- - -"], Some(1));
        check(&["- - high"], Some(0));
    }

    #[test]
    fn the_most_specific_route_wins_and_of_equals_the_first() {
        check(&["- - -", "- - low", "- down -", "api - -"], Some(3));
        check(&["- - -", "- - high", "- down -"], Some(2));
        check(&["- - -", "- - low"], Some(1));
        check(&["- - low", "- - high"], Some(1));
        check(&["api - critical", "api - -", "- down high"], Some(1));
        check(&["- down -", "- down -"], Some(0));
    }

    #[test]
    fn a_route_behind_one_that_always_wins_is_found() {
        check_unreachable(&["- down -", "api - -", "- - -"], &[]);
        check_unreachable(&["- down -", "- down -"], &[(1, 0)]);
        check_unreachable(&["- - -", "- - low"], &[(0, 1)]);
        check_unreachable(&["- - high", "- - critical"], &[]);
    }

    /// By comparing each route with each.
    fn unreachable_of_all(routes: &[RouteSpec]) -> Vec<Unreachable> {
        let numbered = || routes.iter().enumerate();
        let found = numbered().filter_map(|(number, route)| {
            let hides = |&(other_number, other): &(usize, &RouteSpec)| {
                let (own, others) = (specificity(route), specificity(other));
                let wins = others > own || (others == own && other_number < number);
                wins && covers(other, route)
            };
            let (behind, _) = numbered().find(hides)?;
            Some(Unreachable {
                route: number,
                behind,
            })
        });
        found.collect()
    }

    #[test]
    fn a_hundred_thousand_routes_are_judged_in_one_pass() {
        let routes: Vec<RouteSpec> = (0..100_000)
            .map(|n| spec(&format!("t{} down -", n / 2)))
            .collect();
        assert_eq!(unreachable(&routes).len(), 50_000);
        let table = RouteTable::new(&routes);
        let failure = FailureType::parse("down").unwrap();
        let taken = |n: usize| {
            let target = TargetName::parse(&format!("t{n}")).unwrap();
            table.place(&target, &failure, Severity::Low)
        };
        assert_eq!((0..100_000).filter_map(taken).count(), 50_000);
    }

    proptest! {
        #[test]
        fn a_table_says_what_a_look_at_every_route_says(choices in proptest::collection::vec((0_usize..3, 0_usize..3, 0_usize..5), 0..12)) {
            let (targets, failures) = (["-", "api", "web"], ["-", "down", "slow"]);
            let severities = ["-", "low", "medium", "high", "critical"];
            let specs: Vec<_> = choices.iter()
                .map(|(t, f, s)| spec(&format!("{} {} {}", targets[*t], failures[*f], severities[*s])))
                .collect();
            prop_assert_eq!(unreachable(&specs), unreachable_of_all(&specs));
            let table = RouteTable::new(&specs);
            for target in ["api", "web", "db"].map(|name| TargetName::parse(name).unwrap()) {
                for failure in ["down", "slow", "full"].map(|name| FailureType::parse(name).unwrap()) {
                    for severity in Severity::ALL {
                        let other = table.place(&target, &failure, severity).and_then(|place| specs.get(place));
                        let one = route(&specs, &target, &failure, severity);
                        prop_assert_eq!(one.map(std::ptr::from_ref), other.map(std::ptr::from_ref));
                    }
                }
            }
        }

        #[test]
        fn an_unreachable_route_is_never_taken(choices in proptest::collection::vec((0_usize..3, 0_usize..3, 0_usize..5), 0..6)) {
            let (targets, failures) = (["-", "api", "web"], ["-", "down", "slow"]);
            let severities = ["-", "low", "medium", "high", "critical"];
            let specs: Vec<_> = choices.iter()
                .map(|(t, f, s)| spec(&format!("{} {} {}", targets[*t], failures[*f], severities[*s])))
                .collect();
            let hidden: Vec<_> = unreachable(&specs).iter().map(|u| u.route).collect();
            for target in ["api", "web", "db"] {
                for failure in ["down", "slow", "full"] {
                    for severity in Severity::ALL {
                        let taken = route(&specs, &TargetName::parse(target).unwrap(), &FailureType::parse(failure).unwrap(), severity);
                        let place = taken.and_then(|taken| specs.iter().position(|s| std::ptr::eq(s, taken)));
                        prop_assert!(place.is_none_or(|place| !hidden.contains(&place)));
                    }
                }
            }
        }
    }
}
