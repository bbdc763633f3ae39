//! What was set aside of calls and of their effects, by a start or by a salvage.
//!
//! Invariant: a call of which anything is not there is told from one that is whole: what of it is lost would be done again.

use mainstay_domain::{call_record::CallRecord, id::OperationId, operation::Operation};
use rusqlite::Connection;
use std::collections::HashMap;

/// Of which operations effects and calls were set aside, by whatever set them aside: the greatest number of each.
#[derive(Default)]
pub(super) struct Aside {
    effects: HashMap<String, u32>,
    calls: HashMap<String, u32>,
}

impl Aside {
    pub(super) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let mut aside = Self::default();
        let sql = "SELECT origin, key FROM set_aside WHERE origin IN ('effects', 'calls')";
        let mut statement = connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (origin, key): (String, String) = (row.get(0)?, row.get(1)?);
            let mut words = key.split(' ');
            let (Some(operation), Some(number)) = (words.next(), words.next()) else {
                continue;
            };
            // What has no number any more may have been the last.
            let number: u32 = number.parse().unwrap_or(u32::MAX);
            let numbers = match origin.as_str() {
                "calls" => &mut aside.calls,
                _ => &mut aside.effects,
            };
            let greatest = numbers.entry(operation.to_owned()).or_default();
            *greatest = number.max(*greatest);
        }
        Ok(aside)
    }

    /// The greatest number that an effect of it had which is not there.
    pub(super) fn last_effect(&self, operation: &OperationId) -> Option<u32> {
        let last = self.effects.get(&operation.to_string()).copied();
        last.filter(|last| *last < u32::MAX)
    }

    /// Those of whose last call something is not there.
    pub(super) fn lost(
        &self,
        operations: &[Operation],
        calls: &[(OperationId, u32)],
        open_calls: &[CallRecord],
    ) -> Vec<OperationId> {
        let is_lost = |id: &OperationId| {
            let name = id.to_string();
            let last = calls.iter().find(|(of, _)| of == id);
            let call = self.calls.get(&name);
            let lacks_call = call.is_some_and(|call| last.is_none_or(|(_, last)| call > last));
            let open = open_calls.iter().find(|open| open.operation == *id);
            let effect = self.effects.get(&name).zip(open);
            lacks_call || effect.is_some_and(|(effect, open)| *effect >= open.first_number)
        };
        if self.effects.is_empty() && self.calls.is_empty() {
            return Vec::new();
        }
        let ids = operations.iter().map(|operation| &operation.id);
        ids.filter(|id| is_lost(id)).cloned().collect()
    }
}
