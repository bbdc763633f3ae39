//! Documents that come in pieces, from who is not asked for them twice: each goes into the archive as it comes.
//!
//! Invariant: a document of any size is written with the memory of one part.
//! Invariant: what is below the prefix of a plugin is what the plugin gave.

use super::{Content, SourceReader, check_stop};
use crate::{
    local::{
        chunks::{ChunkSizes, Cutter},
        index::Index,
    },
    port::{BackupStoreError, Collecting, SourcePart, SourceProgram},
};
use mainstay_domain::{
    archive::{ContentHash, DocumentKey, DocumentKind, Entry, KeyPrefix, Mode},
    spec::{PluginSource, RedisSource},
    time::Timestamp,
};
use rustix::process::{getegid, geteuid};
use std::mem;

/// Who may read what no file system says of: its owner alone.
const MODE: Mode = Mode::from_bits(0o600);

/// A document that has begun.
struct Streamed {
    key: DocumentKey,
    hasher: blake3::Hasher,
    size: u64,
    cutter: Cutter,
    /// Whether it is too large for one line, so that parts of it are in the archive or held by its chain.
    is_in_parts: bool,
}

impl Streamed {
    fn begin(key: DocumentKey, sizes: ChunkSizes) -> Self {
        Self {
            key,
            hasher: blake3::Hasher::new(),
            size: 0,
            cutter: Cutter::new(sizes),
            is_in_parts: false,
        }
    }
}

/// The documents that a plugin has given.
pub(in crate::local) struct Given {
    prefix: KeyPrefix,
    documents: usize,
}

/// Once all sources are read: whether what plugins gave could be put back, and nobody else gave what is below their prefixes.
pub(in crate::local) fn check_given(
    given: &[Given],
    found: &Index,
) -> Result<(), BackupStoreError> {
    let Some(first) = given.first() else {
        return Ok(());
    };
    found.listing.check_tree()?.map_err(|error| {
        BackupStoreError::Source(format!(
            "a backup of what is below `{}` could not be restored: {error}",
            first.prefix.as_str()
        ))
    })?;
    let mut below = vec![0; given.len()];
    for document in found.listing.iter() {
        let (key, _) = document?;
        for (Given { prefix, .. }, below) in given.iter().zip(&mut below) {
            *below += usize::from(prefix.strip(&key).is_some());
        }
    }
    for (Given { prefix, documents }, below) in given.iter().zip(below) {
        if below != *documents {
            return Err(BackupStoreError::Source(format!(
                "what lies below `{}` is not from the plugin alone that has this prefix; give it another one",
                prefix.as_str()
            )));
        }
    }
    Ok(())
}

