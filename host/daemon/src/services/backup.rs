//! Takes backups when they are due or asked for, proves them, restores them, rolls back to them, and lets retention expire them.
//!
//! Invariant: of one job one thing runs at a time; what comes meanwhile waits its turn.
//! Invariant: an operation that was begun goes on when who asked for it goes away, and ends in a record and an event;
//! one that still waits its turn goes away with who asked.
//! Invariant: a slot counts as used only together with the verified backup that took it, so an interrupted or failed
//! one is taken again; after a failure with growing waits.
//! Invariant: the baseline of the next difference is a verified backup, never one that is being taken.
//! Invariant: nothing is judged too old, and nothing leaves the trash, by a wall clock that has not settled.
//!
//! Length: what the service is made of, and what all that it does shares.

mod blocking;
mod cancel;
mod catalog;
mod checkpoints;
mod cleanups;
mod contents;
mod corrupted;
mod counted;
mod create;
mod deletions;
mod drill;
mod due;
mod fell_over;
mod holds;
mod hooks;
mod jobs;
mod judged;
mod leftovers;
mod moves;
mod objective;
mod plan;
mod port;
mod proofs;
mod rebuild;
mod rekey;
mod restore;
mod retention;
mod rollback;
mod room;
mod saved;
mod suspects;
mod taken_up;
#[cfg(test)]
mod tests;
mod trial;
mod turns;
mod waiting;
mod wishes;
mod words;

use super::{metrics::Numbers, next_spec::next_spec, settled::Settled, shared::Shared};
use crate::ports::{
    BackupStore, BackupStoreError, Clock, Commands, Journal, OnProgress, Probe, RetentionJudge,
    StoreError, Watch,
};
use catalog::Catalog;
use counted::CountedStore;
use jobs::JobState;
use mainstay_domain::{
    backup::BackupRecord,
    backup_chain::BackupChainError,
    effect::EffectError,
    event::{Event, EventKind},
    id::IdSource,
    name::JobName,
    record::Change,
    rpo::RpoWatch,
    severity::Severity,
    spec::{JobSpec, Spec},
    text::list,
    time::Timestamp,
};
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc, time::Duration};
use taken_up::{TakenUp, may_hang};
use tokio::sync::{Notify, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The longest backoff after a failed backup.
const LONGEST_BACKOFF: Duration = Duration::from_secs(3600);

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// It makes no sense as it was asked for; the text says what does.
    #[error("{0}")]
    Refused(String),
    /// The chain is broken.
    #[error(transparent)]
    Chain(#[from] BackupChainError),
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] BackupStoreError),
    /// The journal could not be written.
    #[error(transparent)]
    Journal(#[from] StoreError),
    /// Somebody wanted the restore of this job to end.
    #[error(
        "the restore of job {0} was cancelled: nothing was put in place, and what was written for it is removed"
    )]
    Cancelled(JobName),
    /// Who had asked for something of this job wanted no more of it while it waited for its turn.
    #[error("it was cancelled while it waited for its turn: nothing of job {0} was begun for it")]
    CalledOff(JobName),
    /// Somebody wanted the drill of this job to end.
    #[error(
        "the drill of job {0} was cancelled: what it had started is ended, and what it wrote is removed"
    )]
    DrillCancelled(JobName),
    /// What a drill restored is the same as what was read, and does not serve; the text says why.
    #[error("what was restored is the same as what was read, and {0}")]
    DrillFailed(String),
    /// What a drill restored serves, and later than its target may be away; the text is what was measured.
    #[error("{0}, which is less")]
    TooSlow(String),
    /// What a drill restored is the same as what was read, and nobody could see whether it serves; the text says why.
    #[error(
        "what was restored is the same as what was read, and whether it serves could not be seen, which says nothing of the \
         backup: {0}"
    )]
    Untried(String),
}

impl From<BackupError> for EffectError {
    fn from(error: BackupError) -> Self {
        let text = error.to_string();
        match error {
            BackupError::Store(error) if error.may_pass() => EffectError::Unavailable(text),
            BackupError::Journal(_) => EffectError::Unavailable(text),
            _ => EffectError::Failed(text),
        }
    }
}

