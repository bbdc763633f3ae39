//! Starts that hang, as where a file system does not answer.

use super::*;
use std::sync::mpsc;
use tokio::task::JoinSet;

impl HostProcesses {
    /// The next start of this target hangs until what is returned is gone.
    fn hang(&self, target: &TargetName) -> mpsc::Sender<()> {
        let (held, hung) = mpsc::channel();
        self.starting.hung.lock().insert(target.clone(), hung);
        held
    }
}

#[tokio::test]
async fn a_start_that_hangs_is_given_up_and_no_second_copy_starts_before_what_it_makes_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let mut processes = processes(dir.path());
    processes.find(Vec::new()).await;
    let held = processes.hang(&web());
    let sleep = spec(&["/bin/sleep", "1000"]);

    processes.starting.patience = Duration::from_secs(1);
    let error = within(processes.spawn(&web(), &sleep, 0))
        .await
        .unwrap_err();
    processes.starting.patience = DEADLINE;
    assert!(matches!(error, ProcessError::StartHangs), "{error}");
    let error = within(processes.spawn(&web(), &sleep, 0)).await;
    assert!(matches!(error, Err(ProcessError::StartHangs)), "{error:?}");
    let error = within(processes.end_rest(&web())).await;
    assert!(matches!(error, Err(ProcessError::StartHangs)), "{error:?}");
    let other = TargetName::parse("other").unwrap();
    let beside = within(processes.spawn(&other, &sleep, 0)).await.unwrap();

    drop(held);
    within(processes.start_ended(&web())).await;
    let found = processes.find(Vec::new()).await;
    assert_eq!(found, [(other, beside.clone())], "the late one was killed");
    let second = within(processes.spawn(&web(), &sleep, 1)).await.unwrap();
    for identity in [second, beside] {
        within(processes.stop(identity, Signal::Term, DEADLINE)).await;
    }
}

#[tokio::test]
async fn starts_that_hang_give_their_places_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut processes = processes(dir.path());
    processes.starting.patience = Duration::from_secs(1);
    let sleep = spec(&["/bin/sleep", "1000"]);
    let names = (0..70).map(|number| TargetName::parse(&format!("web-{number}")).unwrap());
    let names: Vec<_> = names.collect();
    let held: Vec<_> = names.iter().map(|name| processes.hang(name)).collect();
    let processes = Arc::new(processes);
    let mut starts = JoinSet::new();
    for name in names.clone() {
        let (processes, sleep) = (Arc::clone(&processes), sleep.clone());
        starts.spawn(async move { processes.spawn(&name, &sleep, 0).await });
    }
    while let Some(ended) = within(starts.join_next()).await {
        let ended = ended.unwrap();
        assert!(matches!(ended, Err(ProcessError::StartHangs)), "{ended:?}");
    }
    let last = within(processes.spawn(&web(), &sleep, 0)).await.unwrap();
    within(processes.stop(last, Signal::Term, DEADLINE)).await;
    drop(held);
    for name in &names {
        within(processes.start_ended(name)).await;
    }
}
