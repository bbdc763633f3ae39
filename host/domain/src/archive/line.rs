//! The lines of an archive, as serde sees them.

use super::{ContentHash, DocumentKey, DocumentKind, Entry, Extras, Hole, Mode, Xattrs};
use crate::{backup::BackupType, id::BackupId, name::JobName, time::Timestamp};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArchiveLine<'a> {
    /// The first line.
    Header(Header),
    /// A document that is new or changed.
    Document(Document<'a>),
    /// Some of the content of a large document, before its own line.
    Part(Part<'a>),
    /// A document of the parent that is gone.
    Tombstone(Tombstone),
    /// The last line.
    End(End),
}

/// Says which backup the archive is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The format's version, from 1 to [`FORMAT`](super::FORMAT).
    pub format: u32,
    /// The backup.
    pub id: BackupId,
    /// Its job.
    pub job: JobName,
    /// What it is.
    #[serde(rename = "type")]
    pub backup_type: BackupType,
    /// The backup that it is the difference to.
    pub parent: Option<BackupId>,
    /// The full backup that its chain starts from; itself where it stands alone.
    pub base: BackupId,
    /// When its sources were read.
    pub created_at: Timestamp,
}

/// Content as it stands in a line; exactly one of its members is there, or none for empty content.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Content<'a> {
    /// UTF-8 without control characters other than tab, line feed and carriage return.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Cow<'a, str>>,
    /// Any bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
}

impl<'a> Content<'a> {
    /// The form for these bytes.
    pub fn of(bytes: &'a [u8]) -> Self {
        let plain = |text: &&str| {
            !text
                .bytes()
                .any(|b| b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r'))
        };
        match std::str::from_utf8(bytes).ok().filter(plain) {
            Some("") => Self::default(),
            Some(text) => Self {
                text: Some(Cow::Borrowed(text)),
                base64: None,
            },
            None => Self {
                text: None,
                base64: Some(STANDARD.encode(bytes)),
            },
        }
    }

    /// The bytes; none where both members are there or the base64 is malformed.
    pub fn into_bytes(self) -> Option<Vec<u8>> {
        match (self.text, self.base64) {
            (None, None) => Some(Vec::new()),
            (Some(text), None) => Some(text.into_owned().into_bytes()),
            (None, Some(base64)) => STANDARD.decode(base64).ok(),
            (Some(_), Some(_)) => None,
        }
    }
}

/// A document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document<'a> {
    /// Where it belongs.
    pub key: DocumentKey,
    /// What it is.
    pub kind: DocumentKind,
    /// Its permissions.
    pub mode: Mode,
    /// When it was last changed.
    pub mtime: jiff::Timestamp,
    /// Its owner's number.
    pub uid: u32,
    /// Its group's number.
    pub gid: u32,
    /// Bytes of its content, holes included.
    pub size: u64,
    /// BLAKE3 of its content, holes left out.
    pub hash: ContentHash,
    /// Its extended attributes.
    #[serde(default, skip_serializing_if = "Xattrs::is_empty")]
    pub xattrs: Xattrs,
    /// The document that is the same file, and holds the content of both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<DocumentKey>,
    /// What of its content reads as zeros; the content is that between.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holes: Vec<Hole>,
    /// `text` of its content, where it has no parts; see [`Content`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Cow<'a, str>>,
    /// `base64` of its content, where it has no parts; see [`Content`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
    /// How many parts before this line hold the content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<u32>,
    /// Whether the content is the parent's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inherited: bool,
    /// Whether the content is that of its hash: stored before this line, or in an archive that this one builds on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub same: bool,
}

impl<'a> Document<'a> {
    /// A document with its content in the line.
    pub fn inline(key: &DocumentKey, entry: &Entry, bytes: &'a [u8]) -> Self {
        let content = Content::of(bytes);
        Self {
            text: content.text,
            base64: content.base64,
            ..Self::bare(key, entry)
        }
    }

    /// A document whose content was in so many parts.
    pub fn in_parts(key: &DocumentKey, entry: &Entry, parts: u32) -> Self {
        Self {
            parts: Some(parts),
            ..Self::bare(key, entry)
        }
    }

    /// A document whose content is the parent's.
    pub fn inherited(key: &DocumentKey, entry: &Entry) -> Self {
        Self {
            inherited: true,
            ..Self::bare(key, entry)
        }
    }

    /// A document whose content is stored already, by its hash.
    pub fn same(key: &DocumentKey, entry: &Entry) -> Self {
        Self {
            same: true,
            ..Self::bare(key, entry)
        }
    }

    /// A document that is another name of the one that its entry names.
    pub fn linked(key: &DocumentKey, entry: &Entry) -> Self {
        Self::bare(key, entry)
    }

    fn bare(key: &DocumentKey, entry: &Entry) -> Self {
        Self {
            key: key.clone(),
            kind: entry.kind,
            mode: entry.mode,
            mtime: entry.mtime,
            uid: entry.uid,
            gid: entry.gid,
            size: entry.size,
            hash: entry.hash,
            xattrs: entry.xattrs().clone(),
            link: entry.link().cloned(),
            holes: entry.holes().to_vec(),
            text: None,
            base64: None,
            parts: None,
            inherited: false,
            same: false,
        }
    }

    /// All but the key and the content.
    pub fn entry(&self) -> Entry {
        Entry {
            kind: self.kind,
            mode: self.mode,
            mtime: self.mtime,
            uid: self.uid,
            gid: self.gid,
            size: self.size,
            hash: self.hash,
            extras: Extras {
                xattrs: self.xattrs.clone(),
                link: self.link.clone(),
                holes: self.holes.clone(),
            }
            .boxed(),
        }
    }
}

/// Some of the content of a large document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part<'a> {
    /// The document that it belongs to.
    pub key: DocumentKey,
    /// Its place, from 0; a 0 begins the document anew.
    pub number: u32,
    /// `text`; see [`Content`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Cow<'a, str>>,
    /// `base64`; see [`Content`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
    /// BLAKE3 of the part, since format 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<ContentHash>,
    /// Bytes of the part, where they are not here: what has this hash is stored before this line, or in an archive that
    /// this one builds on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

impl<'a> Part<'a> {
    /// The part with these bytes, and their hash.
    pub fn new(key: &DocumentKey, number: u32, hash: ContentHash, bytes: &'a [u8]) -> Self {
        let Content { text, base64 } = Content::of(bytes);
        Self {
            key: key.clone(),
            number,
            text,
            base64,
            hash: Some(hash),
            size: None,
        }
    }

    /// A part that is stored already, by its hash.
    pub fn held(key: &DocumentKey, number: u32, hash: ContentHash, size: u64) -> Self {
        Self {
            key: key.clone(),
            number,
            text: None,
            base64: None,
            hash: Some(hash),
            size: Some(size),
        }
    }
}

/// A document of the parent that is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tombstone {
    /// Where it was.
    pub key: DocumentKey,
}

/// The last line: what a reader must have seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Documents in this archive.
    pub documents: u64,
    /// Tombstones in this archive.
    pub tombstones: u64,
    /// Bytes of the content in this archive; what is inherited or stored already does not count.
    pub size_bytes: u64,
    /// Root hash of the whole state that restoring this backup gives.
    pub root_hash: ContentHash,
}
