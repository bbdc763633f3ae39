//! What one change costs is counted in what it touches, whatever the number of targets.

use super::{
    fake::{Behaviour, supervise},
    *,
};

/// Processes that start at once and run without end.
struct Usual;

impl Behaviour for Usual {}

#[tokio::test]
async fn another_config_is_work_for_what_it_changes_only() {
    let dir = tempfile::tempdir().unwrap();
    let targets: Vec<_> = (0..200)
        .map(|number| child(&format!("t-{number}"), &SLEEP))
        .collect();
    // Not running: nothing is started.
    let daemon = Daemon::new(dir.path(), targets.clone(), PreviousRun::default());
    let core = &daemon.supervisor.core;
    assert!(core.set_specs(&spec(targets.clone())).is_empty());

    let mut next = targets;
    next[3].process.as_mut().unwrap().grace = Duration::from_secs(3);
    next[4].checks = vec![check("tcp")];
    next.remove(5);
    next.push(child("late", &SLEEP));
    let changed = core.set_specs(&spec(next.clone()));
    let mut names: Vec<_> = changed
        .iter()
        .map(|supervised| supervised.name.as_str())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["late", "t-3", "t-5"], "checks are not its business");
    assert!(
        core.set_specs(&spec(next)).is_empty(),
        "what is gone is not told again"
    );
}

/// By the clock of the test, which goes on only where nothing else is left to do.
#[tokio::test(start_paused = true)]
async fn each_of_a_chain_starts_when_what_it_depends_on_runs_and_not_with_the_next_look() {
    let targets = (0..100).map(|number: u32| {
        let mut target = child(&format!("t-{number}"), &SLEEP);
        let before = number.checked_sub(1);
        target.depends_on = before
            .map(|before| name(&format!("t-{before}")))
            .into_iter()
            .collect();
        target
    });
    let begun = tokio::time::Instant::now();
    let started = supervise(Usual, spec(targets.collect()));
    wait_until("all to run", || started.pid("t-99").is_some()).await;
    assert_eq!(started.processes.starts(), 100);
    assert!(begun.elapsed() < Duration::from_secs(1), "{begun:?}");
}
