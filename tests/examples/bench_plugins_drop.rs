//! `cargo run --release -p mainstay-tests --example bench_plugins_drop -- [ROUNDS]`: a compile bomb, a component of 43 MB and twenty
//! small ones are dropped at once while recoveries run. Prints after how long the small ones serve, how long calls of a
//! handler take beside it and in quiet, and the daemon's memory before and after. Judges nothing.

use mainstay_tests::{Daemon, HOST, handmade, print_spread, resident_kb, sleeper, wait_for};
use std::{
    fs,
    time::{Duration, Instant},
};

const CALLS: usize = 100;
/// What does not serve by then never does.
const LONGEST: Duration = Duration::from_secs(400);

fn main() {
    let rounds = std::env::args()
        .nth(1)
        .map_or(10, |text| text.parse().expect("the rounds are a number"));
    let (mut quiet, mut beside, mut small, mut all) = (vec![], vec![], vec![], vec![]);
    for round in 0..rounds {
        let seen = round_of(round);
        quiet.extend(seen.quiet);
        beside.extend(seen.beside);
        small.push(seen.small);
        all.push(seen.all);
    }
    let ratio = p99(&beside).as_secs_f64() / p99(&quiet).as_secs_f64();
    print_spread("20 small ones serve after", small);
    print_spread("all 23 serve after", all);
    print_spread("recoveries in quiet", quiet);
    print_spread("recoveries beside", beside);
    println!("ratio of the p99: {ratio:.2}");
}

/// What one daemon showed.
struct Seen {
    quiet: Vec<Duration>,
    beside: Vec<Duration>,
    small: Duration,
    all: Duration,
}

/// Components differ from round to round, so that nothing was compiled before.
fn round_of(round: usize) -> Seen {
    let route = "\n[[route]]\nfailure = \"odd\"\nchain = [{ handler = \"fixer\" }]\n";
    let daemon = Daemon::start(&format!("{HOST}{}{route}", sleeper("job")), &[]);
    let write = |name: &str, bytes: &[u8]| {
        fs::write(daemon.path("plugins").join(name), bytes).unwrap();
    };
    write("fixer.wasm", &handmade::handler("fixer"));
    daemon.wait_for_plugins(1);
    let quiet = calls(&daemon, |made| made < CALLS);
    let before = resident_kb(daemon.pid());

    let large = |name: &str| handmade::handler(&format!("{name}-{round}"));
    let bomb = handmade::with_code(&large("bomb"), 7_500_000);
    let huge = handmade::with_code(&large("huge"), 7_500_000);
    let huge = handmade::with_padding(&huge, 35 << 20);
    let small: Vec<(String, Vec<u8>)> = (0..20)
        .map(|number| format!("small-{number}-{round}"))
        .map(|name| (format!("{name}.wasm"), handmade::handler(&name)))
        .collect();
    let begin = Instant::now();
    write("a-bomb.wasm", &bomb);
    write("b-huge.wasm", &huge);
    for (name, bytes) in &small {
        write(name, bytes);
    }
    daemon.wait_for_plugins(21);
    let small = begin.elapsed();
    // As long as there is something to be beside of.
    let beside = calls(&daemon, |_| {
        serving(&daemon) < 23 && begin.elapsed() < LONGEST
    });
    let all = begin.elapsed();
    let after = resident_kb(daemon.pid());
    for name in ["a-bomb.wasm", "b-huge.wasm"] {
        fs::remove_file(daemon.path("plugins").join(name)).unwrap();
    }
    wait_for("both to be gone", || match serving(&daemon) {
        0..=21 => Ok(()),
        more => Err(format!("{more} serve")),
    });
    let without = resident_kb(daemon.pid());
    println!("resident: {before} kB before, {after} kB after, {without} kB without the large ones");
    Seen {
        quiet,
        beside,
        small,
        all,
    }
}

fn serving(daemon: &Daemon) -> usize {
    let rows = daemon.json(&["plugin", "list"]);
    let rows = rows.as_array().unwrap().iter();
    rows.filter(|row| row["state"] == "serving").count()
}

/// How long recoveries take, from the command to its answer.
fn calls(daemon: &Daemon, go_on: impl Fn(usize) -> bool) -> Vec<Duration> {
    let mut taken = Vec::new();
    while go_on(taken.len()) {
        let begin = Instant::now();
        let operation = daemon.recover("job", "odd");
        assert_eq!(operation["state"], "succeeded", "{operation}");
        taken.push(begin.elapsed());
    }
    taken
}

fn p99(samples: &[Duration]) -> Duration {
    let mut samples = samples.to_vec();
    samples.sort();
    samples[(samples.len() - 1) * 99 / 100]
}
