//! What tells the processes of now from those that had the same numbers before.
//!
//! Numbers begin anew with each boot of the machine, and with each pid namespace, as each start of a container makes one.
//! So where the daemon lives in such a namespace its boot is that of the namespace. Its inode alone would not do: the
//! kernel gives the same one again. The start of process 1 does: with that one the whole namespace ends.

use super::stat::ProcessStat;
use std::{
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// The first namespace of the machine, whose boot is the machine's (`PROC_PID_INIT_INO` in the kernel).
const FIRST_NAMESPACE: u64 = 0xEFFF_FFFC;

/// What tells this boot from others. The error comes with the file that cannot be read.
pub(super) fn id() -> Result<String, (PathBuf, io::Error)> {
    let boot_file = Path::new("/proc/sys/kernel/random/boot_id");
    let machine =
        std::fs::read_to_string(boot_file).map_err(|error| (boot_file.to_owned(), error))?;
    let namespace = std::fs::metadata("/proc/self/ns/pid").map(|metadata| metadata.ino());
    let init = ProcessStat::read(1).ok().flatten();
    let start = init.map(|stat| stat.start_ticks);
    Ok(of(machine.trim(), namespace.ok(), start))
}

fn of(machine: &str, namespace: Option<u64>, init_start: Option<u64>) -> String {
    match namespace {
        None | Some(FIRST_NAMESPACE) => machine.to_owned(),
        Some(namespace) => match init_start {
            Some(start) => format!("{machine}/{namespace}/{start}"),
            // Process 1 may be hidden from who is not root.
            None => format!("{machine}/{namespace}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restarted_namespace_is_another_boot_and_the_first_one_is_that_of_the_machine() {
        assert_eq!(of("abc", Some(FIRST_NAMESPACE), Some(2)), "abc");
        assert_eq!(of("abc", None, Some(2)), "abc");
        let first_run = of("abc", Some(7), Some(100));
        assert_ne!(first_run, of("abc", Some(7), Some(200)));
        assert_ne!(first_run, of("abc", Some(8), Some(100)));
        assert_eq!(first_run, of("abc", Some(7), Some(100)));
        assert_ne!(of("abc", Some(7), None), "abc");
    }

    #[test]
    fn this_boot_reads_the_same_twice() {
        assert_eq!(id().unwrap(), id().unwrap());
    }
}
