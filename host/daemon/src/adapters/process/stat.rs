//! `/proc/PID/stat`: what the kernel tells of one process.
//!
//! Invariant: the command name, which may hold spaces, parentheses and bytes that are no text, is never looked into.

use crate::adapters::clock::since_boot;
use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::DirEntryExt,
    path::Path,
    time::Duration,
};

/// More than the kernel tells of a process in one of its small files.
const SMALL: usize = 4096;
/// Room for most of what the kernel tells in one of its files.
const LARGE: usize = 8 << 10;

/// `PF_KTHREAD` of the kernel's `include/linux/sched.h`.
const KERNEL_THREAD: u32 = 0x0020_0000;

/// The length of a clock tick of `/proc`: `USER_HZ` is 100 wherever Rust has a Linux.
const TICK_MILLIS: u64 = 10;

/// How long so many clock ticks of `/proc` are.
pub(crate) fn length_of(ticks: u64) -> Duration {
    Duration::from_millis(ticks.saturating_mul(TICK_MILLIS))
}

/// How long ago what has these start ticks was started, by a clock that nobody sets.
pub(crate) fn age_of(start_ticks: u64) -> Duration {
    since_boot().saturating_sub(length_of(start_ticks))
}

/// Part of one line of `/proc/PID/stat`; see proc_pid_stat(5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProcessStat {
    /// Field 3.
    pub(crate) state: u8,
    /// Field 4.
    pub(crate) parent: u32,
    /// Field 5.
    pub(crate) group: u32,
    /// Field 6.
    pub(crate) session: u32,
    /// Whether it is a thread of the kernel, by the flags of field 9: one has no environment and writes to no file.
    pub(crate) is_kernel: bool,
    /// Fields 14 to 17: clock ticks in which it ran, in user and in kernel mode, and those of the children that it waited
    /// for.
    pub(crate) cpu_ticks: u64,
    /// Field 22: clock ticks after boot.
    pub(crate) start_ticks: u64,
}

impl ProcessStat {
    /// What a process is now; none where there is no such process. An error says nothing about the process: the daemon
    /// may have no descriptors left. The number of a thread shows that thread: see [`ProcessStat::read_process`].
    pub(crate) fn read(pid: u32) -> io::Result<Option<Self>> {
        match read_file(pid, "stat") {
            Ok(line) => Ok(Self::parse(&line)),
            Err(error) if is_gone(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The same, and none where the number is that of a thread, which `/proc` shows as well where it is asked for it.
    pub(crate) fn read_process(pid: u32) -> io::Result<Option<Self>> {
        match Self::read(pid)? {
            Some(stat) if is_process(pid)? => Ok(Some(stat)),
            _ => Ok(None),
        }
    }

    fn parse(line: &[u8]) -> Option<Self> {
        let name_end = line.iter().rposition(|&byte| byte == b')')?;
        let rest = std::str::from_utf8(line.get(name_end + 1..)?).ok()?;
        let mut fields = rest.split_ascii_whitespace();
        let state = fields.next()?.bytes().next()?; // field 3
        let parent = fields.next()?.parse().ok()?; // field 4
        let group = fields.next()?.parse().ok()?; // field 5
        let session = fields.next()?.parse().ok()?; // field 6
        let flags: u32 = fields.nth(2)?.parse().ok()?; // field 9
        let mut cpu_ticks: u64 = 0;
        for ticks in [fields.nth(4), fields.next(), fields.next(), fields.next()] {
            // Of no weight for what a process is: an odd one must not hide it.
            let ticks = ticks?.parse::<u64>().unwrap_or(0); // fields 14 to 17
            cpu_ticks = cpu_ticks.saturating_add(ticks);
        }
        let start_ticks = fields.nth(4)?.parse().ok()?; // field 22
        Some(Self {
            state,
            parent,
            group,
            session,
            is_kernel: flags & KERNEL_THREAD != 0,
            cpu_ticks,
            start_ticks,
        })
    }

    /// Whether it has exited and only waits to be reaped.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x')
    }
}

/// One of the files that `/proc` has of a process. Where it is a small one with one call: a file of no size is otherwise
/// read in six, from 32 bytes on, and what a process left behind is looked for in those of all processes.
pub(super) fn read_file(pid: u32, name: &str) -> io::Result<Vec<u8>> {
    let mut file = File::open(format!("/proc/{pid}/{name}"))?;
    let mut text = vec![0; SMALL];
    let length = loop {
        match file.read(&mut text) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            length => break length?,
        }
    };
    text.truncate(length);
    // The kernel gives less than is asked for only at the end.
    if length == SMALL {
        file.read_to_end(&mut text)?;
    }
    Ok(text)
}

/// Another file of the kernel, to its end, in few calls: it tells no size either, and where it has many lines the kernel
/// makes them anew for each call.
pub(super) fn read_to_end(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::with_capacity(LARGE);
    // A file by itself is asked for its size and its place first.
    File::open(path)?.take(u64::MAX).read_to_end(&mut text)?;
    Ok(text)
}

/// It was not there, or ended while it was read.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
        || error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error())
}

