//! What can only be judged when everything has been read: references, cycles, and routes that miss or are missed.

use super::super::{context::Context, suggest::nearest};
use mainstay_domain::{
    name::{FailureType, TargetName},
    severity::Severity,
    spec::RouteSpec,
};
use std::collections::{BTreeMap, BTreeSet};

/// Every thing that is referred to must exist.
pub(super) fn references(context: &Context<'_>) {
    let facts = context.facts.borrow();
    for (thing, name, place) in &facts.referred {
        if facts.defined.contains_key(&(*thing, name.clone())) {
            continue;
        }
        let same_kind = facts.defined.keys().filter(|(kind, _)| kind == thing);
        let help = match nearest(name, same_kind.map(|(_, name)| name.as_str())) {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None => format!("add {}", thing.example(name)),
        };
        let message = format!("there is no {} `{name}`", thing.as_str());
        context.error(*place, message, help);
    }
}

/// Nothing may wait for itself.
pub(super) fn cycles(context: &Context<'_>) {
    let facts = context.facts.borrow();
    let mut graph: BTreeMap<&TargetName, Vec<&TargetName>> = BTreeMap::new();
    for (from, to, _) in &facts.dependencies {
        graph.entry(from).or_default().push(to);
    }
    let mut told = BTreeSet::new();
    for (from, to, place) in &facts.dependencies {
        let Some(mut cycle) = path_between(&graph, to, from) else {
            continue;
        };
        let members: BTreeSet<&TargetName> = cycle.iter().copied().collect();
        if !told.insert(members) {
            continue;
        }
        cycle.insert(0, from);
        let names: Vec<&str> = cycle.iter().map(|name| name.as_str()).collect();
        context.error(
            *place,
            format!("targets depend on each other: {}", names.join(" → ")),
            "remove one of these dependencies; a target whose dependency fails waits for it, so these would wait for ever",
        );
    }
}

/// A shortest path, both ends included.
fn path_between<'a>(
    graph: &BTreeMap<&'a TargetName, Vec<&'a TargetName>>,
    from: &'a TargetName,
    to: &TargetName,
) -> Option<Vec<&'a TargetName>> {
    let mut seen = BTreeSet::from([from]);
    let mut paths = vec![vec![from]];
    while !paths.is_empty() {
        let mut longer = Vec::new();
        for path in paths {
            let last = path.last().copied()?;
            if last == to {
                return Some(path);
            }
            for next in graph.get(last).into_iter().flatten().copied() {
                if seen.insert(next) {
                    let mut path = path.clone();
                    path.push(next);
                    longer.push(path);
                }
            }
        }
        paths = longer;
    }
    None
}

fn fits(route: &RouteSpec, target: &TargetName, failure: &FailureType, severity: Severity) -> bool {
    route.target.as_ref().is_none_or(|only| only == target)
        && route.failure.as_ref().is_none_or(|only| only == failure)
        && route.severity.is_none_or(|least| severity >= least)
}

/// Whether everything that fits the later route goes to the earlier one.
fn covers(earlier: &RouteSpec, later: &RouteSpec) -> bool {
    let severities = match (earlier.severity, later.severity) {
        (None, None) => true,
        (Some(earlier), Some(later)) => earlier <= later,
        _ => false,
    };
    earlier.target == later.target && earlier.failure == later.failure && severities
}

/// Routes that nothing reaches, and failures that reach no route. Needs a config without errors.
pub(super) fn routes(context: &Context<'_>, routes: &[RouteSpec]) {
    let facts = context.facts.borrow();
    for (number, (route, place)) in routes.iter().zip(&facts.routes).enumerate() {
        let earlier = routes.iter().zip(&facts.routes).take(number);
        let covering = earlier
            .filter(|(earlier, _)| covers(earlier, route))
            .find_map(|(_, place)| context.locate(*place));
        if let Some(covering) = covering {
            context.warn(
                *place,
                format!("this route never matches: the one at {covering} takes all that fits it"),
                "remove it, or give it another `failure`, `target` or `severity`",
            );
            continue;
        }
        let mut raised = facts.raised.iter();
        if !raised.any(|(target, failure, severity, _)| fits(route, target, failure, *severity)) {
            context.warn(
                *place,
                "this route never matches by itself: no check and no exit of a target raises what it asks for",
                "compare its `failure`, `target` and `severity` with those of the checks; `mainstay recover` can still use it",
            );
        }
    }
    let mut told = BTreeSet::new();
    for (target, failure, severity, place) in &facts.raised {
        let is_routed = routes
            .iter()
            .any(|route| fits(route, target, failure, *severity));
        if !is_routed && told.insert((target, failure)) {
            context.warn(
                *place,
                format!("no route fits `{failure}` of target `{target}`: it is reported, and nobody recovers it"),
                format!("add [[route]] with failure = \"{failure}\" and a chain"),
            );
        }
    }
}
