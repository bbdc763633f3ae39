//! A record of the journal that knows whether it has to be written.
//!
//! Invariant: whatever changes it marks it, so that memory never holds what the journal is not told.

use std::ops::{Deref, DerefMut};

/// A record, and whether it is another than the journal has.
#[derive(Debug, Clone, PartialEq)]
pub struct Tracked<T> {
    record: T,
    is_changed: bool,
}

impl<T> Tracked<T> {
    /// One that the journal does not have.
    pub(super) fn new(record: T) -> Self {
        Self {
            record,
            is_changed: true,
        }
    }

    /// One that the journal has as it is.
    pub(super) fn written(record: T) -> Self {
        Self {
            record,
            is_changed: false,
        }
    }

    /// Changes it where the change says that it was one; gives what it said.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut T) -> bool) -> bool {
        let is_changed = change(&mut self.record);
        self.is_changed |= is_changed;
        is_changed
    }

    /// The record where it has to be written; after that it counts as written.
    pub(super) fn take_change(&mut self) -> Option<&T> {
        std::mem::take(&mut self.is_changed).then_some(&self.record)
    }
}

impl<T> Deref for Tracked<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.record
    }
}

impl<T> DerefMut for Tracked<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.is_changed = true;
        &mut self.record
    }
}
