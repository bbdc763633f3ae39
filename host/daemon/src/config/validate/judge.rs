//! What can only be judged when everything has been read: references, cycles, and routes that miss or are missed.
//!
//! Invariant: linear in the length of the config. Work beyond that (suggestions, whole cycles) is done only for the
//! problems that are shown.

use super::{
    super::{
        context::{Context, EntityKind, Raised},
        document::Place,
        group::{MOST_ERRORS, MOST_WARNINGS},
        suggest::nearest,
        values::plain,
    },
    route::help_of_idle,
};
use mainstay_domain::{
    dependency::{self, Closing},
    name::{FailureType, PluginName, SecretName, TargetName},
    route::{self, RouteTable},
    severity::Severity,
    spec::{AlertRoute, JobSpec, PluginSpec, RouteSpec, Spec, plugin_behind},
};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Every thing that is referred to must exist.
pub(super) fn references(context: &Context<'_>) {
    let facts = context.facts.borrow();
    let mut looked_at = BTreeSet::new();
    let mut dangling: Vec<&(EntityKind, String, Place)> = facts
        .referred
        .iter()
        .filter(|(thing, name, _)| !facts.defined.contains_key(&(*thing, name.clone())))
        .filter(|reference| looked_at.insert(*reference))
        .collect();
    dangling.sort_by_key(|(_, _, place)| place.order());
    let mut meant_by: BTreeMap<(EntityKind, &str), Option<&str>> = BTreeMap::new();
    for (number, (thing, name, place)) in dangling.into_iter().enumerate() {
        let same_kind = facts.defined.keys().filter(|(kind, _)| kind == thing);
        let look = || nearest(name, same_kind.map(|(_, name)| name.as_str()));
        let meant = match number < MOST_ERRORS {
            true => *meant_by.entry((*thing, name.as_str())).or_insert_with(look),
            false => None,
        };
        let help = match meant {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None => format!("add {}", thing.example(name)),
        };
        let message = format!("there is no {} `{name}`", thing.as_str());
        context.error(*place, message, help);
    }
}

/// Nothing may wait for itself. Each cycle is reported once, at the dependency that closes it.
pub(super) fn cycles(context: &Context<'_>) {
    let facts = context.facts.borrow();
    let mut depends_on: BTreeMap<&TargetName, (Vec<TargetName>, Vec<Place>)> = BTreeMap::new();
    for (from, to, place) in &facts.dependencies {
        let (others, places) = depends_on.entry(from).or_default();
        others.push(to.clone());
        places.push(*place);
    }
    let targets: Vec<(&TargetName, &[TargetName])> = depends_on
        .iter()
        .map(|(name, (others, _))| (*name, others.as_slice()))
        .collect();
    let cycles = dependency::cycles(&targets);
    let place_of = |closing: &Closing<'_>| {
        let (_, places) = depends_on.get(closing.from)?;
        places.get(closing.number).copied()
    };
    let mut found: Vec<(Place, Closing<'_>)> = cycles
        .closing()
        .iter()
        .filter_map(|closing| Some((place_of(closing)?, *closing)))
        .collect();
    found.sort_by_key(|(place, _)| place.order());
    for (number, (place, closing)) in found.into_iter().enumerate() {
        let message = match number < MOST_ERRORS {
            true => cycles.closed_by(&closing).to_string(),
            false => format!("`{}` closes a circle of dependencies", closing.from),
        };
        context.error(
            place,
            message,
            "a target waits while what it depends on fails, so these would wait for one another for ever",
        );
    }
}

/// A plugin may use the secrets of its own settings, so a step can name no others.
pub(super) fn secrets(context: &Context<'_>, plugins: &BTreeMap<PluginName, PluginSpec>) {
    let facts = context.facts.borrow();
    let mut usable: HashMap<&PluginName, BTreeSet<SecretName>> = HashMap::new();
    for (handler, secret, place) in &facts.handed {
        let of_settings = || plugins.get(handler).map(PluginSpec::secrets);
        let may_use = usable
            .entry(handler)
            .or_insert_with(|| of_settings().unwrap_or_default());
        if !may_use.contains(secret) {
            context.error(
                *place,
                format!("`params` names the secret `{secret}`, which `{handler}` may not use: its settings do not name it"),
                format!("name it in [plugin.{handler}] settings, as \"${{secret:{secret}}}\", or take it out of `params`"),
            );
        }
    }
}

/// Backups that would be a part of what they back up. What is put back would replace the backup that it comes from.
pub(super) fn stores(context: &Context<'_>, spec: &Spec) {
    let store = plain(&spec.backups());
    let facts = context.facts.borrow();
    for (path, place) in &facts.backed_up {
        let source = plain(path);
        if source.starts_with(&store) {
            context.error(
                *place,
                format!(
                    "this source lies in {}, where backups are stored: each backup would hold those before it",
                    store.display()
                ),
                "name what is to be backed up itself; copy backups elsewhere with another program",
            );
        } else if store.starts_with(&source) {
            context.warn(
                *place,
                format!(
                    "this source holds {}, where backups are stored: they are left out, and the source cannot be restored in \
                     place",
                    store.display()
                ),
                "name the directories below it that are meant, or move `state_dir` out of it",
            );
        }
    }
}

