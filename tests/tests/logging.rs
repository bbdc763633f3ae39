//! Nothing that logs dies of logging: the output of daemon and commands is lost where nothing takes it, and that is all.

use mainstay_tests::{Daemon, HOST, lives, parent, plugin, program, sleeper, wait_for};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io,
    os::unix::net::UnixStream,
    process::{Command, Output, Stdio},
};

fn config() -> String {
    let rest = r#"
exit_failure = "service-down"

[[route]]
failure = "service-down"
chain = [{ handler = "restart-service" }]
cooldown = "0s"

[plugin.restart-service]
grants = { target = ["restart"] }
"#;
    [HOST, &sleeper("web"), rest].concat()
}

fn full() -> File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

/// A pipe that nobody reads any more.
fn broken() -> Stdio {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    writer.into()
}

/// `mainstay run`, with the output that is set on it.
fn run(daemon: &Daemon) -> Command {
    let mut command = Command::new(program());
    command
        .args(["run", "--config"])
        .arg(daemon.path("mainstay.toml"));
    command
}

/// A daemon that is started so recovers a killed child, and stops cleanly.
fn serves(command: impl FnOnce(&Daemon) -> Command) {
    let mut daemon = Daemon::prepare(&config());
    daemon.drop_plugin(&plugin("restart-service"));
    let command = command(&daemon);
    daemon.run_as(command);
    daemon.wait_for_plugins(1);
    daemon.wait_for_status("web to run", |status| {
        status["targets"][0]["pid"].is_number()
    });
    daemon.kill_child("web");
    daemon.wait_for_operation("web", "succeeded");
    assert!(daemon.stop(), "it did not end with exit code 0");
}

#[test]
fn a_daemon_whose_log_disk_is_full_serves() {
    serves(|daemon| {
        let mut command = run(daemon);
        command.stdout(full()).stderr(full());
        command
    });
}

#[test]
fn a_daemon_whose_log_reader_has_gone_serves() {
    serves(|daemon| {
        let mut command = run(daemon);
        command.stdout(broken()).stderr(broken());
        command
    });
}

#[test]
fn a_daemon_whose_log_reader_has_stopped_reading_serves() {
    let (_never_read, writer) = io::pipe().unwrap();
    serves(|daemon| {
        let mut command = run(daemon);
        command.stdout(Stdio::null()).stderr(writer);
        command
    });
}

#[test]
fn a_daemon_without_standard_output_and_error_serves() {
    serves(|daemon| {
        let mut command = Command::new("sh");
        command
            .args(["-c", "exec \"$0\" run --config \"$1\" >&- 2>&-"])
            .arg(program())
            .arg(daemon.path("mainstay.toml"));
        command
    });
}

