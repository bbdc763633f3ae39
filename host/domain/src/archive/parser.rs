//! Reads the lines of an archive and checks all that can be checked without the rest of the chain: order, counts,
//! sizes, and the hash of every document.
//!
//! Invariant: an item is handed on only once it is checked; a document's parts are handed on before its hash is known,
//! so a reader must not use them before the document's own item. The hash of a document with parts elsewhere is the
//! reader's to check.
//!
//! Length: one line may depend on those before it, and what may follow what is to be seen on one page.

use super::{
    ArchiveError, ArchiveLine, Content, ContentHash, Document, DocumentKey, DocumentKind, End,
    Entry, FORMAT, Header, Part,
};
use crate::text::counted;

/// The content of a document, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DocumentContent {
    /// Here it is.
    Inline(Vec<u8>),
    /// It was in the parts before.
    Parts,
    /// It is the parent's.
    Inherited,
    /// It is what has its hash, before this line or in an older link of the chain.
    Same,
    /// It is that of another document, of which it is another name.
    Linked,
}

/// What a line says, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArchiveItem {
    /// Which backup it is.
    Header(Header),
    /// Some content of a document that is still to come.
    Part {
        /// The document.
        key: DocumentKey,
        /// Whether it begins the document, perhaps anew.
        first: bool,
        /// How many bytes of the document come before it.
        at: u64,
        /// The hash of the content, where it can be referred to.
        hash: Option<ContentHash>,
        /// The content.
        bytes: Vec<u8>,
    },
    /// Some content of a document that is still to come, by its hash: it is before this line, or in an older link of the
    /// chain.
    Held {
        /// The document.
        key: DocumentKey,
        /// Whether it begins the document, perhaps anew.
        first: bool,
        /// How many bytes of the document come before it.
        at: u64,
        /// The hash of the content.
        hash: ContentHash,
        /// Bytes of the content.
        size: u64,
    },
    /// A document.
    Document {
        /// Its key.
        key: DocumentKey,
        /// Its metadata.
        entry: Entry,
        /// Its content.
        content: DocumentContent,
    },
    /// A document that is gone.
    Tombstone(DocumentKey),
    /// The end; nothing may follow.
    End(End),
}

struct OpenDocument {
    key: DocumentKey,
    parts: u32,
    size: u64,
    /// Bytes of it that are in this archive.
    stored: u64,
    /// None where some of it is not in its own lines.
    hasher: Option<blake3::Hasher>,
}

/// Between which lines of an archive the parser stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Position {
    /// Before the first.
    #[default]
    BeforeHeader,
    /// After the header.
    InBody,
    /// After the last.
    AfterEnd,
}

/// Reads one archive, line by line.
#[derive(Default)]
pub struct ArchiveParser {
    line: u64,
    position: Position,
    open: Option<OpenDocument>,
    documents: u64,
    tombstones: u64,
    size_bytes: u64,
}

impl ArchiveParser {
    /// At the start.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the next line.
    ///
    /// # Errors
    /// [`ArchiveError`]: it is no line of an archive, stands out of its place, is not what the lines before it say, each with the
    /// number of the line, from 1; or the archive has a later format.
    pub fn line(&mut self, text: &[u8]) -> Result<ArchiveItem, ArchiveError> {
        self.line += 1;
        let line: ArchiveLine<'static> =
            serde_json::from_slice(text).map_err(|error| ArchiveError::Malformed {
                line: self.line,
                what: error.to_string(),
            })?;
        match (self.position, &line) {
            (Position::BeforeHeader, ArchiveLine::Header(_)) => {}
            (Position::BeforeHeader, _) | (Position::InBody, ArchiveLine::Header(_)) => {
                return Err(self.out_of_place("the header is the first line and no other"));
            }
            (Position::InBody, _) => {}
            (Position::AfterEnd, _) => {
                return Err(self.out_of_place("nothing may follow the end"));
            }
        }
        match line {
            ArchiveLine::Header(header) => {
                self.position = Position::InBody;
                match header.format {
                    1..=FORMAT => Ok(ArchiveItem::Header(header)),
                    found => Err(ArchiveError::Newer { found }),
                }
            }
            ArchiveLine::Part(part) => self.part(part),
            ArchiveLine::Document(document) => self.document(document),
            ArchiveLine::Tombstone(tombstone) => {
                self.check_closed()?;
                self.tombstones += 1;
                Ok(ArchiveItem::Tombstone(tombstone.key))
            }
            ArchiveLine::End(end) => self.end(end),
        }
    }

    /// Whether the last line was read; an archive that stops before is truncated.
    ///
    /// # Errors
    /// [`ArchiveError::Truncated`], with the number of the last line that was read.
    pub fn finish(&self) -> Result<(), ArchiveError> {
        match self.position {
            Position::AfterEnd => Ok(()),
            Position::BeforeHeader | Position::InBody => {
                Err(ArchiveError::Truncated { line: self.line })
            }
        }
    }

