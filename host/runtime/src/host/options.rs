//! How a host is started, and why it does not start or refuses other settings.

use super::Specs;
use crate::{
    compiler::{Compiler, InProcess},
    engine::EngineError,
    error::LoadError,
    loader::Candidate,
    quarantine::QuarantinePolicy,
};
use mainstay_domain::{plugin::PluginIdentity, plugin_file::FileRest, spec::PluginSpec};
use std::{io, path::PathBuf, sync::Arc, time::Duration};

/// How a host is started.
pub struct HostOptions {
    /// Where plugins are dropped; made where it is not there.
    pub plugin_dir: PathBuf,
    /// Where accepted components and compiled code are kept; none keeps nothing.
    pub state_dir: Option<PathBuf>,
    /// Grants, limits and settings.
    pub specs: Specs,
    /// When a failing plugin rests.
    pub quarantine: QuarantinePolicy,
    /// Compiles plugins; in this process by default, which the start and every change of the directory then wait for.
    pub compiler: Arc<dyn Compiler>,
    /// How often the directory is looked at without being told; default 3 s.
    pub rescan: Duration,
    /// For how long files must rest before they are read and judged; default 250 ms, 10 s where a file may be the
    /// beginning of more, and 10 minutes where it never rests.
    pub rest: FileRest,
}

impl HostOptions {
    /// The defaults for a directory.
    pub fn new(plugin_dir: impl Into<PathBuf>) -> Self {
        Self {
            plugin_dir: plugin_dir.into(),
            state_dir: None,
            specs: Specs::new(),
            quarantine: QuarantinePolicy::default(),
            compiler: Arc::new(InProcess),
            rescan: Duration::from_secs(3),
            rest: FileRest {
                settling: Duration::from_millis(250),
                patience: Duration::from_secs(10),
                limit: Duration::from_secs(600),
            },
        }
    }
}

/// Why a host does not start.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// No engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A directory cannot be made or opened.
    #[error("cannot open {path}")]
    Directory {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Why new settings were not applied; what served before still serves, under the settings of before.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the settings of {} not accepted: {}", count(.refusals.len()), list(.refusals))]
pub struct ApplyError {
    /// Each plugin that refuses its settings, with the reason.
    pub refusals: Vec<(Arc<PluginIdentity>, LoadError)>,
}

fn count(refusals: usize) -> String {
    match refusals {
        1 => "one plugin are".to_owned(),
        several => format!("{several} plugins are"),
    }
}

fn list(refusals: &[(Arc<PluginIdentity>, LoadError)]) -> String {
    let reasons: Vec<String> = refusals
        .iter()
        .map(|(_, reason)| reason.to_string())
        .collect();
    reasons.join("; ")
}

/// What the operator says of a plugin.
pub(super) fn spec_of(specs: &Specs, candidate: &Candidate) -> PluginSpec {
    specs
        .get(&candidate.identity().name)
        .cloned()
        .unwrap_or_default()
}
