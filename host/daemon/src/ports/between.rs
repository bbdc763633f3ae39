//! What services offer to one another.
//!
//! Length: what services ask of each other, side by side.

mod backups;
mod collectors;
mod detectors;
mod foreign;

pub use backups::{BackupControl, JudgeError, RetentionJudge};
pub use collectors::{Collector, Collectors};
pub use detectors::{Detected, Detectors};
pub use foreign::{ForeignProcess, NotStarted};

use super::{Boxed, LogEnd};
use mainstay_domain::{
    alert::Alert,
    blindness::Unseen,
    breaker::CircuitState,
    call::NextStep,
    effect::{EffectError, Signal, TargetStatus},
    health::{Evidence, Health, Observation},
    id::{IncidentId, OperationId},
    name::{CheckName, FailureType, PluginName, TargetName},
    plugin::PluginIdentity,
    policy::Multiplier,
    record::ProcessIdentity,
    recovery::{Call, Decide, Handled, PauseSummary},
    severity::Severity,
    spec::Spec,
    time::Timestamp,
};
use semver::VersionReq;
use std::{collections::BTreeMap, time::Duration};

/// Controls targets; what the supervisor service offers to effects, the recovery engine and operators.
pub trait TargetControl: Send + Sync {
    /// What is known; `None` for an unknown target.
    fn status(&self, target: &TargetName) -> Option<TargetStatus>;
    /// The process that runs now, once what the daemon before left is sorted out; none where none does.
    fn identity(&self, _target: &TargetName) -> Boxed<'_, Option<ProcessIdentity>> {
        Box::pin(std::future::ready(None))
    }
    /// The process of a foreign service, looked up now, within some seconds; none of a target that is supervised.
    fn foreign_process(&self, _target: TargetName) -> Boxed<'_, Option<ForeignProcess>> {
        Box::pin(std::future::ready(None))
    }
    /// The process of a foreign service, as it was seen some seconds ago; none where no pid file names a living one.
    fn service_pid(&self, _target: &TargetName) -> Option<u32> {
        None
    }
    /// Why the commands of a foreign service did not start it the last time; none where they did, or were not run.
    fn not_started(&self, _target: &TargetName) -> Option<NotStarted> {
        None
    }
    /// Why its process does not run yet, where it is on the way to its start; none where it runs, or is not.
    fn unstarted(&self, _target: &TargetName) -> Option<Unstarted> {
        None
    }
    /// Whether its process has ended as its config expects, and none runs.
    fn has_completed(&self, _target: &TargetName) -> bool {
        false
    }
    /// How often its process has ended by itself otherwise than its config expects, since the daemon's start.
    fn bad_ends(&self, _target: &TargetName) -> u64 {
        0
    }
    /// Resolves when what was just started has run for a moment, is done or was stopped. The error says how it ended, where
    /// there are more bad ends than `_bad_ends`, those of before.
    fn stays_up(&self, _target: TargetName, _bad_ends: u64) -> Boxed<'_, Result<(), EffectError>> {
        Box::pin(std::future::ready(Ok(())))
    }
    /// Starts it where it does not run.
    fn start(&self, target: TargetName) -> Boxed<'_, Result<(), EffectError>>;
    /// Stops it where it runs; a stopped target is not seen as failed.
    fn stop(&self, target: TargetName) -> Boxed<'_, Result<(), EffectError>>;
    /// Stops it where it runs, then starts it.
    fn restart(&self, target: TargetName) -> Boxed<'_, Result<(), EffectError>>;
    /// Has it read its config anew while it runs, as its config says.
    fn reload(&self, target: TargetName) -> Boxed<'_, Result<(), EffectError>> {
        let why = format!("{target}: nothing here reloads");
        Box::pin(std::future::ready(Err(EffectError::Failed(why))))
    }
    /// Stops it for a person, who keeps it so; the words say who and why. Until it is released nobody else starts it, and
    /// nothing of it counts as a failure.
    fn hold(&self, target: TargetName, _words: String) -> Boxed<'_, Result<(), EffectError>> {
        self.stop(target)
    }
    /// Nobody keeps it stopped any more; it is not started by that.
    fn release(&self, _target: &TargetName) {}
    /// Who keeps it stopped, and why; none where nobody does.
    fn held(&self, _target: &TargetName) -> Option<String> {
        None
    }
    /// Sends a signal to its process group.
    fn signal(&self, target: TargetName, signal: Signal) -> Boxed<'_, Result<(), EffectError>>;
}

