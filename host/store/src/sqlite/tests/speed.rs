//! Figures to look at, not to assert: `cargo test -p mainstay-store --release sqlite::tests::speed -- --ignored --nocapture`.

use super::fixtures::*;
use crate::port::{Browse, HistoryFilter, Journal, Recover};
use mainstay_domain::{operation::OperationState, record::Change};
use std::time::Instant;

#[tokio::test]
#[ignore = "a measurement"]
async fn commits_a_second() {
    let directory = tempfile::tempdir_in(".").unwrap();
    let journal = open(directory.path()).unwrap();
    let mut single = Vec::new();
    for n in 0..500 {
        let start = Instant::now();
        journal
            .commit(
                vec![
                    Change::Event(event(n)),
                    Change::Operation(operation(n, "api", OperationState::Scheduled)),
                ]
                .into(),
            )
            .await
            .unwrap();
        single.push(start.elapsed());
    }
    single.sort();
    println!("single: median {:?}, p99 {:?}", single[250], single[495]);
    let (start, before) = (Instant::now(), journal.transactions());
    for round in 0..10 {
        let answers: Vec<_> = (0..5_000)
            .map(|n| journal.commit(vec![Change::Event(event(round * 5_000 + n))].into()))
            .collect();
        for answer in answers {
            answer.await.unwrap();
        }
    }
    let elapsed = start.elapsed().as_secs_f64();
    println!(
        "grouped: {:.0} commits a second in {} transactions",
        50_000.0 / elapsed,
        journal.transactions() - before
    );
}

#[tokio::test]
#[ignore = "a measurement"]
async fn queries_over_a_million_operations() {
    let directory = tempfile::tempdir_in(".").unwrap();
    let journal = open(directory.path()).unwrap();
    let mut written = 0;
    for total in [1_000, 1_000_000] {
        let start = Instant::now();
        while written < total {
            let answers: Vec<_> = (written..written + 1_000)
                .map(|n| {
                    let name = format!("t{}", n % 50);
                    journal.commit(
                        vec![Change::Operation(operation(
                            n,
                            &name,
                            OperationState::Succeeded,
                        ))]
                        .into(),
                    )
                })
                .collect();
            for answer in answers {
                answer.await.unwrap();
            }
            written += 1_000;
        }
        println!("{total} operations, written in {:?}", start.elapsed());
        for (what, filter) in [
            (
                "newest",
                HistoryFilter {
                    limit: 50,
                    ..HistoryFilter::default()
                },
            ),
            (
                "of a target",
                HistoryFilter {
                    target: Some(target("t7")),
                    limit: 50,
                    ..HistoryFilter::default()
                },
            ),
            (
                "failed ones of a target",
                HistoryFilter {
                    target: Some(target("t7")),
                    state: Some(OperationState::Failed),
                    limit: 50,
                    ..HistoryFilter::default()
                },
            ),
        ] {
            let mut times = Vec::new();
            for _ in 0..200 {
                let start = Instant::now();
                journal.history(filter.clone()).await.unwrap();
                times.push(start.elapsed());
            }
            times.sort();
            println!("  {what}: median {:?}, p99 {:?}", times[100], times[198]);
        }
        let start = Instant::now();
        journal
            .recovered(mainstay_domain::time::Timestamp::from_millis(0))
            .await
            .unwrap();
        println!("  recovered: {:?}", start.elapsed());
    }
    let size = directory
        .path()
        .join(crate::sqlite::FILE_NAME)
        .metadata()
        .unwrap()
        .len();
    println!("{} MB", size >> 20);
}
