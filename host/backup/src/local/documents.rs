//! Reads the documents of a backup's sources and writes those that differ from the baseline.
//!
//! Invariant: a document of any size is read with the memory of one part.
//! Invariant: what is recorded is what was read: size and hash are those of the bytes that went into the archive.
//! Invariant: no file is stored whose end could not be read. Where its beginning is in the archive by then, which takes nothing
//! back, the backup begins anew without it; but after some of them each large file is copied before, so that of any number one
//! more is only missed.
//!
//! Length: a document's way from its source to its line in the archive is one story, told in order.

mod ahead;
mod kept;
mod selected;
mod streamed;
mod together;

pub(super) use {streamed::check_given, together::check_together};

use super::{
    apart::own_places,
    check_stop,
    chunks::{ChunkSizes, for_each_chunk},
    database,
    error::unavailable,
    files::{Layout, create_private, remove_file},
    hard_links::{HardLinks, Name},
    holes::FileData,
    index::{Gathered, Index, Stamp},
    pieces::{Parts, PieceWriter},
    reading::Reading,
    rows::Known,
    source::{Found, Got, WalkRules, single, tolerate, walk},
    source_mounts::SourceMounts,
    sqlite,
    table::{Aside, unreadable},
    tree::target,
    unread::{Gaps, Unread, Unseen},
    xattrs::read_xattrs,
};
use crate::port::{
    BackupStoreError, OnProgress, Progress, SourceProgram, SourcePrograms, TakeBackup, Unreadable,
};
use ahead::{Copied, MOST_ANEW};
use mainstay_domain::{
    archive::{
        ContentHash, DocumentKey, DocumentKind, Entry, KeyPrefix, Mode, XattrName, Xattrs,
        cut_to_data,
    },
    backup::BackupType,
    spec::{BackupSource, HttpSource},
    text::{counted, excerpt},
};
use selected::Selected;
use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs::{self, File, Metadata},
    io::{ErrorKind, Read},
    mem,
    os::unix::fs::MetadataExt,
    path::Path,
};
use streamed::Given;
use tokio_util::sync::CancellationToken;

/// So many things to know of a backup are named, beside what cannot be read.
const MOST_WARNINGS: usize = if cfg!(test) { 100 } else { 1_000 };

/// Files that broke off when their beginning was in an archive, and why; sentences for people.
pub(super) type BrokenOff = RefCell<BTreeMap<DocumentKey, String>>;

/// Reads sources into an archive.
pub(super) struct SourceReader<'a> {
    layout: &'a Layout,
    programs: &'a dyn SourcePrograms,
    stop: &'a CancellationToken,
    request: &'a TakeBackup,
    progress: &'a OnProgress,
    baseline: &'a Index,
    /// The archive, and how what is large is cut for it.
    pub(super) writer: PieceWriter,
    sizes: ChunkSizes,
    /// When it was begun before.
    broken_off: &'a BrokenOff,
    /// What was found.
    pub(super) found: Gathered,
    /// What was recorded last.
    last: Option<Entry>,
    /// What people should know.
    pub(super) warnings: Vec<String>,
    /// How many of that are not named.
    unnamed: u64,
    /// Whether something that was there is not in the archive as it was.
    pub(super) incomplete: bool,
    /// Which of the directories are mount points.
    pub(super) mounts: SourceMounts,
    /// What cannot be read, until it comes before all other warnings.
    unread: Unread,
    hard_links: HardLinks,
    /// Which documents are taken.
    selected: Selected,
    /// What plugins gave.
    pub(super) given: Vec<Given>,
    done: Progress,
}

/// The content of a document, as far as it is still to be written.
enum Content {
    /// All of it.
    Here(Vec<u8>),
    /// That of the baseline.
    Unchanged,
    /// It is in the archive already, in so many parts with so many bytes.
    Written(u32, u64),
    /// The chain holds these parts of it, and they are all.
    Held(Vec<(ContentHash, u64)>),
    /// That of the document that the entry names.
    Linked,
}

impl From<Parts> for Content {
    fn from(parts: Parts) -> Self {
        match parts {
            // It was emptied meanwhile; a document in parts has at least one.
            Parts::None => Content::Here(Vec::new()),
            Parts::Written { parts, bytes } => Content::Written(parts, bytes),
            Parts::Held(parts) => Content::Held(parts),
        }
    }
}

