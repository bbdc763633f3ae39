//! What can only harm is refused, and what is hardly meant is warned of: one row each, with the line that it is told of.

use super::{super::*, HOST, load_text};

const ERROR: ProblemSeverity = ProblemSeverity::Error;
const WARNING: ProblemSeverity = ProblemSeverity::Warning;

/// A problem of this severity, about the line that holds `at`, says `says`.
fn is_told(text: &str, severity: ProblemSeverity, at: &str, says: &str) {
    let (problems, is_usable) = match load_text(text) {
        Ok(loaded) => (loaded.warnings, true),
        Err(errors) => (errors.problems, false),
    };
    let line = text.lines().position(|line| line.contains(at)).unwrap() + 1;
    let told = problems.iter().any(|problem| {
        problem.severity == severity && problem.line == Some(line) && problem.message.contains(says)
    });
    assert!(
        told,
        "line {line} should be told of `{says}`:\n{text}\n{}",
        render(&problems, false)
    );
    assert_eq!(
        is_usable,
        severity == WARNING,
        "{text}\n{}",
        render(&problems, false)
    );
}

fn is_fine(text: &str) {
    match load_text(text) {
        Ok(loaded) => assert_eq!(loaded.warnings, [], "{text}"),
        Err(errors) => panic!("{text}\n{errors}"),
    }
}

fn command(run: &str) -> String {
    format!("{HOST}[command.c]\nrun = {run}\nplaceholders = [\"p\"]\n")
}