fn output_of(
    daemon: &Daemon,
    arguments: &[&str],
    redirect: impl FnOnce(&mut Command) -> &mut Command,
) -> Output {
    let mut command = Command::new(program());
    command
        .args(arguments)
        .arg("--config")
        .arg(daemon.path("mainstay.toml"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    redirect(&mut command);
    command.spawn().unwrap().wait_with_output().unwrap()
}

#[test]
fn a_command_whose_reader_has_gone_ends_quietly() {
    let mut daemon = Daemon::start(&config(), &[&plugin("restart-service")]);
    for arguments in [&["history"][..], &["status"], &["events", "--json"]] {
        let output = output_of(&daemon, arguments, |command| command.stdout(broken()));
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(stderr, "", "{arguments:?}");
        assert!(output.status.success(), "{arguments:?}: {}", output.status);
    }
    daemon.kill();
    // What cannot be told is not told; the exit code is what it is.
    let output = output_of(&daemon, &["status"], |command| command.stderr(full()));
    assert_eq!(output.status.code(), Some(1));
    std::fs::write(daemon.path("mainstay.toml"), "nonsense").unwrap();
    let output = output_of(&daemon, &["run"], |command| command.stderr(full()));
    assert_eq!(output.status.code(), Some(2));
}

/// How often each line of this log, in JSON, has this kind and these words.
fn told(log: &str) -> BTreeMap<(String, String), usize> {
    let mut told = BTreeMap::new();
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        let fields = &line["fields"];
        if let (Some(kind), Some(message)) = (fields["kind"].as_str(), fields["message"].as_str()) {
            *told
                .entry((kind.to_owned(), message.to_owned()))
                .or_default() += 1;
        }
    }
    told
}

#[test]
fn the_log_tells_at_info_each_event_that_an_operator_follows_once_and_in_its_words() {
    let mut daemon = Daemon::prepare(&config());
    daemon.drop_plugin(&plugin("restart-service"));
    daemon.set_env("RUST_LOG", "info");
    let log = File::create(daemon.path("daemon.log")).unwrap();
    let mut command = run(&daemon);
    command
        .args(["--log-format", "json"])
        .stdout(Stdio::null())
        .stderr(log);
    daemon.run_as(command);
    daemon.wait_for_plugins(1);
    daemon.wait_for_status("web to run", |status| {
        status["targets"][0]["pid"].is_number()
    });
    daemon.kill_child("web");
    daemon.wait_for_operation("web", "succeeded");
    let more = fs::read_to_string(daemon.path("mainstay.toml")).unwrap() + "\n# Another one.\n";
    fs::write(daemon.path("mainstay.toml"), more).unwrap();
    daemon.wait_for_event("the reload", |event| event["kind"] == "config.applied");
    let followed = [
        "host.started",
        "process.started",
        "process.exited",
        "incident.opened",
        "operation.scheduled",
        "operation.started",
        "effect.performed",
        "operation.succeeded",
        "incident.closed",
        "plugin.serving",
        "config.applied",
    ];
    let events = daemon.events();
    let events = events.iter().map(|event| {
        let word = |key: &str| event[key].as_str().unwrap().to_owned();
        (word("kind"), word("message"))
    });
    let mut expected = BTreeMap::new();
    for event in events.filter(|(kind, _)| followed.contains(&kind.as_str())) {
        *expected.entry(event).or_insert(0_usize) += 1;
    }
    for kind in followed {
        assert!(
            expected.keys().any(|(of, _)| of == kind),
            "{kind} did not happen"
        );
    }
    // Lines are written by a thread of their own.
    wait_for("each to be told", || {
        let log = daemon.log();
        let log = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let told = told(log);
        let is_told = |(event, times): (&(String, String), &usize)| told.get(event) == Some(times);
        match expected.iter().all(is_told) {
            true => Ok(()),
            false => Err(format!("{told:#?} is told of {expected:#?}")),
        }
    });
    assert!(daemon.stop(), "{}", daemon.log());
    let log = daemon.log();
    let starts = log
        .lines()
        .find(|line| line.contains("\"config\":"))
        .unwrap();
    let starts: Value = serde_json::from_str(starts).unwrap();
    let fields = &starts["fields"];
    let config = daemon.path("mainstay.toml");
    assert_eq!(fields["config"], config.to_str().unwrap(), "{starts}");
    assert!(fields["version"].is_string(), "{starts}");
    let stops = told(&log)
        .into_keys()
        .find(|(kind, _)| kind == "host.stopping");
    let (_, stops) = stops.unwrap();
    assert!(
        stops.starts_with("asked to stop by SIGTERM; it stops within "),
        "{stops}"
    );
    assert!(
        log.trim_end()
            .lines()
            .next_back()
            .unwrap()
            .contains("stopped"),
        "{log}"
    );
}

/// Starts the daemon in a terminal of its own, which goes with the program that this starts; the daemon's number.
fn run_in_terminal(daemon: &mut Daemon) -> u32 {
    let run = format!(
        "exec '{}' run --config '{}'",
        program().display(),
        daemon.path("mainstay.toml").display()
    );
    let mut command = Command::new("script");
    command
        .args(["--quiet", "--flush", "--command", &run])
        .arg(daemon.path("daemon.log"))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    daemon.run_as(command);
    daemon.wait_for_status("web to run", |status| {
        status["targets"][0]["pid"].is_number()
    });
    parent(daemon.pids()["web"]).unwrap()
}

/// Closes it, and waits until the daemon has ended.
fn close_terminal(daemon: &mut Daemon, pid: u32) {
    daemon.kill();
    wait_for("the end of the daemon", || {
        match UnixStream::connect(daemon.path("state/mainstay.sock")) {
            Ok(_) => Err(daemon.log()),
            Err(_) => Ok(()),
        }
    });
    // With all that it held: what is no more than a zombie has let go of its lock.
    wait_for("its process to be gone", || match lives(pid) {
        true => Err(daemon.log()),
        false => Ok(()),
    });
}

#[test]
fn a_daemon_whose_terminal_is_closed_ends_cleanly() {
    let mut daemon = Daemon::prepare(&config());
    let pid = run_in_terminal(&mut daemon);
    assert_ne!(pid, daemon.pid());
    close_terminal(&mut daemon, pid);
    daemon.run();
    let stopped = daemon.events_of("host.stopping");
    assert_eq!(stopped.len(), 1, "{stopped:?}");
    let why = stopped[0]["message"].as_str().unwrap();
    assert!(
        why.contains("the terminal that it ran in was closed"),
        "{why}"
    );
    assert!(daemon.stop());
}

#[test]
fn sighup_reloads_a_daemon_whose_terminal_is_there() {
    let mut daemon = Daemon::prepare(&config());
    let pid = run_in_terminal(&mut daemon);
    let signalled = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process(signalled, rustix::process::Signal::HUP).unwrap();
    daemon.wait_for_event("the reload", |event| event["kind"] == "config.applied");
    close_terminal(&mut daemon, pid);
}
