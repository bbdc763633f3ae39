//! What it takes to make a call again is written with its first entry, and its end stays.

use super::fixtures::*;
use crate::{
    port::{Browse, Journal, RecordedWrite, Recover, Values},
    sqlite::{FILE_NAME, SqliteJournal, salvage},
};
use mainstay_domain::{
    call::Report,
    call_record::{CallEnd, CallOutcome, CallRecord, RecordedCall},
    effect::Answer,
    operation::{Operation, OperationState},
    record::{Change, EffectEntry},
    time::Timestamp,
};
use std::{collections::BTreeSet, path::Path};

fn of_call(entry: EffectEntry, fencing: u64) -> EffectEntry {
    EffectEntry {
        call: Some(1),
        request_hash: Some(entry.effect.request_hash()),
        fencing,
        ..entry
    }
}

#[tokio::test]
async fn a_call_is_read_back_with_its_end_also_where_its_record_is_written_again() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    let operation = operation(1, "api", OperationState::InProgress);
    let id = || operation.id.clone();
    let (first, second) = (call(&operation, 1, 1), call(&operation, 2, 2));
    let entry = of_call(intent(&operation.id, 1), 1);
    let end = CallEnd {
        at: at(9),
        outcome: CallOutcome::Done(Report::default()),
    };
    let changes = vec![
        Change::Operation(operation.clone()),
        // Nothing is there of it.
        Change::CallEnded(id(), 1, end.clone()),
        Change::Call(Box::new(first.clone())),
        Change::Effect(entry.clone()),
    ];
    journal.commit(changes.into()).await.unwrap();
    let open_call = |record: &CallRecord| RecordedCall {
        record: record.clone(),
        end: None,
    };
    assert_eq!(journal.calls(id()).await.unwrap(), [open_call(&first)]);
    let again = CallRecord {
        replays: 1,
        ..first.clone()
    };
    let changes = vec![
        Change::CallEnded(id(), 1, end.clone()),
        Change::Call(Box::new(again.clone())),
        Change::Call(Box::new(second.clone())),
    ];
    journal.commit(changes.into()).await.unwrap();
    let ended = RecordedCall {
        record: again,
        end: Some(end),
    };
    assert_eq!(
        journal.calls(id()).await.unwrap(),
        [ended, open_call(&second)]
    );
    let found = journal.operation(id()).await.unwrap();
    assert_eq!(found, Some((operation.clone(), vec![entry])));
    drop(journal);
    let journal = open(directory.path()).unwrap();
    let recovered = journal.recovered(Timestamp::from_millis(0)).await.unwrap();
    assert_eq!(recovered.calls, [(id(), 2)]);
    assert_eq!(recovered.effects, [(id(), 1)]);
    assert_eq!(recovered.open_calls, [second], "the first has ended");
}

/// An operation in the middle of its second call, which has two effects and their results.
async fn in_a_call(directory: &Path) -> (SqliteJournal, Operation) {
    let journal = open(directory).unwrap();
    let operation = operation(1, "api", OperationState::InProgress);
    let mut changes = vec![
        Change::Operation(operation.clone()),
        Change::Call(Box::new(call(&operation, 1, 1))),
        Change::Effect(of_call(intent(&operation.id, 1), 1)),
        Change::Effect(of_call(result(&operation.id, 1), 1)),
    ];
    let end = CallEnd {
        at: at(9),
        outcome: CallOutcome::Done(Report::default()),
    };
    changes.push(Change::CallEnded(operation.id.clone(), 1, end));
    changes.push(Change::Call(Box::new(call(&operation, 2, 2))));
    for number in [2, 3] {
        for entry in [intent(&operation.id, number), result(&operation.id, number)] {
            let entry = of_call(entry, 1);
            changes.push(Change::Effect(EffectEntry {
                call: Some(2),
                ..entry
            }));
        }
    }
    journal.commit(changes.into()).await.unwrap();
    (journal, operation)
}

