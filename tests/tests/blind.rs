//! A blind host touches nothing: what it cannot see, for reasons of its own, is no failure of a target.

use mainstay_tests::{Daemon, HOST, Receiver, plugin, program, wait_for};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use serde_json::Value;
use std::{
    fs,
    net::{TcpListener, UdpSocket},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Targets of each kind.
const COUNT: usize = 20;
/// More of each kind that costs little.
const MORE: usize = 300;
/// What their names begin with, and how many there are.
const KINDS: [(&str, usize); 5] = [
    ("process", COUNT + MORE),
    ("exec", COUNT),
    ("file", COUNT + MORE),
    ("tcp", COUNT + MORE),
    ("localhost", COUNT),
];
/// A thousand in all.
const ALL: usize = 1_000;

/// A target with one check, made once in this period, that may not fail once.
fn target(name: &str, run: &str, check: &str, period: &str) -> String {
    format!(
        "\n[[target]]\nname = \"{name}\"\n{run}\n[[target.check]]\nname = \"it\"\n{check}\nevery = \"{period}\"\ntimeout = \"{period}\"\n\
         fail_after = 1\nrecover_after = 1\nfailure = \"service-down\"\n"
    )
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
    // Services of others: no process of ours for each. This test's own process is one of them.
    let cheap = [
        (
            "process",
            "kind = \"process\"\npid_file = \"well.pid\"".to_owned(),
        ),
        (
            "file",
            "kind = \"file\"\npath = \"/etc/passwd\"\ncontains = \"root\"".to_owned(),
        ),
        (
            "tcp",
            format!("kind = \"tcp\"\naddress = \"127.0.0.1:{port}\""),
        ),
    ];
    for number in COUNT..COUNT + MORE {
        for (kind, check) in &cheap {
            config.push_str(&target(&format!("{kind}-{number}"), "", check, "5s"));
        }
    }
    let count = config.matches("[[target]]").count();
    assert_eq!(count, ALL);
    config
}

/// Somebody who takes every connection, and lets go of it.
fn listen() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || listener.incoming().for_each(drop));
    port
}

/// A directory with this config and what its checks look at; nothing runs yet.
fn prepare(config: &str) -> Daemon {
    let mut daemon = Daemon::prepare(config);
    fs::write(daemon.path("well.pid"), std::process::id().to_string()).unwrap();
    // A thousand checks that trace all that they do are another test.
    daemon.set_env("RUST_LOG", "info");
    daemon
}

/// Waits until every target whose name does not begin so is healthy, and gives the status.
fn all_are_healthy_but(daemon: &Daemon, others: &str) -> Value {
    daemon.wait_for_status("all to be healthy", |status| {
        let mut targets = status["targets"].as_array().unwrap().iter();
        targets.all(|target| {
            let is_other = target["name"].as_str().unwrap().starts_with(others);
            target["health"] == "healthy" || (is_other && !others.is_empty())
        })
    })
}

/// Waits until each of the healthy ones was looked at so often more, on the average.
fn all_are_looked_at(daemon: &Daemon, times: u64) {
    for (kind, count) in KINDS {
        let seen = || seen(daemon, kind, "healthy");
        let enough = seen() + times * count as u64;
        wait_for("them to be looked at", || match seen() {
            now if now >= enough => Ok(()),
            now => Err(format!("{kind}: {now} of {enough}")),
        });
    }
}

