//! A machine that has no descriptors left.

use super::*;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{fs::File, future::poll_fn, os::fd::AsRawFd, task::Poll};

/// Whether it has no result yet.
async fn is_pending<T>(work: &mut Boxed<'_, T>) -> bool {
    poll_fn(|context| Poll::Ready(work.as_mut().poll(context).is_pending())).await
}

/// Not a test of its own: the limit holds for a whole process.
#[tokio::test]
#[ignore = "the test below runs it as a process of its own"]
async fn a_daemon_that_runs_out_of_descriptors() {
    let dir = PathBuf::from(std::env::var("DESCRIPTORS_STATE").unwrap());
    let processes = processes(&dir);
    let sleep = spec(&["/bin/sleep", "1000"]);
    let identity = processes.spawn(&web(), &sleep, 0).await.unwrap();
    let before = getrlimit(Resource::Nofile);
    let set = |current| setrlimit(Resource::Nofile, Rlimit { current, ..before }).unwrap();
    let free = File::open("/dev/null").unwrap().as_raw_fd();
    let free = u64::try_from(free).unwrap();

    // The last one is for the pidfd.
    set(Some(free + 1));
    let mut ended = processes.wait(identity.clone());
    assert!(is_pending(&mut ended).await, "it has not ended");

    set(Some(free));
    assert!(processes.is_alive(&identity));
    let error = processes.signal(&identity, Signal::Term).unwrap_err();
    assert!(error.starts_with("no signal was sent"), "{error}");
    let mut stopped = processes.stop(identity, DEADLINE);
    assert!(is_pending(&mut stopped).await);

    set(before.current);
    let (ended, stopped) = within(async { tokio::join!(ended, stopped) }).await;
    assert_eq!((ended, stopped), (Exit::Signal(15), Exit::Signal(15)));
}

#[test]
fn a_process_that_cannot_be_looked_at_lives_and_is_stopped_once_it_can() {
    let dir = tempfile::tempdir().unwrap();
    let helper = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "adapters::process::tests::descriptors::a_daemon_that_runs_out_of_descriptors",
            "--ignored",
        ])
        .env("DESCRIPTORS_STATE", dir.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&helper.stdout);
    assert!(
        helper.status.success() && told.contains("1 passed"),
        "{told}"
    );
}
