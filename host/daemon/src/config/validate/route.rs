//! `[[route]]` and `[[alert]]`.
//!
//! Length: every key of a route, its strategy, its steps and of an alert route.

mod when;

use super::super::{
    context::EntityKind,
    document::Value,
    reader::{Fields, ValueAt},
    suggest::nearest,
    values::{
        as_written, boolean, count, duration, existing, json_object, name, number, one_of,
        positive_duration, severity, version,
    },
};
use mainstay_domain::{
    alert::{can_be_grouped, never_alerts},
    event::EventKind,
    jitter::Jitter,
    name::{FailureType, PluginName, TargetName},
    severity::Severity,
    spec::{
        AlertGrouping, AlertRoute, DeciderSpec, GroupBy, OnFailure, RouteSpec, StepSpec, Strategy,
        Workflow,
    },
};
use semver::VersionReq;
use std::{collections::BTreeSet, time::Duration};
use when::{When, when};

/// Nobody waits for longer to be told of anything.
const LONGEST_GROUP_WAIT: Duration = Duration::from_secs(600);

const RELAPSE_WINDOW: Duration = Duration::from_secs(60);

pub(super) fn route(at: ValueAt<'_>) -> Option<RouteSpec> {
    at.fields("this route", |fields| {
        let failure = fields.optional("failure", name(FailureType::parse));
        let target = fields.optional("target", existing(EntityKind::Target, TargetName::parse));
        let least = fields.optional("severity", severity);
        let strategy = fields.optional("strategy", strategy);
        let (strategy, decider) = strategy.unzip();
        let cooldown = fields.or("cooldown", Duration::ZERO, duration);
        let relapse_window = fields.or("relapse_window", RELAPSE_WINDOW, duration);
        let workflow = fields.or("workflow", Workflow::Standard, workflow);
        let simulate = fields.or("simulate", false, boolean);
        let example = "chain = [ { handler = \"restart-service\" } ]";
        let chain = fields.required("chain", example, |at| {
            let steps = at.each(&format!("write {example}"), step)?;
            warn_of_first_pause(at);
            if steps.is_empty() {
                return at.refuse(
                    "`chain` has no step that can be run",
                    format!("write {example}"),
                );
            }
            Some(steps)
        });
        // One that is left out has no number.
        let chain = chain?;
        at.context.facts.borrow_mut().routes.push(at.node.place);
        Some(RouteSpec {
            failure,
            target,
            severity: least,
            strategy: strategy.unwrap_or(Strategy::Exponential {
                max_attempts: ATTEMPTS,
                initial_delay: INITIAL_DELAY,
                multiplier: MULTIPLIER,
                max_delay: MAX_DELAY,
                delay_first: false,
                jitter: Jitter::None,
            }),
            decider: decider.flatten(),
            cooldown,
            relapse_window,
            workflow,
            simulate,
            chain,
        })
    })
}

/// What to do about a route that nothing reaches; `failures`: what can be raised.
pub(super) fn help_of_idle(route: &RouteSpec, failures: &BTreeSet<&str>) -> String {
    let asked = route.failure.as_ref().map(FailureType::as_str);
    let unknown = asked.filter(|asked| !failures.contains(asked));
    let meant = unknown.and_then(|asked| nearest(asked, failures.iter().copied()));
    match meant {
        Some(meant) => {
            format!("did you mean failure = \"{meant}\"? As it is, `mainstay recover` can use it")
        }
        None => "compare its `failure`, `target` and `severity` with those of the checks; `mainstay recover` can still use it"
            .to_owned(),
    }
}

fn workflow(at: ValueAt<'_>) -> Option<Workflow> {
    let words = Workflow::ALL.map(|workflow| (workflow.as_str(), workflow));
    one_of("a workflow", &words, at)
}

fn step(at: ValueAt<'_>) -> Option<StepSpec> {
    at.fields("this step", |fields| {
        let handler = name(PluginName::parse);
        let handler = fields.required("handler", "handler = \"restart-service\"", handler);
        let on_failure = |at| one_of("what a failed step means for the next", &ON_FAILURE, at);
        let when = fields.or("when", When::Unsaid, when);
        let no_params = serde_json::Value::Object(serde_json::Map::new());
        let mut params_at = at.node.place;
        let params = |at: ValueAt<'_>| {
            params_at = at.node.place;
            json_object(at)
        };
        let step = StepSpec {
            version: fields.or("version", VersionReq::STAR, version),
            always: when == When::Always,
            when: when.condition(),
            on_failure: fields.optional("on_failure", on_failure),
            pause: fields.or("pause", Duration::ZERO, duration),
            params: fields.or("params", no_params, params),
            timeout: fields.or("timeout", Duration::from_secs(60), positive_duration),
            handler: handler?,
        };
        let named = step.secrets().into_iter();
        let handed = named.map(|secret| (step.handler.clone(), secret, params_at));
        at.context.facts.borrow_mut().handed.extend(handed);
        Some(step)
    })
}