/// Whether a number is that of a process, and not that of a thread of one.
pub(crate) fn is_process(pid: u32) -> io::Result<bool> {
    match read_file(pid, "status") {
        Ok(status) => Ok(parse_thread_group(&status) == Some(pid)),
        Err(error) if is_gone(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

fn parse_thread_group(status: &[u8]) -> Option<u32> {
    field(status, b"Tgid:")
}

/// The real user of a process; none where there is no such process. An error says nothing about it.
pub(crate) fn real_uid(pid: u32) -> io::Result<Option<u32>> {
    match read_file(pid, "status") {
        Ok(status) => Ok(parse_uid(&status)),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn parse_uid(status: &[u8]) -> Option<u32> {
    field(status, b"Uid:")
}

/// The first number of a line of `/proc/PID/status`.
fn field(status: &[u8], label: &[u8]) -> Option<u32> {
    // The name of the process is escaped, so no line but the kernel's own begins like this.
    let line = status
        .split(|&byte| byte == b'\n')
        .find_map(|line| line.strip_prefix(label))?;
    let mut numbers = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
    numbers.next()?.parse().ok()
}

/// The numbers of all processes. An error is no answer: the daemon may have no descriptors left.
pub(crate) fn all() -> io::Result<Vec<u32>> {
    Ok(listed()?.into_iter().map(|process| process.pid).collect())
}

/// A process as the list of all has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Listed {
    pub(crate) pid: u32,
    /// The number of its directory's inode. A later process of the same number has another, for the kernel drops the
    /// directory as one is reaped; one that lives on may get another as well.
    pub(crate) inode: u64,
}

/// All processes. An error is no answer, as of [`all`].
pub(crate) fn listed() -> io::Result<Vec<Listed>> {
    let mut listed = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let entry = entry?;
        let pid = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        listed.extend(pid.map(|pid| Listed {
            pid,
            inode: entry.ino(),
        }));
    }
    Ok(listed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &[u8], expected: Option<(u8, u32, u64)>) {
        let found = ProcessStat::parse(line).map(|s| (s.state, s.group, s.start_ticks));
        assert_eq!(found, expected, "{}", String::from_utf8_lossy(line));
    }

    #[test]
    fn a_thread_of_the_kernel_is_told_by_its_flags() {
        let of = |flags: u32| {
            let line = format!("2 (kthreadd) S 0 0 0 0 -1 {flags} 0 0 0 0 1 2 3 4 20 0 1 0 98");
            ProcessStat::parse(line.as_bytes()).unwrap()
        };
        assert!(of(2_129_984).is_kernel);
        assert!(!of(4_194_304).is_kernel);
        assert_eq!((of(0).cpu_ticks, of(0).start_ticks), (10, 98));
    }

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let fields = b" S 1 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 98765 2281472 184 1844";
        for name in [&b"(sh)"[..], b"(a b) c)", b"() Z 9 9 (", b"(\xff\xfe)"] {
            let line = [b"42 ".as_slice(), name, fields].concat();
            let line = if name == b"() Z 9 9 (" {
                [line.as_slice(), b")"].concat()
            } else {
                line
            };
            let expected = (!name.ends_with(b"(")).then_some((b'S', 42, 98765));
            check(&line, expected);
        }
    }

    #[test]
    fn the_time_on_the_cpu_is_the_own_and_that_of_the_children_it_waited_for() {
        let line = |times: &str| {
            let line =
                format!("42 (sh) S 1 42 42 0 -1 4194560 1 0 0 0 {times} 20 0 1 0 98765 2281472");
            let stat = ProcessStat::parse(line.as_bytes()).unwrap();
            (stat.cpu_ticks, stat.start_ticks)
        };
        for (times, expected) in [
            ("0 0 0 0", 0),
            ("1000 200 30 4", 1234),
            ("7 0 0 0", 7),
            ("7 1 -1 0", 8),
            ("18446744073709551615 1 0 0", u64::MAX),
        ] {
            assert_eq!(line(times), (expected, 98765), "{times}");
        }
    }

    #[test]
    fn the_real_user_is_the_first_of_four() {
        let status = b"Name:\tsh\\nUid:\t5\nUmask:\t0022\nUid:\t1000\t0\t0\t0\nGid:\t7\t7\t7\t7\n";
        assert_eq!(parse_uid(status), Some(1000));
        assert_eq!(parse_uid(b"Name:\tsh\n"), None);
        let own = rustix::process::getuid().as_raw();
        assert_eq!(real_uid(std::process::id()).unwrap(), Some(own));
    }

    #[test]
    fn a_line_that_is_cut_is_no_process() {
        for line in [&b""[..], b"42", b"42 (sh", b"42 (sh)", b"42 (sh) S 1 42 42"] {
            check(line, None);
        }
    }

    #[test]
    fn this_very_process_is_there_and_has_not_ended() {
        let stat = ProcessStat::read(std::process::id()).unwrap().unwrap();
        assert!(stat.start_ticks > 0 && !stat.has_ended());
        assert!(all().unwrap().contains(&std::process::id()));
        assert_eq!(ProcessStat::read(u32::MAX).unwrap(), None);
    }
}
