//! What each accepted build is, kept for good, and what each file last held.
//!
//! Invariant: a build is what its bytes are. What it said of itself when it was first accepted is pinned to its digest,
//! and its name and version to its bytes, build metadata included; over restarts, and when its file is long gone. Only
//! the operator's word unpins a version.
//! Invariant: a pin is on the disk before its build serves. A pin that cannot be read is lost alone, and the log says
//! so.

use crate::{
    candidate::{Candidate, Descriptor},
    error::LoadError,
    files, regular_file,
};
use mainstay_domain::{name::PluginName, plugin::PluginIdentity};
use semver::Version;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

/// The file that says what each file of the plugin directory last held; all others are named by digest.
const FILES: &str = "files.json";
/// Longer than any that is written.
const MAX_BYTES: u64 = 16 << 20;

/// What a build said of itself when it was first accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Pin {
    identity: PluginIdentity,
    descriptor: Descriptor,
}

impl Pin {
    /// As it will be read again: a number of a schema may lose its last digit on the way.
    fn of(candidate: &Candidate) -> Self {
        let pin = Self {
            identity: PluginIdentity::clone(candidate.identity()),
            descriptor: candidate.descriptor().clone(),
        };
        let read_again = serde_json::to_vec(&pin).and_then(|bytes| serde_json::from_slice(&bytes));
        read_again.unwrap_or(pin)
    }

    /// What differs between two, for people.
    fn difference(&self, other: &Pin) -> Option<String> {
        let (ours, theirs) = (&self.descriptor, &other.descriptor);
        let differs = [
            ("its name", self.identity.name != other.identity.name),
            (
                "its version",
                self.identity.version != other.identity.version,
            ),
            ("its summary", ours.summary != theirs.summary),
            ("what it handles", ours.handles != theirs.handles),
            ("its capabilities", ours.capabilities != theirs.capabilities),
            (
                "its settings schema",
                ours.settings_schema != theirs.settings_schema,
            ),
        ];
        let differs: Vec<&str> = differs
            .into_iter()
            .filter_map(|(what, differs)| differs.then_some(what))
            .collect();
        (!differs.is_empty()).then(|| differs.join(", "))
    }
}

/// The pins of one state directory.
pub(crate) struct Pins {
    directory: PathBuf,
    /// By digest.
    pinned: BTreeMap<String, Pin>,
    /// The digest of what each file last held that was accepted, by the file's name.
    held: BTreeMap<String, String>,
}

impl Pins {
    /// Reads the pins of a directory, which is made (0700) where it is not there.
    pub(crate) fn open(directory: &Path) -> io::Result<Self> {
        files::private_dir(directory)?;
        Ok(Self {
            pinned: pinned_in(directory)?,
            held: read(&directory.join(FILES)).unwrap_or_default(),
            directory: directory.to_owned(),
        })
    }

    /// Refuses a build that says something else of itself than when it was accepted, or whose name and version are those
    /// of other bytes.
    pub(crate) fn check(&self, candidate: &Candidate) -> Result<(), LoadError> {
        let found = Pin::of(candidate);
        let changed = self.pinned.get(&found.identity.digest);
        if let Some(what) = changed.and_then(|pin| pin.difference(&found)) {
            let identity = found.identity;
            return Err(LoadError::AnotherDescriptor { identity, what });
        }
        // Of pins that disagree, which only a lost one explains, the build that is pinned itself is right.
        if changed.is_some() {
            return Ok(());
        }
        let mut pins = self.pinned.values().map(|pin| &pin.identity);
        let same = pins
            .find(|pin| pin.name == found.identity.name && pin.version == found.identity.version);
        match same {
            None => Ok(()),
            Some(pin) => Err(LoadError::SameVersion {
                there: pin.digest.clone(),
                identity: found.identity,
                is_pinned: true,
            }),
        }
    }

    /// Pins a build; on return that is on the disk.
    pub(crate) fn pin(&mut self, candidate: &Candidate) -> io::Result<()> {
        let pin = Pin::of(candidate);
        let digest = pin.identity.digest.clone();
        if self.pinned.get(&digest) != Some(&pin) {
            write(&self.path(&digest), &pin)?;
            self.pinned.insert(digest, pin);
        }
        Ok(())
    }

    /// Unpins a version, so that other bytes may have its name and number. Gives whether it was pinned.
    pub(crate) fn forget(&mut self, name: &PluginName, version: &Version) -> io::Result<bool> {
        let is_meant = |pin: &Pin| pin.identity.name == *name && pin.identity.version == *version;
        let digests: Vec<String> = self
            .pinned
            .iter()
            .filter(|(_, pin)| is_meant(pin))
            .map(|(digest, _)| digest.clone())
            .collect();
        for digest in &digests {
            match fs::remove_file(self.path(digest)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => drop(self.pinned.remove(digest)),
            }
        }
        Ok(!digests.is_empty())
    }

    /// The digest of what a file of this name last held that was accepted.
    pub(crate) fn held_by(&self, file: &str) -> Option<&String> {
        self.held.get(file)
    }

    /// The digests of what all files last held that was accepted.
    pub(crate) fn held(&self) -> BTreeSet<String> {
        self.held.values().cloned().collect()
    }

