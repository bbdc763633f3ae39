//! How a target is recovered, and what a person set of that.

use crate::severity::Severity;
use mainstay_domain::{
    policy,
    spec::RouteSpec,
    time::{Timestamp, millis},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// So many delays of a strategy are shown.
const SHOWN_DELAYS: u32 = 20;

/// What `policy show TARGET --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TargetPolicy {
    /// The target.
    pub target: String,
    /// The group that it is in; null where it is in none.
    pub group: Option<String>,
    /// What a person set over its routes.
    pub set: PolicySettings,
    /// For each failure that it can have.
    pub routes: Vec<PolicyRoute>,
}

/// What a person set; null where the route says it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PolicySettings {
    /// Whether a person has to approve each recovery.
    pub ask: Option<bool>,
    /// How often it is tried.
    pub max_attempts: Option<u32>,
    /// Before the second attempt, milliseconds.
    pub initial_delay_ms: Option<u64>,
    /// By how much each delay is longer than the one before; at least 1.
    pub multiplier: Option<f64>,
    /// No delay is longer, milliseconds.
    pub max_delay_ms: Option<u64>,
    /// After a success, milliseconds.
    pub cooldown_ms: Option<u64>,
}

/// What is to be set; what is absent stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyChange {
    /// Whether a person has to approve each recovery.
    #[serde(default)]
    pub ask: Option<bool>,
    /// How often it is tried.
    #[serde(default)]
    pub max_attempts: Option<u32>,
    /// Before the second attempt, milliseconds.
    #[serde(default)]
    pub initial_delay_ms: Option<u64>,
    /// By how much each delay is longer than the one before; at least 1.
    #[serde(default)]
    pub multiplier: Option<f64>,
    /// No delay is longer, milliseconds.
    #[serde(default)]
    pub max_delay_ms: Option<u64>,
    /// After a success, milliseconds.
    #[serde(default)]
    pub cooldown_ms: Option<u64>,
}

/// How one failure of a target is recovered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyRoute {
    /// The failure.
    pub failure: String,
    /// How bad it is.
    pub severity: Severity,
    /// Whether a route fits; else nothing is done about it.
    pub routed: bool,
    /// Whether a person has to approve it first.
    pub asks: bool,
    /// Whether it is only planned: people see what would be done, and it is left to them.
    pub simulates: bool,
    /// How often it is tried.
    pub max_attempts: u32,
    /// What is waited before the second attempt and each after it, milliseconds; twenty at most.
    pub delays_ms: Vec<u64>,
    /// How long it rests after a success, milliseconds.
    pub cooldown_ms: u64,
    /// Until when it rests now; null where it does not.
    #[schemars(extend("format" = "date-time"))]
    pub cooling_until: Option<String>,
    /// How long that is from now, milliseconds.
    pub cooling_ms: u64,
    /// Its handlers that rest for this target, and are passed over meanwhile.
    pub resting: Vec<RestingHandler>,
    /// What comes back within so many milliseconds of its recovery is the same incident.
    pub relapse_window_ms: u64,
    /// The handlers that are called, in order.
    pub handlers: Vec<String>,
}

/// A handler that rests for a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RestingHandler {
    /// Its name.
    pub handler: String,
    /// Until when.
    #[schemars(extend("format" = "date-time"))]
    pub until: String,
    /// How long that is from now, milliseconds.
    pub left_ms: u64,
}

/// The body of `POST /v1/targets/{target}/policy`: what is absent is left as it is.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyBody {
    /// What is set.
    #[serde(default)]
    pub set: PolicyChange,
    /// What was set before does not hold any more.
    #[serde(default)]
    pub clear: bool,
    /// Why, for the record.
    #[serde(default)]
    pub reason: String,
    /// On whose behalf, as a note: who asks is the user of the socket's peer, or the name of the token's secret.
    #[serde(default)]
    pub by: String,
}

impl From<&policy::TargetPolicy> for PolicySettings {
    fn from(set: &policy::TargetPolicy) -> Self {
        Self {
            ask: set.ask,
            max_attempts: set.max_attempts,
            initial_delay_ms: set.initial_delay_ms,
            multiplier: set.multiplier,
            max_delay_ms: set.max_delay_ms,
            cooldown_ms: set.cooldown_ms,
        }
    }
}

impl From<PolicyChange> for policy::TargetPolicy {
    fn from(set: PolicyChange) -> Self {
        Self {
            ask: set.ask,
            max_attempts: set.max_attempts,
            initial_delay_ms: set.initial_delay_ms,
            multiplier: set.multiplier,
            max_delay_ms: set.max_delay_ms,
            cooldown_ms: set.cooldown_ms,
        }
    }
}

impl TargetPolicy {
    /// The form of a policy as it is now.
    pub fn of(policy: &policy::EffectivePolicy, now: Timestamp) -> Self {
        let routes = policy.routes.iter();
        Self {
            target: policy.target.to_string(),
            group: policy.group.as_ref().map(ToString::to_string),
            set: PolicySettings::from(&policy.set),
            routes: routes.map(|route| PolicyRoute::of(route, now)).collect(),
        }
    }
}

impl PolicyRoute {
    fn of(one: &policy::EffectiveRoute, now: Timestamp) -> Self {
        let route = one.route.as_ref();
        let strategy = route.map(|route| &route.strategy);
        let attempts = strategy.map_or(0, |strategy| strategy.max_attempts());
        let shown = 2..=attempts.min(SHOWN_DELAYS + 1);
        let delay = |attempt| strategy.and_then(|strategy| strategy.usual_delay_before(attempt));
        let length = |of: fn(&RouteSpec) -> Duration| route.map_or(0, |route| millis(of(route)));
        let left = one.cooling_until.map(|until| until.since(now));
        Self {
            failure: one.failure.to_string(),
            severity: one.severity.into(),
            routed: route.is_some(),
            asks: strategy.is_some_and(|strategy| strategy.awaits_approval()),
            simulates: route.is_some_and(|route| route.simulate),
            max_attempts: attempts,
            delays_ms: shown.filter_map(delay).map(millis).collect(),
            cooldown_ms: length(|route| route.cooldown),
            cooling_until: one.cooling_until.map(String::from),
            cooling_ms: left.map_or(0, millis),
            resting: one
                .resting
                .iter()
                .map(|(handler, until)| RestingHandler {
                    handler: handler.to_string(),
                    until: until.to_string(),
                    left_ms: millis(until.since(now)),
                })
                .collect(),
            relapse_window_ms: length(|route| route.relapse_window),
            handlers: one.handlers().map(ToString::to_string).collect(),
        }
    }
}
