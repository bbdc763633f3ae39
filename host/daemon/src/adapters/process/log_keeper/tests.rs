//! Real files, and writers as fast as they come.

use super::{super::log, *};
use std::{fs::File, io::Write, path::Path, time::Instant};

const DEADLINE: Duration = Duration::from_secs(20);

fn wait_until(what: &str, predicate: impl Fn() -> bool) {
    let start = Instant::now();
    while !predicate() {
        assert!(start.elapsed() < DEADLINE, "not in time: {what}");
        std::thread::yield_now();
    }
}

fn content(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// A kept log of this size, and its writer.
fn kept(directory: &Path, max_bytes: u64) -> (LogKeeper, PathBuf, File) {
    let path = directory.join("web.log");
    let (writer, _) = log::open(&path).unwrap();
    let keeper = LogKeeper::start(Rotations::default(), Written::default()).unwrap();
    let bound = Bound { max_bytes, keep: 2 };
    keeper.started(path.clone(), bound, Some(std::process::id()), None);
    (keeper, path, writer)
}

/// What all files of a directory hold.
fn length(directory: &Path) -> u64 {
    let files = std::fs::read_dir(directory).unwrap().flatten();
    let lengths = files.filter_map(|file| Some(file.metadata().ok()?.len()));
    lengths.sum()
}

#[test]
fn a_writer_without_pause_stays_near_its_bound_while_it_writes() {
    const WRITTEN: usize = 1 << 30;
    let dir = tempfile::tempdir().unwrap();
    let (_keeper, path, mut writer) = kept(dir.path(), 1 << 20);
    let line = [b'y'; 8192];
    let mut most = 0;
    for _ in 0..WRITTEN / line.len() / 64 {
        for _ in 0..64 {
            writer.write_all(&line).unwrap();
        }
        most = most.max(length(dir.path()));
    }
    // A busy machine has the thread wait; without it, it would be all.
    assert!(most < WRITTEN as u64 / 4, "{most} bytes");
    wait_until("it is within its size", || {
        !log::is_above(&path, 1 << 20) && length(dir.path()) < (3 << 20) + (1 << 18)
    });
}

/// Has a child of its own write, for what this process has as its output does not count.
fn writer(path: &Path) -> std::process::Child {
    let (out, err) = log::open(path).unwrap();
    let script = "n=0; while :; do n=$((n+1)); echo line $n; sleep 0.005; done";
    std::process::Command::new("/bin/sh")
        .args(["-c", script])
        .stdout(out)
        .stderr(err)
        .spawn()
        .unwrap()
}

fn check_reopening(take_away: impl Fn(&Path)) {
    let dir = tempfile::tempdir().unwrap();
    let (keeper, path, _) = kept(&dir.path().join("logs"), 1 << 20);
    let mut child = writer(&path);
    wait_until("it writes", || content(&path).contains("line 3\n"));
    take_away(&path);
    wait_until("it writes to a new file", || {
        content(&path).lines().count() > 20
    });
    let moved = content(&path.with_extension("old"));
    let new = content(&path);
    let number = |line: &str| {
        line.strip_prefix("line ")
            .unwrap()
            .parse::<usize>()
            .unwrap()
    };
    let numbers: Vec<usize> = new.lines().map(number).collect();
    let goes_on = |numbers: &[usize]| numbers.windows(2).all(|two| two[1] == two[0] + 1);
    assert!(goes_on(&numbers), "none is lost or doubled: {numbers:?}");
    if !moved.is_empty() {
        let before: Vec<usize> = moved.lines().map(number).collect();
        assert!(goes_on(&before) && before[0] == 1, "{before:?}");
        assert!(numbers[0] <= before.len() + 1, "{numbers:?}");
    }
    assert!(new.ends_with('\n'));
    // And that one is kept as well.
    take_away(&path);
    wait_until("it writes to another new file", || {
        content(&path).lines().count() > 20
    });
    child.kill().unwrap();
    child.wait().unwrap();
    drop(keeper);
}

#[test]
fn a_log_that_is_moved_is_opened_anew_and_no_line_is_lost_or_doubled() {
    check_reopening(|path| std::fs::rename(path, path.with_extension("old")).unwrap());
}

#[test]
fn a_log_that_is_deleted_is_opened_anew() {
    check_reopening(|path| std::fs::remove_file(path).unwrap());
}

#[test]
fn a_log_is_opened_anew_where_its_whole_directory_was_deleted() {
    check_reopening(|path| std::fs::remove_dir_all(path.parent().unwrap()).unwrap());
}

#[test]
fn a_log_that_was_deleted_while_no_daemon_was_there_is_opened_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("web.log");
    let mut child = writer(&path);
    wait_until("it writes", || content(&path).contains("line 3\n"));
    std::fs::remove_file(&path).unwrap();
    let keeper = LogKeeper::start(Rotations::default(), Written::default()).unwrap();
    let bound = Bound {
        max_bytes: 1 << 20,
        keep: 2,
    };
    keeper.keep(path.clone(), bound, child.id(), None)();
    wait_until("it writes to a new file", || {
        content(&path).lines().count() > 20
    });
    child.kill().unwrap();
    child.wait().unwrap();
}

