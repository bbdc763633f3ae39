//! Targets, as configured; their checks are in `check`.

use super::{CheckKind, CheckSpec, DrillSpec, ForeignCommands, ProcessSpec, RestartPolicy};
use crate::name::{CheckName, FailureType, TargetName};
use std::time::Duration;

/// A managed thing.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetSpec {
    /// Its name.
    pub name: TargetName,
    /// 1 is most urgent, 10 least; 1 to 3 are for what others need, 4 to 7 as usual, 8 to 10 for what can wait [seed 002].
    /// Default 5: with the seed's default, 1, nothing could be more urgent than what says nothing.
    pub priority: u8,
    /// Targets that must not be failing before this one is recovered. It is first started when each of them is healthy
    /// or, where that runs once, done, has failed, or is past its `start_period`, and stopped before them when the daemon ends.
    pub depends_on: Vec<TargetName>,
    /// Recovery time objective, from detection; default 5 min [seed 000].
    pub rto: Duration,
    /// The supervised child; absent for foreign services.
    pub process: Option<ProcessSpec>,
    /// How a foreign service is started and stopped; all absent where `process` is there.
    pub commands: ForeignCommands,
    /// What is looked at.
    pub checks: Vec<CheckSpec>,
    /// When the circuit opens and closes.
    pub breaker: BreakerSpec,
    /// How long the checks may take to pass after a handler has acted; default 60 s [seed 000].
    pub validation_timeout: Duration,
    /// From a start until each check has passed once, but at most for so long, a check that fails is `starting` and not
    /// failed; default 10 s, zero for none. An end of the process is a failure at once.
    pub start_period: Duration,
    /// How it may be broken on purpose; by default only by killing or stopping its process.
    pub drill: DrillSpec,
}

impl TargetSpec {
    /// The default of [`Self::start_period`].
    pub const START_PERIOD: Duration = Duration::from_secs(10);

    /// Whether its end is what it is for: it runs once, and no check asks for more than that its process is there.
    pub fn has_to_end(&self) -> bool {
        let process = self.process.as_ref();
        let mut checks = self.checks.iter();
        process.is_some_and(|process| process.runs_once)
            && checks.all(|check| matches!(check.kind, CheckKind::Process { .. }))
    }

    /// Whether this check, or the child's life, is what raises the failure.
    pub fn is_seen_by(&self, failure: &FailureType, check: &CheckName) -> bool {
        let mut checks = self.checks.iter();
        let exit = self.process.as_ref().map(|process| &process.exit_failure);
        checks.any(|known| known.name == *check && known.failure == *failure)
            || (*check == CheckName::process() && exit == Some(failure))
    }

    /// Whether all that sees this failure looks at the machine or at data: it may be over while the child does not run.
    pub fn is_seen_without_process(&self, failure: &FailureType) -> bool {
        let process = self.process.as_ref();
        let is_of_exit = process.is_some_and(|process| process.exit_failure == *failure);
        let own = self.checks.iter().filter(|check| check.failure == *failure);
        let mut own = own.peekable();
        !is_of_exit && own.peek().is_some() && own.all(|check| !check.kind.asks_the_service())
    }

    /// Whether only a person recovers this failure: it is that of the child's end, and `restart` is "never".
    pub fn leaves_to_people(&self, failure: &FailureType) -> bool {
        let process = self.process.as_ref();
        process.is_some_and(|process| {
            process.restart == RestartPolicy::Never && process.exit_failure == *failure
        })
    }

    /// Whether its child is one that does its work and ends: that it ended, nobody knows how, is then no failure. What
    /// others connect to should run, and so should what forks; so should what is looked at and started again after a
    /// failure.
    pub fn is_one_shot(&self) -> bool {
        let mut checks = self.checks.iter();
        let serves = checks.any(|check| {
            matches!(
                check.kind,
                CheckKind::Http(_)
                    | CheckKind::Tcp { .. }
                    | CheckKind::Unix { .. }
                    | CheckKind::Tls { .. }
                    | CheckKind::Redis(_)
                    | CheckKind::Postgres(_)
                    | CheckKind::Engine(_)
                    | CheckKind::S3(_)
            )
        });
        let process = self.process.as_ref();
        let process = process.filter(|process| process.pid_file.is_none());
        process.is_some_and(|process| match process.restart {
            RestartPolicy::Always => false,
            RestartPolicy::OnFailure => self.checks.is_empty(),
            RestartPolicy::Never => !serves,
        })
    }
}

/// When a target's circuit opens and closes [seed 002].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerSpec {
    /// From open to half-open, where no handler acts sooner; default 30 s.
    pub open_for: Duration,
}
