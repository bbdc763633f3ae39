//! The environments of other processes.
//!
//! To read one waits as long as the memory of that process is locked, which is without end where it waits for a file system
//! that does not answer. So each is read on a thread that is given up where it takes too long, and such a process is not
//! asked again until it has answered.
//!
//! Invariant: who looks at every process waits some two seconds for one that does not answer, much less for others like it,
//! and at the next look for none of them.

use super::stat::{self, ProcessStat};
use crate::adapters::limits;
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, LazyLock,
        mpsc::{self, Receiver, Sender},
    },
    time::{Duration, Instant},
};

/// How long an answer is awaited.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long where another process has not answered just now: many may wait for the same file system.
const SHORT_PATIENCE: Duration = Duration::from_millis(200);
/// How long that is.
const JUST_NOW: Duration = Duration::from_secs(10);
/// So many threads are kept for the next look.
const IDLE: usize = 4;

static OF_THIS_MACHINE: LazyLock<Readers> = LazyLock::new(|| Readers::of(Path::new("/proc")));

/// The environment that a process was started with, or what it has written over it; none where that cannot be told.
/// Blocks, but not for long.
pub(crate) fn of(pid: u32) -> Option<Vec<u8>> {
    look(pid).ok().flatten()
}

/// The same; the error is what the daemon lacks, so that nobody knows.
pub(crate) fn look(pid: u32) -> Answer {
    OF_THIS_MACHINE.read(pid)
}

type Answer = io::Result<Option<Vec<u8>>>;

/// The threads that read.
struct Readers {
    proc: PathBuf,
    known: Arc<Mutex<Known>>,
}

#[derive(Default)]
struct Known {
    idle: Vec<Reader>,
    /// Those that have not answered yet, with their start.
    silent: HashMap<u32, Option<u64>>,
    /// When the last of them was found.
    found_at: Option<Instant>,
}

/// One thread; it ends with this value, or when it is answered.
struct Reader {
    asks: Sender<u32>,
    answers: Receiver<Answer>,
}

impl Readers {
    fn of(proc: &Path) -> Self {
        Self {
            proc: proc.to_owned(),
            known: Arc::default(),
        }
    }

    fn read(&self, pid: u32) -> Answer {
        let (idle, patience) = {
            let mut known = self.known.lock();
            if let Some(start) = known.silent.get(&pid).copied() {
                if start == start_of(pid) {
                    return Ok(None);
                }
                known.silent.remove(&pid);
            }
            let was_just_now = known.found_at.is_some_and(|at| at.elapsed() < JUST_NOW);
            let patience = match was_just_now {
                true => SHORT_PATIENCE,
                false => PATIENCE,
            };
            (known.idle.pop(), patience)
        };
        let reader = match idle.map_or_else(|| self.start(), Ok) {
            Ok(reader) => reader,
            // Better one look that may last than a process that is not found.
            Err(_) => return read(&self.proc, pid),
        };
        if reader.asks.send(pid).is_err() {
            return Ok(None);
        }
        let answer = reader.answers.recv_timeout(patience);
        let mut known = self.known.lock();
        // It may have come between the two.
        match answer.or_else(|_| reader.answers.try_recv()) {
            Ok(environment) => {
                if known.idle.len() < IDLE {
                    known.idle.push(reader);
                }
                environment
            }
            Err(_) => {
                known.silent.insert(pid, start_of(pid));
                known.found_at = Some(Instant::now());
                // Before others have the lock: its thread sees by that that nobody waits any more.
                drop(reader);
                drop(known);
                tracing::warn!(
                    pid,
                    "the memory of a process is locked, so its environment is not looked at; \
                     /proc/{pid}/wchan tells what it waits for"
                );
                Ok(None)
            }
        }
    }

    fn start(&self) -> io::Result<Reader> {
        let (asks, asked) = mpsc::channel();
        let (tell, answers) = mpsc::channel();
        let (proc, known) = (self.proc.clone(), Arc::clone(&self.known));
        let work = move || {
            while let Ok(pid) = asked.recv() {
                let environment = read(&proc, pid);
                let mut known = known.lock();
                if tell.send(environment).is_err() {
                    known.silent.remove(&pid);
                    return;
                }
            }
        };
        std::thread::Builder::new()
            .name("environments".to_owned())
            .spawn(work)?;
        Ok(Reader { asks, answers })
    }
}

fn start_of(pid: u32) -> Option<u64> {
    let stat = ProcessStat::read(pid).ok().flatten();
    stat.map(|stat| stat.start_ticks)
}

fn read(proc: &Path, pid: u32) -> Answer {
    let file = proc.join(pid.to_string()).join("environ");
    limits::seen(stat::read_to_end(&file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, Mode, mkfifoat};

    #[test]
    fn a_process_whose_memory_is_locked_holds_up_one_look_and_is_asked_again_once_it_has_answered()
    {
        let dir = tempfile::tempdir().unwrap();
        let (silent, other) = (std::process::id(), std::process::id() + 1);
        let environ = |pid: u32| dir.path().join(pid.to_string()).join("environ");
        for pid in [silent, other] {
            std::fs::create_dir(dir.path().join(pid.to_string())).unwrap();
        }
        // To open it waits until somebody writes to it.
        mkfifoat(CWD, environ(silent), Mode::RUSR | Mode::WUSR).unwrap();
        std::fs::write(environ(other), "A=1\0").unwrap();
        let readers = Readers::of(dir.path());
        let start = Instant::now();
        assert_eq!(readers.read(silent).unwrap(), None);
        assert!(start.elapsed() >= PATIENCE, "it is waited for");
        // Others answer, and it is not waited for again.
        let start = Instant::now();
        for _ in 0..100 {
            assert_eq!(readers.read(silent).unwrap(), None);
            assert_eq!(readers.read(other).unwrap().as_deref(), Some(&b"A=1\0"[..]));
        }
        assert!(start.elapsed() < PATIENCE);
        std::fs::write(environ(silent), "B=2\0").unwrap();
        let start = Instant::now();
        while readers.known.lock().silent.contains_key(&silent) {
            assert!(start.elapsed() < Duration::from_secs(20));
            std::thread::yield_now();
        }
        std::fs::remove_file(environ(silent)).unwrap();
        std::fs::write(environ(silent), "B=2\0").unwrap();
        // On a busy machine not at the first time.
        let start = Instant::now();
        while readers.read(silent).unwrap().as_deref() != Some(&b"B=2\0"[..]) {
            assert!(start.elapsed() < Duration::from_secs(20));
        }
    }

    #[test]
    fn a_number_that_another_process_has_by_now_is_asked() {
        let readers = Readers::of(Path::new("/proc"));
        let own = std::process::id();
        readers.known.lock().silent.insert(own, start_of(own));
        assert_eq!(readers.read(own).unwrap(), None);
        readers.known.lock().silent.insert(own, Some(1));
        assert!(readers.read(own).unwrap().is_some());
        assert!(readers.known.lock().silent.is_empty());
    }
}
