//! Drives the recovery machine: receives, applies, writes in order, and does what it asks for.
//!
//! Everything that is decided is decided in `mainstay_domain::recovery`; nothing is here.
//!
//! Invariant: one task owns the machine. The writes of an input are queued in the journal, in order, before its
//! actions are done; the effect of a handler waits there for its own intent, and so for all of them. Only replies to
//! people wait until these writes are durable, or held because the disk is full.
//! Invariant: while the queue is full, no finding and no command is received: they wait at their source.
//! Invariant: an input is handled with a config at least as new as the one its sender had.
//! Invariant: a fault of the host in one call or look is an answer that says so, and ends nothing else.

mod actions;
mod call;
mod charter;
mod control;
mod finding;
mod gate;
mod heartbeat;
mod look;
mod previous;
mod serving;
mod snapshot;
#[cfg(test)]
mod tests;
mod writes;

pub use charter::CharterDigest;
pub use control::RecoveryHandle;
pub use heartbeat::Heartbeat;
pub use snapshot::RecoverySnapshot;

use crate::{
    ports::{self, Finding, Handlers, Watch},
    services::{
        inbox::SignalInbox, next_spec::next_spec, shared::Shared, status_view::ChangedTargets,
    },
};
use control::Asked;
use mainstay_domain::{
    id::IdSource,
    pause::TimedPauses,
    policy::{GateNumbers, PolicyHistory},
    recovery::{Input, InputTime, Outcome, Recovery, Reply, Ticket},
    spec::Spec,
    time::Monotonic,
};
use serving::forward_serving_handlers;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use writes::Writes;

/// How long until writes that the journal's queue did not take are given to it again.
const WRITE_AGAIN: Duration = Duration::from_millis(250);
/// Handlers that serve again and are not handled yet; the sender waits if there are more.
const SERVING: usize = 64;

/// What the driver reaches the world through.
#[derive(Clone)]
pub struct RecoveryPorts {
    /// The journal is where everything is written first.
    pub shared: Shared,
    /// Health, and checks at once.
    pub watch: Arc<dyn Watch>,
    /// The handlers.
    pub handlers: Arc<dyn Handlers>,
    /// What the file of the charter is.
    pub charter: CharterDigest,
    /// Where handlers get what people signal to them.
    pub inbox: SignalInbox,
}

/// The driver.
pub struct RecoveryEngine {
    ports: RecoveryPorts,
    machine: Recovery,
    spec: watch::Receiver<Arc<Spec>>,
    findings: mpsc::Receiver<Finding>,
    asked: mpsc::Receiver<Asked>,
    gate_asked: mpsc::Receiver<oneshot::Sender<GateNumbers>>,
    snapshot: RecoverySnapshot,
    /// Calls and looks under way; each comes to the input that answers it.
    work: JoinSet<Input>,
    /// Who waits for which reply.
    waiting: BTreeMap<Ticket, oneshot::Sender<Reply>>,
    tickets: u64,
    writes: Writes,
    heartbeat: Option<Heartbeat>,
}

impl RecoveryEngine {
    /// A driver and the handle that operators' commands come through. `changed` is notified of targets that show
    /// something else.
    pub fn new(
        ports: RecoveryPorts,
        findings: mpsc::Receiver<Finding>,
        ids: IdSource,
        changed: ChangedTargets,
    ) -> (Self, RecoveryHandle) {
        let (sender, asked) = mpsc::channel(64);
        let snapshot = RecoverySnapshot::new(changed);
        let (gate, gate_asked) = mpsc::channel(8);
        let handle = RecoveryHandle::new(sender, gate, snapshot.clone());
        let mut spec = ports.shared.spec.clone();
        let present = Arc::clone(&spec.borrow_and_update());
        let writes = Writes::new(ports.shared.journal.clone());
        let engine = Self {
            ports,
            machine: Recovery::new(present, ids),
            spec,
            findings,
            asked,
            gate_asked,
            snapshot,
            work: JoinSet::new(),
            waiting: BTreeMap::new(),
            tickets: 0,
            writes,
            heartbeat: None,
        };
        (engine, handle)
    }

    /// Has the loop give a sign of life from its beginning to its stop.
    pub fn gives(&mut self, heartbeat: Heartbeat) {
        self.heartbeat = Some(heartbeat);
    }

    /// Resumes what the previous daemon left; of its pauses these have an end, and `policy` is what the gate knows of it.
    /// When this returns, its changes are durable.
    pub async fn resume(
        &mut self,
        recovered: &ports::Recovered,
        pauses: TimedPauses,
        policy: PolicyHistory,
    ) {
        let recovered = previous::of(recovered, pauses, policy, &*self.ports.watch);
        self.input(Input::Recovered(recovered));
        if let Err(error) = self.ports.shared.journal.written().await {
            tracing::error!(%error, "what the daemon before left is not gone on with durably");
        }
    }

