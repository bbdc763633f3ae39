//! The content of one document of a chain, put together from whatever links hold it.
//!
//! Invariant: what is small is held in memory, so that a full disk keeps nobody from it; the rest is spooled in a file
//! without a name.

use super::{
    check_stop,
    error::unavailable,
    files::{Layout, create_private, remove_file},
    sink::Sink,
};
use crate::port::{BackupStoreError, OnContent};
use mainstay_domain::{
    archive::{ContentHash, DocumentKey, DocumentKind, Hole, PART_BYTES},
    backup_chain::Place,
    id::BackupId,
    name::JobName,
};
use std::{
    fs::File,
    io::{ErrorKind, Read, Seek},
    mem,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};
use tokio_util::sync::CancellationToken;

/// Tells spools apart that are made at once.
static SPOOLS: AtomicU64 = AtomicU64::new(0);

/// Takes the content of one document and of no other.
pub(super) struct OneDocument<'a> {
    key: &'a DocumentKey,
    /// Where a spool is made.
    spool: PathBuf,
    content: Content,
}

enum Content {
    Small(Vec<u8>),
    Spooled(File),
}

impl<'a> OneDocument<'a> {
    pub(super) fn new(
        layout: &Layout,
        job: &JobName,
        chain: &[BackupId],
        key: &'a DocumentKey,
    ) -> Self {
        let number = SPOOLS.fetch_add(1, Ordering::Relaxed);
        let what = format!("dump-{number}");
        let newest = chain.last();
        let spool = newest.map_or_else(PathBuf::new, |id| layout.partial(job, id, &what));
        let content = Content::Small(Vec::new());
        Self {
            key,
            spool,
            content,
        }
    }

    /// Hands on what came, from the beginning to the end, with zeros for these holes.
    pub(super) fn hand_on(
        self,
        holes: &[Hole],
        stop: &CancellationToken,
        on_content: &mut OnContent<'_>,
    ) -> Result<(), BackupStoreError> {
        let mut whole = Whole {
            holes,
            at: 0,
            stop,
            on_content,
        };
        match self.content {
            Content::Small(bytes) => whole.data(&bytes)?,
            Content::Spooled(file) => {
                for_each_piece(file, &self.spool, &mut |bytes| whole.data(bytes))?;
            }
        }
        whole.zeros()
    }
}

static ZEROS: [u8; 1 << 16] = [0; 1 << 16];

/// Hands on data with what is between it.
struct Whole<'a, 'b> {
    /// Those that are still to come.
    holes: &'a [Hole],
    /// How much was handed on.
    at: u64,
    stop: &'a CancellationToken,
    on_content: &'a mut OnContent<'b>,
}

impl Whole<'_, '_> {
    /// Hands on the holes that begin here.
    fn zeros(&mut self) -> Result<(), BackupStoreError> {
        while let Some((hole, rest)) = self.holes.split_first()
            && hole.offset <= self.at
        {
            while self.at < hole.end() {
                check_stop(self.stop)?;
                let left = usize::try_from(hole.end() - self.at).unwrap_or(usize::MAX);
                let piece = ZEROS.get(..left.min(ZEROS.len())).unwrap_or_default();
                (self.on_content)(piece)?;
                self.at += piece.len() as u64;
            }
            self.holes = rest;
        }
        Ok(())
    }

    /// Hands on data, and the holes before and among it.
    fn data(&mut self, mut bytes: &[u8]) -> Result<(), BackupStoreError> {
        while !bytes.is_empty() {
            self.zeros()?;
            let hole = self.holes.first();
            let until = hole.map_or(u64::MAX, |hole| hole.offset.saturating_sub(self.at));
            let until = usize::try_from(until).unwrap_or(usize::MAX);
            let (piece, rest) = bytes.split_at(until.min(bytes.len()));
            (self.on_content)(piece)?;
            self.at += piece.len() as u64;
            bytes = rest;
        }
        Ok(())
    }
}

impl Sink for OneDocument<'_> {
    fn takes(&self, key: &DocumentKey) -> bool {
        key == self.key
    }

    fn document(
        &mut self,
        _: &DocumentKey,
        _: DocumentKind,
        bytes: &[u8],
    ) -> Result<(), BackupStoreError> {
        self.content = Content::Small(bytes.to_vec());
        Ok(())
    }

    fn begin(&mut self, _: &DocumentKey) -> Result<(), BackupStoreError> {
        self.content = Content::Small(Vec::new());
        Ok(())
    }

    fn piece(&mut self, place: &Place, bytes: &[u8]) -> Result<(), BackupStoreError> {
        let at = usize::try_from(place.at).unwrap_or(usize::MAX);
        let end = at.saturating_add(bytes.len());
        if let Content::Small(small) = &mut self.content {
            if end <= PART_BYTES {
                if small.len() < end {
                    small.resize(end, 0);
                }
                if let Some(there) = small.get_mut(at..end) {
                    there.copy_from_slice(bytes);
                }
                return Ok(());
            }
            let small = mem::take(small);
            let file = create_private(&self.spool)?;
            remove_file(&self.spool)?;
            file.write_all_at(&small, 0)
                .map_err(unavailable("cannot write", &self.spool))?;
            self.content = Content::Spooled(file);
        }
        match &self.content {
            Content::Spooled(file) => file
                .write_all_at(bytes, place.at)
                .map_err(unavailable("cannot write", &self.spool)),
            Content::Small(_) => Ok(()),
        }
    }

    fn copy(
        &mut self,
        from: Option<&Place>,
        to: &Place,
        (hash, size): (ContentHash, u64),
    ) -> Result<bool, BackupStoreError> {
        let (Some(from), Ok(size)) = (from, usize::try_from(size)) else {
            return Ok(false);
        };
        let bytes = match &self.content {
            Content::Small(small) => {
                let at = usize::try_from(from.at).unwrap_or(usize::MAX);
                let there = small.get(at..at.saturating_add(size));
                there.unwrap_or_default().to_vec()
            }
            Content::Spooled(file) => {
                let mut bytes = vec![0; size];
                match file.read_exact_at(&mut bytes, from.at) {
                    Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(false),
                    read => read.map_err(unavailable("cannot read", &self.spool))?,
                }
                bytes
            }
        };
        if ContentHash::of(&bytes) != hash {
            return Ok(false);
        }
        self.piece(to, &bytes)?;
        Ok(true)
    }

    fn is_right(&mut self, _: &DocumentKey, hash: ContentHash) -> Result<bool, BackupStoreError> {
        let mut hasher = blake3::Hasher::new();
        match &self.content {
            Content::Small(bytes) => {
                hasher.update(bytes);
            }
            Content::Spooled(file) => {
                let file = file
                    .try_clone()
                    .map_err(unavailable("cannot read", &self.spool))?;
                for_each_piece(file, &self.spool, &mut |bytes| {
                    hasher.update(bytes);
                    Ok(())
                })?;
            }
        }
        Ok(ContentHash::from(hasher.finalize()) == hash)
    }
}

fn for_each_piece(
    mut file: File,
    path: &Path,
    on_piece: &mut OnContent<'_>,
) -> Result<(), BackupStoreError> {
    let cannot = unavailable("cannot read", path);
    file.rewind().map_err(&cannot)?;
    let mut buffer = vec![0; 1 << 18];
    loop {
        let count = file.read(&mut buffer).map_err(&cannot)?;
        match buffer.get(..count) {
            Some(bytes) if count > 0 => on_piece(bytes)?,
            _ => return Ok(()),
        }
    }
}
