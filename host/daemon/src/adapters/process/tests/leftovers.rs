//! What a process leaves behind in sessions of its own.

use super::*;

fn lives(pid: u32) -> bool {
    ProcessStat::read(pid)
        .unwrap()
        .is_some_and(|stat| !stat.has_ended())
}

/// The numbers that a script has written to the log, one a line.
fn pids(state_dir: &Path, count: usize) -> Vec<u32> {
    let numbers = || -> Vec<u32> {
        let text = output(state_dir);
        text.lines().filter_map(|line| line.parse().ok()).collect()
    };
    wait_until("all have told their numbers", || numbers().len() >= count);
    numbers()
}

/// One in a session of its own with the log as its output, one without any output, and one without the variable.
const THREE: &str = "setsid sh -c 'echo $$; exec sleep 1000' & \
     setsid sh -c 'echo $$; exec sleep 1000 >/dev/null 2>&1' & \
     setsid sh -c 'echo $$; exec env -u MAINSTAY_TARGET sleep 1000' & ";

#[tokio::test]
async fn after_a_stop_nothing_that_carries_the_mark_lives_on() {
    let dir = tempfile::tempdir().unwrap();
    let processes = processes(dir.path());
    processes.find(Vec::new()).await;
    let script = format!("{THREE} exec sleep 1000");
    let identity = processes.spawn(&web(), &shell(&script), 0).await.unwrap();
    let others = pids(dir.path(), 3);
    within(processes.stop(identity, Signal::Term, DEADLINE)).await;
    within(processes.end_rest(&web())).await.unwrap();
    assert_eq!(others.iter().filter(|&&pid| lives(pid)).count(), 0);
}

#[tokio::test]
async fn before_a_start_what_a_dead_process_left_behind_ends_and_no_other_target_does() {
    let dir = tempfile::tempdir().unwrap();
    let processes = processes(dir.path());
    processes.find(Vec::new()).await;
    let other = TargetName::parse("other").unwrap();
    let lasting = spec(&["/bin/sleep", "1000"]);
    let beside = processes.spawn(&other, &lasting, 0).await.unwrap();
    let script = format!("{THREE} sleep 0.2");
    let first = processes.spawn(&web(), &shell(&script), 0).await.unwrap();
    let others = pids(dir.path(), 3);
    within(processes.wait(first)).await;
    assert_eq!(others.iter().filter(|&&pid| lives(pid)).count(), 3);
    let second = processes.spawn(&web(), &lasting, 1).await.unwrap();
    assert_eq!(others.iter().filter(|&&pid| lives(pid)).count(), 0);
    assert!(processes.is_alive(&second) && processes.is_alive(&beside));
    for identity in [second, beside] {
        within(processes.stop(identity, Signal::Term, DEADLINE)).await;
    }
}

#[tokio::test]
async fn what_was_left_while_no_daemon_was_there_ends_before_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let others = {
        let before = processes(dir.path());
        let script = format!("{THREE} sleep 0.2");
        let first = before.spawn(&web(), &shell(&script), 0).await.unwrap();
        let others = pids(dir.path(), 3);
        within(before.wait(first)).await;
        others
    };
    let next = processes(dir.path());
    next.find(Vec::new()).await;
    let lasting = spec(&["/bin/sleep", "1000"]);
    let second = next.spawn(&web(), &lasting, 1).await.unwrap();
    assert_eq!(others.iter().filter(|&&pid| lives(pid)).count(), 0);
    within(next.stop(second, Signal::Term, DEADLINE)).await;
}

#[tokio::test]
async fn a_thread_that_has_the_number_is_no_process() {
    let dir = tempfile::tempdir().unwrap();
    let processes = processes(dir.path());
    let (sender, receiver) = std::sync::mpsc::channel();
    let (told, end) = (std::sync::mpsc::channel::<()>(), Duration::from_secs(60));
    let thread = std::thread::spawn(move || {
        let own = rustix::thread::gettid().as_raw_pid().cast_unsigned();
        sender.send(own).unwrap();
        let _ = told.1.recv_timeout(end);
    });
    let pid = receiver.recv().unwrap();
    let stat = ProcessStat::read(pid).unwrap().unwrap();
    assert_eq!(ProcessStat::read_process(pid).unwrap(), None);
    // As where the numbers began anew, with the very same start.
    let identity = ProcessIdentity {
        pid,
        start_ticks: stat.start_ticks,
        boot_id: processes.boot_id().to_owned(),
        started_at: Timestamp::from_millis(1),
        restarts: 0,
        config: None,
        ended: None,
        completed: false,
        marked_as: None,
        output: None,
    };
    assert!(!processes.is_alive(&identity));
    processes.signal(&identity, Signal::Kill).unwrap();
    let exit = within(processes.wait(identity.clone())).await;
    assert_eq!(exit, Exit::Unknown);
    let exit = within(processes.stop(identity, Signal::Kill, DEADLINE)).await;
    assert_eq!(exit, Exit::Unknown);
    drop(told.0);
    thread.join().unwrap();
}

