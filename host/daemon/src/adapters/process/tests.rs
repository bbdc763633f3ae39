//! Real processes: what is started is found, waited for and ended, by this daemon and by the next.

mod adoption;
mod descriptors;
mod hanging;
mod leftovers;
mod measurement;

use super::*;
use crate::adapters::{
    clock::SystemClock,
    environment::{OF_THE_TESTS, without_that_of_the_tests},
};
use crate::ports::{ProcessError, SecretError};
use mainstay_domain::spec::{BeforeStart, OnShutdown, RestartPolicy};
use mainstay_domain::{
    name::{FailureType, SecretName},
    severity::Severity,
    time::Timestamp,
};
use stat::ProcessStat;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

/// How long anything here may take before it counts as broken.
const DEADLINE: Duration = Duration::from_secs(20);

struct OneSecret;

impl Secrets for OneSecret {
    fn value(&self, name: &SecretName) -> Result<String, SecretError> {
        match name.as_str() {
            "token" => Ok("s3cr3t".to_owned()),
            _ => Err(SecretError::Unknown(name.clone())),
        }
    }
    fn conceal(&self, bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }
}

fn processes(state_dir: &Path) -> HostProcesses {
    let (environment, clock) = (without_that_of_the_tests(), Arc::new(SystemClock::new()));
    HostProcesses::new(state_dir, Arc::new(OneSecret), environment, clock).unwrap()
}

fn web() -> TargetName {
    TargetName::parse("web").unwrap()
}

fn spec(run: &[&str]) -> ProcessSpec {
    ProcessSpec {
        run: run.iter().map(|&word| word.to_owned()).collect(),
        cwd: PathBuf::from("/"),
        env: BTreeMap::new(),
        user: None,
        umask: None,
        nice: None,
        nofile: None,
        memory_max: None,
        cpu_max: None,
        env_file: None,
        before_start: None,
        stop_signal: Signal::Term,
        reload: None,
        grace: Duration::from_secs(10),
        on_shutdown: OnShutdown::Stop,
        pid_file: None,
        restart: RestartPolicy::Always,
        expected_exit: vec![0],
        runs_once: false,
        exit_failure: FailureType::parse("service-down").unwrap(),
        exit_severity: Severity::High,
        log_max_bytes: 1 << 20,
        log_keep: 3,
    }
}

fn shell(script: &str) -> ProcessSpec {
    spec(&["/bin/sh", "-c", script])
}

async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, work)
        .await
        .expect("should end within the deadline")
}

fn wait_until(what: &str, predicate: impl Fn() -> bool) {
    let start = Instant::now();
    while !predicate() {
        assert!(
            start.elapsed() < DEADLINE,
            "not within the deadline: {what}"
        );
        std::thread::yield_now();
    }
}

fn output(state_dir: &Path) -> String {
    std::fs::read_to_string(state_dir.join("logs/web.log")).unwrap_or_default()
}

async fn run(state_dir: &Path, spec: &ProcessSpec) -> Result<(Exit, String), ProcessError> {
    let processes = processes(state_dir);
    let identity = processes.spawn(&web(), spec, 0).await?;
    let exit = within(processes.wait(identity)).await;
    Ok((exit, output(state_dir)))
}

#[tokio::test]
async fn a_child_runs_where_and_with_what_it_was_told_and_its_end_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let mut spec = shell(
        "pwd; echo $TOKEN; echo oops >&2; umask; echo $MAINSTAY_TARGET | cut -d/ -f2,4; exit 3",
    );
    spec.cwd = PathBuf::from("/usr");
    spec.umask = Some(0o027);
    spec.env
        .insert("TOKEN".to_owned(), "x-${secret:token}".to_owned());
    let (exit, output) = run(dir.path(), &spec).await.unwrap();
    assert_eq!(output, "/usr\nx-s3cr3t\noops\n0027\nweb/0\n");
    assert_eq!(exit, Exit::Code(3));
}

