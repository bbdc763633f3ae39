//! What stored backups hold, and what their sources hold now.

use super::{
    LocalBackups,
    apart::own_places,
    check_stop,
    files::Layout,
    hard_links::HardLinks,
    index::Index,
    one_document::OneDocument,
    read::{read_chain, read_manifests},
    reading::Reading,
    scan::read_found,
    sink::DiscardSink,
    source::{Got, WalkRules, tolerate, walk},
    source_mounts::SourceMounts,
    store,
    tree_writer::nothing_under,
    unread::Gaps,
};
use crate::port::{BackupContents, BackupStoreError, LiveState, OnContent, OnProgress, Progress};
use mainstay_domain::{
    archive::{DocumentKey, DocumentKind, Entry, KeyPrefix, Selection, State},
    id::BackupId,
    name::JobName,
    spec::{BackupSource, HttpSource, PluginSource, ReadingSpec, RedisSource},
};
use std::path::Path;
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
            Some(index) => index.listing.state(),
            None => {
                let sink = &mut DiscardSink;
                let composed = read_chain(&self.layout, &self.stop, job, chain, progress, sink)?;
                composed.listing.state()
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
        let mut document = OneDocument::new(&self.layout, job, chain, key);
        let composed = read_chain(
            &self.layout,
            &self.stop,
            job,
            chain,
            progress,
            &mut document,
        )?;
        let entry = composed.listing.get(key)?;
        let entry = entry.as_ref();
        if let Some(holder) = entry.and_then(Entry::link) {
            return self.content(job, chain, holder, progress, on_content);
        }
        match entry.map(|entry| entry.kind) {
            Some(DocumentKind::File | DocumentKind::Symlink) => {}
            Some(DocumentKind::Directory) => {
                let id = chain.last().map_or_else(String::new, ToString::to_string);
                return Err(BackupStoreError::Unavailable(format!(
                    "`{key}` is a directory; name a file, as `mainstay backup ls {id} {key}` lists them, or restore it with --path"
                )));
            }
            None => {
                let only = Selection::under(vec![key.clone()]);
                let documents = composed.listing.iter();
                let keys = documents.map(|document| document.map(|(key, _)| key));
                let longer = only.missing_among(keys)?.and_then(|(_, longer)| longer);
                return Err(nothing_under(key.as_str(), longer.as_ref(), chain.last()));
            }
        }
        let holes = entry.map(Entry::holes).unwrap_or_default();
        document.hand_on(holes, &self.stop, on_content)
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
    let (mut done, mut links) = (Progress::default(), HardLinks::held());
    for source in sources {
        match source {
            BackupSource::Directory { path, prefix } => {
                let read = read_directory(
                    layout,
                    stop,
                    (path.as_path(), prefix.as_str(), reading),
                    (&mut live, &mut links),
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
            | BackupSource::Plugin(PluginSource { prefix: key, .. })
            | BackupSource::Redis(RedisSource { key, .. })
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
    (live, links): (&mut LiveState, &mut HardLinks),
    on_read: &mut dyn FnMut(u64),
) -> Result<(), BackupStoreError> {
    let prefix =
        KeyPrefix::parse(prefix).map_err(|error| BackupStoreError::Source(error.to_string()))?;
    let gaps = Gaps::default();
    let rules = WalkRules {
        except: &own_places(layout),
        tolerant: true,
        gaps: &gaps,
        mounts: &SourceMounts::default(),
        reading,
        stop,
    };
    let LiveState { state, notes, .. } = live;
    let walked = walk(path, &rules, notes, &mut |found, notes| {
        check_stop(stop)?;
        let key = DocumentKey::from_bytes(&found.relative)
            .map_err(|error| BackupStoreError::Source(error.to_string()))?;
        let key = prefix.join(&key);
        let read = read_found(&found, &key, links, None);
        let entry = match tolerate(read, &found.path, &rules, notes)? {
            Got::This(entry) => entry,
            Got::Vanished => return Ok(()),
            Got::Unread(what) => {
                notes.push(what);
                return Ok(());
            }
        };
        on_read(entry.stored_bytes());
        let taken = state.insert(key, entry);
        taken.map_err(|error| BackupStoreError::Source(error.to_string()))
    });
    notes.extend(gaps.into_unseen().into_notes());
    walked
}
