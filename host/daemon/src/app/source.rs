//! The config files as the reload service sees them.

use crate::{
    adapters::{limits, secrets::ConfiguredSecrets, watcher::ConfigWatch},
    config,
    ports::{Boxed, ConfigError, ConfigSource},
};
use mainstay_domain::spec::Spec;
use parking_lot::Mutex;
use std::{path::PathBuf, sync::Arc, time::Duration};

/// A file system that takes longer does not answer.
const LONGEST_READ: Duration = Duration::from_secs(30);

/// One config file, what lies beside it, and the secrets that it names.
pub struct FileConfig {
    path: PathBuf,
    secrets: Arc<ConfiguredSecrets>,
    watch: Arc<Mutex<ConfigWatch>>,
}

impl FileConfig {
    /// Reads this file, which this watches.
    pub fn new(path: PathBuf, secrets: Arc<ConfiguredSecrets>, watch: ConfigWatch) -> Self {
        let watch = Arc::new(Mutex::new(watch));
        Self {
            path,
            secrets,
            watch,
        }
    }
}

/// Reads on a thread that may wait. The error says that a file system does not answer: the config before still applies, and
/// the next reload is another one.
async fn in_time<T: Send + 'static>(
    what: &str,
    read: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ConfigError> {
    match tokio::time::timeout(LONGEST_READ, tokio::task::spawn_blocking(read)).await {
        Ok(Ok(read)) => Ok(read),
        Ok(Err(panicked)) => std::panic::resume_unwind(panicked.into_panic()),
        Err(_) => Err(ConfigError::Invalid(format!(
            "{what} could not be read within {} s: a file system does not answer; reload once it does",
            LONGEST_READ.as_secs()
        ))),
    }
}

impl ConfigSource for FileConfig {
    fn load(&self) -> Boxed<'_, Result<Spec, ConfigError>> {
        Box::pin(async {
            let path = self.path.clone();
            let loaded = in_time("the config", move || config::load(&path)).await?;
            let loaded = loaded
                .map_err(|errors| ConfigError::Invalid(config::render(&errors.problems, false)))?;
            for warning in &loaded.warnings {
                tracing::warn!("{}", warning.message);
            }
            Ok(loaded.spec)
        })
    }

    fn prepare<'a>(&'a self, spec: &'a Spec) -> Boxed<'a, Result<(), ConfigError>> {
        Box::pin(async move {
            let sources = spec.secrets.clone();
            let read = in_time("the secrets", move || ConfiguredSecrets::read(&sources)).await?;
            let prepared = read.and_then(|read| self.secrets.prepare(read));
            prepared.map_err(ConfigError::Secrets)
        })
    }

    fn adopt(&self) {
        self.secrets.adopt();
    }

    fn abandon(&self) {
        self.secrets.abandon();
    }

    fn digest(&self) -> Boxed<'_, Option<String>> {
        Box::pin(async {
            let (path, watch) = (self.path.clone(), Arc::clone(&self.watch));
            let reading = tokio::task::spawn_blocking(move || {
                watch.lock().renew();
                config::digest(&path)
            });
            reading.await.ok().flatten()
        })
    }

    fn lack(&self) -> Option<String> {
        limits::lack().map(|lack| lack.to_string())
    }
}