/// Prints how the healthy ones were seen beside what hangs.
fn print_figures(daemon: &Daemon, beside: &str) {
    let sum = |outcome: &str| -> u64 {
        let counts = KINDS.map(|(kind, _)| seen(daemon, kind, outcome));
        counts.iter().sum()
    };
    let (healthy, unknown, failed) = (sum("healthy"), sum("unknown"), sum("failed"));
    let incidents = daemon.events_of("incident.opened").len();
    println!(
        "{ALL} healthy targets beside {beside}: {healthy} looks, {unknown} unknown, {failed} failed, {incidents} incidents"
    );
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
    let mut daemon = prepare(&[HOST, &healthy(listen())].concat());
    daemon.run();
    all_are_healthy_but(&daemon, "");
    let limit = |limit: Rlimit| prlimit(Some(pid(&daemon)), Resource::Nofile, limit).unwrap();
    let before = limit_of(&daemon);
    // What is open stays open.
    limit(Rlimit {
        current: Some(3),
        maximum: before.maximum,
    });
    daemon.drop_plugin(&plugin("restart-service"));
    // Longer than the config is left unread.
    pass(Duration::from_secs(7));
    limit(before);
    daemon.wait_for_plugins(1);
    let refused = daemon.events_of("plugin.rejected");
    assert!(refused.is_empty(), "it could not be read: {refused:?}");
    all_are_looked_at(&daemon, 1);
    assert!(seen(&daemon, "", "unknown") > 50);
    let status = all_are_healthy_but(&daemon, "");
    let unseen = status["targets"].as_array().unwrap().iter();
    let unseen: Vec<_> = unseen.filter(|row| !row["unseen"].is_null()).collect();
    assert!(unseen.is_empty(), "{unseen:?}");
    nothing_happened(&daemon);
    print_figures(&daemon, "no descriptors for 7 s");
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
    let mut config = [HOST, &healthy(listen())].concat();
    for number in 0..80 {
        let check = match number % 4 {
            0 => format!("kind = \"http\"\nurl = \"http://silent-{number}.example/\""),
            _ => format!("kind = \"tcp\"\naddress = \"silent-{number}.example:80\""),
        };
        config.push_str(&target(&format!("silent-{number}"), "", &check, "300ms"));
    }
    let mut daemon = prepare(&config);
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
    all_are_looked_at(&daemon, 1);
    all_are_healthy_but(&daemon, "silent");
    for (kind, _) in KINDS {
        assert_eq!(seen(&daemon, kind, "unknown"), 0, "{kind}");
    }
    nothing_happened(&daemon);
    print_figures(&daemon, "80 names whose server is silent");
    let status = daemon.json(&["status"]);
    let silent_rows = status["targets"].as_array().unwrap().iter();
    let told = silent_rows.filter(|row| row["unseen"]["why"].as_str().is_some());
    assert!(told.count() >= 70, "{status}");
    drop(silent);
}

/// A control group of processes with a bound of their memory, of version 2 or 1; removed when it is dropped.
struct MemoryGroup {
    path: PathBuf,
    /// The files of its use, of its bound, and of that of its swap, which not every kernel has.
    files: [&'static str; 3],
}

impl MemoryGroup {
    /// The error is why there is none here.
    fn new() -> Result<Self, String> {
        let second = ["memory.current", "memory.max", "memory.swap.max"];
        let first = [
            "memory.usage_in_bytes",
            "memory.limit_in_bytes",
            "memory.memsw.limit_in_bytes",
        ];
        let name = format!("mainstay-test-{}", std::process::id());
        let mut why = "no control groups are mounted".to_owned();
        for (root, files) in [
            ("/sys/fs/cgroup", second),
            ("/sys/fs/cgroup/unified", second),
            ("/sys/fs/cgroup/memory", first),
        ] {
            let root = Path::new(root);
            if !root.join("cgroup.procs").exists() {
                continue;
            }
            // Where it is there already, or cannot be had, is seen below.
            let _ = fs::write(root.join("cgroup.subtree_control"), "+memory");
            let path = root.join(&name);
            if let Err(error) = fs::create_dir(&path) {
                why = format!("{}: {error}", path.display());
                continue;
            }
            let group = Self { path, files };
            match fs::read_to_string(group.path.join(files[1])) {
                Ok(_) => return Ok(group),
                Err(error) => why = format!("{}: {error}", group.path.join(files[1]).display()),
            }
        }
        Err(why)
    }

