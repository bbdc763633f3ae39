//! Values of plugins.

use super::fixtures::*;
use crate::{
    port::Values,
    sqlite::{SqliteJournal, value_write::MAX_KEY_BYTES},
};
use mainstay_domain::effect::EffectError;
use std::sync::Arc;

const ROOMY: u64 = 1 << 20;

fn open() -> (tempfile::TempDir, Arc<SqliteJournal>) {
    let directory = tempfile::tempdir().unwrap();
    let journal = Arc::new(super::fixtures::open(directory.path()).unwrap());
    (directory, journal)
}

#[tokio::test]
async fn each_plugin_has_a_namespace_of_its_own() {
    let (_directory, journal) = open();
    let (a, b) = (plugin("a"), plugin("b"));
    for key in ["x/2", "x/1", "y", "x"] {
        journal
            .set(a.clone(), key.to_owned(), Some(key.into()), ROOMY)
            .await
            .unwrap();
    }
    assert_eq!(
        journal.get(a.clone(), "x/1".to_owned()).await.unwrap(),
        Some(b"x/1".to_vec())
    );
    assert_eq!(
        journal.get(b.clone(), "x/1".to_owned()).await.unwrap(),
        None
    );
    assert_eq!(
        journal.keys(a.clone(), "x/".to_owned()).await.unwrap(),
        ["x/1", "x/2"]
    );
    assert_eq!(
        journal.keys(a.clone(), String::new()).await.unwrap(),
        ["x", "x/1", "x/2", "y"]
    );
    assert_eq!(journal.keys(b, String::new()).await.unwrap(), [""; 0]);
    journal
        .set(a.clone(), "x".to_owned(), None, ROOMY)
        .await
        .unwrap();
    journal
        .set(a.clone(), "never".to_owned(), None, ROOMY)
        .await
        .unwrap();
    assert_eq!(journal.get(a, "x".to_owned()).await.unwrap(), None);
}

#[tokio::test]
async fn a_namespace_never_grows_above_its_cap() {
    let (_directory, journal) = open();
    let a = plugin("a");
    let set = async |key: &str, length: Option<usize>, cap: u64| {
        journal
            .set(a.clone(), key.to_owned(), length.map(|n| vec![7; n]), cap)
            .await
    };
    // A key of one byte and a value of nine.
    set("k", Some(9), 10).await.unwrap();
    let error = set("l", Some(0), 10).await.unwrap_err();
    assert!(
        matches!(&error, EffectError::Limited(why) if why.contains("11 bytes")),
        "{error}"
    );
    assert!(matches!(
        set("k", Some(10), 10).await,
        Err(EffectError::Limited(_))
    ));
    assert_eq!(
        journal.get(a.clone(), "k".to_owned()).await.unwrap(),
        Some(vec![7; 9])
    );
    // A cap that was lowered since: it may shrink, and not grow.
    set("k", Some(8), 5).await.unwrap();
    assert!(matches!(
        set("k", Some(9), 5).await,
        Err(EffectError::Limited(_))
    ));
    set("k", None, 5).await.unwrap();
    set("m", Some(4), 5).await.unwrap();
    let swap = journal.compare_and_set(a.clone(), "m".to_owned(), Some(vec![7; 4]), vec![8; 5], 5);
    assert!(matches!(swap.await, Err(EffectError::Limited(_))));
    assert_eq!(MAX_KEY_BYTES, 256, "as the contract says");
    for length in [1, MAX_KEY_BYTES] {
        let key = "x".repeat(length);
        set(&key, Some(1), ROOMY).await.unwrap();
        set(&key, None, ROOMY).await.unwrap();
    }
    set(&"x".repeat(MAX_KEY_BYTES + 1), None, ROOMY)
        .await
        .unwrap();
    for bad in [String::new(), "x".repeat(MAX_KEY_BYTES + 1)] {
        assert!(matches!(
            set(&bad, Some(1), ROOMY).await,
            Err(EffectError::Failed(_))
        ));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_concurrent_compare_and_sets_one_wins_each_round() {
    let (_directory, journal) = open();
    let a = plugin("a");
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (journal, a) = (Arc::clone(&journal), a.clone());
            tokio::spawn(async move {
                let mut won = 0_u64;
                while won < 25 {
                    let present = journal.get(a.clone(), "n".to_owned()).await.unwrap();
                    let count = present.as_deref().map_or(0, |bytes| {
                        std::str::from_utf8(bytes).unwrap().parse::<u64>().unwrap()
                    });
                    let next = (count + 1).to_string().into_bytes();
                    let swap =
                        journal.compare_and_set(a.clone(), "n".to_owned(), present, next, ROOMY);
                    won += u64::from(swap.await.unwrap());
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(
        journal.get(a, "n".to_owned()).await.unwrap(),
        Some(b"200".to_vec())
    );
}

#[tokio::test]
async fn the_count_of_keys_is_capped() {
    let (_directory, journal) = open();
    let a = plugin("a");
    let writes: Vec<_> = (0..=10_000)
        .map(|n| journal.set(a.clone(), n.to_string(), Some(Vec::new()), ROOMY))
        .collect();
    let mut answers = Vec::new();
    for write in writes {
        answers.push(write.await);
    }
    let last = answers.pop().unwrap();
    assert!(answers.iter().all(Result::is_ok));
    assert!(
        matches!(&last, Err(EffectError::Limited(why)) if why.contains("10000 keys")),
        "{last:?}"
    );
    journal
        .set(a.clone(), "7".to_owned(), None, ROOMY)
        .await
        .unwrap();
    journal
        .set(a, "new".to_owned(), Some(Vec::new()), ROOMY)
        .await
        .unwrap();
}
