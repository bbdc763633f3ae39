//! The text of the config that `mainstay init` writes.

use super::draft::{Draft, Fate, Note, is_secret, name_of};
use mainstay_domain::text::visible;
use std::fmt::Write;
use toml::Value;

/// Its head, whatever is in it.
const HOST: &str = r#"
[host]
state_dir  = "state"              # journal, socket, logs, backups; relative paths are relative to this file
plugin_dir = "plugins"            # a plugin that is put here serves at once: `mainstay plugin list --available`
"#;

const FIRST: &str = r#"
[[target]]                        # what is watched
name = "hello"                    # put a service of your own in its place
run  = ["sh", "-c", "while true; do date; sleep 5; done"]   # program and arguments; a shell only where one is named

[[target.check]]                  # how it is watched: process, http, tcp, unix, tls, exec, log, file, disk, memory, cpu
kind = "process"                  # that it runs
every = "1s"                      # default 10s
failure = "service-down"          # what its failure is called; the route below goes by it

[[route]]                         # what is done about a failure
failure = "service-down"
"#;

const EVERYTHING: &str = r#"
[[route]]                         # what is done about every failure
"#;

const CHAIN: &str = r#"chain = [{ handler = "restart-service", version = "^1" }]

[plugin.restart-service]
grants = { target = ["restart"] }   # nothing is granted by default

[[alert]]                         # who is told, and of what
min_severity = "low"              # or "medium", "high", "critical"
alerter = "log-file"              # `mainstay plugin install webhook` has another one

[plugin.log-file]                 # one alert a line
grants = { dir = [{ path = "alerts", write = true }] }
settings = { path = "alerts/alerts.jsonl" }
"#;

/// A config with one target that runs at once; state and alerts are below a directory, or else beside it.
pub(super) fn first(below: Option<&str>) -> String {
    let head = "# A first config, by `mainstay init`. `mainstay check` looks at it, `mainstay run` runs it.\n";
    let (host, chain) = (host(below), chain(below));
    [head, &host, FIRST, &chain].concat()
}

/// Its head, with where the state is.
fn host(below: Option<&str>) -> String {
    match below {
        None => HOST.to_owned(),
        Some(below) => HOST.replace("\"state\"", &format!("\"{below}/state\"")),
    }
}

/// Its end, with where the alerts are.
fn chain(below: Option<&str>) -> String {
    match below {
        None => CHAIN.to_owned(),
        Some(below) => CHAIN.replace("\"alerts", &format!("\"{below}/alerts")),
    }
}

/// A config with these targets, and with what became of each line that is not said the same in it.
pub(super) fn imported(targets: &[Draft], notes: &[Note], below: Option<&str>) -> String {
    let head = "# Targets of another supervisor, by `mainstay init --from`. What is said in another way, or not at all, stands at \
                the end.\n# `mainstay check` looks at it, `mainstay run` runs it.\n";
    let mut text = [head, &host(below)].concat();
    for draft in targets {
        text.push_str(&target(draft));
    }
    text.push_str(EVERYTHING);
    text.push_str(&chain(below));
    let told: Vec<String> = notes.iter().filter_map(told).collect();
    if !told.is_empty() {
        text.push_str("\n# What is carried differently, or not:\n");
        for line in told {
            // Writing to a text does not fail.
            let _ = writeln!(text, "#   {line}");
        }
    }
    let hints = secrets(targets);
    if !hints.is_empty() {
        text.push_str("\n# What looks like a secret:\n");
        for hint in hints {
            let _ = writeln!(text, "#   {hint}");
        }
    }
    text
}

/// What to do with values that look like secrets, and now stand in the config; the values themselves are not said.
pub(super) fn secrets(targets: &[Draft]) -> Vec<String> {
    let mut hints = Vec::new();
    for target in targets {
        for variable in target.secrets() {
            let secret = name_of(variable);
            hints.push(visible(&format!(
                "target {}: the value of {variable} looks like a secret: put it into a file that only its owner may read, \
                 write {secret} = {{ file = \"secrets/{secret}\" }} below [secrets], and {variable} = \
                 \"${{secret:{secret}}}\" in `env`",
                target.name
            )));
        }
    }
    hints
}