type Spoil = fn(&rusqlite::Connection) -> rusqlite::Result<()>;

/// Rows become what another version wrote.
fn unreadable(connection: &rusqlite::Connection, table: &str, of: &str) -> rusqlite::Result<()> {
    connection.execute_batch(&format!(
        "UPDATE {table} SET record = '{{}}' WHERE {of};
         UPDATE effects SET sum = row_sum(operation, number, kind, record);
         UPDATE calls SET sum = row_sum(operation, call, ended, record)"
    ))
}

#[tokio::test]
async fn a_call_of_which_a_row_is_set_aside_is_told_from_one_that_is_whole() {
    // What this version cannot read, and whether the last call lacks anything then.
    let table: [(Spoil, bool); 5] = [
        (|it| unreadable(it, "effects", "number = 1"), false),
        (
            |it| unreadable(it, "effects", "number = 2 AND kind = 'intent'"),
            true,
        ),
        (|it| unreadable(it, "effects", "number = 3"), true),
        (|it| unreadable(it, "calls", "call = 1"), false),
        (|it| unreadable(it, "calls", "call = 2"), true),
    ];
    for (row, (spoil, is_lost)) in table.into_iter().enumerate() {
        let directory = tempfile::tempdir().unwrap();
        let (journal, operation) = in_a_call(directory.path()).await;
        journal.on_connection(spoil).await.unwrap();
        let expected: BTreeSet<_> = is_lost.then(|| operation.id.clone()).into_iter().collect();
        // The second time what was set aside is not in its table any more.
        for time in ["first", "second"] {
            let found = journal.recovered(Timestamp::from_millis(0)).await.unwrap();
            assert_eq!(found.lost, expected, "{row}, {time}");
            let effects = [(operation.id.clone(), 3)];
            assert_eq!(found.effects, effects, "{row}, {time}");
        }
    }
}

#[tokio::test]
async fn a_call_of_which_a_salvage_sets_a_row_aside_is_not_whole_either() {
    for (damage, is_lost) in [
        ("UPDATE effects SET record = '{}' WHERE number = 1", false),
        ("UPDATE effects SET record = '{}' WHERE number = 3", true),
        ("UPDATE calls SET record = '{}' WHERE call = 2", true),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let (journal, operation) = in_a_call(directory.path()).await;
        drop(journal);
        let database = rusqlite::Connection::open(directory.path().join(FILE_NAME)).unwrap();
        database.execute(damage, []).unwrap();
        drop(database);
        salvage(directory.path(), at(0)).unwrap();
        let journal = open(directory.path()).unwrap();
        let found = journal.recovered(Timestamp::from_millis(0)).await.unwrap();
        let expected: BTreeSet<_> = is_lost.then(|| operation.id.clone()).into_iter().collect();
        assert_eq!(found.lost, expected, "{damage}");
        assert_eq!(found.effects, [(operation.id.clone(), 3)], "{damage}");
    }
}

#[tokio::test]
async fn the_newest_fifty_calls_of_each_plugin_stay_with_their_journals_however_old_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    // The first five call a handler that nothing calls any more, the next sixty another, the rest none.
    for n in 0..200 {
        let operation = operation(n, "api", OperationState::Succeeded);
        let mut changes = vec![
            Change::Operation(operation.clone()),
            Change::Effect(of_call(intent(&operation.id, 1), 1)),
        ];
        if n < 65 {
            let name = if n < 5 { "retired" } else { "fixer" };
            changes.push(Change::Call(Box::new(CallRecord {
                plugin: plugin(name),
                ..call(&operation, 1, 1)
            })));
            let end = CallEnd {
                at: at(n),
                outcome: CallOutcome::Done(Report::default()),
            };
            changes.push(Change::CallEnded(operation.id.clone(), 1, end));
        }
        // What a daemon that was killed left without an end is rehearsed on by nobody.
        if n == 70 {
            changes.push(Change::Call(Box::new(CallRecord {
                plugin: plugin("retired"),
                ..call(&operation, 1, 1)
            })));
        }
        drop(journal.commit(changes.into()));
    }
    let forget = vec![Change::Forget(at(1_000))];
    journal.commit(forget.into()).await.unwrap();
    let mut kept = Vec::new();
    for n in 0..100 {
        let id = operation(n, "api", OperationState::Succeeded).id;
        let calls = journal.calls(id.clone()).await.unwrap();
        if let Some((_, entries)) = journal.operation(id).await.unwrap() {
            assert_eq!((calls.len(), entries.len()), (1, 1), "{n}");
            kept.push(n);
        } else {
            assert!(calls.is_empty(), "{n}");
        }
    }
    let expected: Vec<u64> = (0..5).chain(15..65).collect();
    assert_eq!(kept, expected);
}

