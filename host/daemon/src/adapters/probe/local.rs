//! Processes, files, file systems and memory. Blocking.

use super::{
    Seen, file,
    groups::{Groups, Kin},
    pid_numbers,
};
use crate::adapters::{limits, process::stat::ProcessStat};
use mainstay_domain::{health::Outcome, measure::size, spec::CheckKind, time::Timestamp};
use mainstay_runtime::regular_file;
use std::{
    fs::Metadata,
    io::{self, Read},
    path::Path,
};

/// So much of a pid file is read: a number with space around it.
const MAX_PID_FILE: u64 = 64;

pub(super) fn look(kind: &CheckKind, pid: Option<u32>, now: Timestamp, groups: &Groups) -> Seen {
    match kind {
        CheckKind::Process { pid_file } => process(pid_file.as_deref(), pid),
        CheckKind::File {
            path,
            max_age,
            min_bytes,
            contains,
        } => file::look(path, *max_age, *min_bytes, contains.as_deref(), now)
            .unwrap_or_else(|error| Seen::of_error(path.display(), &error)),
        CheckKind::Disk {
            path,
            max_percent,
            warn_percent,
        } => match rustix::fs::statvfs(path) {
            Ok(disk) => {
                let used = used_percent(disk.f_blocks, disk.f_bfree, disk.f_bavail);
                let what = format!("the file system of {}", path.display());
                judge_percent(&what, used, *max_percent, *warn_percent)
            }
            Err(error) => Seen::of_error(path.display(), &error.into()),
        },
        CheckKind::Memory {
            max_bytes: Some(max_bytes),
            pid_file,
            ..
        } => match measured(pid_file.as_deref(), pid) {
            Ok((pid, kin)) => match resident_bytes(pid, kin, groups) {
                Ok(resident) => judge_bytes(pid, kin, resident, *max_bytes),
                Err(error) => Seen::of_error(format_args!("the memory of process {pid}"), &error),
            },
            Err(seen) => seen,
        },
        CheckKind::Memory { max_percent, .. } => match memory_percent() {
            Ok(Some(used)) => judge_percent("the memory of the host", used, *max_percent, None),
            Ok(None) => Seen::unknown("/proc/meminfo does not tell MemTotal and MemAvailable"),
            Err(error) => Seen::of_error("/proc/meminfo", &error),
        },
        other => Seen::failed(format!("{} is not looked at here", other.as_str())),
    }
}

/// Which process is measured, and what counts as one with it. The error is what is seen where there is none: that a
/// service is down is told by others, and says nothing of what it uses; that the host cannot look is told here.
pub(super) fn measured(pid_file: Option<&Path>, child: Option<u32>) -> Result<(u32, Kin), Seen> {
    let Some(file) = pid_file else {
        let child = child.map(|pid| (pid, Kin::Group));
        return child.ok_or_else(|| Seen::failed("the supervised process does not run"));
    };
    let (pid, metadata) = read_pid(file).map_err(|seen| match seen.outcome {
        Some(Outcome::Unknown) => seen,
        _ => Seen::too_soon(seen.message),
    })?;
    match ProcessStat::read_process(pid) {
        Ok(Some(stat))
            if !stat.has_ended()
                && pid_numbers::is_meant(file, &metadata, pid, stat.start_ticks) =>
        {
            Ok((pid, Kin::Descendants))
        }
        Err(error) if limits::is_own_lack(&error) => Err(unreadable(pid, &error)),
        _ => Err(Seen::too_soon(format!("process {pid} does not run"))),
    }
}

fn process(pid_file: Option<&Path>, supervised: Option<u32>) -> Seen {
    let named = match pid_file {
        None => supervised
            .map(|pid| (pid, None))
            .ok_or_else(|| Seen::failed("the supervised process does not run")),
        Some(file) => read_pid(file).map(|(pid, metadata)| (pid, Some((file, metadata)))),
    };
    let (pid, file) = match named {
        Ok(named) => named,
        Err(seen) => return seen,
    };
    let stat = match ProcessStat::read_process(pid) {
        Ok(Some(stat)) if !stat.has_ended() => stat,
        Ok(_) => return Seen::failed(format!("process {pid} does not run")),
        Err(error) => return unreadable(pid, &error),
    };
    let is_meant = file.is_none_or(|(file, metadata)| {
        pid_numbers::is_meant(file, &metadata, pid, stat.start_ticks)
    });
    match is_meant {
        true => Seen::healthy(format!("process {pid} runs")),
        false => Seen::failed(format!(
            "process {pid} does not run any more, and another one has its number"
        )),
    }
}

fn unreadable(pid: u32, error: &io::Error) -> Seen {
    Seen::of_error(format_args!("process {pid} cannot be looked at"), error)
}

/// The number in a pid file, and what is known of the file. The error is what is seen where it holds none: that one which
/// cannot be read says nothing of its process.
fn read_pid(file: &Path) -> Result<(u32, Metadata), Seen> {
    let shown = file.display();
    let (content, metadata) = read_pid_file(file).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Seen::of_error(&shown, &error),
        _ => Seen::of_error(&shown, &error).into_unknown(),
    })?;
    let text = String::from_utf8_lossy(&content);
    let first = text.split_ascii_whitespace().next().unwrap_or_default();
    let pid = first.parse().ok().filter(|&pid: &u32| pid > 0);
    let pid = pid.ok_or_else(|| {
        let found: String = first.chars().take(20).collect();
        Seen::failed(format!(
            "{shown} holds `{found}`, which is no process number"
        ))
    })?;
    Ok((pid, metadata))
}

