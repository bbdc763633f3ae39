//! The last lines of a log: evidence of why who writes it fails.
//!
//! Invariant: so many bytes are read and so many shown, and who waits does so for a moment: of a file system that does not
//! answer nothing is shown, and it holds one of few threads.
//! Invariant: secrets are taken out before anything is shown, also where what was read begins within one.

use super::HostProbe;
use crate::{
    adapters::{
        process::log_of, program::concealed_end, secrets::MAX_CONCEALED_BYTES, threads::Threads,
    },
    ports::Secrets,
};
use mainstay_domain::{
    spec::{CheckKind, CheckSpec, TargetSpec},
    text::last_lines,
};
use mainstay_runtime::regular_file;
use std::{
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::sync::{Semaphore, oneshot};

/// So much of the end of a log is looked through for its last lines.
const SHOWN: usize = 16 << 10;
/// So many logs are read at one time.
const MOST: usize = 16;
/// Evidence that takes longer comes too late.
const PATIENCE: Duration = Duration::from_millis(500);

/// Reads the ends of logs.
pub(super) struct LogTails {
    places: Arc<Semaphore>,
    threads: Threads,
}

impl LogTails {
    pub(super) fn new() -> Self {
        Self {
            places: Arc::new(Semaphore::new(MOST)),
            threads: Threads::new("tails", MOST),
        }
    }

    /// The last lines; none where there are none, or they cannot be had soon.
    pub(super) async fn read(&self, log: PathBuf, secrets: Arc<dyn Secrets>) -> Option<String> {
        let read = async {
            let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
            let (sender, reading) = oneshot::channel();
            let begun = self.threads.run(move || {
                let lines = tail(&log, &*secrets).ok().flatten();
                drop(place);
                // Nobody may wait for it any more.
                let _ = sender.send(lines);
            });
            begun.ok()?;
            reading.await.ok()?
        };
        tokio::time::timeout(PATIENCE, read).await.ok()?
    }
}

impl HostProbe {
    /// The end of the log that says most: the one that the check looks at, else that of the supervised process, else one
    /// that another check of the target looks at.
    pub(super) async fn log_end(
        &self,
        target: &TargetSpec,
        check: Option<&CheckSpec>,
    ) -> Option<String> {
        let of_check = |check: &CheckSpec| match &check.kind {
            CheckKind::Log { path, .. } => path.clone(),
            _ => None,
        };
        let own = || {
            let process = target.process.as_ref();
            process.map(|_| log_of(&self.state_dir, &target.name))
        };
        let log = check.and_then(of_check).or_else(own);
        let log = log.or_else(|| target.checks.iter().find_map(of_check))?;
        self.tails.read(log, Arc::clone(&self.secrets)).await
    }
}

/// Blocks.
fn tail(log: &Path, secrets: &dyn Secrets) -> io::Result<Option<String>> {
    let (mut file, metadata) = regular_file::open(log)?;
    let most = (SHOWN + MAX_CONCEALED_BYTES) as u64;
    file.seek(SeekFrom::Start(metadata.len().saturating_sub(most)))?;
    let mut end = Vec::new();
    file.take(most).read_to_end(&mut end)?;
    let shown = concealed_end(end, SHOWN, secrets);
    Ok(last_lines(&String::from_utf8_lossy(&shown)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::SecretError;
    use mainstay_domain::name::SecretName;

    struct OneSecret;

    impl Secrets for OneSecret {
        fn value(&self, name: &SecretName) -> Result<String, SecretError> {
            Err(SecretError::Unknown(name.clone()))
        }

        fn conceal(&self, bytes: Vec<u8>) -> Vec<u8> {
            let text = String::from_utf8_lossy(&bytes);
            text.replace("hunter22", "[secret:token]").into_bytes()
        }
    }

    async fn read(log: &Path) -> Option<String> {
        let tails = LogTails::new();
        tails.read(log.to_owned(), Arc::new(OneSecret)).await
    }

    #[tokio::test]
    async fn the_last_lines_of_a_long_log_are_shown_without_secrets() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("web.log");
        let before = "hunter22\n".repeat(200_000);
        std::fs::write(&log, format!("{before}with hunter22\n\u{1b}[1mFATAL\n")).unwrap();
        let shown = read(&log).await.unwrap();
        assert!(
            shown.ends_with("[secret:token]\nwith [secret:token]\n\\u{1b}[1mFATAL"),
            "{shown}"
        );
        assert!(!shown.contains("hunter"), "{shown}");
        assert!(
            shown.lines().all(|line| !line.starts_with("unter")),
            "{shown}"
        );
    }

    #[tokio::test]
    async fn where_there_is_nothing_nothing_is_shown() {
        let directory = tempfile::tempdir().unwrap();
        let empty = directory.path().join("empty");
        std::fs::write(&empty, "\n\n").unwrap();
        for log in [
            empty.as_path(),
            directory.path(),
            Path::new("/dev/zero"),
            Path::new("/none"),
        ] {
            assert_eq!(read(log).await, None, "{}", log.display());
        }
    }
}
