//! What stored backups hold, and what their sources hold now.

use super::{
    LocalBackups, check_stop,
    files::Layout,
    index::Index,
    read::{DiscardSink, Sink, read_chain, read_manifests},
    reading::Reading,
    scan::read_found,
    source::{WalkRules, tolerate, walk},
    store,
    tree_writer::nothing_under,
};
use crate::port::{BackupContents, BackupStoreError, LiveState, OnContent, OnProgress, Progress};
use mainstay_domain::{
    archive::{DocumentKey, DocumentKind, KeyPrefix, State},
    id::BackupId,
    name::JobName,
    spec::{BackupSource, HttpSource, ReadingSpec},
};
use std::{cell::Cell, path::Path};
use tokio_util::sync::CancellationToken;

impl BackupContents for LocalBackups {
    fn state(
        &self,
        job: &JobName,
        chain: &[BackupId],
        progress: &OnProgress,
    ) -> Result<State, BackupStoreError> {
        store::check_there(&self.layout, job)?;
        let manifests = read_manifests(&self.layout, job, chain)?;
        let newest = manifests.last();
        let index = newest.and_then(|it| Index::load(&self.layout, job, &it.id, it.root_hash));
        match index {
            Some(index) => Ok(index.state),
            None => {
                let sink = &mut DiscardSink;
                read_chain(&self.layout, &self.stop, job, chain, progress, sink)
            }
        }
    }

    fn live(
        &self,
        (sources, reading): (&[BackupSource], &ReadingSpec),
        progress: &OnProgress,
    ) -> Result<LiveState, BackupStoreError> {
        let reading = Reading::of(reading)?;
        live(&self.layout, &self.stop, (sources, &reading), progress)
    }

    fn content(
        &self,
        job: &JobName,
        chain: &[BackupId],
        key: &DocumentKey,
        progress: &OnProgress,
        on_content: &mut OnContent<'_>,
    ) -> Result<(), BackupStoreError> {
        store::check_there(&self.layout, job)?;
        let mut counted = BeginningsOf { key, count: 0 };
        let state = read_chain(&self.layout, &self.stop, job, chain, progress, &mut counted)?;
        match state.get(key).map(|entry| entry.kind) {
            Some(DocumentKind::File | DocumentKind::Symlink) => {}
            Some(DocumentKind::Directory) => {
                let id = chain.last().map_or_else(String::new, ToString::to_string);
                return Err(BackupStoreError::Unavailable(format!(
                    "`{key}` is a directory; name a file, as `mainstay backup ls {id} {key}` lists them, or restore it with --path"
                )));
            }
            None => return Err(nothing_under(key, chain.last())),
        }
        let mut sink = ContentSink {
            key,
            to_pass: counted.count,
            on_content,
        };
        read_chain(&self.layout, &self.stop, job, chain, progress, &mut sink)?;
        Ok(())
    }
}

/// Counts how often a document is begun: a file that changed while it was read is in its archive more than once, and the
/// last one counts.
struct BeginningsOf<'a> {
    key: &'a DocumentKey,
    count: u32,
}

impl Sink for BeginningsOf<'_> {
    fn document(
        &mut self,
        key: &DocumentKey,
        _: DocumentKind,
        _: &[u8],
    ) -> Result<(), BackupStoreError> {
        self.part(key, true, b"")
    }

    fn part(&mut self, key: &DocumentKey, first: bool, _: &[u8]) -> Result<(), BackupStoreError> {
        self.count += u32::from(first && key == self.key);
        Ok(())
    }
}

/// Hands on the content of one document from its last beginning on.
struct ContentSink<'a, 'b> {
    key: &'a DocumentKey,
    /// Beginnings that are still to come.
    to_pass: u32,
    on_content: &'a mut OnContent<'b>,
}

impl Sink for ContentSink<'_, '_> {
    fn document(
        &mut self,
        key: &DocumentKey,
        _: DocumentKind,
        bytes: &[u8],
    ) -> Result<(), BackupStoreError> {
        self.part(key, true, bytes)
    }

    fn part(
        &mut self,
        key: &DocumentKey,
        first: bool,
        bytes: &[u8],
    ) -> Result<(), BackupStoreError> {
        if key != self.key {
            return Ok(());
        }
        self.to_pass = self.to_pass.saturating_sub(u32::from(first));
        match self.to_pass == 0 && !bytes.is_empty() {
            true => (self.on_content)(bytes),
            false => Ok(()),
        }
    }
}

/// What directories hold. What cannot be read is told, and is not there.
fn live(
    layout: &Layout,
    stop: &CancellationToken,
    (sources, reading): (&[BackupSource], &Reading),
    progress: &OnProgress,
) -> Result<LiveState, BackupStoreError> {
    let mut live = LiveState::default();
    let mut done = Progress::default();
    for source in sources {
        match source {
            BackupSource::Directory { path, prefix } => {
                let read = read_directory(
                    layout,
                    stop,
                    (path.as_path(), prefix.as_str(), reading),
                    &mut live,
                    &mut |bytes| {
                        done.documents += 1;
                        done.bytes += bytes;
                        progress(done);
                    },
                );
                match read {
                    Err(BackupStoreError::Source(what)) => live.notes.push(what),
                    read => read?,
                }
            }
            BackupSource::Command { key, .. }
            | BackupSource::File { key, .. }
            | BackupSource::Http(HttpSource { key, .. })
            | BackupSource::Sqlite { key, .. } => {
                live.not_read.extend(DocumentKey::parse(key));
            }
        }
    }
    Ok(live)
}

fn read_directory(
    layout: &Layout,
    stop: &CancellationToken,
    (path, prefix, reading): (&Path, &str, &Reading),
    live: &mut LiveState,
    on_read: &mut dyn FnMut(u64),
) -> Result<(), BackupStoreError> {
    let prefix =
        KeyPrefix::parse(prefix).map_err(|error| BackupStoreError::Source(error.to_string()))?;
    let rules = WalkRules {
        except: layout.root(),
        tolerant: true,
        gaps: &Cell::new(false),
        reading,
        stop,
    };
    let LiveState { state, notes, .. } = live;
    walk(path, &rules, notes, &mut |found, notes| {
        check_stop(stop)?;
        let key = DocumentKey::from_bytes(&found.relative)
            .map_err(|error| BackupStoreError::Source(error.to_string()))?;
        let read = read_found(&found);
        let Some(entry) = tolerate(read, &found.path, &rules, notes)? else {
            return Ok(());
        };
        on_read(entry.size);
        let taken = state.insert(prefix.join(&key), entry);
        taken.map_err(|error| BackupStoreError::Source(error.to_string()))
    })
}
