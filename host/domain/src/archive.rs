//! What a backup looks like when it is stored: an archive of JSON lines, and a manifest beside it.
//!
//! An archive is `zstd(JSON lines)`, or `age(zstd(JSON lines))` where it is encrypted; each line is an object with one member, whose
//! name says what the line is:
//!
//! ```text
//! {"header":{"format":2,"id":"ful-…","job":"state","type":"full","parent":null,"base":"ful-…","created_at":"…"}}
//! {"document":{"key":"etc","kind":"directory","mode":"0755","mtime":"…","uid":0,"gid":0,"size":0,"hash":"…"}}
//! {"document":{"key":"etc/motd","kind":"file","mode":"0644",…,"size":3,"hash":"…","text":"hi\n"}}
//! {"part":{"key":"etc/big.db","number":0,"base64":"…","hash":"…"}}
//! {"part":{"key":"etc/big.db","number":1,"hash":"…","size":524288}}
//! {"document":{"key":"etc/big.db","kind":"file",…,"size":1048576,"hash":"…","parts":2}}
//! {"document":{"key":"etc/copy","kind":"file","mode":"0644",…,"size":900,"hash":"…","same":true}}
//! {"document":{"key":"etc/owner","kind":"file","mode":"0600",…,"size":9,"hash":"…","inherited":true}}
//! {"tombstone":{"key":"etc/gone"}}
//! {"end":{"documents":5,"tombstones":1,"size_bytes":524291,"root_hash":"…"}}
//! ```
//!
//! Content is `text` where it is UTF-8 without control characters other than tab, line feed and carriage return, else
//! `base64` (RFC 4648, with padding). A document above [`PART_BYTES`] comes in parts before its own line, so that
//! neither side holds it whole; a part with number 0 begins its document anew, which a writer does when a file changed
//! under its hands. `inherited` content is that of the parent; only the metadata is new.
//!
//! Content is stored once in a chain. The parts of a document are cut where its content says (FastCDC), so that an edit
//! makes one or two parts new. A part with a `size` and no content, and a document with `same`, stand for the content that
//! has their hash: that of a part or of a file's own line, before this one or in an archive that this one builds on. A
//! document's own `hash` is that of all its parts. So a full backup can be restored by hand with `zstd -d` and `jq`.
//!
//! Format 1 has no hash at its parts, and neither `size` there nor `same`; it is read as ever. An archive of format 2 refers
//! to nothing in a chain with a link of format 1, whose parts have no hash to be found by.
//!
//! A document of format 2 has up to three members more, each only where there is something to say:
//!
//! ```text
//! {"document":{"key":"etc/x",…,"xattrs":{"user.origin":"aHR0cA==","security.capability":"AQAAAg…"},"text":"x"}}
//! {"document":{"key":"etc/x2",…,"size":1,"hash":"…","link":"etc/x"}}
//! {"document":{"key":"etc/disk",…,"size":1073741824,"hash":"…","holes":[[0,1048576],[1052672,1072689152]],"text":"…"}}
//! ```
//!
//! `xattrs` are extended attributes, base64 by name; a name is written as a key is. With `link` it is the same file as
//! another document of the state, which holds the content, and has none of its own. `holes` are offsets and lengths of what
//! reads as zeros: the content, its parts and its hash are those of the data between them, and the size is that of all.
//!
//! Invariant: nothing here reads or writes; callers pass lines and bytes.
//! Invariant: a [`DocumentKey`] never leads out of the directory that it is put under.

mod comparison;
mod error;
mod extras;
mod key;
mod line;
mod manifest;
mod parser;
mod selection;
mod sources;
mod state;

pub use crate::encryption::Encryption;
pub use comparison::{ChangeKind, DocumentChange, compare};
pub use error::ArchiveError;
pub use extras::{
    Extras, Hole, XattrName, XattrValue, Xattrs, are_holes_sound, cut_to_data, data_between,
    data_bytes,
};
pub use key::{DocumentKey, InvalidKey, KeyPrefix};
pub use line::{ArchiveLine, Content, Document, End, Header, Part, Tombstone};
pub use manifest::{
    Compression, Manifest, ManifestError, ManifestSignature, ParentLink, SourceNote,
};
pub use parser::{ArchiveItem, ArchiveParser, DocumentContent};
pub use selection::{KeyPattern, Selection, missing_words};
pub use sources::{FaultySource, SourceFault, faulty_sources};
pub use state::{
    ContentHash, DocumentKind, Entry, FirstNames, LinkError, Mode, RootHasher, State, TreeError,
};

/// The version of archives and manifests that this host writes, and the newest that it reads. 2: content is referred to by its
/// hash, the manifest is signed, and the archive may be encrypted.
pub const FORMAT: u32 = 2;

/// The most bytes of content in one line; a longer document comes in parts.
pub const PART_BYTES: usize = 1 << 20;

/// The most bytes of names and values of extended attributes that a writer puts into one document.
pub const MAX_XATTR_BYTES: usize = 2 << 20;

/// The most holes that a writer puts into one document.
pub const MAX_HOLES: usize = 10_000;

/// The longest line that is read: content of [`PART_BYTES`] with every byte escaped, a key, [`MAX_XATTR_BYTES`] in
/// base64, [`MAX_HOLES`], and the rest.
pub const MAX_LINE_BYTES: usize = 8 << 20;
