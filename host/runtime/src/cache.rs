//! Compiled components on disk, so that a plugin that was compiled once is loaded in well under a millisecond.
//!
//! Invariant: a file is deserialised only when its BLAKE3 MAC under this host's own key is right: deserialising runs
//! whatever code is in it. A file that is absent, torn, foreign or from another engine is a miss, never an error.
//! Invariant: nothing that lies in the place of the cache keeps a host from starting: it is put aside, else there is no cache.

use crate::{
    compiler::CompileError, engine::Engine, files, own_directory, regular_file, seeds::random_key,
};
use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use wasmtime::component::Component;

const MAC_BYTES: usize = blake3::OUT_LEN;
const KEY_BYTES: usize = blake3::KEY_LEN;
/// Longer than the key, by far.
const MAX_KEY_FILE: u64 = 64 << 10;
/// Longer than what the largest plugin is compiled to.
const MAX_COMPILED: u64 = 2 << 30;

/// So many components that cannot be compiled are remembered.
const MOST_REFUSALS: usize = 64;
/// Longer than why one cannot.
const MAX_REFUSAL: u64 = 64 << 10;
/// How the name of such a file begins.
const REFUSAL: &str = "refused-";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A directory of compiled components.
#[derive(Debug, Clone)]
pub struct CompileCache {
    directory: PathBuf,
    key: [u8; KEY_BYTES],
}

impl CompileCache {
    /// Opens a cache, making its directory (0700), and its key (0600) beside the directory, where they are not there; what lies
    /// in their places and cannot be used is put aside.
    pub fn open(directory: &Path) -> io::Result<Self> {
        own_directory::make(directory)?;
        close(directory);
        files::remove_unfinished(directory);
        let mut key_file = directory.as_os_str().to_owned();
        key_file.push(".key");
        Ok(Self {
            key: read_or_make_key(Path::new(&key_file))?,
            directory: directory.to_owned(),
        })
    }

    /// As [`Self::open`]; none where there can be no cache, of which the log tells why.
    pub fn open_if_possible(directory: &Path) -> Option<Self> {
        let opened = Self::open(directory).inspect_err(|error| {
            tracing::warn!(
                directory = %directory.display(),
                %error,
                "there is no compile cache: every plugin is compiled anew after each start"
            );
        });
        opened.ok()
    }

    /// The compiled component, where it is there and authentic.
    pub(crate) fn get(&self, engine: &Engine, digest: &blake3::Hash) -> Option<Component> {
        let path = self.path(engine, digest);
        let bytes = regular_file::read_whole(&path, MAX_COMPILED).ok()?;
        let (mac, compiled) = bytes.split_first_chunk::<MAC_BYTES>()?;
        if self.mac(&path, compiled) != *mac {
            tracing::warn!(path = %path.display(), "a file of the compile cache is not this host's; compiling anew");
            return None;
        }
        deserialize(engine, compiled).ok()
    }

    /// Keeps what was compiled of a component. Where that fails it is compiled again the next time, which the log says.
    pub(crate) fn put(&self, engine: &Engine, digest: &blake3::Hash, compiled: &[u8]) {
        let path = self.path(engine, digest);
        let mac = self.mac(&path, compiled);
        if let Err(error) = files::write_atomically(&path, &[mac.as_bytes(), compiled]) {
            tracing::warn!(path = %path.display(), %error, "cannot keep a compiled plugin");
        }
    }

    /// Why a component cannot be compiled, where this version of the program has found that before.
    pub(crate) fn refusal(&self, engine: &Engine, digest: &blake3::Hash) -> Option<CompileError> {
        let path = self.refusal_path(engine, digest);
        let bytes = regular_file::read_whole(&path, MAX_REFUSAL).ok()?;
        let (mac, said) = bytes.split_first_chunk::<MAC_BYTES>()?;
        if self.mac(&path, said) != *mac {
            return None;
        }
        let (head, why) = std::str::from_utf8(said).ok()?.split_once('\n')?;
        let why = format!(
            "{why}; it is not tried again, unless you remove {}",
            path.display()
        );
        match head.strip_prefix(VERSION)? {
            " component" => Some(CompileError::Component(why)),
            " fatal" => Some(CompileError::Fatal(why)),
            _ => None,
        }
    }