#[test]
fn no_plugin_chooses_the_program_that_a_command_runs() {
    for (run, severity, says) in [
        (r#"["{p}"]"#, ERROR, "a plugin would choose what runs"),
        (
            r#"["./bin/{p}", "x"]"#,
            ERROR,
            "a plugin would choose what runs",
        ),
        (
            r#"["{p}/run", "{p}"]"#,
            ERROR,
            "a plugin would choose what runs",
        ),
        (
            r#"["sh", "-c", "{p}"]"#,
            WARNING,
            "is run as a program or a script",
        ),
        (
            r#"["/bin/bash", "-lc", "grep {p} log"]"#,
            WARNING,
            "is run as a program or a script",
        ),
        (
            r#"["env", "{p}"]"#,
            WARNING,
            "is run as a program or a script",
        ),
        (
            r#"["sudo", "-n", "{p}", "x"]"#,
            WARNING,
            "is run as a program or a script",
        ),
        (
            r#"["python3", "-c", "{p}"]"#,
            WARNING,
            "is run as a program or a script",
        ),
        (
            r#"["timeout", "5", "{p}"]"#,
            WARNING,
            "is run as a program or a script",
        ),
    ] {
        is_told(&command(run), severity, "placeholders", says);
    }
    for run in [
        r#"["redis-cli", "del", "{p}"]"#,
        r#"["sh", "clean.sh", "{p}"]"#,
        r#"["sh", "-c", "rm -- \"$1\"", "sh", "{p}"]"#,
        r#"["psql", "-c", "{p}"]"#,
    ] {
        is_fine(&command(run));
    }
}

#[test]
fn a_grant_for_what_gives_away_the_machine_is_warned_of_however_it_is_spelled() {
    let grant = |origin: &str| format!("{HOST}[plugin.p]\ngrants = {{ http = [\"{origin}\"] }}\n");
    for origin in [
        "http://169.254.169.254",
        "http://169.254.169.254/",
        "http://169.254.169.254:80",
        "https://169.254.169.254",
        "http://169.254.170.2",
        "http://2852039166",
        "http://0xa9fea9fe",
        "http://0251.0376.0251.0376",
        "http://169.254.43518",
        "http://169.254.169.254.",
        "http://[::ffff:169.254.169.254]",
        "http://[fe80::1]",
        "http://[fd00:ec2::254]",
        "http://[fd00:0ec2:0:0:0:0:0:254]",
        "http://100.100.100.200",
        "http://168.63.129.16",
        "http://192.0.0.192",
        "http://metadata.google.internal",
        "http://METADATA.google.internal",
        "http://metadata.google.internal.",
        "http://instance-data",
        "http://[64:ff9b::169.254.169.254]",
        "http://[2002:a9fe:a9fe::1]",
        "http://[::169.254.169.254]",
        "http://metadata.tencentyun.com",
    ] {
        let says = "what the machine itself may do";
        is_told(&grant(origin), WARNING, "grants", says);
    }
    for origin in [
        "http://127.0.0.1:9000",
        "https://hooks.example",
        "http://[fd00::1]",
    ] {
        is_fine(&grant(origin));
    }
}

#[test]
fn the_plugin_directory_and_the_state_directory_lie_apart() {
    let host = |state: &str, plugins: &str| {
        format!("[host]\nstate_dir = \"{state}\"\nplugin_dir = \"{plugins}\"\n")
    };
    for (state, plugins, says) in [
        ("state", "state/plugins", "lies in the state directory"),
        ("state", "state/a/b", "lies in the state directory"),
        ("state", "./state/./x", "lies in the state directory"),
        ("state", "x/../state/plugins", "lies in the state directory"),
        ("/var/lib/m", "/var/lib/m/", "is the state directory"),
        ("plugins/state", "plugins", "holds the state directory"),
        ("state", ".", "holds the state directory"),
        ("state", "/", "holds the state directory"),
    ] {
        is_told(&host(state, plugins), ERROR, "plugin_dir", says);
    }
    for (state, plugins) in [
        ("state", "plugins"),
        ("state", "state2"),
        ("a/state", "a/plugins"),
    ] {
        is_fine(&host(state, plugins));
    }
}

/// The fifth trap of the seeds' systems: the key lay in the backup directory.
#[test]
fn trap_5_an_identity_that_lies_where_backups_are_stored_is_refused() {
    let config = |tiers: &str, file: &str| {
        format!(
            "{HOST}{tiers}[[job]]\nname = \"j\"\nencryption = \"none\"\nidentity = {{ file = \"{file}\" }}\n\
             source = [{{ kind = \"directory\", path = \"d\" }}]\n"
        )
    };
    let nas = "[tier.nas]\npath = \"/nas/backups\"\n";
    let local = "[tier.local]\npath = \"/srv/backups\"\n";
    for (tiers, file) in [
        ("", "state/backups/key.txt"),
        ("", "state/backups/j/key.txt"),
        ("", "./x/../state/backups/key.txt"),
        (nas, "/nas/backups/key.txt"),
        (nas, "/nas/other/../backups/keys/key.txt"),
        (local, "/srv/backups/key.txt"),
        // It was there until `[tier.local]` was written, and what was stored may still be.
        (local, "state/backups/key.txt"),
    ] {
        let says = "where backups are stored";
        is_told(&config(tiers, file), ERROR, "identity", says);
    }
    for (tiers, file) in [
        ("", "keys/drill.txt"),
        ("", "state/backups.txt"),
        ("", "/nas/backups/key.txt"),
        (nas, "/nas/key.txt"),
    ] {
        is_fine(&config(tiers, file));
    }
}

#[test]
fn what_would_run_all_the_time_is_refused_and_what_runs_very_often_warned_of() {
    let check = |every: &str| {
        format!(
            "{HOST}[[target]]\nname = \"t\"\n[[target.check]]\nkind = \"heartbeat\"\nfailure = \"late\"\n\
             every = \"{every}\"\n[[route]]\nchain = [{{ handler = \"h\" }}]\n"
        )
    };
    is_told(
        &check("1ms"),
        ERROR,
        "every",
        "an interval of at least 10ms",
    );
    is_told(
        &check("9ms"),
        ERROR,
        "every",
        "an interval of at least 10ms",
    );
    is_told(&check("50ms"), WARNING, "every", "very often");
    is_fine(&check("100ms"));
    let job = |key: &str| {
        format!(
            "{HOST}[[job]]\nname = \"j\"\nencryption = \"none\"\nsource = [{{ kind = \"directory\", path = \"d\" }}]\n{key}\n"
        )
    };
    for key in ["full", "differential", "incremental", "verify", "drill"] {
        let job = |every: &str| job(&format!("{key} = {every}"));
        is_told(&job("\"1ms\""), ERROR, key, "an interval of at least 100ms");
        is_told(&job("\"2s\""), WARNING, key, "very often");
        is_told(
            &job("{ cron = \"* * * * * *\" }"),
            WARNING,
            key,
            "very often",
        );
        is_fine(&job("\"15m\""));
        is_fine(&job("{ cron = \"* * * * *\" }"));
    }
    let jitter = "incremental = \"15m\"\njitter = \"15m\"";
    let says = "15m pass from one incremental backup to the next";
    is_told(&job(jitter), ERROR, "jitter", says);
    is_fine(&job("incremental = \"15m\"\njitter = \"14m\""));
    let retention = "retention = { policy = \"p\", every = \"1ms\" }";
    is_told(
        &job(retention),
        ERROR,
        "retention",
        "an interval of at least 100ms",
    );
}

#[test]
fn an_alert_route_that_sends_nothing_is_told() {
    let alert = |keys: &str| {
        let comment = keys.replace('=', "is");
        format!("[[alert]] # {comment}\nalerter = \"webhook\"\n{keys}\n")
    };
    let with = |alerts: &[&str]| {
        let alerts: String = alerts.iter().map(|keys| alert(keys)).collect();
        format!("{HOST}{alerts}")
    };
    is_told(
        &with(&["events = []"]),
        ERROR,
        "events = []",
        "names no kind of event",
    );
    let never = "events = [\"alert.queued\"]";
    is_told(
        &with(&[never]),
        WARNING,
        "events = [\"alert",
        "about alerts themselves",
    );
    let severity = |word: &str| format!("min_severity = \"{word}\"");
    let (low, high) = (severity("low"), severity("high"));
    for (alerts, at) in [
        ([low.as_str(), low.as_str()], None),
        (
            [low.as_str(), high.as_str()],
            Some("# min_severity is \"high\""),
        ),
        (
            [high.as_str(), low.as_str()],
            Some("# min_severity is \"high\""),
        ),
    ] {
        let text = with(&alerts);
        match at {
            Some(at) => is_told(&text, WARNING, at, "sends nothing that the one at"),
            None => {
                let warnings = load_text(&text).unwrap().warnings;
                let [warning] = warnings.as_slice() else {
                    panic!("{warnings:?}");
                };
                assert_eq!(warning.line, Some(7), "the second one: {warning:?}");
            }
        }
    }
    is_fine(&with(&[
        "events = [\"config.rejected\"]",
        "events = [\"operation.failed\"]",
    ]));
}

#[test]
fn a_window_that_never_closes_or_is_never_seen_is_told_and_an_empty_array_is_not_everything() {
    let window = |keys: &str| format!("{HOST}[[maintenance]]\n{keys}\n");
    let never = "is never closed";
    for keys in [
        "cron = \"* * * * *\"\nduration = \"2h\"",
        "cron = \"0 3 * * *\"\nduration = \"1d\"",
        "cron = \"0 3 * * 0\"\nduration = \"7d\"\nmode = \"alerts\"",
    ] {
        is_told(&window(keys), WARNING, "[[maintenance]]", never);
    }
    is_fine(&window("cron = \"0 3 * * *\"\nduration = \"23h\""));
    let short = window("cron = \"0 3 * * *\"\nduration = \"1ms\"");
    is_told(&short, ERROR, "duration", "not the length of a window");
    let says = "is an empty array, and names nothing";
    let nobody = window("targets = []\ncron = \"0 3 * * *\"\nduration = \"1h\"");
    is_told(&nobody, ERROR, "targets", says);
    let nobody = format!("{HOST}[approval]\nof = []\n");
    is_told(&nobody, ERROR, "of = ", says);
}

#[test]
fn an_address_that_nobody_could_ever_be_asked_by_is_refused() {
    let route = "[[route]]\nchain = [{ handler = \"h\" }]\n";
    let check = |keys: &str| {
        format!(
            "{HOST}[[target]]\nname = \"t\"\n[[target.check]]\nfailure = \"down\"\n{keys}\n{route}"
        )
    };
    for address in [
        "x y:80",
        " x:80",
        "local\\nhost:80",
        "x\\u0000:80",
        "[::1]x:80",
        "[::g]:80",
        "[127.0.0.1]:80",
        "[fe80::1%eth0]:80",
        "b\u{fc}cher.example:80",
    ] {
        for kind in ["tcp", "tls", "redis"] {
            let keys = format!("kind = \"{kind}\"\naddress = \"{address}\"");
            is_told(&check(&keys), ERROR, "address", "not a host and a port");
        }
    }
    for address in [
        "[::1]:80",
        "[fe80::1%2]:80",
        "[::ffff:127.0.0.1]:80",
        "db_1.example.:80",
    ] {
        is_fine(&check(&format!("kind = \"tcp\"\naddress = \"{address}\"")));
    }
    for kind in ["unix", "redis"] {
        let keys = |length: usize| {
            let path = "x".repeat(length - 1);
            check(&format!("kind = \"{kind}\"\npath = \"/{path}\""))
        };
        is_told(&keys(108), ERROR, "path", "no socket can be asked by more");
        is_fine(&keys(107));
    }
    let nothing = check("kind = \"http\"\nurl = \"http://a.example/\"\nbody_contains = \"\"");
    is_told(&nothing, ERROR, "body_contains", "is empty");
}

#[test]
fn a_rule_about_a_handler_that_is_misspelt_is_told() {
    let route = "[[target]]\nname = \"t\"\nrun = [\"x\"]\n[[route]]\nchain = [{ handler = \"disk-cleanup\" }]\n";
    let says = "no route calls";
    for rule in [
        "[phase.safe]\nforbid = [\"disk-clenup\"]",
        "[phase.safe]\nallow = [\"disk-clean-up\"]",
        "[cooldown]\ndisk-cleanups = \"5m\"",
    ] {
        let at = rule.lines().nth(1).unwrap();
        is_told(&format!("{HOST}{route}{rule}\n"), WARNING, at, says);
    }
    for rule in [
        "[phase.safe]\nforbid = [\"disk-cleanup\"]",
        "[phase.safe]\nforbid = [\"memory-relief\"]",
        "[cooldown]\ndisk-cleanup = \"5m\"",
    ] {
        is_fine(&format!("{HOST}{route}{rule}\n"));
    }
}

#[test]
fn a_path_that_a_shell_would_make_another_of_is_warned_of() {
    let command = |cwd: &str| format!("{HOST}[command.c]\nrun = [\"true\"]\ncwd = \"{cwd}\"\n");
    for cwd in ["~", "~/x", "$HOME", "$HOME/x", "${HOME}/x"] {
        let says = "nothing is put in place of that";
        is_told(&command(cwd), WARNING, "cwd", says);
    }
    for cwd in ["/srv/~", "x~/y", "./~", "a$b", "~x"] {
        is_fine(&command(cwd));
    }
}

#[test]
fn port_0_is_nobodys() {
    let api = "[host]\nstate_dir = \"state\"\nplugin_dir = \"plugins\"\n\
               api = { listen = \"127.0.0.1:0\", token = \"t\" }\n[secrets]\nt = { env = \"T\" }\n";
    is_told(api, ERROR, "listen", "port 0");
    let check = |keys: &str| {
        format!("{HOST}[[target]]\nname = \"t\"\n[[target.check]]\nfailure = \"down\"\n{keys}\n")
    };
    let http = check("kind = \"http\"\nurl = \"http://127.0.0.1:0/\"");
    is_told(&http, ERROR, "url", "port 0");
    let tcp = check("kind = \"tcp\"\naddress = \"127.0.0.1:0\"");
    is_told(&tcp, ERROR, "address", "not a host and a port");
    let grant = format!("{HOST}[plugin.p]\ngrants = {{ http = [\"http://127.0.0.1:0\"] }}\n");
    is_told(&grant, ERROR, "grants", "port 0");
}

#[test]
fn an_environment_that_brings_code_with_it_is_warned_of() {
    let route = "[[route]]\nchain = [{ handler = \"h\" }]\n";
    for variable in ["LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "GCONV_PATH"] {
        let env = format!("env = {{ {variable} = \"/tmp/x.so\" }}");
        for text in [
            format!("[[target]]\nname = \"t\"\nrun = [\"x\"]\n{env}\n{route}"),
            format!("[[target]]\nname = \"t\"\n[target.commands]\nstart = [\"x\"]\n{env}\n"),
            format!(
                "[[target]]\nname = \"t\"\n[[target.check]]\nkind = \"exec\"\nrun = [\"x\"]\nfailure = \"f\"\n{env}\n{route}"
            ),
            format!("[command.c]\nrun = [\"x\"]\n{env}\n"),
        ] {
            is_told(
                &format!("{HOST}{text}"),
                WARNING,
                "env =",
                "puts code from elsewhere",
            );
        }
    }
}

#[test]
fn a_secret_that_nobody_defines_is_refused() {
    let text = format!(
        "{HOST}[[target]]\nname = \"t\"\nrun = [\"x\"]\nenv = {{ A = \"${{secret:nope}}\" }}\n"
    );
    is_told(&text, ERROR, "env =", "there is no secret `nope`");
    let text = format!("{HOST}[plugin.p]\nsettings = {{ a = [\"x${{secret:nope}}\"] }}\n");
    is_told(&text, ERROR, "settings", "there is no secret `nope`");
}

#[test]
fn a_secret_is_refused_in_every_text_of_a_source_that_is_a_command() {
    let job = |keys: &str| {
        format!(
            "{HOST}[[job]]\nname = \"j\"\nencryption = \"none\"\nsource = [{{ kind = \"command\", {keys} }}]\n"
        )
    };
    for (keys, key) in [
        (
            r#"run = ["dump", "--password=${secret:db}"], key = "a""#,
            "run",
        ),
        (r#"run = ["dump"], key = "${secret:db}""#, "key"),
        (
            r#"run = ["dump"], key = "a", cwd = "/srv/${secret:db}""#,
            "cwd",
        ),
    ] {
        let says = format!("`{key}` holds \"${{secret:db}}\", and no secret is put in there");
        is_told(&job(keys), ERROR, "source", &says);
    }
}

#[test]
fn sources_that_could_never_be_restored_are_refused() {
    let job = |sources: &[&str]| {
        let sources = sources.join(",\n");
        format!("{HOST}[[job]]\nname = \"j\"\nencryption = \"none\"\nsource = [\n{sources},\n]\n")
    };
    let printed = |key: &str| format!("{{ kind = \"command\", run = [\"x\"], key = \"{key}\" }}");
    let directory = |path: &str, prefix: &str| {
        format!("{{ kind = \"directory\", path = \"{path}\", prefix = \"{prefix}\" }}")
    };
    for (one, other, says) in [
        (printed("a"), printed("."), "the key `.` is the directory"),
        (printed("a"), printed("b//c"), "is not a document key"),
        (
            printed("a"),
            printed(&"k".repeat(256)),
            "a name of more than 255 bytes",
        ),
        (printed("k"), printed("k/x"), "lies below it"),
        (printed("k"), directory("d", "k/x"), "lies below it"),
        (directory("d", "k"), printed("k"), "two documents have it"),
        (
            directory("d", ""),
            directory("e", ""),
            "two documents have it",
        ),
        (
            directory("d", "one"),
            directory("d/e", "other"),
            "d/e lies in /etc/mainstay/d",
        ),
        (
            directory("d", "one"),
            directory("d", "other"),
            "lies in /etc/mainstay/d",
        ),
        (
            directory("d", "one"),
            directory("state/backups", "two"),
            "where backups are stored",
        ),
        (
            directory("d", "one"),
            directory("x/../state/backups/j", "two"),
            "where backups are stored",
        ),
    ] {
        is_told(&job(&[&one, &other]), ERROR, &other, says);
    }
    let around = directory("state", "");
    is_told(&job(&[&around]), WARNING, &around, "they are left out");
    is_told(
        &job(&[&directory("/", "")]),
        WARNING,
        "path = \"/\"",
        "they are left out",
    );
    is_fine(&job(&[&directory("d", ""), &printed("where")]));
    is_fine(&job(&[
        &directory("d", "d"),
        &directory("e", "e"),
        &printed("k/x"),
        &printed("k/y"),
    ]));
    is_fine(&job(&[&directory("state2", "")]));
}

#[test]
fn an_instance_of_the_handler_that_restores_is_judged_as_that_handler() {
    let of = |name: &str, plugin: &str| {
        format!(
            r#"{HOST}
[[target]]
name = "pg"
run = ["./pg"]

[[target.check]]
failure = "data-corruption"
kind = "heartbeat"
every = "1h"

[[job]]
name = "dump"
encryption = "none"
source = [{{ kind = "command", run = ["pg_dump"], key = "dump.sql" }}]

[[route]]
chain = [{{ handler = "{name}" }}]

[plugin.{name}]
{plugin}
grants = {{ target = ["status", "start", "stop"], backup = ["dump"] }}
settings = {{ job = "dump" }}
"#
        )
    };
    let says = "cannot restore the job `dump`";
    let itself = of("corruption-restore", "");
    is_told(&itself, WARNING, "[[route]]", says);
    let instance = of("put-back", "plugin = \"corruption-restore\"");
    is_told(&instance, WARNING, "[[route]]", says);
    let postgres = of("postgres-recovery", "");
    is_told(&postgres, WARNING, "[[route]]", says);
    let checkpoints = postgres.replace("{ job =", "{ checkpoints =");
    is_told(&checkpoints, WARNING, "[[route]]", says);
    is_fine(&of("put-back", "plugin = \"another\""));
}

#[test]
fn an_example_of_a_number_makes_sense_for_its_key() {
    for (kind, example) in [
        ("disk\"\npath = \"/", "write e.g. max_percent = 90"),
        ("cpu", "write e.g. max_percent = 90, or 400 for four cores"),
    ] {
        let text = format!(
            "{HOST}[[target]]\nname = \"web\"\nrun = [\"./web\"]\n[[target.check]]\nkind = \"{kind}\"\n\
             failure = \"web-full\"\nmax_percent = \"lots\"\n"
        );
        let problems = load_text(&text).unwrap_err().problems;
        assert!(
            problems.iter().any(|problem| problem.help == example),
            "{}",
            render(&problems, false)
        );
    }
}
