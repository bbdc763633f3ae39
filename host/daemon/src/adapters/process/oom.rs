//! How often the kernel's out-of-memory killer has ended a process.
//!
//! Of the daemon's own control group, in which its children are too, where there is version 2 of them; else of the whole
//! machine. Which process it ended is in the kernel's log only, which a daemon may not be able to read.

use super::stat;
use std::path::Path;

/// The count since the boot, or since the group was made; none where the kernel tells neither.
pub(crate) fn kills() -> Option<u64> {
    of_own_group().or_else(|| count(&read(Path::new("/proc/vmstat"))?))
}

fn of_own_group() -> Option<u64> {
    let groups = read(Path::new("/proc/self/cgroup"))?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let group = Path::new("/sys/fs/cgroup").join(path);
    count(&read(&group.join("memory.events"))?)
}

fn read(path: &Path) -> Option<String> {
    String::from_utf8(stat::read_to_end(path).ok()?).ok()
}

pub(super) fn count(text: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("oom_kill "))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_that_of_the_line_with_this_very_name() {
        let events = "low 0\nhigh 0\nmax 93\noom 8\noom_kill 7\noom_group_kill 5\n";
        assert_eq!(count(events), Some(7));
        assert_eq!(
            count("nr_free_pages 1\noom_kill 12\ndrop_pagecache 0\n"),
            Some(12)
        );
        assert_eq!(count("oom 8\noom_group_kill 5\n"), None);
        assert_eq!(count("oom_kill many"), None);
    }

    #[test]
    fn this_machine_tells_how_often() {
        assert!(kills().is_some());
    }
}
