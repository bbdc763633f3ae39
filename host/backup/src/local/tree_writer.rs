//! Writes the documents of a state into directories.
//!
//! Invariant: while content is written there is no symbolic link in the new tree, and links are made only once the state
//! is known to be a tree, so no archive can make a restore write elsewhere.
//! Invariant: other names of files are made before symbolic links, and each only of a file that was written here.
//! Invariant: until the chain is read a file holds the data between its holes, where the pieces and their hash belong.
//!
//! Length: where a document goes decides what is written, copied and read back of it, and what is made of it after that.

use super::{
    check_stop, durable,
    error::unavailable,
    files::Layout,
    holes::{FileData, spread},
    listing::Listing,
    metadata::{Unset, set_metadata},
    read::read_chain,
    rows::key_of,
    sink::Sink,
    table::{Aside, Sorter, unreadable},
    tree::Tree,
};
use crate::port::{BackupStoreError, NotPutBack, OnProgress, RestoredTree};
use mainstay_domain::{
    archive::{ContentHash, DocumentKey, DocumentKind, Entry, KeyPrefix, Selection, missing_words},
    backup_chain::Place as Piece,
    id::BackupId,
    name::JobName,
};
use std::{
    collections::{HashMap, HashSet},
    ffi::OsStr,
    fs::File,
    io::{self, ErrorKind},
    mem,
    os::{
        fd::AsFd,
        unix::{ffi::OsStrExt, fs::FileExt},
    },
    path::PathBuf,
};
use tokio_util::sync::CancellationToken;

/// Where the documents of a state are written.
pub(super) struct Destination {
    /// Directories, each for the keys with its prefix.
    pub(super) roots: Vec<(KeyPrefix, PathBuf)>,
    /// What has no place in them, with all that is below it.
    pub(super) ignored: HashSet<DocumentKey>,
    /// What is written; the directories that it lies in are, too.
    pub(super) only: Selection,
}

/// Writes the state that a chain gives, and makes it durable. Answers with its documents, too.
pub(super) fn write_tree(
    layout: &Layout,
    stop: &CancellationToken,
    job: &JobName,
    chain: &[BackupId],
    to: Destination,
    progress: &OnProgress,
) -> Result<(RestoredTree, Listing), BackupStoreError> {
    let Destination {
        roots,
        ignored,
        only,
    } = to;
    let Some(newest) = chain.last() else {
        return Err(BackupStoreError::Unavailable(
            "there is no backup to restore".to_owned(),
        ));
    };
    let aside = Aside::new(layout, job, newest);
    let open = |(prefix, path): (KeyPrefix, PathBuf)| match Tree::open(&path) {
        Ok(tree) => Ok(Root { prefix, path, tree }),
        Err(error) => Err(unavailable("cannot open", &path)(error)),
    };
    let mut tree = TreeWriter {
        roots: roots.into_iter().map(open).collect::<Result<_, _>>()?,
        ignored,
        only,
        links: Sorter::new(&aside),
        instead: None,
        open: None,
    };
    let listing = read_chain(layout, stop, job, chain, progress, &mut tree)?.listing;
    let keys = listing.iter().map(|document| document.map(|(key, _)| key));
    if let Some((missing, longer)) = tree.only.missing_among(keys)? {
        return Err(nothing_under(missing, longer.as_ref(), chain.last()));
    }
    let instead = tree.names_instead(&listing)?;
    if !instead.is_empty() {
        tree.instead = Some(instead);
        read_chain(layout, stop, job, chain, progress, &mut tree)?;
    }
    let restored = tree.finish(&listing, &aside, stop)?;
    Ok((restored, listing))
}

/// A backup has nothing by this name; it may have a longer key that ends with it.
pub(super) fn nothing_under(
    key: &str,
    longer: Option<&DocumentKey>,
    backup: Option<&BackupId>,
) -> BackupStoreError {
    let id = backup.map_or_else(String::new, ToString::to_string);
    BackupStoreError::Unavailable(missing_words(&id, key, longer))
}

