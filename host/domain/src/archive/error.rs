//! What is wrong with an archive.

use super::{DocumentKey, FORMAT};

/// What is wrong with an archive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// A line is not of this format.
    #[error("line {line} is not a line of an archive: {what}")]
    Malformed {
        /// Its number, from 1.
        line: u64,
        /// What serde says.
        what: String,
    },
    /// The format is newer than this host.
    #[error(
        "it has format {found} and this mainstay reads up to {FORMAT}; read it with the version that wrote it or a newer one"
    )]
    Newer {
        /// Its format.
        found: u32,
    },
    /// A line stands where it must not.
    #[error("line {line} is out of place: {what}")]
    OutOfPlace {
        /// Its number, from 1.
        line: u64,
        /// Which rule it breaks.
        what: &'static str,
    },
    /// A document is not what its hash says.
    #[error("document `{key}` was stored wrong: its content is not what its hash and size say")]
    WrongContent {
        /// The document.
        key: DocumentKey,
    },
    /// The counts at the end are not those of the lines.
    #[error("its last line counts {expected}, but {found} were read")]
    WrongCount {
        /// What the end says.
        expected: String,
        /// What was there.
        found: String,
    },
    /// There is no last line.
    #[error("it ends in the middle, after line {line}")]
    Truncated {
        /// The last line's number.
        line: u64,
    },
}
