//! A writer that breaks off, and one without who syncs what it writes.

use super::fixtures::*;
use crate::port::{Browse, Journal};
use mainstay_domain::record::Change;
use std::sync::atomic::Ordering::SeqCst;

#[tokio::test]
async fn a_writer_that_panics_is_told_and_what_it_had_not_written_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    let broken = journal.broken();
    journal
        .commit(vec![Change::Event(event(1))].into())
        .await
        .unwrap();
    let torn = within(journal.on_connection(|_| panic!("out of luck"))).await;
    torn.unwrap_err();
    let what = within(broken).await;
    assert!(what.contains("has lost its writer: out of luck"), "{what}");
    let late = within(journal.commit(vec![Change::Event(event(2))].into())).await;
    late.unwrap_err();
    drop(journal);
    let journal = open(directory.path()).unwrap();
    assert_eq!(journal.events(0, 100).await.unwrap().len(), 1);
}

#[tokio::test]
async fn who_syncs_and_panics_is_told_and_nothing_is_durable_any_more() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    let broken = journal.broken();
    journal.faults.panics.store(true, SeqCst);
    let torn = within(journal.commit(vec![Change::Event(event(1))].into())).await;
    torn.unwrap_err();
    let what = within(broken).await;
    assert!(
        what.contains("has lost its writer: the sync is torn"),
        "{what}"
    );
    let late = within(journal.commit(vec![Change::Event(event(2))].into())).await;
    late.unwrap_err();
    drop(journal);
    let journal = open(directory.path()).unwrap();
    assert_eq!(journal.events(0, 100).await.unwrap().len(), 1);
}
