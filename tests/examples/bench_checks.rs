//! What checks cost: a real daemon with many of them, none of which fails.
//!
//! `bench_checks [FILES] [TCP] [HTTP] [EVERY_SECONDS] [SECONDS]`; without numbers 1,000 of files and 1,000 of TCP each ten
//! seconds, for twenty seconds. Prints how late the 99th of a hundred begins, CPU for each check in the program and in the
//! system, how often its threads gave the processor up and lost it, how many there are, and memory.
//!
//! Of threads that end meanwhile the switches are not counted.

use mainstay_tests::{Daemon, HOST, resident_kb, wait_for};
use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    time::{Duration, Instant},
};

/// Threads that answer.
const SERVERS: usize = 4;
/// Connections that wait for them: what Linux takes at most by default.
const BACKLOG: i32 = 4_096;

fn main() {
    let mut numbers = std::env::args()
        .skip(1)
        .filter_map(|word| word.parse().ok());
    let mut next = |default: u64| numbers.next().unwrap_or(default);
    let (files, tcp, http) = (next(1_000), next(1_000), next(0));
    let (every, seconds) = (next(10), next(20));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // The 128 that the standard library takes are few for a wave of hundreds: a check that fails for it costs an event.
    rustix::net::listen(&listener, BACKLOG).unwrap();
    let port = listener.local_addr().unwrap().port();
    for _ in 0..SERVERS {
        let listener = listener.try_clone().unwrap();
        std::thread::spawn(move || serve(&listener));
    }
    let mut daemon = Daemon::prepare(&config(files, tcp, http, port, every));
    daemon.set_env("RUST_LOG", "warn");
    daemon.run();
    // Every check has looked once, and the start is over.
    let all = files + tcp + http;
    wait_for("all checks to look", || match Seen::of(&daemon).checks {
        checks if checks >= all => Ok(()),
        checks => Err(format!("{checks} of {all}")),
    });
    let (before, used, begin) = (Seen::of(&daemon), Used::by(daemon.pid()), Instant::now());
    let length = Duration::from_secs(seconds);
    wait_for_time(begin, length);
    let used = Used::by(daemon.pid()).since(&used);
    let after = Seen::of(&daemon);
    let checks = after.checks - before.checks;
    let failed = after.failed - before.failed;
    assert_eq!(failed, 0, "{failed} of {checks} checks failed");
    let each = |count: f64| count / checks.max(1) as f64;
    let micros = |time: Duration| each(time.as_secs_f64() * 1e6);
    let rate = checks as f64 / begin.elapsed().as_secs_f64();
    println!("{files} file, {tcp} tcp and {http} http checks every {every} s: {rate:.0} a second");
    println!("p99 lateness: {}", after.lateness_since(&before, 0.99));
    println!(
        "CPU per check: {:.1} us; {:.1} in the program, {:.1} in the system",
        micros(used.user + used.system),
        micros(used.user),
        micros(used.system)
    );
    println!(
        "switches per check: {:.2} by waiting, {:.2} by the scheduler",
        each(used.waits as f64),
        each(used.losses as f64)
    );
    println!("threads: {}", used.threads);
    println!("resident: {} MB", resident_kb(daemon.pid()) / 1_000);
    daemon.stop();
}

fn config(files: u64, tcp: u64, http: u64, port: u16, every: u64) -> String {
    let mut config = HOST.to_owned();
    let kinds = [
        (files, "file", "path = \"/etc/passwd\"".to_owned()),
        (tcp, "tcp", format!("address = \"127.0.0.1:{port}\"")),
        (http, "http", format!("url = \"http://127.0.0.1:{port}/\"")),
    ];
    for (count, kind, look) in kinds {
        for number in 0..count {
            config.push_str(&format!(
                "\n[[target]]\nname = \"{kind}-{number}\"\n[[target.check]]\nkind = \"{kind}\"\n{look}\nevery = \"{every}s\"\n\
                 failure = \"service-down\"\n"
            ));
        }
    }
    config
}

