//! Pipes for the output of programs of which something may live on: a service that a start command puts into the background
//! keeps its output, and goes on writing to it when the command and even the daemon have ended.
//!
//! A pipe without a reader would end the service by SIGPIPE at its next line, so these are named pipes that the program
//! opens for reading too: there is always a reader. The daemon reads on and throws away what comes after the program's end.
//! While no daemon is there 1 MiB is held; whoever writes more waits for the next daemon, which reads on by the names. A
//! file would hold up nobody, but nothing would bound it while no daemon is there.
//!
//! Invariant: a name goes when nobody can write to its pipe any more.

use rustix::fs::{CWD, Mode, OFlags, mkfifoat};
use std::{
    ffi::OsStr,
    fs::{DirBuilder, File, OpenOptions},
    io,
    os::{
        fd::OwnedFd,
        unix::fs::{DirBuilderExt, FileTypeExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use tokio::{io::AsyncReadExt, net::unix::pipe::Receiver, runtime::Handle};

/// What a pipe holds while nobody reads it; more needs a privilege.
const CAPACITY: usize = 1 << 20;
/// Read at once.
const CHUNK: usize = 64 << 10;
/// After a whole chunk: what nobody wants to read is not to keep a processor busy.
const PAUSE: Duration = Duration::from_millis(1);

/// Where the pipes of one state directory are.
pub struct Outputs {
    directory: PathBuf,
    next: AtomicU64,
}

/// The reading end of one. What is not read when it is dropped is read on and thrown away.
pub(in crate::adapters) struct Output {
    receiver: Option<Receiver>,
    /// None where it has none.
    name: Option<PathBuf>,
}

impl Outputs {
    /// In `state_dir/outputs`, which is made with the first pipe.
    pub fn new(state_dir: &Path) -> Self {
        Self {
            directory: state_dir.join("outputs"),
            next: AtomicU64::new(0),
        }
    }

    /// Reads on where the daemon before was reading. Needs a runtime.
    pub fn resume(&self) {
        for entry in std::fs::read_dir(&self.directory).into_iter().flatten() {
            let Ok(entry) = entry else { continue };
            let is_pipe = entry.file_type().is_ok_and(|kind| kind.is_fifo());
            if is_pipe && is_of_a_daemon(&entry.file_name()) {
                drop(resume(entry.path()));
            }
        }
    }

    /// A pipe: what a program gets as its output, and what is read. A place without room for a name gives one that has
    /// none, and whose writers end with the daemon. Needs a runtime.
    pub(in crate::adapters) fn pipe(&self) -> io::Result<(Stdio, Output)> {
        self.named().or_else(|error| {
            let path = self.directory.display();
            tracing::warn!(%path, %error, "what a program leaves behind loses its output with the daemon");
            let (reader, writer) = io::pipe()?;
            let output = Output {
                receiver: Some(Receiver::from_owned_fd(OwnedFd::from(reader))?),
                name: None,
            };
            Ok((Stdio::from(writer), output))
        })
    }

    fn named(&self) -> io::Result<(Stdio, Output)> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.directory)?;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{number}", std::process::id());
        let path = self.directory.join(name);
        match mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR) {
            // An earlier daemon had this number, and something still writes to that pipe.
            Err(rustix::io::Errno::EXIST) => return self.named(),
            made => made?,
        }
        let reader = open_reader(&path)?;
        let output = Output {
            receiver: Some(Receiver::from_owned_fd(OwnedFd::from(reader))?),
            name: Some(path.clone()),
        };
        // For both, so that it always has a reader.
        let writer = OpenOptions::new().read(true).write(true).open(&path)?;
        let _ = rustix::pipe::fcntl_setpipe_size(&writer, CAPACITY);
        Ok((Stdio::from(writer), output))
    }
}

impl Output {
    /// What is read.
    pub(in crate::adapters) fn reader(&mut self) -> &mut Option<Receiver> {
        &mut self.receiver
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        let name = self.name.take();
        // Without a runtime the daemon is ending, and the next one reads on.
        if let (Some(receiver), Ok(runtime)) = (self.receiver.take(), Handle::try_current()) {
            runtime.spawn(read_on(receiver, name));
        }
    }
}

/// Whether a daemon gives such names: a pipe that somebody else laid down is theirs, and stays.
fn is_of_a_daemon(name: &OsStr) -> bool {
    let name = name.to_str().and_then(|name| name.split_once('-'));
    name.is_some_and(|(pid, number)| pid.parse::<u32>().is_ok() && number.parse::<u64>().is_ok())
}

/// Not waiting for a writer.
fn open_reader(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path)
}