    /// Keeps what each file holds.
    pub(crate) fn hold(&mut self, held: BTreeMap<String, String>) -> io::Result<()> {
        if self.held != held {
            write(&self.directory.join(FILES), &held)?;
            self.held = held;
        }
        Ok(())
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.directory.join(format!("{digest}.json"))
    }
}

fn write(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let bytes = serde_json::to_vec(value)?;
    files::write_atomically(path, &[&bytes])
}

fn read<T: for<'a> Deserialize<'a>>(path: &Path) -> Option<T> {
    let bytes = match regular_file::read_whole(path, MAX_BYTES) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::error!(path = %path.display(), %error, "what is pinned there cannot be read, and is forgotten");
            return None;
        }
    };
    match serde_json::from_slice(&bytes) {
        Ok(value) => Some(value),
        Err(error) => {
            tracing::error!(path = %path.display(), %error, "what is pinned there cannot be read, and is forgotten");
            None
        }
    }
}

/// Where the build lies that was accepted by this name and version first, in a directory where builds are kept. None where
/// none was, or where nothing needed it any more. Nothing is written there.
pub fn kept_build(
    directory: &Path,
    name: &PluginName,
    version: &Version,
) -> io::Result<Option<PathBuf>> {
    let mut pinned = pinned_in(directory)?.into_values();
    let found = pinned.find(|pin| pin.identity.name == *name && pin.identity.version == *version);
    let path = found.map(|pin| directory.join(format!("{}.wasm", pin.identity.digest)));
    Ok(path.filter(|path| path.is_file()))
}

/// By digest.
fn pinned_in(directory: &Path) -> io::Result<BTreeMap<String, Pin>> {
    let mut pinned = BTreeMap::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let is_pin = path
            .extension()
            .is_some_and(|extension| extension == "json")
            && blake3::Hash::from_hex(stem.as_bytes()).is_ok();
        if !is_pin {
            continue;
        }
        if let Some(pin) = read::<Pin>(&path)
            && pin.identity.digest == stem
        {
            pinned.insert(stem.into_owned(), pin);
        }
    }
    Ok(pinned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Guest, Recorder, loader};
    use std::sync::Arc;

    async fn candidate(version: &'static str, recover: &'static str) -> Candidate {
        let guest = Guest {
            version,
            recover,
            ..Guest::default()
        };
        let loader = loader(&Arc::new(Recorder::default()));
        loader.load(guest.build().into()).await.unwrap()
    }

    #[tokio::test]
    async fn a_version_means_the_same_bytes_until_it_is_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let first = candidate("1.0.0+abc", "").await;
        let other = candidate("1.0.0+abc", "unreachable").await;
        let another_build = candidate("1.0.0+abd", "unreachable").await;
        let mut pins = Pins::open(directory.path()).unwrap();
        pins.check(&first).unwrap();
        pins.pin(&first).unwrap();

        let mut pins = Pins::open(directory.path()).unwrap();
        pins.check(&first).unwrap();
        pins.check(&another_build).unwrap();
        let refused = pins.check(&other).unwrap_err().to_string();
        for word in [
            "fixer@1.0.0+abc is already there with other bytes",
            &first.identity().digest,
            "`mainstay plugin forget fixer@1.0.0+abc`",
        ] {
            assert!(refused.contains(word), "{refused}");
        }
        let identity = first.identity();
        assert!(pins.forget(&identity.name, &identity.version).unwrap());
        assert!(!pins.forget(&identity.name, &identity.version).unwrap());
        let pins = Pins::open(directory.path()).unwrap();
        pins.check(&other).unwrap();
    }

    #[tokio::test]
    async fn a_build_that_says_something_else_of_itself_is_refused_with_what_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let build = candidate("1.0.0", "").await;
        Pins::open(directory.path()).unwrap().pin(&build).unwrap();
        let path = directory
            .path()
            .join(format!("{}.json", build.identity().digest));
        let text = fs::read_to_string(&path).unwrap();
        let pinned = text.replace(r#""summary":"""#, r#""summary":"harmless""#);
        assert_ne!(pinned, text);
        fs::write(&path, pinned).unwrap();
        let pins = Pins::open(directory.path()).unwrap();
        let refused = pins.check(&build).unwrap_err().to_string();
        assert!(refused.contains("its summary"), "{refused}");

        fs::write(&path, "torn").unwrap();
        let pins = Pins::open(directory.path()).unwrap();
        pins.check(&build).unwrap();
    }

    #[tokio::test]
    async fn a_kept_build_is_found_by_its_name_and_version_while_it_is_there() {
        let directory = tempfile::tempdir().unwrap();
        let build = candidate("1.0.0", "").await;
        let digest = build.identity().digest.clone();
        Pins::open(directory.path()).unwrap().pin(&build).unwrap();
        let found = |name: &str, version: Version| {
            let name = PluginName::parse(name).unwrap();
            kept_build(directory.path(), &name, &version).unwrap()
        };
        assert_eq!(found("fixer", Version::new(1, 0, 0)), None, "it went");
        let path = directory.path().join(format!("{digest}.wasm"));
        fs::write(&path, "").unwrap();
        assert_eq!(found("fixer", Version::new(1, 0, 0)), Some(path));
        assert_eq!(found("fixer", Version::new(1, 0, 1)), None);
        assert_eq!(found("other", Version::new(1, 0, 0)), None);
    }
}