struct TreeWriter {
    roots: Vec<Root>,
    ignored: HashSet<DocumentKey>,
    only: Selection,
    /// Where symbolic links lead, by key.
    links: Sorter,
    /// By the name that holds the content of a file, and is not written: the one of its other names that gets it. Once
    /// these are known nothing else is written.
    instead: Option<HashMap<DocumentKey, DocumentKey>>,
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

    /// Gives a file that was written without its holes the holes of its entry.
    fn make_holes(&self, entry: &Entry) -> Result<(), BackupStoreError> {
        let tree = &self.root.tree;
        let packed = tree.file(&self.relative);
        let made = packed.and_then(|mut packed| {
            tree.remove_name(&self.relative)?;
            let mut file = tree.new_file(&self.relative)?;
            spread(&mut packed, &mut file, entry.holes(), entry.size)
        });
        made.map_err(self.cannot("cannot write"))
    }

    /// Writes the file that is in another place, with its holes, here too.
    fn copy(&self, from: &Place<'_>, entry: &Entry) -> Result<(), BackupStoreError> {
        let opened = from.root.tree.file(&from.relative);
        let copied = opened.and_then(|opened| {
            let mut data = FileData::around(opened, entry.size, entry.holes().to_vec());
            let mut file = self.root.tree.new_file(&self.relative)?;
            spread(&mut data, &mut file, entry.holes(), entry.size)
        });
        copied.map_err(self.cannot("cannot write"))
    }

    /// Makes permissions, owner, attributes and time those of the state, as far as the daemon may set them.
    fn set_metadata(
        &self,
        document: (&DocumentKey, &Entry),
        unset: &mut Unset,
    ) -> Result<(), BackupStoreError> {
        let set = self.root.tree.above(&self.relative);
        let set =
            set.and_then(|(above, name)| Ok(set_metadata(above.as_fd(), name, document, unset)?));
        set.map_err(self.cannot("cannot set owner, permissions, attributes or time of"))
    }
}

impl TreeWriter {
    /// Where a document belongs: below the root with the longest prefix.
    fn place(&self, key: &DocumentKey) -> Option<Place<'_>> {
        let is_ignored = |key: &str| self.ignored.contains(key);
        if is_ignored(key.as_str()) || key.ancestors().any(is_ignored) {
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

    /// Where the content of a document goes, which may be under another of its names.
    fn place_of_content(&self, key: &DocumentKey) -> Option<Place<'_>> {
        match &self.instead {
            None => self.place(key),
            Some(instead) => self.place(instead.get(key)?),
        }
    }

    fn is_written(&self, key: &DocumentKey) -> bool {
        self.only.holds(key) && self.place(key).is_some()
    }

    /// The names that get the content of files of which the name that holds it is not written.
    fn names_instead(
        &self,
        listing: &Listing,
    ) -> Result<HashMap<DocumentKey, DocumentKey>, BackupStoreError> {
        let mut instead = HashMap::new();
        for link in listing.links() {
            let (key, entry) = link?;
            if let Some(holder) = entry.link()
                && self.is_written(&key)
                && !self.is_written(holder)
            {
                instead.entry(holder.clone()).or_insert(key);
            }
        }
        Ok(instead)
    }

