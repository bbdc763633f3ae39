//! Recovery as one pure machine: what failed, what is done about it, and what has to be written of it.
//!
//! [`Recovery::apply`] takes an input and the time, and returns what to write and what to do. A driver receives,
//! applies, writes in order, and acts; it decides nothing. There is one file per input.
//!
//! Invariant: no clock, no I/O, no randomness but that of the seed: the same inputs give the same outcomes.
//! Invariant: one case per failure of a target, and at most one operation per case: the operation is part of the
//! stage.
//! Invariant: the journal has enough after each input to resume from there: see [`Input::Recovered`].
//! Invariant: an input costs O(log n) in the number of cases. Exceptions: a new config, and the end of a block that
//! set many operations aside, cost a visit to each case concerned; the end of the daemon costs a visit to each.
//! Invariant: an impossible input is a typed error and changes nothing. If a defect shows halfway, the changes made
//! by then are written with the next input.
//!
//! Length: the whole state of the machine, and each input with where it goes.

mod approving;
mod asking;
mod attempt;
mod audit;
mod begin;
mod between_steps;
mod called;
mod case;
mod chain;
mod cleared;
mod closing;
mod command;
mod configured;
mod cooling;
mod deciding;
mod deeds;
mod doubtful;
mod dry_run;
mod endings;
mod enqueue;
mod escalating;
mod exited;
mod gatekeeper;
mod handing_over;
mod index;
mod input;
mod key;
mod looked;
mod nearest;
mod objective;
mod operator_decision;
mod pausing;
mod planning;
mod policies;
mod polling;
mod raised;
mod recovered;
mod seen;
mod settings;
mod signalling;
mod spacing;
mod step;
mod summary;
mod tracked;
mod turn;
mod windows;
mod words;

pub use crate::operation::{AttemptProgress, Failed};
pub use case::{Attempt, Case, HandOverReason, OpenCall, Running, Stage, Work};
pub use input::{
    Action, Call, Command, Decide, FoundOut, Handled, IllegalMove, Input, InputTime, Look,
    LookResult, NewSignal, NotHandled, Outcome, PauseSummary, Recovered, Refusal, Reply,
    TargetSummary, Ticket, Verb,
};
pub use key::CaseKey;
pub use policies::PolicyOrder;
pub use polling::Polling;
pub use seen::Judged;
pub use tracked::Tracked;

use crate::{
    actor::Actor,
    cooldown::Cooldowns,
    flap::FlapDetector,
    id::{IdSource, OperationId},
    name::{FailureType, PluginName, TargetName},
    policy::GateReason,
    queue::{Conditions, NextStart, QueueEntry, RecoveryQueue},
    spec::Spec,
    time::{Monotonic, Timestamp},
    timeline::Timeline,
};
use dry_run::DryRun;
use gatekeeper::{Gatekeeper, View};
use index::IndexEntry;
use pausing::RunningPauses;
use settings::Settings;
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    num::NonZeroUsize,
    sync::Arc,
};
use windows::Windows;

/// Operations that run at one time, over all targets.
pub const CONCURRENT_OPERATIONS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(15);

