//! `mainstay init`: a first config from nothing, and targets out of another supervisor's files.

use mainstay_tests::{Daemon, program, wait_for};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    process::{Command, Output},
    time::{Duration, Instant},
};

/// An empty directory, and a daemon that is started there later.
fn nothing() -> Daemon {
    let daemon = Daemon::prepare("");
    fs::remove_file(daemon.path("mainstay.toml")).unwrap();
    fs::remove_dir(daemon.path("plugins")).unwrap();
    daemon
}

fn init(daemon: &Daemon, arguments: &[&str]) -> Output {
    let mut command = Command::new(program());
    command.arg("init").args(arguments);
    command
        .current_dir(daemon.directory.path())
        .output()
        .unwrap()
}

fn done(output: Output) -> String {
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert!(output.status.success(), "{said}");
    said
}

#[test]
fn from_nothing_to_a_recovered_target_takes_init_run_and_kill() {
    let mut daemon = nothing();
    let said = done(init(&daemon, &[]));
    for next in [
        "mainstay check",
        "mainstay run",
        "mainstay status",
        "alerts/alerts.jsonl",
    ] {
        assert!(said.contains(next), "{next}: {said}");
    }
    let checked = daemon.json(&["check"]);
    assert_eq!(checked["problems"], json!([]), "{checked}");
    daemon.run();
    let put = [
        "age-retention",
        "log-file",
        "restart-service",
        "run-command",
    ];
    let files = fs::read_dir(daemon.path("plugins")).unwrap();
    let files = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let files: BTreeSet<String> = files.collect();
    assert_eq!(
        files,
        BTreeSet::from(put.map(|name| format!("{name}.wasm")))
    );
    daemon.wait_for_plugins(put.len());
    // What else there is is said, with how it is put there.
    let (_, others) = said
        .split_once("mainstay plugin install NAME puts another one there: ")
        .unwrap();
    let others = others.lines().next().unwrap();
    for carried in daemon
        .json(&["plugin", "list", "--available"])
        .as_array()
        .unwrap()
    {
        let name = carried["name"].as_str().unwrap();
        assert_ne!(
            others.contains(name),
            put.contains(&name),
            "{name}: {others}"
        );
    }
    daemon.wait_for_status("the target to be healthy", |status| {
        status["targets"][0]["name"] == "hello" && status["targets"][0]["health"] == "healthy"
    });
    let pid = daemon.pids()["hello"];
    daemon.kill_child("hello");
    let operation = daemon.wait_for_operation("hello", "succeeded");
    assert_eq!(operation["handler"], "restart-service");
    assert_ne!(daemon.pids()["hello"], pid);
    wait_for("the alert in the file", || {
        let told = fs::read_to_string(daemon.path("alerts/alerts.jsonl")).unwrap_or_default();
        let mut lines = told
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let is_told =
            lines.any(|alert| alert["kind"] == "operation.succeeded" && alert["target"] == "hello");
        is_told.then_some(()).ok_or(told)
    });
    let log = fs::read_to_string(daemon.path("state/logs/hello.log")).unwrap();
    assert!(!log.is_empty());
    assert!(daemon.stop());
}

