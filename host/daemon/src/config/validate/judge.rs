//! What can only be judged when everything has been read: references, cycles, and routes that miss or are missed.

use super::super::{
    context::{Context, Raised},
    document::Place,
    suggest::nearest,
};
use mainstay_domain::{
    dependency,
    name::{PluginName, TargetName},
    route,
    spec::{PluginSpec, RouteSpec},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    slice,
};

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

/// Nothing may wait for itself. Each cycle is told once, at the dependency that closes it.
pub(super) fn cycles(context: &Context<'_>) {
    let facts = context.facts.borrow();
    let mut edges: Vec<&(TargetName, TargetName, Place)> = facts.dependencies.iter().collect();
    loop {
        let mut depends_on: BTreeMap<&TargetName, Vec<TargetName>> = BTreeMap::new();
        for (from, to, _) in &edges {
            depends_on.entry(from).or_default().push(to.clone());
        }
        let targets: Vec<(&TargetName, &[TargetName])> = depends_on
            .iter()
            .map(|(name, others)| (*name, others.as_slice()))
            .collect();
        let Err(cycle) = dependency::order(&targets) else {
            return;
        };
        let closing = |edge: &&(TargetName, TargetName, Place)| {
            Some(&edge.0) == cycle.0.last() && Some(&edge.1) == cycle.0.first()
        };
        let Some(number) = edges.iter().position(closing) else {
            return;
        };
        let (_, _, place) = edges.remove(number);
        context.error(
            *place,
            cycle.to_string(),
            "a target waits while what it depends on fails, so these would wait for one another for ever",
        );
    }
}

/// A plugin may use the secrets of its own settings, so a step can name no others.
pub(super) fn secrets(context: &Context<'_>, plugins: &BTreeMap<PluginName, PluginSpec>) {
    let facts = context.facts.borrow();
    for (handler, secret, place) in &facts.handed {
        let may_use = |plugin: &PluginSpec| plugin.secrets().contains(secret);
        if !plugins.get(handler).is_some_and(may_use) {
            context.error(
                *place,
                format!("`params` names the secret `{secret}`, which `{handler}` may not use: its settings do not name it"),
                format!("name it in [plugin.{handler}] settings, as \"${{secret:{secret}}}\", or take it out of `params`"),
            );
        }
    }
}

/// Routes that nothing reaches, and failures that reach no route. Needs a config without errors.
pub(super) fn routes(context: &Context<'_>, routes: &[RouteSpec]) {
    let facts = context.facts.borrow();
    let hidden = route::unreachable(routes);
    for (number, (route, place)) in routes.iter().zip(&facts.routes).enumerate() {
        let wins = hidden.iter().find(|hidden| hidden.route == number);
        let winner = wins.and_then(|hidden| facts.routes.get(hidden.behind));
        if let Some(winner) = winner.and_then(|place| context.locate(*place)) {
            context.warn(
                *place,
                format!("this route never matches: the one at {winner} takes all that fits it"),
                "remove it, or give it another `failure`, `target` or `severity`",
            );
            continue;
        }
        let fits = |raised: &Raised| is_routed(slice::from_ref(route), raised);
        if !facts.raised.iter().any(fits) {
            context.warn(
                *place,
                "this route never matches by itself: no check and no exit of a target raises what it asks for",
                "compare its `failure`, `target` and `severity` with those of the checks; `mainstay recover` can still use it",
            );
        }
    }
    let mut told = BTreeSet::new();
    for raised in &facts.raised {
        let Raised {
            target,
            failure,
            place,
            ..
        } = raised;
        if !is_routed(routes, raised) && told.insert((target, failure)) {
            context.warn(
                *place,
                format!("no route fits `{failure}` of target `{target}`: it is reported, and nobody recovers it"),
                format!("add [[route]] with failure = \"{failure}\" and a chain"),
            );
        }
    }
}

fn is_routed(routes: &[RouteSpec], raised: &Raised) -> bool {
    route::route(routes, &raised.target, &raised.failure, raised.severity).is_some()
}
