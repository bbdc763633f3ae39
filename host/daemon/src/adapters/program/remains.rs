//! What programs started in sessions of their own, where a signal to their group does not reach it: found by a mark in the
//! environment that each program has, and killed where nothing of the program is to live on.
//!
//! Invariant: a look goes through every process of the machine, so all programs that have ended within some time share one,
//! and who ended them does not wait for it.
//! Invariant: a look that cannot be done, for want of descriptors say, is done again later.

use crate::adapters::{
    limits,
    process::{
        environ, kill_exactly,
        stat::{self, ProcessStat},
    },
};
use parking_lot::{Mutex, const_mutex};
use std::{
    collections::{HashSet, VecDeque},
    io,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Holds the mark: the daemon's number and start, and the number of the program. None is ever given twice.
pub(super) const VARIABLE: &str = "MAINSTAY_PROGRAM";

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(2);
/// One that is killed may have started another one meanwhile.
const ROUNDS: usize = 10;
/// So many are looked for at a time; what came before them is given up.
const MOST: usize = 10_000;

static WAITING: Mutex<Waiting> = const_mutex(Waiting {
    marks: VecDeque::new(),
    is_looking: false,
});

/// The programs of which nothing is to live on.
struct Waiting {
    marks: VecDeque<String>,
    is_looking: bool,
}

impl Waiting {
    fn add(&mut self, mark: String) {
        if self.marks.len() >= MOST {
            self.marks.pop_front();
        }
        self.marks.push_back(mark);
    }
}

/// A mark for the next program.
pub(super) fn mark() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let (own, start) = (std::process::id(), own_start());
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{own}/{start}/{number}")
}

/// When the daemon was started.
fn own_start() -> u64 {
    static START: OnceLock<u64> = OnceLock::new();
    *START.get_or_init(|| {
        let stat = ProcessStat::read(std::process::id()).ok().flatten();
        stat.map_or(0, |stat| stat.start_ticks)
    })
}

/// Has all that carries this mark ended soon.
pub(super) fn end(mark: String) {
    let mut waiting = WAITING.lock();
    waiting.add(mark);
    if waiting.is_looking {
        return;
    }
    let looking = std::thread::Builder::new().name("remains".to_owned());
    match looking.spawn(look_until_done) {
        Ok(_) => waiting.is_looking = true,
        // With the next one, when there may be threads again.
        Err(error) => tracing::warn!(%error, "what a program left behind is not looked for yet"),
    }
}

/// Looks once more before the daemon ends; blocks.
pub(crate) fn finish() {
    let marks = std::mem::take(&mut WAITING.lock().marks);
    if let Err(error) = kill_all(&marks) {
        tracing::warn!(%error, "what programs left behind is not looked for");
    }
}

fn look_until_done() {
    loop {
        let marks = {
            let mut waiting = WAITING.lock();
            waiting.is_looking = !waiting.marks.is_empty();
            if !waiting.is_looking {
                return;
            }
            std::mem::take(&mut waiting.marks)
        };
        if let Err(error) = kill_all(&marks) {
            tracing::warn!(%error, "what programs left behind is looked for later");
            let mut waiting = WAITING.lock();
            marks.into_iter().for_each(|mark| waiting.add(mark));
        }
        std::thread::sleep(PAUSE);
    }
}

/// The error is what the daemon lacks, so that not all processes were looked at.
fn kill_all(marks: &VecDeque<String>) -> io::Result<()> {
    if marks.is_empty() {
        return Ok(());
    }
    let marks = marks.iter().map(|mark| format!("{VARIABLE}={mark}"));
    let marks: HashSet<Vec<u8>> = marks.map(String::into_bytes).collect();
    for _ in 0..ROUNDS {
        let mut is_clean = true;
        for pid in limits::seen(stat::all())?.unwrap_or_default() {
            // All that carries such a mark was started after the daemon.
            let stat = limits::seen(ProcessStat::read(pid))?.flatten();
            let Some(stat) = stat.filter(|stat| stat.start_ticks >= own_start()) else {
                continue;
            };
            let environment = environ::look(pid)?.unwrap_or_default();
            let mut variables = environment.split(|&byte| byte == 0);
            if variables.any(|variable| marks.contains(variable)) {
                tracing::warn!(pid, "killing what a program left behind");
                limits::seen(kill_exactly(pid, stat.start_ticks))?;
                is_clean = false;
            }
        }
        if is_clean {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_so_many_marks_wait_and_the_newest_do() {
        let mut waiting = Waiting {
            marks: VecDeque::new(),
            is_looking: true,
        };
        for number in 0..MOST + 5 {
            waiting.add(number.to_string());
        }
        assert_eq!(waiting.marks.len(), MOST);
        assert_eq!(waiting.marks.front().map(String::as_str), Some("5"));
    }
}