/// Alert routes that send nothing: each alerter is told of an event once. Needs a config without errors.
pub(super) fn alerts(context: &Context<'_>, alerts: &[AlertRoute]) {
    let facts = context.facts.borrow();
    let mut known: HashMap<_, (Severity, Place)> = HashMap::new();
    for (route, place) in alerts.iter().zip(&facts.alerts) {
        let events: BTreeSet<&str> = route.events.iter().map(|kind| kind.as_str()).collect();
        let asked = (&route.alerter, &route.target, events);
        let least = route.min_severity;
        let Some((wider, first)) = known.get(&asked).copied() else {
            known.insert(asked, (least, *place));
            continue;
        };
        // Whichever asks for more is the one that sends.
        let (idle, sending) = match least >= wider {
            true => (*place, first),
            false => {
                known.insert(asked, (least, *place));
                (first, *place)
            }
        };
        if let Some(sending) = context.locate(sending) {
            context.warn(
                idle,
                format!("this alert route sends nothing that the one at {sending} does not send: `{}` is told of an event once", route.alerter),
                "remove it, or give it other `events` or another `target`",
            );
        }
    }
}

/// What an instance is of is a plugin file, and no instance.
pub(super) fn instances(context: &Context<'_>, plugins: &BTreeMap<PluginName, PluginSpec>) {
    for (of, place) in &context.facts.borrow().instances {
        if let Some(other) = plugins.get(of).and_then(|spec| spec.plugin.as_ref()) {
            context.error(
                *place,
                format!("`{of}` is an instance itself, of `{other}`"),
                "name the plugin that lies in the plugin directory",
            );
        }
    }
}

/// The first-party handlers that restore backups in place, with their settings that name a job.
const RESTORE: &[(&str, &[&str])] = &[
    ("corruption-restore", &["job"]),
    ("postgres-recovery", &["checkpoints", "job"]),
];

/// Steps that would restore what cannot be put back in place. Needs a config without errors.
pub(super) fn restores(context: &Context<'_>, spec: &Spec) {
    let facts = context.facts.borrow();
    let jobs: HashMap<&str, &JobSpec> = spec
        .jobs
        .iter()
        .map(|job| (job.name.as_str(), job))
        .collect();
    for (route, place) in spec.routes.iter().zip(&facts.routes) {
        let steps = route.chain.iter();
        for step in steps {
            let settings = spec.plugins.get(&step.handler);
            let of = plugin_behind(&spec.plugins, &step.handler).as_str();
            let Some((handler, keys)) = RESTORE.iter().find(|(name, _)| *name == of) else {
                continue;
            };
            for key in *keys {
                let of_step = step.params.get(*key);
                let named = of_step.or_else(|| settings?.settings.get(*key));
                let job = named.and_then(|name| jobs.get(name.as_str()?));
                if let Some(job) = job.filter(|job| !job.is_restorable_in_place()) {
                    context.warn(
                        *place,
                        format!(
                            "`{handler}` cannot restore the job `{}`: it has no directory among its sources, and nothing else is put back in place",
                            job.name
                        ),
                        "name a job with a source of kind \"directory\", or let a handler of your own put the dump back",
                    );
                }
            }
        }
    }
}

/// Routes that nothing reaches, and failures that reach no route. Needs a config without errors.
pub(super) fn routes(context: &Context<'_>, routes: &[RouteSpec]) {
    let facts = context.facts.borrow();
    let hidden: HashMap<usize, usize> = route::unreachable(routes)
        .into_iter()
        .map(|hidden| (hidden.route, hidden.behind))
        .collect();
    let worst = worst_of(&facts.raised);
    let failures = facts.raised.iter().map(|raised| raised.failure.as_str());
    let mut failures: BTreeSet<&str> = failures.collect();
    let mut idle = 0;
    for (number, (route, place)) in routes.iter().zip(&facts.routes).enumerate() {
        let winner = hidden
            .get(&number)
            .and_then(|behind| facts.routes.get(*behind));
        if let Some(winner) = winner.and_then(|place| context.locate(*place)) {
            context.warn(
                *place,
                format!("this route never matches: the one at {winner} takes all that fits it"),
                "remove it, or give it another `failure`, `target` or `severity`",
            );
            continue;
        }
        let worst = worst.get(&(route.target.as_ref(), route.failure.as_ref()));
        let is_reached =
            worst.is_some_and(|worst| route.severity.is_none_or(|least| least <= *worst));
        if !is_reached {
            idle += 1;
            if idle > MOST_WARNINGS {
                failures.clear();
            }
            context.warn(
                *place,
                "this route never matches by itself: no check and no exit of a target raises what it asks for",
                help_of_idle(route, &failures),
            );
        }
    }
    let table = RouteTable::new(routes);
    let mut reported = HashSet::new();
    for raised in &facts.raised {
        let Raised {
            target,
            failure,
            severity,
            place,
        } = raised;
        let is_routed = table.place(target, failure, *severity).is_some();
        if !is_routed && reported.insert((target, failure)) {
            context.warn(
                *place,
                format!("no route fits `{failure}` of target `{target}`: it is reported, and nobody recovers it"),
                format!("add [[route]] with failure = \"{failure}\" and a chain"),
            );
        }
    }
}

/// What a route can ask for.
type Asked<'a> = (Option<&'a TargetName>, Option<&'a FailureType>);

/// How bad what can be raised is at worst: of each target and failure, of each alone, and of all.
fn worst_of(raised: &[Raised]) -> HashMap<Asked<'_>, Severity> {
    let mut worst: HashMap<Asked<'_>, Severity> = HashMap::new();
    for raised in raised {
        let (target, failure) = (Some(&raised.target), Some(&raised.failure));
        for asked in [
            (target, failure),
            (target, None),
            (None, failure),
            (None, None),
        ] {
            let known = worst.entry(asked).or_insert(raised.severity);
            *known = raised.severity.max(*known);
        }
    }
    worst
}