#[tokio::test]
async fn what_carries_the_mark_in_other_groups_counts_as_the_targets() {
    let dir = tempfile::tempdir().unwrap();
    let processes = processes(dir.path());
    processes.find(Vec::new()).await;
    let script = format!("{THREE} exec sleep 1000");
    let identity = processes.spawn(&web(), &shell(&script), 0).await.unwrap();
    let others = pids(dir.path(), 3);
    let found = carriers::Carriers::default().outside_group(identity.pid);
    assert!(
        others.iter().all(|pid| found.contains_key(pid)),
        "{found:?}"
    );
    assert!(!found.contains_key(&identity.pid));
    within(processes.stop(identity, Signal::Term, DEADLINE)).await;
    within(processes.end_rest(&web())).await.unwrap();
}

#[tokio::test]
async fn what_was_left_in_a_session_of_its_own_is_not_taken_for_a_child() {
    let dir = tempfile::tempdir().unwrap();
    let others = {
        let before = processes(dir.path());
        let script = format!("{THREE} sleep 0.2");
        let first = before.spawn(&web(), &shell(&script), 0).await.unwrap();
        let others = pids(dir.path(), 3);
        within(before.wait(first)).await;
        others
    };
    let next = processes(dir.path());
    assert_eq!(next.find(Vec::new()).await, []);
    assert_eq!(others.iter().filter(|&&pid| lives(pid)).count(), 3);
    within(next.end_rest(&web())).await.unwrap();
    assert_eq!(others.iter().filter(|&&pid| lives(pid)).count(), 0);
}

#[tokio::test]
async fn the_service_that_a_program_left_in_a_session_of_its_own_is_known_by_its_mark() {
    let dir = tempfile::tempdir().unwrap();
    let before = processes(dir.path());
    let mut forks = shell("setsid sh -c 'echo $$; exec sleep 1000' & sleep 0.2");
    forks.pid_file = Some(dir.path().join("main.pid"));
    let first = before.spawn(&web(), &forks, 3).await.unwrap();
    let pid = pids(dir.path(), 1)[0];
    assert_eq!(within(before.wait(first.clone())).await, Exit::Code(0));
    let stat = ProcessStat::read(pid).unwrap().unwrap();
    let named = NamedProcess {
        pid,
        start_ticks: stat.start_ticks,
    };
    let next = processes(dir.path());
    next.find(Vec::new()).await;
    let main = next.marked(&web(), named).await.unwrap();
    assert_eq!((main.started_at, main.restarts), (first.started_at, 3));
    assert!(next.is_alive(&main));
    let other = TargetName::parse("other").unwrap();
    assert_eq!(next.marked(&other, named).await, None);
    within(next.end_rest(&web())).await.unwrap();
    assert!(!next.is_alive(&main));
}

/// In a session of its own, and with the log as its only mark, which is taken away before the leader ends.
async fn check_known_by_its_output(take_away: impl Fn(&Path), is_same_daemon: bool) {
    let dir = tempfile::tempdir().unwrap();
    let processes_before = processes(dir.path());
    processes_before.find(Vec::new()).await;
    let script = "setsid sh -c 'echo $$; exec env -u MAINSTAY_TARGET sleep 1000' & exec sleep 0.2";
    let first = processes_before.spawn(&web(), &shell(script), 0).await;
    let pid = pids(dir.path(), 1)[0];
    let written = || processes_before.marks.written().of(&web());
    wait_until("its log is known", || written().is_some());
    wait_until("it has no variable", || {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
        let mut variables = environment.split(|&byte| byte == 0);
        !variables.any(|variable| variable.starts_with(b"MAINSTAY_TARGET="))
    });
    take_away(&processes_before.logs.join("web.log"));
    within(processes_before.wait(first.unwrap())).await;
    assert!(lives(pid));
    if is_same_daemon {
        within(processes_before.end_rest(&web())).await.unwrap();
    } else {
        drop(processes_before);
        let next = processes(dir.path());
        next.find(Vec::new()).await;
        within(next.end_rest(&web())).await.unwrap();
    }
    assert!(!lives(pid));
}

#[tokio::test]
async fn what_only_its_output_marks_ends_though_the_log_was_deleted() {
    check_known_by_its_output(|log| std::fs::remove_file(log).unwrap(), false).await;
}

#[tokio::test]
async fn what_only_its_output_marks_ends_though_the_log_was_moved_beside_its_place() {
    let beside = |log: &Path| std::fs::rename(log, log.with_extension("log.old")).unwrap();
    check_known_by_its_output(beside, false).await;
}

#[tokio::test]
async fn what_only_its_output_marks_ends_though_the_log_was_moved_elsewhere() {
    let away = |log: &Path| std::fs::rename(log, log.with_file_name("../away")).unwrap();
    check_known_by_its_output(away, true).await;
}

