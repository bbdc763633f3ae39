//! The bytes of every accepted plugin, by digest, so that a version in use outlives its file.
//!
//! Invariant: a file holds what its name says: it is written as a whole, and read back only with the right digest.
//! Invariant: only the owner reads the directory.

use crate::{component_file::MAX_PLUGIN_BYTES, files, regular_file};
use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

/// A directory of components named by digest.
#[derive(Debug, Clone)]
pub struct PluginStore {
    directory: PathBuf,
}

impl PluginStore {
    /// Opens a store, making its directory (0700) where it is not there.
    pub fn open(directory: &Path) -> io::Result<Self> {
        files::private_dir(directory)?;
        files::remove_unfinished(directory);
        Ok(Self {
            directory: directory.to_owned(),
        })
    }

    /// Keeps a component; on return it is on the disk. Gives its digest, hexadecimal.
    pub fn keep(&self, bytes: &[u8]) -> io::Result<String> {
        let digest = blake3::hash(bytes).to_hex().to_string();
        if self.get(&digest)?.is_none() {
            let path = self.path(&digest);
            files::write_atomically(&path, &[bytes]).map_err(|error| {
                io::Error::new(error.kind(), format!("{}: {error}", path.display()))
            })?;
        }
        Ok(digest)
    }

    /// The component with this digest. A file whose bytes are not what its name says counts as absent, and so does what is
    /// no file.
    pub fn get(&self, digest: &str) -> io::Result<Option<Vec<u8>>> {
        let path = self.path(digest);
        match regular_file::read_whole(&path, MAX_PLUGIN_BYTES) {
            Ok(bytes) if blake3::hash(&bytes).to_hex().as_str() == digest => Ok(Some(bytes)),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            // Not what the system says, but what lies there.
            Err(error) if error.raw_os_error().is_none() => {
                tracing::warn!(path = %path.display(), %error, "no plugin is kept there");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Removes every component whose digest is not needed any more. Gives how many went. What cannot be removed keeps the
    /// others from nothing.
    pub fn prune(&self, needed: &BTreeSet<String>) -> io::Result<usize> {
        let mut removed = 0;
        for entry in fs::read_dir(&self.directory)? {
            let path = entry?.path();
            let digest = path.file_stem().unwrap_or_default().to_string_lossy();
            let ours = path
                .extension()
                .is_some_and(|extension| extension == "wasm")
                && blake3::Hash::from_hex(digest.as_bytes()).is_ok();
            if ours && !needed.contains(&*digest) {
                match fs::remove_file(&path) {
                    Ok(()) => removed += 1,
                    Err(error) => {
                        tracing::warn!(path = %path.display(), %error, "it is not needed, and stays");
                    }
                }
            }
        }
        Ok(removed)
    }

    /// A digest comes from a journal or a caller: whatever is in it, the path stays in the directory.
    fn path(&self, digest: &str) -> PathBuf {
        let hex: String = digest.chars().filter(char::is_ascii_hexdigit).collect();
        self.directory.join(format!("{hex}.wasm"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_was_kept_comes_back_and_what_was_changed_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let store = PluginStore::open(&directory.path().join("plugins")).unwrap();
        let digest = store.keep(b"one").unwrap();
        assert_eq!(store.keep(b"one").unwrap(), digest, "twice is once");
        assert_eq!(store.get(&digest).unwrap().as_deref(), Some(&b"one"[..]));
        let path = store.path(&digest);
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );

        fs::write(&path, b"two").unwrap();
        assert_eq!(store.get(&digest).unwrap(), None);
        store.keep(b"one").unwrap();
        assert!(
            store.get(&digest).unwrap().is_some(),
            "a broken file is replaced"
        );
        assert_eq!(store.get("../../etc/passwd").unwrap(), None);

        let other = store.keep(b"other").unwrap();
        assert_eq!(store.prune(&[other.clone()].into()).unwrap(), 1);
        assert_eq!(
            (
                store.get(&digest).unwrap(),
                store.get(&other).unwrap().is_some()
            ),
            (None, true)
        );
    }
    #[test]
    fn what_is_no_file_holds_nothing_up_and_is_replaced_where_it_can_be() {
        use rustix::fs::{CWD, Mode, mkfifoat};
        let directory = tempfile::tempdir().unwrap();
        let store = PluginStore::open(&directory.path().join("plugins")).unwrap();
        let digest = blake3::hash(b"one").to_hex().to_string();
        let path = store.path(&digest);
        mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
        assert_eq!(store.get(&digest).unwrap(), None);
        store.keep(b"one").unwrap();
        assert!(store.get(&digest).unwrap().is_some());

        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        fs::write(path.join("theirs"), "").unwrap();
        assert_eq!(store.get(&digest).unwrap(), None);
        let error = store.keep(b"one").unwrap_err().to_string();
        assert!(error.contains(path.to_str().unwrap()), "{error}");
        // What stays keeps the others from nothing, and what has no name of the store is nobody's here.
        let other = store.keep(b"other").unwrap();
        fs::write(store.directory.join("mine.wasm"), "").unwrap();
        assert_eq!(store.prune(&BTreeSet::new()).unwrap(), 1);
        assert_eq!(store.get(&other).unwrap(), None);
        assert!(path.exists() && store.directory.join("mine.wasm").exists());
    }
}
