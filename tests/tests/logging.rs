//! Nothing that logs dies of logging: the output of daemon and commands is lost where nothing takes it, and that is all.

use mainstay_tests::{Daemon, HOST, plugin, program, sleeper};
use std::{
    fs::{File, OpenOptions},
    io,
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
