//! Journals of every schema before, made by the statements of their versions, are taken over whole.

use super::fixtures::*;
use crate::{
    port::{Browse, Journal, Recover},
    sqlite::{
        FILE_NAME, SqliteJournal, StateDirectory,
        queue::BOUND,
        schema::{APPLICATION_ID, MIGRATIONS, WITH_CALLS, WITH_HEAD},
        sums::{Summed, TABLES},
    },
};
use mainstay_domain::{
    backup::BackupType,
    call::Report,
    call_record::{CallEnd, CallOutcome},
    event::{Event, EventKind, TargetRenamed},
    incident::IncidentState,
    operation::OperationState,
    record::Change,
    time::Timestamp,
};
use std::{fs, path::Path};
use tempfile::TempDir;

const MARK: &str = "journal.mark";

/// What the directory's journal holds, in one of this schema version, as the daemon of it left it.
fn older(today: &Path, version: usize) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let file = rusqlite::Connection::open(directory.path().join(FILE_NAME)).unwrap();
    for migration in &MIGRATIONS[..version] {
        file.execute_batch(migration).unwrap();
    }
    let number = i64::try_from(version).unwrap();
    file.pragma_update(None, "application_id", APPLICATION_ID)
        .unwrap();
    file.pragma_update(None, "user_version", number).unwrap();
    let journal = today.join(FILE_NAME);
    file.execute("ATTACH ?1 AS today", [journal.to_str().unwrap()])
        .unwrap();
    for Summed { table, .. } in TABLES {
        let of_then = "SELECT group_concat(name, ', ') FROM pragma_table_info(?1, 'main')";
        let columns: Option<String> = file.query_row(of_then, [table], |row| row.get(0)).unwrap();
        // What a version did not have yet, nothing was written to by it.
        let Some(columns) = columns else {
            continue;
        };
        let copy =
            format!("INSERT INTO main.{table} ({columns}) SELECT {columns} FROM today.{table}");
        file.execute_batch(&copy).unwrap();
    }
    if version >= WITH_HEAD {
        file.execute_batch(
            "UPDATE main.head SET id = (SELECT id FROM today.head), number = (SELECT number FROM today.head)",
        )
        .unwrap();
        fs::copy(today.join(MARK), directory.path().join(MARK)).unwrap();
    }
    file.close().unwrap();
    directory
}

fn version_of(directory: &Path) -> i64 {
    let file = rusqlite::Connection::open(directory.join(FILE_NAME)).unwrap();
    file.pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap()
}

