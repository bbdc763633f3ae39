//! Status queries over the Unix socket, over four connections that are kept.

use mainstay_tests::{Daemon, plugin, print_spread};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

const LENGTH: Duration = Duration::from_secs(3);
const CONFIG: &str = r#"
[host]
state_dir = "state"
plugin_dir = "plugins"
[[target]]
name = "job"
run = ["sleep", "1000"]
[[route]]
failure = "service-down"
strategy = { kind = "immediate" }
chain = [{ handler = "restart-service" }]
relapse_window = "0s"
[plugin.restart-service]
grants = { target = ["restart"] }
"#;

pub(crate) fn status_queries() {
    let mut daemon = Daemon::prepare(CONFIG);
    daemon.drop_plugin(&plugin("restart-service"));
    daemon.set_env("RUST_LOG", "info");
    daemon.run();
    daemon.wait_for_plugins(1);
    measure(&daemon, "idle");
    let done = AtomicBool::new(false);
    let recovered = thread::scope(|scope| {
        let killer = scope.spawn(|| kill_again_and_again(&daemon, &done));
        measure(&daemon, "while recoveries run");
        done.store(true, Relaxed);
        killer.join().unwrap()
    });
    println!("kills during these queries: {recovered}");
}

fn measure(daemon: &Daemon, when: &str) {
    let socket = daemon.path("state/mainstay.sock");
    let begin = Instant::now();
    let samples: Vec<Duration> = thread::scope(|scope| {
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(|| ask(&socket))).collect();
        let answers = clients.into_iter().map(|client| client.join().unwrap());
        answers.flatten().collect()
    });
    let rate = samples.len() as f64 / begin.elapsed().as_secs_f64();
    println!("status queries, {when}: {rate:.0} a second over 4 connections");
    print_spread(&format!("one status query, {when}"), samples);
}

/// Kills the target as soon as it runs, so that there is always something to recover.
fn kill_again_and_again(daemon: &Daemon, done: &AtomicBool) -> u32 {
    let mut killed = 0;
    let mut last = 0;
    while !done.load(Relaxed) {
        let Some(pid) = daemon.pids().get("job").copied().filter(|pid| *pid != last) else {
            continue;
        };
        last = pid;
        let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        // It may have ended by itself.
        killed += u32::from(kill_process(pid, Signal::KILL).is_ok());
    }
    killed
}

fn ask(socket: &Path) -> Vec<Duration> {
    let mut stream = UnixStream::connect(socket).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let end = Instant::now() + LENGTH;
    let mut samples = Vec::new();
    while Instant::now() < end {
        let begin = Instant::now();
        stream
            .write_all(b"GET /v1/status HTTP/1.1\r\nhost: mainstay\r\n\r\n")
            .unwrap();
        let mut body = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if let Some(length) = line.to_lowercase().strip_prefix("content-length:") {
                body = length.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut bytes = vec![0; body];
        reader.read_exact(&mut bytes).unwrap();
        samples.push(begin.elapsed());
    }
    samples
}
