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
