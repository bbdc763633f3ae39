//! `cargo run --release -p mainstay-tests --example bench_live -- [only=many|killed|first] [PROGRAM [BEFORE]]`: how what the
//! daemon costs grows with what it has.
//!
//! Start until ready, `status --json` and resident memory with many targets; from the SIGKILL of many processes at once
//! until all are back, by the times of the daemon's own events and of three runs the one in the middle, with how many
//! operations that took; the first start of many processes, with how many incidents that made. With a second program each
//! figure stands beside that program's, and their ratio. Prints; judges nothing.

mod first;
mod killed;
mod many;

use mainstay_tests::{Daemon, plugin, program};
use std::{
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// What takes longer is not waited for.
const LONGEST: Duration = Duration::from_secs(180);

fn main() {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let only = arguments
        .first()
        .and_then(|first| first.strip_prefix("only="));
    let only = only.map(ToOwned::to_owned);
    if only.is_some() {
        arguments.remove(0);
    }
    let parts = ["many", "killed", "first"];
    let is_known = only.as_deref().is_none_or(|only| parts.contains(&only));
    assert!(is_known, "only={only:?} is none of {parts:?}");
    let is_wanted = |part: &str| only.as_deref().is_none_or(|only| only == part);
    let mut programs: Vec<PathBuf> = arguments.into_iter().map(PathBuf::from).collect();
    if programs.is_empty() {
        programs.push(program().to_owned());
    }
    if is_wanted("many") {
        for count in [10_000, 100_000] {
            compare(&programs, |program| many::measure(program, count));
        }
    }
    if is_wanted("killed") {
        all_back(&programs);
    }
    if is_wanted("first") {
        compare(&programs, |program| first::measure(program, 3_000));
    }
}

/// How the time until all are back grows with how many were killed.
fn all_back(programs: &[PathBuf]) {
    let mut back = Vec::new();
    for count in [300, 2_000] {
        back.push(compare(programs, |program| {
            middle(|| killed::measure(program, count))
        }));
    }
    for (program, (few, many)) in programs.iter().zip(back[0].iter().zip(&back[1])) {
        let (Some(few), Some(many)) = (few, many) else {
            continue;
        };
        let times = many[0].1 / few[0].1;
        println!(
            "{}: 2000 are back after {times:.2} times as long as 300",
            program.display()
        );
    }
}

/// What was measured, and the number.
type Figures = Vec<(String, f64)>;

/// Of three runs the one in the middle, by its first figure; none where one took too long.
fn middle(measure: impl Fn() -> Option<Figures>) -> Option<Figures> {
    let mut runs: Vec<Figures> = (0..3).map(|_| measure()).collect::<Option<_>>()?;
    runs.sort_by(|one, other| one[0].1.total_cmp(&other[0].1));
    Some(runs.swap_remove(1))
}

/// Measures each program and prints its figures, those of the second with the ratio.
fn compare(
    programs: &[PathBuf],
    measure: impl Fn(&Path) -> Option<Figures>,
) -> Vec<Option<Figures>> {
    let all: Vec<_> = programs.iter().map(|program| measure(program)).collect();
    for (program, figures) in programs.iter().zip(&all) {
        let Some(figures) = figures else {
            println!("{}: not within {LONGEST:?}", program.display());
            continue;
        };
        for (what, number) in figures {
            println!("{}: {what}: {number:.3}", program.display());
        }
    }
    if let [Some(now), Some(before)] = all.as_slice() {
        for ((what, now), (_, before)) in now.iter().zip(before) {
            println!("{what}: {:.2} of before", now / before);
        }
    }
    all
}

const HOST: &str =
    "[host]\nstate_dir = \"state\"\nplugin_dir = \"plugins\"\nshutdown_deadline = \"60s\"\n";

/// A config of so many supervised processes, each restarted by a recovery when it ends.
fn processes(count: usize, every: &str) -> String {
    let mut config = HOST.to_owned();
    for number in 0..count {
        config.push_str(&format!(
            r#"
[[target]]
name = "t-{number}"
run = ["/bin/sleep", "1000000"]
[[target.check]]
kind = "process"
every = "{every}"
recover_after = 1
failure = "process-dead"
"#
        ));
    }
    config.push_str(
        r#"
[[route]]
failure = "process-dead"
strategy = { kind = "immediate" }
chain = [{ handler = "restart-service" }]
cooldown = "0s"
[plugin.restart-service]
grants = { target = ["restart"] }
"#,
    );
    config
}

/// A daemon with this config, that is ready; and how long that took. None where it took too long.
fn ready(program: &Path, config: &str, with_plugin: bool) -> Option<(Daemon, Duration)> {
    let mut daemon = Daemon::prepare(config);
    daemon.set_program(program);
    daemon.set_env("RUST_LOG", "info");
    if with_plugin {
        daemon.drop_plugin(&plugin("restart-service"));
    }
    let begin = Instant::now();
    daemon.begin();
    within(|| {
        daemon.must_live();
        // The line that is written before the daemon serves.
        daemon
            .log()
            .lines()
            .any(|line| line.contains(" is ready on "))
    })?;
    let took = begin.elapsed();
    Some((daemon, took))
}

/// How long it took until this holds; none where it took too long.
fn within(holds: impl FnMut() -> bool) -> Option<Duration> {
    looked_at(Duration::from_millis(5), holds)
}

/// The same, for what is work for who is measured.
fn within_slowly(holds: impl FnMut() -> bool) -> Option<Duration> {
    looked_at(Duration::from_millis(500), holds)
}

fn looked_at(every: Duration, mut holds: impl FnMut() -> bool) -> Option<Duration> {
    let begin = Instant::now();
    while !holds() {
        if begin.elapsed() > LONGEST {
            return None;
        }
        thread::sleep(every);
    }
    Some(begin.elapsed())
}
