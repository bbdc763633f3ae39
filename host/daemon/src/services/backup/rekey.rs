//! Encrypts what is stored of a job to its present recipients.
//!
//! Invariant: whoever calls has the job's turn.
//! Invariant: nothing that is encrypted is stored in plain, in whichever tier it lies.
//! Invariant: what stays encrypted as it was is named, and then a full backup to the present recipients is taken.

use super::{BackupError, BackupService, create::Wanted};
use crate::ports::{BackupStore, OnProgress, Rekeyed, RekeyedBackups};
use mainstay_domain::{
    archive::Encryption,
    backup::{BackupRecord, BackupType},
    event::EventKind,
    id::BackupId,
    name::JobName,
    record::Change,
    severity::Severity,
    text::counted,
};
use std::collections::BTreeMap;

impl BackupService {
    /// All that was built on one full backup changes at once, one after the other; a dry run changes nothing.
    pub(super) async fn rekey_now(
        self,
        job: JobName,
        dry_run: bool,
        progress: OnProgress,
    ) -> Result<Rekeyed, BackupError> {
        let spec = self.job(&job)?;
        if spec.sealing.encryption == Encryption::None {
            return Err(BackupError::Refused(format!(
                "the backups of job {job} are encrypted to nobody, so there is nobody to encrypt them to; name recipients in \
                 `encryption` of the job; what was encrypted before is opened as it was"
            )));
        }
        let mut all = Rekeyed::default();
        for ids in self.by_full(&job) {
            let (of_job, sealing, progress) = (job.clone(), spec.sealing.clone(), progress.clone());
            let rekey = move |store: &dyn BackupStore| {
                store.rekey(&of_job, &ids, &sealing, dry_run, &progress)
            };
            let rekeyed = self.with_store(rekey).await?;
            let RekeyedBackups { sealed, left } = rekeyed;
            all.left.extend(left);
            let known = |id: &BackupId| self.core.catalog.lock().get(id);
            let records = sealed.iter().filter_map(|manifest| {
                Some(BackupRecord {
                    stored_bytes: manifest.stored_bytes,
                    origin: Some(manifest.origin()),
                    ..known(&manifest.id)?
                })
            });
            let records: Vec<BackupRecord> = records.collect();
            if !dry_run && !records.is_empty() {
                let message = format!(
                    "{} of job {job} can be opened by its present recipients, and by nobody else",
                    counted(records.len(), "backup")
                );
                let event = self.event(EventKind::BackupRecorded, Severity::Low, message);
                let told = vec![Change::Event(event.with_job(&job))];
                self.commit(records.clone(), told).await?;
            }
            all.sealed.extend(records);
        }
        if !dry_run && !all.left.is_empty() {
            let wanted = Wanted::of(BackupType::Full, spec.reading.on_unreadable.into());
            all.taken = Some(self.take(&spec, wanted, progress).await?);
        }
        Ok(all)
    }

    /// What is stored of a job, each with all that was built on the same full backup.
    fn by_full(&self, job: &JobName) -> Vec<Vec<BackupId>> {
        let mut groups: BTreeMap<BackupId, Vec<BackupId>> = BTreeMap::new();
        let records = self.core.catalog.lock().of(Some(job));
        for record in records {
            if record.status.is_stored() {
                groups.entry(record.base).or_default().push(record.id);
            }
        }
        groups.into_values().collect()
    }
}
