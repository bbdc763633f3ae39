//! Stored records of every type and version.

pub(crate) mod corpus;
mod coverage;
