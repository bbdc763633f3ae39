//! Routes by what they ask for, so that as many failures as there are routes find theirs in one pass.
//!
//! Invariant: a table says what looking at every route would say.

use super::{covers, specificity};
use crate::{
    name::{FailureType, TargetName},
    severity::Severity,
    spec::RouteSpec,
};
use std::collections::{BTreeMap, HashMap};

/// The target and the failure that a route asks for.
type Asked = (Option<TargetName>, Option<FailureType>);

/// Routes by what they ask for.
#[derive(Debug)]
pub struct RouteTable {
    /// The place of the first of those that ask for exactly the same.
    firsts: HashMap<Asked, BTreeMap<Option<Severity>, usize>>,
}

impl RouteTable {
    /// One pass over the routes.
    pub fn new(routes: &[RouteSpec]) -> Self {
        let mut firsts: HashMap<Asked, BTreeMap<Option<Severity>, usize>> = HashMap::new();
        for (number, route) in routes.iter().enumerate() {
            let by_severity = firsts.entry(asked(route)).or_default();
            by_severity.entry(route.severity).or_insert(number);
        }
        Self { firsts }
    }

    /// The place of the route that fits: the most specific, and of equals the first.
    pub fn place(
        &self,
        target: &TargetName,
        failure: &FailureType,
        severity: Severity,
    ) -> Option<usize> {
        let (target, failure) = (|| Some(target.clone()), || Some(failure.clone()));
        // The most specific first.
        let asked = [
            (target(), failure()),
            (target(), None),
            (None, failure()),
            (None, None),
        ];
        asked.iter().find_map(|asked| {
            let by_severity = self.firsts.get(asked)?;
            let (_, number) = by_severity.range(..=Some(severity)).next_back()?;
            Some(*number)
        })
    }

    /// The first route that takes whatever this one fits.
    pub(super) fn hides(
        &self,
        routes: &[RouteSpec],
        number: usize,
        route: &RouteSpec,
    ) -> Option<usize> {
        // One that asks for another target or failure, or for none, is less specific or does not fit the same.
        let by_severity = self.firsts.get(&asked(route))?;
        let hides = |other_number: &usize| {
            routes.get(*other_number).is_some_and(|other| {
                let (own, others) = (specificity(route), specificity(other));
                let wins = others > own || (others == own && *other_number < number);
                wins && covers(other, route)
            })
        };
        by_severity.values().copied().filter(hides).min()
    }
}

fn asked(route: &RouteSpec) -> Asked {
    (route.target.clone(), route.failure.clone())
}
