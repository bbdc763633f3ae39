//! What the commands about the journal's file print.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What `journal check --json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JournalCheck {
    /// Whether nothing is damaged or missing; records that this version cannot read are neither.
    pub whole: bool,
    /// The file.
    pub path: String,
    /// Its size, without its write-ahead log.
    pub size_bytes: u64,
    /// Transactions that it holds since it was made; null in one of a version that did not count them.
    pub commits: Option<u64>,
    /// Transactions that were answered as durable, as far as is known.
    pub acknowledged: Option<u64>,
    /// What is wrong with the file as a whole, sentences.
    pub faults: Vec<String>,
    /// Each table.
    pub tables: Vec<CheckedTable>,
}

/// What was found in one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckedTable {
    /// Its name.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// How many of them are not what was written.
    pub damaged: u64,
    /// How many of them are whole, and hold a record that this version cannot read.
    pub unreadable: u64,
    /// The first that are damaged or unreadable, each with why.
    pub examples: Vec<String>,
}

/// What `journal salvage --json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JournalSalvage {
    /// Whether everything that was acknowledged is in the new journal, for certain.
    pub whole: bool,
    /// The files that were found, under their new names.
    pub kept: Vec<String>,
    /// Transactions that could be read; 0 where their number could not.
    pub commits: u64,
    /// Transactions that were answered as durable; null where nothing is known.
    pub acknowledged: Option<u64>,
    /// Why it is not known that nothing is missing, sentences.
    pub doubts: Vec<String>,
    /// What is wrong with the structure of the old file; null where nothing is. Rows may be missing then without a trace.
    pub fault: Option<String>,
    /// Each table, and what earlier daemons had set aside as `set_aside`.
    pub tables: Vec<SalvagedTable>,
}

/// What was saved of one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SalvagedTable {
    /// Its name.
    pub name: String,
    /// Rows in the new journal.
    pub rows: u64,
    /// Rows that are not what was written; they are kept in the table `set_aside`.
    pub set_aside: u64,
    /// Places where rows could not be read at all; each is one row or many.
    pub gaps: u64,
}

/// What `journal backup --json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JournalCopy {
    /// The copy.
    pub file: String,
    /// Its size.
    pub size_bytes: u64,
}
