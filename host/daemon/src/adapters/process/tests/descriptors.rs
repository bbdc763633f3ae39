//! A machine that has no descriptors left.

use super::*;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{fs::File, future::poll_fn, os::fd::AsRawFd, task::Poll};

/// Not a test of its own: the limit holds for a whole process.
#[tokio::test]
#[ignore = "the test below runs it as a process of its own"]
async fn a_daemon_that_was_started_with_few_descriptors() {
    let dir = PathBuf::from(std::env::var("DESCRIPTORS_STATE").unwrap());
    let few = Rlimit {
        current: Some(200),
        ..getrlimit(Resource::Nofile)
    };
    setrlimit(Resource::Nofile, few).unwrap();
    assert_eq!(crate::adapters::limits::raise_open_files(), few.maximum);
    assert_eq!(getrlimit(Resource::Nofile).current, few.maximum);
    let processes = processes(&dir);
    let mut masked = spec(&["/bin/sleep", "1000"]);
    masked.umask = Some(0o022);
    for spec in [spec(&["/bin/sleep", "1000"]), masked] {
        let identity = processes.spawn(&web(), &spec, 0).await.unwrap();
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", identity.pid)).unwrap();
        let open_files = limits
            .lines()
            .find_map(|line| line.strip_prefix("Max open files"));
        let soft = open_files.unwrap().split_ascii_whitespace().next();
        assert_eq!(soft, Some("200"));
        within(processes.stop(identity, Signal::Term, DEADLINE)).await;
    }
}

#[test]
fn the_daemon_has_all_descriptors_and_its_children_what_it_was_started_with() {
    run_alone("a_daemon_that_was_started_with_few_descriptors");
}

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
    assert!(matches!(error, ProcessError::Unseen { .. }), "{error}");
    let mut stopped = processes.stop(identity, Signal::Term, DEADLINE);
    assert!(is_pending(&mut stopped).await);

    set(before.current);
    let (ended, stopped) = within(async { tokio::join!(ended, stopped) }).await;
    assert_eq!((ended, stopped), (Exit::Signal(15), Exit::Signal(15)));
}

#[test]
fn a_process_that_cannot_be_looked_at_lives_and_is_stopped_once_it_can() {
    run_alone("a_daemon_that_runs_out_of_descriptors");
}

/// Not a test of its own: the limit holds for a whole process.
#[tokio::test]
#[ignore = "the test below runs it as a process of its own"]
async fn a_daemon_that_runs_out_of_descriptors_where_something_is_left() {
    let dir = PathBuf::from(std::env::var("DESCRIPTORS_STATE").unwrap());
    let before = processes(&dir);
    before.find(Vec::new()).await;
    let sleep = spec(&["/bin/sleep", "1000"]);
    let other = TargetName::parse("other").unwrap();
    let beside = before.spawn(&other, &sleep, 0).await.unwrap();
    let script = "setsid sh -c 'echo $$; exec sleep 1000' & sleep 0.2";
    let first = before.spawn(&web(), &shell(script), 0).await.unwrap();
    within(before.wait(first)).await;
    let pid = || output(&dir).trim().parse::<u32>().ok();
    wait_until("it has told its number", || pid().is_some());
    let left = ProcessStat::read(pid().unwrap()).unwrap();
    assert!(left.is_some_and(|stat| !stat.has_ended()));
    let next = processes(&dir);

    let limits = getrlimit(Resource::Nofile);
    let set = |current| setrlimit(Resource::Nofile, Rlimit { current, ..limits }).unwrap();
    let free = File::open("/dev/null").unwrap().as_raw_fd();
    set(Some(u64::try_from(free).unwrap()));
    // Much longer than a look lasts.
    let long = Duration::from_secs(1);
    let (target, mut found) = (web(), next.find(Vec::new()));
    let mut ended = before.end_rest(&target);
    let (seen, clean) = tokio::join!(
        tokio::time::timeout(long, &mut found),
        tokio::time::timeout(long, &mut ended)
    );
    assert!(seen.is_err(), "nothing was found: {seen:?}");
    assert!(clean.is_err(), "nothing is left: {clean:?}");

    set(limits.current);
    let found: Vec<_> = within(found)
        .await
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(found, [other]);
    within(ended).await.unwrap();
    let left = ProcessStat::read(pid().unwrap()).unwrap();
    assert!(left.is_none_or(|stat| stat.has_ended()));
    within(before.stop(beside, Signal::Term, DEADLINE)).await;
}

#[test]
fn what_cannot_be_looked_for_is_not_taken_for_nothing() {
    run_alone("a_daemon_that_runs_out_of_descriptors_where_something_is_left");
}

/// Runs one of the tests above as a process of its own.
fn run_alone(test: &str) {
    let dir = tempfile::tempdir().unwrap();
    let test = format!("adapters::process::tests::descriptors::{test}");
    let helper = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &test, "--ignored"])
        .env("DESCRIPTORS_STATE", dir.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&helper.stdout);
    assert!(
        helper.status.success() && told.contains("1 passed"),
        "{told}"
    );
}
