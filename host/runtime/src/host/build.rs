//! From a file of the directory to a plugin that is ready to be published, or the reason why not.
//!
//! Invariant: a build is stored and pinned before it is staged, so that whatever serves can be read back by its digest,
//! and is what it was.

use super::{Specs, kept::Kept, options::spec_of, reload::Reloader};
use crate::{component_file, contract::ContractError, error::LoadError, loader::Candidate};
use mainstay_domain::{plugin::PluginIdentity, plugin_file::FileFlaw};
use std::{io, path::Path, sync::Arc};

impl Reloader {
    /// Reads, loads, configures and stores what a file holds. What comes out is staged, unless it serves already. Nothing
    /// comes out yet where it is compiled first.
    pub(super) async fn build(&mut self, path: &Path) -> Result<Option<Candidate>, Refusal> {
        // Until it is seen to hold that still.
        if let Some(file) = self.files.get_mut(path) {
            file.compiling = None;
        }
        let read = component_file::read(path).await.map_err(|reason| Refusal {
            plugin: None,
            digest: String::new(),
            reason,
            flaw: FileFlaw::Content,
        })?;
        let bytes: Arc<[u8]> = read.into();
        let digest = blake3::hash(&bytes).to_hex().to_string();
        if let Some(candidate) = self.accepted(&digest) {
            return Ok(Some(candidate));
        }
        let read = bytes.clone();
        let refused = |plugin: Option<&Candidate>, reason: LoadError| Refusal {
            plugin: plugin.map(|candidate| candidate.identity().clone()),
            digest: digest.clone(),
            flaw: flaw(&reason, &read),
            reason,
        };
        let loaded = self.load(&digest, &bytes).await;
        if let Some(file) = self.files.get_mut(path) {
            file.compiling = matches!(loaded, Ok(None)).then(|| digest.clone());
        }
        let loaded = loaded.map_err(|reason| refused(None, reason))?;
        let Some(candidate) = loaded else {
            return Ok(None);
        };
        self.check_identity(path, &candidate)
            .map_err(|reason| refused(Some(&candidate), reason))?;
        let spec = spec_of(&self.specs, &candidate);
        let configured = self.loader.configure(&candidate, &spec).await;
        let plugin = configured.map_err(|reason| refused(Some(&candidate), reason))?;
        if let Some(kept) = self.kept.clone() {
            let pinned = candidate.clone();
            let keep = move || {
                kept.store.keep(&bytes)?;
                kept.pins.lock().pin(&pinned)
            };
            let kept = tokio::task::spawn_blocking(keep)
                .await
                .map_err(io::Error::other);
            kept.flatten().map_err(|error| {
                let reason =
                    LoadError::Host(format!("cannot keep it in the plugin store: {error}"));
                refused(Some(&candidate), reason)
            })?;
        }
        self.staged.insert(digest, plugin);
        Ok(Some(candidate))
    }

    /// Loads these bytes; beside everything else where they have to be compiled apart.
    async fn load(&self, digest: &str, bytes: &Arc<[u8]>) -> Result<Option<Candidate>, LoadError> {
        if let Some(loaded) = self.loads.take(digest) {
            return loaded.map(Some);
        }
        if self.loads.is_running(digest) {
            return Ok(None);
        }
        let looked_up = self.loader.look_up(bytes).await?;
        let (loader, bytes) = (self.loader.clone(), bytes.clone());
        let is_now = looked_up.is_compiled() || !loader.compiles_apart();
        let load = async move { loader.load_looked_up(bytes, looked_up).await };
        if is_now {
            return load.await.map(Some);
        }
        self.loads.begin(digest, load);
        Ok(None)
    }

    /// Has the files judged of which something was compiled.
    pub(super) async fn take_up_compiled(&mut self) {
        let mut restored = Vec::new();
        for (path, file) in &mut self.files {
            let is_done = |digest: &Option<String>| {
                digest
                    .as_deref()
                    .is_some_and(|digest| self.loads.is_done(digest))
            };
            if is_done(&file.compiling) {
                file.history.recheck();
            }
            if is_done(&file.restoring) {
                restored.push(path.clone());
            }
        }
        for path in restored {
            self.restore(&path).await;
        }
    }

    /// Ends the compiles that no file waits for any more.
    pub(super) fn forget_unwanted(&self) {
        let files = self.files.values();
        let wanted = files.flat_map(|file| {
            // What serves needs nothing of what the file held before.
            let restoring = file.restoring.as_deref();
            let restoring = restoring.filter(|_| file.accepted.is_none());
            [file.compiling.as_deref(), restoring]
        });
        self.loads.keep_only(&wanted.flatten().collect());
    }

