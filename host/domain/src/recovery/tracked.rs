//! A record of the journal that knows whether it has to be written.
//!
//! Invariant: borrowing the record mutably marks it as changed, so no change is left unwritten.
//! Invariant: the record is shared with its pending write, and copied only if it changes before that write is done.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};

/// A record, and whether it is another than the journal has.
#[derive(Debug, Clone, PartialEq)]
pub struct Tracked<T> {
    record: Arc<T>,
    is_changed: bool,
}

impl<T: Clone> Tracked<T> {
    /// One that the journal does not have.
    pub(super) fn new(record: T) -> Self {
        Self {
            record: Arc::new(record),
            is_changed: true,
        }
    }

    /// One that the journal has as it is.
    pub(super) fn written(record: T) -> Self {
        Self {
            record: Arc::new(record),
            is_changed: false,
        }
    }

    /// The record where it has to be written; after that it counts as written.
    pub(super) fn take_change(&mut self) -> Option<Arc<T>> {
        std::mem::take(&mut self.is_changed).then(|| Arc::clone(&self.record))
    }
}

impl<T> Deref for Tracked<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.record
    }
}

impl<T: Clone> DerefMut for Tracked<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.is_changed = true;
        Arc::make_mut(&mut self.record)
    }
}