    /// The name by which the content of a document was written; none where it was not.
    fn written_as<'a>(&'a self, key: &'a DocumentKey, entry: &'a Entry) -> Option<&'a DocumentKey> {
        let holder = entry.link().unwrap_or(key);
        let instead = self.instead.as_ref();
        let name = instead.and_then(|instead| instead.get(holder));
        let name = name.unwrap_or(holder);
        self.is_written(name).then_some(name)
    }

    /// Makes the holes of files, and then their other names.
    fn make_names(
        &self,
        listing: &Listing,
        stop: &CancellationToken,
        unset: &mut Unset,
    ) -> Result<(), BackupStoreError> {
        for document in listing.iter() {
            check_stop(stop)?;
            let (key, entry) = &document?;
            if entry.holes().is_empty() {
                continue;
            }
            let place = self.place(key);
            if let Some(place) = place.filter(|_| self.written_as(key, entry) == Some(key)) {
                place.make_holes(entry)?;
            }
        }
        for link in listing.links() {
            check_stop(stop)?;
            let (key, entry) = &link?;
            let Some(name) = self.written_as(key, entry).filter(|name| *name != key) else {
                continue;
            };
            let place = self.place(key).filter(|_| self.only.holds(key));
            let (Some(place), Some(there)) = (place, self.place(name)) else {
                continue;
            };
            let of = (&there.root.tree, there.relative.as_slice());
            if let Err(error) = place.root.tree.new_name(&place.relative, of) {
                place.copy(&there, entry)?;
                unset.add(key, &format!("it is a file of its own: {error}"));
            }
        }
        Ok(())
    }

    /// Makes directories and links, and gives everything its metadata.
    fn finish(
        mut self,
        listing: &Listing,
        aside: &Aside,
        stop: &CancellationToken,
    ) -> Result<RestoredTree, BackupStoreError> {
        let mut restored = RestoredTree {
            documents: 0,
            bytes: 0,
            not_put_back: NotPutBack::default(),
            notes: Vec::new(),
        };
        let links = mem::replace(&mut self.links, Sorter::new(aside)).finish();
        let (mut unset, mut directories) = (Unset::default(), Sorter::new(aside));
        self.open = None;
        self.make_names(listing, stop, &mut unset)?;
        for document in listing.iter() {
            check_stop(stop)?;
            let (key, entry) = &document?;
            let leads_there = entry.kind == DocumentKind::Directory && self.only.leads_through(key);
            if !self.only.holds(key) && !leads_there {
                continue;
            }
            let Some(place) = self.place(key) else {
                restored.not_put_back.add(key);
                continue;
            };
            let tree = &place.root.tree;
            match entry.kind {
                DocumentKind::Directory => {
                    let made = tree.new_directory(&place.relative);
                    made.map_err(place.cannot("cannot make"))?;
                    directories.push(&last_first(key), key.as_str().as_bytes());
                }
                DocumentKind::Symlink => {
                    let leads_to = links.get(key.as_str().as_bytes()).map_err(unreadable)?;
                    let leads_to = leads_to.unwrap_or_default();
                    let made = tree.new_link(&place.relative, &leads_to);
                    made.map_err(place.cannot("cannot make"))?;
                    place.set_metadata((key, entry), &mut unset)?;
                }
                DocumentKind::File => place.set_metadata((key, entry), &mut unset)?,
            }
            restored.documents += 1;
            restored.bytes += match entry.link() {
                Some(_) => 0,
                None => entry.size,
            };
        }
        if self.only.has_patterns() {
            restored.documents += self.find_made(listing, &mut directories)?;
        }
        // Children before their directory: making them changes its time, and it may forbid writing.
        for directory in directories.finish().iter() {
            let (_, key) = directory.map_err(unreadable)?;
            let key = key_of(&key).map_err(unreadable)?;
            if let (Some(place), Some(entry)) = (self.place(&key), listing.get(&key)?) {
                place.set_metadata((&key, &entry), &mut unset)?;
            }
        }
        restored.notes.extend(unset.note());
        for Root { path, .. } in &self.roots {
            durable::sync_tree(path).map_err(unavailable("cannot fsync", path))?;
        }
        Ok(restored)
    }
}

impl TreeWriter {
    /// The directories that are not meant themselves, and were made for what patterns name in them; how many.
    fn find_made(
        &self,
        listing: &Listing,
        directories: &mut Sorter,
    ) -> Result<u64, BackupStoreError> {
        let mut count = 0;
        for document in listing.iter() {
            let (key, entry) = document?;
            let is_known = self.only.holds(&key) || self.only.leads_through(&key);
            if entry.kind != DocumentKind::Directory || is_known {
                continue;
            }
            let place = self.place(&key);
            if place.is_some_and(|place| place.root.tree.place(&place.relative).is_ok()) {
                directories.push(&last_first(&key), key.as_str().as_bytes());
                count += 1;
            }
        }
        Ok(count)
    }
}

