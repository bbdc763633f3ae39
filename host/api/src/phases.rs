//! The phase of the host: what is recovered automatically.

use crate::{severity::Severity, words::words};
use mainstay_domain::{event, name::PluginName, policy, spec::PhaseSpec};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

words! {
    /// A phase of operation.
    #[serde(rename_all = "kebab-case")]
    Phase as policy::Phase {
        /// Something is begun that must not be disturbed.
        Launch,
        /// A change is rolled out.
        Deployment,
        /// Everything is recovered.
        Normal,
        /// The work that everything else is for is done.
        Payload,
        /// Nothing is recovered by itself.
        Safe,
    }
}

/// What `phase --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HostPhase {
    /// The phase.
    pub phase: Phase,
    /// The least severity that is recovered automatically; null: nothing is.
    pub least: Option<Severity>,
    /// The only handlers that are called automatically; null: all are.
    pub allowed: Option<Vec<String>>,
    /// Handlers that are not called automatically, also where they are among those.
    pub forbidden: Vec<String>,
    /// How many times as many failures it takes until a check counts as failed.
    pub multiplier: f64,
    /// Where it goes from here.
    pub next: Vec<Phase>,
    /// How it came to be, oldest first.
    pub changes: Vec<PhaseChange>,
}

/// A change of the phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseChange {
    /// When.
    #[schemars(extend("format" = "date-time"))]
    pub at: String,
    /// The phase before.
    pub from: Phase,
    /// The phase after.
    pub to: Phase,
    /// Who changed it: the user of the socket's peer, or the name of the token's secret.
    pub by: String,
    /// What they say about themselves.
    pub note: Option<String>,
    /// Why, as they said it; may be empty.
    pub reason: String,
}

impl HostPhase {
    /// The form of a phase by this rule, with the events that changed it.
    pub fn of(phase: policy::Phase, rule: &PhaseSpec, events: &[event::Event]) -> Self {
        Self {
            phase: phase.into(),
            least: rule.least.map(Into::into),
            allowed: rule.allowed.as_ref().map(words_of),
            forbidden: words_of(&rule.forbidden),
            multiplier: rule.multiplier.factor(),
            next: phase.next().iter().copied().map(Into::into).collect(),
            changes: events.iter().filter_map(PhaseChange::of).collect(),
        }
    }
}

fn words_of(handlers: &BTreeSet<PluginName>) -> Vec<String> {
    handlers.iter().map(ToString::to_string).collect()
}

impl PhaseChange {
    /// What an event says of it; none where it says nothing.
    fn of(event: &event::Event) -> Option<Self> {
        let event::EventData::PhaseChanged(facts) = &event.data else {
            return None;
        };
        Some(Self {
            at: event.at.to_string(),
            from: facts.from.into(),
            to: facts.to.into(),
            by: facts.by.clone(),
            note: facts.note.clone(),
            reason: facts.reason.clone(),
        })
    }
}

/// The body of `POST /v1/phase`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PhaseBody {
    /// The phase that it is to be.
    pub phase: Phase,
    /// Why, for the record.
    #[serde(default)]
    pub reason: String,
    /// On whose behalf, as a note: who asks is the user of the socket's peer, or the name of the token's secret.
    #[serde(default)]
    pub by: String,
}
