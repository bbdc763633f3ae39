//! What it takes to make a call again is written with its first entry, and its end stays.

use super::fixtures::*;
use crate::port::{Browse, Journal, Recover};
use mainstay_domain::{
    call::Report,
    call_record::{CallEnd, CallOutcome, CallRecord, RecordedCall},
    operation::OperationState,
    record::{Change, EffectEntry},
    time::Timestamp,
};

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