impl SourceReader<'_> {
    /// What a plugin gives. Where it fails on the way, and that is tolerated, what came until then is stored.
    pub(super) fn read_plugin(&mut self, source: &PluginSource) -> Result<(), BackupStoreError> {
        let prefix = KeyPrefix::parse(&source.prefix)
            .map_err(|error| BackupStoreError::Source(error.to_string()))?;
        let (programs, request, stop) = (self.programs, self.request, self.stop);
        let asked = Collecting {
            source,
            job: &request.job,
            backup: &request.id,
            backup_type: request.backup_type,
            started_at: request.created_at,
        };
        let (mut open, mut documents, mut is_taken) = (None, 0, true);
        let read = programs.collect(
            &asked,
            &mut |part| {
                documents += usize::from(part.last);
                let taken = self.take_part(&prefix, &mut open, part);
                is_taken = taken.is_ok();
                taken
            },
            stop,
        );
        match read {
            // What is about to be lost does not wait until it has come to rest.
            Err(BackupStoreError::Source(what) | BackupStoreError::SourceChanged(what))
                if is_taken && self.is_content_with_others() =>
            {
                documents += self.break_off(what, open)?;
            }
            read => read?,
        }
        self.given.push(Given { prefix, documents });
        Ok(())
    }

    /// What a program prints. Of one that fails nothing is stored, and so no backup is: what it printed last may be what tells
    /// that it is of use.
    pub(super) fn read_program(
        &mut self,
        source: &SourceProgram<'_>,
        key: DocumentKey,
    ) -> Result<(), BackupStoreError> {
        let (programs, stop) = (self.programs, self.stop);
        let mut document = Streamed::begin(key, self.sizes);
        let mut go_on = |bytes: &[u8]| self.go_on(&mut document, bytes);
        programs.run(source, &mut go_on, stop)?;
        self.end(document)
    }

    /// What a Redis holds. Where it fails on the way, and that is tolerated, what came until then is stored.
    pub(super) fn read_redis(&mut self, source: &RedisSource) -> Result<(), BackupStoreError> {
        let key = DocumentKey::parse(&source.key)
            .map_err(|error| BackupStoreError::Source(error.to_string()))?;
        let (programs, stop) = (self.programs, self.stop);
        let mut document = Streamed::begin(key, self.sizes);
        let mut is_taken = true;
        let read = programs.dump(
            source,
            &mut |bytes| {
                let taken = self.go_on(&mut document, bytes);
                is_taken = taken.is_ok();
                taken
            },
            stop,
        );
        match read {
            Err(BackupStoreError::Source(what)) if is_taken && self.is_content_with_others() => {
                self.break_off(what, Some(document)).map(|_| ())
            }
            read => read.and_then(|()| self.end(document)),
        }
    }

    /// A source has ended too soon, perhaps in the middle of a document. How many documents are stored of that.
    fn break_off(
        &mut self,
        what: String,
        open: Option<Streamed>,
    ) -> Result<usize, BackupStoreError> {
        self.incomplete = true;
        let Some(document) = open.filter(|open| open.is_in_parts) else {
            self.warnings.push(what);
            return Ok(0);
        };
        // Parts of it are in the archive; they are closed with what came.
        self.warnings.push(format!(
            "{what}; of `{}` the first {} bytes are stored",
            document.key, document.size
        ));
        self.end(document)?;
        Ok(1)
    }

    fn take_part(
        &mut self,
        prefix: &KeyPrefix,
        open: &mut Option<Streamed>,
        part: SourcePart<'_>,
    ) -> Result<(), BackupStoreError> {
        let mut document = match open.take() {
            Some(document) => document,
            None => Streamed::begin(key_of(prefix, part.key)?, self.sizes),
        };
        self.go_on(&mut document, part.bytes)?;
        match part.last {
            true => self.end(document),
            false => {
                *open = Some(document);
                Ok(())
            }
        }
    }

    /// The next bytes of a document.
    fn go_on(&mut self, document: &mut Streamed, bytes: &[u8]) -> Result<(), BackupStoreError> {
        check_stop(self.stop)?;
        let Streamed {
            key,
            hasher,
            size,
            cutter,
            is_in_parts,
        } = document;
        hasher.update(bytes);
        *size += bytes.len() as u64;
        let writer = &mut self.writer;
        cutter.push(bytes, &mut |chunk| {
            if !mem::replace(is_in_parts, true) {
                writer.begin();
            }
            writer.part(key, chunk)
        })?;
        let mut done = self.done;
        done.bytes += *size;
        (self.progress)(done);
        Ok(())
    }

    /// A document is whole.
    fn end(&mut self, document: Streamed) -> Result<(), BackupStoreError> {
        let Streamed {
            key,
            hasher,
            size,
            cutter,
            is_in_parts,
        } = document;
        let content = match is_in_parts {
            false => Content::Here(cutter.into_rest()),
            true => {
                let writer = &mut self.writer;
                cutter.finish(&mut |chunk| writer.part(&key, chunk))?;
                self.writer.end().into()
            }
        };
        let entry = Entry {
            kind: DocumentKind::File,
            mode: MODE,
            mtime: time_of(self.request.created_at),
            uid: geteuid().as_raw(),
            gid: getegid().as_raw(),
            size,
            hash: ContentHash::from(hasher.finalize()),
            extras: None,
        };
        let entry = self.as_before(&key, entry)?;
        self.record(key, entry, content, None)
    }
}

/// The key of a document that a plugin begins.
fn key_of(prefix: &KeyPrefix, given: &str) -> Result<DocumentKey, BackupStoreError> {
    let refused = |why: String| {
        BackupStoreError::Source(format!(
            "what is to be below `{}` cannot be stored: {why}",
            prefix.as_str()
        ))
    };
    let key = DocumentKey::parse(given).and_then(DocumentKey::restorable);
    let key = key.map_err(|error| refused(error.to_string()))?;
    match key.is_root() {
        false => Ok(prefix.join(&key)),
        true => Err(refused("a document has the key `.`".to_owned())),
    }
}

fn time_of(at: Timestamp) -> jiff::Timestamp {
    let millis = i64::try_from(at.as_millis()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX)
}