/// A line that is not simply carried, for people.
pub(super) fn told(note: &Note) -> Option<String> {
    let (how, why) = match &note.fate {
        Fate::Carried => return None,
        Fate::Differently(how) => ("differently", how),
        Fate::Left(why) => ("not carried", why),
    };
    let (file, line, shown) = (&note.file, note.line, shown(note));
    Some(visible(&format!("{file}:{line}: {shown}: {how}: {why}")))
}

/// What a line says, as it may be shown: it stands in the file; in a ticket or on a screen a secret is out.
pub(super) fn shown(note: &Note) -> String {
    match note.text.split_once('=') {
        Some((key, values)) if key.eq_ignore_ascii_case("environment") && is_secret(values) => {
            format!("{key}=…")
        }
        _ => note.text.clone(),
    }
}

fn target(draft: &Draft) -> String {
    let mut text = format!(
        "[[target]]                        # {}\n",
        visible(&draft.origin)
    );
    let name = Value::from(draft.name.as_str());
    let _ = writeln!(text, "name = {name}");
    for (key, value) in &draft.keys {
        let _ = writeln!(text, "{key} = {value}");
    }
    if draft.get("run").is_some() && !draft.is_job {
        text.push_str(
            "\n[[target.check]]                  # that it runs; whether it works ask http, tcp, unix and exec\n\
             kind = \"process\"\nfailure = \"service-down\"\n",
        );
    }
    let Some(why) = &draft.off else {
        return format!("\n{text}");
    };
    let mut off = format!("\n# Not started: {}.\n", visible(why));
    for line in text.lines() {
        let line = format!("# {line}");
        let _ = writeln!(off, "{}", line.trim_end());
    }
    off
}

#[cfg(test)]
mod tests {
    use super::super::{Source, procfile, supervisord, systemd};
    use super::*;
    use mainstay_daemon::config;

    /// What is wrong with a config, and the names of its targets.
    fn read(text: &str) -> (Vec<String>, Vec<String>) {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("mainstay.toml");
        std::fs::write(&file, text).unwrap();
        let loaded = config::load(&file).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
        let problems = loaded.warnings.into_iter().map(|warning| warning.message);
        let names = loaded.spec.targets.iter().map(|one| one.name.to_string());
        (problems.collect(), names.collect())
    }

    #[test]
    fn whatever_is_run_has_a_check_that_it_runs() {
        for line in [
            "autorestart=true",
            "autorestart=unexpected",
            "autorestart=false",
            "",
        ] {
            let found = supervisord::import(&[Source {
                text: format!("[program:web]\ncommand=/bin/web\n{line}\n"),
                ..Source::default()
            }]);
            let text = super::imported(&found.targets, &found.notes, None);
            assert_eq!(
                text.matches("kind = \"process\"").count(),
                1,
                "{line}: {text}"
            );
            let (problems, _) = read(&text);
            assert_eq!(problems, Vec::<String>::new(), "{line}: {text}");
        }
    }

