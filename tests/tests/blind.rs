//! A blind host touches nothing: what it cannot see, for reasons of its own, is no failure of a target.

use mainstay_tests::{Daemon, HOST, program, wait_for};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use std::{
    fs,
    net::{TcpListener, UdpSocket},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// Targets of each kind.
const COUNT: usize = 20;

/// A target with one check, made once in this period, that may not fail once.
fn target(name: &str, run: &str, check: &str, period: &str) -> String {
    format!(
        "\n[[target]]\nname = \"{name}\"\n{run}\n[[target.check]]\nname = \"it\"\n{check}\nevery = \"{period}\"\ntimeout = \"{period}\"\n\
         fail_after = 1\nrecover_after = 1\nfailure = \"service-down\"\n"
    )
}

/// Takes every connection, until the test ends; gives the port.
fn listen() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || listener.incoming().for_each(drop));
    port
}

/// Healthy targets of every kind that needs something of the host; `port` is where somebody listens.
fn healthy(port: u16) -> String {
    let supervised = "run = [\"/bin/sleep\", \"1000000\"]";
    let kinds = [
        ("process", supervised, "kind = \"process\"".to_owned()),
        (
            "exec",
            "",
            "kind = \"exec\"\nrun = [\"/bin/true\"]".to_owned(),
        ),
        (
            "file",
            "",
            "kind = \"file\"\npath = \"/etc/passwd\"\ncontains = \"root\"".to_owned(),
        ),
        (
            "tcp",
            "",
            format!("kind = \"tcp\"\naddress = \"127.0.0.1:{port}\""),
        ),
        (
            "localhost",
            "",
            format!("kind = \"tcp\"\naddress = \"localhost:{port}\""),
        ),
    ];
    let mut config = String::new();
    for number in 0..COUNT {
        for (kind, run, check) in &kinds {
            config.push_str(&target(&format!("{kind}-{number}"), run, check, "2s"));
        }
    }
    config
}

/// How often the checks whose target's name begins so had this outcome.
fn seen(daemon: &Daemon, of: &str, outcome: &str) -> u64 {
    let (begin, end) = (
        format!("checks_total{{target=\"{of}"),
        format!("outcome=\"{outcome}\"}}"),
    );
    let metrics = daemon.metrics();
    let lines = metrics.lines().filter(|line| line.starts_with(&begin));
    let counts = lines.filter_map(|line| line.split_once(&end)?.1.trim().parse::<u64>().ok());
    counts.sum()
}

/// Nothing was said of a target, and nothing was done to one.
fn nothing_happened(daemon: &Daemon) {
    let told = daemon.events().into_iter().filter(|event| {
        let kind = event["kind"].as_str().unwrap();
        ["check.", "circuit.", "incident.", "operation."]
            .iter()
            .any(|noun| kind.starts_with(noun))
            || ["process.exited", "config.rejected"].contains(&kind)
    });
    let told: Vec<String> = told.map(|event| event.to_string()).collect();
    assert_eq!(told, [""; 0]);
}

fn pid(daemon: &Daemon) -> Pid {
    Pid::from_raw(daemon.pid().cast_signed()).unwrap()
}

/// Waits for a time that is the subject itself.
fn pass(length: Duration) {
    let begin = Instant::now();
    wait_for("time to pass", || match begin.elapsed() {
        passed if passed >= length => Ok(()),
        passed => Err(format!("{passed:?}")),
    });
}

#[test]
fn a_daemon_without_descriptors_restarts_nothing_refuses_no_config_and_sees_again() {
    let port = listen();
    let daemon = Daemon::start(&[HOST, &healthy(port)].concat(), &[]);
    let all = |daemon: &Daemon| {
        daemon.wait_for_status("all to be healthy", |status| {
            let targets = status["targets"].as_array().unwrap();
            targets.iter().all(|target| target["health"] == "healthy")
        })
    };
    all(&daemon);
    let limit = |limit: Rlimit| prlimit(Some(pid(&daemon)), Resource::Nofile, limit).unwrap();
    let before = limit_of(&daemon);
    // What is open stays open.
    limit(Rlimit {
        current: Some(3),
        maximum: before.maximum,
    });
    // Longer than the config is left unread.
    pass(Duration::from_secs(7));
    limit(before);
    for kind in ["process", "exec", "file", "tcp", "localhost"] {
        let seen = || seen(&daemon, kind, "healthy");
        let first = seen();
        wait_for("it to be looked at again", || match seen() {
            now if now > first + 20 => Ok(()),
            now => Err(format!("{kind}: {now}, {first} before")),
        });
    }
    assert!(seen(&daemon, "", "unknown") > 50);
    let status = all(&daemon);
    let unseen = status["targets"].as_array().unwrap().iter();
    let unseen: Vec<_> = unseen.filter(|row| !row["unseen"].is_null()).collect();
    assert!(unseen.is_empty(), "{unseen:?}");
    nothing_happened(&daemon);
}

