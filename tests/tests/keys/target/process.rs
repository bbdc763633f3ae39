//! Supervised children: targets with `run`.

use super::{HOST, crash, environment, incident_of, route, row_of, sleeper, start};
use mainstay_tests::{Daemon, wait_for};
use rustix::process::{Pid, geteuid, test_kill_process};
use std::fs;

/// A line of what the system says of a process, e.g. `Umask`.
fn status_of(pid: &str, label: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(label));
    line.unwrap().trim_start_matches(':').trim().to_owned()
}

/// Acts: `target.run`, `target.cwd`, `target.env`, `target.umask`
#[test]
fn a_child_runs_as_its_keys_say() {
    // Not a shell's words: what they hold is handed over as it is.
    let run = r#"["sh", "-c", "sleep 1000; :", "$HOME; *", "two words"]"#;
    let config = format!(
        "{HOST}[[target]]\nname = \"plain\"\nrun = {run}\n\
         [[target]]\nname = \"told\"\nrun = {run}\ncwd = \"srv\"\nenv = {{ LOG = \"info\", LANG = \"tlh\" }}\numask = \"027\"\n"
    );
    let mut daemon = Daemon::prepare(&config);
    fs::create_dir(daemon.path("srv")).unwrap();
    daemon.set_env("LANG", "eo");
    daemon.set_env("OF_THE_DAEMON", "yes");
    daemon.run();
    for target in ["plain", "told"] {
        daemon.wait_for_event_of("process.started", target);
    }
    let (plain, told) = (daemon.pids()["plain"], daemon.pids()["told"]);
    for pid in [plain, told] {
        let words = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
        let words: Vec<_> = words.trim_end_matches('\0').split('\0').collect();
        assert_eq!(
            words,
            ["sh", "-c", "sleep 1000; :", "$HOME; *", "two words"]
        );
        assert_eq!(environment(pid)["OF_THE_DAEMON"], "yes");
    }
    let cwd = |pid: u32| fs::read_link(format!("/proc/{pid}/cwd")).unwrap();
    let directory = daemon.directory.path().canonicalize().unwrap();
    assert_eq!(
        (cwd(plain), cwd(told)),
        (directory.clone(), directory.join("srv"))
    );
    let (without, with) = (environment(plain), environment(told));
    assert_eq!((without["LANG"].as_str(), without.get("LOG")), ("eo", None));
    assert_eq!(
        (with["LANG"].as_str(), with["LOG"].as_str()),
        ("tlh", "info")
    );
    assert_eq!(status_of(&told.to_string(), "Umask"), "0027");
    let inherited = status_of(&plain.to_string(), "Umask");
    assert_eq!(inherited, status_of("self", "Umask"));
}

/// Acts: `target.user`
#[test]
fn a_child_runs_as_its_user_where_the_daemon_is_root() {
    let user = "[[target]]\nname = \"other\"\nrun = [\"sleep\", \"1000\"]\nuser = \"nobody\"\n";
    let daemon = Daemon::start(&format!("{HOST}{user}{}", sleeper("own", "")), &[]);
    daemon.wait_for_event_of("process.started", "own");
    let own = geteuid().as_raw().to_string();
    let users = |pid: u32| status_of(&pid.to_string(), "Uid");
    assert!(users(daemon.pids()["own"]).split('\t').all(|id| id == own));
    if !geteuid().is_root() {
        let incident = incident_of(&daemon, "other");
        let why = incident["evidence"][0]["message"].as_str().unwrap();
        assert!(why.contains("`nobody`") && why.contains("root"), "{why}");
        return;
    }
    daemon.wait_for_event_of("process.started", "other");
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let entry = passwd.lines().find(|line| line.starts_with("nobody:"));
    let nobody = entry.unwrap().split(':').nth(2).unwrap();
    let pid = daemon.pids()["other"];
    assert!(
        users(pid).split('\t').all(|id| id == nobody),
        "{}",
        users(pid)
    );
    assert_eq!(environment(pid)["USER"], "nobody");
}

/// Acts: `target.grace`
#[test]
fn a_child_has_its_grace_to_end_by_itself() {
    let target = |name: &str, grace: &str| {
        let run = format!(
            "trap 'sleep 0.3; exit 7' TERM; echo >> {name}.ready; while :; do sleep 0.1; done"
        );
        format!(
            "[[target]]\nname = \"{name}\"\nrun = [\"sh\", \"-c\", \"{run}\"]\ngrace = \"{grace}\"\n"
        )
    };
    let config = [
        target("hasty", "10ms"),
        target("patient", "1m"),
        route("again", "{ do = \"restart\" }"),
    ];
    let daemon = start(&config.concat());
    for (target, end) in [("hasty", "signal 9"), ("patient", "code 7")] {
        wait_for("the child to be ready", || {
            let ready = daemon.path(&format!("{target}.ready")).exists();
            ready.then_some(()).ok_or_else(|| target.to_owned())
        });
        daemon.recover(target, "again");
        let stopped = daemon.wait_for_event_of("process.stopped", target);
        let message = stopped["message"].as_str().unwrap();
        assert!(message.contains(end), "{message}");
    }
}

