//! The audit log in the file: written with its events, forgotten from its beginning on, and every change of it named.

use super::fixtures::*;
use crate::{
    port::{AuditFilter, Browse, Journal},
    sqlite::{
        self, AuditReport, FILE_NAME, SqliteJournal,
        schema::{MIGRATIONS, WITH_AUDIT},
    },
};
use mainstay_domain::{
    audit::AuditContext,
    event::{Event, EventKind, PausedBy},
    record::Change,
    severity::Severity,
};
use std::path::Path;
use tempfile::TempDir;

fn paused(n: u64, name: &str) -> Change {
    let event = Event::new(
        EventKind::HostPaused,
        Severity::Medium,
        at(n),
        format!("pause {n}"),
    );
    let event = event.with_target(&target(name)).with_data(PausedBy {
        by: "anna".to_owned(),
        note: None,
    });
    Change::Event(event)
}

async fn commit(journal: &SqliteJournal, changes: Vec<Change>) {
    assert!(journal.commit(changes.into()).await.unwrap().is_durable());
}

/// Nine rows, and between them events that have none.
async fn nine_rows() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    for n in 1..10 {
        let name = ["api", "web"][n as usize % 2];
        commit(&journal, vec![Change::Event(event(n)), paused(n, name)]).await;
    }
    directory
}

fn verified(directory: &Path) -> AuditReport {
    sqlite::verify_audit(directory).unwrap()
}

/// Somebody else writes to the file, and knows of no sums.
fn tampered(directory: &Path, sql: &str) -> AuditReport {
    let file = rusqlite::Connection::open(directory.join(FILE_NAME)).unwrap();
    file.execute_batch(sql).unwrap();
    file.close().unwrap();
    let report = verified(directory);
    assert!(!report.is_whole(), "{sql}: {report:?}");
    report
}

fn asked(limit: u32) -> AuditFilter {
    AuditFilter {
        limit,
        ..AuditFilter::default()
    }
}

#[tokio::test]
async fn each_decision_has_a_row_with_who_and_under_what_and_the_newest_come_first() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    let under = |phase: &str, charter: &str| {
        Change::AuditedUnder(AuditContext {
            phase: phase.to_owned(),
            charter: charter.to_owned(),
        })
    };
    commit(&journal, vec![Change::Event(event(1)), paused(1, "api")]).await;
    commit(&journal, vec![under("safe", "ab12"), paused(2, "web")]).await;
    drop(journal);
    // What holds is known to the next daemon too.
    let journal = open(directory.path()).unwrap();
    commit(&journal, vec![paused(3, "api")]).await;
    let rows = journal.audit(asked(10)).await.unwrap();
    let told: Vec<_> = rows
        .iter()
        .map(|row| {
            let record = &row.record;
            let words = (record.phase.as_str(), record.charter.as_str());
            (row.number, record.seq, record.actor.as_str(), words)
        })
        .collect();
    let expected = [
        (3, 4, "anna", ("safe", "ab12")),
        (2, 3, "anna", ("safe", "ab12")),
        (1, 2, "anna", ("", "")),
    ];
    assert_eq!(told, expected);
    let of = async |filter: AuditFilter| -> Vec<u64> {
        let rows = journal.audit(filter).await.unwrap();
        rows.iter().map(|row| row.number).collect()
    };
    let api = AuditFilter {
        target: Some(target("api")),
        ..asked(10)
    };
    assert_eq!(of(api.clone()).await, [3, 1]);
    let older = AuditFilter {
        before: Some(3),
        ..api
    };
    assert_eq!(of(older).await, [1]);
    let since = AuditFilter {
        since: Some(at(2)),
        ..asked(1)
    };
    assert_eq!(of(since).await, [3]);
    // While the daemon writes, too.
    let report = verified(directory.path());
    assert!(report.is_whole(), "{report:?}");
    assert_eq!((report.rows, report.last), (3, 3));
    assert_eq!(report.digest, rows[0].digest);
}

#[tokio::test]
async fn a_row_costs_no_fsync_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    let before = journal.transactions();
    commit(&journal, (1..50).map(|n| paused(n, "api")).collect()).await;
    assert_eq!(journal.transactions(), before + 1);
    assert_eq!(verified(directory.path()).rows, 49);
}

#[tokio::test]
async fn what_somebody_did_to_the_log_is_named() {
    let named = async |sql: &str| {
        let directory = nine_rows().await;
        assert!(verified(directory.path()).is_whole());
        tampered(directory.path(), sql).named.join("; ")
    };
    let changed =
        named("UPDATE audit SET record = replace(record, 'anna', 'otto') WHERE number = 4").await;
    assert!(
        changed.contains("row 4 is not what was written"),
        "{changed}"
    );
    assert!(changed.contains("host.paused"), "{changed}");
    let removed = named("DELETE FROM audit WHERE number = 3").await;
    assert_eq!(
        removed.split(';').next(),
        Some("row 3 is missing"),
        "{removed}"
    );
    let beginning = named("DELETE FROM audit WHERE number < 3").await;
    assert!(beginning.contains("rows 1 to 2 are missing"), "{beginning}");
    let cut = named("DELETE FROM audit WHERE number > 7").await;
    assert!(
        cut.contains("rows 8 to 9, the last ones, are missing"),
        "{cut}"
    );
    let reordered = named(
        "UPDATE audit SET number = -1 WHERE number = 5; UPDATE audit SET number = 5 WHERE number = 6;
         UPDATE audit SET number = 6 WHERE number = -1",
    )
    .await;
    assert!(
        reordered.contains("row 5 is not what was written"),
        "{reordered}"
    );
    let added =
        named("INSERT INTO audit SELECT 10, record, digest FROM audit WHERE number = 9").await;
    assert!(
        added.contains("row 10 stands where none was written"),
        "{added}"
    );
    // Who cuts off the end, and has the rest say that this is the end.
    let all = named(
        "DELETE FROM audit WHERE number > 7;
         UPDATE audit_head SET number = 7, digest = (SELECT digest FROM audit WHERE number = 7)",
    )
    .await;
    assert!(all.contains("event 16 has no row"), "{all}");
    let headless = named("DELETE FROM audit_head").await;
    assert!(headless.contains("is not written any more"), "{headless}");
    let emptied =
        named("DELETE FROM audit; UPDATE audit_head SET number = 0, digest = anchor").await;
    assert!(emptied.contains("event 2 has no row"), "{emptied}");
}