#[tokio::test]
async fn what_reads_a_log_and_writes_beside_it_is_none_of_the_target() {
    let dir = tempfile::tempdir().unwrap();
    let processes = processes(dir.path());
    let beside = std::fs::File::create(processes.logs.join("web.log.1.gz")).unwrap();
    let mut packer = std::process::Command::new("/bin/sleep")
        .arg("1000")
        .stdout(beside)
        .spawn()
        .unwrap();
    processes.find(Vec::new()).await;
    processes.leftovers.started(&web());
    within(processes.end_rest(&web())).await.unwrap();
    assert!(lives(packer.id()));
    packer.kill().unwrap();
    packer.wait().unwrap();
}

#[tokio::test]
async fn a_look_that_began_at_the_end_of_a_process_clears_its_target_and_ends_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let processes = processes(dir.path());
    processes.find(Vec::new()).await;
    let script = format!("{THREE} sleep 0.2");
    let first = processes.spawn(&web(), &shell(&script), 0).await.unwrap();
    let others = pids(dir.path(), 3);
    within(processes.wait(first)).await;
    processes.look_for_rest(&web());
    within(processes.leftovers.looked_ahead(&web())).await;
    assert_eq!(others.iter().filter(|&&pid| lives(pid)).count(), 3);
    assert!(processes.leftovers.may_have_left(&web()));
    within(processes.end_rest(&web())).await.unwrap();
    assert_eq!(others.iter().filter(|&&pid| lives(pid)).count(), 0);
    assert!(!processes.leftovers.may_have_left(&web()));

    let alone = spec(&["/bin/true"]);
    let second = processes.spawn(&web(), &alone, 1).await.unwrap();
    within(processes.wait(second)).await;
    assert!(processes.leftovers.may_have_left(&web()));
    processes.look_for_rest(&web());
    within(processes.leftovers.looked_ahead(&web())).await;
    assert!(!processes.leftovers.may_have_left(&web()));
}

#[tokio::test]
async fn what_left_its_marks_is_left_alone_whenever_it_was_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let processes = processes(dir.path());
    processes.find(Vec::new()).await;
    let go = dir.path().join("go");
    // It has its mark until it is told to execute another program without it.
    let script = format!(
        "echo $$; exec >/dev/null 2>&1; until [ -e {} ]; do sleep 0.01; done; exec env -u MAINSTAY_TARGET sleep 1000",
        go.display()
    );
    let script = format!("setsid sh -c '{script}' & exec sleep 1000");
    let first = processes.spawn(&web(), &shell(&script), 0).await.unwrap();
    let pid = pids(dir.path(), 1)[0];
    // A look for another target sees it with its mark.
    let other = TargetName::parse("other").unwrap();
    processes.leftovers.started(&other);
    within(processes.end_rest(&other)).await.unwrap();
    std::fs::write(&go, "").unwrap();
    wait_until("it has no variable", || {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
        let mut variables = environment.split(|&byte| byte == 0);
        let is_sleep = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap();
        is_sleep.starts_with(b"sleep\0")
            && !variables.any(|variable| variable.starts_with(b"MAINSTAY_TARGET="))
    });
    within(processes.stop(first, Signal::Term, DEADLINE)).await;
    within(processes.end_rest(&web())).await.unwrap();
    let is_left_alone = lives(pid);
    crate::adapters::process::kill_exactly(pid, started_at(pid)).unwrap();
    assert!(is_left_alone);
}

fn started_at(pid: u32) -> u64 {
    ProcessStat::read(pid).unwrap().unwrap().start_ticks
}

#[tokio::test]
async fn a_signal_for_one_process_reaches_neither_its_group_nor_a_later_one_of_its_number() {
    let dir = tempfile::tempdir().unwrap();
    let processes = processes(dir.path());
    // Not `wait`: a shell may miss what comes between its look and its wait. Not SIGHUP: where the tests run under `nohup`,
    // it is ignored from the start, and a shell cannot trap it.
    let script =
        "sleep 1000 & echo $!; trap 'echo told' USR1; echo ready; while :; do sleep 0.05; done";
    let leader = processes.spawn(&web(), &shell(script), 0).await.unwrap();
    let member = pids(dir.path(), 1)[0];
    wait_until("it is ready", || output(dir.path()).contains("ready"));
    let later = ProcessIdentity {
        start_ticks: leader.start_ticks + 1,
        ..leader.clone()
    };
    for identity in [&later, &leader] {
        processes.signal_alone(identity, Signal::Usr1).unwrap();
    }
    wait_until("it is told", || output(dir.path()).contains("told"));
    assert_eq!(output(dir.path()).matches("told").count(), 1);
    assert!(lives(member));
    within(processes.stop(leader, Signal::Kill, DEADLINE)).await;
}