    #[test]
    fn what_ends_by_itself_is_not_looked_at() {
        for (kind, expected) in [("oneshot", 0), ("simple", 1)] {
            let found = systemd::import(&[Source {
                file: "app.service".to_owned(),
                text: format!("[Service]\nType={kind}\nExecStart=/bin/app\n"),
                ..Source::default()
            }]);
            let text = super::imported(&found.targets, &found.notes, None);
            assert_eq!(
                text.matches("kind = \"process\"").count(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn a_secret_is_named_and_its_value_stands_in_its_target_alone() {
        let found = supervisord::import(&[Source {
            text: "[program:web]\ncommand=/bin/web\nenvironment=API_TOKEN=\"hunter2\",HOME=\"%(ENV_HOME)s\"\n"
                .to_owned(),
            ..Source::default()
        }]);
        let text = super::imported(&found.targets, &found.notes, None);
        assert_eq!(text.matches("hunter2").count(), 1, "{text}");
        let hints = secrets(&found.targets);
        let [hint] = hints.as_slice() else {
            panic!("{hints:?}")
        };
        for said in [
            "target web: the value of API_TOKEN looks like a secret",
            "api-token = { file = \"secrets/api-token\" } below [secrets]",
            "API_TOKEN = \"${secret:api-token}\"",
        ] {
            assert!(hint.contains(said), "{said}: {hint}");
        }
        assert!(text.contains(hint), "{text}");
        read(&text);
    }

    #[test]
    fn the_first_config_is_good() {
        let (problems, names) = read(&first(None));
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(names, ["hello"]);
    }

    #[test]
    fn a_service_of_the_machine_has_its_state_and_its_alerts_elsewhere() {
        let config: toml::Table = first(Some("/var/lib/x")).parse().unwrap();
        assert_eq!(
            config["host"]["state_dir"].as_str(),
            Some("/var/lib/x/state")
        );
        let log_file = &config["plugin"]["log-file"];
        let granted = &log_file["grants"]["dir"][0]["path"];
        assert_eq!(granted.as_str(), Some("/var/lib/x/alerts"));
        let path = &log_file["settings"]["path"];
        assert_eq!(path.as_str(), Some("/var/lib/x/alerts/alerts.jsonl"));
        // Nothing else of it is another one.
        let moved = first(Some("/var/lib/x")).replace("/var/lib/x/", "");
        assert_eq!(moved, first(None));
    }

    #[test]
    fn what_the_config_names_is_put_beside_it_and_comes_with_the_program() {
        let put = super::super::PLUGINS;
        let config: toml::Table = first(None).parse().unwrap();
        for name in config["plugin"].as_table().unwrap().keys() {
            assert!(put.contains(&name.as_str()), "{name}");
        }
        for name in put {
            assert!(crate::carried::named(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn what_is_imported_can_be_read() {
        let source = |file: &str, text: &str| {
            vec![Source {
                file: file.to_owned(),
                directory: "/srv".to_owned(),
                text: text.to_owned(),
                ..Source::default()
            }]
        };
        let supervisord = supervisord::import(&source(
            "s.conf",
            "[program:web]\ncommand=/bin/web --x \"a b\"\nnumprocs=2\nautorestart=true\nexitcodes=0,2\nstopsignal=INT\n\
             stopwaitsecs=30\nenvironment=A=\"1\",B=\"two\nlines\"\nuser=www-data\ndirectory=/srv\npriority=10\numask=027\n\
             stdout_logfile_maxbytes=50MB\nstdout_logfile_backups=7\nstartsecs=0\n[program:off]\ncommand=x\nautostart=no\n\
             [program:job]\ncommand=job\nexitcodes=0,3\n",
        ));
        let procfile = procfile::import(&source("Procfile", "web: a $PORT\nclock: b\n"));
        let systemd = systemd::import(&source(
            "app.service",
            "[Service]\nType=oneshot\nExecStartPre=/bin/a\nExecStart=/bin/b $X\nUser=app\nUMask=0027\nLimitNOFILE=4096\n\
             Nice=5\nMemoryMax=1G\nCPUQuota=150%\nEnvironmentFile=/etc/app.env\nExecReload=/bin/kill -HUP $MAINPID\n\
             TimeoutStopSec=500ms\nSuccessExitStatus=143\n",
        ));
        for (mut imported, expected) in [
            (supervisord, &["web", "web-2", "job"][..]),
            (procfile, &["web", "clock"][..]),
            (systemd, &["app"][..]),
        ] {
            super::super::draft::tell_apart(&mut imported.targets);
            super::super::draft::untangle(&mut imported.targets);
            let text = super::imported(&imported.targets, &imported.notes, None);
            let (problems, names) = read(&text);
            assert_eq!(names, expected, "{text}");
            assert_eq!(problems, Vec::<String>::new(), "{text}");
        }
    }
}
