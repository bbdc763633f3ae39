//! What is no longer needed leaves the journal.
//!
//! Invariant: the newest of each kind stay, so that a clock that was wrong for a moment does not cost the whole history.
//! Invariant: one call takes some milliseconds at most: of very many records some go at a time.

use super::changes::Millis;
use mainstay_domain::time::Timestamp;
use rusqlite::{Connection, params};

/// So many of each kind stay.
const KEPT: u32 = 100;
/// So many of each kind go at a time.
const BATCH: u32 = 5_000;

/// The oldest operations that have ended; what they did goes with them.
const ENDED: &str = "
    SELECT id FROM operations
    WHERE state IN ('succeeded', 'failed', 'partial', 'cancelled') AND detected_at < ?1
        AND detected_at < (SELECT detected_at FROM operations ORDER BY detected_at DESC LIMIT 1 OFFSET ?2 - 1)
    ORDER BY detected_at LIMIT ?3";

/// Removes operations that ended, incidents that closed and events from before then.
pub(super) fn forget(connection: &Connection, before: Timestamp) -> rusqlite::Result<()> {
    let bounds = params![Millis(before), KEPT, BATCH];
    for table in ["effects WHERE operation", "operations WHERE id"] {
        let sql = format!("DELETE FROM {table} IN ({ENDED})");
        connection.prepare_cached(&sql)?.execute(bounds)?;
    }
    connection
        .prepare_cached(
            "DELETE FROM incidents WHERE id IN (
                 SELECT id FROM incidents
                 WHERE NOT open AND opened_at < ?1
                     AND opened_at < (SELECT opened_at FROM incidents ORDER BY opened_at DESC LIMIT 1 OFFSET ?2 - 1)
                 ORDER BY opened_at LIMIT ?3)",
        )?
        .execute(bounds)?;
    // Times of records are written in one length, so they compare as texts do.
    connection
        .prepare_cached(
            "DELETE FROM events WHERE json_extract(record, '$.at') < ?1 AND seq IN (
                 SELECT seq FROM events WHERE seq <= (SELECT max(seq) FROM events) - ?2 ORDER BY seq LIMIT ?3)",
        )?
        .execute(params![before.to_string(), KEPT, BATCH])?;
    Ok(())
}