/// What the service works with.
pub struct BackupParts {
    /// Where backups are stored.
    pub store: Arc<dyn BackupStore>,
    /// The journal is where their records go.
    pub shared: Shared,
    /// Who judges what is kept.
    pub judge: Arc<dyn RetentionJudge>,
    /// Whether the targets are healthy that jobs wait for.
    pub watch: Arc<dyn Watch>,
    /// For identifiers; different in each run of the program.
    pub seed: u64,
    /// The wall clock as far as it can be believed.
    pub settled: Arc<Settled>,
    /// The jobs of which people were told that their objective is missed, and not that it is met again.
    pub told_missed: Vec<JobName>,
    /// The last slots taken up of scheduled drills.
    pub drill_slots: Vec<(JobName, Timestamp)>,
    /// Cleanups are counted there.
    pub numbers: Numbers,
    /// Runs the operator's commands of rollbacks and drills.
    pub commands: Arc<dyn Commands>,
    /// Looks at what a drill has started.
    pub probe: Arc<dyn Probe>,
    /// When this version of the program ran first, where another one ran before.
    pub upgraded: Option<Timestamp>,
}

/// The service, and the handle by which others reach it; clones are the same service.
#[derive(Clone)]
pub struct BackupService {
    core: Arc<Core>,
    /// The store as it opens with what was given for one piece of work; absent: with what is the host's.
    opened: Option<Arc<dyn BackupStore>>,
    /// As what the work is known to who asks for it; none where it has no name.
    asked: Option<Arc<cancel::Asked>>,
}

struct Core {
    store: Arc<dyn BackupStore>,
    journal: Arc<dyn Journal>,
    clock: Arc<dyn Clock>,
    settled: Arc<Settled>,
    judge: Arc<dyn RetentionJudge>,
    watch: Arc<dyn Watch>,
    spec: watch::Receiver<Arc<Spec>>,
    catalog: Mutex<Catalog>,
    /// Of those that something was done for or asked of.
    jobs: Mutex<HashMap<JobName, JobState>>,
    tasks: TaskTracker,
    wake: Notify,
    numbers: Numbers,
    room: room::Room,
    commands: Arc<dyn Commands>,
    probe: Arc<dyn Probe>,
    upgraded: Option<Timestamp>,
    taken_up: TakenUp,
}

fn no_progress() -> OnProgress {
    Arc::new(|_| ())
}

impl BackupService {
    /// Ends the restores that the previous daemon left, before anything runs where they were to, and reconciles the rest: pieces
    /// of backups are removed and their records become failed, what was committed but not recorded is recorded. Nothing may use
    /// the store before. Where the config has tiers beside the one of this machine, the rest is not waited for here:
    /// [`Self::run`] begins with it.
    ///
    /// # Errors
    /// The journal cannot be written. What the store cannot do is logged, and done at the next start.
    pub async fn open(
        parts: BackupParts,
        records: Vec<BackupRecord>,
        slots: Vec<(JobName, mainstay_domain::backup::BackupType, Timestamp)>,
    ) -> Result<Self, BackupError> {
        let BackupParts {
            store,
            shared,
            judge,
            watch,
            seed,
            settled,
            told_missed,
            drill_slots,
            numbers,
            commands,
            probe,
            upgraded,
        } = parts;
        let Shared {
            journal,
            clock,
            spec,
        } = shared;
        let core = Core {
            store: CountedStore::over(store, numbers.clone()),
            journal,
            clock,
            settled,
            judge,
            watch,
            spec,
            catalog: Mutex::new(Catalog::new(records, slots, IdSource::new(seed))),
            jobs: Mutex::default(),
            tasks: TaskTracker::new(),
            wake: Notify::new(),
            numbers,
            room: room::Room::default(),
            commands,
            probe,
            upgraded,
            taken_up: TakenUp::default(),
        };
        let service = Self {
            core: Arc::new(core),
            opened: None,
            asked: None,
        };
        for job in told_missed {
            service.job_state(&job, |state| state.objective = RpoWatch::told());
        }
        for (job, slot) in drill_slots {
            service.job_state(&job, |state| state.proofs.drilled(slot));
        }
        service.end_restores().await;
        let is_later = may_hang(&service.core.spec.borrow());
        if !is_later {
            service.take_up().await?;
        }
        Ok(service)
    }

