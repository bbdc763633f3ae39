//! The events of a target, or since a time, alerts that were sent, and notes: they have no index, for few ask for them.
//!
//! Invariant: what is gone through is not kept; in memory is what is answered.

use super::{records::events as read, sums::checked};
use crate::port::{AlertFilter, EventFilter};
use mainstay_domain::{
    event::Event,
    name::{PluginName, TargetName},
};
use rusqlite::{Connection, OptionalExtension, params};

/// The condition of a row of `events` that an [`Asked`] is, its parts being the first three parameters; a piece of SQL.
macro_rules! asked {
    () => {
        "(?1 IS NULL OR instr(record, ?1) > 0) AND CASE WHEN json_valid(record) THEN
             (?2 IS NULL OR json_extract(record, '$.target') = ?2)
             AND (?3 IS NULL OR json_extract(record, '$.at') >= ?3)
         END"
    };
}

/// What a filter of events asks for, as the parameters of `asked!`.
struct Asked {
    /// As the target stands in a record: looked for first, for that costs the least.
    named: Option<String>,
    target: Option<String>,
    from: Option<String>,
}

impl Asked {
    fn of(filter: &EventFilter) -> Self {
        let target = filter.target.as_ref().map(ToString::to_string);
        Self {
            named: target
                .as_ref()
                .map(|target| format!("\"target\":\"{target}\"")),
            target,
            // Times of records are written in one length, so they compare as texts do.
            from: filter.from.map(|from| from.to_string()),
        }
    }
}

/// The events after `seq` that a filter asks for, oldest first.
pub(super) fn events(
    connection: &Connection,
    filter: &EventFilter,
    after: u64,
    limit: u32,
) -> rusqlite::Result<Vec<Event>> {
    let Asked {
        named,
        target,
        from,
    } = Asked::of(filter);
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    read(
        connection,
        concat!(
            "SELECT seq, ",
            checked!(events),
            " FROM events WHERE ",
            asked!(),
            " AND seq > ?4 ORDER BY seq LIMIT ?5"
        ),
        params![named, target, from, after, limit],
    )
}

/// The notes about what has this identifier, oldest first.
pub(super) fn notes(
    connection: &Connection,
    about: &str,
    limit: u32,
) -> rusqlite::Result<Vec<Event>> {
    read(
        connection,
        concat!(
            "SELECT seq, ",
            checked!(events),
            " FROM events
             WHERE instr(record, '\"kind\":\"note.added\"') > 0 AND instr(record, ?1) > 0
                 AND CASE WHEN json_valid(record) THEN json_extract(record, '$.kind') = 'note.added'
                     AND ifnull(json_extract(record, '$.data.incident'), json_extract(record, '$.operation')) = ?1
                 END
             ORDER BY seq LIMIT ?2"
        ),
        params![about, limit],
    )
}

/// Of the newest alerts that were sent or given up, as many as are remembered, those that a filter asks for, newest first.
pub(super) fn alerts(
    connection: &Connection,
    filter: &AlertFilter,
) -> rusqlite::Result<Vec<Event>> {
    let sql = concat!(
        "SELECT seq, ",
        checked!(events),
        // A text in a record has no such quotes.
        " FROM (
             SELECT seq, record, sum FROM events
             WHERE instr(record, '\"kind\":\"alert.delivered\"') > 0
                 OR instr(record, '\"kind\":\"alert.abandoned\"') > 0
             ORDER BY seq DESC LIMIT ?1
         )
         WHERE CASE WHEN json_valid(record) THEN
             (?2 IS NULL OR json_extract(record, '$.target') = ?2)
             AND (?3 IS NULL OR json_extract(record, '$.data.alerter') = ?3)
             AND (NOT ?4 OR json_extract(record, '$.kind') = 'alert.abandoned')
             AND (?5 IS NULL OR json_extract(record, '$.at') >= ?5)
         END AND (?6 IS NULL OR seq < ?6)
         ORDER BY seq DESC LIMIT ?7"
    );
    let target = filter.target.as_ref().map(TargetName::as_str);
    let alerter = filter.alerter.as_ref().map(PluginName::as_str);
    let AlertFilter {
        abandoned_only,
        limit,
        ..
    } = *filter;
    // Times of records are written in one length, so they compare as texts do.
    let since = filter.since.map(|since| since.to_string());
    let before = filter.before;
    let before = before.map(|seq| i64::try_from(seq).unwrap_or(i64::MAX));
    let most = AlertFilter::REMEMBERED;
    read(
        connection,
        sql,
        params![most, target, alerter, abandoned_only, since, before, limit],
    )
}

/// The `seq` after which come the newest of these events, so many of them; 0 where there are no more than those.
pub(super) fn seq_before_newest(
    connection: &Connection,
    filter: &EventFilter,
    count: u32,
) -> rusqlite::Result<u64> {
    let Asked {
        named,
        target,
        from,
    } = Asked::of(filter);
    let sql = concat!(
        "SELECT seq FROM events WHERE ",
        asked!(),
        " ORDER BY seq DESC LIMIT 1 OFFSET ?4"
    );
    let mut statement = connection.prepare_cached(sql)?;
    let bounds = params![named, target, from, count];
    let seq = statement.query_row(bounds, |row| row.get::<_, i64>(0));
    let seq = seq.optional()?;
    Ok(seq.map_or(0, |seq| u64::try_from(seq).unwrap_or_default()))
}
