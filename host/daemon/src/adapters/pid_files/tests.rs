//! Pid files of real processes.

use super::*;
use std::{
    fs::File,
    io::BufRead,
    os::unix::process::CommandExt,
    process::{Child, Command},
};

fn sleeper() -> Child {
    Command::new("/bin/sleep").arg("1000").spawn().unwrap()
}

fn file_with(directory: &Path, text: &str) -> PathBuf {
    let file = directory.join("service.pid");
    std::fs::write(&file, text).unwrap();
    file
}

fn look(file: &Path) -> Result<Option<NamedProcess>, String> {
    named(file, &Known::default()).map_err(|refused| refused.why)
}

fn write_at(file: &Path, at: SystemTime) {
    let opened = File::options().write(true).open(file).unwrap();
    opened.set_modified(at).unwrap();
}

#[test]
fn a_living_process_is_named_and_one_that_is_gone_is_none() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = sleeper();
    let file = file_with(directory.path(), &format!(" {}\n", child.id()));
    assert_eq!(look(&file).unwrap().unwrap().pid, child.id());
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(look(&file), Ok(None));
    assert_eq!(look(&directory.path().join("absent")), Ok(None));
}

#[test]
fn what_is_no_process_of_the_service_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let own = std::process::id().to_string();
    for (text, why) in [
        ("", "no process number"),
        ("-7", "no process number"),
        ("0", "no process number"),
        ("99999999999", "no process number"),
        ("seven", "no process number"),
        ("1", "the first process or the daemon"),
        (own.as_str(), "the first process or the daemon"),
    ] {
        let file = file_with(directory.path(), text);
        let error = look(&file).unwrap_err();
        assert!(error.contains(why), "{text:?}: {error}");
    }
    assert!(look(directory.path()).is_err(), "a directory is no file");
}

#[test]
fn a_thread_is_no_process() {
    let directory = tempfile::tempdir().unwrap();
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    let (tid_sender, tid) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        let tid = rustix::thread::gettid().as_raw_nonzero().get();
        tid_sender.send(tid).unwrap();
        let _ = receiver.recv();
    });
    let file = file_with(directory.path(), &tid.recv().unwrap().to_string());
    let error = look(&file).unwrap_err();
    assert!(error.contains("a thread and no process"), "{error}");
    drop(sender);
    thread.join().unwrap();
}

#[test]
fn a_process_that_is_younger_than_the_file_is_not_the_one_that_was_meant() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = sleeper();
    let file = file_with(directory.path(), &child.id().to_string());
    let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    let opened = std::fs::File::options().write(true).open(&file).unwrap();
    opened.set_modified(hour_ago).unwrap();
    let error = look(&file).unwrap_err();
    assert!(error.contains("younger than the file"), "{error}");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_process_ends_by_the_signal_that_it_needs_and_a_later_one_with_its_number_by_none() {
    let deaf = "trap '' TERM; echo ready; while :; do sleep 0.1; done";
    for (script, grace, expected) in [
        ("echo ready; exec sleep 1000", 60_000, NamedEnd::Terminated),
        (deaf, 50, NamedEnd::Killed),
    ] {
        let mut child = Command::new("/bin/sh")
            .args(["-c", script])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = [0; 6];
        child.stdout.take().unwrap().read_exact(&mut ready).unwrap();
        let stat = ProcessStat::read(child.id()).unwrap().unwrap();
        let process = NamedProcess {
            pid: child.id(),
            start_ticks: stat.start_ticks,
        };
        let other = NamedProcess {
            start_ticks: stat.start_ticks + 1,
            ..process
        };
        let grace = Duration::from_millis(grace);
        let of_other = end(other, false, grace).unwrap();
        assert_eq!(of_other, Some(NamedEnd::ByItself), "that one is gone");
        assert!(child.try_wait().unwrap().is_none(), "it got no signal");
        assert_eq!(end(process, false, grace).unwrap(), Some(expected));
        child.wait().unwrap();
    }
}

/// The workers of a master that hangs hold its port; a session of its own is somebody else's, as that of a login is.
#[test]
fn a_process_that_has_to_be_killed_takes_the_group_along_that_it_leads_and_no_other_session() {
    let script = "trap '' TERM; sleep 1000 & echo $!; setsid sleep 1000 & echo $!; while :; do sleep 0.1; done";
    let mut child = Command::new("/bin/sh")
        .args(["-c", script])
        .process_group(0)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let lines = io::BufReader::new(child.stdout.take().unwrap()).lines();
    let pids: Vec<u32> = lines
        .take(2)
        .map(|line| line.unwrap().parse().unwrap())
        .collect();
    let stat = |pid: u32| ProcessStat::read(pid).unwrap().unwrap();
    while stat(pids[1]).group != pids[1] {
        std::thread::yield_now();
    }
    let named = |pid: u32| NamedProcess {
        pid,
        start_ticks: stat(pid).start_ticks,
    };
    let (process, worker, other) = (named(child.id()), named(pids[0]), named(pids[1]));
    let grace = Duration::from_millis(50);
    assert_eq!(end(process, false, grace).unwrap(), Some(NamedEnd::Killed));
    child.wait().unwrap();
    assert!(ended(worker, Duration::ZERO).unwrap());
    assert!(!ended(other, Duration::ZERO).unwrap());
    end(other, false, Duration::from_secs(20)).unwrap();
}

#[test]
fn a_file_that_is_written_ahead_of_the_clock_leaves_in_doubt_what_it_means() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = sleeper();
    let file = file_with(directory.path(), &child.id().to_string());
    write_at(&file, SystemTime::now() + Duration::from_secs(3600));
    let refused = named(&file, &Known::default()).unwrap_err();
    assert!(refused.why.contains("ahead of the clock"), "{refused:?}");
    assert_eq!(refused.claims.map(|claims| claims.pid), Some(child.id()));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn what_a_file_was_seen_to_mean_counts_for_as_long_as_it_is_the_same_wherever_the_clock_is_set() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = sleeper();
    let file = file_with(directory.path(), &child.id().to_string());
    let known = Known::default();
    // As where the clock was set an hour on since.
    let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    write_at(&file, hour_ago);
    named(&file, &known).unwrap_err();
    let stat = ProcessStat::read(child.id()).unwrap().unwrap();
    let process = NamedProcess {
        pid: child.id(),
        start_ticks: stat.start_ticks,
    };
    let (_, written) = read(&file).unwrap();
    known.insert(&file, written.state, process);
    assert_eq!(named(&file, &known), Ok(Some(process)));
    write_at(&file, hour_ago - Duration::from_secs(1));
    named(&file, &known).unwrap_err();
    // Another process has the number by now.
    let (_, written) = read(&file).unwrap();
    let ended = NamedProcess {
        start_ticks: stat.start_ticks - 1,
        ..process
    };
    known.insert(&file, written.state, ended);
    let refused = named(&file, &known).unwrap_err();
    assert!(refused.why.contains("has ended"), "{refused:?}");
    assert_eq!(refused.claims, None);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_good_file_is_remembered() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = sleeper();
    let file = file_with(directory.path(), &child.id().to_string());
    let known = Known::default();
    let found = named(&file, &known).unwrap().unwrap();
    let (_, written) = read(&file).unwrap();
    assert_eq!(known.get(&file, written.state), Some(found));
    assert!(!ended(found, Duration::ZERO).unwrap());
    child.kill().unwrap();
    assert!(ended(found, Duration::from_secs(20)).unwrap());
    child.wait().unwrap();
}
