//! The recovery engine: findings become incidents, incidents become operations, operations run their chain.
//!
//! Invariant: one task owns incidents, queue and waiting operations; an operation that runs is owned by its own task,
//! which hands it back when it ends.
//! Invariant: a target has one running operation at most; a failure that is found meanwhile keeps its own incident
//! and its own operation, which waits its turn.
//! Invariant: every operation ends in the journal with an end state, also one that a crash cut off.

mod board;
mod by_hand;
mod commands;
mod control;
mod endings;
mod findings;
mod restart;
mod run;
mod state;

pub use board::RecoveryBoard;
pub use control::RecoveryHandle;

use crate::{
    ports::{Clock, Finding, Handlers, Journal, Records, Watch},
    services::effects::EffectsUnderWay,
};
use control::Command;
use mainstay_domain::{
    event::Event,
    id::{IdSource, OperationId},
    journal::Change,
    name::TargetName,
    operation::{Mode, Operation},
    queue::{Conditions, Decision, QueueEntry},
    severity::Severity,
    spec::{RouteSpec, Spec, TargetSpec},
    time::{Monotonic, Timestamp},
};
use run::{Ended, Run};
use state::{Key, Running, State, key_of};
use std::{num::NonZeroUsize, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

/// Operations that run at one time, over all targets.
const CONCURRENT_OPERATIONS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(15);
/// How long until an end that the journal did not take is written again.
const WRITE_AGAIN: Duration = Duration::from_secs(1);
/// How long the engine rests where nothing is due; findings and commands wake it.
const IDLE: Duration = Duration::from_secs(3600);

/// What the engine reaches the world through.
#[derive(Clone)]
pub struct RecoveryPorts {
    /// Where everything is written first.
    pub journal: Arc<dyn Journal>,
    /// What was written before.
    pub records: Arc<dyn Records>,
    /// Both clocks.
    pub clock: Arc<dyn Clock>,
    /// Health, and checks at once.
    pub watch: Arc<dyn Watch>,
    /// The handlers.
    pub handlers: Arc<dyn Handlers>,
    /// What handlers asked for: waited for after each call, forgotten at the end of the operation.
    pub under_way: EffectsUnderWay,
}

/// The engine.
pub struct RecoveryEngine {
    ports: RecoveryPorts,
    spec: watch::Receiver<Arc<Spec>>,
    findings: mpsc::Receiver<Finding>,
    commands: mpsc::Receiver<Command>,
    ids: IdSource,
    board: RecoveryBoard,
    state: State,
}

impl RecoveryEngine {
    /// An engine and the handle that operators' commands come through.
    pub fn new(
        ports: RecoveryPorts,
        spec: watch::Receiver<Arc<Spec>>,
        findings: mpsc::Receiver<Finding>,
        ids: IdSource,
    ) -> (Self, RecoveryHandle) {
        let (sender, commands) = mpsc::channel(64);
        let board = RecoveryBoard::default();
        let handle = RecoveryHandle::new(sender, board.clone());
        (
            Self {
                ports,
                spec,
                findings,
                commands,
                ids,
                board,
                state: State::default(),
            },
            handle,
        )
    }

    /// Runs until it is stopped; [`RecoveryEngine::take_up`] comes first. Handlers that run then are given until `stop`'s owner drops this future.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut runs: JoinSet<Ended> = JoinSet::new();
        let mut spec_is_open = true;
        loop {
            let mut rest = self.start_due(&mut runs);
            if !self.state.unwritten.is_empty() {
                rest = rest.min(WRITE_AGAIN);
            }
            self.show();
            tokio::select! { biased;
                () = stop.cancelled() => break,
                Some(Ok(ended)) = runs.join_next() => self.ended(ended).await,
                Some(finding) = self.findings.recv() => self.found(finding).await,
                Some(command) = self.commands.recv() => self.command(command).await,
                changed = self.spec.changed(), if spec_is_open => {
                    spec_is_open = changed.is_ok();
                    self.let_go_of_removed_targets().await;
                }
                () = tokio::time::sleep(rest) => {
                    let _ = self.write_kept().await;
                }
            }
        }
        self.state.is_stopping = true;
        for running in self.state.running.values() {
            running.cancel.cancel();
        }
        while let Some(ended) = runs.join_next().await {
            if let Ok(ended) = ended {
                self.ended(ended).await;
            }
        }
    }

    fn now(&self) -> (Timestamp, Monotonic) {
        (self.ports.clock.now(), self.ports.clock.monotonic())
    }

    /// Writes in order, without waiting: what must be durable before it goes on waits for its own, later commit.
    fn write(&self, changes: Vec<Change>) {
        drop(self.ports.journal.commit(changes));
    }

    fn target(&self, name: &TargetName) -> Option<TargetSpec> {
        self.spec
            .borrow()
            .targets
            .iter()
            .find(|target| target.name == *name)
            .cloned()
    }

    fn is_configured(&self, name: &TargetName) -> bool {
        let spec = self.spec.borrow();
        spec.targets.iter().any(|target| target.name == *name)
    }

    /// Starts what is due; how long until the next look. Findings, commands and ends of operations come sooner.
    fn start_due(&mut self, runs: &mut JoinSet<Ended>) -> Duration {
        loop {
            let (_, now) = self.now();
            let State {
                queue,
                incidents,
                paused_targets,
                paused_host,
                ..
            } = &mut self.state;
            let conditions = Conditions {
                host_paused: *paused_host,
                is_paused: &|target| paused_targets.contains(target),
                // Recovering what it depends on first is what helps.
                is_failing: &|target| incidents.keys().any(|(open, _)| open == target),
                max_running: CONCURRENT_OPERATIONS,
            };
            match queue.next(&conditions, now) {
                Decision::Start(id) => self.start(&id, runs),
                Decision::WaitUntil(due) => return due.since(now).max(Duration::from_millis(1)),
                Decision::Idle => return IDLE,
            }
        }
    }

    fn start(&mut self, id: &OperationId, runs: &mut JoinSet<Ended>) {
        let Some(operation) = self.state.waiting.remove(id) else {
            return;
        };
        let key = key_of(&operation);
        let cancel = CancellationToken::new();
        let running = Running {
            key: key.clone(),
            is_dry: operation.dry_run,
            cancel: cancel.clone(),
            cancelled: None,
            is_cleared: false,
        };
        self.state.running.insert(id.clone(), running);
        let run = Run {
            ports: self.ports.clone(),
            route: self.route_of(&key, operation.severity),
            target: self.target(&operation.target),
            incident: self.state.incidents.get(&key).cloned(),
            operation,
            cancel,
        };
        runs.spawn(run.end_in_any_case());
    }

    fn route_of(&self, (target, failure): &Key, severity: Severity) -> Option<RouteSpec> {
        let spec = self.spec.borrow();
        mainstay_domain::route::route(&spec.routes, target, failure, severity).cloned()
    }

    /// Puts a scheduled operation into the queue.
    fn enqueue(&mut self, operation: Operation, due: Monotonic) {
        let target = self.target(&operation.target);
        self.state.queue.push(QueueEntry {
            operation: operation.id.clone(),
            target: operation.target.clone(),
            priority: target.as_ref().map_or(u8::MAX, |target| target.priority),
            severity: operation.severity,
            due,
            depends_on: target.map(|target| target.depends_on).unwrap_or_default(),
            by_hand: operation.mode != Mode::Automatic,
        });
        self.state.waiting.insert(operation.id.clone(), operation);
    }

    /// Shows outside what is open and runs.
    fn show(&self) {
        let running = self
            .state
            .running
            .iter()
            .map(|(id, running)| (running.key.0.clone(), id.clone()));
        let waiting = self
            .state
            .waiting
            .values()
            .map(|operation| (operation.target.clone(), operation.id.clone()));
        let operations = waiting.chain(running).collect();
        let incidents = self
            .state
            .incidents
            .values()
            .map(|open| (open.target.clone(), open.id.clone()))
            .collect();
        self.board.show(
            incidents,
            operations,
            self.state.paused_targets.clone(),
            self.state.paused_host,
        );
    }
}

/// An event about an operation; its data always names the failure, by which alerts are told apart, and says whether it is
/// a dry run, which is no alert.
fn about(operation: &Operation, event: Event) -> Change {
    let mut event = event
        .with_target(&operation.target)
        .with_operation(&operation.id);
    if let serde_json::Value::Object(data) = &mut event.data {
        data.entry("failure")
            .or_insert_with(|| operation.failure.to_string().into());
        data.entry("dry_run")
            .or_insert_with(|| operation.dry_run.into());
    }
    Change::Event(event)
}

#[cfg(test)]
mod tests;