fn read_pid_file(path: &Path) -> io::Result<(Vec<u8>, Metadata)> {
    let (file, metadata) = regular_file::open(path)?;
    let mut content = Vec::new();
    file.take(MAX_PID_FILE).read_to_end(&mut content)?;
    Ok((content, metadata))
}

fn judge_percent(what: &str, used: f64, max: f64, warn: Option<f64>) -> Seen {
    let (outcome, rule) = if used > max {
        (Outcome::Failed, format!(", at most {max} % is allowed"))
    } else if let Some(warn) = warn.filter(|&warn| used > warn) {
        (Outcome::Degraded, format!(", {warn} % is worth a warning"))
    } else {
        (Outcome::Healthy, String::new())
    };
    Seen::new(outcome, format!("{what} is {used:.1} % full{rule}")).with_value(used)
}

fn judge_bytes(pid: u32, kin: Kin, resident: u64, max: u64) -> Seen {
    let held = format!(
        "process {pid} and {} hold {} of memory",
        kin.words(),
        size(resident)
    );
    let seen = if resident > max {
        Seen::failed(format!("{held}, at most {} are allowed", size(max)))
    } else {
        Seen::healthy(held)
    };
    seen.with_count(resident)
}

/// As df(1) counts: of what can be had without being root, and never less than what is used.
fn used_percent(blocks: u64, free: u64, available: u64) -> f64 {
    let used = blocks.saturating_sub(free);
    let all = used.saturating_add(available);
    if all == 0 {
        return 0.0;
    }
    100.0 * as_f64(used) / as_f64(all)
}

fn memory_percent() -> io::Result<Option<f64>> {
    Ok(parse_memory(&std::fs::read_to_string("/proc/meminfo")?))
}

fn parse_memory(text: &str) -> Option<f64> {
    let (total, available) = (
        kilobytes(text, "MemTotal:")?,
        kilobytes(text, "MemAvailable:")?,
    );
    (total > 0).then(|| 100.0 * as_f64(total.saturating_sub(available)) / as_f64(total))
}

/// Resident memory of a process and its kin; what they share is counted for each. An error where the daemon cannot look
/// at one that may be there.
fn resident_bytes(pid: u32, kin: Kin, groups: &Groups) -> io::Result<u64> {
    // Where nothing can be opened its group looks empty.
    ProcessStat::read(pid)?;
    let mut kilobytes: u64 = 0;
    for member in groups.members(pid, kin) {
        // Once more, for a number may belong to another process by now.
        let is_member = |stat: ProcessStat| kin == Kin::Descendants || stat.group == pid;
        match ProcessStat::read(member) {
            Ok(stat) if stat.is_some_and(is_member) => {}
            Err(error) if limits::is_own_lack(&error) => return Err(error),
            Ok(_) | Err(_) => continue,
        }
        kilobytes = kilobytes.saturating_add(resident(member)?);
    }
    let others = groups.of_others(pid, kin, |pid, _| Some(resident(pid)));
    for other in others {
        kilobytes = kilobytes.saturating_add(other?);
    }
    Ok(kilobytes.saturating_mul(1024))
}

/// Kilobytes; 0 of one that has ended meanwhile.
fn resident(pid: u32) -> io::Result<u64> {
    match std::fs::read_to_string(format!("/proc/{pid}/status")) {
        Ok(status) => Ok(kilobytes(&status, "VmRSS:").unwrap_or_default()),
        Err(error) if limits::is_own_lack(&error) => Err(error),
        Err(_) => Ok(0),
    }
}

/// The number of a line like `VmRSS:   1234 kB`.
fn kilobytes(text: &str, label: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(label))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[allow(
    clippy::cast_precision_loss,
    reason = "for people; 52 bits are enough for bytes and blocks"
)]
fn as_f64(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_as_full_as_df_says() {
        for (blocks, free, available, expected) in [
            (100, 50, 50, 50.0),
            (100, 10, 5, 94.7),
            (100, 5, 0, 100.0),
            (0, 0, 0, 0.0),
        ] {
            let used = used_percent(blocks, free, available);
            assert!(
                (used - expected).abs() < 0.1,
                "{blocks} {free} {available}: {used}"
            );
        }
    }

    #[test]
    fn a_percentage_above_the_limit_fails_and_above_the_warning_degrades() {
        for (used, expected) in [
            (95.1, Outcome::Failed),
            (95.0, Outcome::Degraded),
            (80.1, Outcome::Degraded),
            (80.0, Outcome::Healthy),
        ] {
            let seen = judge_percent("it", used, 95.0, Some(80.0));
            assert_eq!(
                (seen.outcome, seen.value),
                (Some(expected), Some(used)),
                "{used}"
            );
        }
    }

    #[test]
    fn memory_is_what_is_not_available() {
        let text = "MemTotal:  1000 kB\nMemFree:  10 kB\nMemAvailable:   250 kB\n";
        assert_eq!(parse_memory(text), Some(75.0));
        assert_eq!(parse_memory("MemTotal: 1000 kB\n"), None);
    }
}
