//! Bounds of targets that this machine cannot give. Whether those of a machine that could give them hold depends on how the
//! daemon is started, and is for the daemon to say.

use mainstay_daemon::config::{EntityKind, Loaded, Problem};

/// What the control groups of this machine can bound; it is not there where they are not of version 2.
const CONTROLLERS: &str = "/sys/fs/cgroup/cgroup.controllers";

/// A warning for each target whose bounds cannot be had here.
pub(super) fn problems(loaded: &Loaded) -> Vec<Problem> {
    let there = std::fs::read_to_string(CONTROLLERS).unwrap_or_default();
    let has = |controller: &str| there.split_whitespace().any(|word| word == controller);
    let mut problems = Vec::new();
    for target in &loaded.spec.targets {
        let Some(process) = &target.process else {
            continue;
        };
        let bounds = [
            ("memory_max", "memory", process.memory_max.is_some()),
            ("cpu_max", "cpu", process.cpu_max.is_some()),
        ];
        for (key, controller, is_set) in bounds {
            if !is_set || has(controller) {
                continue;
            }
            let name = target.name.as_str();
            let message = format!(
                "`{key}` of target `{name}` cannot be enforced on this machine: {CONTROLLERS} does not name `{controller}`, \
                 so it has no control groups of version 2 that bound it"
            );
            let help = "boot with systemd.unified_cgroup_hierarchy=1 where systemd runs the machine, or remove it";
            let problem = Problem::warning(message, help);
            problems.push(loaded.problem_about(EntityKind::Target, name, problem));
        }
    }
    problems
}
