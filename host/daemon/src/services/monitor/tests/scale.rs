//! What one change costs is counted in what it touches, whatever the number of targets.

use super::*;
use mainstay_domain::name::TargetName;

const MANY: usize = 1_000;

fn many(make: impl Fn(&str) -> TargetSpec) -> Vec<TargetSpec> {
    (0..MANY).map(|n| make(&format!("t-{n}"))).collect()
}

fn taken(bench: &Bench) -> Vec<TargetName> {
    let mut names: Vec<_> = bench.monitor.changed().take().into_iter().collect();
    names.sort();
    names
}

#[tokio::test]
async fn another_config_touches_only_what_it_changes() {
    let targets = many(|name| target(name, vec![check("tcp")]));
    let bench = Bench::new(targets.clone());
    let core = &bench.monitor.core;
    assert_eq!(core.unscheduled().len(), MANY);
    assert_eq!(taken(&bench).len(), MANY);
    core.reconfigure(&spec(targets.clone()));
    assert_eq!((core.unscheduled().len(), taken(&bench).len()), (0, 0));

    let mut next = targets;
    next[7].checks.push(check("new"));
    next.remove(9);
    next.push(target("late", vec![check("tcp")]));
    core.reconfigure(&spec(next));
    let fresh: Vec<_> = core
        .fresh
        .lock()
        .iter()
        .map(|monitored| monitored.lock().spec.name.to_string())
        .collect();
    assert_eq!(fresh, ["t-7", "late"]);
    let scheduled = core.unscheduled().into_iter();
    let scheduled: Vec<_> = scheduled
        .map(|(_, run)| run.spec.name.to_string())
        .collect();
    assert_eq!(scheduled, ["new", "tcp"], "what stays keeps its place");
    assert_eq!(taken(&bench), [name("late"), name("t-7")]);
    assert!(core.get(&name("t-9")).is_none() && core.get(&name("t-8")).is_some());
}

#[tokio::test]
async fn a_process_that_is_told_of_is_looked_for_alone() {
    let bench = Bench::new(many(|name| {
        let mut child = child(name, &["/bin/true"]);
        child.checks = vec![check("tcp")];
        child
    }));
    let core = &bench.monitor.core;
    assert_eq!(core.unscheduled().len(), 0, "none was told of");
    taken(&bench);
    for number in [3, 5] {
        let news = ProcessUpdate::Runs(Some(number));
        bench
            .monitor
            .process_changed(&name(&format!("t-{number}")), news);
    }
    assert_eq!(core.fresh.lock().len(), 2);
    assert_eq!(core.unscheduled().len(), 2);
    assert_eq!(taken(&bench), [name("t-3"), name("t-5")]);
}