/// Acts: `target.stop_signal`
#[test]
fn a_child_is_asked_to_end_by_its_own_signal_whoever_stops_it() {
    let target = |name: &str, keys: &str| {
        let trap =
            |signal: &str| format!("trap 'echo {signal} >> {name}.asked; exit 0' {signal}; ");
        let traps = ["TERM", "INT", "USR1"].map(trap).concat();
        let run = format!("{traps}echo >> {name}.ready; while :; do sleep 0.1; done");
        format!(
            "[[target]]\nname = \"{name}\"\nrun = [\"sh\", \"-c\", \"{run}\"]\ngrace = \"1m\"\n{keys}\n"
        )
    };
    let config = [
        target("plain", ""),
        target("fast", "stop_signal = \"SIGINT\""),
        target("own", "stop_signal = \"SIGUSR1\""),
        route("again", "{ do = \"restart\" }"),
    ];
    let mut daemon = start(&config.concat());
    let lines = |file: String| -> Vec<String> {
        let text = fs::read_to_string(file).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    };
    let targets = [("plain", "TERM"), ("fast", "INT"), ("own", "USR1")];
    let path = |daemon: &Daemon, file: String| daemon.path(&file).display().to_string();
    for starts in [1, 2] {
        for (target, _) in targets {
            wait_for("the child to be ready", || {
                let ready = lines(path(&daemon, format!("{target}.ready"))).len();
                (ready == starts)
                    .then_some(())
                    .ok_or(format!("{target}: {ready} of {starts} starts"))
            });
            if starts == 1 {
                daemon.recover(target, "again");
            }
        }
    }
    assert!(daemon.stop(), "{}", daemon.log());
    for (target, signal) in targets {
        // By the handler, and by the end of the daemon.
        let asked = lines(path(&daemon, format!("{target}.asked")));
        assert_eq!(asked, [signal, signal], "{target}");
    }
}

/// Acts: `target.on_shutdown`
#[test]
fn a_clean_shutdown_stops_or_leaves_a_child() {
    let config = [
        sleeper("left", "on_shutdown = \"leave\""),
        sleeper("stopped", "on_shutdown = \"stop\""),
        sleeper("default", ""),
    ];
    let mut daemon = Daemon::start(&format!("{HOST}{}", config.concat()), &[]);
    let names = ["left", "stopped", "default"];
    for target in names {
        daemon.wait_for_event_of("process.started", target);
    }
    let before = daemon.pids();
    assert!(daemon.stop(), "{}", daemon.log());
    let lives = |name: &str| {
        let pid = i32::try_from(before[name]).unwrap();
        test_kill_process(Pid::from_raw(pid).unwrap()).is_ok()
    };
    assert_eq!(names.map(lives), [true, false, false]);

    // The next daemon knows what was done, so nobody takes it for a crash.
    daemon.run();
    daemon.wait_for_event_of("process.adopted", "left");
    daemon.wait_for_status("all to run", |status| {
        names.map(|name| row_of(status, name)["pid"].is_u64()) == [true; 3]
    });
    let after = daemon.pids();
    assert_eq!(
        names.map(|name| after[name] == before[name]),
        [true, false, false]
    );
    assert_eq!(daemon.json(&["incidents"]), serde_json::json!([]));
}

/// Acts: `target.exit_failure`, `target.exit_severity`
#[test]
fn an_exit_is_called_as_its_target_says() {
    // It looks again in a year: an exit is known without it, and goes by its own name.
    let check = "[[target.check]]\nkind = \"process\"\nevery = \"300d\"\nfailure = \"api-gateway-down\"\nseverity = \"critical\"";
    let own = "exit_failure = \"ledger-torn\"\nexit_severity = \"low\"";
    let cases = [
        ("told", own.to_owned(), "ledger-torn", "low"),
        (
            "told-with-check",
            format!("{own}\n{check}"),
            "ledger-torn",
            "low",
        ),
        ("by-check", check.to_owned(), "api-gateway-down", "critical"),
        ("by-default", String::new(), "service-down", "high"),
    ];
    let targets: String = cases
        .iter()
        .map(|(name, more, ..)| sleeper(name, more))
        .collect();
    let daemon = Daemon::start(&format!("{HOST}{targets}"), &[]);
    for (name, _, failure, severity) in cases {
        crash(&daemon, name);
        let incident = incident_of(&daemon, name);
        assert_eq!(incident["failure"], failure, "{incident}");
        assert_eq!(incident["severity"], severity, "{incident}");
    }
}

