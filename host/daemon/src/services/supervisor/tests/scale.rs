//! What one change costs is counted in what it touches, whatever the number of targets.

use super::*;

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
