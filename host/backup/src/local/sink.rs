//! Where the content of a state goes while it is composed.

use crate::port::BackupStoreError;
use mainstay_domain::{
    archive::{ContentHash, DocumentKey, DocumentKind},
    backup_chain::Place,
};

/// Where the content of a composed state goes.
pub(super) trait Sink {
    /// Whether it takes the content of this document.
    fn takes(&self, key: &DocumentKey) -> bool;
    /// The whole content of a document.
    fn document(
        &mut self,
        key: &DocumentKey,
        kind: DocumentKind,
        bytes: &[u8],
    ) -> Result<(), BackupStoreError>;
    /// Begins a file that comes in pieces, perhaps anew: nothing is in it.
    fn begin(&mut self, key: &DocumentKey) -> Result<(), BackupStoreError>;
    /// Some of a file that was begun; pieces come in any order.
    fn piece(&mut self, place: &Place, bytes: &[u8]) -> Result<(), BackupStoreError>;
    /// Puts content of this hash and length to a place, out of what was handed on before: it lies at `from`, or was taken
    /// by nobody. Answers whether that was possible.
    fn copy(
        &mut self,
        from: Option<&Place>,
        to: &Place,
        content: (ContentHash, u64),
    ) -> Result<bool, BackupStoreError>;
    /// A file that was begun has so many bytes, in pieces that came or are still to come.
    fn has_length(&mut self, _: &DocumentKey, _: u64) {}
    /// Nobody will ask whether a file that was begun is right: all that it consists of is checked where it is read.
    fn needs_no_look(&mut self, _: &DocumentKey) -> Result<(), BackupStoreError> {
        Ok(())
    }
    /// Whether a file has this hash, all its pieces being there.
    fn is_right(&mut self, key: &DocumentKey, hash: ContentHash) -> Result<bool, BackupStoreError>;
}

/// For reading that checks the archives and the state; not documents of parts from several places, as `CheckingSink` does.
pub(super) struct DiscardSink;

impl Sink for DiscardSink {
    fn takes(&self, _: &DocumentKey) -> bool {
        true
    }

    fn document(
        &mut self,
        _: &DocumentKey,
        _: DocumentKind,
        _: &[u8],
    ) -> Result<(), BackupStoreError> {
        Ok(())
    }

    fn begin(&mut self, _: &DocumentKey) -> Result<(), BackupStoreError> {
        Ok(())
    }

    fn piece(&mut self, _: &Place, _: &[u8]) -> Result<(), BackupStoreError> {
        Ok(())
    }

    fn copy(
        &mut self,
        _: Option<&Place>,
        _: &Place,
        _: (ContentHash, u64),
    ) -> Result<bool, BackupStoreError> {
        Ok(true)
    }

    fn is_right(&mut self, _: &DocumentKey, _: ContentHash) -> Result<bool, BackupStoreError> {
        Ok(true)
    }
}