/// What reading a file once gave.
struct Attempt {
    entry: Entry,
    content: Content,
    /// None where the file changed meanwhile.
    stamp: Option<Stamp>,
    /// Whether the file was the same before and after.
    is_same: bool,
}

/// Is told of each part of a file.
type OnPart<'a> = dyn FnMut(&mut PieceWriter, &[u8]) -> Result<(), BackupStoreError> + 'a;

impl<'a> SourceReader<'a> {
    pub(super) fn new(
        layout: &'a Layout,
        programs: &'a dyn SourcePrograms,
        stop: &'a CancellationToken,
        request: &'a TakeBackup,
        progress: &'a OnProgress,
        baseline: &'a Index,
        (writer, sizes, broken_off): (PieceWriter, ChunkSizes, &'a BrokenOff),
    ) -> Self {
        let found = Gathered::new(&aside_of(layout, request));
        let (warnings, done) = (Vec::new(), Progress::default());
        Self {
            layout,
            programs,
            stop,
            request,
            progress,
            baseline,
            writer,
            sizes,
            broken_off,
            found,
            last: None,
            warnings,
            unnamed: 0,
            incomplete: false,
            mounts: SourceMounts::expected(&request.mounts),
            unread: Unread::default(),
            hard_links: HardLinks::new(&aside_of(layout, request)),
            selected: Selected::default(),
            given: Vec::new(),
            done,
        }
    }

    /// Reads every source, in the order of the config.
    pub(super) fn read_sources(&mut self) -> Result<(), BackupStoreError> {
        let request = self.request;
        self.selected = Selected::of(request)?;
        for source in &request.sources {
            if !self.selected.takes_source(source) {
                continue;
            }
            match source {
                BackupSource::Directory { path, prefix } => {
                    let prefix = KeyPrefix::parse(prefix)
                        .map_err(|error| BackupStoreError::Source(error.to_string()))?;
                    self.read_directory(path, &prefix)?;
                }
                BackupSource::Command {
                    run,
                    cwd,
                    run_as,
                    key,
                    timeout,
                } => {
                    let key = DocumentKey::parse(key)
                        .map_err(|error| BackupStoreError::Source(error.to_string()))?;
                    let source = SourceProgram {
                        run,
                        cwd,
                        run_as,
                        timeout: *timeout,
                    };
                    self.read_program(&source, key)?;
                }
                BackupSource::File { path, key } => self.read_single(path, key)?,
                BackupSource::Http(source) => self.read_answer(source)?,
                BackupSource::Plugin(source) => self.read_plugin(source)?,
                BackupSource::Redis(source) => self.read_redis(source)?,
                BackupSource::Sqlite { path, key } => self.read_database(path, key)?,
            }
        }
        let mut warnings = mem::take(&mut self.unread).into_warnings();
        warnings.append(&mut self.warnings);
        if self.unnamed > 0 {
            let others = counted(self.unnamed, "warning");
            warnings.push(format!("{others} beside these are not named"));
        }
        self.warnings = warnings;
        if self.found.is_empty() && self.selected.is_part() {
            return Err(BackupStoreError::Source(format!(
                "the sources hold nothing that `include.{}` names; let it name what a backup of that type is to hold",
                request.backup_type
            )));
        }
        if self.is_tolerant() && self.found.is_empty() {
            return Err(BackupStoreError::Source(format!(
                "nothing could be read: {}",
                self.warnings.join("; ")
            )));
        }
        Ok(())
    }

    fn read_directory(&mut self, path: &Path, prefix: &KeyPrefix) -> Result<(), BackupStoreError> {
        let is_absent = || {
            let found = fs::symlink_metadata(path);
            found.is_err_and(|error| error.kind() == ErrorKind::NotFound)
        };
        if self.request.backup_type == BackupType::Emergency && is_absent() {
            self.warnings
                .push(format!("the source {} is not there", path.display()));
            return Ok(());
        }
        let patterns = self.selected.patterns();
        let reading = Reading::of(&self.request.reading)?.selecting(prefix, patterns);
        let tolerant = self.is_tolerant();
        self.selected.begin();
        let unseen = self.read_by((&reading, tolerant), |reader, rules, warnings| {
            walk(path, rules, warnings, &mut |found, warnings| {
                let key = DocumentKey::from_bytes(&found.relative)
                    .map_err(|error| BackupStoreError::Source(error.to_string()))?;
                let key = prefix.join(&key);
                match reader.selects(&key, &found, rules, warnings)? {
                    true => reader.read_found(key, &found, rules, warnings),
                    false => Ok(()),
                }
            })
        })?;
        self.keep_unseen(prefix, &reading, unseen)
    }

    /// Reads a source of files by these rules, and notes what was told and missed on the way. What could not be looked at is
    /// not told yet.
    fn read_by(
        &mut self,
        (reading, tolerant): (&Reading, bool),
        read: impl FnOnce(&mut Self, &WalkRules<'_>, &mut Vec<String>) -> Result<(), BackupStoreError>,
    ) -> Result<Unseen, BackupStoreError> {
        let gaps = Gaps::keeping(&self.aside());
        let mounts = mem::take(&mut self.mounts);
        let rules = WalkRules {
            except: &own_places(self.layout),
            tolerant,
            gaps: &gaps,
            mounts: &mounts,
            reading,
            stop: self.stop,
        };
        let mut warnings = mem::take(&mut self.warnings);
        let read = read(self, &rules, &mut warnings);
        self.warnings = warnings;
        self.mounts = mounts;
        self.incomplete |= gaps.is_any();
        self.go_on_after(read)?;
        Ok(gaps.into_unseen())
    }

    /// Where what does not fit is set aside.
    fn aside(&self) -> Aside {
        aside_of(self.layout, self.request)
    }

    /// The other sources may be readable where one is not.
    fn go_on_after(&mut self, read: Result<(), BackupStoreError>) -> Result<(), BackupStoreError> {
        match read {
            Err(BackupStoreError::Source(what)) if self.is_content_with_others() => {
                self.incomplete = true;
                self.warnings.push(what);
                Ok(())
            }
            read => read,
        }
    }

    /// A file that is a source by itself: where it cannot be read, that is a whole source.
    fn read_single(&mut self, path: &Path, key: &str) -> Result<(), BackupStoreError> {
        let key =
            DocumentKey::parse(key).map_err(|error| BackupStoreError::Source(error.to_string()))?;
        let tolerant = self.is_content_with_others();
        self.read_by(
            (&Reading::default(), tolerant),
            |reader, rules, warnings| {
                single(path, warnings, &mut |found, warnings| {
                    reader.read_found(key.clone(), &found, rules, warnings)
                })
            },
        )
        .map(drop)
    }

    /// What a server answers, which is spooled to a file.
    fn read_answer(&mut self, source: &HttpSource) -> Result<(), BackupStoreError> {
        let key = DocumentKey::parse(&source.key)
            .map_err(|error| BackupStoreError::Source(error.to_string()))?;
        let request = self.request;
        let path = self.layout.partial(&request.job, &request.id, "spool");
        let spool = create_private(&path)?;
        let read = match self.programs.fetch(source, &spool, self.stop) {
            Ok(()) => self.read_output(key, &path, &path),
            Err(error) => Err(error),
        };
        self.go_on_after(read)?;
        remove_file(&path)
    }

    /// A copy of a database, which is spooled to a file, with owner and permissions of the database.
    fn read_database(&mut self, path: &Path, key: &str) -> Result<(), BackupStoreError> {
        let key =
            DocumentKey::parse(key).map_err(|error| BackupStoreError::Source(error.to_string()))?;
        let request = self.request;
        let spool = self.layout.partial(&request.job, &request.id, "spool");
        create_private(&spool)?;
        let read = match sqlite::copy(path, &spool, self.stop) {
            Ok(unchecked) => {
                self.warnings.extend(unchecked);
                self.read_output(key, &spool, path)
            }
            Err(error) => Err(error),
        };
        self.go_on_after(read)?;
        remove_file(&spool)
    }

    /// What was spooled to a file, with the metadata of another, or of it itself. Its times say nothing of it, so the same
    /// again is no change.
    fn read_output(
        &mut self,
        key: DocumentKey,
        path: &Path,
        of: &Path,
    ) -> Result<(), BackupStoreError> {
        let file = File::open(path).map_err(unavailable("cannot read", path))?;
        let expected = file.metadata().map_err(unavailable("cannot read", path))?;
        let metadata = fs::metadata(of).map_err(unavailable("cannot look at", of))?;
        let mut file = FileData::whole(file, expected.len());
        let is_tolerant = self.is_content_with_others();
        let (size, hash, content) =
            self.read_content(&key, &mut file, path, expected.len(), is_tolerant)?;
        let entry = Entry {
            size,
            hash,
            ..entry_of(DocumentKind::File, &metadata)
        };
        let entry = self.as_before(&key, entry)?;
        self.record(key, entry, content, None)
    }

    /// A document of which only its content is known; that of the baseline where it has the same.
    fn as_before(&self, key: &DocumentKey, entry: Entry) -> Result<Entry, BackupStoreError> {
        let old = self.baseline.get(key)?.map(|known| known.entry);
        let same = old.filter(|old| old.extras.is_none() && old.same_content(&entry));
        Ok(same.unwrap_or(entry))
    }

    fn read_found(
        &mut self,
        key: DocumentKey,
        found: &Found<'_>,
        rules: &WalkRules<'_>,
        warnings: &mut Vec<String>,
    ) -> Result<(), BackupStoreError> {
        let more = warnings.len().saturating_sub(MOST_WARNINGS);
        self.unnamed += more as u64;
        warnings.truncate(MOST_WARNINGS);
        if time_of(&found.metadata).is_err() {
            warnings.push(format!(
                "the time of {} is outside of the years -9999 to 9999, and is stored as the nearest in them",
                found.path.display()
            ));
        }
        let kind = found.metadata.file_type();
        if kind.is_dir() {
            let xattrs = xattrs_of(&found.place, &found.path, rules, warnings);
            let entry = entry_of(DocumentKind::Directory, &found.metadata).with_xattrs(xattrs);
            return self.record(key, entry, Content::Here(Vec::new()), None);
        }
        if kind.is_symlink() {
            let read = tolerate(target(&found.place), &found.path, rules, warnings)?;
            let target = match read {
                Got::This(target) => target,
                Got::Vanished => return Ok(()),
                Got::Unread(what) => return self.keep_unread(&key, DocumentKind::Symlink, &what),
            };
            let (size, hash) = (target.len() as u64, ContentHash::of(&target));
            let entry = Entry {
                size,
                hash,
                mode: Mode::from_bits(0o777),
                ..entry_of(DocumentKind::Symlink, &found.metadata)
            };
            let entry = entry.with_xattrs(xattrs_of(&found.place, &found.path, rules, warnings));
            return self.record(key, entry, Content::Here(target), None);
        }
        let looked = self.hard_links.look(&found.metadata);
        match looked.map_err(unreadable)? {
            Name::First => {}
            Name::Another(entry) => return self.record(key, entry, Content::Linked, None),
            Name::Changed(first) => {
                rules.gaps.note();
                warnings.push(format!(
                    "{} is the same file as `{first}`, which changed meanwhile; they are stored as two files",
                    found.path.display()
                ));
            }
        }
        let name = key.clone();
        self.last = None;
        match self.unchanged(&key, &found.metadata)? {
            Some(entry) => {
                let stamp = Some(Stamp::of(&found.metadata));
                self.record(key, entry, Content::Unchanged, stamp)?;
            }
            None => self.read_file(key, found, rules, warnings)?,
        }
        if let Some(entry) = self.last.take() {
            let noted = self.hard_links.note(&found.metadata, &name, &entry);
            noted.map_err(unreadable)?;
        }
        // After it was read: what is written by then was begun before, or makes another stamp.
        database::look(found, rules, warnings);
        Ok(())
    }

    /// What the baseline says of a file that need not be read, with the metadata that it has now.
    fn unchanged(
        &self,
        key: &DocumentKey,
        metadata: &Metadata,
    ) -> Result<Option<Entry>, BackupStoreError> {
        let Some(Known { entry: old, stamp }) = self.baseline.get(key)? else {
            return Ok(None);
        };
        let stamp = stamp.filter(|stamp| self.baseline.trusts(stamp));
        let now = entry_of(DocumentKind::File, metadata);
        let same = stamp == Some(Stamp::of(metadata))
            && old.link().is_none()
            && (old.kind, old.size, old.mtime) == (now.kind, metadata.len(), now.mtime);
        Ok(same.then_some(Entry {
            size: old.size,
            hash: old.hash,
            extras: old.extras,
            ..now
        }))
    }

    /// Reads a file, and once more where it changed meanwhile.
    fn read_file(
        &mut self,
        key: DocumentKey,
        found: &Found<'_>,
        rules: &WalkRules<'_>,
        warnings: &mut Vec<String>,
    ) -> Result<(), BackupStoreError> {
        let mut read = match self.read_once(&key, found, rules, warnings)? {
            Got::This(read) => read,
            Got::Vanished => return Ok(()),
            Got::Unread(what) => return self.keep_unread(&key, DocumentKind::File, &what),
        };
        if !read.is_same {
            let reported = warnings.len();
            let again = self.read_once(&key, found, rules, warnings)?;
            let in_parts = |read: &Attempt| matches!(read.content, Content::Written(..));
            match again {
                // Its parts are in the archive, where only such a document's own line or its parts anew may follow.
                again
                    if in_parts(&read)
                        && !matches!(&again, Got::This(again) if in_parts(again)) =>
                {
                    warnings.truncate(reported);
                }
                Got::This(again) => read = again,
                Got::Vanished => return Ok(()),
                Got::Unread(what) => return self.keep_unread(&key, DocumentKind::File, &what),
            }
        }
        if !read.is_same {
            rules.gaps.note();
            warnings.push(format!(
                "{} changed while it was read; what was read is stored",
                found.path.display()
            ));
        }
        self.record(key, read.entry, read.content, read.stamp)
    }

    /// Reads a file as it is now.
    fn read_once(
        &mut self,
        key: &DocumentKey,
        found: &Found<'_>,
        rules: &WalkRules<'_>,
        warnings: &mut Vec<String>,
    ) -> Result<Got<Attempt>, BackupStoreError> {
        let path = &found.path;
        let opened = found.tree.file(&found.relative).and_then(|file| {
            let before = file.metadata()?;
            Ok((FileData::open(file, &before)?, before))
        });
        let (mut file, before) = match tolerate(opened, path, rules, warnings)? {
            Got::This(opened) => opened,
            Got::Vanished => return Ok(Got::Vanished),
            Got::Unread(what) => return Ok(Got::Unread(what)),
        };
        let expected = file.expected();
        let stamp = Stamp::of(&before);
        let read = self.read_content(key, &mut file, path, expected, rules.tolerant);
        let (size, hash, content) = match read {
            Err(BackupStoreError::Source(what)) if rules.tolerant => {
                return Ok(Got::Unread(what));
            }
            read => read?,
        };
        let (holes, size) = cut_to_data(file.holes(), size);
        let xattrs = xattrs_of(file.file(), path, rules, warnings);
        let after = file.file().metadata().ok();
        let is_same = size == before.len()
            && after.is_some_and(|after| {
                after.len() == size && Stamp::of(&after) == Stamp::of(&before)
            });
        let entry = Entry {
            size,
            hash,
            ..entry_of(DocumentKind::File, &before)
        };
        let entry = entry.with_xattrs(xattrs).with_holes(holes);
        Ok(Got::This(Attempt {
            entry,
            content,
            stamp: is_same.then_some(stamp),
            is_same,
        }))
    }

    /// Reads content; what is too large for one line goes into the archive at once, unless it is the baseline's. Where it breaks
    /// off by then, and that is tolerated, all begins anew.
    fn read_content(
        &mut self,
        key: &DocumentKey,
        file: &mut FileData,
        path: &Path,
        expected: u64,
        is_tolerant: bool,
    ) -> Result<(u64, ContentHash, Content), BackupStoreError> {
        if let Some(what) = self.broken_off.borrow().get(key) {
            return Err(BackupStoreError::Source(what.clone()));
        }
        let unreadable = |error: std::io::Error| {
            BackupStoreError::Source(format!("cannot read {}: {error}", path.display()))
        };
        let most = self.sizes.most;
        if expected <= most as u64 {
            let mut bytes = Vec::with_capacity(usize::try_from(expected).unwrap_or_default());
            file.by_ref()
                .take(most as u64 + 1)
                .read_to_end(&mut bytes)
                .map_err(unreadable)?;
            if bytes.len() <= most {
                return Ok((
                    bytes.len() as u64,
                    ContentHash::of(&bytes),
                    Content::Here(bytes),
                ));
            }
            file.rewind().map_err(unreadable)?;
        }
        // Of a chain that cannot be referred to it is not known by its parts that all of it is the baseline's.
        let old = match self.baseline.can_be_referred_to {
            true => None,
            false => self.baseline.get(key)?.map(|known| known.entry),
        };
        let old = old.filter(|old| file.is_like(old));
        // Where one broke off, it is known of the others first that they do not.
        let broken_off = self.broken_off.borrow().len();
        if old.is_some() || broken_off > 0 {
            let copied = match broken_off >= MOST_ANEW {
                true => Copied::begin(self.layout, self.request, expected).map(Some),
                false => Ok(None),
            };
            let read = copied.and_then(|mut copied| {
                let read = self.for_each_part(file, &mut |_, piece| match &mut copied {
                    Some(copied) => copied.write(piece),
                    None => Ok(()),
                })?;
                Ok((copied, read))
            });
            let (copied, (size, hash, ended)) = match read {
                Err(BackupStoreError::NoRoom(why)) if is_tolerant => {
                    return Err(BackupStoreError::Source(format!(
                        "cannot read {} twice, as other files break off, nor copy it before: {why}",
                        path.display()
                    )));
                }
                read => read?,
            };
            ended.map_err(unreadable)?;
            if old.is_some_and(|old| hash == old.hash) {
                return Ok((size, hash, Content::Unchanged));
            }
            if let Some(mut copied) = copied {
                copied.rewind()?;
                self.writer.begin();
                let (size, hash, ended) =
                    self.for_each_part(&mut copied, &mut |writer, piece| writer.part(key, piece))?;
                ended.map_err(|error| copied.unreadable(error))?;
                return Ok((size, hash, self.writer.end().into()));
            }
            file.rewind().map_err(unreadable)?;
        }
        self.writer.begin();
        let (size, hash, ended) =
            self.for_each_part(file, &mut |writer, piece| writer.part(key, piece))?;
        match ended.map_err(unreadable) {
            Err(BackupStoreError::Source(what)) if is_tolerant && self.writer.has_begun() => {
                let mut broken_off = self.broken_off.borrow_mut();
                broken_off.insert(key.clone(), what.clone());
                return Err(BackupStoreError::SourceChanged(what));
            }
            ended => ended?,
        }
        Ok((size, hash, self.writer.end().into()))
    }

    /// Reads to the end, or to an error of the file, and answers with size and hash of what was read.
    fn for_each_part(
        &mut self,
        file: &mut impl Read,
        on_part: &mut OnPart<'_>,
    ) -> Result<(u64, ContentHash, std::io::Result<()>), BackupStoreError> {
        let mut hasher = blake3::Hasher::new();
        let mut size = 0;
        let (mut done, writer) = (self.done, &mut self.writer);
        let ended = for_each_chunk(file, self.sizes, &mut |piece| {
            check_stop(self.stop)?;
            hasher.update(piece);
            on_part(writer, piece)?;
            size += piece.len() as u64;
            done.bytes += piece.len() as u64;
            (self.progress)(done);
            Ok(())
        })?;
        Ok((size, hasher.finalize().into(), ended))
    }

    /// Whether it goes on where something of a source cannot be read.
    fn is_tolerant(&self) -> bool {
        self.request.unreadable != Unreadable::Fails
    }

    /// Whether it goes on where a whole source cannot be read.
    fn is_content_with_others(&self) -> bool {
        self.request.unreadable == Unreadable::IsLeftOut
    }

    /// Notes a document, and writes it where it differs from the baseline.
    fn record(
        &mut self,
        key: DocumentKey,
        entry: Entry,
        content: Content,
        stamp: Option<Stamp>,
    ) -> Result<(), BackupStoreError> {
        let old = self.baseline.get(&key)?.map(|known| known.entry);
        let old = old.as_ref();
        let is_unchanged = old == Some(&entry);
        let held = old.filter(|old| old.link().is_none());
        let is_inherited = entry.size > 0 && held.is_some_and(|old| old.same_content(&entry));
        match content {
            Content::Written(parts, bytes) => {
                self.writer
                    .document_in_parts(&key, &entry, (parts, bytes))?;
            }
            _ if is_unchanged => {}
            Content::Linked => self.writer.linked(&key, &entry)?,
            _ if is_inherited => self.writer.inherited(&key, &entry)?,
            Content::Held(parts) => self.writer.document_held(&key, &entry, parts)?,
            Content::Here(bytes) => self.writer.document(&key, &entry, &bytes)?,
            Content::Unchanged => self.writer.document(&key, &entry, b"")?,
        }
        self.done.documents += 1;
        self.done.bytes += entry.stored_bytes();
        (self.progress)(self.done);
        self.found.add(&key, &entry, stamp.as_ref())?;
        self.last = Some(entry);
        Ok(())
    }
}

fn aside_of(layout: &Layout, request: &TakeBackup) -> Aside {
    Aside::new(layout, &request.job, &request.id)
}

/// The extended attributes of what is held open. What cannot be read of them is missed, and told.
fn xattrs_of(
    place: &File,
    path: &Path,
    rules: &WalkRules<'_>,
    warnings: &mut Vec<String>,
) -> Xattrs {
    let path = path.display();
    let (xattrs, missed) = match read_xattrs(place) {
        Ok((xattrs, left_out)) if left_out.is_empty() => return xattrs,
        Ok((xattrs, left_out)) => {
            let left_out: Vec<&str> = left_out.iter().map(XattrName::as_str).collect();
            let names = excerpt(&left_out.join(", "));
            let missed =
                format!("{path} has more in extended attributes than is kept; left out: {names}");
            (xattrs, missed)
        }
        Err(error) => {
            let missed = format!("the extended attributes of {path} cannot be read: {error}");
            (Xattrs::new(), missed)
        }
    };
    rules.gaps.note();
    warnings.push(missed);
    xattrs
}

/// When a file was last changed; the error is the nearest time that can be stored.
fn time_of(metadata: &Metadata) -> Result<jiff::Timestamp, jiff::Timestamp> {
    let nanoseconds = i32::try_from(metadata.mtime_nsec()).unwrap_or_default();
    let time = jiff::Timestamp::new(metadata.mtime(), nanoseconds);
    time.map_err(|_| nearest_time(metadata.mtime()))
}

/// The nearest time that can be stored to one that cannot.
fn nearest_time(seconds: i64) -> jiff::Timestamp {
    match seconds < 0 {
        true => jiff::Timestamp::MIN,
        false => jiff::Timestamp::MAX,
    }
}

/// The metadata of a file as a document's, without content.
pub(super) fn entry_of(kind: DocumentKind, metadata: &Metadata) -> Entry {
    let (Ok(mtime) | Err(mtime)) = time_of(metadata);
    Entry {
        kind,
        mode: Mode::from_bits(metadata.mode()),
        mtime,
        uid: metadata.uid(),
        gid: metadata.gid(),
        size: 0,
        hash: ContentHash::of(b""),
        extras: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn a_time_that_cannot_be_stored_is_stored_as_the_nearest() {
        for (seconds, stored, nearest) in [
            (0, true, Timestamp::UNIX_EPOCH),
            (
                253_402_207_200,
                true,
                Timestamp::from_second(253_402_207_200).unwrap(),
            ),
            (253_402_300_800, false, Timestamp::MAX),
            (i64::MAX, false, Timestamp::MAX),
            (-377_705_116_801, false, Timestamp::MIN),
            (i64::MIN, false, Timestamp::MIN),
        ] {
            let time = Timestamp::new(seconds, 999_999_999);
            assert_eq!(time.is_ok(), stored, "{seconds}");
            if !stored {
                assert_eq!(nearest_time(seconds), nearest, "{seconds}");
            }
        }
    }
}
