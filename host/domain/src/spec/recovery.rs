//! Routes, chains, strategies and alert routes, as configured.

use super::plugin::secrets_in;
use crate::{
    condition::Condition,
    event::EventKind,
    jitter::Jitter,
    name::{FailureType, PluginName, SecretName, TargetName},
    severity::Severity,
};
use semver::VersionReq;
use std::{collections::BTreeSet, time::Duration};

/// Which chain an incident gets. The most specific route wins: target before failure before severity; of equals, the
/// first in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteSpec {
    /// Only this failure type.
    pub failure: Option<FailureType>,
    /// Only this target.
    pub target: Option<TargetName>,
    /// Only this severity and above.
    pub severity: Option<Severity>,
    /// How attempts are spaced.
    pub strategy: Strategy,
    /// Who decides in its place after a failed attempt, and never about more attempts than it allows.
    pub decider: Option<DeciderSpec>,
    /// After a success, no automatic operation for the same target and failure for this long; default zero, for a second
    /// death should not wait: what comes back at once is the same incident, whose attempts and delays count on, so a target
    /// that dies again and again is found out without it (the seed's 300 s [seed 001] where written).
    pub cooldown: Duration,
    /// A failure that comes back within this time of its recovery is the same incident; default 60 s, zero for never.
    pub relapse_window: Duration,
    /// How much each attempt is validated, and for how long.
    pub workflow: Workflow,
    /// Whether what is automatic is only planned: a dry run shows what would be done, and the failure is left to people.
    pub simulate: bool,
    /// What is run, in order. At least one.
    pub chain: Vec<StepSpec>,
}

/// One step of a chain.
#[derive(Debug, Clone, PartialEq)]
pub struct StepSpec {
    /// The handler's name.
    pub handler: PluginName,
    /// Which of its versions; default any.
    pub version: VersionReq,
    /// Whether it runs whatever came before it in the same attempt.
    pub always: bool,
    /// It is called only where this is met when its turn comes; default: always.
    pub when: Option<Condition>,
    /// What its failure means for the steps behind it; default: what failed for good lets them be called, what may yet help
    /// does not.
    pub on_failure: Option<OnFailure>,
    /// How long after the step that was called before it; default zero (the seed's 2 s [seed 001] where written).
    pub pause: Duration,
    /// Handed to the handler; a JSON object, with secrets as in its settings.
    pub params: serde_json::Value,
    /// Wall time for one call, effects included; default 60 s (the seed's 45 s, 1.5 times 30 s [seed 001], where written).
    pub timeout: Duration,
}

impl StepSpec {
    /// The secrets that its parameters name; the handler may use them only where its settings name them too.
    pub fn secrets(&self) -> BTreeSet<SecretName> {
        secrets_in(&self.params)
    }
}

/// What a failed step means for those behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// They are called under their own conditions [seed 001]; the attempt has failed only if none of them is done.
    Continue,
    /// They are not, whatever the failure is; but those that always run are.
    Stop,
}

/// How much an attempt is validated, and for how long [seed 000].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Workflow {
    /// It is looked whether it is still needed, and the checks of its failure have to pass within the target's
    /// `validation_timeout`.
    #[default]
    Standard,
    /// Where the checks have seen the failure, that is enough to act; and they have 5 s to pass, or less.
    Fast,
    /// As `Standard`; but they have twice the time to pass, and then have to go on passing for 5 s.
    Thorough,
}

impl Workflow {
    /// Every workflow.
    pub const ALL: [Workflow; 3] = [Workflow::Standard, Workflow::Fast, Workflow::Thorough];

