//! What people see of a running daemon: all of it, one target in full, and names and identifiers as they type them.

use mainstay_tests::{Daemon, HOST, program, wait_for};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

const WEB: &str = r#"
[[target]]
name = "web"
run = ["/bin/sh", "-c", "echo hello from web; exec sleep 1000"]

[[target.check]]
name = "look"
kind = "exec"
run = ["/bin/sh", "-c", "exit 0"]
every = "100ms"
failure = "odd"
"#;

/// What people read of a command that is done.
fn said(daemon: &Daemon, arguments: &[&str]) -> String {
    let output = daemon.cli(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn one_target_is_shown_with_what_its_checks_saw_its_process_and_the_end_of_its_log() {
    let daemon = Daemon::start(&[HOST, WEB].concat(), &[]);
    let shown = wait_for("a look and a line", || {
        let shown = said(&daemon, &["status", "web"]);
        let parts = ["web  healthy", "look", "ms", "hello from web"];
        match parts.iter().all(|part| shown.contains(part)) {
            true => Ok(shown),
            false => Err(shown),
        }
    });
    let pid = daemon.pids()["web"];
    assert!(shown.contains(&format!("pid {pid}, 0 restarts")), "{shown}");
    let detail = daemon.json(&["status", "web"]);
    assert_eq!(detail["checks"][0]["check"], "look");
    assert_eq!(detail["checks"][0]["outcome"], "healthy");
    assert!(detail["checks"][0]["elapsed_ms"].is_number(), "{detail}");
    assert!(detail["checks"][0]["at"].is_string(), "{detail}");
    assert_eq!(detail["log"], "hello from web");

    // Of all only what is amiss is told, and here nothing is.
    let status = wait_for("that nothing is amiss", || {
        let status = said(&daemon, &["status"]);
        match status.lines().next() {
            Some("nothing needs a person; 1 target, nothing amiss") => Ok(status),
            _ => Err(status),
        }
    });
    assert!(status.contains("targets: 1 healthy"), "{status}");
    let all = said(&daemon, &["status", "--all"]);
    assert!(all.lines().any(|line| line.starts_with("web ")), "{all}");
}

/// A foreign service that is not there, and that its command does not bring.
const DB: &str = r#"
[[target]]
name = "db"
start_period = "0s"
breaker = { open_for = "100ms" }
commands.start = ["/bin/sh", "-c", "echo starting; echo 'no such unit' >&2; exit 5"]
pid_file = "db.pid"

[[target.check]]
kind = "file"
path = "up"
every = "50ms"
fail_after = 1
failure = "gone"
"#;

#[test]
fn a_foreign_service_is_shown_with_its_process_and_why_its_command_did_not_start_it() {
    let daemon = Daemon::start(&[HOST, DB].concat(), &[]);
    let shown_with = |parts: &[&str]| {
        wait_for("what is known of it", || {
            let shown = said(&daemon, &["status", "db"]);
            match parts.iter().all(|part| shown.contains(part)) {
                true => Ok(shown),
                false => Err(shown),
            }
        })
    };
    shown_with(&["db  failed", "db.pid names none that lives, 0 restarts"]);
    let output = daemon.cli(&["start", "db", "--wait"]);
    assert_eq!(output.status.code(), Some(1));
    let failed = "it was not started, ";
    let shown = shown_with(&[failed]);
    assert!(
        shown.contains("exited with code 5: no such unit"),
        "{shown}"
    );
    let all = said(&daemon, &["status"]);
    assert!(
        all.contains(failed) && all.contains("code 5: no such unit"),
        "{all}"
    );

    // Others start it after all.
    let mut service = Command::new("/bin/sleep").arg("1000").spawn().unwrap();
    let pid = service.id();
    fs::write(daemon.path("db.pid"), pid.to_string()).unwrap();
    fs::write(daemon.path("up"), "").unwrap();
    let shown = shown_with(&["db  healthy", &format!("pid {pid}, as ")]);
    assert!(!shown.contains(failed), "{shown}");
    let detail = daemon.json(&["status", "db"]);
    assert_eq!(detail["service"]["pid"], pid);
    assert_eq!(detail["pid"], serde_json::Value::Null, "it is no child");
    assert_eq!(detail.get("not_started"), None, "{detail}");
    daemon.wait_for_status("its process", |status| {
        status["targets"][0]["service_pid"] == pid
    });
    let all = said(&daemon, &["status", "--all"]);
    let mut rows = all.lines().filter(|line| line.starts_with("db "));
    let row = rows.next().unwrap();
    assert!(row.contains(&format!(" {pid} ")), "{all}");
    service.kill().unwrap();
    service.wait().unwrap();
}

#[test]
fn restarts_count_alike_wherever_they_are_told_and_go_on_where_the_process_does() {
    let mut daemon = Daemon::start(&[HOST, WEB].concat(), &[]);
    let restarts = |daemon: &Daemon| daemon.json(&["status", "web"])["restarts"].clone();
    daemon.wait_for_event_of("process.started", "web");
    for count in [1, 2] {
        said(&daemon, &["restart", "web", "--wait"]);
        assert_eq!(restarts(&daemon), count);
        let shown = said(&daemon, &["status", "web"]);
        assert!(shown.contains(&format!(", {count} restart")), "{shown}");
        daemon.wait_for_event("the start", |event| {
            event["kind"] == "process.started" && event["data"]["restarts"] == count
        });
    }
    daemon.kill();
    daemon.run();
    daemon.wait_for_event_of("process.adopted", "web");
    assert_eq!(restarts(&daemon), 2);
    assert!(daemon.stop());
    daemon.run();
    wait_for("it to run", || {
        let row = daemon.json(&["status", "web"]);
        let pid = row["pid"].as_u64();
        pid.map(|_| ()).ok_or_else(|| row.to_string())
    });
    assert_eq!(restarts(&daemon), 0);
}

#[test]
fn what_a_target_prints_is_shown_and_followed() {
    let config = WEB.replace(
        "echo hello from web;",
        "echo 2020-01-01T00:00:00Z old; echo first; sleep 3; echo second;",
    );
    let daemon = Daemon::start(&[HOST, config.as_str()].concat(), &[]);
    let path = daemon.path("state/logs/web.log");
    wait_for("the first line", || {
        let log = fs::read_to_string(&path).unwrap_or_default();
        log.contains("first").then_some(()).ok_or(log)
    });
    assert!(said(&daemon, &["logs", "web"]).starts_with("2020-01-01T00:00:00Z old\nfirst\n"));

    let mut follow = Command::new(program());
    follow.args(["logs", "web", "--follow", "--lines", "1", "--config"]);
    follow.arg(daemon.path("mainstay.toml"));
    let mut following = follow.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let mut shown = Vec::new();
    while shown.last().is_none_or(|line| line != "second") {
        shown.push(lines.next().expect("the log is followed").unwrap());
    }
    following.kill().unwrap();
    following.wait().unwrap();
    // It began before or after the last line was written.
    assert!(
        shown == ["first", "second"] || shown == ["second"],
        "{shown:?}"
    );

    assert_eq!(said(&daemon, &["logs", "web", "-n", "1"]), "second\n");
    assert_eq!(said(&daemon, &["logs", "web", "--since", "1h"]), "");
    let whole = said(&daemon, &["logs", "web", "--since", "2020-01-01T00:00:00Z"]);
    assert_eq!(whole.lines().count(), 3, "{whole}");
    let log = daemon.json(&["logs", "web"]);
    assert_eq!(log["text"], whole);
    assert_eq!(log["log_bytes"], whole.len());
    assert_eq!(daemon.json(&["logs", "web", "-n", "1"])["text"], "second\n");
    assert_eq!(daemon.json(&["logs", "web", "--since", "1h"])["text"], "");
}

#[test]
fn what_a_target_printed_before_its_log_was_rotated_is_shown_too() {
    // Written at once, for where it is rotated meanwhile some may be lost.
    let config = WEB.replace("echo hello from web;", "seq 1 2000 > lines; cat lines;")
        + "[target.log]\nmax_bytes = \"4KiB\"\nkeep = 2\n";
    let daemon = Daemon::start(&[HOST, config.as_str()].concat(), &[]);
    let rotated = daemon.path("state/logs/web.log.1");
    wait_for("the rotation", || {
        rotated.is_file().then_some(()).ok_or_else(String::new)
    });
    let lines = |from: u32| -> String { (from..=2000).map(|line| format!("{line}\n")).collect() };
    let shown = said(&daemon, &["logs", "web", "-n", "1000"]);
    assert_eq!(shown, lines(1001));
    let log = daemon.json(&["logs", "web"]);
    assert_eq!(log["text"], lines(1));
    assert_eq!(log["log_bytes"], lines(1).len());
    let detail = daemon.json(&["status", "web"]);
    assert_eq!(detail["log"], lines(1981).trim_end());
}

#[test]
fn a_misspelt_name_is_refused_with_the_nearest_one_and_the_end_of_an_identifier_is_enough() {
    let daemon = Daemon::start(&[HOST, WEB].concat(), &[]);
    for arguments in [
        &["status", "webb"][..],
        &["logs", "webb"],
        &["probe", "webb"],
        &["restart", "webb"],
        &["stop", "webb"],
        &["pause", "webb"],
        &["report", "webb", "--failure", "odd"],
        &["recover", "webb", "--failure", "odd"],
        &["silence", "webb", "--for", "1h", "--reason", "tested"],
        &["heartbeat", "webb"],
        &["history", "--target", "webb"],
    ] {
        let output = daemon.cli(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
        let expected = "error: there is no target `webb`; did you mean `web`?\nhelp: ";
        assert!(stderr.starts_with(expected), "{arguments:?}: {stderr}");
        // To a program it is said in the form of the API's errors.
        let output = daemon.cli(&[arguments, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert_eq!(output.stdout, b"", "{arguments:?}");
        let body: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
        let expected = "there is no target `webb`; did you mean `web`?";
        assert_eq!(body["error"], expected, "{arguments:?}");
        assert!(body["help"].is_string(), "{arguments:?}: {body}");
    }
    // And so is what is no command, of which nothing else could be read.
    let output = daemon.cli(&["statos", "--json"]);
    assert_eq!(output.status.code(), Some(2));
    let body: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    let said_of_it = body["error"].as_str().unwrap();
    assert!(
        said_of_it.starts_with("unrecognized subcommand 'statos'"),
        "{said_of_it}"
    );

    let silence = [
        "silence", "web", "--for", "1h", "--reason", "tested", "--json",
    ];
    let silence: serde_json::Value = serde_json::from_str(&said(&daemon, &silence)).unwrap();
    let id = silence["id"].as_str().unwrap();
    let listed = said(&daemon, &["silences", "--utc"]);
    assert!(listed.contains(id), "{listed}");
    let end = id.get(id.len() - 8..).unwrap();
    said(&daemon, &["unsilence", &end.to_lowercase()]);
    assert_eq!(said(&daemon, &["silences"]), "no silences\n");
    let output = daemon.cli(&["unsilence", end]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.contains("`mainstay silences` lists them"),
        "{stderr}"
    );
}

/// `mainstay watch` in a terminal of its own, which script(1) of util-linux makes.
struct Watching {
    script: Child,
    /// All that was shown there.
    shown: PathBuf,
    /// The terminal.
    terminal: PathBuf,
}

impl Watching {
    /// In a terminal of this size, as stty(1) takes it.
    fn begin(daemon: &Daemon, size: &str) -> Self {
        let (shown, pid) = (daemon.path("shown"), daemon.path("watch.pid"));
        // Whoever runs the tests may ignore SIGINT, which is inherited.
        let run = format!(
            "stty {size} && echo $$ > '{}' && exec env --default-signal=INT '{}' watch --every 50ms --config '{}'",
            pid.display(),
            program().display(),
            daemon.path("mainstay.toml").display()
        );
        let script = Command::new("script")
            .args(["--quiet", "--flush", "--return", "--command", &run])
            .arg(&shown)
            .env("SHELL", "/bin/sh")
            .env("NO_COLOR", "1")
            .env_remove("COLUMNS")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let terminal = wait_for("the terminal", || {
            let pid = fs::read_to_string(&pid).unwrap_or_default();
            let output = format!("/proc/{}/fd/1", pid.trim());
            match pid.ends_with('\n') {
                true => fs::read_link(&output).map_err(|error| error.to_string()),
                false => Err(pid),
            }
        });
        Self {
            script,
            shown,
            terminal,
        }
    }

    fn resize(&self, size: &[&str]) {
        let mut stty = Command::new("stty");
        stty.arg("-F").arg(&self.terminal).args(size);
        assert!(stty.status().unwrap().success());
    }

    fn all(&self) -> String {
        let shown = fs::read(&self.shown).unwrap_or_default();
        String::from_utf8_lossy(&shown).into_owned()
    }

    /// What was drawn so far, each time in its lines; the last one may not be whole yet, and does not count.
    fn drawn(&self) -> Vec<Vec<String>> {
        let all = self.all();
        let drawn = all.split("\u{1b}[H\u{1b}[2J").skip(1);
        let lines = drawn.map(|drawn| drawn.lines().map(str::to_owned).collect());
        let mut drawn: Vec<Vec<String>> = lines.collect();
        drawn.pop();
        drawn
    }

    /// Waits until something like this was drawn after the first `before` drawings; how many there are then.
    fn wait(&self, what: &str, before: usize, is_so: impl Fn(&[String]) -> bool) -> usize {
        wait_for(what, || {
            let drawn = self.drawn();
            let is_there = drawn.iter().skip(before).any(|lines| is_so(lines));
            let all = || self.all();
            is_there.then_some(drawn.len()).ok_or_else(all)
        })
    }

    /// What a person types.
    fn type_in(&mut self, keys: &[u8]) {
        self.script.stdin.as_mut().unwrap().write_all(keys).unwrap();
    }

    /// Its exit code, or 128 and the number of the signal that ended it.
    fn end(&mut self) -> Option<i32> {
        let ended = wait_for("watch to end", || {
            let ended = self.script.try_wait().unwrap();
            ended.ok_or_else(|| "it watches".to_owned())
        });
        ended.code()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.script.kill();
        let _ = self.script.wait();
    }
}

#[test]
fn watch_draws_anew_in_the_size_that_the_terminal_has_until_it_is_interrupted() {
    let daemon = Daemon::start(&[HOST, DB].concat(), &[]);
    let mut watching = Watching::begin(&daemon, "cols 200 rows 4");
    let begins = |words: &'static str| {
        move |lines: &[String]| lines.first().is_some_and(|line| line.starts_with(words))
    };
    let seen = watching.wait(
        "the failure",
        0,
        begins("needs a person: the recovery of db"),
    );
    let has_room = |lines: &Vec<String>| {
        let left_out = lines.last().is_some_and(|line| line.starts_with("… and "));
        lines.len() == 3 && left_out
    };
    let drawn = watching.drawn();
    assert!(drawn.iter().all(has_room), "{drawn:#?}");
    fs::write(daemon.path("up"), "").unwrap();
    let seen = watching.wait("its end", seen, begins("nothing needs a person"));
    watching.resize(&["cols", "50", "rows", "40"]);
    let fits = |lines: &[String]| {
        let is_whole = lines.last().is_some_and(|line| !line.starts_with("… and "));
        is_whole && lines.len() > 3 && lines.iter().all(|line| line.chars().count() <= 50)
    };
    watching.wait("the other size", seen, fits);
    watching.type_in(b"\x03");
    assert_eq!(watching.end(), Some(130), "by SIGINT: {}", watching.all());
}

#[test]
fn watch_ends_with_the_daemon_and_says_so() {
    let mut daemon = Daemon::start(&[HOST, WEB].concat(), &[]);
    let mut watching = Watching::begin(&daemon, "cols 200 rows 40");
    watching.wait("a drawing", 0, |lines| !lines.is_empty());
    assert!(daemon.stop());
    assert_eq!(watching.end(), Some(1), "{}", watching.all());
    let all = watching.all();
    let after = all.rsplit("\u{1b}[2J").next().unwrap();
    assert!(
        after.contains("error: ") && after.contains("mainstay.sock"),
        "{all}"
    );
}
