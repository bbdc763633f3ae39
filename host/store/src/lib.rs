//! The journal of Mainstay: what must survive a crash.
//!
//! [`port`] is what the rest of the program sees: batches of changes go in, records come out, in domain types only.
//! [`sqlite`] is the one implementation: one SQLite file of the state directory. [`StateDirectory`] is the owner of that
//! directory, for all who work in it.

pub mod port;
pub mod sqlite;

pub use port::*;
pub use sqlite::{SqliteJournal, StateDirectory, disk_remedy, replace_private};