const ON_FAILURE: [(&str, OnFailure); 2] =
    [("continue", OnFailure::Continue), ("stop", OnFailure::Stop)];

/// Nothing lies before the first step that it could wait behind.
fn warn_of_first_pause(chain: ValueAt<'_>) {
    let Value::Array(steps) = &chain.node.value else {
        return;
    };
    let first = steps.first().map(|step| &step.value);
    if let Some(Value::Table(first)) = first
        && let Some(pause) = first.get("pause")
    {
        chain.context.warn(
            pause.key,
            "`pause` of the first step has nothing to wait behind",
            "remove it; a pause lies between a step and the one that was called before it",
        );
    }
}

// Defaults of seed 002.
const ATTEMPTS: u32 = 5;
const INITIAL_DELAY: Duration = Duration::from_secs(1);
const MULTIPLIER: f64 = 2.0;
const MAX_DELAY: Duration = Duration::from_secs(60);

/// How the key `kind` selects the other keys.
type ReadStrategy = fn(&mut Fields<'_>) -> Strategy;

const STRATEGIES: [(&str, ReadStrategy); 4] = [
    ("exponential", exponential),
    ("linear", |fields| {
        let (initial_delay, max_delay) = delays(fields);
        Strategy::Linear {
            max_attempts: attempts(fields, ATTEMPTS),
            initial_delay,
            max_delay,
            delay_first: fields.or("delay_first", false, boolean),
            jitter: fields.or("jitter", Jitter::None, jitter),
        }
    }),
    ("immediate", |fields| Strategy::Immediate {
        max_attempts: attempts(fields, ATTEMPTS),
    }),
    ("manual", |fields| Strategy::Manual {
        max_attempts: attempts(fields, 1),
    }),
];

fn exponential(fields: &mut Fields<'_>) -> Strategy {
    let (initial_delay, max_delay) = delays(fields);
    Strategy::Exponential {
        max_attempts: attempts(fields, ATTEMPTS),
        initial_delay,
        multiplier: fields.or("multiplier", MULTIPLIER, multiplier),
        max_delay,
        delay_first: fields.or("delay_first", false, boolean),
        jitter: fields.or("jitter", Jitter::None, jitter),
    }
}

/// The route's own, and the plugin that decides in its place.
fn strategy(at: ValueAt<'_>) -> Option<(Strategy, Option<DeciderSpec>)> {
    at.fields("the strategy", |fields| {
        let kind = |at| one_of("a kind of strategy", &STRATEGIES, at);
        let read = match (fields.get("kind"), fields.get("plugin")) {
            // It decides, and where it does not, what decides where nothing is written.
            (None, Some(_)) => Some(exponential as ReadStrategy),
            _ => fields.required("kind", "kind = \"exponential\"", kind),
        };
        let decider = decider(fields);
        match read {
            Some(read) => Some((read(fields), decider)),
            None => {
                fields.accept_all();
                None
            }
        }
    })
}

fn decider(fields: &mut Fields<'_>) -> Option<DeciderSpec> {
    let plugin = fields.get("plugin")?;
    let version = fields.or("version", VersionReq::STAR, version);
    let params_at = fields.get("params");
    let no_params = || serde_json::Value::Object(serde_json::Map::new());
    let decider = DeciderSpec {
        plugin: name(PluginName::parse)(plugin)?,
        version,
        params: params_at.and_then(json_object).unwrap_or_else(no_params),
    };
    if let Some(at) = params_at {
        let named = decider.secrets().into_iter();
        let handed = named.map(|secret| (decider.plugin.clone(), secret, at.node.place));
        at.context.facts.borrow_mut().handed.extend(handed);
    }
    Some(decider)
}

fn attempts(fields: &mut Fields<'_>, default: u32) -> u32 {
    fields.or("max_attempts", default, count)
}

/// The initial and the longest delay: the second is not shorter than the first [seed 002].
fn delays(fields: &mut Fields<'_>) -> (Duration, Duration) {
    let initial = fields.optional("initial_delay", duration);
    let longest = fields.optional("max_delay", |at| {
        let least = initial.unwrap_or(INITIAL_DELAY);
        let longest = duration(at)?;
        if longest < least {
            return at.not(
                &format!("at least the initial delay, which is {}", as_written(least)),
                "lengthen `max_delay`, or shorten `initial_delay`",
            );
        }
        Some(longest)
    });
    let initial = initial.unwrap_or(INITIAL_DELAY);
    (initial, longest.unwrap_or(MAX_DELAY.max(initial)))
}

fn jitter(at: ValueAt<'_>) -> Option<Jitter> {
    let words = Jitter::ALL.map(|jitter| (jitter.as_str(), jitter));
    one_of("a way to spread delays", &words, at)
}

fn multiplier(at: ValueAt<'_>) -> Option<f64> {
    match number(at)? {
        factor if factor >= 1.0 => Some(factor),
        _ => at.not(
            "a multiplier of at least 1.0",
            "write e.g. multiplier = 2.0; delays never shrink",
        ),
    }
}

pub(super) fn alert(at: ValueAt<'_>) -> Option<AlertRoute> {
    at.fields("this alert", |fields| {
        let min_severity = fields.or("min_severity", Severity::Low, severity);
        let events = fields.list("events", "events = [\"operation.failed\"]", |at| {
            let kinds: Vec<(&str, EventKind)> = EventKind::ALL
                .iter()
                .map(|kind| (kind.as_str(), *kind))
                .collect();
            let kind = one_of("a kind of event", &kinds, at)?;
            if never_alerts(kind) {
                at.context.warn(
                    at.node.place,
                    format!("`{kind}` is about alerts themselves and is never one: to name it sends nothing"),
                    "remove it; `mainstay events` shows them",
                );
            }
            Some(kind)
        });
        if let Some(at) = fields.get("events")
            && matches!(&at.node.value, Value::Array(items) if items.is_empty())
        {
            at.refuse::<()>(
                "`events` names no kind of event",
                "remove it for those that are alerts by themselves, or name some: events = [\"operation.failed\"]",
            );
        }
        let target = fields.optional("target", existing(EntityKind::Target, TargetName::parse));
        let alerter = fields.required("alerter", "alerter = \"webhook\"", name(PluginName::parse));
        let grouping = grouping(fields, min_severity, &events);
        let version = fields.or("version", VersionReq::STAR, version);
        // One that is left out has no number.
        let alerter = alerter?;
        at.context.facts.borrow_mut().alerts.push(at.node.place);
        Some(AlertRoute {
            min_severity,
            events,
            target,
            version,
            alerter,
            grouping,
        })
    })
}

fn grouping(
    fields: &mut Fields<'_>,
    min_severity: Severity,
    events: &[EventKind],
) -> Option<AlertGrouping> {
    let Some(at) = fields.get("group_wait") else {
        let help = "add group_wait = \"10s\", or remove it";
        fields.reject_key("group_by", "it has no `group_wait`", help);
        return None;
    };
    let idle = match events {
        _ if min_severity == Severity::Critical => Some("critical alerts do not wait"),
        [] => None,
        kinds if kinds.iter().any(|kind| can_be_grouped(*kind)) => None,
        _ => Some("none of `events` tells of anything that has an end"),
    };
    if let Some(why) = idle {
        at.context.warn(
            at.node.place,
            format!("`group_wait` has nothing to wait for: {why}"),
            "remove it, or let the route send other alerts",
        );
    }
    let example = "group_by = [\"target\"]";
    let asked = fields.list("group_by", example, |at| {
        let words = GroupBy::ALL.map(|by| (by.as_str(), by));
        one_of("something to group by", &words, at)
    });
    let wait = group_wait(at)?;
    let by = GroupBy::ALL.into_iter().filter(|by| asked.contains(by));
    Some(AlertGrouping {
        wait,
        by: by.collect(),
    })
}

fn group_wait(at: ValueAt<'_>) -> Option<Duration> {
    match positive_duration(at)? {
        wait if wait <= LONGEST_GROUP_WAIT => Some(wait),
        _ => at.not(
            "a wait of at most ten minutes",
            "write e.g. group_wait = \"10s\"; so long people are not told of what fires",
        ),
    }
}