#[test]
fn nothing_that_is_there_is_overwritten() {
    let daemon = Daemon::prepare("# mine\n");
    let refused = init(&daemon, &[]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(
        said.contains("is there already, and nothing was written"),
        "{said}"
    );
    assert_eq!(
        fs::read_to_string(daemon.path("mainstay.toml")).unwrap(),
        "# mine\n"
    );
    assert_eq!(fs::read_dir(daemon.path("plugins")).unwrap().count(), 0);
    // A file of another build stays too, and no config says otherwise.
    fs::create_dir_all(daemon.path("new/plugins")).unwrap();
    fs::write(daemon.path("new/plugins/log-file.wasm"), "mine").unwrap();
    let refused = init(&daemon, &["new"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(!daemon.path("new/mainstay.toml").exists());
    assert_eq!(
        fs::read(daemon.path("new/plugins/log-file.wasm")).unwrap(),
        b"mine"
    );
    // Nor is anything beside it, which no config would name.
    let put = fs::read_dir(daemon.path("new/plugins")).unwrap();
    assert_eq!(put.count(), 1);
}

#[test]
fn the_programs_of_supervisord_run_and_each_line_is_accounted_for() {
    let mut daemon = nothing();
    let conf = "[supervisord]\nnodaemon=true\n\
                [program:web]\ncommand=/bin/sh -c \"exec sleep 1000\"\nautorestart=true\nstopsignal=INT\nstopwaitsecs=3\n\
                environment=A=\"1\"\n\
                [program:worker]\ncommand=/bin/sleep 1000\nprocess_name=%(program_name)s_%(process_num)02d\nnumprocs=3\n\
                stopsignal=KILL\n\
                [program:later]\ncommand=/bin/sleep 1000\nautostart=false\n";
    fs::write(daemon.path("s.conf"), conf).unwrap();
    let said = done(init(&daemon, &["--from", "supervisord", "s.conf"]));
    for told in [
        "s.conf:2: nodaemon=true: not carried",
        "s.conf:13: stopsignal=KILL: not carried",
        "s.conf:16: autostart=false: differently",
    ] {
        assert!(said.contains(told), "{told}: {said}");
    }
    let counts = "7 lines carried, 3 carried differently, 2 not carried";
    assert!(said.contains(counts), "{said}");
    let text = fs::read_to_string(daemon.path("mainstay.toml")).unwrap();
    assert!(text.contains("stopsignal=KILL"), "{text}");
    daemon.run();
    daemon.wait_for_status("all to run", |status| {
        let targets = status["targets"].as_array().unwrap();
        targets.len() == 4 && targets.iter().all(|target| target["pid"].is_u64())
    });
    let names: Vec<String> = daemon.pids().into_keys().collect();
    assert_eq!(names, ["web", "worker-00", "worker-01", "worker-02"]);
    daemon.wait_for_plugins(1);
    daemon.kill_child("worker-01");
    daemon.wait_for_operation("worker-01", "succeeded");
    assert!(daemon.stop());
}

#[test]
fn a_procfile_and_units_of_systemd_become_targets_that_check_takes() {
    let daemon = nothing();
    fs::write(
        daemon.path("Procfile"),
        "web: sleep 1000\nclock: sleep $PORT\n",
    )
    .unwrap();
    done(init(&daemon, &["one", "--from", "procfile", "Procfile"]));
    let unit = "[Unit]\nAfter=db.service\n[Service]\nExecStartPre=/bin/true\nExecStart=/bin/sleep 1000\nRestart=on-failure\n";
    fs::write(daemon.path("app.service"), unit).unwrap();
    fs::write(
        daemon.path("db.service"),
        "[Service]\nExecStart=/bin/sleep 1000\nRestart=always\n",
    )
    .unwrap();
    let arguments = ["two", "--from", "systemd", "app.service", "db.service"];
    done(init(&daemon, &arguments));
    let arguments = ["three", "--json", "--from", "procfile", "Procfile"];
    let told: Value = serde_json::from_str(&done(init(&daemon, &arguments))).unwrap();
    assert_eq!(told["targets"][1], json!({"name": "clock", "off": null}));
    assert_eq!(told["lines"][1]["became"], "differently", "{told}");
    for (directory, said) in [("one", "PORT"), ("two", "depends_on = [\"db\"]")] {
        let file = daemon.path(directory).join("mainstay.toml");
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(said), "{text}");
        let mut check = Command::new(program());
        check.args(["check", "--json", "--config"]).arg(&file);
        let output = check.output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["ok"], true, "{report}");
    }
}

#[test]
fn a_unit_is_read_with_its_drop_ins_and_its_config_is_no_more_readable_than_it() {
    let daemon = nothing();
    let unit =
        "[Service]\nExecStart=/bin/sleep 1000\nUser=root\nEnvironment=TOKEN=hunter2 \"A=a\\nb\"\n";
    let override_file = "[Service]\nUser=\nExecStart=\nExecStart=/bin/sleep \\x31000\n";
    fs::write(daemon.path("app.service"), unit).unwrap();
    fs::create_dir(daemon.path("app.service.d")).unwrap();
    fs::write(daemon.path("app.service.d/override.conf"), override_file).unwrap();
    let readable_by_all = |directory: &str| {
        let config = daemon.path(directory).join("mainstay.toml");
        let mode = fs::metadata(config).unwrap().permissions().mode();
        mode & 0o044 == 0o044
    };
    let set = |file: &str, mode: u32| {
        fs::set_permissions(daemon.path(file), Permissions::from_mode(mode)).unwrap();
    };
    set("app.service", 0o644);
    set("app.service.d/override.conf", 0o644);
    // Umasks of those who run the tests differ: beside it lies a file that is for everybody, where new files are.
    fs::write(daemon.path("plain"), "").unwrap();
    let plain = fs::metadata(daemon.path("plain")).unwrap().permissions();
    let said = done(init(&daemon, &["one", "--from", "systemd", "app.service"]));
    assert_eq!(readable_by_all("one"), plain.mode() & 0o044 == 0o044);
    for told in [
        "app.service:2: ExecStart=/bin/sleep 1000: not carried",
        "app.service:3: User=root: not carried",
        "the value of TOKEN looks like a secret",
    ] {
        assert!(said.contains(told), "{told}: {said}");
    }
    let text = fs::read_to_string(daemon.path("one/mainstay.toml")).unwrap();
    assert!(text.contains("run = [\"/bin/sleep\", \"1000\"]"), "{text}");
    assert!(text.contains("[secrets]"), "{text}");
    assert!(!text.contains("user ="), "{text}");
    let parsed: toml::Table = text.parse().unwrap();
    assert_eq!(parsed["target"][0]["env"]["A"].as_str(), Some("a\nb"));
    for (directory, closed) in [
        ("two", "app.service"),
        ("three", "app.service.d/override.conf"),
    ] {
        set("app.service", 0o644);
        set("app.service.d/override.conf", 0o644);
        set(closed, 0o600);
        let said = done(init(
            &daemon,
            &[directory, "--from", "systemd", "app.service"],
        ));
        assert!(said.contains("only its owner may read it"), "{said}");
        let config = daemon.path(directory).join("mainstay.toml");
        let mode = fs::metadata(config).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{closed}");
    }
}

#[test]
fn a_service_of_the_machine_has_its_unit_beside_the_config_and_its_state_elsewhere() {
    let daemon = nothing();
    let (etc, var) = (daemon.path("etc"), daemon.path("var"));
    let arguments = ["etc", "--service", "var"];
    let said = done(init(&daemon, &arguments));
    let unit = etc.join("mainstay.service");
    let next = format!("systemctl enable --now {}", unit.display());
    assert!(said.contains(&next), "{said}");
    assert!(!etc.join("alerts").exists());
    let mode = fs::metadata(var.join("alerts"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
    // What the unit starts is this program with that config.
    let text = fs::read_to_string(&unit).unwrap();
    let start = text
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart="));
    let (started, rest) = start.unwrap().split_once(' ').unwrap();
    assert_eq!(
        fs::canonicalize(started).unwrap(),
        fs::canonicalize(program()).unwrap()
    );
    let config = etc.join("mainstay.toml");
    assert_eq!(rest, format!("run --config {}", config.display()));
    let config = fs::read_to_string(&config).unwrap();
    let config: toml::Table = config.parse().unwrap();
    let state = var.join("state").display().to_string();
    assert_eq!(config["host"]["state_dir"].as_str(), Some(state.as_str()));
    // Nothing of it is overwritten, and what would need quotes in a unit is refused before anything is written.
    fs::remove_file(etc.join("mainstay.toml")).unwrap();
    for (arguments, says) in [
        (arguments, "mainstay.service is there already"),
        (["new", "--service", "my state"], "cannot stand in a unit"),
    ] {
        let refused = init(&daemon, &arguments);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(1), "{said}");
        assert!(said.contains(says), "{said}");
    }
    assert!(!etc.join("mainstay.toml").exists());
    assert!(!daemon.path("new").exists());
}

/// `mainstay init` on a machine whose `systemctl` notes in `asked` what it is told, and refuses what begins with a word.
fn init_beside_systemd(daemon: &Daemon, refused: &str, arguments: &[&str]) -> Output {
    let asked = daemon.path("asked");
    let script = format!(
        "case \"$1\" in is-system-running) echo running; exit ;; show) exit ;; esac\necho \"$*\" >> '{}'\n\
         case \"$1\" in {refused}) echo not today >&2; exit 1 ;; esac\n",
        asked.display()
    );
    init_with_systemctl(daemon, &script, arguments)
}

/// `mainstay init` on a machine whose `systemctl` is this script, which sees what comes after the first argument.
fn init_with_systemctl(daemon: &Daemon, script: &str, arguments: &[&str]) -> Output {
    let tools = daemon.path("tools");
    fs::create_dir_all(&tools).unwrap();
    let systemctl = tools.join("systemctl");
    fs::write(&systemctl, format!("#!/bin/sh\nshift\n{script}")).unwrap();
    fs::set_permissions(&systemctl, Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(program());
    command.arg("init").args(arguments).env("PATH", &tools);
    command
        .current_dir(daemon.directory.path())
        .output()
        .unwrap()
}

#[test]
fn systemd_starts_a_service_at_once_or_nothing_of_it_is_left() {
    let daemon = nothing();
    let [etc, var, asked] = ["etc", "var", "asked"].map(|name| daemon.path(name));
    fs::create_dir(&var).unwrap();
    fs::write(var.join("mine"), "mine").unwrap();
    let arguments = ["etc", "--service", "var", "--with", "email", "--now"];
    let enable = format!("enable {}", etc.join("mainstay.service").display());
    let start = "start mainstay.service";
    let disable = "disable --now mainstay.service";
    for (refused, expected, says) in [
        ("enable", &[enable.as_str()][..], "does not take the unit"),
        (
            "start",
            &[enable.as_str(), start, disable][..],
            "journalctl -u mainstay",
        ),
    ] {
        let output = init_beside_systemd(&daemon, refused, &arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert_eq!(output.stdout, b"", "{refused}");
        assert!(said.contains(says) && said.contains("not today"), "{said}");
        let told = fs::read_to_string(&asked).unwrap();
        assert_eq!(told.lines().collect::<Vec<_>>(), expected);
        fs::remove_file(&asked).unwrap();
        assert!(!etc.exists(), "{refused}");
        assert_eq!(fs::read_dir(&var).unwrap().count(), 1, "{refused}");
    }
    // What lies in `conf.d` already is read before anything is started.
    fs::create_dir_all(etc.join("conf.d")).unwrap();
    fs::write(etc.join("conf.d/mine.toml"), "[[target]]\n").unwrap();
    let output = init_beside_systemd(&daemon, "none", &arguments);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("mine.toml"), "{said}");
    assert!(!asked.exists(), "{said}");
    assert_eq!(fs::read_dir(&etc).unwrap().count(), 1, "{said}");
    fs::remove_dir_all(&etc).unwrap();

    let arguments = [&arguments[..], &["--json"]].concat();
    let told = done(init_beside_systemd(&daemon, "none", &arguments));
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["started"], true, "{told}");
    let plugins = told["plugins"].as_array().unwrap();
    assert!(plugins.contains(&json!("email")), "{told}");
    let told = fs::read_to_string(&asked).unwrap();
    assert_eq!(told.lines().collect::<Vec<_>>(), [enable.as_str(), start]);
    for made in [etc.join("plugins/email.wasm"), var.join("alerts")] {
        assert!(made.exists(), "{}", made.display());
    }
}

#[test]
fn nothing_is_written_where_systemd_cannot_start_the_service() {
    let daemon = nothing();
    let arguments = ["etc", "--service", "var", "--now"];
    let config = daemon.path("etc/mainstay.toml");
    let by_hand = format!("mainstay run --config {}", config.display());
    let other = "/usr/lib/systemd/system/mainstay.service";
    let has_other = format!("case $1 in show) echo {other} ;; *) echo degraded; exit 1 ;; esac\n");
    for (script, says) in [
        ("echo offline\nexit 1\n", by_hand.as_str()),
        (has_other.as_str(), other),
    ] {
        let output = init_with_systemctl(&daemon, script, &arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        for told in [says, "nothing was written"] {
            assert!(said.contains(told), "{told}: {said}");
        }
        for made in ["etc", "var"] {
            assert!(!daemon.path(made).exists(), "{said}");
        }
    }
    // Nor is it where there is no `systemctl` at all.
    let mut command = Command::new(program());
    command.arg("init").args(arguments).env("PATH", "/nowhere");
    command.current_dir(daemon.directory.path());
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && said.contains(&by_hand),
        "{said}"
    );
    assert!(!daemon.path("etc").exists());
}

#[test]
fn plugins_that_are_named_are_put_beside_the_others_and_what_they_need_is_said() {
    let daemon = nothing();
    for (names, says) in [
        // One that is known is not put where another one is not.
        ("webhook,emails", "did you mean `email`?"),
        ("webhook,gfs", "did you mean `gfs-retention`?"),
        ("zzz", "age-retention"),
    ] {
        let refused = init(&daemon, &["new", "--with", names]);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(1), "{said}");
        assert!(said.contains(says), "{said}");
        assert!(!daemon.path("new").exists());
    }
    // The second one would be the directory, or nothing.
    for arguments in [
        &["--with", "email", "slack"][..],
        &["new", "--with", "email", "slack"][..],
    ] {
        let refused = init(&daemon, arguments);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains("--with email,slack"), "{said}");
        for made in ["new", "slack"] {
            assert!(!daemon.path(made).exists(), "{said}");
        }
    }
    let said = done(init(&daemon, &["new", "--with", "email,log-file,webhook"]));
    for told in ["alerter = \"email\"", "[plugin.webhook]"] {
        assert_eq!(said.matches(told).count(), 1, "{told}: {said}");
    }
    // The config has that of `log-file` already.
    assert!(!said.contains("[plugin.log-file]"), "{said}");
    let put = fs::read_dir(daemon.path("new/plugins")).unwrap();
    assert_eq!(put.count(), 6, "{said}");
    // Where there is a config, others are put beside it in another way.
    let again = init(&daemon, &["new", "--with", "slack,gfs-retention"]);
    let said = String::from_utf8(again.stderr).unwrap();
    let install = "`mainstay plugin install slack gfs-retention`";
    assert!(!again.status.success() && said.contains(install), "{said}");
}

