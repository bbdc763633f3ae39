//! Which processes carry the same mark as a target's process, in other groups and sessions, for all who ask within a second
//! of one look at `/proc`: the backends of PostgreSQL lead groups of their own.
//!
//! Invariant: as that for groups, a look goes through every process of the machine, and many checks share one.

use super::{
    environ, mark,
    output::{self, FileId},
    stat::{self, ProcessStat},
};
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsStr,
    path::Path,
    time::{Duration, Instant},
};

/// A process that was started since counts a little later.
const FRESH: Duration = Duration::from_secs(1);

/// By what one is known; see [`super::mark`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Mark {
    /// The value of the variable.
    Variable(Vec<u8>),
    /// The log that is its output.
    Output(FileId),
}

/// One process: its number, its start and its group.
type Carrier = (u32, u64, u32);

type Seen = HashMap<Mark, Vec<Carrier>>;

/// What the last look saw.
#[derive(Default)]
pub(crate) struct Carriers(Mutex<Option<(Instant, Seen)>>);

impl Carriers {
    /// The numbers and starts of the processes that carry a mark of this leader and are in no group of its own; some may
    /// have ended since. Blocks.
    pub(crate) fn outside_group(&self, leader: u32) -> BTreeMap<u32, u64> {
        let marks = marks(leader);
        if marks.is_empty() {
            return BTreeMap::new();
        }
        // Held during the look: who comes meanwhile waits for it instead of looking too.
        let mut last = self.0.lock();
        let fresh = last.take().filter(|(at, _)| at.elapsed() < FRESH);
        let (at, seen) = fresh.unwrap_or_else(|| (Instant::now(), look()));
        let carriers = marks.iter().filter_map(|mark| seen.get(mark)).flatten();
        let others = carriers.filter(|(_, _, group)| *group != leader);
        let others = others.map(|(pid, start, _)| (*pid, *start)).collect();
        *last = Some((at, seen));
        others
    }
}

fn look() -> Seen {
    let mut seen = Seen::new();
    for pid in stat::all().unwrap_or_default() {
        let Ok(Some(stat)) = ProcessStat::read(pid) else {
            continue;
        };
        if stat.is_kernel {
            continue;
        }
        for mark in marks(pid) {
            let carriers = seen.entry(mark).or_default();
            carriers.push((pid, stat.start_ticks, stat.group));
        }
    }
    seen
}

fn marks(pid: u32) -> Vec<Mark> {
    let environment = environ::of(pid).unwrap_or_default();
    let variable = environment
        .split(|&byte| byte == 0)
        .find_map(|entry| {
            entry
                .strip_prefix(mark::VARIABLE.as_bytes())?
                .strip_prefix(b"=")
        })
        .map(|value| Mark::Variable(value.to_vec()));
    let outputs = [1, 2].into_iter().filter_map(|number| {
        let output = output::place(pid, number);
        let name = std::fs::read_link(&output).ok()?;
        // By the file: in another mount namespace another one may have that name. Others are not looked at: their file
        // systems may not answer.
        let file = is_log(&name).then(|| FileId::of(&output));
        Some(Mark::Output(file?.ok()?))
    });
    variable.into_iter().chain(outputs).collect()
}

/// Whether it may be the log of a target, `logs/NAME.log` in a state directory, or have been it: see
/// [`super::log::former_target_of`].
fn is_log(file: &Path) -> bool {
    let directory = file.parent().and_then(Path::file_name);
    let name = file.file_name().and_then(OsStr::to_str);
    directory == Some(OsStr::new("logs")) && name.is_some_and(|name| name.contains(".log"))
}
