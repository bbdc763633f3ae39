//! A writer that breaks off.

use super::fixtures::*;
use crate::port::{Browse, Journal};
use mainstay_domain::record::Change;

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