#[tokio::test]
async fn a_log_that_somebody_changed_keeps_no_event_from_being_written_and_stays_found() {
    for sql in [
        "UPDATE audit SET record = '{' WHERE number = 4",
        "DELETE FROM audit WHERE number > 7",
        "DELETE FROM audit_head",
        "DELETE FROM audit",
    ] {
        let directory = nine_rows().await;
        tampered(directory.path(), sql);
        let journal = open(directory.path()).unwrap();
        commit(&journal, vec![paused(10, "api")]).await;
        commit(&journal, vec![paused(11, "api"), Change::Forget(at(0))]).await;
        let rows = journal.audit(asked(2)).await.unwrap();
        let words: Vec<&str> = rows.iter().map(|row| row.record.message.as_str()).collect();
        assert_eq!(words, ["pause 11", "pause 10"], "{sql}");
        assert!(!verified(directory.path()).is_whole(), "{sql}");
    }
}

#[tokio::test]
async fn rows_are_forgotten_from_the_beginning_on_and_the_rest_is_still_a_chain() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    let mut changes: Vec<Change> = (1..=300).map(|n| paused(n, "api")).collect();
    // A clock was ahead for a moment, and behind for another.
    changes[49] = paused(1 << 40, "api");
    changes[149] = paused(0, "api");
    commit(&journal, changes).await;
    commit(&journal, vec![Change::Forget(at(120))]).await;
    let report = verified(directory.path());
    assert!(report.is_whole(), "{report:?}");
    assert_eq!(
        (report.forgotten, report.rows, report.last),
        (119, 181, 300)
    );
    // The newest stay, whatever the clock says.
    commit(&journal, vec![Change::Forget(at(1 << 39))]).await;
    let report = verified(directory.path());
    assert!(report.is_whole(), "{report:?}");
    assert_eq!((report.forgotten, report.rows), (200, 100));
    commit(&journal, vec![paused(301, "api")]).await;
    assert!(verified(directory.path()).is_whole());
    drop(journal);
    let cut = tampered(directory.path(), "DELETE FROM audit WHERE number < 210");
    assert!(
        cut.named[0].contains("rows 201 to 209 are missing"),
        "{cut:?}"
    );
}

#[tokio::test]
async fn a_salvage_and_a_copy_keep_the_log_and_its_chain() {
    let directory = nine_rows().await;
    let copied = tempfile::tempdir().unwrap();
    sqlite::copy(directory.path(), &copied.path().join(FILE_NAME)).unwrap();
    assert_eq!(
        verified(copied.path()),
        AuditReport {
            path: copied.path().join(FILE_NAME),
            ..verified(directory.path())
        }
    );
    let file = rusqlite::Connection::open(directory.path().join(FILE_NAME)).unwrap();
    file.execute("UPDATE events SET record = '{}' WHERE seq = 3", [])
        .unwrap();
    file.close().unwrap();
    let before = verified(directory.path());
    let salvaged = sqlite::salvage(directory.path(), at(0)).unwrap();
    let of_audit = salvaged.tables.iter().find(|table| table.table == "audit");
    assert_eq!(of_audit.map(|table| (table.rows, table.gaps)), Some((9, 0)));
    assert_eq!(verified(directory.path()), before);
    let journal = open(directory.path()).unwrap();
    commit(&journal, vec![paused(10, "api")]).await;
    assert!(verified(directory.path()).is_whole());
}

#[test]
fn the_version_that_the_log_came_with_is_that_of_its_migration() {
    assert!(MIGRATIONS[WITH_AUDIT - 1].contains("CREATE TABLE audit ("));
}

#[tokio::test]
async fn a_directory_without_a_journal_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let error = sqlite::verify_audit(directory.path())
        .unwrap_err()
        .to_string();
    assert!(error.contains("holds no journal"), "{error}");
}

#[tokio::test]
async fn a_log_begins_with_the_version_that_keeps_one_also_where_the_journal_before_was_salvaged() {
    let directory = nine_rows().await;
    // As the version before left it: events without a row.
    let file = rusqlite::Connection::open(directory.path().join(FILE_NAME)).unwrap();
    file.execute_batch(&format!(
        "DROP TABLE audit; DROP TABLE audit_head;
         DROP TABLE calls; ALTER TABLE head DROP COLUMN fencing;
         PRAGMA user_version = {};
         UPDATE events SET record = '{{}}' WHERE seq = 3",
        WITH_AUDIT - 1
    ))
    .unwrap();
    file.close().unwrap();
    let error = sqlite::verify_audit(directory.path())
        .unwrap_err()
        .to_string();
    assert!(error.contains("kept no audit log"), "{error}");
    sqlite::salvage(directory.path(), at(0)).unwrap();
    assert!(verified(directory.path()).is_whole());
    let journal = open(directory.path()).unwrap();
    commit(&journal, vec![paused(10, "api")]).await;
    let report = verified(directory.path());
    assert!(report.is_whole(), "{report:?}");
    assert_eq!(report.rows, 1);
}
