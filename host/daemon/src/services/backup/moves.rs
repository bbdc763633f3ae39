//! Backups that go to another tier, when a person wants it or they have the age for it.
//!
//! Invariant: a backup or a proof that is due goes before a move, also between two.
//! Invariant: a move that failed is tried again with growing waits, and keeps no other back; people hear of the first of them.
//! Invariant: the record says where a backup is only after it is there; where that cannot be written down it is found all the same.

use super::{BackupError, BackupService, LONGEST_BACKOFF, due::FIRST_BACKOFF, turns::Turn};
use crate::ports::BackupStoreError;
use mainstay_domain::{
    actor::Actor,
    backoff::Backoff,
    backup::{BackupRecord, BackupStatus},
    backup_moves::{due_move, next_move},
    backup_schedule::may_begin,
    event::{BackupFellOver, BackupMoved, EventKind},
    id::BackupId,
    name::TierName,
    record::Change,
    severity::Severity,
    spec::{ArchiveSpec, JobSpec, Spec},
    text::list,
    time::Timestamp,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    time::Duration,
};

/// The records of a job are gone through no more often than this where nothing is due, but for what ends in between.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

const WAITS: Backoff = Backoff::doubled(FIRST_BACKOFF, LONGEST_BACKOFF);

/// How the moves of one job go in this life of the daemon.
#[derive(Debug, Default)]
pub(super) struct Moving {
    /// Those that failed: how often in a row, and until when each rests.
    failed: BTreeMap<BackupId, (u32, Timestamp)>,
    /// Whether people were told that the tier does not take them.
    is_told: bool,
    /// When it was looked at and nothing was due, by what, and until when that holds.
    nothing_due: Option<(Timestamp, ArchiveSpec, Timestamp)>,
}

impl Moving {
    fn failed(&mut self, id: BackupId, now: Timestamp) {
        let before = self.failed.get(&id).map_or(0, |(failures, _)| *failures);
        let failures = before.saturating_add(1);
        self.failed
            .insert(id, (failures, now + WAITS.after(failures)));
        self.nothing_due = None;
    }

    fn succeeded(&mut self, id: &BackupId) {
        self.failed.remove(id);
        self.is_told = false;
        self.nothing_due = None;
    }

    /// Which ones rest, and when the first of them rests no more. None rests longer than the longest wait; else the clock
    /// went back.
    fn resting(&self, now: Timestamp) -> (BTreeSet<BackupId>, Option<Timestamp>) {
        let resting = self.failed.iter();
        let resting =
            resting.filter(|(_, (_, until))| *until > now && until.since(now) <= LONGEST_BACKOFF);
        let first = resting.clone().map(|(_, (_, until))| *until).min();
        (resting.map(|(id, _)| id.clone()).collect(), first)
    }

    /// Until when nothing is due, as far as that is known.
    fn rests_until(&self, archive: &ArchiveSpec, now: Timestamp) -> Option<Timestamp> {
        let (looked_at, by, until) = self.nothing_due.as_ref()?;
        // Else the clock went back.
        let holds = by == archive && *looked_at <= now && now < *until;
        holds.then_some(*until)
    }
}

impl BackupService {
    /// Moves a backup to a tier, as a person wants it; the caller has the job's turn.
    pub(super) async fn move_now(
        self,
        id: BackupId,
        tier: TierName,
        by: Actor,
    ) -> Result<BackupRecord, BackupError> {
        let record = self.known(&id)?;
        let why_not = match record.status {
            BackupStatus::Completed | BackupStatus::Verified => "",
            BackupStatus::Expired => "lies in the trash",
            BackupStatus::Corrupted => "is corrupted",
            BackupStatus::Failed | BackupStatus::Pending | BackupStatus::InProgress => {
                "is not stored"
            }
        };
        if !why_not.is_empty() {
            return Err(BackupError::Refused(format!(
                "backup {id} {why_not}, and cannot be moved; `mainstay backup list` shows those that can be"
            )));
        }
        self.check_tier(&tier)?;
        self.move_record(record, &tier, Some(by)).await
    }

    fn check_tier(&self, tier: &TierName) -> Result<(), BackupError> {
        let spec = self.core.spec.borrow();
        if tier.is_local() || spec.tiers.contains_key(tier) {
            return Ok(());
        }
        let local = TierName::local();
        let others = spec.tiers.keys().filter(|name| !name.is_local());
        let known = others.chain([&local]);
        let known = list(known, "none");
        Err(BackupError::Refused(format!(
            "there is no tier `{tier}` in the config; its tiers are: {known}"
        )))
    }

