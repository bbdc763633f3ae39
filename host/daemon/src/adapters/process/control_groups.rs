//! Bounds of memory and CPU time of children, by control groups of version 2: `mainstay-STATE/TARGET` beside the group
//! that the daemon is in.
//!
//! The kernel bounds the children of a group only where that one holds no processes itself. So the daemon has to be in a
//! group of its own below one that was given to it: with systemd by `Delegate=` and `DelegateSubgroup=`, in a container by
//! whoever starts it there. It does not move itself there: a service manager that starts the next daemon in the group that it
//! knows would be refused.
//!
//! Invariant: no process is moved, neither the daemon nor another one. A child enters its group itself, before it is
//! another program or another user.
//! Invariant: a child whose bounds cannot be had runs without them, and why is told.

use mainstay_domain::{name::TargetName, spec::ProcessSpec};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// Where the machine has its control groups.
const ROOT: &str = "/sys/fs/cgroup";
/// It is there where systemd runs the machine.
const SYSTEMD: &str = "/run/systemd/system";
/// The length in microseconds that a share of a core is of, the kernel's default.
const PERIOD: f64 = 100_000.0;
/// The least that the kernel takes of it.
const LEAST: f64 = 1_000.0;

/// The groups of one state directory.
pub(super) struct ControlGroups {
    root: PathBuf,
    /// The daemon's own, below the root; none where there is no version 2 of them.
    own: Option<PathBuf>,
    is_with_systemd: bool,
    name: String,
}

impl ControlGroups {
    /// `state` tells state directories apart.
    pub(super) fn new(state: &str) -> Self {
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let own = groups.lines().find_map(|line| line.strip_prefix("0::/"));
        let is_there = Path::new(ROOT).join("cgroup.controllers").exists();
        Self {
            root: PathBuf::from(ROOT),
            own: own.filter(|_| is_there).map(PathBuf::from),
            is_with_systemd: Path::new(SYSTEMD).exists(),
            name: format!("mainstay-{state}"),
        }
    }

    /// The group under which those of the daemon are.
    fn parent(&self) -> Result<PathBuf, String> {
        let own = self
            .own
            .as_ref()
            .ok_or("this machine has no control groups of version 2 at /sys/fs/cgroup")?;
        let own = self.root.join(own);
        // The uppermost of the machine, which alone has no type, may hold processes.
        let is_uppermost = |group: &Path| group == self.root && !group.join("cgroup.type").exists();
        if own == self.root && !is_uppermost(own.as_path()) {
            let why =
                "the daemon is in the uppermost control group that it sees; start it in one below";
            return Err(why.to_owned());
        }
        let above = own.parent().filter(|_| own != self.root);
        let above = above.map(Path::to_path_buf);
        let parent = above.unwrap_or(own);
        if is_uppermost(parent.as_path()) {
            return Ok(parent);
        }
        let shown = parent.display();
        if self.is_with_systemd && !is_delegated(&parent) {
            return Err(format!(
                "systemd has not delegated the control group {shown}; write Delegate=memory cpu and \
                 DelegateSubgroup=daemon, which systemd knows from 254 on, into the daemon's unit"
            ));
        }
        let inside = read(&parent, "cgroup.procs")?;
        match inside.lines().next() {
            None => Ok(parent),
            Some(pid) => Err(format!(
                "the control group {shown} holds processes itself, {pid} for one; start the daemon in a group of its own \
                 below it"
            )),
        }
    }