/// What the monitor tells the recovery engine, over a bounded channel; in order for each target.
#[derive(Debug, Clone, PartialEq)]
pub enum Finding {
    /// The child exited though it should run. Sent before the failure that it raises; not sent for a stop or a failed
    /// start.
    Exited {
        /// The target.
        target: TargetName,
        /// When that was seen.
        at: Timestamp,
        /// How it ended: its exit code, or the signal that ended it.
        evidence: Evidence,
    },
    /// A check failed as often as it may, or a process exited. Told again for each recurrence while it holds, and for
    /// each exit.
    Raised {
        /// The target.
        target: TargetName,
        /// What its failure is called.
        failure: FailureType,
        /// How bad it is.
        severity: Severity,
        /// What was seen.
        evidence: Evidence,
        /// When it was seen: the start of the recovery time.
        detected_at: Timestamp,
    },
    /// Every check that raises this failure passes again.
    Cleared {
        /// The target.
        target: TargetName,
        /// What its failure was called.
        failure: FailureType,
        /// When.
        at: Timestamp,
    },
    /// By another config no check sees this failure any more, or a person keeps its target stopped.
    Unseen {
        /// The target.
        target: TargetName,
        /// What its failure was called.
        failure: FailureType,
        /// By whom the target is stopped, and why, for people: `stopped by ann`.
        stopped: Option<String>,
    },
}

/// One run of one check, at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Looked {
    /// Which; of the supervised process, its life.
    pub check: CheckName,
    /// What it saw; none where it has nothing to say.
    pub seen: Option<Observation>,
    /// In which unit it measures, where it does in one.
    pub unit: Option<&'static str>,
    /// How long it took.
    pub took: Duration,
}

/// What the monitor offers to the others.
pub trait Watch: Send + Sync {
    /// That of the phase of the host, by which checks count from now on. Who counts nothing passes over it.
    fn set_multiplier(&self, _: Multiplier) {}
    /// Runs each check of a target once, all at the same time; the observations also count as scheduled ones do.
    fn check_now(&self, target: TargetName) -> Boxed<'_, Result<Vec<Observation>, EffectError>>;
    /// The same, with the checks that have nothing to say, and how long each took.
    fn look_now(&self, target: TargetName) -> Boxed<'_, Result<Vec<Looked>, EffectError>> {
        let seen = self.check_now(target);
        Box::pin(async move {
            let looked = |seen: Observation| Looked {
                check: seen.check.clone(),
                seen: Some(seen),
                unit: None,
                took: Duration::ZERO,
            };
            Ok(seen.await?.into_iter().map(looked).collect())
        })
    }
    /// What each check of a target saw last, in the order of the config. Who runs none has seen nothing.
    fn last_looks(&self, _: &TargetName) -> Vec<Looked> {
        Vec::new()
    }
    /// The last lines of a target's log, without secrets; none where it has none, or for those that read no logs.
    fn last_lines(&self, _: TargetName) -> Boxed<'_, Option<String>> {
        Box::pin(std::future::ready(None))
    }
    /// The end of the same log, and more of it.
    fn end_of_log(&self, _: TargetName) -> Boxed<'_, Option<LogEnd>> {
        Box::pin(std::future::ready(None))
    }
    /// A handler has acted: the circuit goes half-open, and fresh successes are needed to close it.
    fn handler_acted(&self, target: &TargetName);
    /// Whether its supervised process is known not to run, while it should. What has none is never down.
    fn is_down(&self, _: &TargetName) -> bool {
        false
    }
    /// Whether its supervised process was started so shortly ago that nothing is over yet. What has none never settles.
    fn is_settling(&self, _: &TargetName) -> bool {
        false
    }
    /// Whether this failure of the target holds, by its checks or by what is reported.
    fn is_failing(&self, target: &TargetName, failure: &FailureType) -> bool;
    /// Whether somebody reports that this failure of the target holds, whatever its checks see.
    fn is_reported(&self, _: &TargetName, _: &FailureType) -> bool {
        false
    }
    /// Health and circuit; `None` for an unknown target.
    fn health(&self, target: &TargetName) -> Option<(Health, CircuitState)>;
    /// Those of each target of a config, in no order, for who counts them every few seconds.
    fn health_of_all(&self, spec: &Spec) -> Vec<(Health, CircuitState)> {
        self.health_by_name(spec)
    }
    /// The same, each found by its name.
    fn health_by_name(&self, spec: &Spec) -> Vec<(Health, CircuitState)> {
        let targets = spec.targets.iter();
        let known = targets.map(|target| self.health(&target.name));
        known.map(Option::unwrap_or_default).collect()
    }
    /// Since when one of its checks could not look, for the host's own reasons, and why; none where all look.
    fn unseen(&self, _: &TargetName) -> Option<Unseen> {
        None
    }
    /// A heartbeat came; false where the target has no heartbeat check.
    fn heartbeat(&self, target: &TargetName) -> bool;
}