/// Answers each connection, and what is asked over it. One after the other, for a thread for each would cost more than what
/// is measured: each check asks or closes at once.
fn serve(listener: &TcpListener) {
    for mut connection in listener.incoming().flatten() {
        let mut request = [0; 1024];
        if connection.read(&mut request).is_ok_and(|count| count > 0) {
            let _ = connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        }
    }
}

fn wait_for_time(begin: Instant, length: Duration) {
    while let Some(left) = length.checked_sub(begin.elapsed()) {
        std::thread::park_timeout(left.max(Duration::from_millis(1)));
    }
}

/// What a process and its threads have used.
#[derive(Debug, Clone, Copy, Default)]
struct Used {
    /// 10 ms fine, both.
    user: Duration,
    system: Duration,
    threads: usize,
    /// How often its threads have given the processor up, to wait.
    waits: u64,
    /// How often it was taken from them.
    losses: u64,
}

impl Used {
    fn by(pid: u32) -> Self {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let fields = stat.rsplit(')').next().unwrap().split_ascii_whitespace();
        let fields: Vec<&str> = fields.collect();
        let time = |place: usize| Duration::from_millis(10 * fields[place].parse::<u64>().unwrap());
        let mut used = Self {
            user: time(11),
            system: time(12),
            ..Self::default()
        };
        // That of the process tells of its first thread alone.
        for thread in fs::read_dir(format!("/proc/{pid}/task")).unwrap() {
            let status = thread.unwrap().path().join("status");
            let Ok(status) = fs::read_to_string(status) else {
                continue; // It has ended.
            };
            let count = |label: &str| {
                let line = status.lines().find_map(|line| line.strip_prefix(label));
                line.and_then(|count| count.trim().parse::<u64>().ok())
            };
            used.threads += 1;
            used.waits += count("voluntary_ctxt_switches:").unwrap_or(0);
            used.losses += count("nonvoluntary_ctxt_switches:").unwrap_or(0);
        }
        used
    }

    fn since(&self, before: &Self) -> Self {
        Self {
            user: self.user.saturating_sub(before.user),
            system: self.system.saturating_sub(before.system),
            threads: self.threads,
            waits: self.waits.saturating_sub(before.waits),
            losses: self.losses.saturating_sub(before.losses),
        }
    }
}

/// What `/metrics` says of checks.
struct Seen {
    checks: u64,
    /// Of these, what was not healthy.
    failed: u64,
    /// How many began within so many seconds of when they were due, by this bound.
    lateness: Vec<(String, u64)>,
}

impl Seen {
    fn of(daemon: &Daemon) -> Self {
        let (mut checks, mut failed, mut lateness) = (0, 0, Vec::new());
        for line in daemon.metrics().lines() {
            let Some((series, value)) = line.rsplit_once(' ') else {
                continue;
            };
            if series.starts_with("checks_total{") {
                let count = value.parse::<u64>().unwrap_or(0);
                checks += count;
                if !series.contains("outcome=\"healthy\"") {
                    failed += count;
                }
            }
            let bound = series.strip_prefix("check_lateness_seconds_bucket{le=\"");
            if let Some(bound) = bound.and_then(|rest| rest.strip_suffix("\"}")) {
                lateness.push((bound.to_owned(), value.parse().unwrap_or(0)));
            }
        }
        Self {
            checks,
            failed,
            lateness,
        }
    }

    /// The bound within which this share of the runs since then began.
    fn lateness_since(&self, before: &Self, share: f64) -> String {
        let since = self.lateness.iter().map(|(bound, count)| {
            let of_before = before.lateness.iter().find(|(known, _)| known == bound);
            (bound, count - of_before.map_or(0, |(_, count)| *count))
        });
        let since: Vec<_> = since.collect();
        let all = since.last().map_or(0, |(_, count)| *count);
        let enough = (all as f64 * share).ceil() as u64;
        let within = since.iter().find(|(_, count)| *count >= enough);
        within.map_or("unknown".to_owned(), |(bound, _)| {
            format!("at most {bound} s")
        })
    }
}
