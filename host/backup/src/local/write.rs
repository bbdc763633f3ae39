//! Writes an archive: lines → zstd → seal → file, hashed on the way, fsynced at the end.

use super::{durable, error::unavailable, files::create_private, seal::SealWriter};
use crate::port::BackupStoreError;
use mainstay_domain::archive::{
    ArchiveLine, ContentHash, Document, DocumentKey, Encryption, End, Entry, Header, Manifest,
    Part, Tombstone,
};
use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};
use zstd::zstd_safe::CParameter;

/// What a thread compresses at a time. By zstd's own choice it would be four windows, and with what waits before and behind
/// the threads more than all else that a backup holds.
const JOB_BYTES: u32 = 1 << 20;

/// Length and hash of what was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) bytes: u64,
    pub(super) hash: ContentHash,
}

impl Stored {
    /// What a manifest says of its archive.
    pub(super) fn of(manifest: &Manifest) -> Self {
        Self {
            bytes: manifest.stored_bytes,
            hash: manifest.stored_hash,
        }
    }
}

/// Counts and hashes what passes through.
pub(super) struct Hashing<T> {
    inner: T,
    hasher: blake3::Hasher,
    bytes: u64,
}

impl<T> Hashing<T> {
    pub(super) fn new(inner: T) -> Self {
        Self {
            inner,
            hasher: blake3::Hasher::new(),
            bytes: 0,
        }
    }

    pub(super) fn stored(&self) -> Stored {
        Stored {
            bytes: self.bytes,
            hash: self.hasher.finalize().into(),
        }
    }

    fn saw(&mut self, bytes: Option<&[u8]>) {
        if let Some(bytes) = bytes {
            self.hasher.update(bytes);
            self.bytes += bytes.len() as u64;
        }
    }
}

impl<T: Write> Write for Hashing<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.saw(bytes.get(..count));
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<T: io::Read> io::Read for Hashing<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.saw(buffer.get(..count));
        Ok(count)
    }
}

/// An archive that is being written.
pub(super) struct ArchiveWriter {
    path: PathBuf,
    encoder: zstd::Encoder<'static, SealWriter<Hashing<BufWriter<File>>>>,
    line: Vec<u8>,
    documents: u64,
    tombstones: u64,
    size_bytes: u64,
}

impl ArchiveWriter {
    /// Makes the file, which must not exist, and writes the header.
    pub(super) fn create(
        path: &Path,
        header: Header,
        level: i32,
        encryption: &Encryption,
    ) -> Result<Self, BackupStoreError> {
        let file = Hashing::new(BufWriter::with_capacity(1 << 18, create_private(path)?));
        let sealed =
            SealWriter::new(file, encryption).map_err(unavailable("cannot encrypt", path))?;
        let workers = std::thread::available_parallelism().map_or(1, |count| count.get().min(4));
        let encoder = zstd::Encoder::new(sealed, level).and_then(|mut encoder| {
            encoder.include_checksum(true)?;
            encoder.multithread(u32::try_from(workers).unwrap_or(1))?;
            encoder.set_parameter(CParameter::JobSize(JOB_BYTES))?;
            Ok(encoder)
        });
        let mut writer = Self {
            path: path.to_owned(),
            encoder: encoder.map_err(unavailable("cannot compress", path))?,
            line: Vec::new(),
            documents: 0,
            tombstones: 0,
            size_bytes: 0,
        };
        writer.line(&ArchiveLine::Header(header))?;
        Ok(writer)
    }

    /// A document with its content.
    pub(super) fn document(
        &mut self,
        key: &DocumentKey,
        entry: &Entry,
        bytes: &[u8],
    ) -> Result<(), BackupStoreError> {
        self.documents += 1;
        self.size_bytes += entry.data_bytes();
        self.line(&ArchiveLine::Document(Document::inline(key, entry, bytes)))
    }

    /// Some content of a document; number 0 begins it, perhaps anew.
    pub(super) fn part(
        &mut self,
        key: &DocumentKey,
        number: u32,
        hash: ContentHash,
        bytes: &[u8],
    ) -> Result<(), BackupStoreError> {
        self.line(&ArchiveLine::Part(Part::new(key, number, hash, bytes)))
    }

    /// The same, of content that is stored already.
    pub(super) fn held_part(
        &mut self,
        key: &DocumentKey,
        number: u32,
        hash: ContentHash,
        size: u64,
    ) -> Result<(), BackupStoreError> {
        self.line(&ArchiveLine::Part(Part::held(key, number, hash, size)))
    }

    /// A document whose content was in so many parts, with so many bytes in this archive.
    pub(super) fn document_in_parts(
        &mut self,
        key: &DocumentKey,
        entry: &Entry,
        parts: u32,
        bytes: u64,
    ) -> Result<(), BackupStoreError> {
        self.documents += 1;
        self.size_bytes += bytes;
        self.line(&ArchiveLine::Document(Document::in_parts(
            key, entry, parts,
        )))
    }

    /// A document whose content is the parent's.
    pub(super) fn inherited(
        &mut self,
        key: &DocumentKey,
        entry: &Entry,
    ) -> Result<(), BackupStoreError> {
        self.documents += 1;
        self.line(&ArchiveLine::Document(Document::inherited(key, entry)))
    }

    /// A document whose content is stored already.
    pub(super) fn same(
        &mut self,
        key: &DocumentKey,
        entry: &Entry,
    ) -> Result<(), BackupStoreError> {
        self.documents += 1;
        self.line(&ArchiveLine::Document(Document::same(key, entry)))
    }

    /// A document that is another name of one that holds its content.
    pub(super) fn linked(
        &mut self,
        key: &DocumentKey,
        entry: &Entry,
    ) -> Result<(), BackupStoreError> {
        self.documents += 1;
        self.line(&ArchiveLine::Document(Document::linked(key, entry)))
    }

    /// A document that is gone.
    pub(super) fn tombstone(&mut self, key: &DocumentKey) -> Result<(), BackupStoreError> {
        self.tombstones += 1;
        self.line(&ArchiveLine::Tombstone(Tombstone { key: key.clone() }))
    }

    /// Writes the end and makes the file durable.
    pub(super) fn finish(
        mut self,
        root_hash: ContentHash,
    ) -> Result<(End, Stored), BackupStoreError> {
        let end = End {
            documents: self.documents,
            tombstones: self.tombstones,
            size_bytes: self.size_bytes,
            root_hash,
        };
        self.line(&ArchiveLine::End(end))?;
        let cannot = unavailable("cannot write", &self.path);
        let sealed = self.encoder.finish().map_err(&cannot)?;
        let mut file = sealed.finish().map_err(&cannot)?;
        file.flush().map_err(&cannot)?;
        durable::sync_file(file.inner.get_ref(), &self.path).map_err(&cannot)?;
        Ok((end, file.stored()))
    }

    fn line(&mut self, line: &ArchiveLine<'_>) -> Result<(), BackupStoreError> {
        self.line.clear();
        let encoded = serde_json::to_writer(&mut self.line, line).map_err(io::Error::from);
        self.line.push(b'\n');
        let written = encoded.and_then(|()| self.encoder.write_all(&self.line));
        written.map_err(unavailable("cannot write", &self.path))
    }
}