#[tokio::test]
async fn a_result_of_a_daemon_that_has_a_successor_is_refused_and_its_neighbours_are_written() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    let operation = operation(1, "api", OperationState::InProgress);
    let result = |number, fencing| Change::Effect(of_call(result(&operation.id, number), fencing));
    let newest = vec![Change::Fencing(3), Change::Fencing(2), result(1, 3)];
    journal.commit(newest.into()).await.unwrap();
    let late = journal.commit(vec![result(2, 2)].into()).await.unwrap_err();
    assert!(late.text.contains("fencing number 2"), "{late}");
    // An intent is what its successor asks about, and versions before did not count.
    let entries = vec![
        Change::Operation(operation.clone()),
        Change::Effect(of_call(intent(&operation.id, 2), 2)),
        result(3, 0),
    ];
    journal.commit(entries.into()).await.unwrap();
    let found = journal.operation(operation.id.clone()).await.unwrap();
    let numbers: Vec<u32> = found.unwrap().1.iter().map(|entry| entry.number).collect();
    assert_eq!(numbers, [1, 2, 3]);
    let recovered = journal.recovered(Timestamp::from_millis(0)).await.unwrap();
    assert_eq!(recovered.fencing, 3);
}

#[tokio::test]
async fn a_value_and_the_result_of_its_effect_are_written_together_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    let operation = operation(1, "api", OperationState::InProgress);
    let changes = vec![Change::Operation(operation.clone()), Change::Fencing(2)];
    journal.commit(changes.into()).await.unwrap();
    let write = |number, expected: Option<Option<Vec<u8>>>, fencing| RecordedWrite {
        plugin: plugin("fixer"),
        key: "k".to_owned(),
        expected,
        value: Some(vec![7]),
        max_bytes: 1_000,
        entry: EffectEntry {
            result: None,
            ..of_call(result(&operation.id, number), fencing)
        },
    };
    // A daemon that has a successor writes neither.
    let late = journal.write_recorded(write(1, None, 1)).await.unwrap_err();
    assert!(late.to_string().contains("fencing number 1"), "{late}");
    let get = || journal.get(plugin("fixer"), "k".to_owned());
    assert_eq!(get().await, Ok(None));
    assert_eq!(
        journal.write_recorded(write(2, Some(None), 2)).await,
        Ok(true)
    );
    assert_eq!(
        journal.write_recorded(write(3, Some(None), 2)).await,
        Ok(false)
    );
    assert_eq!(journal.write_recorded(write(4, None, 2)).await, Ok(true));
    assert_eq!(get().await, Ok(Some(vec![7])));
    let found = journal.operation(operation.id.clone()).await.unwrap();
    let results: Vec<_> = found
        .unwrap()
        .1
        .into_iter()
        .map(|entry| (entry.number, entry.result.unwrap().unwrap()))
        .collect();
    let expected = [
        (2, Answer::Swapped(true)),
        (3, Answer::Swapped(false)),
        (4, Answer::Done),
    ];
    assert_eq!(results, expected);
}
