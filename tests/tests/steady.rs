//! What the daemon keeps in memory while it does the same over and over: what it lives on for months.

use mainstay_tests::{Daemon, HOST, resident_kb, wait_for};

/// So much more is no sign of anything: threads come, and what is cached grows up to its bound.
const FEW: u64 = 8 << 10;

/// Checks that have looked so far.
fn checks(daemon: &Daemon) -> u64 {
    let metrics = daemon.metrics();
    let lines = metrics.lines();
    let counts = lines.filter_map(|line| {
        let of_checks = line.strip_prefix("checks_total{")?;
        of_checks.rsplit(' ').next()?.parse::<u64>().ok()
    });
    counts.sum()
}

/// Waits until so many checks have looked, and gives what the daemon has in memory then, in KiB.
fn resident_after(daemon: &Daemon, count: u64) -> u64 {
    wait_for(&format!("{count} checks"), || {
        let seen = checks(daemon);
        (seen >= count)
            .then_some(())
            .ok_or_else(|| seen.to_string())
    });
    resident_kb(daemon.pid())
}

#[test]
fn steady_work_takes_no_more_memory_the_longer_it_lasts() {
    // Some pass, some fail and are told of, and one after the other programs are run.
    let mut config = HOST.to_owned();
    for (number, check) in [
        "kind = \"file\"\npath = \".\"",
        "kind = \"file\"\npath = \"missing\"",
        "kind = \"tcp\"\naddress = \"127.0.0.1:1\"",
        "kind = \"disk\"\npath = \"/\"",
        "kind = \"exec\"\nrun = [\"true\"]\nevery = \"200ms\"\ntimeout = \"200ms\"",
    ]
    .into_iter()
    .enumerate()
    {
        for copy in 0..4 {
            let every = match check.contains("every") {
                true => "",
                false => "every = \"10ms\"\ntimeout = \"10ms\"\n",
            };
            config.push_str(&format!(
                "\n[[target]]\nname = \"t-{number}-{copy}\"\n[[target.check]]\nfailure = \"odd\"\n{check}\n{every}"
            ));
        }
    }
    let mut daemon = Daemon::start(&config, &[]);
    let warm = resident_after(&daemon, 5_000);
    let later = resident_after(&daemon, 25_000);
    println!("{warm} KiB after 5,000 checks, {later} KiB after 25,000");
    assert!(
        later < warm + FEW,
        "{warm} KiB became {later} KiB in 20,000 checks"
    );
    assert!(daemon.stop());
}
