//! Whoever asks a running daemon needs none of its config but where its state is: the command line works while the config
//! on disk is broken, and gives up on a daemon that does not answer.

use mainstay_tests::{Daemon, HOST, sleeper};
use rustix::process::{Pid, Signal, kill_process};
use std::{fs, process::Output};

fn config() -> String {
    [HOST, &sleeper("web")].concat()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_command_line_works_while_the_config_is_broken() {
    let daemon = Daemon::start(&config(), &[]);
    let good = config();
    let in_host = good.replace("[host]\n", "[host]\nnonsense = 1\n");
    let breakages: [(&str, Vec<u8>); 6] = [
        ("an unknown key", in_host.into_bytes()),
        (
            "a bad value",
            format!("{good}\n[[target]]\nname = \"NOT A NAME\"\npriority = \"x\"\n").into(),
        ),
        ("half a header", format!("{good}\n[[target\n").into()),
        (
            "a text that is not closed",
            format!("x = \"\"\"\n{good}").into(),
        ),
        ("a key twice", format!("x = 1\nx = 2\n{good}").into()),
        ("no UTF-8", [&b"\xff\xfe\n"[..], good.as_bytes()].concat()),
    ];
    for (what, text) in breakages {
        fs::write(daemon.path("mainstay.toml"), text).unwrap();
        assert_eq!(daemon.cli(&["check"]).status.code(), Some(2), "{what}");
        works(&daemon, what);
    }
    fs::write(daemon.path("mainstay.toml"), &good).unwrap();
    fs::create_dir(daemon.path("conf.d")).unwrap();
    fs::write(daemon.path("conf.d/new.toml"), "= nonsense").unwrap();
    works(&daemon, "a broken file in conf.d");

    fs::write(daemon.path("mainstay.toml"), "[host]\nname = \"x\"\n").unwrap();
    let output = daemon.cli(&["status"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--socket"), "{}", stderr(&output));
    let socket = daemon.path("state/mainstay.sock");
    let output = daemon.cli(&["status", "--socket", socket.to_str().unwrap()]);
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn a_daemon_whose_state_directory_was_changed_in_the_config_is_not_said_to_be_down() {
    let daemon = Daemon::start(&config(), &[]);
    let moved = config().replace("state_dir = \"state\"", "state_dir = \"moved\"");
    fs::write(daemon.path("mainstay.toml"), moved).unwrap();
    let output = daemon.cli(&["status"]);
    assert!(!output.status.success(), "{output:?}");
    let said = stderr(&output);
    let moved = daemon.path("moved").display().to_string();
    assert!(
        said.contains(&moved) && said.contains("`host.state_dir` was changed"),
        "{said}"
    );
    assert!(!said.contains("the daemon is not running"), "{said}");
    // As the help says.
    let socket = daemon.path("state/mainstay.sock");
    let output = daemon.cli(&["status", "--socket", socket.to_str().unwrap()]);
    assert!(output.status.success(), "{}", stderr(&output));
}

fn works(daemon: &Daemon, what: &str) {
    for command in [
        &["status"][..],
        &["history"],
        &["events"],
        &["plugin", "list"],
        &["pause"],
        &["resume"],
    ] {
        let output = daemon.cli(command);
        let stderr = stderr(&output);
        assert!(output.status.success(), "{what}, {command:?}: {stderr}");
        assert_eq!(stderr, "", "{what}, {command:?}");
    }
}

/// Three failures that each wait for a person, a heartbeat, and a job.
const OF_EVERY_COMMAND: &str = r#"
[[target]]
name = "nightly"
[[target.check]]
kind = "heartbeat"
every = "1h"
failure = "late"

[[job]]
name = "data"
encryption = "none"
source = [{ kind = "directory", path = "data" }]

[[route]]
failure = "deaf"
strategy = { kind = "manual" }
chain = [{ handler = "restart-service" }]

[[route]]
failure = "slow"
chain = [{ handler = "restart-service" }]
"#;

fn deaf(name: &str) -> String {
    format!(
        "\n[[target]]\nname = \"{name}\"\n[[target.check]]\nkind = \"tcp\"\naddress = \"127.0.0.1:1\"\n\
         every = \"1h\"\ntimeout = \"1s\"\nfail_after = 1\nfailure = \"deaf\"\n"
    )
}

#[test]
fn every_command_to_a_daemon_works_while_the_config_is_broken() {
    let waiting = ["approved", "rejected", "cancelled"];
    let config = [
        config(),
        OF_EVERY_COMMAND.to_owned(),
        waiting.map(deaf).concat(),
    ];
    let mut daemon = Daemon::prepare(&config.concat());
    fs::create_dir(daemon.path("data")).unwrap();
    fs::write(daemon.path("data/one"), "one").unwrap();
    daemon.run();
    let ids = waiting.map(|target| {
        let operation = daemon.wait_for_operation(target, "awaiting-manual");
        operation["id"].as_str().unwrap().to_owned()
    });
    fs::write(daemon.path("mainstay.toml"), config.concat() + "[[target\n").unwrap();
    assert_eq!(daemon.cli(&["check"]).status.code(), Some(2));

    let run = |arguments: &[&str]| {
        let output = daemon.cli(arguments);
        let stderr = stderr(&output);
        assert!(output.status.success(), "{arguments:?}: {stderr}");
    };
    run(&["backup", "create", "data"]);
    let backups = daemon.json(&["backup", "list"]);
    let backup = backups[0]["id"].as_str().unwrap();
    let into = daemon.path("restored").display().to_string();
    let [approved, rejected, cancelled] = ids.each_ref().map(String::as_str);
    for arguments in [
        &["status"][..],
        &["incidents"],
        &["history"],
        &["events"],
        &["operation", "show", approved],
        &["recover", "web", "--failure", "slow"],
        &["approve", approved],
        &["reject", rejected],
        &["cancel", cancelled],
        &["pause", "web"],
        &["resume", "web"],
        &["pause"],
        &["resume"],
        &["heartbeat", "nightly"],
        &["plugin", "list"],
        &["backup", "show", backup],
        &["backup", "verify", backup],
        &["backup", "restore", "data", "--into", &into],
        &["backup", "prune", "--dry-run"],
        &["backup", "drill", "data"],
    ] {
        run(arguments);
    }
}

#[test]
fn a_daemon_that_is_stopped_is_given_up_after_the_timeout() {
    let daemon = Daemon::start(&config(), &[]);
    let pid = Pid::from_raw(daemon.pid().cast_signed()).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    let socket = daemon.path("state/mainstay.sock").display().to_string();
    for command in ["status", "history", "events", "pause"] {
        let output = daemon.cli(&[command, "--timeout", "200ms"]);
        assert_eq!(output.status.code(), Some(1), "{command}");
        let stderr = stderr(&output);
        assert!(stderr.contains("has not answered within 200ms"), "{stderr}");
        assert!(stderr.contains(&socket), "{stderr}");
        assert!(stderr.contains("help: "), "{stderr}");
    }
    kill_process(pid, Signal::CONT).unwrap();
    let output = daemon.cli(&["status"]);
    assert!(output.status.success(), "{}", stderr(&output));
}
