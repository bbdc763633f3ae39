//! From a file of the directory to a plugin that is ready to be published, or the reason why not.
//!
//! Invariant: a build is stored before it is staged, so that whatever serves can be read back by its digest.

use super::{options::spec_of, reload::Reloader};
use crate::{component_file, error::LoadError, loader::Candidate};
use mainstay_domain::plugin::PluginIdentity;
use std::{io, path::Path, sync::Arc};

impl Reloader {
    /// Reads, loads, configures and stores what a file holds. What comes out is staged, unless it serves already.
    pub(super) async fn build(&mut self, path: &Path) -> Result<Candidate, Refusal> {
        let read = component_file::read(path).await.map_err(|reason| Refusal {
            plugin: None,
            digest: String::new(),
            reason,
        })?;
        let bytes: Arc<[u8]> = read.into();
        let digest = blake3::hash(&bytes).to_hex().to_string();
        if let Some(candidate) = self.accepted(&digest) {
            return Ok(candidate);
        }
        let refused = |plugin: Option<&Candidate>, reason: LoadError| Refusal {
            plugin: plugin.map(|candidate| candidate.identity().clone()),
            digest: digest.clone(),
            reason,
        };
        let candidate = self
            .loader
            .load(bytes.clone())
            .await
            .map_err(|reason| refused(None, reason))?;
        if let Some(there) = self.same_version(&candidate) {
            let identity = PluginIdentity::clone(candidate.identity());
            return Err(refused(
                Some(&candidate),
                LoadError::SameVersion { identity, there },
            ));
        }
        let spec = spec_of(&self.specs, &candidate);
        let configured = self.loader.configure(&candidate, &spec).await;
        let plugin = configured.map_err(|reason| refused(Some(&candidate), reason))?;
        if let Some(store) = self.store.clone() {
            let kept = tokio::task::spawn_blocking(move || store.keep(&bytes))
                .await
                .map_err(io::Error::other);
            kept.flatten().map_err(|error| {
                let reason =
                    LoadError::Host(format!("cannot keep it in the plugin store: {error}"));
                refused(Some(&candidate), reason)
            })?;
        }
        self.staged.insert(digest, plugin);
        Ok(candidate)
    }

    /// The digest of another build that goes by the same name and version.
    fn same_version(&self, candidate: &Candidate) -> Option<String> {
        let ours = candidate.identity();
        let accepted = self
            .files
            .values()
            .filter_map(|file| file.accepted.as_ref());
        let mut others = accepted
            .map(Candidate::identity)
            .filter(|there| there.digest != ours.digest);
        let same = others.find(|there| there.name == ours.name && there.version == ours.version)?;
        Some(same.digest.clone())
    }

    /// What is built of these bytes already.
    pub(super) fn accepted(&self, digest: &str) -> Option<Candidate> {
        let held = self
            .files
            .values()
            .filter_map(|file| file.accepted.as_ref());
        held.chain(&self.removed)
            .find(|candidate| candidate.identity().digest == digest)
            .cloned()
    }
}

/// Why a file was refused, and how far it came.
pub(super) struct Refusal {
    pub(super) plugin: Option<Arc<PluginIdentity>>,
    pub(super) digest: String,
    pub(super) reason: LoadError,
}