/// Takes up a pipe that was left; none where nobody writes to it any more.
fn resume(path: PathBuf) -> Option<Output> {
    let reader = open_reader(&path).ok()?;
    let mut first = [0_u8; 4096];
    // One that is written to without pause is read on below.
    for _ in 0..64 {
        match rustix::io::read(&reader, &mut first) {
            // That nobody has it open is told by no event.
            Ok(0) => {
                forget(&path);
                return None;
            }
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => break,
        }
    }
    tracing::debug!(pipe = %path.display(), "reading on what a program left behind writes");
    Some(Output {
        receiver: Some(Receiver::from_owned_fd(OwnedFd::from(reader)).ok()?),
        name: Some(path),
    })
}

/// Reads to the end and keeps nothing.
async fn read_on(mut receiver: Receiver, name: Option<PathBuf>) {
    let mut chunk = vec![0; CHUNK];
    while let Ok(count @ 1..) = receiver.read(&mut chunk).await {
        if count == CHUNK {
            tokio::time::sleep(PAUSE).await;
        }
    }
    if let Some(name) = name {
        forget(&name);
    }
}

fn forget(path: &Path) {
    if let Err(error) = std::fs::remove_file(path) {
        tracing::debug!(path = %path.display(), %error, "a pipe keeps its name");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{process::Command, time::Instant};

    const DEADLINE: Duration = Duration::from_secs(20);

    async fn wait_until(what: &str, predicate: impl Fn() -> bool) {
        let start = Instant::now();
        while !predicate() {
            assert!(start.elapsed() < DEADLINE, "not in time: {what}");
            tokio::task::yield_now().await;
        }
    }

    fn names(state_dir: &Path) -> usize {
        let entries = std::fs::read_dir(state_dir.join("outputs"));
        entries.into_iter().flatten().count()
    }

    /// Writes without pause, and to `count` how often.
    fn writer(state_dir: &Path, output: Stdio) -> std::process::Child {
        let count = state_dir.join("count");
        let script = format!(
            "n=0; while :; do n=$((n+1)); echo a line of some length; echo $n > {0}.new; mv {0}.new {0}; done",
            count.display()
        );
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &script]).stdout(output);
        command.spawn().unwrap()
    }

    fn written(state_dir: &Path) -> u64 {
        let count = std::fs::read_to_string(state_dir.join("count"));
        count
            .ok()
            .and_then(|count| count.trim().parse().ok())
            .unwrap_or(0)
    }

    #[tokio::test]
    async fn who_writes_lives_on_without_a_reader_and_the_next_daemon_reads_on() {
        let dir = tempfile::tempdir().unwrap();
        let (stdout, mut output) = Outputs::new(dir.path()).pipe().unwrap();
        let mut child = writer(dir.path(), stdout);
        // As where the daemon is killed.
        drop(output.receiver.take());
        drop(output);
        let before = written(dir.path());
        wait_until("it writes on", || written(dir.path()) > before + 20).await;
        assert!(child.try_wait().unwrap().is_none(), "it lives");
        Outputs::new(dir.path()).resume();
        assert_eq!(names(dir.path()), 1);
        let before = written(dir.path());
        wait_until("it writes on", || written(dir.path()) > before + 20).await;
        child.kill().unwrap();
        child.wait().unwrap();
        wait_until("its name is gone", || names(dir.path()) == 0).await;
    }

    #[tokio::test]
    async fn a_pipe_that_nobody_writes_to_loses_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let outputs = Outputs::new(dir.path());
        let (stdout, output) = outputs.pipe().unwrap();
        drop(stdout);
        drop(output);
        wait_until("its name is gone", || names(dir.path()) == 0).await;
        let (stdout, mut output) = outputs.pipe().unwrap();
        drop(stdout);
        drop(output.receiver.take());
        drop(output);
        assert_eq!(names(dir.path()), 1, "as a killed daemon leaves it");
        Outputs::new(dir.path()).resume();
        assert_eq!(names(dir.path()), 0);
    }
    #[tokio::test]
    async fn what_is_no_pipe_of_a_daemon_is_left_alone_and_holds_nothing_up() {
        let dir = tempfile::tempdir().unwrap();
        let outputs = dir.path().join("outputs");
        std::fs::create_dir(&outputs).unwrap();
        mkfifoat(CWD, outputs.join("mine"), Mode::RUSR | Mode::WUSR).unwrap();
        mkfifoat(CWD, outputs.join("7-0"), Mode::RUSR | Mode::WUSR).unwrap();
        std::fs::create_dir(outputs.join("7-1")).unwrap();
        std::fs::write(outputs.join("7-2"), "").unwrap();
        std::os::unix::fs::symlink("mine", outputs.join("7-3")).unwrap();
        Outputs::new(dir.path()).resume();
        assert!(!outputs.join("7-0").exists(), "nobody writes to it");
        assert_eq!(names(dir.path()), 4);
        // What lies in the place of the directory costs a pipe its name, and nothing else.
        let dir = tempfile::tempdir().unwrap();
        mkfifoat(CWD, dir.path().join("outputs"), Mode::RUSR | Mode::WUSR).unwrap();
        let (_stdout, output) = Outputs::new(dir.path()).pipe().unwrap();
        assert!(output.name.is_none());
    }
}
