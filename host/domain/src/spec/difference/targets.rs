//! The keys of a target.
//!
//! Invariant: each field of its spec is named here, so that none is forgotten.

use super::said::{Keys, keys, says};
use crate::spec::{ProcessSpec, TargetPolicySpec, TargetSpec};

pub(super) fn target<'a>(target: &'a TargetSpec, policy: Option<&'a TargetPolicySpec>) -> Keys<'a> {
    let TargetSpec {
        name: _,
        priority,
        depends_on,
        rto,
        process: child,
        commands,
        checks,
        breaker,
        validation_timeout,
        start_period,
        drill,
    } = target;
    let mut found = keys([
        ("priority", says(priority)),
        ("depends_on", says(depends_on)),
        ("rto", says(rto)),
        ("commands", says(commands)),
        ("breaker", says(breaker)),
        ("validation_timeout", says(validation_timeout)),
        ("start_period", says(start_period)),
        ("drill", says(drill)),
    ]);
    for check in checks {
        found.insert(format!("check.{}", check.name), says(check));
    }
    if let Some(child) = child {
        found.extend(process(child));
    }
    if let Some(policy) = policy {
        let TargetPolicySpec {
            group,
            budget,
            approval,
        } = policy;
        found.extend(keys([
            ("group", says(group)),
            ("budget", says(budget)),
            ("approval", says(approval)),
        ]));
    }
    found
}

fn process(process: &ProcessSpec) -> Keys<'_> {
    let ProcessSpec {
        run,
        cwd,
        env,
        user,
        umask,
        nice,
        nofile,
        memory_max,
        cpu_max,
        env_file,
        before_start,
        stop_signal,
        reload,
        grace,
        on_shutdown,
        pid_file,
        restart,
        expected_exit,
        // By `restart`.
        runs_once: _,
        exit_failure,
        exit_severity,
        log_max_bytes,
        log_keep,
    } = process;
    let mut found = keys([
        ("run", says(run)),
        ("cwd", says(cwd)),
        ("env", says(env)),
        ("user", says(user)),
        ("umask", says(umask)),
        ("nice", says(nice)),
        ("nofile", says(nofile)),
        ("memory_max", says(memory_max)),
        ("cpu_max", says(cpu_max)),
        ("env_file", says(env_file)),
        ("before_start", says(before_start)),
        ("stop_signal", says(stop_signal)),
        ("reload", says(reload)),
        ("grace", says(grace)),
        ("on_shutdown", says(on_shutdown)),
        ("pid_file", says(pid_file)),
        ("restart", says(restart)),
        ("expected_exit", says(expected_exit)),
        ("exit_failure", says(exit_failure)),
        ("exit_severity", says(exit_severity)),
        ("log.max_bytes", says(log_max_bytes)),
        ("log.keep", says(log_keep)),
    ]);
    for (key, says) in &mut found {
        says.part_of = (key != "run").then_some("run");
    }
    found
}
