//! What lies where a file is looked for, and what a config asks of the machine: `check`, the daemon and a reload say the
//! same of it, in time, with file and line.

use mainstay_tests::{Daemon, HOST, make_fifo, plugin, sleeper, wait_for};
use serde_json::Value;
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

/// The exit code of `check` and its problems.
fn check(daemon: &Daemon) -> (i32, Vec<Value>) {
    let output = daemon.cli(&["check", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let problems = report["problems"].as_array().unwrap().clone();
    (output.status.code().unwrap(), problems)
}

/// Lays something down in the place of a file.
type Make = fn(&Path);

#[test]
fn what_is_no_file_in_conf_d_stops_no_reload_and_no_check() {
    let daemon = Daemon::start(&[HOST, &sleeper("web")].concat(), &[]);
    fs::create_dir(daemon.path("conf.d")).unwrap();
    let file = daemon.path("conf.d/new.toml");
    let outcome = |what: &str, ok: bool| {
        daemon.hang_up();
        let status = daemon.wait_for_status(what, |status| status["last_reload"]["ok"] == ok);
        status["last_reload"]["error"].to_string()
    };
    let makers: [(&str, Make, &str); 6] = [
        ("a FIFO", make_fifo, "it is no regular file"),
        (
            "a directory",
            |file| fs::create_dir(file).unwrap(),
            "it is no regular file",
        ),
        (
            "a device",
            |file| symlink("/dev/zero", file).unwrap(),
            "it is no regular file",
        ),
        (
            "a link that leads nowhere",
            |file| symlink("nowhere", file).unwrap(),
            "No such file",
        ),
        (
            "95 MB of newlines",
            |file| fs::write(file, vec![b'\n'; 95_000_000]).unwrap(),
            "more than 16 MiB",
        ),
        (
            "lines without an end",
            |file| fs::write(file, "x\n".repeat(7 << 20)).unwrap(),
            "more lines, keys and values",
        ),
    ];
    for (what, make, says) in makers {
        make(&file);
        let (code, problems) = check(&daemon);
        assert_eq!(code, 2, "{what}: {problems:?}");
        let told = problems.iter().any(|problem| {
            problem["message"].as_str().unwrap().contains(says)
                && problem["file"].as_str().unwrap().ends_with("new.toml")
        });
        assert!(told, "{what}: {problems:?}");
        let error = outcome(what, false);
        assert!(
            error.contains(says) && error.contains("new.toml"),
            "{what}: {error}"
        );
        match file.is_dir() {
            true => fs::remove_dir(&file).unwrap(),
            false => fs::remove_file(&file).unwrap(),
        }
        outcome("the config before to be applied", true);
    }
}

#[test]
fn check_says_how_many_files_of_conf_d_it_read_and_which_it_passes_over() {
    let daemon = Daemon::prepare(HOST);
    let said = || {
        let output = daemon.cli(&["check"]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(said().ends_with("mainstay.toml is good\n"), "{}", said());
    fs::create_dir(daemon.path("conf.d")).unwrap();
    fs::write(daemon.path("conf.d/a.toml"), "[host]\nname = \"a\"\n").unwrap();
    let both = "mainstay.toml and 1 file of its conf.d are good\n";
    assert!(said().ends_with(both), "{}", said());
    fs::write(daemon.path("conf.d/b.conf"), "[[target]]\n").unwrap();
    let (code, problems) = check(&daemon);
    assert_eq!((code, problems.len()), (0, 1), "{problems:?}");
    let file = problems[0]["file"].as_str().unwrap();
    assert!(file.ends_with("conf.d/b.conf"), "{problems:?}");
}

#[test]
fn check_finds_what_the_machine_does_not_have() {
    let config = r#"
[host]
state_dir = "state"
plugin_dir = "plugins"

[secrets]
missing = { file = "secret-missing" }
open = { file = "secret-open" }
fifo = { file = "secret-fifo" }
folder = { file = "plugins" }
good = { file = "secret-good" }

[[target]]
name = "absent"
run = ["/nowhere/at/all"]

[[target]]
name = "relative"
run = ["./absent"]

[[target]]
name = "unnamed"
run = ["no-such-program-anywhere"]

[[target]]
name = "plain"
run = ["./not-executable"]

[[target]]
name = "homeless"
run = ["sh"]
cwd = "nowhere"

[[target]]
name = "nobodys"
run = ["sh"]
user = "no-such-user-here"

[[target]]
name = "bare"
run = ["sh"]
env_file = "no.env"

[[target]]
name = "elsewhere"
run = ["sh"]
env = { PATH = "/nowhere" }

[[target]]
name = "unready"
run = ["sh"]
before_start = { run = ["./absent"] }

[[target]]
name = "foreign"
[target.commands]
start = ["no-such-program-anywhere"]

[[target]]
name = "probed"
[[target.check]]
kind = "exec"
run = ["./absent"]
failure = "odd"

[[target]]
name = "fine"
run = ["sh", "-c", "exec sleep 1000"]

[command.gone]
run = ["./absent"]

[[job]]
name = "dump"
encryption = "none"
source = [{ kind = "command", run = ["./absent"], key = "dump" }]

[[route]]
chain = [{ handler = "restart-service" }]
"#;
    let daemon = Daemon::prepare(config);
    fs::write(daemon.path("secret-open"), "x").unwrap();
    fs::set_permissions(
        daemon.path("secret-open"),
        fs::Permissions::from_mode(0o644),
    )
    .unwrap();
    fs::write(daemon.path("secret-good"), "x").unwrap();
    fs::set_permissions(
        daemon.path("secret-good"),
        fs::Permissions::from_mode(0o600),
    )
    .unwrap();
    make_fifo(&daemon.path("secret-fifo"));
    fs::write(daemon.path("not-executable"), "x").unwrap();
    let output = daemon.cli(&["check"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stdout).unwrap();
    // Each is one problem: its first line, and the line of the config below it.
    let problems: Vec<&str> = said.split("\n\n").collect();
    for (severity, place, says) in [
        ("error", "missing = {", "is not there"),
        (
            "error",
            "open = {",
            "can be read or changed by others (mode 644)",
        ),
        ("error", "fifo = {", "is no regular file"),
        ("error", "folder = {", "is no regular file"),
        (
            "warning",
            "name = \"absent\"",
            "/nowhere/at/all: No such file",
        ),
        ("warning", "name = \"relative\"", "No such file"),
        ("warning", "name = \"unnamed\"", "is in none of"),
        ("warning", "name = \"plain\"", "may be executed by nobody"),
        (
            "warning",
            "name = \"homeless\"",
            "the directory of target `homeless` is not there",
        ),
        (
            "warning",
            "name = \"nobodys\"",
            "the user `no-such-user-here`",
        ),
        ("warning", "name = \"bare\"", "`env_file` of target `bare`"),
    ] {
        let told = problems.iter().any(|problem| {
            problem.starts_with(severity) && problem.contains(place) && problem.contains(says)
        });
        assert!(told, "{place}: {says}: {said}");
    }
    // More than five warnings of a kind are the first five and a count.
    assert!(said.contains("… and 5 more like it"), "{said}");
    assert!(
        !said.contains("secret-good") && !said.contains("target `fine`"),
        "{said}"
    );
    // The rest of the kind, each by itself.
    for (name, from, to) in [
        (
            "elsewhere",
            "name = \"elsewhere\"",
            "is in none of /nowhere",
        ),
        (
            "unready",
            "name = \"unready\"",
            "`before_start` of target `unready`",
        ),
        (
            "foreign",
            "name = \"foreign\"",
            "`commands.start` of target `foreign`",
        ),
        (
            "probed",
            "name = \"probed\"",
            "check `exec` of target `probed`",
        ),
        ("gone", "[command.gone]", "command `gone`"),
        ("dump", "name = \"dump\"", "the source `dump` of job `dump`"),
    ] {
        let tables = config.split("\n\n").filter(|table| {
            table.contains("[host]") || table.contains("[[route]]") || table.contains(from)
        });
        let alone: Vec<&str> = tables.collect();
        fs::write(daemon.path("mainstay.toml"), alone.join("\n\n")).unwrap();
        let (code, problems) = check(&daemon);
        assert_eq!(code, 0, "{name}: {problems:?}");
        let told = problems.iter().any(|problem| {
            problem["severity"] == "warning"
                && problem["line"].as_u64().is_some()
                && problem["message"].as_str().unwrap().contains(to)
        });
        assert!(told, "{name}: {problems:?}");
    }
}

#[test]
fn a_state_directory_that_cannot_be_one_is_an_error_of_check() {
    let daemon = Daemon::prepare("");
    fs::write(daemon.path("file"), "").unwrap();
    symlink("plugins", daemon.path("link")).unwrap();
    for (state, says) in [
        ("file", "is no directory"),
        ("file/below", "Not a directory"),
        ("/proc/state", "no file system that keeps files"),
        ("plugins/state", "holds the state directory"),
        ("link/state", "take its own files for plugins"),
    ] {
        let config = format!("[host]\nstate_dir = \"{state}\"\nplugin_dir = \"plugins\"\n");
        fs::write(daemon.path("mainstay.toml"), config).unwrap();
        let (code, problems) = check(&daemon);
        assert_eq!(code, 2, "{state}: {problems:?}");
        let told = problems.iter().any(|problem| {
            let line = problem["line"].as_u64();
            line.is_some() && problem["message"].as_str().unwrap().contains(says)
        });
        assert!(told, "{state}: {problems:?}");
    }
}

#[test]
fn status_shows_why_a_config_was_refused_in_a_few_lines() {
    let daemon = Daemon::start(&[HOST, &sleeper("web")].concat(), &[]);
    let wrong: String = (0..9).map(|n| format!("wrong-{n} = {n}\n")).collect();
    let before = wait_for("web to run", || match daemon.pids() {
        pids if pids.contains_key("web") => Ok(pids),
        pids => Err(format!("{pids:?}")),
    });
    let broken = [wrong.as_str(), HOST, &sleeper("web"), &sleeper("late")].concat();
    fs::write(daemon.path("mainstay.toml"), broken).unwrap();
    let rejected = daemon.wait_for_event("the refusal", |event| event["kind"] == "config.rejected");
    let message = rejected["message"].as_str().unwrap();
    assert!(message.contains("mainstay.toml:1:1"), "{message}");
    let said = String::from_utf8(daemon.cli(&["status"]).stdout).unwrap();
    let lines: Vec<&str> = said.lines().skip(1).take(5).collect();
    assert!(
        lines[0].ends_with("refused for 9 reasons; `mainstay check` shows all"),
        "{said}"
    );
    for (number, line) in lines[1..4].iter().enumerate() {
        assert!(
            line.contains(&format!("mainstay.toml:{}:1: unknown key", number + 1)),
            "{said}"
        );
        assert!(line.len() < 300, "{said}");
    }
    assert_eq!(lines[4], "  … and 6 more", "{said}");
    // Nothing of it is applied, and nothing of the one before is let go of.
    assert_eq!(daemon.pids(), before);
}

#[test]
fn a_plugin_that_refuses_its_settings_is_judged_the_same_by_check_and_reload() {
    let alert = "\n[[alert]]\nalerter = \"webhook\"\n";
    let settings = |url: &str| format!("\n[plugin.webhook]\nsettings = {{ url = \"{url}\" }}\n");
    let named = [HOST, &sleeper("web"), alert].concat();
    let daemon = Daemon::start(&named, &[&plugin("webhook")]);
    let refused = |event: &Value| event["kind"] == "plugin.rejected";
    daemon.wait_for_event("the refusal of the plugin", refused);
    let good = settings("http://127.0.0.1:9/");
    for (what, rest, is_taken) in [
        ("named, without settings", alert.to_owned(), false),
        (
            "bad settings",
            [alert, &settings("ftp://x")].concat(),
            false,
        ),
        (
            "bad settings, and named nowhere else",
            settings("ftp://x"),
            false,
        ),
        ("named by nobody", String::new(), true),
        ("good settings", [alert, &good].concat(), true),
        (
            "bad settings of what serves",
            [alert, &settings("ftp://x")].concat(),
            false,
        ),
        ("good settings again", [alert, &good].concat(), true),
        (
            "an instance with good settings",
            good.replace("[plugin.webhook]", "[plugin.night]\nplugin = \"webhook\""),
            true,
        ),
        (
            "an instance with good settings, and its plugin named without any",
            [
                alert,
                &good.replace("[plugin.webhook]", "[plugin.night]\nplugin = \"webhook\""),
            ]
            .concat(),
            false,
        ),
        (
            "an instance with bad settings",
            settings("ftp://x").replace("[plugin.webhook]", "[plugin.night]\nplugin = \"webhook\""),
            false,
        ),
    ] {
        // Another target each time: the config is never the same twice.
        let other = sleeper(&what.replace([' ', ','], "").to_lowercase());
        let config = [HOST, &sleeper("web"), &other, &rest].concat();
        let before = daemon.json(&["status"])["last_reload"]["at"].clone();
        // In one step, so that it is read, and judged, once.
        fs::write(daemon.path("next.toml"), config).unwrap();
        fs::rename(daemon.path("next.toml"), daemon.path("mainstay.toml")).unwrap();
        let (code, problems) = check(&daemon);
        assert_eq!(code, if is_taken { 0 } else { 2 }, "{what}: {problems:?}");
        let status = daemon.wait_for_status(what, |status| status["last_reload"]["at"] != before);
        assert_eq!(status["last_reload"]["ok"], is_taken, "{what}: {status}");
    }
    daemon.wait_for_plugins(1);
}

#[test]
fn a_plugin_that_refuses_its_settings_is_told_beside_what_else_is_wrong_with_the_config() {
    let daemon = Daemon::prepare(HOST);
    daemon.drop_plugin(&plugin("webhook"));
    let alert = "\n[[alert]]\nalerter = \"webhook\"\n";
    let settings = "\n[plugin.webhook]\nsettings = { url = \"ftp://x\" }\n";
    for (wrong, is_told) in [("\n[budget]\nnope = 1\n", true), ("nope = 1\n", false)] {
        let config = [HOST, &sleeper("web"), alert, settings, wrong].concat();
        fs::write(daemon.path("mainstay.toml"), config).unwrap();
        let (code, problems) = check(&daemon);
        assert_eq!(code, 2, "{problems:?}");
        let says = |words: &str| {
            let mut messages = problems.iter().map(|problem| &problem["message"]);
            messages.any(|message| message.as_str().unwrap().contains(words))
        };
        assert!(says("unknown key `nope`"), "{problems:?}");
        assert_eq!(says("[plugin.webhook] settings"), is_told, "{problems:?}");
    }
}

#[test]
fn what_is_no_file_among_the_plugins_is_refused_by_check_and_told_by_the_daemon() {
    let daemon = Daemon::start(&[HOST, &sleeper("web")].concat(), &[]);
    let at = |name: &str| daemon.path("plugins").join(name);
    make_fifo(&at("fifo.wasm"));
    fs::create_dir(at("directory.wasm")).unwrap();
    symlink("nowhere", at("link.wasm")).unwrap();
    let names = ["directory.wasm", "fifo.wasm", "link.wasm"];
    wait_for("each to be told", || {
        let events = daemon.events_of("plugin.rejected");
        let mut files: Vec<&str> = events
            .iter()
            .filter_map(|event| event["data"]["file"].as_str())
            .collect();
        files.sort_unstable();
        match files == names {
            true => Ok(()),
            false => Err(format!("{files:?}")),
        }
    });
    let (code, problems) = check(&daemon);
    assert_eq!(code, 2);
    for name in names {
        let file = |problem: &&Value| {
            problem["file"]
                .as_str()
                .is_some_and(|file| file.ends_with(name))
        };
        let problem = problems.iter().find(file);
        assert_eq!(
            problem.unwrap()["severity"],
            "error",
            "{name}: {problems:?}"
        );
    }
}

#[test]
fn a_backup_of_where_backups_are_stored_is_refused_wherever_a_link_leads() {
    let job = |name: &str, path: &str| {
        format!(
            "\n[[job]]\nname = \"{name}\"\nfull = \"3650d\"\nencryption = \"none\"\nsource = [{{ kind = \"directory\", path = \"{path}\" }}]\n"
        )
    };
    let config = [HOST, &job("plain", "data"), &job("looped", "link")].concat();
    let mut daemon = Daemon::prepare(&config);
    fs::create_dir(daemon.path("data")).unwrap();
    symlink("state/backups/plain", daemon.path("link")).unwrap();
    daemon.run();
    daemon.json(&["backup", "create", "plain"]);
    let output = daemon.cli(&["backup", "create", "looped"]);
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("where backups are stored"), "{said}");
}

/// The log of a target: whatever lies there, the target runs, and people are told why nothing is written down.
#[test]
fn what_is_no_file_in_the_place_of_a_log_holds_no_target_up() {
    let targets = ["fifo", "directory", "device", "null"].map(sleeper);
    let mut daemon = Daemon::prepare(&[HOST, &targets.concat()].concat());
    let logs = daemon.path("state/logs");
    fs::create_dir_all(&logs).unwrap();
    for directory in [daemon.path("state"), logs.clone()] {
        fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).unwrap();
    }
    let makers: [(&str, Make); 4] = [
        ("fifo", make_fifo),
        ("directory", |file| fs::create_dir(file).unwrap()),
        ("device", |file| symlink("/dev/zero", file).unwrap()),
        ("null", |file| symlink("/dev/null", file).unwrap()),
    ];
    for (name, make) in makers {
        make(&logs.join(format!("{name}.log")));
    }
    daemon.run();
    wait_for("all to run", || match daemon.pids().len() {
        4 => Ok(()),
        other => Err(other.to_string()),
    });
    for name in ["fifo", "directory", "device"] {
        let told = daemon.wait_for_event(name, |event| {
            let message = event["message"].as_str().unwrap_or_default();
            event["kind"] == "target.warned" && message.starts_with(&format!("{name}: its output"))
        });
        let message = told["message"].as_str().unwrap();
        let place = format!("logs/{name}.log: it is no regular file");
        assert!(message.contains(&place), "{message}");
    }
    let events = daemon.events();
    let warned = events
        .iter()
        .filter(|event| event["kind"] == "target.warned");
    assert_eq!(warned.count(), 3);
}

#[test]
fn what_lies_in_the_place_of_a_cache_or_of_the_logs_is_put_aside_and_holds_no_start_up() {
    let mut daemon = Daemon::prepare(&[HOST, &sleeper("web")].concat());
    let state = daemon.path("state");
    fs::create_dir(&state).unwrap();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).unwrap();
    let file: Make = |path| fs::write(path, "mine").unwrap();
    let makers: [(&str, Make); 4] = [
        ("compiled", file),
        ("compiled.key", |path| fs::create_dir(path).unwrap()),
        ("compiling", make_fifo),
        ("logs", |path| symlink("nowhere", path).unwrap()),
    ];
    for (name, make) in makers {
        make(&state.join(name));
    }
    daemon.drop_unknown(&plugin("restart-service"));
    daemon.run();
    daemon.wait_for_plugins(1);
    wait_for("web to run", || match daemon.pids().len() {
        1 => Ok(()),
        other => Err(other.to_string()),
    });
    for (name, _) in makers {
        let aside = state.join(format!("{name}.aside-1"));
        assert!(aside.symlink_metadata().is_ok(), "{name}");
        let log = daemon.log();
        assert!(log.contains(aside.to_str().unwrap()), "{name}: {log}");
    }
    assert!(state.join("logs/web.log").is_file());
    assert!(state.join("compiled").read_dir().unwrap().count() > 0);
    let warned = daemon.events_of("target.warned");
    assert!(warned.is_empty(), "{warned:?}");
}

/// What people ordered: where it cannot be read the daemon serves, and says that it holds no more.
#[test]
fn orders_that_cannot_be_read_are_told_and_hold_no_start_up() {
    let makers: [(&str, Make); 3] = [
        ("damage", |file| fs::write(file, "{").unwrap()),
        ("a FIFO", make_fifo),
        ("a directory", |file| fs::create_dir(file).unwrap()),
    ];
    let mut daemon = Daemon::start(&[HOST, &sleeper("web")].concat(), &[]);
    daemon.json(&["stop", "web"]);
    for (count, (what, make)) in (1..).zip(makers) {
        assert!(daemon.stop());
        let orders = daemon.path("state/orders.json");
        let aside = daemon.path("state/orders.json.unread");
        let _ = fs::remove_file(&orders);
        let _ = fs::remove_file(&aside);
        make(&orders);
        daemon.run();
        let is_told = |event: &&Value| event["kind"] == "record.set-aside";
        let told = daemon.events();
        let told: Vec<&Value> = told.iter().filter(is_told).collect();
        assert_eq!(told.len(), count, "{what}");
        let message = told[count - 1]["message"].as_str().unwrap();
        assert!(message.contains(orders.to_str().unwrap()), "{message}");
        assert!(aside.symlink_metadata().is_ok(), "{what}");
        wait_for("web to run", || match daemon.pids().len() {
            1 => Ok(()),
            other => Err(other.to_string()),
        });
    }
}

/// What is wrong in one part of a config hides nothing that is wrong elsewhere in it, or in the same target.
#[test]
fn what_is_wrong_in_one_place_hides_nothing_of_the_others() {
    let config = r#"
[host]
state_dir = "state"
plugin_dir = "plugins"

[secrets]
token = { file = "no-token" }

[[target]]
name = "web"
run = ["no-such-program-anywhere"]
stop_signal = "SIGWINCH"
user = "no-such-user-here"

[[target]]
name = "homeless"
run = ["sh"]
cwd = "nowhere"

[[route]]
chain = [{ handler = "restart-servce" }]

[[alert]]
min_severity = "hi"
alerter = "webhok"

[[job]]
name = "state"
full = { cron = "0 3 *", zone = "Europe/Berln" }
encryption = "none"
source = [{ kind = "directory", path = "nope" }]
"#;
    let daemon = Daemon::prepare(config);
    let (code, problems) = check(&daemon);
    assert_eq!(code, 2, "{problems:?}");
    for (severity, says) in [
        ("error", "SIGWINCH"),
        ("error", "`min_severity` is \"hi\""),
        ("error", "is not a cron expression"),
        ("error", "there is no time zone `Europe/Berln`"),
        ("error", "no-token is not there"),
        ("warning", "no-such-program-anywhere"),
        ("warning", "the user `no-such-user-here`"),
        ("warning", "the directory of target `homeless` is not there"),
        ("warning", "recovery-handler restart-servce"),
        ("warning", "alerter webhok"),
        ("warning", "nope of job state is not there"),
    ] {
        let told = problems.iter().any(|problem| {
            problem["severity"] == severity && problem["message"].as_str().unwrap().contains(says)
        });
        assert!(told, "{says}: {problems:#?}");
    }
}

#[test]
fn what_the_config_has_told_is_not_told_again_of_this_machine() {
    let config = r#"
[host]
state_dir = "state"
plugin_dir = "state/plugins"

[[job]]
name = "nested"
encryption = "none"
source = [
    { kind = "directory", path = "data", prefix = "data" },
    { kind = "directory", path = "data/inner", prefix = "inner" },
]

[[job]]
name = "own"
encryption = "none"
source = [{ kind = "directory", path = "state/backups/own" }]
"#;
    let daemon = Daemon::prepare(config);
    let (code, problems) = check(&daemon);
    assert_eq!(code, 2, "{problems:?}");
    for says in [
        "would take its own files for plugins",
        "cannot be in one backup",
        "where backups are stored",
    ] {
        let messages = problems.iter().map(|problem| &problem["message"]);
        let told = messages.filter(|message| message.as_str().unwrap().contains(says));
        assert_eq!(told.count(), 1, "{says}: {problems:#?}");
    }
}