    fn part(&mut self, part: Part<'_>) -> Result<ArchiveItem, ArchiveError> {
        let first = part.number == 0;
        if first {
            if self.open.as_ref().is_some_and(|open| open.key != part.key) {
                return Err(
                    self.out_of_place("the document before has parts and no line of its own")
                );
            }
            self.open = Some(OpenDocument {
                key: part.key.clone(),
                parts: 0,
                size: 0,
                stored: 0,
                hasher: Some(blake3::Hasher::new()),
            });
        }
        let misplaced = self.out_of_place("parts of a document follow each other from 0");
        let malformed = ArchiveError::Malformed {
            line: self.line,
            what: "its content is not one of text and base64".to_owned(),
        };
        let open = self
            .open
            .as_mut()
            .filter(|open| open.key == part.key && open.parts == part.number);
        let open = open.ok_or(misplaced)?;
        let content = Content {
            text: part.text,
            base64: part.base64,
        };
        let at = open.size;
        open.parts += 1;
        if let Some(size) = part.size {
            let hash = part.hash.filter(|_| content == Content::default());
            let hash = hash.ok_or(malformed)?;
            open.size = open.size.saturating_add(size);
            open.hasher = None;
            return Ok(ArchiveItem::Held {
                key: part.key,
                first,
                at,
                hash,
                size,
            });
        }
        let bytes = content.into_bytes().ok_or(malformed)?;
        if part
            .hash
            .is_some_and(|hash| hash != ContentHash::of(&bytes))
        {
            return Err(ArchiveError::WrongContent { key: part.key });
        }
        let length = bytes.len() as u64;
        open.size = open.size.saturating_add(length);
        open.stored += length;
        if let Some(hasher) = &mut open.hasher {
            hasher.update(&bytes);
        }
        Ok(ArchiveItem::Part {
            key: part.key,
            first,
            at,
            hash: part.hash,
            bytes,
        })
    }

    fn document(&mut self, document: Document<'_>) -> Result<ArchiveItem, ArchiveError> {
        let entry = document.entry();
        let key = document.key;
        let inline = Content {
            text: document.text,
            base64: document.base64,
        };
        let has_inline = inline != Content::default();
        let is_link = entry.link().is_some();
        if !entry.is_sound() {
            return Err(ArchiveError::Malformed {
                line: self.line,
                what:
                    "only a file has a link or holes, and holes follow each other within its size"
                        .to_owned(),
            });
        }
        let (content, size, hash, stored) =
            match (document.parts, document.inherited, document.same) {
                (None, false, false) if is_link && !has_inline => {
                    self.check_closed()?;
                    (DocumentContent::Linked, entry.data_bytes(), entry.hash, 0)
                }
                _ if is_link => return Err(self.out_of_place("a document has its content once")),
                (None, false, false) => {
                    self.check_closed()?;
                    let bytes = inline.into_bytes().ok_or_else(|| ArchiveError::Malformed {
                        line: self.line,
                        what: "its content is not one of text and base64".to_owned(),
                    })?;
                    let (size, hash) = (bytes.len() as u64, ContentHash::of(&bytes));
                    (DocumentContent::Inline(bytes), size, hash, size)
                }
                (Some(parts), false, false) if !has_inline => {
                    let open = self
                        .open
                        .take()
                        .filter(|open| open.key == key && open.parts == parts);
                    let open =
                        open.ok_or_else(|| self.out_of_place("its parts are not before it"))?;
                    // That of one with parts elsewhere is compared where they come together.
                    let hash = open
                        .hasher
                        .map_or(entry.hash, |hasher| hasher.finalize().into());
                    (DocumentContent::Parts, open.size, hash, open.stored)
                }
                (None, true, false) if !has_inline => {
                    self.check_closed()?;
                    let size = entry.data_bytes();
                    (DocumentContent::Inherited, size, entry.hash, 0)
                }
                (None, false, true) if !has_inline && entry.kind == DocumentKind::File => {
                    self.check_closed()?;
                    (DocumentContent::Same, entry.data_bytes(), entry.hash, 0)
                }
                _ => return Err(self.out_of_place("a document has its content once")),
            };
        let no_content = entry.kind == DocumentKind::Directory && size > 0;
        if size != entry.data_bytes() || hash != entry.hash || no_content {
            return Err(ArchiveError::WrongContent { key });
        }
        self.documents += 1;
        self.size_bytes += stored;
        Ok(ArchiveItem::Document {
            key,
            entry,
            content,
        })
    }

    fn end(&mut self, end: End) -> Result<ArchiveItem, ArchiveError> {
        self.check_closed()?;
        self.position = Position::AfterEnd;
        let holds = |documents: u64, tombstones: u64, bytes: u64| {
            let documents = counted(documents, "document");
            let tombstones = counted(tombstones, "tombstone");
            format!("{documents}, {tombstones} and {}", counted(bytes, "byte"))
        };
        let expected = holds(end.documents, end.tombstones, end.size_bytes);
        let found = holds(self.documents, self.tombstones, self.size_bytes);
        if expected == found {
            Ok(ArchiveItem::End(end))
        } else {
            Err(ArchiveError::WrongCount { expected, found })
        }
    }

    fn check_closed(&self) -> Result<(), ArchiveError> {
        match self.open {
            None => Ok(()),
            Some(_) => {
                Err(self.out_of_place("the document before has parts and no line of its own"))
            }
        }
    }

    fn out_of_place(&self, what: &'static str) -> ArchiveError {
        ArchiveError::OutOfPlace {
            line: self.line,
            what,
        }
    }
}

#[cfg(test)]
mod tests;
