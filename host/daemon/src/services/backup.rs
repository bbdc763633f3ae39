//! Takes backups when they are due or asked for, proves them, restores them, and lets retention expire them.
//!
//! Invariant: of one job one thing runs at a time; what comes meanwhile waits its turn.
//! Invariant: an operation that was begun goes on when who asked for it goes away, and ends in a record and an event;
//! one that still waits its turn goes away with who asked.
//! Invariant: a slot counts as taken up only together with the verified backup that took it, so an interrupted or failed
//! one is taken again; after a failure with growing pauses.
//! Invariant: the baseline of the next difference is a verified backup, never one that is being taken.

mod catalog;
mod create;
mod port;
mod rebuild;
mod restore;
mod retention;
#[cfg(test)]
mod tests;

use crate::ports::{
    BackupStore, Clock, Journal, JournalError, OnProgress, RetentionJudge, StoreError, Unreadable,
};
use catalog::Catalog;
use mainstay_domain::{
    backup::BackupRecord,
    chain::ChainError,
    effect::EffectError,
    event::{Event, EventKind},
    id::IdSource,
    journal::Change,
    name::JobName,
    schedule::{DueBackup, LastSlots, due_backup, next_backup},
    severity::Severity,
    spec::{BackupSource, JobSpec, Spec},
    time::Timestamp,
};
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{Mutex as Lock, Notify, OwnedMutexGuard, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The loop looks again after this even where nothing is due, for the wall clock may have been set.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// The pause after a failed backup; doubled for each further one up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// It makes no sense as it was asked for; the text says what does.
    #[error("{0}")]
    Refused(String),
    /// The chain is broken.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The journal could not be written.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl From<BackupError> for EffectError {
    fn from(error: BackupError) -> Self {
        let text = error.to_string();
        match error {
            BackupError::Store(StoreError::Unavailable(_) | StoreError::Interrupted)
            | BackupError::Journal(_) => EffectError::Unavailable(text),
            _ => EffectError::Failed(text),
        }
    }
}

/// What the service works with.
pub struct BackupParts {
    /// Where backups are stored.
    pub store: Arc<dyn BackupStore>,
    /// Where their records go.
    pub journal: Arc<dyn Journal>,
    /// Both clocks.
    pub clock: Arc<dyn Clock>,
    /// Who judges what is kept.
    pub judge: Arc<dyn RetentionJudge>,
    /// The config as it is now.
    pub spec: watch::Receiver<Arc<Spec>>,
    /// For identifiers; different in each run of the program.
    pub seed: u64,
}

/// The service, and the handle by which others reach it; clones are the same service.
#[derive(Clone)]
pub struct BackupService {
    core: Arc<Core>,
}

struct Core {
    store: Arc<dyn BackupStore>,
    journal: Arc<dyn Journal>,
    clock: Arc<dyn Clock>,
    judge: Arc<dyn RetentionJudge>,
    spec: watch::Receiver<Arc<Spec>>,
    catalog: Mutex<Catalog>,
    turns: Mutex<HashMap<JobName, Arc<Lock<()>>>>,
    /// Failures in a row, and when a job is tried again.
    pauses: Mutex<HashMap<JobName, (u32, Timestamp)>>,
    /// When retention last ran in this life of the daemon.
    judged: Mutex<HashMap<JobName, Timestamp>>,
    /// Whose retention was begun and has not ended.
    judging: Mutex<HashSet<JobName>>,
    tasks: TaskTracker,
    wake: Notify,
}