/// The limit of open files that the daemon has now.
fn limit_of(daemon: &Daemon) -> Rlimit {
    let limits = fs::read_to_string(format!("/proc/{}/limits", daemon.pid())).unwrap();
    let mut lines = limits.lines();
    let line = lines.find_map(|line| line.strip_prefix("Max open files"));
    let mut values = line
        .unwrap()
        .split_whitespace()
        .map(|value| value.parse().ok());
    Rlimit {
        current: values.next().unwrap(),
        maximum: values.next().unwrap(),
    }
}

#[test]
fn a_daemon_that_was_stopped_for_seconds_fails_nothing_that_was_in_flight() {
    let mut config = HOST.to_owned();
    for number in 0..COUNT {
        config.push_str(&format!(
            "\n[[target]]\nname = \"exec-{number}\"\n[[target.check]]\nkind = \"exec\"\nrun = [\"/bin/sleep\", \"1.5\"]\nevery = \"2s\"\n\
             timeout = \"2s\"\nfail_after = 1\nfailure = \"service-down\"\n\
             \n[[target]]\nname = \"beat-{number}\"\n[[target.check]]\nname = \"it\"\nkind = \"heartbeat\"\nevery = \"7s\"\nfail_after = 1\n\
             failure = \"heartbeat-missed\"\n"
        ));
    }
    let daemon = Daemon::start(&config, &[]);
    let beat = || {
        for number in 0..COUNT {
            let beat = daemon.cli(&["heartbeat", &format!("beat-{number}")]);
            assert!(beat.status.success());
        }
    };
    beat();
    wait_for("the checks to look", || {
        match seen(&daemon, "exec", "healthy") {
            0 => Err("none".to_owned()),
            _ => Ok(()),
        }
    });
    kill_process(pid(&daemon), Signal::STOP).unwrap();
    pass(Duration::from_secs(8));
    kill_process(pid(&daemon), Signal::CONT).unwrap();
    let before = seen(&daemon, "exec", "healthy");
    beat();
    let enough = before + COUNT as u64;
    wait_for("the checks to look again", || {
        match seen(&daemon, "exec", "healthy") {
            now if now >= enough => Ok(()),
            now => Err(format!("{now} of {enough}")),
        }
    });
    nothing_happened(&daemon);
    // A heartbeat that stays away after that is missed.
    daemon.wait_for_event("a missed heartbeat", |event| {
        event["kind"] == "incident.opened" && event["data"]["failure"] == "heartbeat-missed"
    });
}

/// Needs root, for a mount of its own over the config of the resolver, and for port 53.
#[test]
fn eighty_names_whose_server_is_silent_fail_nothing_and_delay_nobody() {
    const SERVER: &str = "127.66.66.66";
    let own_mounts = Command::new("unshare")
        .args(["--mount", "true"])
        .stderr(Stdio::null())
        .status();
    let Ok(silent) = UdpSocket::bind((SERVER, 53)) else {
        return;
    };
    if !own_mounts.is_ok_and(|status| status.success()) {
        return;
    }
    let port = listen();
    let mut config = [HOST, &healthy(port)].concat();
    for number in 0..80 {
        let check = match number % 4 {
            0 => format!("kind = \"http\"\nurl = \"http://silent-{number}.example/\""),
            _ => format!("kind = \"tcp\"\naddress = \"silent-{number}.example:80\""),
        };
        config.push_str(&target(&format!("silent-{number}"), "", &check, "300ms"));
    }
    let mut daemon = Daemon::prepare(&config);
    let resolver = daemon.path("resolv.conf");
    fs::write(&resolver, format!("nameserver {SERVER}\n")).unwrap();
    let mut command = Command::new("unshare");
    let script = "mount --bind \"$1\" /etc/resolv.conf && shift && exec \"$@\"";
    command
        .args(["--mount", "sh", "-c", script, "sh"])
        .arg(&resolver)
        .arg(program())
        .args(["run", "--config"])
        .arg(daemon.path("mainstay.toml"))
        .stdout(Stdio::null())
        .stderr(fs::File::create(daemon.path("daemon.log")).unwrap());
    daemon.run_as(command);
    wait_for("the silent ones to be unknown", || {
        match seen(&daemon, "silent", "unknown") {
            500.. => Ok(()),
            count => Err(format!("{count} so far")),
        }
    });
    for kind in ["process", "exec", "file", "tcp", "localhost"] {
        assert_eq!(seen(&daemon, kind, "unknown"), 0, "{kind}");
        assert!(seen(&daemon, kind, "healthy") >= COUNT as u64, "{kind}");
    }
    nothing_happened(&daemon);
    let status = daemon.json(&["status"]);
    let silent_rows = status["targets"].as_array().unwrap().iter();
    let told = silent_rows.filter(|row| row["unseen"]["why"].as_str().is_some());
    assert!(told.count() >= 70, "{status}");
    drop(silent);
}