/// Every failure under recovery, and what is done about it.
#[derive(Debug)]
pub struct Recovery {
    ids: IdSource,
    settings: Settings,
    /// Found by hash, each in a place of its own: what is looked up for each input must not be a walk through memory.
    cases: HashMap<CaseKey, Box<Case>>,
    /// The failures of each target among the cases.
    failures: HashMap<TargetName, BTreeSet<FailureType>>,
    /// How many cases of each target are failing.
    failing: HashMap<TargetName, u32>,
    /// Whose operation it is.
    operations: HashMap<OperationId, CaseKey>,
    /// Dry runs that have not ended.
    dry_runs: BTreeMap<OperationId, DryRun>,
    /// The dry runs of failures of routes that only simulate, which wait for the end of others.
    unplanned: BTreeMap<CaseKey, Work>,
    queue: RecoveryQueue,
    /// When which case has to be looked at again.
    timers: BTreeSet<(Monotonic, CaseKey)>,
    /// When the recovery time objective of which case ends.
    objectives: BTreeSet<(Monotonic, CaseKey)>,
    /// When each failure was opened of late, for its recurrence.
    opened: HashMap<CaseKey, VecDeque<Timestamp>>,
    flaps: HashMap<TargetName, FlapDetector>,
    /// When the flapping of which target may be over.
    calming: BTreeSet<(Monotonic, TargetName)>,
    cooldowns: Cooldowns,
    timeline: Timeline,
    keeper: Gatekeeper,
    /// The cases whose next operation waits for a handler that is missing.
    missing: BTreeMap<PluginName, BTreeSet<CaseKey>>,
    paused_targets: BTreeSet<TargetName>,
    /// No longer configured, and something still runs for them.
    removed: BTreeSet<TargetName>,
    paused_host: bool,
    /// The pauses that end by themselves; that of the host has no target.
    timed_pauses: RunningPauses,
    /// Who asked for the pauses without an end, where that is known.
    paused_by: BTreeMap<Option<TargetName>, Actor>,
    windows: Windows,
    stopping: bool,
    /// Higher than that of every daemon before.
    fencing: u64,
    /// Looks that were asked for.
    looks: u64,
    changed: BTreeSet<TargetName>,
    /// Changes of an impossible input, to be returned with the next outcome: memory and journal must not diverge.
    owed: Outcome,
}

impl Recovery {
    /// A machine without cases. `ids` must be seeded anew for each run of the program.
    pub fn new(spec: Arc<Spec>, ids: IdSource) -> Self {
        Self {
            ids,
            windows: Windows::new(&spec),
            keeper: Gatekeeper::new(&spec),
            settings: Settings::new(spec),
            cases: HashMap::new(),
            failures: HashMap::new(),
            failing: HashMap::new(),
            operations: HashMap::new(),
            dry_runs: BTreeMap::new(),
            unplanned: BTreeMap::new(),
            queue: RecoveryQueue::default(),
            timers: BTreeSet::new(),
            objectives: BTreeSet::new(),
            opened: HashMap::new(),
            flaps: HashMap::new(),
            calming: BTreeSet::new(),
            cooldowns: Cooldowns::default(),
            timeline: Timeline::default(),
            missing: BTreeMap::new(),
            paused_targets: BTreeSet::new(),
            removed: BTreeSet::new(),
            paused_host: false,
            timed_pauses: RunningPauses::default(),
            paused_by: BTreeMap::new(),
            stopping: false,
            fencing: 1,
            looks: 0,
            changed: BTreeSet::new(),
            owed: Outcome::default(),
        }
    }

    /// Applies one input.
    ///
    /// # Errors
    /// The input cannot come in this state. What it changed before that was seen comes with the next outcome.
    pub fn apply(&mut self, input: Input, at: InputTime) -> Result<Outcome, IllegalMove> {
        let mut out = std::mem::take(&mut self.owed);
        self.timeline.pass(at.now, at.monotonic);
        self.keeper.pass(at);
        match self.handle(input, at, &mut out) {
            Ok(()) => {
                self.refresh_replies(&mut out);
                self.changed.extend(self.queue.take_moved());
                out.changed = std::mem::take(&mut self.changed);
                Ok(out)
            }
            Err(illegal) => {
                self.owed = out;
                Err(illegal)
            }
        }
    }