    /// The word that operators write.
    pub fn as_str(self) -> &'static str {
        match self {
            Workflow::Standard => "standard",
            Workflow::Fast => "fast",
            Workflow::Thorough => "thorough",
        }
    }

    /// How long the checks may take to pass, where the target says so.
    pub fn validation(self, of_target: Duration) -> Duration {
        match self {
            Workflow::Standard => of_target,
            Workflow::Fast => of_target.min(Duration::from_secs(5)),
            Workflow::Thorough => of_target.saturating_mul(2),
        }
    }

    /// How long they have to go on passing.
    pub fn hold(self) -> Duration {
        match self {
            Workflow::Standard | Workflow::Fast => Duration::ZERO,
            Workflow::Thorough => Duration::from_secs(5),
        }
    }

    /// Whether it is looked before an attempt whether it is still needed.
    pub fn looks_before(self) -> bool {
        self != Workflow::Fast
    }
}

/// A plugin of the kind `recovery-strategy`. Where it gives no answer the route's own strategy decides.
#[derive(Debug, Clone, PartialEq)]
pub struct DeciderSpec {
    /// Its name.
    pub plugin: PluginName,
    /// Which of its versions; default any.
    pub version: VersionReq,
    /// Handed to it; a JSON object, with secrets as in its settings.
    pub params: serde_json::Value,
}

impl DeciderSpec {
    /// The secrets that its parameters name; it may use them only where its settings name them too.
    pub fn secrets(&self) -> BTreeSet<SecretName> {
        secrets_in(&self.params)
    }
}

/// How attempts are spaced [seed 002].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Strategy {
    /// Before attempt n > 1: `min(initial · multiplier^(n−2), max)`; the first runs at once. With `delay_first`, before each:
    /// `min(initial · multiplier^(n−1), max)`, which is the seed's table.
    Exponential {
        /// At least 1; default 5.
        max_attempts: u32,
        /// Default 1 s.
        initial_delay: Duration,
        /// At least 1.0; default 2.0.
        multiplier: f64,
        /// At least the initial delay; default 60 s.
        max_delay: Duration,
        /// Whether the first attempt waits too; default no.
        delay_first: bool,
        /// How the delays are spread; default not at all.
        jitter: Jitter,
    },
    /// Before attempt n > 1: `min(initial · (n−1), max)`; the first runs at once. With `delay_first`, before each:
    /// `min(initial · n, max)`, which is the seed's table.
    Linear {
        /// At least 1; default 5.
        max_attempts: u32,
        /// Default 1 s.
        initial_delay: Duration,
        /// At least the initial delay; default 60 s.
        max_delay: Duration,
        /// Whether the first attempt waits too; default no.
        delay_first: bool,
        /// How the delays are spread; default not at all.
        jitter: Jitter,
    },
    /// No delays.
    Immediate {
        /// At least 1; default 5.
        max_attempts: u32,
    },
    /// Waits in `awaiting-manual` until it is approved; then as `Immediate`.
    Manual {
        /// At least 1; default 1: a person approves one attempt, and more of them where written (the seed's 5 [seed 002]).
        max_attempts: u32,
    },
}

/// Which alerter gets which events. Every route that fits sends.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertRoute {
    /// Only this severity and above; default low.
    pub min_severity: Severity,
    /// Only these kinds; empty: those that are alerts by default, see `crate::alert`.
    pub events: Vec<EventKind>,
    /// Only about this target.
    pub target: Option<TargetName>,
    /// Who delivers.
    pub alerter: PluginName,
    /// Which of its versions; default any.
    pub version: VersionReq,
    /// How alerts are told together; default: each is told as itself.
    pub grouping: Option<AlertGrouping>,
}

/// How the alerts of a route are told together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertGrouping {
    /// What fires within this is told in one alert; above zero, at most ten minutes. Critical ones do not wait.
    pub wait: Duration,
    /// What has the same of each of these is told together; empty: all that goes to the alerter.
    pub by: Vec<GroupBy>,
}

/// By what alerts are told together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupBy {
    /// The target that they are about.
    Target,
    /// The type of failure.
    Failure,
}

impl GroupBy {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Target, Self::Failure];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Target => "target",
            Self::Failure => "failure",
        }
    }
}