#[tokio::test]
async fn a_child_has_the_variable_of_a_secret_only_where_its_own_environment_does() {
    let dir = tempfile::tempdir().unwrap();
    let mut spec = shell(&format!("echo ${{{OF_THE_TESTS}-nothing}}"));
    run(dir.path(), &spec).await.unwrap();
    // Between `fork` and `exec`, not by `posix_spawn`.
    spec.umask = Some(0o027);
    run(dir.path(), &spec).await.unwrap();
    let token = "${secret:token}".to_owned();
    spec.env.insert(OF_THE_TESTS.to_owned(), token);
    let (_, output) = run(dir.path(), &spec).await.unwrap();
    assert_eq!(output, "nothing\nnothing\ns3cr3t\n");
}

#[tokio::test]
async fn a_child_that_cannot_be_started_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let mut nowhere = shell("true");
    nowhere.cwd = PathBuf::from("/does/not/exist");
    let mut secret = shell("true");
    secret
        .env
        .insert("A".to_owned(), "${secret:unknown}".to_owned());
    let mut user = shell("true");
    user.user = Some("nobody-here".to_owned());
    for (spec, expected) in [
        (spec(&["/does/not/exist"]), "check the first word of `run`"),
        (spec(&["/etc/passwd"]), "not executable"),
        (spec(&[]), "`run` is empty"),
        (nowhere, "the directory /does/not/exist does not exist"),
        (secret, "secret `unknown` is not known"),
        (user, "cannot run as the user `nobody-here`"),
    ] {
        let error = run(dir.path(), &spec).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_child_of_another_user_has_that_users_groups_only() {
    if !rustix::process::geteuid().is_root() {
        return; // Only root can change the user; the other case is above.
    }
    let dir = tempfile::tempdir().unwrap();
    let mut spec = shell("id -un; id -Gn; echo $HOME");
    spec.user = Some("nobody".to_owned());
    let (exit, output) = run(dir.path(), &spec).await.unwrap();
    assert_eq!(
        (exit, output.as_str()),
        (Exit::Code(0), "nobody\nnogroup\n/nonexistent\n")
    );
}

#[tokio::test]
async fn everyone_who_waits_hears_of_the_same_end_and_nothing_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let processes = processes(dir.path());
    let identity = processes
        .spawn(&web(), &spec(&["/bin/sleep", "1000"]), 2)
        .await
        .unwrap();
    assert!(processes.is_alive(&identity));
    assert_eq!(identity.restarts, 2);
    drop(processes.wait(identity.clone())); // Waiting may be given up.
    let (first, second) = (
        processes.wait(identity.clone()),
        processes.wait(identity.clone()),
    );
    processes.signal(&identity, Signal::Usr1).unwrap();
    let (first, second) = within(async { tokio::join!(first, second) }).await;
    assert_eq!((first, second), (Exit::Signal(10), Exit::Signal(10)));
    assert!(!processes.is_alive(&identity));
    assert!(
        ProcessStat::read(identity.pid)
            .unwrap()
            .is_none_or(|s| s.start_ticks != identity.start_ticks),
        "it is reaped"
    );
    processes.signal(&identity, Signal::Term).unwrap();
}

#[tokio::test]
async fn what_has_ended_is_forgotten_when_another_one_comes_and_what_lives_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let processes = processes(dir.path());
    let lasting = spec(&["/bin/sleep", "1000"]);
    let lives = processes.spawn(&web(), &lasting, 0).await.unwrap();
    let mut still = processes.wait(lives.clone());
    let begun = std::future::poll_fn(|context| {
        std::task::Poll::Ready(still.as_mut().poll(context).is_pending())
    });
    assert!(begun.await, "it lives");
    for _ in 0..3 {
        let short = spec(&["/bin/true"]);
        let identity = processes.spawn(&web(), &short, 0).await.unwrap();
        assert_eq!(within(processes.wait(identity)).await, Exit::Code(0));
        // The one that lives, and the one that ended last.
        assert_eq!(processes.children.known(), 2);
    }
    processes.signal(&lives, Signal::Kill).unwrap();
    assert_eq!(within(still).await, Exit::Signal(9));
}

