//! The key by which this host signs the manifests of its backups: `STATE_DIR/backup-signing.key`, made at first use.
//!
//! The key is not in the directory of the backups: who can write there, or a tier elsewhere, can make no manifest that counts.
//!
//! Invariant: a manifest that was signed by a key that is not trusted, or is not what was signed, does not count.
//! Invariant: one of format 1, which nobody signed, counts only where it is known and lay there as it is when the key was made: else
//! whoever can write beside the archives would only have to leave the signature out.

use super::{
    error::unavailable,
    files::{create_private_dir, remove_file, write_create_only},
    regular::open_regular,
    unsigned::{self, Meant},
};
use crate::port::{BackupStoreError, UNSIGNED};
use mainstay_domain::{
    archive::{ContentHash, Manifest, ManifestSignature},
    hex::{decode, encode},
    time::Timestamp,
};
use parking_lot::Mutex;
use ring::{
    rand::{SecureRandom, SystemRandom},
    signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashSet,
    io::{ErrorKind, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

const NAME: &str = "backup-signing.key";

/// The version of the file.
const FORMAT: u32 = 1;

/// The longest file that is read.
const MAX_FILE: u64 = 4096;

#[derive(Serialize, Deserialize)]
struct KeyFile {
    format: u32,
    /// What the key is made of: 64 hexadecimal digits.
    seed: String,
    /// In a key of a version that noted nothing of what lay there: when it was made, by the clock of then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
}

struct Loaded {
    pair: Ed25519KeyPair,
    public: String,
    /// The manifests that nobody signed and that lay there when it was made, or why that cannot be told: those that are
    /// signed do not wait for it.
    before: Result<HashSet<ContentHash>, BackupStoreError>,
}

/// The host's key. Clones share what was read.
#[derive(Clone)]
pub(super) struct HostKey {
    state_dir: PathBuf,
    /// Where the tier `local` is.
    backups: PathBuf,
    path: PathBuf,
    loaded: Arc<Mutex<Option<Arc<Loaded>>>>,
}

impl HostKey {
    pub(super) fn new(state_dir: &Path, backups: &Path) -> Self {
        Self {
            state_dir: state_dir.to_owned(),
            backups: backups.to_owned(),
            path: state_dir.join(NAME),
            loaded: Arc::default(),
        }
    }

    /// The same key beside backups that are in another place.
    pub(super) fn beside(self, backups: &Path) -> Self {
        Self {
            backups: backups.to_owned(),
            ..self
        }
    }

    /// The public part: 64 hexadecimal digits.
    pub(super) fn public(&self) -> Result<String, BackupStoreError> {
        self.get().map(|key| key.public.clone())
    }

    /// Stands for a manifest.
    pub(super) fn sign(&self, manifest: Manifest) -> Result<Manifest, BackupStoreError> {
        let key = self.get()?;
        let bytes = manifest
            .signed_bytes()
            .map_err(|error| BackupStoreError::Unavailable(error.to_string()))?;
        let signature = ManifestSignature {
            key: key.public.clone(),
            value: encode(key.pair.sign(&bytes)),
        };
        Ok(Manifest {
            signature: Some(signature),
            ..manifest
        })
    }

    /// Whether a manifest counts, with the keys of others that are trusted: [`BackupStoreError::Untrusted`] where it is not
    /// known to be of this host or of one that is trusted, and [`BackupStoreError::Corrupted`] where it is not what was signed.
    pub(super) fn judge(
        &self,
        manifest: &Manifest,
        trusted: &[String],
        is_known: bool,
    ) -> Result<(), BackupStoreError> {
        let key = self.get()?;
        let id = manifest.id.clone();
        let Some(signature) = &manifest.signature else {
            let is_of_before = || {
                let before = key.before.as_ref().map_err(BackupStoreError::clone)?;
                Ok::<_, BackupStoreError>(manifest.hash().is_ok_and(|hash| before.contains(&hash)))
            };
            let is_trusted = trusted.iter().any(|key| key == UNSIGNED);
            return match is_trusted || (is_known && is_of_before()?) {
                true => Ok(()),
                false => Err(BackupStoreError::Untrusted {
                    id,
                    what: format!(
                        "its manifest is signed by nobody; where it is of a version before signatures and you know where it \
                         comes from, add {UNSIGNED:?} to `trusted_backup_keys` of [host]"
                    ),
                }),
            };
        };
        let is_right = || {
            let public = decode(&signature.key)?;
            let value = decode(&signature.value)?;
            let bytes = manifest.signed_bytes().ok()?;
            let public = UnparsedPublicKey::new(&ED25519, public);
            public.verify(&bytes, &value).ok()
        };
        if is_right().is_none() {
            let what =
                "its manifest is not what its signature says; it was changed after it was written"
                    .to_owned();
            return Err(BackupStoreError::Corrupted { id, what });
        }
        match signature.key == key.public || trusted.contains(&signature.key) {
            true => Ok(()),
            false => Err(BackupStoreError::Untrusted {
                id,
                what: format!(
                    "its manifest is signed by the key {:?}, which is not this host's; where that is a host of yours, or this \
                     one's before its key was lost, add it to `trusted_backup_keys` of [host]",
                    signature.key
                ),
            }),
        }
    }

    fn get(&self) -> Result<Arc<Loaded>, BackupStoreError> {
        let mut loaded = self.loaded.lock();
        if let Some(loaded) = &*loaded {
            return Ok(Arc::clone(loaded));
        }
        let file = self.read()?;
        let meant = Meant::older_than(file.as_ref().and_then(|file| file.since));
        let again = meant.before_key(&self.path);
        let noted = unsigned::noted(&self.state_dir, &self.backups, again);
        let before = match (&file, noted) {
            (_, Ok(Some(noted))) => Ok(noted),
            (Some(file), Ok(None)) if file.since.is_none() => Ok(HashSet::new()),
            (_, Ok(None)) => Ok(unsigned::note(&self.state_dir, &self.backups, meant)?),
            (Some(_), Err(why)) => Err(why),
            // What is signed by a key that is made now must not be older than what is noted.
            (None, Err(why)) => return Err(why),
        };
        // Only when that is durable: what comes from here on is signed.
        let file = match file {
            Some(file) => file,
            None => self.make()?,
        };
        let pair = decode(&file.seed)
            .and_then(|seed| Ed25519KeyPair::from_seed_unchecked(&seed).ok())
            .filter(|_| file.format == FORMAT);
        let Some(pair) = pair else {
            return Err(self.refused("it is no key of this version"));
        };
        let public = encode(pair.public_key());
        let key = Arc::new(Loaded {
            pair,
            public,
            before,
        });
        // What cannot be told is asked again the next time.
        if key.before.is_ok() {
            *loaded = Some(Arc::clone(&key));
        }
        Ok(key)
    }

    fn refused(&self, why: &str) -> BackupStoreError {
        BackupStoreError::Unavailable(format!(
            "cannot use {}, by which backups are signed: {why}; put it back from where it was, or move it away and add its \
             public part to `trusted_backup_keys` of [host], and a new one is made",
            self.path.display()
        ))
    }

    fn read(&self) -> Result<Option<KeyFile>, BackupStoreError> {
        let file = match open_regular(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file.map_err(unavailable("cannot read", &self.path))?,
        };
        let metadata = file
            .metadata()
            .map_err(unavailable("cannot read", &self.path))?;
        if metadata.mode() & 0o077 != 0 {
            return Err(self.refused("others can read it; chmod 600 it where nobody has"));
        }
        let mut bytes = Vec::new();
        file.take(MAX_FILE)
            .read_to_end(&mut bytes)
            .map_err(unavailable("cannot read", &self.path))?;
        match serde_json::from_slice(&bytes) {
            Ok(file) => Ok(Some(file)),
            // The error could show what it is made of.
            Err(_) => Err(self.refused("it is damaged")),
        }
    }

    fn make(&self) -> Result<KeyFile, BackupStoreError> {
        let mut seed = [0; 32];
        SystemRandom::new().fill(&mut seed).map_err(|_| {
            BackupStoreError::Unavailable(
                "cannot make a key to sign backups with: the system gives no random numbers"
                    .to_owned(),
            )
        })?;
        let file = KeyFile {
            format: FORMAT,
            seed: encode(seed),
            since: None,
        };
        let mut bytes = serde_json::to_vec(&file)
            .map_err(|error| BackupStoreError::Unavailable(error.to_string()))?;
        bytes.push(b'\n');
        store(&self.path, &bytes)?;
        Ok(file)
    }
}

/// Writes the file: there whole and durable, or not at all, and never over another.
fn store(path: &Path, bytes: &[u8]) -> Result<(), BackupStoreError> {
    create_private_dir(path.parent().unwrap_or(Path::new("/")))?;
    // A crash may have left it half written.
    remove_file(&path.with_extension("key.partial"))?;
    write_create_only(path, bytes)
}
