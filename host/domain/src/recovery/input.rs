//! Inputs and outputs of the machine.
//!
//! Length: one list of what it is told and one of what it asks for, with their docs.

mod asked;

pub use asked::{Command, FoundOut, NewSignal, Refusal, Reply, Ticket, Verb};

use super::key::CaseKey;
use crate::{
    call::{NextStep, RecoverRequest, RecoveryFailure, Report, Situation},
    call_record::{CallOutcome, CallPlace, CallRecord},
    health::Evidence,
    id::{IncidentId, OperationId},
    incident::Incident,
    name::{FailureType, PluginName, TargetName},
    operation::{self, Operation, ValidationResult},
    pause::TimedPauses,
    plugin::PluginIdentity,
    policy::{CharterBreach, PolicyHistory},
    record::Change,
    replay::Halt,
    severity::Severity,
    spec::Spec,
    time::{Monotonic, Timestamp},
};
use semver::VersionReq;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// Both clocks, as they stood when an input came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputTime {
    /// Wall-clock time, for records.
    pub now: Timestamp,
    /// Monotonic time, for waits.
    pub monotonic: Monotonic,
}

/// An input of the machine.
#[derive(Debug, Clone)]
pub enum Input {
    /// A failure began, or is seen again.
    Raised {
        /// Which.
        key: CaseKey,
        /// How bad it is.
        severity: Severity,
        /// What was seen.
        evidence: Evidence,
        /// When.
        detected_at: Timestamp,
    },
    /// Every check that raises this failure passes again.
    Cleared(CaseKey),
    /// By another config no check sees this failure any more.
    Unseen(CaseKey),
    /// A person keeps its target stopped, so that nobody looks at it; by whom, and why, for people: `stopped by ann`.
    KeptStopped(CaseKey, String),
    /// The supervised process of a target ended by itself.
    Exited(TargetName, Evidence),
    /// A handler answered.
    Called(OperationId, Handled),
    /// A strategy said what comes after the attempt with this number; the error is why it said nothing. One that nobody
    /// waits for any more changes nothing.
    Decided(OperationId, u32, Result<NextStep, String>),
    /// The checks of an operation's target were run. One that nobody waits for any more changes nothing.
    Looked(OperationId, Look),
    /// A person asks for something; [`Action::Answer`] carries the reply.
    Command(Command, Ticket),
    /// A handler serves that may not have served before.
    Serves(PluginName),
    /// Another config is in use.
    Spec(Arc<Spec>),
    /// The file of the charter was looked at: what is wrong with it, where anything is.
    Charter(Option<CharterBreach>),
    /// Time has passed.
    Tick,
    /// What the previous daemon left; the first input.
    Recovered(Recovered),
    /// The daemon ends: nothing is started any more, and what is open is for the next daemon.
    Stop,
}

/// What a handler answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Handled {
    /// The version that was called; absent where none serves.
    pub by: Option<PluginIdentity>,
    /// What it answered.
    pub result: Result<Report, NotHandled>,
    /// Effects so far in this operation.
    pub effects: u32,
    /// Whether an effect of this call changed something, or may have.
    pub acted: bool,
}

/// Why a handler did not do its step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotHandled {
    /// Its own answer, or a trap or a limit, which is retryable.
    #[error("{0}")]
    Failed(RecoveryFailure),
    /// No version that fits serves.
    #[error("{0}")]
    Missing(String),
    /// It is not gone on with: a person has to see to it.
    #[error("{0}")]
    Halted(Halt),
}

impl Handled {
    /// How the call ended, as its record says.
    pub fn outcome(&self) -> CallOutcome {
        match &self.result {
            Ok(report) => CallOutcome::Done(report.clone()),
            Err(NotHandled::Failed(failure)) => CallOutcome::Failed(failure.clone()),
            Err(NotHandled::Missing(why)) => CallOutcome::GivenUp(why.clone()),
            Err(NotHandled::Halted(halt)) => CallOutcome::GivenUp(halt.to_string()),
        }
    }
}

/// What one run of the checks of an operation's target gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Which look it answers.
    pub number: u64,
    /// What the checks of this failure saw now.
    pub seen: LookResult,
    /// Whether the failure is still present, by all recent observations.
    pub is_present: bool,
    /// What each check said by which this failure is judged.
    pub results: Vec<ValidationResult>,
}

/// What the checks of one failure saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookResult {
    /// All pass.
    Healthy,
    /// All pass, but the supervised process has not run for a moment.
    Settling,
    /// One fails.
    Failing,
    /// The supervised process does not run.
    Down,
    /// Nothing can be seen yet: the process is only being started or adopted, or a check says that it is too soon.
    NotYet,
    /// None fails, and one could not look, for the host's own reasons.
    Unseen,
}