    /// Nobody in it may have more than they have now and this, together.
    fn bound(&self, room: u64) {
        let [current, bound, swap] = self.files.map(|file| self.path.join(file));
        let used: u64 = fs::read_to_string(current).unwrap().trim().parse().unwrap();
        let limit = (used + room).to_string();
        fs::write(bound, &limit).unwrap();
        // What is swapped out must not make room: of version 1 both together, of version 2 the swap alone.
        let is_second = self.files[2] == "memory.swap.max";
        let _ = fs::write(swap, if is_second { "0" } else { limit.as_str() });
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        let end = Instant::now() + Duration::from_secs(5);
        // What was killed in it leaves it a moment later.
        while fs::remove_dir(&self.path).is_err() && Instant::now() < end {
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Needs root who may have the kernel spare a process, and control groups with a bound of memory.
#[test]
fn a_daemon_whose_checks_use_up_its_memory_fails_nothing() {
    const HUNGRY: usize = 4;
    let group = match MemoryGroup::new() {
        Ok(group) => group,
        Err(why) => {
            eprintln!("skipped: no bound of memory can be had here: {why}");
            return;
        }
    };
    let protected = Command::new("sh")
        .args(["-c", "echo -1000 > /proc/self/oom_score_adj"])
        .stderr(Stdio::null())
        .status();
    if !protected.is_ok_and(|status| status.success()) {
        eprintln!("skipped: nobody here may say that the kernel spares the daemon");
        return;
    }
    let mut daemon = prepare("");
    let go = daemon.path("go");
    let mut config = [HOST, &healthy(listen())].concat();
    // The kernel ends them first, not the daemon.
    let eats = format!(
        "[ -e {} ] || exit 0; echo 1000 > /proc/self/oom_score_adj; exec tail /dev/zero",
        go.display()
    );
    for number in 0..HUNGRY {
        let check = format!("kind = \"exec\"\nrun = [\"/bin/sh\", \"-c\", \"{eats}\"]");
        config.push_str(&target(&format!("hungry-{number}"), "", &check, "3s"));
    }
    fs::write(daemon.path("mainstay.toml"), config).unwrap();
    let mut command = Command::new("sh");
    // The daemon is never the one that is ended.
    let script =
        "echo -1000 > /proc/self/oom_score_adj && echo $$ > \"$1\" && shift && exec \"$@\"";
    command
        .args(["-c", script, "sh"])
        .arg(group.path.join("cgroup.procs"))
        .arg(program())
        .args(["run", "--config"])
        .arg(daemon.path("mainstay.toml"))
        .stdout(Stdio::null())
        .stderr(fs::File::create(daemon.path("daemon.log")).unwrap());
    daemon.run_as(command);
    all_are_healthy_but(&daemon, "");
    group.bound(48 << 20);
    fs::write(&go, "").unwrap();
    wait_for("the kernel to end some for their hunger", || {
        match seen(&daemon, "hungry", "unknown") {
            8.. => Ok(()),
            count => Err(format!("{count} so far")),
        }
    });
    all_are_looked_at(&daemon, 1);
    fs::remove_file(&go).unwrap();
    all_are_healthy_but(&daemon, "");
    nothing_happened(&daemon);
    print_figures(&daemon, "checks that use up the memory");
    drop(daemon);
    drop(group);
}

#[test]
fn who_was_told_that_a_daemon_is_blind_is_told_by_the_next_that_it_sees() {
    let receiver = Receiver::start();
    let url = &receiver.url;
    let check = "kind = \"exec\"\nrun = [\"/bin/true\"]";
    let config = [
        HOST,
        &target("web", "", check, "1s"),
        &format!(
            "\n[[alert]]\nalerter = \"webhook\"\n\n[plugin.webhook]\ngrants = {{ http = [\"{url}\"] }}\n\
             settings = {{ url = \"{url}/alerts\" }}\n"
        ),
    ];
    let mut daemon = Daemon::start(&config.concat(), &[&plugin("webhook")]);
    daemon.wait_for_plugins(1);
    all_are_healthy_but(&daemon, "");
    let before = limit_of(&daemon);
    prlimit(
        Some(pid(&daemon)),
        Resource::Nofile,
        Rlimit {
            current: Some(3),
            maximum: before.maximum,
        },
    )
    .unwrap();
    // As long as it has to last.
    pass(Duration::from_secs(33));
    daemon.kill();
    daemon.run();
    assert_eq!(daemon.events_of("monitor.blind").len(), 1);
    let status_of = |kind: &str| {
        let alert = receiver.wait_for(kind, |one| one.json()["kind"] == kind);
        alert.json()["status"].clone()
    };
    assert_eq!(status_of("monitor.blind"), "firing");
    assert_eq!(status_of("monitor.sees"), "resolved");
    assert_eq!(daemon.events_of("monitor.sees").len(), 1);
    nothing_happened(&daemon);
}
