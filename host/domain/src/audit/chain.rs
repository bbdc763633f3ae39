//! The chain of the rows: how each holds the one before, and what is found where one does not.
//!
//! Invariant: pure, and one pass; of the rows before only the last digest is kept.

use std::fmt;

/// What the journal says of the rows beside them: where they begin, and where they end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditHead {
    /// Rows up to this one were forgotten, for they were older than what is kept; 0 where none was.
    pub forgotten: u64,
    /// The digest of the last of these; before the first row of all, the identifier of the journal.
    pub anchor: String,
    /// The last row.
    pub number: u64,
    /// Its digest.
    pub digest: String,
}

/// The digest of a row: BLAKE3, hexadecimal, over these and their lengths.
pub fn digest(before: &str, number: u64, record: &str) -> String {
    let number = number.to_le_bytes();
    let mut hasher = blake3::Hasher::new();
    for part in [before.as_bytes(), number.as_slice(), record.as_bytes()] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().to_hex().to_string()
}

/// What is wrong with an audit log; shown, a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditFault {
    /// These rows are not there, and later ones are.
    Missing {
        /// The number of the first of them.
        first: u64,
        /// The number of the last of them.
        last: u64,
    },
    /// The last rows, from this one on, are not there.
    CutOff {
        /// The number of the first of them.
        first: u64,
        /// The number of the last one that was written.
        last: u64,
    },
    /// A row, or the digest of the one before, is not what was written.
    Altered(u64),
    /// A row stands where none was written: before the first, or behind the last.
    Added(u64),
    /// The last row is not the one that was written last.
    OtherEnd(u64),
    /// An event that has a row is not in it: the rows of this and of later events are not there.
    Unrecorded {
        /// The number of the event.
        event: u64,
    },
}

impl fmt::Display for AuditFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { first, last } if first == last => write!(f, "row {first} is missing"),
            Self::Missing { first, last } => write!(f, "rows {first} to {last} are missing"),
            Self::CutOff { first, last } if first == last => {
                write!(f, "row {first}, the last one, is missing")
            }
            Self::CutOff { first, last } => {
                write!(f, "rows {first} to {last}, the last ones, are missing")
            }
            Self::Altered(number) if *number <= 1 => {
                write!(f, "row {number} is not what was written")
            }
            Self::Altered(number) => write!(
                f,
                "row {number} is not what was written, or the digest of row {} is not",
                number - 1
            ),
            Self::Added(number) => write!(f, "row {number} stands where none was written"),
            Self::OtherEnd(number) => {
                write!(
                    f,
                    "row {number}, the last one, is not the one that was written last"
                )
            }
            Self::Unrecorded { event } => write!(
                f,
                "event {event} has no row: the rows of it and of what came after it are missing"
            ),
        }
    }
}

/// Goes through the rows in the order of their numbers.
#[derive(Debug, Clone)]
pub struct Chain {
    number: u64,
    digest: String,
}

impl Chain {
    /// Before the first row.
    pub fn before(head: &AuditHead) -> Self {
        Self {
            number: head.forgotten,
            digest: head.anchor.clone(),
        }
    }

    /// The next row, as it is stored; what is wrong with it, or before it.
    pub fn pass(&mut self, number: u64, record: &str, stored: &str) -> Option<AuditFault> {
        let Some(next) = self.number.checked_add(1).filter(|next| *next <= number) else {
            return Some(AuditFault::Added(number));
        };
        let fault = if next < number {
            // What the row has to hold went with the row before it.
            Some(AuditFault::Missing {
                first: next,
                last: number - 1,
            })
        } else {
            let is_right = digest(&self.digest, number, record) == stored;
            (!is_right).then_some(AuditFault::Altered(number))
        };
        self.number = number;
        stored.clone_into(&mut self.digest);
        fault
    }

    /// After the last row; what is wrong with the end.
    pub fn end(&self, head: &AuditHead) -> Option<AuditFault> {
        if self.number < head.number {
            return Some(AuditFault::CutOff {
                first: self.number + 1,
                last: head.number,
            });
        }
        if self.number > head.number {
            return Some(AuditFault::Added(head.number + 1));
        }
        (self.digest != head.digest).then_some(AuditFault::OtherEnd(self.number))
    }
}