    /// Takes up what is stored where that was not done, runs due backups and retention until `stop`, and ends when what was
    /// begun has ended; the store is to be stopped by its own token.
    ///
    /// # Errors
    /// The journal cannot be written while what is stored is taken up.
    pub async fn run(self, stop: CancellationToken) -> Result<(), BackupError> {
        let mut spec = self.core.spec.clone();
        let before = Arc::clone(&spec.borrow_and_update());
        let taken_up = match self.core.taken_up.is_over() {
            true => {
                self.settle_rollbacks();
                Ok(())
            }
            false => self.take_up_until(&stop).await,
        };
        if taken_up.is_ok() && !stop.is_cancelled() {
            self.run_due(&stop, spec, before).await;
        }
        self.core.tasks.close();
        // Who waits for it is told that the host stops.
        self.core.taken_up.end();
        self.core.tasks.wait().await;
        taken_up
    }

    /// Does what falls due until `stop`; what differs from the config `before` counts as changed.
    async fn run_due(
        &self,
        stop: &CancellationToken,
        mut spec: watch::Receiver<Arc<Spec>>,
        mut before: Arc<Spec>,
    ) {
        loop {
            let begun = tokio::time::Instant::now();
            let looked_at = self.start_due();
            let wait = self.time_to_next_due(looked_at);
            // A look goes through every job, and each end of a job wakes the loop: many that end together must not take
            // a look each.
            let rest = begun.elapsed() * 2;
            tokio::select! { biased;
                () = stop.cancelled() => break,
                () = tokio::time::sleep(wait.max(rest)) => {}
                () = self.woken_after(rest) => {}
                after = next_spec(&mut spec) => {
                    self.judge_what_changed(&before, &after);
                    before = after;
                }
            }
        }
    }

    /// May be dropped: who wakes meanwhile is kept.
    async fn woken_after(&self, rest: Duration) {
        if !rest.is_zero() {
            tokio::time::sleep(rest).await;
        }
        self.core.wake.notified().await;
    }

    fn store(&self) -> Arc<dyn BackupStore> {
        Arc::clone(self.opened.as_ref().unwrap_or(&self.core.store))
    }

    fn now(&self) -> Timestamp {
        self.core.clock.now()
    }

    /// The wall clock as far as it can be believed: for what cannot be taken back.
    fn settled_now(&self) -> Timestamp {
        self.core.settled.now()
    }

    fn job(&self, name: &JobName) -> Result<JobSpec, BackupError> {
        let spec = self.core.spec.borrow();
        let found = spec.jobs.iter().find(|job| &job.name == name).cloned();
        found.ok_or_else(|| {
            let known = list(spec.jobs.iter().map(|job| &job.name), "none");
            BackupError::Refused(format!(
                "there is no backup job `{name}` in the config; its jobs are: {known}"
            ))
        })
    }

    /// Makes records known here at once, and durable, or on a full disk held in order; what the journal does not take is
    /// as it was before.
    async fn commit(
        &self,
        records: Vec<BackupRecord>,
        mut others: Vec<Change>,
    ) -> Result<(), BackupError> {
        let mut changes: Vec<Change> = records.iter().cloned().map(Change::Backup).collect();
        changes.append(&mut others);
        let (written, before) = {
            let mut catalog = self.core.catalog.lock();
            let put = |record: BackupRecord| (record.id.clone(), catalog.put(record));
            let before: Vec<_> = records.into_iter().map(put).collect();
            (self.core.journal.commit(changes.into()), before)
        };
        let written = written.await;
        if written.is_err() {
            let mut catalog = self.core.catalog.lock();
            for (id, before) in before {
                match before {
                    Some(before) => drop(catalog.put(before)),
                    None => catalog.remove(&id),
                }
            }
        }
        written?;
        Ok(())
    }

    /// Tells what has happened already. Where the journal does not take it, it has happened all the same.
    async fn record_done(&self, event: Event) {
        let recorded = self.commit(Vec::new(), vec![Change::Event(event)]);
        if let Err(error) = recorded.await {
            tracing::error!(%error, "it was done, and is not in the journal");
        }
    }

    fn event(&self, kind: EventKind, severity: Severity, message: impl Into<String>) -> Event {
        Event::new(kind, severity, self.now(), message)
    }
}
