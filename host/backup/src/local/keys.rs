//! Which keys a store works with: what opens its archives, and whose manifests count.

use super::{seal::Opening, signature::HostKey};
use crate::{
    age_keys::{is_among, read_identities, read_recipients},
    port::{BackupKeys, BackupStoreError, GivenIdentities},
};
use mainstay_domain::{
    archive::{Encryption, Manifest},
    id::BackupId,
    name::JobName,
    spec::SealingSpec,
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// Nothing is configured.
struct NoKeys;

impl BackupKeys for NoKeys {
    fn identity(&self, _: &JobName) -> Option<PathBuf> {
        None
    }

    fn trusted(&self) -> Vec<String> {
        Vec::new()
    }
}

/// The keys of a store.
#[derive(Clone)]
pub(super) struct Keys {
    configured: Arc<dyn BackupKeys>,
    given: Option<GivenIdentities>,
    host: HostKey,
}

impl Keys {
    pub(super) fn new(state_dir: &Path, backups: &Path) -> Self {
        Self {
            configured: Arc::new(NoKeys),
            given: None,
            host: HostKey::new(state_dir, backups),
        }
    }

    /// The same for backups that are in another place.
    pub(super) fn beside(self, backups: &Path) -> Self {
        Self {
            host: self.host.beside(backups),
            ..self
        }
    }

    /// The same, as the config says.
    pub(super) fn configured(self, configured: Arc<dyn BackupKeys>) -> Self {
        Self { configured, ..self }
    }

    /// The same, with what is given for one piece of work.
    pub(super) fn given(self, given: GivenIdentities) -> Self {
        Self {
            given: Some(given),
            ..self
        }
    }

    /// The key by which this host signs.
    pub(super) fn host(&self) -> &HostKey {
        &self.host
    }

    /// Whether the manifest of a backup that is known counts; why not is the error.
    pub(super) fn check(&self, manifest: &Manifest) -> Result<(), BackupStoreError> {
        self.host.judge(manifest, &self.configured.trusted(), true)
    }

    /// As [`Keys::check`], of one that nobody knows: without a signature it does not count.
    pub(super) fn check_unknown(&self, manifest: &Manifest) -> Result<(), BackupStoreError> {
        self.host.judge(manifest, &self.configured.trusted(), false)
    }

    /// What opens an archive of a job that is encrypted so; [`BackupStoreError::Locked`] where nothing here does.
    pub(super) fn opening(
        &self,
        job: &JobName,
        id: &BackupId,
        encryption: &Encryption,
    ) -> Result<Opening, BackupStoreError> {
        let Encryption::Age { recipients } = encryption else {
            return Ok(Opening::Plain);
        };
        let locked =
            |what: String| BackupStoreError::Locked(format!("backup {id} is encrypted: {what}"));
        if let Some(identities) = self.given.as_ref().and_then(|it| it.opening(recipients)) {
            return Ok(Opening::With(identities));
        }
        let Some(path) = self.configured.identity(job) else {
            let given = match &self.given {
                Some(_) => "no identity that was given is that of one of its recipients; ",
                None => "",
            };
            return Err(locked(format!(
                "{given}to read it here, give the identity of one of {} with --identity FILE, or write identity = {{ file = \"…\" }} \
                 to job {job}; or restore it where that key is, with age, zstd and jq",
                recipients.join(", ")
            )));
        };
        let identities = read_identities(&path).map_err(locked)?;
        match is_among(&identities, recipients) {
            true => Ok(Opening::With(identities)),
            false => Err(locked(format!(
                "no identity of {} is that of one of its recipients, {}; name the file of one that is",
                path.display(),
                recipients.join(", ")
            ))),
        }
    }
}

/// How a backup is encrypted that is taken now: to the recipients of the config and of the file that it names.
pub(super) fn encryption_of(sealing: &SealingSpec) -> Result<Encryption, BackupStoreError> {
    let (Encryption::Age { recipients }, Some(file)) =
        (&sealing.encryption, &sealing.recipients_file)
    else {
        return Ok(sealing.encryption.clone());
    };
    let mut recipients = recipients.clone();
    for recipient in read_recipients(file).map_err(BackupStoreError::Source)? {
        if !recipients.contains(&recipient) {
            recipients.push(recipient);
        }
    }
    Ok(Encryption::Age { recipients })
}
