//! What a backup holds, and how it differs from another one.

use crate::{backups::Progress, errors::ErrorBody, words::words};
use mainstay_domain::archive;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

words! {
    /// What a document is.
    #[serde(rename_all = "kebab-case")]
    DocumentKind as archive::DocumentKind {
        /// A file.
        File,
        /// A directory.
        Directory,
        /// A symbolic link.
        Symlink,
    }
}

words! {
    /// What became of a document.
    #[serde(rename_all = "kebab-case")]
    ChangeKind as archive::ChangeKind {
        /// It is new.
        Added,
        /// It is gone.
        Removed,
        /// Its content is another one, or it is another kind of thing.
        Content,
        /// Its content is the same; permissions, owner, time, extended attributes or other names are others.
        Metadata,
    }
}

/// A document of a backup, without its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Document {
    /// Where it belongs: a relative path, with `%XX` for each byte that is not part of UTF-8, and `%25` for `%`.
    pub key: String,
    /// What it is.
    pub kind: DocumentKind,
    /// Its permissions: four octal digits.
    pub mode: String,
    /// When it was last changed, to the nanosecond.
    #[schemars(extend("format" = "date-time"))]
    pub mtime: String,
    /// Its owner's number.
    pub uid: u32,
    /// Its group's number.
    pub gid: u32,
    /// Bytes of its content; of a link those of where it leads.
    pub size_bytes: u64,
    /// BLAKE3 of its content, hexadecimal; holes are left out.
    pub hash: String,
    /// Its extended attributes, with them ACLs and file capabilities: base64 by name; absent where there are none. Names are
    /// written as a key is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub xattrs: BTreeMap<String, String>,
    /// The key of the document that is the same file, and holds the content of both; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Bytes of its content that are holes; absent where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hole_bytes: Option<u64>,
}

impl From<(&archive::DocumentKey, &archive::Entry)> for Document {
    fn from((key, entry): (&archive::DocumentKey, &archive::Entry)) -> Self {
        let xattrs = entry.xattrs().iter();
        let holes = entry.size.saturating_sub(entry.data_bytes());
        Self {
            key: key.to_string(),
            kind: entry.kind.into(),
            mode: entry.mode.into(),
            mtime: entry.mtime.to_string(),
            uid: entry.uid,
            gid: entry.gid,
            size_bytes: entry.size,
            hash: entry.hash.to_string(),
            xattrs: xattrs
                .map(|(name, value)| (name.to_string(), value.clone().into()))
                .collect(),
            link: entry.link().map(ToString::to_string),
            hole_bytes: (holes > 0).then_some(holes),
        }
    }
}

/// A document that is not the same in two states.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DocumentChange {
    /// Where it belongs.
    pub key: String,
    /// What became of it.
    pub change: ChangeKind,
    /// What it was; absent where it is new.
    pub before: Option<Document>,
    /// What it is; absent where it is gone.
    pub after: Option<Document>,
}

impl From<&archive::DocumentChange> for DocumentChange {
    fn from(change: &archive::DocumentChange) -> Self {
        let document = |entry: &archive::Entry| Document::from((&change.key, entry));
        Self {
            key: change.key.to_string(),
            change: change.kind.into(),
            before: change.before.as_ref().map(document),
            after: change.after.as_ref().map(document),
        }
    }
}

/// Some of the content of a document: `text` where it is UTF-8 without control characters other than tab, line feed and
/// carriage return, else `base64`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DocumentPart {
    /// The content itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The content in base64, with padding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
}

/// That all was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContentEnd {
    /// What was not compared, or could not be read; sentences for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// One line of an answer about what backups hold: progress and what was found, then one end or one error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ContentLine {
    /// It goes on.
    Progress {
        /// How far it has come.
        progress: Progress,
    },
    /// A document.
    Document {
        /// It.
        document: Document,
    },
    /// A difference.
    Change {
        /// It.
        change: Box<DocumentChange>,
    },
    /// Content of the document that was asked for, after that of the lines before.
    Part {
        /// It.
        part: DocumentPart,
    },
    /// That was all.
    Done {
        /// What else is to be known.
        done: ContentEnd,
    },
    /// It was not done, or not to the end.
    Error(ErrorBody),
}
