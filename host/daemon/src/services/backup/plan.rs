//! Which backups a restore is composed from, and whether it may go where it is asked to.

use super::{BackupError, BackupService, words};
use crate::ports::{RestoreRequest, RestoreRules};
use mainstay_domain::{
    backup::{BackupRecord, BackupType},
    backup_chain::{newest_verified, newest_verified_of, plan_restore, skipped, verified},
    code::ErrorCode,
    id::BackupId,
    name::JobName,
    time::Timestamp,
};

/// What is restored.
pub(super) struct Plan {
    /// The full one first.
    pub(super) chain: Vec<BackupRecord>,
    /// What is newer and corrupted, where the newest was asked for.
    pub(super) skipped: Vec<BackupRecord>,
}

pub(super) fn ids(plan: &[BackupRecord]) -> Vec<BackupId> {
    plan.iter().map(|record| record.id.clone()).collect()
}

/// Whether what is asked for says what becomes of what is there.
pub(super) fn check_place(request: &RestoreRequest) -> Result<(), BackupError> {
    let RestoreRequest {
        job,
        rules: RestoreRules { only, merge, .. },
        into,
        replace,
        ..
    } = request;
    let why = match (merge, replace) {
        (true, true) => {
            "--merge keeps what is there, and --replace removes it; say one of the two".to_owned()
        }
        (false, false) if into.is_none() => format!(
            "a restore in place replaces what the sources of job {job} hold now; say --replace, or --merge to keep what the backup does not have, or restore --into a new directory"
        ),
        (false, true) if into.is_none() && !only.is_everything() => format!(
            "a part of a backup cannot replace all that the sources of job {job} hold; say --merge, or restore it --into a new directory"
        ),
        _ => return Ok(()),
    };
    Err(BackupError::Refused(ErrorCode::RestoreRefused.mark(why)))
}

/// Whether what is to be restored may replace all that is there.
pub(super) fn check_whole(job: &JobName, newest: Option<&BackupRecord>) -> Result<(), BackupError> {
    match newest.filter(|backup| backup.selection) {
        None => Ok(()),
        Some(backup) => Err(BackupError::Refused(ErrorCode::RestoreRefused.mark(format!(
            "backup {} holds a selection alone, by `include`, and cannot replace all that the sources of job {job} hold; say --merge, or restore it --into a new directory",
            backup.id
        )))),
    }
}

/// When the oldest of these was taken that a time may name.
fn oldest(records: &[BackupRecord]) -> Option<Timestamp> {
    let verified = verified(records);
    let named = records
        .iter()
        .filter(|record| verified.contains(&record.id))
        .filter(|record| record.backup_type != BackupType::Emergency);
    named.map(|record| record.created_at).min()
}

impl BackupService {
    /// The chain of a backup of a job, or of its newest verified one, of a type where one is given, by then where a time is, and
    /// in that case what is newer and corrupted.
    pub(super) fn plan(
        &self,
        job: &JobName,
        id: Option<BackupId>,
        (of_type, at): (Option<BackupType>, Option<Timestamp>),
    ) -> Result<Plan, BackupError> {
        let records = self.core.catalog.lock().of(Some(job));
        if let Some(id) = id {
            let chain = plan_restore(&records, &id)?;
            let skipped = Vec::new();
            return Ok(Plan { chain, skipped });
        }
        let now = self.now();
        let newest = match of_type {
            None => newest_verified(&records, job, at, now),
            Some(of_type) => newest_verified_of(&records, job, (of_type, at), now),
        };
        let Some(newest) = newest.cloned() else {
            // One that is mistyped has none either.
            self.job(job)?;
            if let Some(of_type) = of_type {
                return Err(BackupError::Refused(words::none_of(job, of_type, at)));
            }
            return Err(BackupError::Refused(words::none_by(
                job,
                at,
                oldest(&records),
            )));
        };
        let chain = plan_restore(&records, &newest.id)?;
        let mut skipped = skipped(records, &newest, now);
        skipped.retain(|record| at.is_none_or(|at| record.created_at <= at));
        skipped.retain(|record| of_type.is_none_or(|of_type| record.backup_type == of_type));
        Ok(Plan { chain, skipped })
    }
}