#[tokio::test]
async fn stopping_asks_first_and_kills_the_whole_group_after_the_grace() {
    let dir = tempfile::tempdir().unwrap();
    let processes = processes(dir.path());
    let polite = shell("trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.01; done");
    let identity = processes.spawn(&web(), &polite, 0).await.unwrap();
    wait_until("it is ready", || output(dir.path()).contains("ready"));
    assert_eq!(
        within(processes.stop(identity, Signal::Term, DEADLINE)).await,
        Exit::Code(7)
    );
    assert!(output(dir.path()).contains("bye"));

    let told = shell(
        "trap '' TERM; trap 'echo asked; exit 8' USR1; echo set; while :; do sleep 0.01; done",
    );
    let identity = processes.spawn(&web(), &told, 0).await.unwrap();
    wait_until("it is ready", || output(dir.path()).contains("set"));
    assert_eq!(
        within(processes.stop(identity, Signal::Usr1, DEADLINE)).await,
        Exit::Code(8)
    );
    assert!(output(dir.path()).contains("asked"));

    let stubborn = shell("trap '' TERM; sleep 1000 & echo grandchild $!; sleep 1000");
    let identity = processes.spawn(&web(), &stubborn, 0).await.unwrap();
    wait_until("it is ready", || output(dir.path()).contains("grandchild"));
    let grandchild: u32 = output(dir.path())
        .trim()
        .rsplit(' ')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(
        within(processes.stop(identity, Signal::Term, Duration::from_millis(50))).await,
        Exit::Signal(9)
    );
    wait_until("the grandchild ends", || {
        ProcessStat::read(grandchild)
            .unwrap()
            .is_none_or(|s| s.has_ended())
    });
}

#[tokio::test]
async fn a_leader_that_dies_takes_its_group_along() {
    let dir = tempfile::tempdir().unwrap();
    let (exit, output) = run(dir.path(), &shell("sleep 1000 & echo $!"))
        .await
        .unwrap();
    let grandchild: u32 = output.trim().parse().unwrap();
    assert_eq!(exit, Exit::Code(0));
    wait_until("the grandchild ends", || {
        ProcessStat::read(grandchild)
            .unwrap()
            .is_none_or(|s| s.has_ended())
    });
}

#[tokio::test]
async fn a_stranger_with_the_same_number_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let processes = processes(dir.path());
    let identity = processes
        .spawn(&web(), &spec(&["/bin/sleep", "1000"]), 0)
        .await
        .unwrap();
    let earlier = ProcessIdentity {
        start_ticks: identity.start_ticks - 1,
        started_at: Timestamp::from_millis(1),
        ..identity.clone()
    };
    let other_boot = ProcessIdentity {
        boot_id: "another".to_owned(),
        ..identity.clone()
    };
    for stranger in [earlier, other_boot] {
        assert!(!processes.is_alive(&stranger));
        processes.signal(&stranger, Signal::Kill).unwrap();
        assert_eq!(
            within(processes.wait(stranger.clone())).await,
            Exit::Unknown
        );
        assert_eq!(
            within(processes.stop(stranger, Signal::Term, DEADLINE)).await,
            Exit::Unknown
        );
    }
    assert!(processes.is_alive(&identity));
    within(processes.stop(identity, Signal::Term, DEADLINE)).await;
}

#[tokio::test]
async fn output_above_its_size_is_rotated_while_the_child_writes() {
    let dir = tempfile::tempdir().unwrap();
    let processes = processes(dir.path());
    let mut spec = shell("seq 20000; echo written; exec sleep 1000");
    spec.log_max_bytes = 10_000;
    let identity = processes.spawn(&web(), &spec, 0).await.unwrap();
    wait_until("it has written", || output(dir.path()).contains("written"));
    let rotated = processes.rotate(&web(), &spec, &identity);
    rotated.await.unwrap();
    let rotated = std::fs::read_to_string(dir.path().join("logs/web.log.1")).unwrap();
    assert!(output(dir.path()).len() < 10_000);
    assert!((rotated + &output(dir.path())).ends_with("19999\n20000\nwritten\n"));
    within(processes.stop(identity, Signal::Term, DEADLINE)).await;
}

