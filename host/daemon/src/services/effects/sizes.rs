//! What the journals of operations take.
//!
//! Invariant: what is bounded is what all calls of an operation wrote, over restarts of the daemon too where a call is gone
//! on with.

use mainstay_domain::{effect::EffectError, id::OperationId, spec::Limits};
use parking_lot::Mutex;
use std::collections::BTreeMap;

/// So many operations are remembered, the newest by their identifiers; more do not run at one time.
const MOST: usize = 1024;

/// Bytes that each operation has in the journal.
#[derive(Debug, Default)]
pub(super) struct JournalSizes(Mutex<BTreeMap<OperationId, u64>>);

impl JournalSizes {
    /// It has so many, as the journal itself says.
    pub(super) fn set(&self, operation: &OperationId, bytes: u64) {
        let mut sizes = self.0.lock();
        sizes.insert(operation.clone(), bytes);
        while sizes.len() > MOST {
            sizes.pop_first();
        }
    }

    /// So many more were written.
    pub(super) fn add(&self, operation: &OperationId, bytes: u64) {
        let before = self.of(operation);
        self.set(operation, before.saturating_add(bytes));
    }

    fn of(&self, operation: &OperationId) -> u64 {
        self.0.lock().get(operation).copied().unwrap_or_default()
    }

    /// Refuses what there is no room for.
    pub(super) fn must_have_room(
        &self,
        operation: &OperationId,
        bytes: u64,
        (plugin, limits): (&str, &Limits),
    ) -> Result<(), EffectError> {
        let after = self.of(operation).saturating_add(bytes);
        match after > limits.journal_bytes {
            false => Ok(()),
            true => Err(EffectError::Limited(format!(
                "with this the journal of the operation would take {after} bytes, and {} are allowed; raise \
                 `[plugin.{plugin}] limits.journal` if it needs more",
                limits.journal_bytes
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_has_room_for_so_much_over_all_its_calls() {
        let sizes = JournalSizes::default();
        let one = OperationId::parse("op-01K0000000000000000000000A").unwrap();
        let other = OperationId::parse("op-01K0000000000000000000000B").unwrap();
        let limits = Limits {
            journal_bytes: 100,
            ..Limits::default()
        };
        sizes.add(&one, 60);
        sizes.add(&one, 30);
        let has_room = |id, bytes| sizes.must_have_room(id, bytes, ("p", &limits));
        assert_eq!(has_room(&one, 10), Ok(()));
        let refused = has_room(&one, 11).unwrap_err().to_string();
        assert!(refused.contains("`[plugin.p] limits.journal`"), "{refused}");
        assert_eq!(has_room(&other, 100), Ok(()));
        sizes.set(&one, 0);
        assert_eq!(has_room(&one, 100), Ok(()));
    }
}