#[tokio::test]
async fn a_journal_of_every_schema_before_is_taken_over_whole() {
    const SOUGHT: &[EventKind] = &[EventKind::HostStarted];
    let today = tempfile::tempdir().unwrap();
    let operation = operation(1, "api", OperationState::InProgress);
    let incident = incident(1, "api", IncidentState::Open);
    let (outbox, backup, identity) = (outbox_entry(1), backup(1), process_identity());
    let (target, failure, job) = (target("api"), failure("api-down"), job("state"));
    let entries = [intent(&operation.id, 1), result(&operation.id, 1)];
    let of_kind = |kind: EventKind, n: u64| Event { kind, ..event(n) };
    let renamed = of_kind(EventKind::TargetRenamed, 3).with_data(TargetRenamed {
        from: super::target("web"),
        to: target.clone(),
    });
    let journal = open(today.path()).unwrap();
    let changes = vec![
        Change::Event(event(1)),
        Change::Event(of_kind(EventKind::HostStarted, 2)),
        Change::Event(renamed),
        Change::Incident(incident.clone().into()),
        Change::Operation(operation.clone()),
        Change::Effect(entries[0].clone()),
        Change::Effect(entries[1].clone()),
        Change::Alert(outbox.clone()),
        Change::Backup(backup.clone()),
        Change::Process(target.clone(), Some(identity.clone())),
        Change::Paused(Some(target.clone()), true),
        Change::Cooldown(target.clone(), failure.clone(), at(9)),
        Change::Slot(job.clone(), BackupType::Incremental, at(8)),
    ];
    journal.commit(changes.into()).await.unwrap();
    drop(journal);

    for version in 1..MIGRATIONS.len() {
        let directory = older(today.path(), version);
        assert_eq!(
            version_of(directory.path()),
            i64::try_from(version).unwrap()
        );
        let journal = open(directory.path()).unwrap();
        let recovered = journal.recovered(Timestamp::from_millis(0)).await.unwrap();
        let found = (recovered.operations, recovered.incidents, recovered.outbox);
        let expected = (
            vec![operation.clone()],
            vec![incident.clone()],
            vec![outbox.clone()],
        );
        assert_eq!(found, expected, "schema {version}");
        assert_eq!(recovered.backups, std::slice::from_ref(&backup));
        assert_eq!(recovered.processes, [(target.clone(), identity.clone())]);
        assert_eq!(recovered.paused_targets, std::slice::from_ref(&target));
        let cooldown = (target.clone(), failure.clone(), at(9));
        assert_eq!(recovered.cooldowns, [cooldown]);
        let slot = (job.clone(), BackupType::Incremental, at(8));
        assert_eq!(recovered.slots, [slot]);
        let found = journal.operation(operation.id.clone()).await.unwrap();
        assert_eq!(found, Some((operation.clone(), entries.to_vec())));
        // What a start looks for, though the version of then did not say that it is looked for.
        let sought = journal.events_of(SOUGHT, 0, 10).await.unwrap();
        let seqs: Vec<u64> = sought.iter().map(|event| event.seq).collect();
        assert_eq!(seqs, [2], "schema {version}");
        let renames = journal.renames(Some(target.clone()), 10).await.unwrap();
        let seqs: Vec<u64> = renames.iter().map(|event| event.seq).collect();
        assert_eq!(seqs, [3], "schema {version}");
        let told = journal.commit(vec![Change::Event(event(4))].into());
        assert_eq!(told.await.unwrap().events()[0].seq, 4, "schema {version}");
        drop(journal);
        let newest = i64::try_from(MIGRATIONS.len()).unwrap();
        assert_eq!(version_of(directory.path()), newest);
        let journal = open(directory.path()).unwrap();
        assert_eq!(journal.events(0, 10).await.unwrap().len(), 4);
    }
}

#[tokio::test]
async fn a_large_journal_with_a_damaged_call_is_taken_over_and_forgets_the_rest() {
    let today = tempfile::tempdir().unwrap();
    let journal = open(today.path()).unwrap();
    for n in 0..200 {
        let ended = operation(n, "api", OperationState::Succeeded);
        let end = CallEnd {
            at: at(n),
            outcome: CallOutcome::Done(Report::default()),
        };
        let mut changes = vec![Change::Operation(ended.clone())];
        if n == 1 {
            changes.push(Change::Call(Box::new(call(&ended, 1, 1))));
            changes.push(Change::CallEnded(ended.id, 1, end));
        }
        drop(journal.commit(changes.into()));
    }
    journal.written().await.unwrap();
    drop(journal);

    let directory = older(today.path(), WITH_CALLS);
    let file = rusqlite::Connection::open(directory.path().join(FILE_NAME)).unwrap();
    // With its index it could not be damaged by a statement.
    file.execute_batch("DROP INDEX calls_of_plugin; UPDATE calls SET record = '{'")
        .unwrap();
    file.close().unwrap();
    let owned = StateDirectory::take(directory.path()).unwrap();
    let journal = SqliteJournal::open_limited(owned, BOUND, 0).unwrap();
    let forget = vec![Change::Forget(at(1_000))];
    journal.commit(forget.into()).await.unwrap();
    let mut kept = Vec::new();
    for n in 0..101 {
        let id = operation(n, "api", OperationState::Succeeded).id;
        if journal.operation(id).await.unwrap().is_some() {
            kept.push(n);
        }
    }
    // The newest hundred stay.
    assert_eq!(kept, [1, 100]);
}
