//! From the SIGKILL of a server to the first connection that its successor accepts.

use mainstay_tests::{Daemon, free_port, plugin, print_spread, program, wait_for};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs,
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// runit waits this long before it starts a process again that did not run as long.
const RUNIT_MINIMUM: Duration = Duration::from_millis(1100);

/// Who watches without a rest takes one of two processors from who is watched.
const BETWEEN_LOOKS: Duration = Duration::from_micros(50);

pub(crate) fn death_to_serving(kills: usize) {
    let (name, arguments) = if has_httpd() {
        ("busybox httpd", "busybox httpd -f -p 127.0.0.1:{port}")
    } else {
        (
            "the demo's service",
            "{program} demo-service --listen 127.0.0.1:{port} --data data",
        )
    };
    let arguments = |port: u16| {
        let program = program().display().to_string();
        let filled = arguments
            .replace("{port}", &port.to_string())
            .replace("{program}", &program);
        filled
            .split(' ')
            .map(str::to_owned)
            .collect::<Vec<String>>()
    };
    let port = free_port();
    let daemon = supervised(port, &arguments(port));
    let runit = Runit::start(arguments);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..kills {
        ours.push(kill_and_wait(port, || daemon.pids()["web"]));
        wait_for("the operation to succeed", || {
            let history = daemon.json(&["history", "--limit", "1000"]);
            let operations = history.as_array().unwrap();
            let done = operations
                .iter()
                .filter(|operation| operation["state"] == "succeeded");
            if done.count() > round {
                Ok(())
            } else {
                Err(history[0].to_string())
            }
        });
        if let Some(runit) = &runit {
            thread::sleep(RUNIT_MINIMUM);
            theirs.push(kill_and_wait(runit.port, || runit.pid()));
        }
    }
    print_spread(&format!("death to serving ({name})"), ours);
    if runit.is_some() {
        print_spread(&format!("death to serving under runit ({name})"), theirs);
    } else {
        println!("runit is not installed: nothing to compare with");
    }
    let history = daemon.json(&["history", "--limit", "1000"]);
    let verified = history
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|operation| operation["recovery_ms"].as_u64());
    print_spread(
        "detection to verified",
        verified.map(Duration::from_millis).collect(),
    );
}

fn has_httpd() -> bool {
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

fn answers(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

fn wait_until_it_answers(port: u16) {
    wait_for("the server", || {
        if answers(port) {
            Ok(())
        } else {
            Err("refused".to_owned())
        }
    });
}

fn kill_and_wait(port: u16, pid: impl Fn() -> u32) -> Duration {
    let pid = pid();
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
    {
        thread::sleep(BETWEEN_LOOKS);
    }
    while !answers(port) {
        thread::sleep(BETWEEN_LOOKS);
    }
    begin.elapsed()
}

fn supervised(port: u16, run: &[String]) -> Daemon {
    let run = serde_json::to_string(run).unwrap();
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
relapse_window = "0s"
[plugin.restart-service]
grants = {{ target = ["restart"] }}
"#
    );
    let mut daemon = Daemon::prepare(&config);
    daemon.drop_plugin(&plugin("restart-service"));
    daemon.set_env("RUST_LOG", "info");
    daemon.run();
    daemon.wait_for_plugins(1);
    wait_until_it_answers(port);
    daemon
}

/// The same server under runit's `runsv`.
struct Runit {
    directory: TempDir,
    child: Child,
    port: u16,
}

impl Runit {
    fn start(arguments: impl Fn(u16) -> Vec<String>) -> Option<Self> {
        let (directory, port) = (TempDir::new().unwrap(), free_port());
        let script = directory.path().join("run");
        fs::write(
            &script,
            format!("#!/bin/sh\nexec {}\n", arguments(port).join(" ")),
        )
        .unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
        let child = Command::new("runsv").arg(directory.path()).spawn().ok()?;
        wait_until_it_answers(port);
        Some(Self {
            directory,
            child,
            port,
        })
    }

    fn pid(&self) -> u32 {
        let text = fs::read_to_string(self.directory.path().join("supervise/pid")).unwrap();
        text.trim().parse().unwrap()
    }
}

impl Drop for Runit {
    fn drop(&mut self) {
        // SIGTERM: it ends its service, and then itself.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}