    fn handle(
        &mut self,
        input: Input,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<(), IllegalMove> {
        // What the previous daemon left is resumed by the inputs after that, when everything else is there.
        let begins = !matches!(input, Input::Recovered(_));
        // First: another opening would have it that the target flaps on.
        self.end_flapping(at, out);
        match input {
            Input::Raised {
                key,
                severity,
                evidence,
                detected_at,
            } => self.raised(key, severity, evidence, detected_at, at, out)?,
            Input::Cleared(key) => self.cleared(&key, at, out)?,
            Input::Unseen(key) => self.unseen(&key, at, out)?,
            Input::KeptStopped(key, by) => self.kept_stopped(&key, by, at, out)?,
            Input::Exited(target, evidence) => self.exited(&target, &evidence, at, out)?,
            Input::Called(id, handled) => self.called(&id, handled, at, out)?,
            Input::Decided(id, attempt, next) => self.decided(&id, attempt, next, at, out)?,
            Input::Looked(id, look) => self.looked(&id, look, at, out)?,
            Input::Command(command, ticket) => self.command(command, ticket, at, out)?,
            Input::Serves(handler) => self.serves(&handler, at, out),
            Input::Spec(spec) => self.configured(spec, at, out)?,
            Input::Charter(breach) => self.charter_seen(breach, at, out),
            Input::Tick => self.pass_pauses(at, out),
            Input::Recovered(recovered) => self.recovered(recovered, at, out)?,
            Input::Stop => {
                self.stopping = true;
                self.end_pauses_between_steps(at, out);
            }
        }
        self.wake_due(at, out)?;
        self.exceed_due(at, out);
        self.close_removed(at, out)?;
        if !begins {
            return Ok(());
        }
        self.plan_waiting(at, out)?;
        self.start_due(at, out)
    }

    fn start_ready(&mut self, now: Monotonic) -> NextStart {
        let view = View {
            keeper: &self.keeper,
            settings: &self.settings,
            failing: &self.failing,
            cases: &self.cases,
            operations: &self.operations,
        };
        let refused = RefCell::new(Vec::new());
        let held_back = |entry: &QueueEntry, busy: &BTreeMap<TargetName, OperationId>| {
            let why = view.holds_back(entry, busy.iter());
            refused
                .borrow_mut()
                .extend(why.as_ref().map(GateReason::from));
            why
        };
        let most = self.settings.spec().policy.host.concurrent;
        let conditions = Conditions {
            host_paused: self.paused_host,
            is_paused: &|target| self.paused_targets.contains(target),
            // Recovering what it depends on first is what helps.
            is_failing: &|target| self.failing.contains_key(target),
            held_back: &held_back,
            max_running: most.map_or(CONCURRENT_OPERATIONS, |most| {
                let most = usize::try_from(most.get()).unwrap_or(usize::MAX);
                NonZeroUsize::new(most).unwrap_or(NonZeroUsize::MIN)
            }),
            // Who writes a budget wants no more touched than that.
            counts_lent: most.is_some(),
        };
        let next = self.queue.next(&conditions, now);
        for reason in refused.into_inner() {
            self.count_refusal(reason);
        }
        next
    }

    /// Begins whatever is due and has room.
    fn start_due(&mut self, at: InputTime, out: &mut Outcome) -> Result<(), IllegalMove> {
        if self.stopping {
            return Ok(());
        }
        loop {
            let has_released = self.release_gated();
            while let NextStart::Start(id) = self.start_ready(at.monotonic) {
                let key = self.operations.get(&id).cloned();
                if let Some(key) = key {
                    self.try_with(&key, out, |machine, case, out| machine.begin(case, at, out))?;
                }
            }
            // What was released may wait for something else, and leave its room to those behind it.
            if !has_released || self.queue.has_ready() {
                return Ok(());
            }
        }
    }

    /// Replies show operations as they are after the whole input.
    fn refresh_replies(&self, out: &mut Outcome) {
        for action in &mut out.after {
            let Action::Answer(_, Reply::Operation(operation)) = action else {
                continue;
            };
            let key = self.operations.get(&operation.id);
            let work = key.and_then(|key| self.case(key)?.work());
            if let Some(work) = work {
                **operation = work.operation.clone();
            }
        }
    }

    /// Does what the clock alone asks for.
    fn wake_due(&mut self, at: InputTime, out: &mut Outcome) -> Result<(), IllegalMove> {
        while self
            .timers
            .first()
            .is_some_and(|(due, _)| *due <= at.monotonic)
        {
            let Some((_, key)) = self.timers.pop_first() else {
                break;
            };
            self.try_with(&key, out, |machine, case, out| machine.wake(case, at, out))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
