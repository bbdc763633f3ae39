//! A writer that is killed: this test starts itself again as a child, which writes until SIGKILL.

use super::fixtures::*;
use crate::port::{Browse, Journal};
use mainstay_domain::{event::EventData, operation::OperationState, record::Change};
use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

const DIRECTORY: &str = "MAINSTAY_TEST_JOURNAL";
const ROUNDS: u64 = 12;

/// Not a test of its own: the child, which runs where the variable names a directory.
#[test]
#[ignore = "started by `what_was_acknowledged_survives_sigkill`"]
fn child_that_writes_until_it_is_killed() {
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    runtime.block_on(async {
        let journal = Arc::new(open(Path::new(&directory)).unwrap());
        let writers: Vec<_> = (0..4)
            .map(|_| {
                let journal = Arc::clone(&journal);
                tokio::spawn(async move {
                    for n in 0.. {
                        let changes = vec![
                            Change::Event(event(n)),
                            Change::Operation(operation(n, "api", OperationState::Scheduled)),
                        ];
                        let seq = journal.commit(changes.into()).await.unwrap().events()[0].seq;
                        writeln!(std::io::stdout(), "acknowledged {seq}").unwrap();
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
    });
}

#[tokio::test]
async fn what_was_acknowledged_survives_sigkill() {
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--nocapture", "--exact"])
            .arg(
                module_path!().split_once("::").unwrap().1.to_owned()
                    + "::child_that_writes_until_it_is_killed",
            )
            .env(DIRECTORY, directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Somewhere between the first and the sixtieth answer, and anywhere within a transaction.
        let wanted = 1 + (round * 37) % 60;
        let mut heard = 0;
        for line in lines.by_ref() {
            if let Some(seq) = line.unwrap().strip_prefix("acknowledged ") {
                acknowledged = acknowledged.max(seq.parse().unwrap());
                heard += 1;
                if heard == wanted {
                    break;
                }
            }
        }
        assert_eq!(heard, wanted, "the child ended by itself");
        child.kill().unwrap();
        child.wait().unwrap();
        // What it still said before it died counts as well; a line may be cut.
        for line in lines.map_while(Result::ok) {
            if let Some(seq) = line
                .strip_prefix("acknowledged ")
                .and_then(|seq| seq.parse().ok())
            {
                acknowledged = acknowledged.max(seq);
            }
        }
        let journal = open(directory.path()).unwrap();
        let events = journal.events(0, u32::MAX).await.unwrap();
        let expected: Vec<u64> = (1..=events.len() as u64).collect();
        assert_eq!(
            events.iter().map(|event| event.seq).collect::<Vec<_>>(),
            expected
        );
        assert!(
            events.len() as u64 >= acknowledged,
            "{acknowledged} was acknowledged, {} are there",
            events.len()
        );
        // The operation of a submission is there with its event.
        let newest = events
            .iter()
            .map(|event| match &event.data {
                EventData::CheckFailed(failed) => failed.in_a_row,
                other => panic!("{other:?}"),
            })
            .max();
        let history = journal.history(everything()).await.unwrap();
        assert_eq!(history.first().map(|operation| operation.attempts), newest);
    }
}
