//! The newest operations and incidents that a filter asks for.
//!
//! Invariant: a statement names no column that is not filtered by, so that the index of just these filters answers it. What has
//! not ended, or is open, is in an index of its own, and there is little of it: the two are merged as they are read.

use super::{
    columns::{Millis, word},
    rows::all,
    schema::{ended, unended},
    sums::checked,
};
use crate::port::{HistoryFilter, IncidentFilter};
use mainstay_domain::{
    incident::Incident,
    name::{FailureType, TargetName},
    operation::{Operation, OperationState},
};
use rusqlite::{Connection, ToSql};

/// What is asked of a row: conditions, and the parameters of the statement, of which the first is how many rows.
struct Asked<'a> {
    conditions: Vec<String>,
    parameters: Vec<&'a dyn ToSql>,
}

impl<'a> Asked<'a> {
    fn most(limit: &'a u32) -> Self {
        Self {
            conditions: Vec::new(),
            parameters: vec![limit],
        }
    }

    /// Where there is a value: a condition in which the one `?` stands for it.
    fn of<T: ToSql>(&mut self, value: &'a Option<T>, condition: &str) {
        if let Some(value) = value {
            self.parameters.push(value);
            let place = format!("?{}", self.parameters.len());
            self.conditions.push(condition.replace('?', &place));
        }
    }
}

pub(super) fn incidents(
    connection: &Connection,
    filter: &IncidentFilter,
) -> rusqlite::Result<Vec<Incident>> {
    let target = filter.target.as_ref().map(TargetName::as_str);
    let since = filter.since.map(Millis);
    let before = filter.before.as_ref().map(ToString::to_string);
    let mut asked = Asked::most(&filter.limit);
    asked.of(&target, "target = ?");
    asked.of(&since, "opened_at >= ?");
    asked.of(
        &before,
        "(opened_at, number) < (SELECT opened_at, number FROM incidents WHERE id = ?)",
    );
    let sql = incidents_sql(filter.open_only, &asked.conditions);
    all(connection, &sql, asked.parameters.as_slice())
}

/// The newest incidents, or those that are open, that these conditions hold of; as many as the first parameter says.
pub(super) fn incidents_sql(open_only: bool, conditions: &[String]) -> String {
    let halves: &[&str] = match open_only {
        true => &["open"],
        false => &["open", "NOT open"],
    };
    let rows = concat!(
        "SELECT ",
        checked!(incidents),
        ", opened_at, number FROM incidents"
    );
    newest_of(rows, halves, conditions)
}

pub(super) fn history(
    connection: &Connection,
    filter: &HistoryFilter,
) -> rusqlite::Result<Vec<Operation>> {
    let state = filter.state.as_ref().map(word).transpose()?;
    let target = filter.target.as_ref().map(TargetName::as_str);
    let failure = filter.failure.as_ref().map(FailureType::as_str);
    let since = filter.since.map(Millis);
    let before = filter.before.as_ref().map(ToString::to_string);
    let mut asked = Asked::most(&filter.limit);
    asked.of(&target, "target = ?");
    asked.of(&failure, "failure = ?");
    asked.of(&state, "state = ?");
    asked.of(&since, "detected_at >= ?");
    asked.of(
        &before,
        "(detected_at, number) < (SELECT detected_at, number FROM operations WHERE id = ?)",
    );
    let sql = history_sql(filter.state, &asked.conditions);
    all(connection, &sql, asked.parameters.as_slice())
}

/// The newest operations of this state, or of any, that these conditions hold of; as many as the first parameter says.
pub(super) fn history_sql(state: Option<OperationState>, conditions: &[String]) -> String {
    let halves: &[&str] = match state {
        Some(state) if state.is_final() => &[ended!()],
        Some(_) => &[unended!()],
        None => &[unended!(), ended!()],
    };
    let rows = concat!(
        "SELECT ",
        checked!(operations),
        ", detected_at, number FROM operations"
    );
    newest_of(rows, halves, conditions)
}

/// The newest by their second column of the rows of these halves of a table, each of which has indices of its own.
fn newest_of(rows: &str, halves: &[&str], conditions: &[String]) -> String {
    let half = |half: &&str| {
        let conditions = std::iter::once(*half).chain(conditions.iter().map(String::as_str));
        let conditions: Vec<&str> = conditions.collect();
        format!("{rows} WHERE {}", conditions.join(" AND "))
    };
    let halves: Vec<String> = halves.iter().map(half).collect();
    format!(
        "{} ORDER BY 2 DESC, 3 DESC LIMIT ?1",
        halves.join(" UNION ALL ")
    )
}