/// A key by which documents come in the reverse order of theirs, what lies in a directory before it: no byte of a key is 0.
fn last_first(key: &DocumentKey) -> Vec<u8> {
    let bytes = key.as_str().bytes().map(|byte| !byte);
    bytes.chain([u8::MAX]).collect()
}

impl TreeWriter {
    /// The file of a document whose content is written; the one that was written last is still open.
    fn file(&mut self, key: &DocumentKey) -> Result<Option<(&File, &PathBuf)>, BackupStoreError> {
        if self.open.as_ref().is_none_or(|(open, ..)| open != key) {
            self.open = None;
            let Some(place) = self.place_of_content(key) else {
                return Ok(None);
            };
            let file = place.root.tree.file_again(&place.relative);
            let file = file.map_err(place.cannot("cannot open"))?;
            self.open = Some((key.clone(), place.path(), file));
        }
        Ok(self.open.as_ref().map(|(_, path, file)| (file, path)))
    }

    /// The file of a document, to be read again.
    fn written(&self, key: &DocumentKey) -> Result<Option<(File, PathBuf)>, BackupStoreError> {
        let Some(place) = self.place_of_content(key) else {
            return Ok(None);
        };
        let file = place.root.tree.file(&place.relative);
        let file = file.map_err(place.cannot("cannot open"))?;
        Ok(Some((file, place.path())))
    }
}

impl Sink for TreeWriter {
    fn takes(&self, key: &DocumentKey) -> bool {
        match &self.instead {
            None => self.is_written(key),
            Some(instead) => instead.contains_key(key),
        }
    }

    fn document(
        &mut self,
        key: &DocumentKey,
        kind: DocumentKind,
        bytes: &[u8],
    ) -> Result<(), BackupStoreError> {
        match kind {
            DocumentKind::Directory => Ok(()),
            DocumentKind::Symlink => {
                self.links.push(key.as_str().as_bytes(), bytes);
                Ok(())
            }
            DocumentKind::File => {
                self.begin(key)?;
                let key = key.clone();
                self.piece(&Piece { key, at: 0 }, bytes)
            }
        }
    }

    fn begin(&mut self, key: &DocumentKey) -> Result<(), BackupStoreError> {
        self.open = None;
        let Some(place) = self.place_of_content(key) else {
            return Ok(());
        };
        let file = place.root.tree.new_file(&place.relative);
        let file = file.map_err(place.cannot("cannot make"))?;
        self.open = Some((key.clone(), place.path(), file));
        Ok(())
    }

    fn piece(&mut self, piece: &Piece, bytes: &[u8]) -> Result<(), BackupStoreError> {
        match self.file(&piece.key)? {
            Some((file, path)) => file
                .write_all_at(bytes, piece.at)
                .map_err(unavailable("cannot write", path)),
            None => Ok(()),
        }
    }

    fn copy(
        &mut self,
        from: Option<&Piece>,
        to: &Piece,
        (hash, size): (ContentHash, u64),
    ) -> Result<bool, BackupStoreError> {
        let (Some(from), Ok(size)) = (from, usize::try_from(size)) else {
            return Ok(false);
        };
        let Some((file, path)) = self.written(&from.key)? else {
            return Ok(false);
        };
        let mut bytes = vec![0; size];
        match file.read_exact_at(&mut bytes, from.at) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(false),
            read => read.map_err(unavailable("cannot read", &path))?,
        }
        // Its document may have been begun anew since.
        if ContentHash::of(&bytes) != hash {
            return Ok(false);
        }
        self.piece(to, &bytes)?;
        Ok(true)
    }

    fn is_right(&mut self, key: &DocumentKey, hash: ContentHash) -> Result<bool, BackupStoreError> {
        let Some((mut file, path)) = self.written(key)? else {
            return Ok(true);
        };
        let mut hasher = blake3::Hasher::new();
        io::copy(&mut file, &mut hasher).map_err(unavailable("cannot read", &path))?;
        Ok(ContentHash::from(hasher.finalize()) == hash)
    }
}
