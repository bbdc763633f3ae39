//! Ends that no real program comes to in time; what real ones do is seen where they are used.

use super::*;
use std::os::unix::process::ExitStatusExt;

const TIMEOUT: Duration = Duration::from_secs(5);

/// A program in a group of its own that does not end.
fn sleeper() -> (Child, Group) {
    let mut command = std::process::Command::new("sleep");
    command.arg("300");
    let Program { group, leader } = Program::start(command).unwrap();
    (leader, group)
}

#[tokio::test(start_paused = true)]
async fn a_start_command_that_ends_just_in_time_leaves_its_daemon_alive() {
    let (mut daemon, group) = sleeper();
    let pid = group.0.unwrap();
    let ending = async {
        tokio::time::sleep(TIMEOUT - Duration::from_millis(1)).await;
        Ok(ExitStatus::from_raw(0))
    };
    // The daemon holds the pipe open.
    let (reading, given_up) = (std::future::pending(), tokio::time::sleep(TIMEOUT));
    let end = end_of(group, ending, reading, given_up, Remains::LiveOn).await;
    assert_eq!(end.unwrap().unwrap().code(), Some(0));
    // SIGKILL, had it come, would be its end and not this one.
    kill_process_group(pid, Signal::TERM).unwrap();
    let status = daemon.wait().await.unwrap();
    assert_eq!(status.signal(), Some(15), "it was not killed before");
}

#[tokio::test(start_paused = true)]
async fn a_program_that_not_even_a_kill_ends_is_not_awaited_for_ever() {
    let (mut child, group) = sleeper();
    let began = tokio::time::Instant::now();
    let given_up = tokio::time::sleep(TIMEOUT);
    let waiting = std::future::pending();
    let end = end_of(group, waiting, async {}, given_up, Remains::LiveOn).await;
    assert!(end.is_err());
    assert_eq!(began.elapsed(), TIMEOUT + KILL_GRACE);
    let status = child.wait().await.unwrap();
    assert_eq!(status.signal(), Some(9), "its group was killed");
}

#[tokio::test(start_paused = true)]
async fn what_is_killed_with_its_program_is_not_read_any_longer() {
    let (mut left_behind, group) = sleeper();
    let began = tokio::time::Instant::now();
    let ending = std::future::ready(Ok(ExitStatus::from_raw(0)));
    let (reading, given_up) = (std::future::pending(), std::future::pending::<()>());
    let end = end_of(group, ending, reading, given_up, Remains::AreKilled).await;
    assert_eq!(end.unwrap().unwrap().code(), Some(0));
    // A timer is a millisecond late.
    assert!(began.elapsed() < OUTPUT_GRACE, "{:?}", began.elapsed());
    let status = left_behind.wait().await.unwrap();
    assert_eq!(status.signal(), Some(9));
}

/// As a pipe that is never empty: ready until the task has had its share.
async fn read_for_ever(output: &tokio::sync::Semaphore) {
    loop {
        drop(output.acquire().await);
    }
}

#[tokio::test]
async fn one_that_prints_without_end_is_given_up_in_time() {
    let (mut child, group) = sleeper();
    let output = tokio::sync::Semaphore::new(1);
    let reading = read_for_ever(&output);
    let given_up = tokio::time::sleep(Duration::from_millis(20));
    let waiting = std::future::pending();
    let end = end_of(group, waiting, reading, given_up, Remains::LiveOn);
    let end = tokio::time::timeout(4 * TIMEOUT, end).await;
    assert!(end.unwrap().is_err());
    assert_eq!(child.wait().await.unwrap().signal(), Some(9));
}