    /// Runs until it is stopped; [`RecoveryEngine::resume`] comes first. Calls that run then are waited for until
    /// `stop`'s owner drops this future.
    pub async fn run(mut self, stop: CancellationToken) {
        let (serving_sender, mut serving) = mpsc::channel(SERVING);
        let forwarding = forward_serving_handlers(&*self.ports.shared.journal, serving_sender);
        let _forwarding_task = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(forwarding));
        // Events of handlers that serve by now came before anybody listened here.
        self.serves(None);
        self.input(Input::Tick);
        loop {
            let is_blocked = !self.writes.flush();
            let rest = self.rest(is_blocked);
            tokio::select! { biased;
                () = stop.cancelled() => break,
                () = heartbeat::due(&mut self.heartbeat) => heartbeat::give(self.heartbeat.as_ref()),
                Some(done) = self.work.join_next() => self.done(done),
                Some(answer) = self.gate_asked.recv() => self.tell_gate(answer),
                Some(handler) = serving.recv(), if !is_blocked => self.serves(handler),
                Some(finding) = self.findings.recv(), if !is_blocked => self.found(finding),
                Some(asked) = self.asked.recv(), if !is_blocked => self.asked(asked),
                spec = next_spec(&mut self.spec), if !is_blocked => self.input(Input::Spec(spec)),
                () = sleep(rest) => self.input(Input::Tick),
            }
        }
        self.gate_asked.close();
        while self.gate_asked.try_recv().is_ok() {}
        self.input(Input::Stop);
        while self.machine.calls() > 0 {
            let Some(done) = self.work.join_next().await else {
                break;
            };
            self.done(done);
        }
        while !self.writes.flush() {
            tokio::time::sleep(WRITE_AGAIN).await;
        }
    }

    /// How long nothing happens by itself; none: until something else does.
    fn rest(&mut self, is_blocked: bool) -> Option<Duration> {
        let now = self.ports.shared.clock.monotonic();
        let wake = self.machine.wakes_at().map(|due: Monotonic| due.since(now));
        let wake = wake.into_iter().chain(self.rest_of_charter()).min();
        match is_blocked {
            true => Some(wake.unwrap_or(WRITE_AGAIN).min(WRITE_AGAIN)),
            false => wake,
        }
    }

    /// Who found or asks for something may know a config that was not applied here yet.
    fn apply_pending_spec(&mut self) {
        if self.spec.has_changed().unwrap_or(false) {
            let spec = Arc::clone(&self.spec.borrow_and_update());
            self.input(Input::Spec(spec));
        }
    }

    fn found(&mut self, finding: Finding) {
        self.apply_pending_spec();
        self.input(finding::input_of(finding));
    }

    fn asked(&mut self, Asked { command, answer }: Asked) {
        self.apply_pending_spec();
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.waiting.insert(ticket, answer);
        self.input(Input::Command(command, ticket));
    }

    fn done(&mut self, done: Result<Input, tokio::task::JoinError>) {
        match done {
            Ok(input) => self.input(input),
            // Its own task turns a panic into an answer; a defect of that cannot be gone on from.
            Err(error) => {
                if let Ok(panic) = error.try_into_panic() {
                    std::panic::resume_unwind(panic);
                }
            }
        }
    }

    /// One turn of the machine, which knows how the charter is.
    fn input(&mut self, input: Input) {
        self.see_charter();
        self.turn(input);
    }

    fn at(&self) -> InputTime {
        let clock = &self.ports.shared.clock;
        InputTime {
            now: clock.now(),
            monotonic: clock.monotonic(),
        }
    }

    fn turn(&mut self, input: Input) {
        let at = self.at();
        let may_pause = matches!(
            input,
            Input::Command(..) | Input::Recovered(_) | Input::Spec(_) | Input::Tick
        );
        let asked = match &input {
            Input::Command(_, ticket) => Some(*ticket),
            _ => None,
        };
        let outcome = match self.machine.apply(input, at) {
            Ok(outcome) => outcome,
            Err(illegal) => {
                let error: &dyn std::error::Error = &illegal;
                tracing::error!(
                    error,
                    "recovery was told what cannot be; report this as a defect"
                );
                // Who asked is not left waiting.
                asked.map(|ticket| self.waiting.remove(&ticket));
                return;
            }
        };
        let Outcome {
            writes,
            after,
            changed,
        } = outcome;
        for target in &changed {
            self.snapshot
                .update(target, self.machine.summary_of(target));
        }
        if may_pause {
            let multiplier = self.machine.phase_rule().multiplier;
            self.ports.watch.set_multiplier(multiplier);
            self.snapshot.pause(&self.machine);
        }
        self.ports.inbox.note(&writes);
        self.writes.push(writes);
        self.execute_actions(after);
    }
}

async fn sleep(length: Option<Duration>) {
    match length {
        Some(length) => tokio::time::sleep(length).await,
        None => std::future::pending().await,
    }
}