/// A job's turn. Who gives it back wakes the loop, for something may have fallen due meanwhile.
struct Turn {
    held: Option<OwnedMutexGuard<()>>,
    core: Arc<Core>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        drop(self.held.take());
        self.core.wake.notify_one();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn quiet() -> OnProgress {
    Arc::new(|_| ())
}

impl BackupService {
    /// Takes up what the daemon before left: pieces of backups are removed and their records become failed, what was
    /// committed but not recorded is recorded. Nothing may use the store before.
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
            journal,
            clock,
            judge,
            spec,
            seed,
        } = parts;
        let core = Core {
            store,
            journal,
            clock,
            judge,
            spec,
            catalog: Mutex::new(Catalog::new(records, slots, IdSource::new(seed))),
            turns: Mutex::default(),
            pauses: Mutex::default(),
            judged: Mutex::default(),
            judging: Mutex::default(),
            tasks: TaskTracker::new(),
            wake: Notify::new(),
        };
        let service = Self {
            core: Arc::new(core),
        };
        service.take_up_leftovers().await?;
        Ok(service)
    }

    /// Runs due backups and retention until `stop`, and ends when what was begun has ended; the store is to be stopped
    /// by its own token.
    ///
    /// # Errors
    /// None today; a service may.
    pub async fn run(self, stop: CancellationToken) -> Result<(), BackupError> {
        let mut spec = self.core.spec.clone();
        let mut before = Arc::clone(&spec.borrow_and_update());
        loop {
            let looked_at = self.start_due();
            tokio::select! { biased;
                () = stop.cancelled() => break,
                () = tokio::time::sleep(self.pause(looked_at)) => {}
                () = self.core.wake.notified() => {}
                changed = spec.changed() => {
                    if changed.is_err() {
                        // Nobody can change the config any more; only time goes on.
                        tokio::select! { biased; () = stop.cancelled() => break, () = tokio::time::sleep(self.pause(looked_at)) => {} }
                        continue;
                    }
                    let after = Arc::clone(&spec.borrow_and_update());
                    self.judge_what_changed(&before, &after);
                    before = after;
                }
            }
        }
        self.core.tasks.close();
        self.core.tasks.wait().await;
        Ok(())
    }

    fn now(&self) -> Timestamp {
        self.core.clock.now()
    }

    fn job(&self, name: &JobName) -> Result<JobSpec, BackupError> {
        let spec = self.core.spec.borrow();
        let found = spec.jobs.iter().find(|job| &job.name == name).cloned();
        found.ok_or_else(|| {
            let known: Vec<&str> = spec.jobs.iter().map(|job| job.name.as_str()).collect();
            let known = if known.is_empty() {
                "none".to_owned()
            } else {
                known.join(", ")
            };
            BackupError::Refused(format!(
                "there is no backup job `{name}` in the config; its jobs are: {known}"
            ))
        })
    }

    fn lock_of(&self, job: &JobName) -> Arc<Lock<()>> {
        Arc::clone(locked(&self.core.turns).entry(job.clone()).or_default())
    }

    /// A job's turn, when it is free.
    async fn turn_of(&self, job: &JobName) -> Turn {
        self.turn(self.lock_of(job).lock_owned().await)
    }

    fn turn(&self, held: OwnedMutexGuard<()>) -> Turn {
        Turn {
            held: Some(held),
            core: Arc::clone(&self.core),
        }
    }

    /// Waits for a job's turn, and then does work in a task of its own.
    async fn in_turn_of<T: Send + 'static>(
        &self,
        job: &JobName,
        work: impl Future<Output = Result<T, BackupError>> + Send + 'static,
    ) -> Result<T, BackupError> {
        let turn = self.turn_of(job).await;
        let work = async move {
            let _turn = turn;
            work.await
        };
        self.in_own_task(work).await
    }

    /// Does work in a task of its own, which goes on when the caller goes away.
    async fn in_own_task<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, BackupError>> + Send + 'static,
    ) -> Result<T, BackupError> {
        let stopping = || BackupError::Store(StoreError::Interrupted);
        if self.core.tasks.is_closed() {
            return Err(stopping());
        }
        let ended = self.core.tasks.spawn(work).await;
        ended.unwrap_or_else(|_| Err(stopping()))
    }

    /// Calls the store on a blocking thread.
    async fn with_store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn BackupStore) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = Arc::clone(&self.core.store);
        let ended = tokio::task::spawn_blocking(move || work(store.as_ref())).await;
        ended.unwrap_or_else(|error| {
            Err(StoreError::Unavailable(format!(
                "the store broke off: {error}; report this as a defect"
            )))
        })
    }

    /// Makes records known here at once, and durable; what cannot be made durable is as it was before.
    async fn commit(
        &self,
        records: Vec<BackupRecord>,
        mut others: Vec<Change>,
    ) -> Result<(), BackupError> {
        let mut changes: Vec<Change> = records.iter().cloned().map(Change::Backup).collect();
        changes.append(&mut others);
        let (written, before) = {
            let mut catalog = locked(&self.core.catalog);
            let put = |record: BackupRecord| (record.id.clone(), catalog.put(record));
            let before: Vec<_> = records.into_iter().map(put).collect();
            (self.core.journal.commit(changes), before)
        };
        let written = written.await;
        if written.is_err() {
            let mut catalog = locked(&self.core.catalog);
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

    fn event(&self, kind: EventKind, severity: Severity, message: impl Into<String>) -> Event {
        Event::new(kind, severity, self.now(), message)
    }

    async fn take_up_leftovers(&self) -> Result<(), BackupError> {
        let sources: Vec<BackupSource> = self
            .core
            .spec
            .borrow()
            .jobs
            .iter()
            .flat_map(|job| job.sources.clone())
            .collect();
        let swept = self.with_store(move |store| Ok(store.sweep(&sources)));
        for error in swept.await.unwrap_or_else(|error| vec![error]) {
            tracing::error!(%error, "what an interrupted backup or restore left stays for now");
        }
        let unfinished = locked(&self.core.catalog).unfinished();
        for mut record in unfinished {
            let (job, id) = (record.job.clone(), record.id.clone());
            let committed = self
                .with_store(move |store| store.committed(&job, &id))
                .await;
            match committed {
                Ok(Some(manifest)) => {
                    let message = format!(
                        "backup {} was stored and verified before the host stopped",
                        record.id
                    );
                    let event = self
                        .event(EventKind::BackupVerified, Severity::Low, message)
                        .with_backup(&record.job, &record.id);
                    self.commit(vec![manifest.to_record()], vec![Change::Event(event)])
                        .await?;
                }
                Ok(None) | Err(_) => {
                    record.status = mainstay_domain::backup::BackupStatus::Failed;
                    let reason =
                        "the host stopped while it was taken; its pieces are removed".to_owned();
                    let event = self
                        .event(
                            EventKind::BackupFailed,
                            Severity::Medium,
                            format!("backup {}: {reason}", record.id),
                        )
                        .with_backup(&record.job, &record.id);
                    record.reason = Some(reason);
                    self.commit(vec![record], vec![Change::Event(event)])
                        .await?;
                }
            }
        }
        let expired = locked(&self.core.catalog).expired();
        for record in expired {
            // A crash may have come between the record and the move; moving twice is moving once.
            let moved = self.with_store(move |store| store.trash(&record.job, &record.id));
            if let Err(error) = moved.await {
                tracing::error!(%error, "an expired backup is not in the trash for now");
            }
        }
        Ok(())
    }

    /// Starts what is due in every job whose turn it is; gives the time by which it judged that.
    fn start_due(&self) -> Timestamp {
        let now = self.now();
        let spec = Arc::clone(&self.core.spec.borrow());
        for job in &spec.jobs {
            // The turn first: what is due is judged by what the run before took up, not by what it is about to.
            if let Ok(held) = self.lock_of(&job.name).try_lock_owned()
                && self.paused_until(&job.name, now).is_none()
                && let Some(due) = self.due(job, now)
            {
                self.spawn_due(job.clone(), due, self.turn(held));
            }
        }
        self.start_retention(&spec, now);
        now
    }

    fn spawn_due(&self, job: JobSpec, due: DueBackup, turn: Turn) {
        let service = self.clone();
        self.core.tasks.spawn(async move {
            let taken = service.take(&job, due.backup_type, Unreadable::Fails, due.slots, quiet()).await;
            let mut pauses = locked(&service.core.pauses);
            match taken {
                Ok(_) => drop(pauses.remove(&job.name)),
                Err(error) => {
                    let (failures, until) = pauses.entry(job.name.clone()).or_insert((0, Timestamp::from_millis(0)));
                    let pause = FIRST_PAUSE.saturating_mul(1 << (*failures).min(10)).min(LONGEST_PAUSE);
                    *failures = failures.saturating_add(1);
                    *until = service.now() + pause;
                    tracing::warn!(job = %job.name, %error, ?pause, "the backup is tried again after a pause");
                }
            }
            drop(pauses);
            drop(turn);
        });
    }

    fn due(&self, job: &JobSpec, now: Timestamp) -> Option<DueBackup> {
        let slots = self.slots(&job.name);
        due_backup(job, &slots, now).unwrap_or_else(|error| {
            tracing::error!(job = %job.name, %error, "the job has no schedule that can be kept");
            None
        })
    }

    fn slots(&self, job: &JobName) -> LastSlots {
        locked(&self.core.catalog).slots(job)
    }

    fn paused_until(&self, job: &JobName, now: Timestamp) -> Option<Timestamp> {
        let until = locked(&self.core.pauses)
            .get(job)
            .map(|(_, until)| *until)?;
        // A pause never is longer than this; where it is, the clock went back.
        (until > now && until.since(now) <= LONGEST_PAUSE).then_some(until)
    }

    fn next_due(&self, job: &JobSpec, now: Timestamp) -> Option<Timestamp> {
        let next = next_backup(job, &self.slots(&job.name), now).ok()??;
        Some(
            self.paused_until(&job.name, now)
                .map_or(next, |until| until.max(next)),
        )
    }

    /// How long nothing is due. A job or a judgement that runs wakes the loop when it ends.
    fn pause(&self, looked_at: Timestamp) -> Duration {
        let now = self.now();
        let spec = Arc::clone(&self.core.spec.borrow());
        let waiting = spec
            .jobs
            .iter()
            .filter(|job| self.lock_of(&job.name).try_lock().is_ok());
        let next = waiting
            .filter_map(|job| self.next_due(job, now))
            .chain(self.next_retention(&spec, looked_at))
            .min();
        next.map_or(LOOK_AGAIN, |next| next.since(now).min(LOOK_AGAIN))
    }
}
