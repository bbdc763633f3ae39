//! Other settings: judged by every plugin that the operator names, then put in force.
//!
//! Invariant: all or none. What the operator names and no version takes is refused, whether it serves now or was refused
//! before; so a check of the same files and settings beforehand says the same.
//! Invariant: what nobody names, or another version serves in place of, keeps no settings from being put in force.

use super::{
    ApplyError, Specs, build::Refusal, diff::PluginDiff, options::spec_of, reload::Reloader,
};
use crate::{
    error::LoadError,
    loader::{Candidate, Loader},
};
use mainstay_domain::{name::PluginName, plugin::PluginIdentity, plugin_file::FileFlaw};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

impl Reloader {
    /// Builds every plugin whose settings change, and publishes all or none.
    pub(super) async fn apply(&mut self, specs: Specs) -> Result<(), ApplyError> {
        let current = self.shared.current();
        let desired = self.desired(&specs);
        let mut refused: Vec<(Arc<PluginIdentity>, LoadError)> = Vec::new();
        for digest in PluginDiff::between(&current, &desired).change {
            let Some(candidate) = self.accepted(&digest) else {
                continue;
            };
            match self
                .loader
                .configure(&candidate, &spec_of(&specs, &candidate))
                .await
            {
                Ok(plugin) => drop(self.staged.insert(digest, plugin)),
                Err(reason) => refused.push((candidate.identity().clone(), reason)),
            }
        }
        let accepted = self.files.values();
        let accepted = accepted.filter_map(|file| file.accepted.as_ref());
        let taking: BTreeSet<PluginName> = accepted
            .map(Candidate::identity)
            .filter(|plugin| !refused.iter().any(|(refusing, _)| refusing == *plugin))
            .map(|plugin| plugin.name.clone())
            .collect();
        let is_missed = |name: &PluginName| specs.contains_key(name) && !taking.contains(name);
        let (mut refusals, idle): (Vec<_>, Vec<_>) = refused
            .into_iter()
            .partition(|(plugin, _)| is_missed(&plugin.name));
        let waiting = self.files.iter().filter_map(|(path, file)| {
            let waiting = file.waiting.as_ref()?;
            let (plugin, known) = (waiting.plugin.clone()?, waiting.settings.clone()?);
            Some((path.clone(), plugin, known))
        });
        let waiting: Vec<(PathBuf, Arc<PluginIdentity>, LoadError)> = waiting.collect();
        for (path, plugin, known) in waiting {
            if !is_missed(&plugin.name) {
                continue;
            }
            let is_as_before = specs.get(&plugin.name) == self.specs.get(&plugin.name);
            let reason = match is_as_before {
                true => Some(known),
                false => refusal_of(&self.loader, &path, &specs).await,
            };
            refusals.extend(reason.map(|reason| (plugin, reason)));
        }
        if !refusals.is_empty() {
            self.staged.clear();
            return Err(ApplyError { refusals });
        }
        // By these it is told what is in use.
        self.specs = specs;
        for (plugin, reason) in idle {
            self.withdraw(&plugin, &reason);
        }
        // What was refused may be acceptable under the new settings.
        self.recheck_waiting();
        self.look().await;
        Ok(())
    }

    /// What does not take its settings serves no more: it would go on under grants that were taken back.
    fn withdraw(&mut self, plugin: &Arc<PluginIdentity>, reason: &LoadError) {
        let files = self.files.iter().filter(|(_, file)| {
            let accepted = file.accepted.as_ref();
            accepted.is_some_and(|candidate| candidate.identity() == plugin)
        });
        let paths: Vec<PathBuf> = files.map(|(path, _)| path.clone()).collect();
        for path in paths {
            if let Some(file) = self.files.get_mut(&path) {
                file.accepted = None;
            }
            let refusal = Refusal {
                plugin: Some(plugin.clone()),
                digest: plugin.digest.clone(),
                reason: reason.clone(),
                flaw: FileFlaw::Content,
            };
            self.refuse(&path, refusal);
        }
    }
}

/// Why what lies in a file now does not take the settings; none where it does, or is no plugin any more.
async fn refusal_of(loader: &Loader, path: &Path, specs: &Specs) -> Option<LoadError> {
    let candidate = loader.load_file(path).await.ok()?;
    let spec = spec_of(specs, &candidate);
    loader.configure(&candidate, &spec).await.err()
}
