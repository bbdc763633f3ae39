//! What is no longer needed leaves the journal.
//!
//! Invariant: the newest of each kind stay, so that a clock that was wrong for a moment does not cost the whole history.
//! Invariant: one call takes some tens of milliseconds at most: of very many records some go at a time.

use super::{columns::Millis, schema::ended};
use mainstay_domain::time::Timestamp;
use rusqlite::{Connection, params};

/// So many of each kind stay.
const KEPT: u32 = 100;
/// So many operations and incidents go at a time.
const BATCH: u32 = 5_000;
/// So many of the oldest events are looked at, and may go, at a time.
const EVENTS: u32 = 20_000;

/// The oldest operations that have ended; what they did goes with them. Those with one of the newest 50 calls of a plugin that
/// have ended stay: a newer version of it is rehearsed on these. Those with a call that cannot be read stay, too.
const ENDED: &str = concat!(
    "
    SELECT id FROM operations
    WHERE ",
    ended!(),
    " AND +state IN ('succeeded', 'failed', 'partial', 'cancelled') AND detected_at < ?1
        AND detected_at < (
            SELECT detected_at FROM operations WHERE ",
    ended!(),
    " ORDER BY detected_at DESC LIMIT 1 OFFSET ?2 - 1)
        AND NOT EXISTS (
            SELECT 1 FROM calls AS own
            WHERE own.operation = operations.id AND own.ended IS NOT NULL AND 50 > (
                SELECT count(*) FROM (
                    SELECT 1 FROM calls AS newer
                    WHERE newer.ended IS NOT NULL
                        AND CASE WHEN json_valid(newer.record) THEN json_extract(newer.record, '$.plugin') END
                            = CASE WHEN json_valid(own.record) THEN json_extract(own.record, '$.plugin') END
                        AND (newer.operation, newer.call) > (own.operation, own.call)
                    LIMIT 50)))
    ORDER BY detected_at LIMIT ?3"
);

/// The oldest events that are too old; and those whose time is later than the newest's, which a clock that was ahead
/// gave them, where one that is too old came after them. A clock that was behind makes only its own events too old. Changes of
/// the phase and of policies stay for as long as a start looks for them: what was set holds however long ago that was.
/// Times of records are written in one length, so they compare as texts do.
const OLD_EVENTS: &str = "
    WITH front AS MATERIALIZED (
        SELECT seq, json_extract(record, '$.at') AS at FROM events
        WHERE seq <= (SELECT max(seq) FROM events) - ?2
            AND NOT (sought IS NOT 0 AND json_extract(record, '$.kind') IN ('phase.changed', 'policy.changed'))
        ORDER BY seq LIMIT ?3)
    DELETE FROM events WHERE seq IN (
        SELECT seq FROM front
        WHERE at < ?1
            OR at > (SELECT json_extract(record, '$.at') FROM events ORDER BY seq DESC LIMIT 1)
                AND seq < (SELECT max(seq) FROM front WHERE at < ?1))";

/// Removes operations that ended, incidents that closed and events from before then.
pub(super) fn forget(connection: &Connection, before: Timestamp) -> rusqlite::Result<()> {
    let bounds = params![Millis(before), KEPT, BATCH];
    for table in [
        "effects WHERE operation",
        "calls WHERE operation",
        "operations WHERE id",
    ] {
        let sql = format!("DELETE FROM {table} IN ({ENDED})");
        connection.prepare_cached(&sql)?.execute(bounds)?;
    }
    connection
        .prepare_cached(
            "DELETE FROM incidents WHERE id IN (
                 SELECT id FROM incidents
                 WHERE NOT open AND opened_at < ?1
                     AND opened_at < (
                         SELECT opened_at FROM incidents WHERE NOT open ORDER BY opened_at DESC LIMIT 1 OFFSET ?2 - 1)
                 ORDER BY opened_at LIMIT ?3)",
        )?
        .execute(bounds)?;
    connection
        .prepare_cached(OLD_EVENTS)?
        .execute(params![before.to_string(), KEPT, EVENTS])?;
    Ok(())
}