/// What the supervisor tells the monitor of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProcessUpdate {
    /// It was started just now, so its start period begins; with the number of the supervised process, where it is one.
    Started(Option<u32>),
    /// It may run, and nobody started it now: it was adopted, or a command that should have started or stopped it
    /// failed.
    Runs(Option<u32>),
    /// Its first process, of this number, has ended, and the one that it should have left is looked for, so long at most: it
    /// neither runs nor has it failed before that is known.
    Forks(u32, Duration),
    /// Its supervised process ended by itself, and should run; how it ended, for people.
    Exited(String),
    /// Its supervised process was not started, and should run; why, for people.
    Down(String),
    /// Its supervised process ended as its config expects: it is done, and until it runs again, nothing that its checks
    /// see counts.
    Completed,
    /// It was stopped on purpose: until it runs again, nothing that its checks see counts.
    Stopped,
    /// The same by a person, who keeps it stopped: what was raised of it is let go of. By whom, and why, for people.
    Held(String),
}

/// What the monitor offers to the supervisor.
pub trait ProcessWatch: Watch {
    /// Takes up news of a target at once, in this call: an exit needs no check to be seen. News of a target that the
    /// monitor does not know yet is kept for it.
    fn process_changed(&self, target: &TargetName, news: ProcessUpdate);
    /// Before the news that its supervised process has ended: what it wrote last is read, for some milliseconds at most, and
    /// goes with that news.
    fn has_ended(&self, target: &TargetName) -> Boxed<'_, ()>;
    /// Something that `status` shows of its process has changed, and is no news for its checks.
    fn row_changed(&self, target: &TargetName);
}

/// Why a process that is on the way to its start does not run yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unstarted {
    /// Since when.
    pub since: Timestamp,
    /// What it waits for, or what runs before it, for people.
    pub why: String,
}

/// What recovery does about a target.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Active {
    /// Its open incident, the newest where there are several.
    pub incident: Option<IncidentId>,
    /// Whether it fails now: what has recovered and only has to last does not.
    pub is_failing: bool,
    /// Its operation that has not ended.
    pub operation: Option<OperationId>,
    /// Its next operation, or the next attempt, waits for its time.
    pub rests: Option<Rest>,
    /// What its operation that is due waits for, beside a pause, for people.
    pub held: Option<String>,
    /// The pause that keeps its operation from beginning.
    pub pause: Option<PauseSummary>,
    /// Of which incidents the recovery waits for a person, and what they can do, for people.
    pub waits: BTreeMap<IncidentId, String>,
    /// What each of its operations that waits waits for, whoever or whatever that is, for people.
    pub operations: BTreeMap<OperationId, String>,
}

/// Until when something waits, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rest {
    /// Until when.
    pub until: Timestamp,
    /// Why, for people.
    pub why: String,
}

/// Calls recovery handlers.
pub trait Handlers: Send + Sync {
    /// Calls the newest version that fits. The answer comes when whatever the call began has ended; the call itself is
    /// bounded by its timeout.
    fn recover(&self, call: Call) -> Boxed<'_, Handled>;
    /// Asks a strategy what comes after a failed attempt. The error is why it gave no answer, for people.
    fn decide(&self, _: Decide) -> Boxed<'_, Result<NextStep, String>> {
        let why = "no strategy can be asked here".to_owned();
        Box::pin(std::future::ready(Err(why)))
    }
}

/// What became of one attempt to deliver an alert.
#[derive(Debug, Clone, PartialEq)]
pub enum Delivery {
    /// It was taken.
    Delivered {
        /// The version that delivered it.
        by: PluginIdentity,
        /// The receiver's own word for it.
        reference: Option<String>,
    },
    /// Not now.
    Delayed {
        /// Why, for people.
        why: String,
        /// Not sooner than this.
        not_before: Option<Duration>,
    },
    /// Not ever.
    Refused(String),
}

/// Calls alerters.
pub trait Alerters: Send + Sync {
    /// One attempt, 1-based, by the newest version that fits.
    fn deliver(
        &self,
        alerter: PluginName,
        version: VersionReq,
        alert: Alert,
        attempt: u32,
    ) -> Boxed<'_, Delivery>;
}

/// Says of one alert after the other why it is held back.
pub type HoldsLook<'a> = Box<dyn FnMut(&Alert) -> Option<String> + 'a>;

/// Says which alerts are held back.
pub trait AlertHolds: Send + Sync {
    /// Why an alert that something is wrong is not delivered now, for people; none where it is. Answers from memory.
    fn why(&self, alert: &Alert) -> Option<String>;
    /// The same of many at one time: what is found out for one is known for the others.
    fn look(&self) -> HoldsLook<'_> {
        Box::new(|alert: &Alert| self.why(alert))
    }
    /// Lets go of what holds alerts back no longer, for its time is over; how long until the next of it is.
    fn pass(&self) -> Option<Duration> {
        None
    }
}