    /// Refuses a build that is not what its bytes were, or goes by the name and version of another.
    pub(super) fn check_identity(
        &self,
        path: &Path,
        candidate: &Candidate,
    ) -> Result<(), LoadError> {
        let ours = candidate.identity();
        // What the file itself last held is in nobody's way, unless it is pinned.
        let is_in_the_way = |there: &Path| there != path || self.kept.is_none();
        let others = self.files.iter().filter(|(there, _)| is_in_the_way(there));
        let mut accepted = others.filter_map(|(_, file)| file.accepted.as_ref());
        let same = accepted.find(|there| {
            let there = there.identity();
            there.digest != ours.digest && there.name == ours.name && there.version == ours.version
        });
        if let Some(kept) = &self.kept {
            kept.pins.lock().check(candidate)?;
        }
        match same {
            None => Ok(()),
            Some(there) => Err(LoadError::SameVersion {
                identity: PluginIdentity::clone(ours),
                there: there.identity().digest.clone(),
                is_pinned: false,
            }),
        }
    }

    /// Serves what a file held before, where what it holds now does not serve and this host was started since.
    pub(super) async fn restore(&mut self, path: &Path) {
        let Some(kept) = self.kept.clone() else {
            return;
        };
        if self
            .files
            .get(path)
            .is_none_or(|file| file.accepted.is_some())
        {
            return;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let Some(digest) = kept.pins.lock().held_by(&name).cloned() else {
            return;
        };
        if self.loads.is_running(&digest) {
            return;
        }
        let restored = self.restored(path, &kept, &digest).await;
        let Some(file) = self.files.get_mut(path) else {
            return;
        };
        file.restoring = None;
        match restored {
            Ok(Some(candidate)) => {
                file.accepted = Some(candidate);
                self.restored.insert(digest);
            }
            Ok(None) => file.restoring = Some(digest),
            Err(error) => tracing::warn!(
                file = %path.display(), digest, %error,
                "what the file held before does not serve either"
            ),
        }
    }

    /// A build out of the store, staged.
    async fn restored(
        &mut self,
        path: &Path,
        kept: &Kept,
        digest: &str,
    ) -> Result<Option<Candidate>, LoadError> {
        if let Some(candidate) = self.accepted(digest) {
            return Ok(Some(candidate));
        }
        let bytes = kept.read(digest).await?;
        let Some(candidate) = self.load(digest, &bytes.into()).await? else {
            return Ok(None);
        };
        self.check_identity(path, &candidate)?;
        let spec = spec_of(&self.specs, &candidate);
        let plugin = self.loader.configure(&candidate, &spec).await?;
        self.staged.insert(digest.to_owned(), plugin);
        Ok(Some(candidate))
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
    pub(super) flaw: FileFlaw,
}

impl Refusal {
    /// That nothing names it, where it lacks settings: who put it there may want it later, so that is no fault.
    pub(super) fn unused(&self, specs: &Specs) -> Option<String> {
        let reason = &self.reason;
        let name = &self.plugin.as_ref()?.name;
        let is_of_settings = matches!(
            reason,
            LoadError::Settings { .. } | LoadError::SettingsSchema { .. }
        );
        (is_of_settings && !specs.contains_key(name)).then(|| {
            format!(
                "not in use: the config names no plugin {name}; to use it add [plugin.{name}] with the settings that it asks for: \
                 {reason}"
            )
        })
    }
}

/// Zeros at the end of a file for which its writer made room before it wrote.
const UNWRITTEN: usize = 64;

/// Whether these bytes may be the beginning of a component.
fn flaw(reason: &LoadError, bytes: &[u8]) -> FileFlaw {
    let is_cut = matches!(
        reason,
        LoadError::Contract(ContractError::Empty | ContractError::Truncated(_))
    );
    let is_of_bytes = matches!(
        reason,
        LoadError::Contract(_) | LoadError::Compile(_) | LoadError::Types(_)
    );
    let end = bytes.len().saturating_sub(UNWRITTEN);
    let is_unwritten = bytes
        .get(end..)
        .is_some_and(|end| end.iter().all(|byte| *byte == 0));
    match is_cut || (is_of_bytes && is_unwritten) {
        true => FileFlaw::Unfinished,
        false => FileFlaw::Content,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_or_not_written_yet_is_unfinished_and_nothing_else_is() {
        let cut = || LoadError::Contract(ContractError::Truncated("the end".to_owned()));
        let invalid = || LoadError::Contract(ContractError::Invalid("a section".to_owned()));
        let settings = || LoadError::Schema("no object".to_owned());
        let (zeros, words) = ([0u8; 80], [7u8; 80]);
        for (reason, bytes, expected) in [
            (cut(), &words, FileFlaw::Unfinished),
            (invalid(), &zeros, FileFlaw::Unfinished),
            (invalid(), &words, FileFlaw::Content),
            (settings(), &zeros, FileFlaw::Content),
        ] {
            assert_eq!(flaw(&reason, bytes), expected, "{reason}");
        }
        let empty = LoadError::Contract(ContractError::Empty);
        assert_eq!(flaw(&empty, &[]), FileFlaw::Unfinished);
    }
}