/// Acts: `target.log.max_bytes`, `target.log.keep`
#[test]
fn output_is_rotated_at_its_size_and_so_many_files_are_kept() {
    let target = |name: &str, log: &str| {
        let run =
            format!("head -c 3000 /dev/zero | tr '\\\\0' x; echo >> {name}.wrote; exec sleep 1000");
        format!("[[target]]\nname = \"{name}\"\nrun = [\"sh\", \"-c\", \"{run}\"]\n{log}\n")
    };
    let config = [
        target("small", "log = { max_bytes = \"2KiB\", keep = 2 }"),
        target("large", "log = { max_bytes = \"1MiB\", keep = 2 }"),
        target("single", "log = { max_bytes = \"2KiB\", keep = 1 }"),
        route("again", "{ do = \"restart\" }"),
    ];
    let daemon = start(&config.concat());
    let size = |file: &str| {
        fs::metadata(daemon.path("state/logs").join(file)).map_or(0, |file| file.len())
    };
    for target in ["small", "large", "single"] {
        for start in 1..=4 {
            wait_for("its output", || {
                let wrote = fs::read_to_string(daemon.path(&format!("{target}.wrote")));
                let count = wrote.unwrap_or_default().lines().count();
                (count == start)
                    .then_some(())
                    .ok_or(format!("{target}: {count} of {start}"))
            });
            if start < 4 {
                daemon.recover(target, "again");
            }
        }
    }
    let files = |name: &str| ["", ".1", ".2", ".3"].map(|end| size(&format!("{name}.log{end}")));
    // The last one while the child runs on.
    wait_for("the last rotation", || {
        let sizes = ["small", "single", "large"].map(files);
        let wanted = [[0, 3000, 3000, 0], [0, 3000, 0, 0], [4 * 3000, 0, 0, 0]];
        (sizes == wanted).then_some(()).ok_or(format!("{sizes:?}"))
    });
}

/// Acts: `target.reload`
#[test]
fn a_child_reads_its_config_anew_by_its_signal_or_its_program_and_runs_on() {
    let run = "trap 'echo hup >> $0.heard' HUP; (trap - HUP; exec sleep 1000) & \
               echo >> $0.ready; while :; do sleep 0.1; done";
    let target = |name: &str, reload: &str| {
        format!(
            "[[target]]\nname = \"{name}\"\nrun = [\"sh\", \"-c\", \"{run}\", \"{name}\"]\n\
             env = {{ OWN = \"word\" }}\n{reload}\n"
        )
    };
    let program = "reload = [\"sh\", \"-c\", \"echo $OWN >> told.heard\"]";
    let config = [
        target("signalled", "reload = \"SIGHUP\""),
        target("told", program),
        target("plain", ""),
        target(
            "fails",
            "reload = [\"sh\", \"-c\", \"echo no such host >&2; exit 3\"]",
        ),
        route("again", "{ do = \"restart\" }"),
    ];
    let daemon = start(&config.concat());
    for target in ["signalled", "told", "plain", "fails"] {
        wait_for("the child to be ready", || {
            let ready = daemon.path(&format!("{target}.ready")).exists();
            ready.then_some(()).ok_or_else(|| target.to_owned())
        });
    }
    let before = daemon.pids();
    for (target, heard) in [("signalled", "hup"), ("told", "word")] {
        let output = daemon.cli(&["reload", target, "--wait", "--reason", "new certificate"]);
        assert!(output.status.success(), "{target}: {}", daemon.log());
        wait_for("the child to hear of it", || {
            let file = daemon.path(&format!("{target}.heard"));
            let found = fs::read_to_string(file).unwrap_or_default();
            (found.trim() == heard).then_some(()).ok_or(found)
        });
        let event = daemon.wait_for_event_of("target.reloaded", target);
        assert_eq!(event["data"]["outcome"], "done", "{event}");
        assert_eq!(event["data"]["reason"], "new certificate", "{event}");
    }
    assert_eq!(
        daemon.cli(&["reload", "fails", "--wait"]).status.code(),
        Some(1)
    );
    let event = daemon.wait_for_event_of("target.reloaded", "fails");
    let outcome = event["data"]["outcome"].as_str().unwrap();
    assert!(outcome.contains("no such host"), "{event}");
    let refused = daemon.cli(&["reload", "plain"]);
    let stderr = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(stderr.contains("has no `reload`"), "{stderr}");
    assert_eq!(daemon.pids(), before, "nobody was started anew");
}
