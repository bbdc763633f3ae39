//! Where content of a composed state goes.

use crate::archive::DocumentKey;

/// A place in a document of the composed state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The document.
    pub key: DocumentKey,
    /// How many of its bytes come before.
    pub at: u64,
}