    /// Makes the group of a target with the bounds of its config; what a child enters it by. None where it has no bounds;
    /// the error is why they cannot be had.
    pub(super) fn open(
        &self,
        target: &TargetName,
        spec: &ProcessSpec,
    ) -> Result<Option<File>, String> {
        let bounds = [
            ("memory", spec.memory_max.is_some()),
            ("cpu", spec.cpu_max.is_some()),
        ];
        let bounds: Vec<&str> = bounds
            .iter()
            .filter_map(|(controller, is_bound)| is_bound.then_some(*controller))
            .collect();
        if bounds.is_empty() {
            return Ok(None);
        }
        let parent = self.parent()?;
        let all = parent.join(&self.name);
        let group = all.join(target.as_str());
        // Its counts begin anew; where something in it lives it stays.
        let _ = fs::remove_dir(&group);
        let make = |group: &Path| {
            let made = fs::create_dir(group);
            made.or_else(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => Ok(()),
                _ => Err(format!(
                    "cannot make the control group {}: {error}",
                    group.display()
                )),
            })
        };
        enable(&parent, &bounds)?;
        make(&all)?;
        enable(&all, &bounds)?;
        make(&group)?;
        if let Some(bytes) = spec.memory_max {
            write(&group, "memory.max", &bytes.to_string())?;
        }
        if let Some(percent) = spec.cpu_max {
            let share = (percent / 100.0 * PERIOD).max(LEAST);
            write(&group, "cpu.max", &format!("{share:.0} {PERIOD:.0}"))?;
        }
        let entrance = group.join("cgroup.procs");
        let opened = File::options().write(true).open(&entrance);
        opened
            .map(Some)
            .map_err(|error| format!("cannot open {}: {error}", entrance.display()))
    }

    /// Whether a process is in the group of this target.
    pub(super) fn holds(&self, target: &TargetName, pid: u32) -> bool {
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        let group = groups.lines().find_map(|line| line.strip_prefix("0::"));
        let ends = format!("/{}/{target}", self.name);
        group.is_some_and(|group| group.ends_with(&ends))
    }

    /// How many processes of its group the kernel's out-of-memory killer has ended since the target was started; none where
    /// it has no such group.
    pub(super) fn oom_kills(&self, target: &TargetName) -> Option<u64> {
        let parent = self.parent().ok()?;
        let group = parent.join(&self.name).join(target.as_str());
        super::oom::count(&read(&group, "memory.events").ok()?)
    }

    /// Nothing of the target lives any more.
    pub(super) fn remove(&self, target: &TargetName) {
        if let Ok(parent) = self.parent() {
            let all = parent.join(&self.name);
            // Most have none, and the last one takes the common one along.
            if fs::remove_dir(all.join(target.as_str())).is_ok() {
                let _ = fs::remove_dir(all);
            }
        }
    }
}

/// Whether systemd has given this group away, as it writes on it.
fn is_delegated(group: &Path) -> bool {
    ["user.delegate", "trusted.delegate"].iter().any(|name| {
        let mut value = [0_u8; 8];
        let read = rustix::fs::getxattr(group, *name, value.as_mut_slice());
        read.is_ok_and(|length| length == 1) && value.first() == Some(&b'1')
    })
}

/// Has the groups below this one bounded.
fn enable(group: &Path, controllers: &[&str]) -> Result<(), String> {
    let (there, enabled) = (
        read(group, "cgroup.controllers")?,
        read(group, "cgroup.subtree_control")?,
    );
    let has = |list: &str, wanted: &str| list.split_whitespace().any(|word| word == wanted);
    for controller in controllers {
        if has(&enabled, controller) {
            continue;
        }
        if !has(&there, controller) {
            return Err(format!(
                "the control group {} has no controller `{controller}`; it has `{}`",
                group.display(),
                there.trim()
            ));
        }
        write(group, "cgroup.subtree_control", &format!("+{controller}"))?;
    }
    Ok(())
}

