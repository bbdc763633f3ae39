//! `cargo run --release -p mainstay-tests --example bench_daemon -- [KILLS]`: times the whole program.
//!
//! Death to serving again, and to verified, of a small HTTP server that is killed with SIGKILL (busybox's `httpd` where
//! it is installed, else the demo's own service); status queries over the Unix socket; resident memory of an idle
//! daemon with ten plugins. Prints medians with spread; judges nothing.

use mainstay_tests::{Daemon, free_port, guest, plugin, program, wait_for};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

fn main() {
    let kills = std::env::args()
        .nth(1)
        .map_or(50, |text| text.parse().expect("the number of kills"));
    death_to_serving(kills);
    status_queries();
    idle_memory();
}

fn print(what: &str, mut samples: Vec<Duration>) {
    samples.sort();
    let at = |share: f64| samples[((samples.len() - 1) as f64 * share).round() as usize];
    println!(
        "{what}: n {} min {:?} median {:?} p99 {:?} max {:?}",
        samples.len(),
        at(0.0),
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

fn has_busybox() -> bool {
    let applets = Command::new("busybox")
        .arg("--list")
        .stderr(Stdio::null())
        .output();
    applets.is_ok_and(|output| {
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .any(|applet| applet == "httpd")
    })
}

fn death_to_serving(kills: usize) {
    let port = free_port();
    let (server, run) = if has_busybox() {
        (
            "busybox httpd",
            format!(r#"["busybox", "httpd", "-f", "-p", "127.0.0.1:{port}"]"#),
        )
    } else {
        let program = program().display();
        (
            "the demo's service",
            format!(
                r#"["{program}", "demo-service", "--listen", "127.0.0.1:{port}", "--data", "data"]"#
            ),
        )
    };
    let config = format!(
        r#"
[host]
state_dir = "state"
plugin_dir = "plugins"
[[target]]
name = "web"
run = {run}
[[target.check]]
kind = "tcp"
address = "127.0.0.1:{port}"
every = "1s"
timeout = "500ms"
recover_after = 1
failure = "api-gateway-down"
[[route]]
failure = "api-gateway-down"
strategy = {{ kind = "immediate" }}
chain = [{{ handler = "restart-service" }}]
cooldown = "0s"
[plugin.restart-service]
grants = {{ target = ["restart"] }}
"#
    );
    let mut daemon = Daemon::prepare(&config);
    daemon.drop_plugin(&plugin("restart-service"));
    daemon.set_env("RUST_LOG", "info");
    daemon.run();
    daemon.wait_for_plugins(1);
    let answers = || TcpStream::connect(("127.0.0.1", port)).is_ok();
    wait_for("the server", || {
        if answers() {
            Ok(())
        } else {
            Err("refused".to_owned())
        }
    });
    let mut serving = Vec::new();
    for round in 0..kills {
        let pid = daemon.pids()["web"];
        let begin = Instant::now();
        kill_process(
            Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(),
            Signal::KILL,
        )
        .unwrap();
        // The listening socket is gone with the process; only a new one accepts.
        while Path::new(&format!("/proc/{pid}/fd"))
            .read_dir()
            .is_ok_and(|mut files| files.next().is_some())
        {}
        while !answers() {}
        serving.push(begin.elapsed());
        wait_for("the operation to succeed", || {
            let history = daemon.json(&["history", "--limit", "1000"]);
            let done = history
                .as_array()
                .unwrap()
                .iter()
                .filter(|operation| operation["state"] == "succeeded")
                .count();
            if done > round {
                Ok(())
            } else {
                Err(history[0].to_string())
            }
        });
    }
    print(&format!("death to serving ({server})"), serving);
    let history = daemon.json(&["history", "--limit", "1000"]);
    let verified = history
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|operation| operation["recovery_ms"].as_u64());
    print(
        "detection to verified",
        verified.map(Duration::from_millis).collect(),
    );
}

fn status_queries() {
    let daemon = Daemon::start(
        "[host]\nstate_dir = \"state\"\nplugin_dir = \"plugins\"\n",
        &[&plugin("restart-service")],
    );
    let socket = daemon.path("state/mainstay.sock");
    let length = Duration::from_secs(3);
    let begin = Instant::now();
    let clients: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn({
                let socket = socket.clone();
                move || ask(&socket, length)
            })
        })
        .collect();
    let samples: Vec<Duration> = clients
        .into_iter()
        .flat_map(|client| client.join().unwrap())
        .collect();
    let rate = samples.len() as f64 / begin.elapsed().as_secs_f64();
    println!("status queries: {rate:.0} a second over 4 connections");
    print("one status query", samples);
}

fn ask(socket: &PathBuf, length: Duration) -> Vec<Duration> {
    let mut stream = UnixStream::connect(socket).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let end = Instant::now() + length;
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

fn idle_memory() {
    let mut daemon = Daemon::prepare("[host]\nstate_dir = \"state\"\nplugin_dir = \"plugins\"\n");
    let names = [
        "restart-service",
        "corruption-restore",
        "gfs-retention",
        "age-retention",
    ];
    let mut components: Vec<PathBuf> = names.iter().map(|name| plugin(name)).collect();
    components.extend(
        [&[][..], &["v1_0_1"], &["v1_1_0"], &["v2_0_0"]]
            .iter()
            .map(|features| guest("probe", features)),
    );
    for component in &components {
        daemon.drop_plugin(component);
    }
    daemon.set_env("RUST_LOG", "info");
    daemon.run();
    let rows = wait_for("the plugins to settle", || {
        let rows = daemon.json(&["plugin", "list"]);
        let settled = rows
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["state"] == "serving" || row["state"] == "rejected");
        let all = rows.as_array().unwrap().len() == components.len();
        if settled && all {
            Ok(rows)
        } else {
            Err(rows.to_string())
        }
    });
    let serving = rows
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["state"] == "serving")
        .count();
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let resident = status
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .unwrap()
        .to_owned();
    println!("idle daemon with {serving} plugins: {resident}");
}