#[test]
fn what_is_no_format_and_no_file_is_refused_before_anything_is_written() {
    let daemon = nothing();
    fs::write(daemon.path("empty.conf"), "; nothing\n").unwrap();
    for (arguments, code, says) in [
        (
            &["--from", "upstart", "empty.conf"][..],
            2,
            "allowed are supervisord",
        ),
        (&["--from", "supervisord"][..], 2, "--from"),
        (
            &["--from", "supervisord", "missing.conf"][..],
            1,
            "cannot read missing.conf",
        ),
        (&["--from", "supervisord", "."][..], 2, "is a directory"),
        (
            &["--from", "supervisord", "empty.conf"][..],
            1,
            "nothing in these files",
        ),
    ] {
        let refused = init(&daemon, arguments);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(says), "{arguments:?}: {said}");
        assert!(!daemon.path("mainstay.toml").exists(), "{arguments:?}");
        assert!(!daemon.path("plugins").exists(), "{arguments:?}");
    }
}

#[test]
fn a_file_in_the_place_of_the_directory_is_told_with_what_to_do() {
    let daemon = nothing();
    fs::write(daemon.path("file"), "mine").unwrap();
    for arguments in [&["file"][..], &["new", "--service", "file"][..]] {
        let refused = init(&daemon, arguments);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(1), "{said}");
        assert!(said.contains("help: a file is in the way"), "{said}");
        assert_eq!(fs::read(daemon.path("file")).unwrap(), b"mine");
        assert!(!daemon.path("new").exists(), "{said}");
    }
}

#[test]
fn init_run_kill_and_logs_take_less_than_a_minute_from_nothing() {
    // Built first: what is timed is what a newcomer waits for.
    program();
    let mut daemon = nothing();
    let begin = Instant::now();
    done(init(&daemon, &[]));
    daemon.run();
    daemon.wait_for_status("the target to be healthy", |status| {
        status["targets"][0]["health"] == "healthy"
    });
    daemon.kill_child("hello");
    daemon.wait_for_operation("hello", "succeeded");
    let logs = daemon.cli(&["logs", "hello"]);
    let took = begin.elapsed();
    println!("from nothing to the logs of a recovered target: {took:?}");
    assert!(logs.status.success(), "{logs:?}");
    assert!(!logs.stdout.is_empty());
    assert!(took < Duration::from_secs(60), "{took:?}");
}
