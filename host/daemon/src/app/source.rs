//! The config files as the reload service sees them.

use crate::{
    adapters::{limits, secrets::ConfiguredSecrets},
    config,
    ports::{Boxed, ConfigError, ConfigSource},
};
use mainstay_domain::spec::Spec;
use std::{path::PathBuf, sync::Arc};

/// One config file, what lies beside it, and the secrets that it names.
pub struct FileConfig {
    path: PathBuf,
    secrets: Arc<ConfiguredSecrets>,
}

impl FileConfig {
    /// Reads this file.
    pub fn new(path: PathBuf, secrets: Arc<ConfiguredSecrets>) -> Self {
        Self { path, secrets }
    }

    async fn read(&self) -> Result<config::Loaded, config::ConfigErrors> {
        let path = self.path.clone();
        let reading = tokio::task::spawn_blocking(move || config::load(&path));
        match reading.await {
            Ok(loaded) => loaded,
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        }
    }
}

impl ConfigSource for FileConfig {
    fn load(&self) -> Boxed<'_, Result<Spec, ConfigError>> {
        Box::pin(async {
            let loaded = self
                .read()
                .await
                .map_err(|errors| ConfigError::Invalid(config::render(&errors.problems, false)))?;
            for warning in &loaded.warnings {
                tracing::warn!("{}", warning.message);
            }
            Ok(loaded.spec)
        })
    }

    fn prepare(&self, spec: &Spec) -> Result<(), ConfigError> {
        let prepared = self.secrets.prepare(&spec.secrets);
        prepared.map_err(ConfigError::Secrets)
    }

    fn adopt(&self) {
        self.secrets.adopt();
    }

    fn abandon(&self) {
        self.secrets.abandon();
    }

    fn digest(&self) -> Boxed<'_, Option<String>> {
        Box::pin(async {
            let path = self.path.clone();
            tokio::task::spawn_blocking(move || config::digest(&path))
                .await
                .ok()
                .flatten()
        })
    }

    fn lack(&self) -> Option<String> {
        limits::lack().map(|lack| lack.to_string())
    }
}
