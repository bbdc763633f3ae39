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
    look_all(&[pid]).pop().unwrap_or(Ok(None))
}

/// The same of many, in their order: who asks does not wake a thread for each, nor is woken for each.
pub(super) fn look_all(pids: &[u32]) -> Vec<Answer> {
    OF_THIS_MACHINE.read_all(pids)
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

impl Known {
    /// Whether it has not answered yet; the number may be another process's by now.
    fn is_silent(&mut self, pid: u32) -> bool {
        let Some(start) = self.silent.get(&pid).copied() else {
            return false;
        };
        let is_the_same = start == start_of(pid);
        if !is_the_same {
            self.silent.remove(&pid);
        }
        is_the_same
    }
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

    #[cfg(test)]
    fn read(&self, pid: u32) -> Answer {
        self.read_all(&[pid]).pop().unwrap()
    }

    /// Of each of these, in their order.
    fn read_all(&self, pids: &[u32]) -> Vec<Answer> {
        let mut answers = Vec::with_capacity(pids.len());
        while let Some(rest) = pids.get(answers.len()..).filter(|rest| !rest.is_empty()) {
            self.read_some(rest, &mut answers);
        }
        answers
    }

    /// Of the first of these, and of more.
    fn read_some(&self, pids: &[u32], answers: &mut Vec<Answer>) {
        let (asked, idle, patience) = {
            let mut known = self.known.lock();
            let pids = pids.iter().copied();
            let asked: Vec<u32> = pids.take_while(|pid| !known.is_silent(*pid)).collect();
            if asked.is_empty() {
                answers.push(Ok(None));
                return;
            }
            let was_just_now = known.found_at.is_some_and(|at| at.elapsed() < JUST_NOW);
            let patience = match was_just_now {
                true => SHORT_PATIENCE,
                false => PATIENCE,
            };
            (asked, known.idle.pop(), patience)
        };
        let reader = match idle.map_or_else(|| self.start(), Ok) {
            Ok(reader) => reader,
            // Better looks that may last than processes that are not found.
            Err(_) => {
                answers.extend(asked.into_iter().map(|pid| read(&self.proc, pid)));
                return;
            }
        };
        // All at once: it goes on to the next while the answer before is looked at.
        if asked.iter().any(|pid| reader.asks.send(*pid).is_err()) {
            answers.push(Ok(None));
            return;
        }
        for pid in asked {
            let answer = reader.answers.recv_timeout(patience);
            let environment = match answer {
                Ok(environment) => environment,
                Err(_) => {
                    let mut known = self.known.lock();
                    // It may have come between the two.
                    match reader.answers.try_recv() {
                        Ok(environment) => environment,
                        Err(_) => {
                            known.silent.insert(pid, start_of(pid));
                            known.found_at = Some(Instant::now());
                            // Before others have the lock: its thread sees by that that nobody waits any more.
                            // Another one reads the rest.
                            drop(reader);
                            drop(known);
                            tracing::warn!(
                                pid,
                                "the memory of a process is locked, so its environment is not looked at; \
                                 /proc/{pid}/wchan tells what it waits for"
                            );
                            answers.push(Ok(None));
                            return;
                        }
                    }
                }
            };
            answers.push(environment);
        }
        let mut known = self.known.lock();
        if known.idle.len() < IDLE {
            known.idle.push(reader);
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
    fn one_among_many_that_does_not_answer_is_left_out_and_the_others_answer_in_their_order() {
        let dir = tempfile::tempdir().unwrap();
        let silent = std::process::id();
        let pids: Vec<u32> = (silent - 2..=silent + 2).collect();
        for pid in &pids {
            let environ = dir.path().join(pid.to_string()).join("environ");
            std::fs::create_dir(environ.parent().unwrap()).unwrap();
            if *pid == silent {
                mkfifoat(CWD, environ, Mode::RUSR | Mode::WUSR).unwrap();
            } else {
                std::fs::write(environ, pid.to_string()).unwrap();
            }
        }
        let readers = Readers::of(dir.path());
        // The second time it is known.
        for _ in 0..2 {
            let answers = readers.read_all(&pids);
            let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
            let expected = pids.iter().map(|pid| {
                let text = pid.to_string().into_bytes();
                Some(text).filter(|_| *pid != silent)
            });
            assert_eq!(answers, expected.collect::<Vec<_>>());
        }
        assert!(readers.read_all(&[]).is_empty());
        // Its thread ends.
        let environ = dir.path().join(silent.to_string()).join("environ");
        std::fs::write(environ, "").unwrap();
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
