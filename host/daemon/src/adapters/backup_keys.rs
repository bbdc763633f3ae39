//! Which keys the config names for backups, as it is now.

use crate::ports::BackupKeys;
use mainstay_domain::{name::JobName, spec::Spec};
use std::{path::PathBuf, sync::Arc};
use tokio::sync::watch;

/// The keys of the config.
pub(crate) struct ConfiguredKeys {
    spec: watch::Receiver<Arc<Spec>>,
}

impl ConfiguredKeys {
    /// Those that each config names that is current.
    pub(crate) fn new(spec: watch::Receiver<Arc<Spec>>) -> Self {
        Self { spec }
    }
}

impl BackupKeys for ConfiguredKeys {
    fn identity(&self, job: &JobName) -> Option<PathBuf> {
        let spec = self.spec.borrow();
        let job = spec.jobs.iter().find(|found| found.name == *job)?;
        job.sealing.identity.clone()
    }

    fn trusted(&self) -> Vec<String> {
        self.spec.borrow().host.trusted_backup_keys.clone()
    }
}