#[tokio::test]
async fn a_child_starts_though_its_log_cannot_be_rotated() {
    let dir = tempfile::tempdir().unwrap();
    let processes = processes(dir.path());
    let logs = dir.path().join("logs");
    std::fs::write(logs.join("web.log"), "a line that is too long\n").unwrap();
    // As where the disk is full.
    std::os::unix::fs::symlink("/dev/full", logs.join("web.log.partial")).unwrap();
    let mut spec = shell("echo started");
    spec.log_max_bytes = 4;
    let identity = processes.spawn(&web(), &spec, 0).await.unwrap();
    assert_eq!(within(processes.wait(identity)).await, Exit::Code(0));
    assert_eq!(output(dir.path()), "a line that is too long\nstarted\n");
}

#[tokio::test]
async fn a_child_starts_though_there_is_no_place_for_its_log() {
    let dir = tempfile::tempdir().unwrap();
    let logs = dir.path().join("logs");
    let spec = shell("echo started; exit 3");
    let processes = processes(dir.path());
    std::fs::remove_dir_all(&logs).unwrap();
    let identity = processes.spawn(&web(), &spec, 0).await.unwrap();
    assert_eq!(within(processes.wait(identity)).await, Exit::Code(3));
    assert_eq!(output(dir.path()), "started\n", "in a new directory");
    assert_eq!(processes.moved_log(&web()), None);
    // Neither can a directory be made there.
    std::fs::remove_dir_all(&logs).unwrap();
    std::fs::write(&logs, "").unwrap();
    let identity = processes.spawn(&web(), &spec, 0).await.unwrap();
    assert_eq!(within(processes.wait(identity)).await, Exit::Code(3));
    let told = processes.moved_log(&web()).unwrap();
    assert!(
        told.starts_with("its output is lost until its next start"),
        "{told}"
    );
    assert_eq!(processes.moved_log(&web()), None, "once");
}

#[tokio::test]
async fn a_program_before_the_start_that_hangs_while_it_is_started_fails_the_start_in_its_time() {
    let dir = tempfile::tempdir().unwrap();
    let processes = processes(dir.path());
    let _release = processes.before_starts.all_hang();
    let mut spec = spec(&["/bin/sleep", "1000"]);
    spec.before_start = Some(BeforeStart {
        run: vec!["/bin/true".to_owned()],
        timeout: Duration::from_millis(50),
    });
    let error = within(processes.spawn(&web(), &spec, 0)).await.unwrap_err();
    assert!(
        error.to_string().contains("was not started within 50ms"),
        "{error}"
    );
}

#[tokio::test]
async fn what_ran_before_the_start_stands_in_the_log_up_to_a_bound_before_what_the_child_writes() {
    let dir = tempfile::tempdir().unwrap();
    let mut spec = shell("echo the child");
    let script = "seq 20000; printf 'the end' >&2";
    spec.before_start = Some(BeforeStart {
        run: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
        timeout: Duration::from_secs(20),
    });
    let (_, output) = run(dir.path(), &spec).await.unwrap();
    assert!(output.ends_with("\n20000\nthe end\nthe child\n"));
    assert!(output.len() < 66 << 10, "{}", output.len());
    let mut lines = output.lines();
    let note = lines.next().unwrap();
    assert!(note.ends_with("before this is left out)"), "{note}");
    let first: u32 = lines.next().unwrap().parse().unwrap();
    let second: u32 = lines.next().unwrap().parse().unwrap();
    assert_eq!(second, first + 1, "whole lines");
}
