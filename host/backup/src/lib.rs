//! The backups of Mainstay: sources are read, stored as an archive, read back, and restored.
//!
//! [`port`] is what the rest of the program sees: what is to be taken, verified or restored, in domain types only, and
//! what a store needs of its host. [`LocalBackups`] is the one implementation: files in the state directory, and in
//! the directories and buckets of tiers.
//!
//! Invariant: nothing here decides what is taken, kept or deleted, or when.
//! Invariant: a program that is a source is run by the host, which decides what it inherits.

pub mod age_keys;
mod bucket;
mod local;
mod patterns;
pub mod port;

pub use bucket::{Bucket, BucketAccess};
pub use local::LocalBackups;
pub use patterns::{InvalidPattern, check_pattern};
pub use port::*;