/// What the machine asks for, once what it wrote is in the journal's order.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Call a handler; [`Input::Called`] answers.
    Call(Box<Call>),
    /// Run the checks of an operation's target; [`Input::Looked`] answers.
    Look {
        /// For which operation.
        operation: OperationId,
        /// Tells looks apart.
        number: u64,
        /// Which target.
        target: TargetName,
        /// Which failure.
        failure: FailureType,
        /// A handler has acted since the last look: only fresh successes count.
        acted: bool,
    },
    /// Ask a strategy; [`Input::Decided`] answers.
    Decide(Box<Decide>),
    /// Answer a person, when it is durable.
    Answer(Ticket, Reply),
}

/// What a strategy is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Decide {
    /// For which operation.
    pub operation: OperationId,
    /// After which attempt.
    pub attempt: u32,
    /// The strategy's name.
    pub plugin: PluginName,
    /// Which of its versions.
    pub version: VersionReq,
    /// What it is to decide on.
    pub situation: Situation,
}

/// A call of a handler.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Its name.
    pub handler: PluginName,
    /// Which of its versions.
    pub version: VersionReq,
    /// What it is asked.
    pub request: RecoverRequest,
    /// Wall time.
    pub timeout: Duration,
    /// Effects of the operation before this call.
    pub effects: u32,
    /// Which call of its operation it is.
    pub place: CallPlace,
    /// It is not begun, but gone on with: the daemon before ended in it.
    pub resumed: bool,
}

/// What an input changes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// To be written, together and in this order.
    pub writes: Vec<Change>,
    /// To be done, once `writes` are in the journal's queue; an answer once they are durable.
    pub after: Vec<Action>,
    /// The targets whose [`TargetSummary`] is another.
    pub changed: BTreeSet<TargetName>,
}

/// What status shows of a target.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TargetSummary {
    /// Its open incident, the newest where there are several.
    pub incident: Option<IncidentId>,
    /// Whether it fails now: what has recovered and only has to last does not.
    pub is_failing: bool,
    /// Its operation that has not ended; one that runs before one that waits.
    pub operation: Option<OperationId>,
    /// Until when its next operation rests, and why.
    pub rests: Option<(Timestamp, String)>,
    /// What its operation that is due waits for, beside a pause.
    pub held: Option<String>,
    /// The pause that keeps its operation from beginning.
    pub pause: Option<PauseSummary>,
    /// Of which incidents the recovery waits for a person, and what they can do.
    pub waits: BTreeMap<IncidentId, String>,
    /// What each of its operations that waits waits for, whoever or whatever that is, for people.
    pub operations: BTreeMap<OperationId, String>,
}

/// A pause that keeps an operation from beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PauseSummary {
    /// Whether it is the host's; else it is the target's own.
    pub of_host: bool,
    /// Who asked for it, where that is known.
    pub by: Option<String>,
    /// Until when it lasts, where it has an end.
    pub until: Option<Timestamp>,
}

/// What the journal holds of recovery.
#[derive(Debug, Clone, Default)]
pub struct Recovered {
    /// Open incidents, and those that closed within the last hour, of each kind in the order in which they were opened.
    pub incidents: Vec<Incident>,
    /// Operations without an end.
    pub operations: Vec<Operation>,
    /// The number of the last effect of each of these, where it has any.
    pub effects: BTreeMap<OperationId, u32>,
    /// The number of the last call of each of these, where it has any.
    pub calls: BTreeMap<OperationId, u32>,
    /// The calls that the daemon before was in.
    pub open_calls: BTreeMap<OperationId, CallRecord>,
    /// Of the last call of these the journal lacks something.
    pub lost: BTreeSet<OperationId>,
    /// The fencing number of this daemon: higher than that of every daemon before.
    pub fencing: u64,
    /// Failures that no check sees now.
    pub unseen: BTreeSet<CaseKey>,
    /// Paused targets.
    pub paused_targets: BTreeSet<TargetName>,
    /// The host is paused.
    pub paused_host: bool,
    /// Which of these pauses have an end.
    pub pauses: TimedPauses,
    /// The phase, and which recoveries began of late.
    pub policy: PolicyHistory,
    /// Cooldowns, past ones included.
    pub cooldowns: Vec<(TargetName, FailureType, Timestamp)>,
}

/// An input that cannot come in the state that the machine is in: a defect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IllegalMove {
    /// The operation's own table forbids it.
    #[error("{0} cannot go there")]
    Operation(OperationId, #[source] operation::IllegalMove),
    /// Nothing was called for it.
    #[error("{0} was answered a call, and none is under way")]
    NotCalling(OperationId),
}