    /// Moves a stored backup; one that is there already is not told of. Where nobody wanted it, it has the age for it.
    async fn move_record(
        &self,
        mut record: BackupRecord,
        tier: &TierName,
        by: Option<Actor>,
    ) -> Result<BackupRecord, BackupError> {
        let (job, id, to) = (record.job.clone(), record.id.clone(), tier.clone());
        let moved = self
            .with_store(move |store| store.move_to(&job, &id, &to))
            .await;
        self.mark_if_corrupted(moved).await?;
        let from = mem::replace(&mut record.tier, tier.to_string());
        if from == record.tier {
            return Ok(record);
        }
        let why = match &by {
            Some(by) => format!("as {by} wanted"),
            None => "for its age".to_owned(),
        };
        let message = format!(
            "backup {} of job {} was moved from the tier {from} to the tier {tier}, {why}",
            record.id, record.job
        );
        let (by, note) = by.map_or((None, None), |by| (Some(by.name), by.note));
        let event = self
            .event(EventKind::BackupMoved, Severity::Low, message)
            .with_backup(&record.job, &record.id)
            .with_data(BackupMoved {
                from: TierName::parse(&from).unwrap_or_else(|_| TierName::local()),
                tier: tier.clone(),
                by,
                note,
            });
        self.commit(vec![record.clone()], vec![Change::Event(event)])
            .await?;
        if record.held {
            self.note_hold(&record).await;
        }
        Ok(record)
    }

    /// The backup of a job that has the age for another tier now, and that tier.
    pub(super) fn due_move(
        &self,
        job: &JobSpec,
        now: Timestamp,
    ) -> Option<(BackupRecord, TierName)> {
        let archive = job.archive.as_ref()?;
        // Looked at again in a minute.
        if !may_begin(&job.starts, now).unwrap_or(false) {
            return None;
        }
        let (rests, (resting, first)) = self.job_state(&job.name, |state| {
            let moving = &state.moving;
            (moving.rests_until(archive, now), moving.resting(now))
        });
        if rests.is_some() {
            return None;
        }
        let settled = self.settled_now();
        let records = self.core.catalog.lock().of(Some(&job.name));
        if let Some(due) = due_move(&records, archive, &resting, settled) {
            return Some((due, archive.tier.clone()));
        }
        let next = next_move(&records, archive, settled).filter(|next| *next > now);
        let until = [next, first].into_iter().flatten().min();
        let until = until.map_or(now + LOOK_AGAIN, |until| until.min(now + LOOK_AGAIN));
        self.job_state(&job.name, |state| {
            state.moving.nothing_due = Some((now, archive.clone(), until));
        });
        None
    }

    /// When one of the jobs of which nothing was to be moved has to be looked at again.
    pub(super) fn next_moves(&self, spec: &Spec, now: Timestamp) -> Option<Timestamp> {
        let jobs = self.core.jobs.lock();
        let rests = spec.jobs.iter().filter_map(|job| {
            let moving = &jobs.get(&job.name)?.moving;
            moving.rests_until(job.archive.as_ref()?, now)
        });
        rests.min()
    }

    pub(super) fn spawn_move(&self, record: BackupRecord, tier: TierName, turn: Turn) {
        let service = self.clone();
        self.core.tasks.spawn(async move {
            service.archive(record, &tier).await;
            drop(turn);
        });
    }

    /// Moves a backup that has the age for it.
    pub(super) async fn archive(&self, record: BackupRecord, tier: &TierName) {
        let (job, id) = (record.job.clone(), record.id.clone());
        let moved = self.move_record(record.clone(), tier, None).await;
        let Err(error) = moved else {
            self.job_state(&job, |state| state.moving.succeeded(&id));
            return;
        };
        tracing::warn!(%job, backup = %id, %tier, %error, "a backup is not in the tier for its age; it is tried again after a wait");
        let now = self.now();
        // Damage is told as such, and an end of the daemon is nothing to tell.
        let is_of_tier = matches!(
            error,
            BackupError::Store(
                BackupStoreError::Unavailable(_)
                    | BackupStoreError::NoRoom(_)
                    | BackupStoreError::InDoubt(_)
            )
        );
        let tells = self.job_state(&job, |state| {
            state.moving.failed(id.clone(), now);
            is_of_tier && !mem::replace(&mut state.moving.is_told, true)
        });
        if tells {
            let message = format!(
                "backup {id} of job {job} is in the tier {}, and was not moved to the tier {tier}: {error}",
                record.tier
            );
            let event = self.event(EventKind::BackupFellOver, Severity::High, message);
            let data = BackupFellOver {
                tier: tier.clone(),
                moving: true,
            };
            self.record_done(event.with_backup(&job, &id).with_data(data))
                .await;
        }
    }
}
