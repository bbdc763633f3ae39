//! Rows that this version cannot read, and how they are set aside.

use super::sums::TABLES;
use crate::port::SetAside;
use rusqlite::{Connection, params};

/// A row that cannot be read.
#[derive(Debug, Clone)]
pub(super) struct Unread {
    pub(super) table: &'static str,
    pub(super) rowid: i64,
    pub(super) why: String,
}

impl Unread {
    /// Moves the row, as it is, to those that are set aside.
    pub(super) fn set_aside(&self, connection: &Connection) -> rusqlite::Result<SetAside> {
        let Self { table, rowid, why } = self;
        let summed = TABLES.iter().find(|summed| summed.table == *table);
        let (columns, key) = summed.map_or(("rowid", "rowid"), |it| (it.columns, it.key));
        let sql = format!(
            "INSERT INTO set_aside (origin, key, record, why)
             SELECT '{table}', {key}, json_array({columns}), ?2 FROM {table} WHERE rowid = ?1 RETURNING key"
        );
        let key = connection.query_row(&sql, params![rowid, why], |row| row.get(0))?;
        connection.execute(&format!("DELETE FROM {table} WHERE rowid = ?1"), [rowid])?;
        Ok(SetAside {
            table,
            key,
            why: why.clone(),
        })
    }
}
