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
    tree::Tree,
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
use rustix::fs::syncfs;
use std::{
    collections::{HashMap, HashSet},
    ffi::OsStr,
    fs::File,
    io::{self, Write},
    os::{fd::AsFd, unix::ffi::OsStrExt},
    path::PathBuf,
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
    let open = |(prefix, path): (KeyPrefix, PathBuf)| match Tree::open(&path) {
        Ok(tree) => Ok(Root { prefix, path, tree }),
        Err(error) => Err(unavailable("cannot open", &path)(error)),
    };
    let mut tree = TreeWriter {
        roots: roots.into_iter().map(open).collect::<Result<_, _>>()?,
        ignored,
        links: HashMap::new(),
        open: None,
    };
    let state = read_chain(layout, stop, job, chain, progress, &mut tree)?;
    let restored = tree.finish(&state, stop)?;
    Ok((restored, state))
}

struct TreeWriter {
    roots: Vec<Root>,
    ignored: HashSet<DocumentKey>,
    links: HashMap<DocumentKey, Vec<u8>>,
    open: Option<(DocumentKey, PathBuf, File)>,
}

/// Where the documents with a prefix go.
struct Root {
    prefix: KeyPrefix,
    path: PathBuf,
    tree: Tree,
}

/// Where a document goes.
struct Place<'a> {
    root: &'a Root,
    /// `.` for the root itself.
    relative: Vec<u8>,
}

impl Place<'_> {
    /// For people.
    fn path(&self) -> PathBuf {
        match self.relative.as_slice() {
            b"." => self.root.path.clone(),
            relative => self.root.path.join(OsStr::from_bytes(relative)),
        }
    }

    fn cannot(&self, what: &str) -> impl Fn(io::Error) -> BackupStoreError + use<> {
        let (what, path) = (what.to_owned(), self.path());
        move |error| unavailable(&what, &path)(error)
    }

    /// Makes permissions, owner and time those of the state, as far as the daemon may set them.
    fn set_metadata(
        &self,
        document: (&DocumentKey, &Entry),
        unset: &mut Unset,
    ) -> Result<(), BackupStoreError> {
        let set = self.root.tree.above(&self.relative);
        let set =
            set.and_then(|(above, name)| Ok(set_metadata(above.as_fd(), name, document, unset)?));
        set.map_err(self.cannot("cannot set owner, permissions or time of"))
    }
}

impl TreeWriter {
    /// Where a document belongs: below the root with the longest prefix.
    fn place(&self, key: &DocumentKey) -> Option<Place<'_>> {
        if self.ignored.contains(key) {
            return None;
        }
        let fitting = self.roots.iter().filter_map(|root| {
            let below = root.prefix.strip(key)?;
            Some((root.prefix.as_str().len(), below, root))
        });
        let (_, below, root) = fitting.max_by_key(|(length, ..)| *length)?;
        let relative = match below.is_root() {
            true => b".".to_vec(),
            false => below.to_bytes(),
        };
        Some(Place { root, relative })
    }

    /// Makes directories and links, and gives everything its metadata.
    fn finish(
        mut self,
        state: &State,
        stop: &CancellationToken,
    ) -> Result<RestoredTree, BackupStoreError> {
        let mut restored = RestoredTree {
            documents: 0,
            bytes: 0,
            not_put_back: NotPutBack::default(),
            notes: Vec::new(),
        };
        let mut links = std::mem::take(&mut self.links);
        let (mut unset, mut directories) = (Unset::default(), Vec::new());
        for (key, entry) in state.iter() {
            check_stop(stop)?;
            let Some(place) = self.place(key) else {
                restored.not_put_back.add(key);
                continue;
            };
            let tree = &place.root.tree;
            match entry.kind {
                DocumentKind::Directory => {
                    let made = tree.new_directory(&place.relative);
                    made.map_err(place.cannot("cannot make"))?;
                    directories.push((place, key, entry));
                }
                DocumentKind::Symlink => {
                    let leads_to = links.remove(key).unwrap_or_default();
                    let made = tree.new_link(&place.relative, &leads_to);
                    made.map_err(place.cannot("cannot make"))?;
                    place.set_metadata((key, entry), &mut unset)?;
                }
                DocumentKind::File => place.set_metadata((key, entry), &mut unset)?,
            }
            restored.documents += 1;
            restored.bytes += entry.size;
        }
        // Children before their directory: making them changes its time, and it may forbid writing.
        for (place, key, entry) in directories.into_iter().rev() {
            place.set_metadata((key, entry), &mut unset)?;
        }
        restored.notes.extend(unset.note());
        for Root { path, .. } in &self.roots {
            let synced = File::open(path).and_then(|directory| Ok(syncfs(&directory)?));
            synced.map_err(unavailable("cannot fsync", path))?;
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
            let Some(place) = self.place(key) else {
                return Ok(());
            };
            let file = place.root.tree.new_file(&place.relative);
            let file = file.map_err(place.cannot("cannot make"))?;
            self.open = Some((key.clone(), place.path(), file));
        }
        match &mut self.open {
            Some((open, path, file)) if open == key => file
                .write_all(bytes)
                .map_err(unavailable("cannot write", path)),
            _ => Ok(()),
        }
    }
}