fn read(group: &Path, file: &str) -> Result<String, String> {
    let path = group.join(file);
    fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn write(group: &Path, file: &str, text: &str) -> Result<(), String> {
    let path = group.join(file);
    fs::write(&path, text)
        .map_err(|error| format!("cannot write {text} to {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::testing::specs;

    /// A stand-in for the groups of a machine, in which the daemon is in `own`.
    fn groups(root: &Path, own: Option<&str>) -> ControlGroups {
        ControlGroups {
            root: root.to_owned(),
            own: own.map(PathBuf::from),
            is_with_systemd: false,
            name: "mainstay-0".to_owned(),
        }
    }

    fn make(root: &Path, below: &str, inside: &str) -> PathBuf {
        let group = root.join(below);
        fs::create_dir_all(&group).unwrap();
        for (file, text) in [
            ("cgroup.type", "domain\n"),
            ("cgroup.procs", inside),
            ("cgroup.controllers", "cpu io memory\n"),
            ("cgroup.subtree_control", "cpu\n"),
        ] {
            fs::write(group.join(file), text).unwrap();
        }
        group
    }

    fn bounded() -> ProcessSpec {
        ProcessSpec {
            memory_max: Some(64 << 20),
            cpu_max: Some(150.0),
            ..specs::process(&["/bin/true"])
        }
    }

    #[test]
    fn a_child_is_bounded_beside_a_daemon_that_has_a_group_of_its_own_below_one_without_processes()
    {
        let dir = tempfile::tempdir().unwrap();
        let unit = make(dir.path(), "unit", "");
        make(dir.path(), "unit/daemon", "7\n");
        let target = make(dir.path(), "unit/mainstay-0/web", "");
        make(dir.path(), "unit/mainstay-0", "");
        let groups = groups(dir.path(), Some("unit/daemon"));
        let web = specs::name("web");
        assert!(groups.open(&web, &bounded()).unwrap().is_some());
        let text = |path: &Path, file: &str| fs::read_to_string(path.join(file)).unwrap();
        assert_eq!(text(&unit, "cgroup.subtree_control"), "+memory");
        assert_eq!(text(&target, "memory.max"), "67108864");
        assert_eq!(text(&target, "cpu.max"), "150000 100000");
        fs::write(target.join("memory.events"), "oom 2\noom_kill 2\n").unwrap();
        assert_eq!(groups.oom_kills(&web), Some(2));
        assert_eq!(groups.oom_kills(&specs::name("db")), None);
    }

    #[test]
    fn what_stands_in_the_way_of_bounds_is_said_and_nothing_is_touched() {
        let dir = tempfile::tempdir().unwrap();
        make(dir.path(), "", "1\n");
        let shared = make(dir.path(), "shared", "7\n9\n");
        make(dir.path(), "shared/daemon", "8\n");
        let lean = make(dir.path(), "lean", "");
        make(dir.path(), "lean/daemon", "8\n");
        fs::write(lean.join("cgroup.controllers"), "io\n").unwrap();
        let web = specs::name("web");
        for (own, expected) in [
            (None, "no control groups of version 2"),
            (Some(""), "the uppermost control group"),
            (Some("daemon"), "holds processes itself, 1 for one"),
            (Some("shared/daemon"), "holds processes itself, 7 for one"),
            (Some("lean/daemon"), "no controller `memory`; it has `io`"),
        ] {
            let why = groups(dir.path(), own).open(&web, &bounded()).unwrap_err();
            assert!(why.contains(expected), "{own:?}: {why}");
        }
        let systemd = ControlGroups {
            is_with_systemd: true,
            ..groups(dir.path(), Some("lean/daemon"))
        };
        let why = systemd.open(&web, &bounded()).unwrap_err();
        assert!(why.contains("DelegateSubgroup="), "{why}");
        let subtree = fs::read_to_string(shared.join("cgroup.subtree_control")).unwrap();
        assert_eq!(subtree, "cpu\n");
        assert!(!lean.join("mainstay-0").exists());
    }

    #[test]
    fn a_child_without_bounds_needs_no_group() {
        let plain = specs::process(&["/bin/true"]);
        let groups = groups(Path::new("/nowhere"), None);
        assert!(groups.open(&specs::name("web"), &plain).unwrap().is_none());
    }
}