    /// Remembers that a component cannot be compiled, where it could not be at another time either; of the newest only.
    pub(crate) fn put_refusal(&self, engine: &Engine, digest: &blake3::Hash, error: &CompileError) {
        let (kind, why) = match error {
            CompileError::Component(why) => ("component", why),
            CompileError::Fatal(why) => ("fatal", why),
            CompileError::Ended(_) | CompileError::Starved(_) | CompileError::Host(_) => return,
        };
        let path = self.refusal_path(engine, digest);
        let said = format!("{VERSION} {kind}\n{why}");
        let mac = self.mac(&path, said.as_bytes());
        let kept = files::write_atomically(&path, &[mac.as_bytes(), said.as_bytes()]);
        if let Err(error) = kept.and_then(|()| self.forget_oldest_refusals(&path)) {
            tracing::warn!(path = %path.display(), %error, "cannot keep why a plugin was not compiled");
        }
    }

    /// Never the newest: of some that came at once the file system does not tell which it is.
    fn forget_oldest_refusals(&self, newest: &Path) -> io::Result<()> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let is_one = entry.file_name().to_string_lossy().starts_with(REFUSAL);
            if is_one && entry.path() != newest {
                let made = entry.metadata().and_then(|metadata| metadata.modified());
                found.push((made.ok(), entry.path()));
            }
        }
        found.sort();
        let excess = found.len().saturating_sub(MOST_REFUSALS - 1);
        let mut oldest = found.iter().take(excess);
        oldest.try_for_each(|(_, path)| fs::remove_file(path))
    }

    fn refusal_path(&self, engine: &Engine, digest: &blake3::Hash) -> PathBuf {
        let name = file_name(engine, &digest.to_hex());
        self.directory.join(format!("{REFUSAL}{name}"))
    }

    /// Removes what was compiled of components whose digest is not needed any more, and by other engines.
    pub(crate) fn prune(&self, engine: &Engine, needed: &BTreeSet<String>) -> io::Result<()> {
        let kept: BTreeSet<String> = needed
            .iter()
            .map(|digest| file_name(engine, digest))
            .collect();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            // What is being written has another name.
            let ours = name
                .split_once('-')
                .is_some_and(|(digest, _)| blake3::Hash::from_hex(digest).is_ok());
            if ours
                && !kept.contains(&*name)
                && let Err(error) = fs::remove_file(entry.path())
            {
                tracing::warn!(path = %entry.path().display(), %error, "it is not needed, and stays");
            }
        }
        Ok(())
    }

    fn path(&self, engine: &Engine, digest: &blake3::Hash) -> PathBuf {
        self.directory.join(file_name(engine, &digest.to_hex()))
    }

    /// Over the file's name too, so that one authentic file cannot stand in for another.
    fn mac(&self, path: &Path, compiled: &[u8]) -> blake3::Hash {
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        blake3::Hasher::new_keyed(&self.key)
            .update(name)
            .update(compiled)
            .finalize()
    }
}

fn file_name(engine: &Engine, digest: &str) -> String {
    format!("{digest}-{:016x}", engine.compatibility())
}

#[allow(
    unsafe_code,
    reason = "deserialising trusts the bytes, and they are the compiler's own, or were just authenticated"
)]
pub(crate) fn deserialize(engine: &Engine, compiled: &[u8]) -> Result<Component, String> {
    // SAFETY: the bytes are what `compiler::compile` gave: they come from the compiler of this host, or carry a MAC under
    // a key that only this host's user can read; wasmtime itself refuses bytes of another version or configuration.
    unsafe { Component::deserialize(engine.wasmtime(), compiled) }
        .map_err(|error| format!("{error:#}"))
}

