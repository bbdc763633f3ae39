//! What is believed of the wall clock, in a small file of the state directory, for the next daemon.
//!
//! Invariant: the file is one that was written whole: it is made under another name, synced and renamed. It is its
//! owner's alone.

use crate::ports::{Boxed, SettledStore};
use mainstay_domain::settled_clock::SettledState;
use mainstay_runtime::regular_file;
use std::{
    io,
    path::{Path, PathBuf},
};

/// The file's name in the state directory.
const FILE_NAME: &str = "settled-clock.json";
/// Longer than any that was written.
const MAX_BYTES: u64 = 1 << 20;

/// The file of one state directory.
#[derive(Debug, Clone)]
pub struct SettledFile {
    path: PathBuf,
}

impl SettledFile {
    /// That of this state directory.
    pub fn new(state_dir: &Path) -> Self {
        Self {
            path: state_dir.join(FILE_NAME),
        }
    }

    /// What the daemon before left; none where there was none. A file that cannot be read says nothing, and is told.
    pub fn read(&self) -> Option<SettledState> {
        let read = regular_file::read_whole(&self.path, MAX_BYTES);
        let read: io::Result<SettledState> = match read {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => Err(error),
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::from),
        };
        match read {
            // None at all is as good as no file.
            Ok(state) => Some(state).filter(|state| !state.stands.is_empty()),
            Err(error) => {
                tracing::warn!(
                    path = %self.path.display(), %error,
                    "what was believed of the wall clock cannot be read; the newest event says when a daemon lived last"
                );
                None
            }
        }
    }
}

impl SettledStore for SettledFile {
    fn keep(&self, state: SettledState) -> Boxed<'_, Result<(), String>> {
        let path = self.path.clone();
        Box::pin(async move {
            let shown = path.display().to_string();
            let writing = tokio::task::spawn_blocking(move || write(&path, &state)).await;
            match writing {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => Err(format!("{shown}: {error}")),
                Err(error) => Err(format!("{shown}: {error}")),
            }
        })
    }
}

fn write(path: &Path, state: &SettledState) -> io::Result<()> {
    mainstay_store::replace_private(path, &serde_json::to_vec(state)?).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_domain::{settled_clock::Stand, time::Timestamp};
    use std::{fs, os::unix::fs::PermissionsExt};

    #[tokio::test]
    async fn what_was_kept_is_read_by_the_next_daemon_and_is_its_owners_alone() {
        let directory = tempfile::tempdir().unwrap();
        let file = SettledFile::new(directory.path());
        assert_eq!(file.read(), None);
        for lived_ms in [1, 60_000] {
            let wall = Timestamp::from_millis(1_700_000_000_000);
            let state = SettledState {
                lived_ms,
                stands: vec![Stand { wall, lived_ms }],
            };
            file.keep(state.clone()).await.unwrap();
            assert_eq!(SettledFile::new(directory.path()).read(), Some(state));
        }
        let mode = fs::metadata(&file.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_was_damaged_says_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let file = SettledFile::new(directory.path());
        for content in ["", "{", "[]", r#"{"lived_ms":5,"stands":[]}"#] {
            fs::write(&file.path, content).unwrap();
            assert_eq!(file.read(), None, "{content}");
        }
    }
}