fn check_finding(to: &str) {
    let dir = tempfile::tempdir().unwrap();
    let logs = dir.path().join("logs");
    log::make_directory(&logs).unwrap();
    let path = logs.join("web.log");
    let mut child = writer(&path);
    let given = FileId::of(&path).unwrap();
    if given.record().is_none() {
        println!("skipped: this file system does not tell when a file was made");
        child.kill().unwrap();
        child.wait().unwrap();
        return;
    }
    wait_until("it writes", || content(&path).contains("line 3\n"));
    let moved = dir.path().join(to);
    std::fs::rename(&path, &moved).unwrap();
    let keeper = LogKeeper::start(Rotations::default(), Written::default()).unwrap();
    let bound = Bound {
        max_bytes: 1 << 20,
        keep: 2,
    };
    keeper.keep(path.clone(), bound, child.id(), Some(given))();
    wait_until("it writes to a new file", || {
        content(&path).lines().count() > 20
    });
    let told = keeper.tell_moved(&path).unwrap();
    let moved = moved.canonicalize().unwrap();
    let place = format!("writes to {}, ", moved.display());
    assert!(told.contains(&place), "{told}");
    assert_eq!(keeper.tell_moved(&path), None, "it is told once");
    assert!(content(&moved).contains("line 3\n"));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_log_that_was_moved_anywhere_while_no_daemon_was_there_is_found_by_what_was_written_down() {
    // Out of its directory, and to the name of another log.
    check_finding("web.old");
    check_finding("logs/web-old.log");
}

#[test]
fn a_log_that_is_moved_to_the_name_of_another_log_is_opened_anew() {
    let dir = tempfile::tempdir().unwrap();
    if FileId::of(dir.path()).unwrap().record().is_none() {
        println!("skipped: this file system does not tell when a file was made");
        return;
    }
    check_reopening(|path| {
        let other = path.with_file_name("other.log");
        std::fs::rename(path, other).unwrap();
    });
}

fn check_keeping_on(take_away: impl Fn(&Path)) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("web.log");
    let mut child = writer(&path);
    let bound = Bound {
        max_bytes: 1 << 20,
        keep: 2,
    };
    let before = LogKeeper::start(Rotations::default(), Written::default()).unwrap();
    before.started(path.clone(), bound, Some(child.id()), None);
    wait_until("it writes", || content(&path).contains("line 3\n"));
    take_away(&path);
    wait_until("it writes to a new file", || {
        content(&path).lines().count() > 20
    });
    drop(before);
    let lines = content(&path).lines().count();
    let next = LogKeeper::start(Rotations::default(), Written::default()).unwrap();
    next.keep(path.clone(), bound, child.id(), None)();
    wait_until("it still writes to the new file", || {
        content(&path).lines().count() > lines + 100
    });
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_log_that_was_moved_under_an_earlier_daemon_is_kept_by_the_next() {
    check_keeping_on(|path| std::fs::rename(path, path.with_extension("log.old")).unwrap());
}

#[test]
fn a_log_that_was_deleted_under_an_earlier_daemon_is_kept_by_the_next() {
    check_keeping_on(|path| std::fs::remove_file(path).unwrap());
}

#[test]
fn a_log_whose_process_has_ended_or_whose_target_is_gone_is_kept_no_longer() {
    let dir = tempfile::tempdir().unwrap();
    let (keeper, path, _writer) = kept(dir.path(), 1 << 20);
    let kept = || keeper.0.kept.load(Ordering::SeqCst);
    wait_until("it is kept", || kept() == 1);
    keeper.at_end_of(std::process::id())();
    wait_until("its process has ended", || kept() == 0);
    let bound = Bound {
        max_bytes: 1 << 20,
        keep: 2,
    };
    // The first process of a program that forks is not the one that writes on.
    keeper.started(path.clone(), bound, None, None);
    keeper.at_end_of(std::process::id())();
    keeper.keep(dir.path().join("other.log"), bound, 1, None)();
    wait_until("both are kept", || kept() == 2);
    keeper.unwritten(path);
    wait_until("one is gone", || kept() == 1);
}

#[test]
fn a_log_is_asked_for_once_and_again_where_its_process_its_bound_or_its_file_is_another() {
    let dir = tempfile::tempdir().unwrap();
    let (keeper, path, _writer) = kept(dir.path(), 1 << 20);
    let bound = |max_bytes| Bound { max_bytes, keep: 2 };
    let is_new = |max_bytes, pid| keeper.0.is_new(&path, bound(max_bytes), pid);
    let own = std::process::id();
    let found = [(7, own), (7, own), (8, own), (8, 1), (8, 1)].map(|(max, pid)| is_new(max, pid));
    assert_eq!(found, [true, false, true, true, false]);
    std::fs::rename(&path, path.with_extension("old")).unwrap();
    std::fs::write(&path, "").unwrap();
    assert!(is_new(8, 1) && !is_new(8, 1));
    keeper.at_end_of(1)();
    assert!(is_new(8, 1) && !is_new(8, 1));
    keeper.unwritten(path.clone());
    assert!(is_new(8, 1));
}