fn read_or_make_key(path: &Path) -> io::Result<[u8; KEY_BYTES]> {
    match regular_file::read_whole(path, MAX_KEY_FILE) {
        Ok(bytes) => match <[u8; KEY_BYTES]>::try_from(bytes) {
            Ok(key) => return Ok(key),
            // Only a cache is lost: nothing in it is authentic under another key, and all of it is compiled anew.
            Err(bytes) => tracing::warn!(
                path = %path.display(),
                found = bytes.len(),
                expected = KEY_BYTES,
                "the key of the compile cache is damaged; it is made anew, and plugins are compiled again"
            ),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied || is_no_file(path) => {
            let aside = own_directory::put_aside(path);
            let aside = aside.map_err(|_| in_the_way("read", path, &error))?;
            tracing::warn!(
                path = %path.display(),
                aside = %aside.display(),
                %error,
                "what lay in the place of the compile cache's key was put aside; plugins are compiled again"
            );
        }
        // Not what the system says, but what lies there: no key, and in nobody's way.
        Err(error) if error.raw_os_error().is_none() => tracing::warn!(
            path = %path.display(),
            %error,
            "the key of the compile cache is damaged; it is made anew, and plugins are compiled again"
        ),
        Err(error) => return Err(in_the_way("read", path, &error)),
    }
    let key: [u8; KEY_BYTES] = random_key()?;
    let written = files::write_atomically(path, &[&key]);
    written.map_err(|error| in_the_way("write", path, &error))?;
    Ok(key)
}

/// Closes it to others. What a link leads to is not changed; and who can write there writes nothing that is authentic.
fn close(directory: &Path) {
    let is_link = fs::symlink_metadata(directory).is_ok_and(|found| found.is_symlink());
    if !is_link
        && let Err(error) = fs::set_permissions(directory, fs::Permissions::from_mode(0o700))
    {
        tracing::warn!(directory = %directory.display(), %error, "it stays open to others");
    }
}

/// Whether something lies there that is no regular file and leads to none.
fn is_no_file(path: &Path) -> bool {
    match fs::metadata(path) {
        Ok(found) => !found.is_file(),
        Err(_) => fs::symlink_metadata(path).is_ok(),
    }
}

/// What the system says does not name the file that it is about.
fn in_the_way(what: &str, path: &Path, error: &io::Error) -> io::Error {
    let path = path.display();
    let text = format!("cannot {what} {path}: {error}; move away what lies there");
    io::Error::new(error.kind(), text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{compiler::compile, engine::Ticking};
    use rustix::fs::{CWD, Mode, mkfifoat};
    use std::os::unix::fs::symlink;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_nothing_needs_is_pruned() {
        let directory = tempfile::tempdir().unwrap();
        let cache = CompileCache::open(directory.path()).unwrap();
        let engine = Engine::with_ticking(Ticking::Manual).unwrap();
        let component = compile(&wat::parse_str("(component)").unwrap(), false).unwrap();
        let [needed, other] = [b"needed", b"other "].map(|bytes| blake3::hash(bytes));
        cache.put(&engine, &needed, &component);
        cache.put(&engine, &other, &component);
        let of_another_engine = format!("{}-0123456789abcdef", needed.to_hex());
        for name in [&*of_another_engine, ".new-1-1", "notes-of-mine"] {
            fs::write(directory.path().join(name), "").unwrap();
        }
        let digests = [needed.to_hex().to_string()].into();
        cache.prune(&engine, &digests).unwrap();
        assert!(cache.get(&engine, &needed).is_some());
        assert!(!cache.path(&engine, &other).exists());
        assert!(!directory.path().join(of_another_engine).exists());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 3);
    }

    #[test]
    fn what_cannot_be_compiled_is_remembered_of_the_newest_and_no_accident_is() {
        let directory = tempfile::tempdir().unwrap();
        let cache = CompileCache::open(&directory.path().join("compiled")).unwrap();
        let engine = Engine::with_ticking(Ticking::Manual).unwrap();
        let said = || "it is a bomb".to_owned();
        for passing in [
            CompileError::Ended(said()),
            CompileError::Starved(said()),
            CompileError::Host(said()),
        ] {
            let digest = blake3::hash(b"passing");
            cache.put_refusal(&engine, &digest, &passing);
            assert_eq!(cache.refusal(&engine, &digest), None, "{passing:?}");
        }
        let bomb = blake3::hash(b"bomb");
        cache.put_refusal(&engine, &bomb, &CompileError::Fatal(said()));
        let reopened = CompileCache::open(&directory.path().join("compiled")).unwrap();
        let Some(CompileError::Fatal(why)) = reopened.refusal(&engine, &bomb) else {
            panic!("it is forgotten")
        };
        let path = cache.refusal_path(&engine, &bomb);
        assert!(why.starts_with("it is a bomb; "), "{why}");
        assert!(why.ends_with(path.to_str().unwrap()), "{why}");
        // It is needed as long as its file lies there, which nobody here knows.
        cache.prune(&engine, &BTreeSet::new()).unwrap();
        assert!(reopened.refusal(&engine, &bomb).is_some());

        let authentic = fs::read(&path).unwrap();
        fs::copy(&path, cache.refusal_path(&engine, &blake3::hash(b"two"))).unwrap();
        assert_eq!(cache.refusal(&engine, &blake3::hash(b"two")), None);
        for cut in [0, MAC_BYTES, authentic.len() - 1] {
            fs::write(&path, &authentic[..cut]).unwrap();
            assert_eq!(cache.refusal(&engine, &bomb), None, "{cut} bytes");
        }
        for number in 0..=MOST_REFUSALS {
            let digest = blake3::hash(&number.to_le_bytes());
            cache.put_refusal(&engine, &digest, &CompileError::Component(said()));
        }
        let left = fs::read_dir(directory.path().join("compiled")).unwrap();
        assert_eq!(left.count(), MOST_REFUSALS);
        let newest = blake3::hash(&MOST_REFUSALS.to_le_bytes());
        assert!(cache.refusal(&engine, &newest).is_some());
    }

    #[test]
    fn only_an_authentic_file_is_a_hit() {
        let directory = tempfile::tempdir().unwrap();
        let cache = CompileCache::open(&directory.path().join("compiled")).unwrap();
        let engine = Engine::with_ticking(Ticking::Manual).unwrap();
        let digest = blake3::hash(b"one");
        assert!(
            cache.get(&engine, &digest).is_none(),
            "nothing is there yet"
        );

        let component = compile(&wat::parse_str("(component)").unwrap(), false).unwrap();
        cache.put(&engine, &digest, &component);
        assert!(cache.get(&engine, &digest).is_some());

        let path = cache.path(&engine, &digest);
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(&directory.path().join("compiled")), 0o700);
        assert_eq!(mode(&directory.path().join("compiled.key")), 0o600);

        let reopened = CompileCache::open(&directory.path().join("compiled")).unwrap();
        assert!(reopened.get(&engine, &digest).is_some(), "the key lasts");

        let key = directory.path().join("compiled.key");
        let whole = fs::read(&key).unwrap();
        for spoilt in [&b"something else"[..], b""] {
            fs::write(&key, spoilt).unwrap();
            let anew = CompileCache::open(&directory.path().join("compiled")).unwrap();
            assert!(anew.get(&engine, &digest).is_none(), "of another key");
            assert_eq!(fs::read(&key).unwrap().len(), KEY_BYTES);
        }
        fs::write(&key, whole).unwrap();

        let authentic = fs::read(&path).unwrap();
        fs::copy(&path, cache.path(&engine, &blake3::hash(b"two"))).unwrap();
        assert!(
            cache.get(&engine, &blake3::hash(b"two")).is_none(),
            "a renamed file"
        );
        for cut in [0, 1, MAC_BYTES, authentic.len() - 1] {
            fs::write(&path, &authentic[..cut]).unwrap();
            assert!(
                cache.get(&engine, &digest).is_none(),
                "{cut} bytes of {}",
                authentic.len()
            );
        }
        let mut flipped = authentic;
        flipped[MAC_BYTES + 100] ^= 1;
        fs::write(&path, &flipped).unwrap();
        assert!(cache.get(&engine, &digest).is_none(), "a flipped bit");
    }

    #[test]
    fn what_lies_in_the_place_of_the_cache_or_its_key_is_put_aside() {
        type Lay<'a> = &'a dyn Fn(&Path);
        let engine = Engine::with_ticking(Ticking::Manual).unwrap();
        let component = compile(&wat::parse_str("(component)").unwrap(), false).unwrap();
        let digest = blake3::hash(b"one");
        let file = |path: &Path| fs::write(path, "mine").unwrap();
        let directory = |path: &Path| fs::create_dir(path).unwrap();
        let fifo = |path: &Path| mkfifoat(CWD, path, Mode::RUSR).unwrap();
        let dangling = |path: &Path| symlink("nowhere", path).unwrap();
        let circle = |path: &Path| symlink(path, path).unwrap();
        let odd: [(&str, Lay<'_>); 7] = [
            ("compiled", &file),
            ("compiled", &fifo),
            ("compiled", &dangling),
            ("compiled", &circle),
            ("compiled.key", &directory),
            ("compiled.key", &fifo),
            ("compiled.key", &circle),
        ];
        for (number, (name, lay)) in odd.into_iter().enumerate() {
            let root = tempfile::tempdir().unwrap();
            lay(&root.path().join(name));
            let cache = CompileCache::open_if_possible(&root.path().join("compiled")).unwrap();
            cache.put(&engine, &digest, &component);
            assert!(cache.get(&engine, &digest).is_some(), "{name}, {number}");
            assert_eq!(mode(&root.path().join("compiled")), 0o700);
            let aside = root.path().join(format!("{name}.aside-1"));
            assert!(fs::symlink_metadata(aside).is_ok(), "{name}, {number}");
        }
    }

    #[test]
    fn where_there_can_be_no_cache_there_is_none_and_a_link_to_one_is_followed() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("file"), "").unwrap();
        let nowhere = root.path().join("file/compiled");
        assert!(CompileCache::open_if_possible(&nowhere).is_none());

        let shared = root.path().join("shared");
        fs::create_dir(&shared).unwrap();
        fs::set_permissions(&shared, fs::Permissions::from_mode(0o755)).unwrap();
        symlink(&shared, root.path().join("compiled")).unwrap();
        let cache = CompileCache::open_if_possible(&root.path().join("compiled"));
        assert!(cache.is_some());
        assert_eq!(mode(&shared), 0o755, "it is not this host's to close");
    }
}
