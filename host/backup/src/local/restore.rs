//! Writes the state that a chain gives into directories.
//!
//! Invariant: while content is written there is no symbolic link in the new tree, and links are made only once the state
//! is known to be a tree, so no archive can make a restore write elsewhere.
//! Invariant: what is in place was checked against every hash and the root hash, and is durable.
//! Invariant: a stop counts until the new trees are whole and durable; from then on the restore goes through.

use super::{
    apart::check_apart,
    check_stop,
    coverage::covered_places,
    error::unavailable,
    files::Layout,
    metadata::{Unset, set_metadata},
    read::{Sink, read_chain},
    swap::Swap,
};
use crate::port::{
    BackupStoreError, NotPutBack, OnProgress, RestorePlace, RestoredTree, StagedRestore,
};
use mainstay_domain::{
    archive::{DocumentKey, DocumentKind, Entry, KeyPrefix, State},
    code::ErrorCode,
    id::BackupId,
    name::JobName,
    spec::BackupSource,
};
use rustix::fs::{CWD, syncfs};
use std::{
    collections::{HashMap, HashSet},
    ffi::OsStr,
    fs::{self, File, OpenOptions},
    io::Write,
    os::unix::{
        ffi::OsStrExt,
        fs::{OpenOptionsExt, symlink},
    },
    path::{Path, PathBuf},
};
use tokio_util::sync::CancellationToken;

/// The new trees, whole and durable beside their places.
pub(super) struct StagedTrees {
    swaps: Vec<Swap>,
    restored: RestoredTree,
}

impl StagedRestore for StagedTrees {
    fn place(self: Box<Self>) -> Result<RestoredTree, BackupStoreError> {
        let Self {
            mut swaps,
            restored,
        } = *self;
        for swap in &mut swaps {
            swap.place()?;
        }
        for swap in swaps {
            swap.commit();
        }
        Ok(restored)
    }
}

/// Writes the new trees beside their places.
pub(super) fn stage(
    layout: &Layout,
    stop: &CancellationToken,
    job: &JobName,
    chain: &[BackupId],
    place: &RestorePlace,
    progress: &OnProgress,
) -> Result<StagedTrees, BackupStoreError> {
    let (targets, ignored) = match place {
        RestorePlace::Into { path, replace } => (vec![("", path, *replace)], HashSet::new()),
        RestorePlace::InPlace(sources) => in_place(sources)?,
    };
    let mut places = Vec::new();
    for (prefix, path, replace) in targets {
        check_apart(layout, path)?;
        let prefix = KeyPrefix::parse(prefix)
            .map_err(|error| BackupStoreError::Unavailable(error.to_string()))?;
        places.push((prefix, Swap::begin(path, replace)?));
    }
    let roots = places
        .iter()
        .map(|(prefix, swap)| (prefix.clone(), swap.staging().to_owned()))
        .collect();
    let (restored, state) = write_tree(layout, stop, job, chain, roots, ignored, progress)?;
    check_stop(stop)?;
    if let RestorePlace::InPlace(_) = place {
        places = covered_places(layout, job, chain, &state, places)?;
    }
    let swaps = places.into_iter().map(|(_, swap)| swap).collect();
    Ok(StagedTrees { swaps, restored })
}

type Targets<'a> = (Vec<(&'a str, &'a PathBuf, bool)>, HashSet<DocumentKey>);

/// The directories among the sources, and the keys that belong to none.
fn in_place(sources: &[BackupSource]) -> Result<Targets<'_>, BackupStoreError> {
    let mut targets = Vec::new();
    let mut ignored = HashSet::new();
    for source in sources {
        match source {
            BackupSource::Directory { path, prefix } => targets.push((prefix.as_str(), path, true)),
            BackupSource::Command { key, .. } => ignored.extend(DocumentKey::parse(key)),
        }
    }
    if targets.is_empty() {
        let why = "the job has no directory among its sources, and what a command printed cannot be put back in place; restore into a directory";
        return Err(BackupStoreError::Unavailable(
            ErrorCode::RestoreRefused.mark(why),
        ));
    }
    Ok((targets, ignored))
}

/// Writes the state that a chain gives below `roots`, each for the keys with its prefix, and makes it durable.
pub(super) fn write_tree(
    layout: &Layout,
    stop: &CancellationToken,
    job: &JobName,
    chain: &[BackupId],
    roots: Vec<(KeyPrefix, PathBuf)>,
    ignored: HashSet<DocumentKey>,
    progress: &OnProgress,
) -> Result<(RestoredTree, State), BackupStoreError> {
    let mut tree = TreeWriter {
        roots,
        ignored,
        links: HashMap::new(),
        open: None,
    };
    let state = read_chain(layout, stop, job, chain, progress, &mut tree)?;
    let restored = tree.finish(&state, stop)?;
    Ok((restored, state))
}

