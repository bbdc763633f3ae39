//! A disk that is full.

use super::fixtures::*;
use crate::{
    adapters::journal::SqliteJournal,
    ports::{Journal, Records, Values},
};
use mainstay_domain::{effect::EffectError, journal::Change};

#[tokio::test]
async fn a_full_disk_is_an_error_that_passes() {
    let directory = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(directory.path()).unwrap();
    journal.commit(vec![Change::Event(event(1))]).await.unwrap();
    // SQLite gives SQLITE_FULL for a file that may not grow, as it does for a disk without space.
    journal
        .on_connection(|connection| {
            let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
            connection.query_row(
                &format!("PRAGMA max_page_count = {}", pages + 8),
                [],
                |_| Ok(()),
            )
        })
        .await
        .unwrap();
    let mut large = event(2);
    large.message = "x".repeat(20_000);
    let mut written = 1;
    let error = loop {
        match journal.commit(vec![Change::Event(large.clone())]).await {
            Ok(_) => written += 1,
            Err(error) => break error.to_string(),
        }
        assert!(written < 10, "the disk should be full by now");
    };
    assert!(error.contains("the disk is full"), "{error}");
    assert!(
        error.contains(&directory.path().display().to_string()),
        "{error}"
    );
    let refused = journal
        .set(
            plugin("webhook"),
            "k".to_owned(),
            Some(vec![0; 60_000]),
            1 << 20,
        )
        .await;
    assert!(
        matches!(refused, Err(EffectError::Unavailable(_))),
        "{refused:?}"
    );
    assert_eq!(journal.events(0, 100).await.unwrap().len(), written);

    journal
        .on_connection(|connection| {
            connection.query_row("PRAGMA max_page_count = 1000000", [], |_| Ok(()))
        })
        .await
        .unwrap();
    journal.commit(vec![Change::Event(large)]).await.unwrap();
    drop(journal);
    let journal = SqliteJournal::open(directory.path()).unwrap();
    assert_eq!(journal.events(0, 100).await.unwrap().len(), written + 1);
}