struct TreeWriter {
    roots: Vec<(KeyPrefix, PathBuf)>,
    ignored: HashSet<DocumentKey>,
    links: HashMap<DocumentKey, Vec<u8>>,
    open: Option<(DocumentKey, PathBuf, File)>,
}

impl TreeWriter {
    /// Where a document belongs: below the root with the longest prefix.
    fn place(&self, key: &DocumentKey) -> Option<PathBuf> {
        if self.ignored.contains(key) {
            return None;
        }
        let mut fitting: Vec<_> = self
            .roots
            .iter()
            .filter_map(|(prefix, root)| Some((prefix.as_str().len(), prefix.strip(key)?, root)))
            .collect();
        fitting.sort_by_key(|(length, ..)| *length);
        let (_, below, root) = fitting.pop()?;
        if below.is_root() {
            return Some(root.clone());
        }
        Some(root.join(OsStr::from_bytes(&below.to_bytes())))
    }

    /// Makes permissions, owner and times those of the state. Owners only where the daemon may set them.
    fn finish(
        &mut self,
        state: &State,
        stop: &CancellationToken,
    ) -> Result<RestoredTree, BackupStoreError> {
        let mut restored = RestoredTree {
            documents: 0,
            bytes: 0,
            not_put_back: NotPutBack::default(),
            notes: Vec::new(),
        };
        let mut unset = Unset::default();
        let mut set = |path: &Path, key: &DocumentKey, entry: &Entry| {
            let name = path.as_os_str().as_bytes();
            let set = set_metadata(CWD, name, (key, entry), &mut unset);
            let cannot = unavailable("cannot set owner, permissions or time of", path);
            set.map_err(|error| cannot(error.into()))
        };
        let mut directories = Vec::new();
        for (key, entry) in state.iter() {
            check_stop(stop)?;
            let Some(path) = self.place(key) else {
                restored.not_put_back.add(key);
                continue;
            };
            match entry.kind {
                DocumentKind::Directory => {
                    fs::create_dir_all(&path).map_err(unavailable("cannot make", &path))?;
                    directories.push((path, key, entry));
                }
                DocumentKind::Symlink => {
                    make_parent(&path)?;
                    let target = self.links.remove(key).unwrap_or_default();
                    symlink(OsStr::from_bytes(&target), &path)
                        .map_err(unavailable("cannot make", &path))?;
                    set(&path, key, entry)?;
                }
                DocumentKind::File => set(&path, key, entry)?,
            }
            restored.documents += 1;
            restored.bytes += entry.size;
        }
        // Children before their directory: making them changes its time, and it may forbid writing.
        for (path, key, entry) in directories.into_iter().rev() {
            set(&path, key, entry)?;
        }
        restored.notes.extend(unset.note());
        for (_, root) in &self.roots {
            let synced = File::open(root).and_then(|directory| Ok(syncfs(&directory)?));
            synced.map_err(unavailable("cannot fsync", root))?;
        }
        Ok(restored)
    }
}

impl Sink for TreeWriter {
    fn document(
        &mut self,
        key: &DocumentKey,
        kind: DocumentKind,
        bytes: &[u8],
    ) -> Result<(), BackupStoreError> {
        match kind {
            DocumentKind::Directory => Ok(()),
            DocumentKind::Symlink => {
                self.links.insert(key.clone(), bytes.to_vec());
                Ok(())
            }
            DocumentKind::File => self.part(key, true, bytes),
        }
    }

    fn part(
        &mut self,
        key: &DocumentKey,
        first: bool,
        bytes: &[u8],
    ) -> Result<(), BackupStoreError> {
        if first {
            self.open = None;
            let Some(path) = self.place(key) else {
                return Ok(());
            };
            make_parent(&path)?;
            let file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&path);
            let file = file.map_err(unavailable("cannot make", &path))?;
            self.open = Some((key.clone(), path, file));
        }
        match &mut self.open {
            Some((open, path, file)) if open == key => file
                .write_all(bytes)
                .map_err(unavailable("cannot write", path)),
            _ => Ok(()),
        }
    }
}

fn make_parent(path: &Path) -> Result<(), BackupStoreError> {
    match path.parent() {
        Some(parent) if !parent.is_dir() => {
            fs::create_dir_all(parent).map_err(unavailable("cannot make", parent))
        }
        _ => Ok(()),
    }
}
