//! The examples and the sample of the architecture load; every key that the reference shows arrives in the spec.

use super::{super::load, HOST, load_text};
use mainstay_domain::{
    backup::BackupType,
    certificate::DaysLeft,
    condition::Condition,
    effect::{HttpMethod, Signal},
    event::EventKind,
    jitter::Jitter,
    mail_address::{MailAddress, Recipients},
    name::{
        CommandName, FailureType, GroupName, JobName, MailAccountName, PluginName, SecretName,
        TargetName, TierName,
    },
    policy::{Phase, sha256_hex},
    severity::Severity,
    spec::{
        ApprovalSpec, ArchiveSpec, AzureTierSpec, BackupSource, BandwidthSpec, BeforeStart,
        BreakerSpec, BucketSpec, CheckKind, CheckSpec, CommandSpec, DeciderSpec, DirectoryGrant,
        DrillCommands, DrillSpec, EngineCheck, ExecCheck, FailOf, ForeignCommands, GcsTierSpec,
        Grants, GroupBy, HookSpec, HttpCheck, HttpOrigin, HttpSource, Limits, LogPattern, MailTls,
        MaintenanceBegin, OnDoubt, OnFailure, OnShutdown, OnUnreadable, OverBudget, PluginCheck,
        PluginSource, PluginSpec, PolicySpec, PostgresCheck, ProcessSpec, RedisCheck, RedisRole,
        RedisSource, Reload, RestartPolicy, RestoreDrillSpec, RunAs, S3Check, S3TierSpec, Schedule,
        SecretSource, ServiceAddress, SocketSpec, Spec, StatsdFlavour, Strategy, TargetGrant,
        TargetSpec, TargetVerb, TierPlaceSpec, TierRole, TierSpec, Trust, ViewerSpec, WindowSpec,
        Workflow,
    },
    time::Timestamp,
};
use semver::VersionReq;
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    net::SocketAddr,
    num::NonZeroU32,
    path::{Path, PathBuf},
    time::Duration,
};

/// What the architecture shows, and the target that it depends on.
#[test]
fn the_sample_of_the_architecture_loads() {
    let spec = match load_text(include_str!("../corpus/good/architecture.toml")) {
        Ok(loaded) => loaded.spec,
        Err(errors) => panic!("{errors}"),
    };
    assert_eq!(spec.host.state_dir, Path::new("/etc/mainstay/state"));
    assert_eq!(spec.targets.len(), 2);
    assert_eq!(spec.routes.len(), 1);
    assert_eq!(spec.alerts.len(), 1);
    assert_eq!(spec.plugins.len(), 2);
    let job = &spec.jobs[0];
    assert_eq!(job.incremental, Some(Schedule::Every(minutes(15))));
    assert_eq!(
        job.retention.as_ref().unwrap().policy.as_str(),
        "gfs-retention"
    );
}

fn example(name: &str) -> PathBuf {
    let crate_root = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_root.join("../../examples").join(name)
}

#[test]
fn the_examples_load_without_a_warning() {
    for name in ["first.toml", "mainstay.toml"] {
        match load(&example(name)) {
            Ok(loaded) => assert_eq!(loaded.warnings, [], "{name}"),
            Err(errors) => panic!("{errors}"),
        }
    }
}

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

fn minutes(number: u64) -> Duration {
    seconds(60 * number)
}

fn hours(number: u64) -> Duration {
    minutes(60 * number)
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

fn target(spec: &Spec) -> TargetSpec {
    spec.targets[0].clone()
}

fn process(spec: &Spec) -> ProcessSpec {
    target(spec).process.unwrap()
}

fn check(spec: &Spec) -> CheckSpec {
    target(spec).checks[0].clone()
}

fn command(spec: &Spec) -> CommandSpec {
    let name = CommandName::parse("flush").unwrap();
    spec.commands[&name].clone()
}

fn plugin(spec: &Spec) -> PluginSpec {
    let name = PluginName::parse("p").unwrap();
    spec.plugins[&name].clone()
}

fn grants(spec: &Spec) -> Grants {
    plugin(spec).grants
}

fn limits(spec: &Spec) -> Limits {
    plugin(spec).limits
}

/// A table of keys: what is written, where it arrives, and as what.
#[derive(Default)]
struct Keys(BTreeSet<&'static str>);

impl Keys {
    /// `text` begins with what the section needs before the key.
    fn arrives<T: PartialEq + Debug>(
        &mut self,
        key: &'static str,
        text: &str,
        read: impl Fn(&Spec) -> T,
        expected: T,
    ) {
        let text = if key.starts_with("host.") {
            text.to_owned()
        } else {
            format!("{HOST}{text}")
        };
        match load_text(&text) {
            Ok(loaded) => assert_eq!(read(&loaded.spec), expected, "{key}:\n{text}"),
            Err(errors) => panic!("{key}:\n{errors}"),
        }
        self.0.insert(key);
    }

    fn host<T: PartialEq + Debug>(
        &mut self,
        key: &'static str,
        line: &str,
        read: impl Fn(&Spec) -> T,
        expected: T,
    ) {
        let text = format!("{HOST}{line}\n[secrets]\nt = {{ env = \"T\" }}\n");
        self.arrives(key, &text, read, expected);
    }

    fn target<T: PartialEq + Debug>(
        &mut self,
        key: &'static str,
        lines: &str,
        read: impl Fn(&Spec) -> T,
        expected: T,
    ) {
        let text = format!("[[target]]\nname = \"a\"\n{lines}\n[[target]]\nname = \"b\"\n");
        self.arrives(key, &text, read, expected);
    }

    fn check<T: PartialEq + Debug>(
        &mut self,
        key: &'static str,
        lines: &str,
        read: impl Fn(&CheckSpec) -> T,
        expected: T,
    ) {
        let lines = format!("run = [\"x\"]\n[[target.check]]\nfailure = \"down\"\n{lines}");
        self.target(key, &lines, |spec| read(&check(spec)), expected);
    }

    fn route<T: PartialEq + Debug>(
        &mut self,
        key: &'static str,
        lines: &str,
        read: impl Fn(&mainstay_domain::spec::RouteSpec) -> T,
        expected: T,
    ) {
        let chain = if key.starts_with("route.chain") {
            ""
        } else {
            "chain = [{ handler = \"h\" }]\n"
        };
        let text = format!("[[target]]\nname = \"a\"\n[[route]]\n{chain}{lines}");
        self.arrives(key, &text, |spec| read(&spec.routes[0]), expected);
    }

    fn plugin<T: PartialEq + Debug>(
        &mut self,
        key: &'static str,
        line: &str,
        read: impl Fn(&Spec) -> T,
        expected: T,
    ) {
        let text = format!(
            "[plugin.p]\n{line}\n[command.flush]\nrun = [\"x\"]\n[[target]]\nname = \"a\"\n\
             [[job]]\nencryption = \"none\"\nname = \"j\"\nsource = [{{ kind = \"directory\", path = \"d\" }}]\n"
        );
        self.arrives(key, &text, read, expected);
    }

    fn job<T: PartialEq + Debug>(
        &mut self,
        key: &'static str,
        lines: &str,
        read: impl Fn(&mainstay_domain::spec::JobSpec) -> T,
        expected: T,
    ) {
        let source = if key.starts_with("job.source") {
            ""
        } else {
            "source = [{ kind = \"directory\", path = \"d\" }]\n"
        };
        let encryption = match key.starts_with("job.encryption") {
            true => "",
            false => "encryption = \"none\"\n",
        };
        let text = format!("[[job]]\nname = \"j\"\n{encryption}{source}{lines}");
        self.arrives(key, &text, |spec| read(&spec.jobs[0]), expected);
    }
}

#[test]
fn every_key_of_the_reference_arrives() {
    let mut keys = Keys::default();
    host_keys(&mut keys);
    target_keys(&mut keys);
    check_keys(&mut keys);
    route_keys(&mut keys);
    plugin_keys(&mut keys);
    job_keys(&mut keys);
    tier_keys(&mut keys);
    archive_keys(&mut keys);
    maintenance_keys(&mut keys);
    escalation_keys(&mut keys);
    telemetry_keys(&mut keys);
    policy_keys(&mut keys);
    let text = std::fs::read_to_string(example("mainstay.toml")).unwrap();
    let table: toml::Table = text.parse().unwrap();
    let mut shown = BTreeSet::new();
    collect_keys("", &toml::Value::Table(table), &mut shown);
    let tested: BTreeSet<String> = keys.0.iter().map(|key| (*key).to_owned()).collect();
    assert_eq!(shown, tested, "the reference and this test name other keys");
}

/// The dotted path of every value, without the operator's own names and without what only others read.
fn collect_keys(path: &str, value: &toml::Value, into: &mut BTreeSet<String>) {
    let is_leaf = ["env", "headers", "params", "settings"]
        .iter()
        .any(|end| path.ends_with(&format!(".{end}")) && path != "secrets.env");
    match value {
        toml::Value::Table(table) if !is_leaf => {
            for (key, value) in table {
                let is_name = [
                    "breaker", "command", "cooldown", "group", "phase", "plugin", "secrets",
                    "smtp", "tier",
                ];
                let is_name = is_name.contains(&path);
                let path = match path {
                    "" => key.clone(),
                    path if is_name => format!("{path}."),
                    path if path.ends_with('.') => format!("{path}{key}"),
                    path => format!("{path}.{key}"),
                };
                collect_keys(&path, value, into);
            }
        }
        toml::Value::Array(items) if items.iter().any(toml::Value::is_table) => {
            for item in items {
                collect_keys(path, item, into);
            }
        }
        _ => {
            into.insert(path.to_owned());
        }
    }
}

/// What is read of a table does not hang on whether another key of it has a value that can be read, and a key that is there is
/// not asked for.
#[test]
fn a_value_that_is_refused_makes_no_other_key_unknown() {
    let text = std::fs::read_to_string(example("mainstay.toml")).unwrap();
    let table: toml::Table = text.parse().unwrap();
    for turn in 0.. {
        let mut spoilt = toml::Value::Table(table.clone());
        if !spoil(&mut spoilt, turn) {
            assert!(turn > 20, "{turn}");
            break;
        }
        let errors = load_text(&toml::to_string(&spoilt).unwrap()).unwrap_err();
        let unknown = errors.problems.iter().filter(|problem| {
            let message = &problem.message;
            let wrong = [
                "unknown key",
                "has no meaning",
                " needs ",
                "belong together",
            ];
            wrong.iter().any(|wrong| message.contains(wrong))
        });
        let unknown: Vec<&str> = unknown.map(|problem| problem.message.as_str()).collect();
        assert!(unknown.is_empty(), "{turn}: {unknown:?}");
    }
}

/// Empties the value of one key of each table, another one at each turn; false where no table has so many.
fn spoil(value: &mut toml::Value, turn: usize) -> bool {
    let is_leaf = |value: &toml::Value| match value {
        toml::Value::Table(_) => false,
        toml::Value::Array(items) => !items.iter().any(toml::Value::is_table),
        _ => true,
    };
    let mut has_spoilt = false;
    match value {
        toml::Value::Table(table) => {
            let mut leaves = 0;
            for (_, value) in table.iter_mut() {
                if !is_leaf(value) {
                    has_spoilt |= spoil(value, turn);
                    continue;
                }
                if leaves == turn {
                    *value = toml::Value::String(String::new());
                    has_spoilt = true;
                }
                leaves += 1;
            }
        }
        toml::Value::Array(items) => {
            for item in items {
                has_spoilt |= spoil(item, turn);
            }
        }
        _ => {}
    }
    has_spoilt
}

fn host_keys(keys: &mut Keys) {
    keys.host(
        "host.name",
        "name = \"n\"",
        |s| s.host.name.clone(),
        "n".into(),
    );
    let below = |name: &str| Path::new("/etc/mainstay").join(name);
    keys.host(
        "host.state_dir",
        "",
        |s| s.host.state_dir.clone(),
        below("state"),
    );
    keys.host(
        "host.plugin_dir",
        "",
        |s| s.host.plugin_dir.clone(),
        below("plugins"),
    );
    let line = "shutdown_deadline = \"7s\"";
    keys.host(
        "host.shutdown_deadline",
        line,
        |s| s.host.shutdown_deadline,
        seconds(7),
    );
    let line = "keep_history = \"2d\"";
    keys.host(
        "host.keep_history",
        line,
        |s| s.host.keep_history,
        hours(48),
    );
    let key = "ab".repeat(32);
    let line = format!("trusted_backup_keys = [\"{key}\", \"unsigned\"]");
    keys.host(
        "host.trusted_backup_keys",
        &line,
        |s| s.host.trusted_backup_keys.clone(),
        vec![key.clone(), "unsigned".to_owned()],
    );
    let line = "api = { listen = \"127.0.0.1:7070\", token = \"t\" }";
    let listen: SocketAddr = "127.0.0.1:7070".parse().unwrap();
    keys.host(
        "host.api.listen",
        line,
        |s| s.host.api.as_ref().unwrap().listen,
        listen,
    );
    let token = SecretName::parse("t").unwrap();
    let read = |s: &Spec| s.host.api.as_ref().unwrap().token.clone();
    keys.host("host.api.token", line, read, token.clone());
    let read = |s: &Spec| s.host.api.as_ref().unwrap().hosts.clone();
    let line =
        "api = { listen = \"127.0.0.1:7070\", token = \"t\", hosts = [\"A.example\", \"[::7]\"] }";
    let hosts = vec!["a.example".to_owned(), "::7".to_owned()];
    keys.host("host.api.hosts", line, read, hosts);
    let line = "api = { group = \"ops\", viewers = [\"anna\", \"@staff\"] }";
    let read = |s: &Spec| s.host.socket.group.clone();
    keys.host("host.api.group", line, read, Some("ops".to_owned()));
    let read = |s: &Spec| s.host.socket.viewers.clone();
    let viewers = vec![
        ViewerSpec::User("anna".to_owned()),
        ViewerSpec::Group("staff".to_owned()),
    ];
    keys.host("host.api.viewers", line, read, viewers);
    // Where no key says so, only the address itself and localhost are ours.
    let line = "api = { listen = \"127.0.0.1:7070\", token = \"t\" }";
    keys.host("host.api.hosts", line, read, Vec::new());

    let read = |s: &Spec| s.secrets[&token].clone();
    let source = SecretSource::File("/etc/mainstay/x".into());
    keys.arrives(
        "secrets.file",
        "[secrets]\nt = { file = \"x\" }",
        read,
        source,
    );
    let source = SecretSource::Env("X".into());
    keys.arrives(
        "secrets.env",
        "[secrets]\nt = { env = \"X\" }",
        read,
        source,
    );

    let text = "[command.flush]\nrun = [\"rm\", \"{key}\"]\nplaceholders = [\"key\"]\ncwd = \"/c\"\n\
                env = { A = \"b\" }\nuser = \"u\"\ntimeout = \"3s\"\nidempotent = true\n";
    keys.arrives("command.run", text, |s| command(s).run, words("rm {key}"));
    keys.arrives(
        "command.placeholders",
        text,
        |s| command(s).placeholders,
        words("key"),
    );
    keys.arrives("command.cwd", text, |s| command(s).cwd, "/c".into());
    let env = [("A".to_owned(), "b".to_owned())].into();
    keys.arrives("command.env", text, |s| command(s).env, env);
    keys.arrives("command.user", text, |s| command(s).user, Some("u".into()));
    keys.arrives("command.timeout", text, |s| command(s).timeout, seconds(3));
    keys.arrives("command.idempotent", text, |s| command(s).idempotent, true);

    let text = "[[target]]\nname = \"a\"\n[[alert]]\nalerter = \"w\"\nmin_severity = \"high\"\n\
                events = [\"operation.failed\"]\ntarget = \"a\"\nversion = \"^2\"\n\
                group_wait = \"3s\"\ngroup_by = [\"failure\", \"target\"]\n";
    keys.arrives(
        "alert.min_severity",
        text,
        |s| s.alerts[0].min_severity,
        Severity::High,
    );
    let kinds = vec![EventKind::OperationFailed];
    keys.arrives("alert.events", text, |s| s.alerts[0].events.clone(), kinds);
    let name = TargetName::parse("a").ok();
    keys.arrives("alert.target", text, |s| s.alerts[0].target.clone(), name);
    let name = PluginName::parse("w").unwrap();
    keys.arrives("alert.alerter", text, |s| s.alerts[0].alerter.clone(), name);
    let version = VersionReq::parse("^2").unwrap();
    keys.arrives(
        "alert.version",
        text,
        |s| s.alerts[0].version.clone(),
        version,
    );
    let grouping = |s: &Spec| s.alerts[0].grouping.clone();
    let wait = |s: &Spec| grouping(s).map(|grouping| grouping.wait);
    keys.arrives("alert.group_wait", text, wait, Some(seconds(3)));
    let by = |s: &Spec| grouping(s).map(|grouping| grouping.by);
    let both = Some(vec![GroupBy::Target, GroupBy::Failure]);
    keys.arrives("alert.group_by", text, by, both);
}

fn target_keys(keys: &mut Keys) {
    keys.target(
        "target.name",
        "",
        |s| target(s).name,
        TargetName::parse("a").unwrap(),
    );
    keys.target("target.priority", "priority = 1", |s| target(s).priority, 1);
    let names = vec![TargetName::parse("b").unwrap()];
    keys.target(
        "target.depends_on",
        "depends_on = [\"b\"]",
        |s| target(s).depends_on,
        names,
    );
    keys.target("target.rto", "rto = \"9s\"", |s| target(s).rto, seconds(9));
    let line = "validation_timeout = \"9s\"";
    keys.target(
        "target.validation_timeout",
        line,
        |s| target(s).validation_timeout,
        seconds(9),
    );
    let line = "run = [\"x\"]\nstart_period = \"0s\"";
    keys.target(
        "target.start_period",
        line,
        |s| target(s).start_period,
        Duration::ZERO,
    );
    let breaker = BreakerSpec {
        open_for: seconds(9),
    };
    let line = "breaker = { open_for = \"9s\" }";
    keys.target(
        "target.breaker.open_for",
        line,
        |s| target(s).breaker,
        breaker,
    );

    let preset = "breaker = \"brisk\"\n[[target.check]]\nkind = \"tcp\"\nfailure = \"late\"\n\
                  address = \"127.0.0.1:1\"\n[breaker.brisk]\nfail_after = 3\nrecover_after = 4\nopen_for = \"15s\"";
    let said = |s: &Spec| {
        let check = check(s);
        let open_for = target(s).breaker.open_for;
        (check.fail_after, check.recover_after, open_for)
    };
    for key in [
        "target.breaker",
        "breaker.fail_after",
        "breaker.recover_after",
        "breaker.open_for",
    ] {
        keys.target(key, preset, said, (3, 4, seconds(15)));
    }

    let foreign = "commands.start = [\"a\", \"1\"]\ncommands.stop = [\"b\"]\ncommands.restart = [\"c\"]\n\
                   commands.reload = [\"d\"]\ncommands.timeout = \"9s\"\npid_file = \"run/p\"\n\
commands.env = { A = \"b\" }\ncommands.user = \"u\"";
    let commands = ForeignCommands {
        start: Some(words("a 1")),
        stop: Some(words("b")),
        restart: Some(words("c")),
        reload: Some(words("d")),
        timeout: seconds(9),
        pid_file: Some("/etc/mainstay/run/p".into()),
        run_as: RunAs {
            env: [("A".to_owned(), "b".to_owned())].into(),
            user: Some("u".into()),
        },
    };
    for key in [
        "target.commands.start",
        "target.commands.stop",
        "target.commands.restart",
        "target.commands.reload",
        "target.commands.timeout",
        "target.pid_file",
        "target.commands.env",
        "target.commands.user",
    ] {
        keys.target(key, foreign, |s| target(s).commands, commands.clone());
    }

    let drill = "drill.block = { run = \"a\", undo = \"b\" }\ndrill.fill = { run = \"c\", undo = \"d\" }\n\
                 drill.command = { run = \"e\", undo = \"f\" }\n[command.a]\nrun = [\"x\"]\n[command.b]\nrun = [\"x\"]\n\
                 [command.c]\nrun = [\"x\"]\n[command.d]\nrun = [\"x\"]\n[command.e]\nrun = [\"x\"]\n[command.f]\nrun = [\"x\"]";
    let pair = |run: &str, undo: &str| {
        Some(DrillCommands {
            run: CommandName::parse(run).unwrap(),
            undo: CommandName::parse(undo).unwrap(),
        })
    };
    let drills = DrillSpec {
        block: pair("a", "b"),
        fill: pair("c", "d"),
        command: pair("e", "f"),
    };
    for key in [
        "target.drill.block.run",
        "target.drill.block.undo",
        "target.drill.fill.run",
        "target.drill.fill.undo",
        "target.drill.command.run",
        "target.drill.command.undo",
    ] {
        keys.target(key, drill, |s| target(s).drill, drills.clone());
    }

    let run = |line: &str| format!("run = [\"x\", \"y\"]\n{line}");
    keys.target("target.run", &run(""), |s| process(s).run, words("x y"));
    keys.target(
        "target.cwd",
        &run("cwd = \"/c\""),
        |s| process(s).cwd,
        "/c".into(),
    );
    let env = [("A".to_owned(), "b".to_owned())].into();
    keys.target(
        "target.env",
        &run("env = { A = \"b\" }"),
        |s| process(s).env,
        env,
    );
    keys.target(
        "target.user",
        &run("user = \"u\""),
        |s| process(s).user,
        Some("u".into()),
    );
    keys.target(
        "target.umask",
        &run("umask = \"027\""),
        |s| process(s).umask,
        Some(0o027),
    );
    keys.target(
        "target.stop_signal",
        &run("stop_signal = \"SIGQUIT\""),
        |s| process(s).stop_signal,
        Signal::Quit,
    );
    for (written, reload) in [
        ("\"SIGHUP\"", Reload::Signal(Signal::Hup)),
        ("[\"x\", \"-r\"]", Reload::Run(words("x -r"))),
    ] {
        keys.target(
            "target.reload",
            &run(&format!("reload = {written}")),
            |s| process(s).reload,
            Some(reload),
        );
    }
    keys.target(
        "target.grace",
        &run("grace = \"3s\""),
        |s| process(s).grace,
        seconds(3),
    );
    let line = run("on_shutdown = \"leave\"");
    keys.target(
        "target.on_shutdown",
        &line,
        |s| process(s).on_shutdown,
        OnShutdown::Leave,
    );
    keys.target(
        "target.nice",
        &run("nice = -20"),
        |s| process(s).nice,
        Some(-20),
    );
    keys.target(
        "target.nofile",
        &run("nofile = 99"),
        |s| process(s).nofile,
        Some(99),
    );
    keys.target(
        "target.memory_max",
        &run("memory_max = \"2MiB\""),
        |s| process(s).memory_max,
        Some(2 << 20),
    );
    keys.target(
        "target.cpu_max",
        &run("cpu_max = 12.5"),
        |s| process(s).cpu_max,
        Some(12.5),
    );
    keys.target(
        "target.env_file",
        &run("env_file = \"/c\""),
        |s| process(s).env_file,
        Some("/c".into()),
    );
    let line = run("before_start = { run = [\"a\", \"b\"], timeout = \"9s\" }");
    let before = Some(BeforeStart {
        run: words("a b"),
        timeout: seconds(9),
    });
    for key in ["target.before_start.run", "target.before_start.timeout"] {
        keys.target(key, &line, |s| process(s).before_start, before.clone());
    }
    let line = run("pid_file = \"run/p\"");
    let pid_file = Some("/etc/mainstay/run/p".into());
    keys.target("target.pid_file", &line, |s| process(s).pid_file, pid_file);
    let line = run("restart = \"never\"");
    keys.target(
        "target.restart",
        &line,
        |s| process(s).restart,
        RestartPolicy::Never,
    );
    let line = run("expected_exit = [0, 3]");
    let ends = (RestartPolicy::OnFailure, vec![0, 3], true);
    keys.target(
        "target.expected_exit",
        &line,
        |s| {
            let process = process(s);
            (process.restart, process.expected_exit, process.runs_once)
        },
        ends,
    );
    let line = run("exit_failure = \"gone\"");
    let gone = FailureType::parse("gone").unwrap();
    keys.target(
        "target.exit_failure",
        &line,
        |s| process(s).exit_failure,
        gone,
    );
    let line = run("exit_severity = \"low\"");
    keys.target(
        "target.exit_severity",
        &line,
        |s| process(s).exit_severity,
        Severity::Low,
    );
    let line = run("log = { max_bytes = \"1MiB\", keep = 7 }");
    keys.target(
        "target.log.max_bytes",
        &line,
        |s| process(s).log_max_bytes,
        1 << 20,
    );
    keys.target("target.log.keep", &line, |s| process(s).log_keep, 7);
}

fn check_keys(keys: &mut Keys) {
    let beat = |line: &str| {
        let every = match line.starts_with("every") {
            true => "",
            false => "every = \"10s\"\n",
        };
        format!("kind = \"heartbeat\"\n{every}{line}")
    };
    keys.check(
        "target.check.kind",
        &beat(""),
        |c| c.kind.clone(),
        CheckKind::Heartbeat,
    );
    let line = "kind = \"plugin\"\nplugin = \"trend\"\nversion = \"^1\"\nparams = { least = 3 }";
    let kind = CheckKind::Plugin(PluginCheck {
        plugin: PluginName::parse("trend").unwrap(),
        version: "^1".parse().unwrap(),
        params: json!({ "least": 3 }),
    });
    for key in [
        "target.check.plugin",
        "target.check.version",
        "target.check.params",
    ] {
        keys.check(key, line, |c| c.kind.clone(), kind.clone());
    }
    keys.check(
        "target.check.name",
        &beat("name = \"n\""),
        |c| c.name.to_string(),
        "n".into(),
    );
    keys.check(
        "target.check.every",
        &beat("every = \"9s\""),
        |c| c.every,
        seconds(9),
    );
    keys.check(
        "target.check.timeout",
        &beat("timeout = \"9s\""),
        |c| c.timeout,
        seconds(9),
    );
    keys.check(
        "target.check.fail_after",
        &beat("fail_after = 9"),
        |c| c.fail_after,
        9,
    );
    for key in ["target.check.fail_of.failures", "target.check.fail_of.of"] {
        let line = beat("fail_of = { failures = 3, of = 5 }");
        let expected = FailOf { failures: 3, of: 5 };
        keys.check(key, &line, |c| c.fail_of, Some(expected));
    }
    keys.check(
        "target.check.recover_after",
        &beat("recover_after = 9"),
        |c| c.recover_after,
        9,
    );
    keys.check(
        "target.check.jitter",
        &beat("jitter = \"9s\""),
        |c| c.jitter,
        seconds(9),
    );
    keys.check(
        "target.check.failure",
        &beat(""),
        |c| c.failure.to_string(),
        "down".into(),
    );
    keys.check(
        "target.check.severity",
        &beat("severity = \"low\""),
        |c| c.severity,
        Severity::Low,
    );

    let http = "kind = \"http\"\nurl = \"https://h/p\"\nstatus = [200, 204]\nbody_contains = \"ok\"\n\
                method = \"POST\"\nheaders = { X-A = \"b\" }\nfollow_redirects = true\nca = \"f\"\nwarn_latency = \"9ms\"";
    let read = HttpCheck {
        url: "https://h/p".into(),
        method: HttpMethod::Post,
        headers: [("x-a".to_owned(), "b".to_owned())].into(),
        follow_redirects: true,
        trust: Trust::Authorities("/etc/mainstay/f".into()),
        status: (200, 204),
        body_contains: Some("ok".into()),
        warn_latency: Some(Duration::from_millis(9)),
    };
    let kind = CheckKind::Http(read.clone());
    for key in [
        "target.check.method",
        "target.check.headers",
        "target.check.follow_redirects",
        "target.check.ca",
        "target.check.url",
        "target.check.status",
        "target.check.body_contains",
    ] {
        keys.check(key, http, |c| c.kind.clone(), kind.clone());
    }
    let single = "kind = \"http\"\nurl = \"http://h\"\nstatus = 204";
    let status = |c: &CheckSpec| match c.kind {
        CheckKind::Http(HttpCheck { status, .. }) => status,
        _ => (0, 0),
    };
    keys.check("target.check.status", single, status, (204, 204));
    let line = http.replace("ca = \"f\"", "insecure = true");
    let kind = CheckKind::Http(HttpCheck {
        trust: Trust::Anyone,
        ..read
    });
    keys.check("target.check.insecure", &line, |c| c.kind.clone(), kind);
    let line = "kind = \"tcp\"\naddress = \"[::1]:80\"\nwarn_latency = \"9ms\"";
    let kind = CheckKind::Tcp {
        address: "[::1]:80".into(),
        warn_latency: Some(Duration::from_millis(9)),
    };
    for key in ["target.check.address", "target.check.warn_latency"] {
        keys.check(key, line, |c| c.kind.clone(), kind.clone());
    }
    let line = "kind = \"unix\"\npath = \"s\"\nwarn_latency = \"9ms\"";
    let kind = CheckKind::Unix {
        path: "/etc/mainstay/s".into(),
        warn_latency: Some(Duration::from_millis(9)),
    };
    for key in ["target.check.path", "target.check.warn_latency"] {
        keys.check(key, line, |c| c.kind.clone(), kind.clone());
    }
    let secrets = "[secrets]\nt = { env = \"T\" }";
    let line = format!(
        "kind = \"redis\"\naddress = \"h:1\"\nuser = \"u\"\npassword = \"t\"\nca = \"f\"\nrole = \"replica\"\n\
         warn_memory = \"1KiB\"\nwarn_lag = \"9s\"\nread_key = \"r\"\nwrite_key = \"w\"\nwarn_latency = \"9ms\"\n{secrets}"
    );
    let redis = RedisCheck {
        at: ServiceAddress::Tcp("h:1".into()),
        user: Some("u".into()),
        password: SecretName::parse("t").ok(),
        ca: Some("/etc/mainstay/f".into()),
        role: Some(RedisRole::Replica),
        warn_memory: Some(1024),
        warn_lag: Some(seconds(9)),
        read_key: Some("r".into()),
        write_key: Some("w".into()),
        warn_latency: Some(Duration::from_millis(9)),
    };
    let kind = CheckKind::Redis(redis);
    for key in [
        "target.check.address",
        "target.check.user",
        "target.check.password",
        "target.check.ca",
        "target.check.role",
        "target.check.warn_memory",
        "target.check.warn_lag",
        "target.check.read_key",
        "target.check.write_key",
        "target.check.warn_latency",
    ] {
        keys.check(key, &line, |c| c.kind.clone(), kind.clone());
    }
    let kind = CheckKind::Redis(RedisCheck {
        at: ServiceAddress::Unix("/s".into()),
        user: None,
        password: None,
        ca: None,
        role: None,
        warn_memory: None,
        warn_lag: None,
        read_key: None,
        write_key: None,
        warn_latency: None,
    });
    let line = "kind = \"redis\"\npath = \"/s\"";
    keys.check("target.check.path", line, |c| c.kind.clone(), kind);
    let line = format!(
        "kind = \"postgres\"\naddress = \"h:1\"\nuser = \"u\"\npassword = \"t\"\nca = \"f\"\ndatabase = \"d\"\n\
         query = \"q\"\nexpects = \"\"\nwarn_latency = \"9ms\"\n{secrets}"
    );
    let kind = CheckKind::Postgres(PostgresCheck {
        at: ServiceAddress::Tcp("h:1".into()),
        user: "u".into(),
        password: SecretName::parse("t").ok(),
        ca: Some("/etc/mainstay/f".into()),
        database: "d".into(),
        query: "q".into(),
        expects: Some(String::new()),
        warn_latency: Some(Duration::from_millis(9)),
    });
    for key in [
        "target.check.address",
        "target.check.user",
        "target.check.password",
        "target.check.ca",
        "target.check.database",
        "target.check.query",
        "target.check.expects",
        "target.check.warn_latency",
    ] {
        keys.check(key, &line, |c| c.kind.clone(), kind.clone());
    }
    let kind = CheckKind::Postgres(PostgresCheck {
        at: ServiceAddress::Unix("/s".into()),
        user: "u".into(),
        password: None,
        ca: None,
        database: "u".into(),
        query: "select 1".into(),
        expects: None,
        warn_latency: None,
    });
    let line = "kind = \"postgres\"\npath = \"/s\"\nuser = \"u\"";
    keys.check("target.check.path", line, |c| c.kind.clone(), kind);
    let line =
        "kind = \"tls\"\naddress = \"h:443\"\nserver_name = \"n\"\nmin_days = 9\nwarn_days = 99";
    let kind = CheckKind::Tls {
        address: "h:443".into(),
        server_name: Some("n".into()),
        days: DaysLeft {
            min: 9,
            warn: Some(99),
        },
    };
    for key in [
        "target.check.address",
        "target.check.server_name",
        "target.check.min_days",
        "target.check.warn_days",
    ] {
        keys.check(key, line, |c| c.kind.clone(), kind.clone());
    }
    let kind = CheckKind::Tls {
        address: "h:443".into(),
        server_name: None,
        days: DaysLeft { min: 7, warn: None },
    };
    let line = "kind = \"tls\"\naddress = \"h:443\"";
    keys.check("target.check.kind", line, |c| c.kind.clone(), kind);
    let line = "kind = \"process\"\npid_file = \"/p\"";
    let kind = CheckKind::Process {
        pid_file: Some("/p".into()),
    };
    keys.check("target.check.pid_file", line, |c| c.kind.clone(), kind);
    let line = "kind = \"exec\"\nrun = [\"a\", \"b\"]\ncwd = \"/c\"\nenv = { A = \"b\" }\nuser = \"u\"\n\
                degraded_exit = 3\noutput_contains = \"x\"\ndegraded_output = \"y\"";
    let kind = CheckKind::Exec(ExecCheck {
        run: words("a b"),
        cwd: "/c".into(),
        env: [("A".to_owned(), "b".to_owned())].into(),
        user: Some("u".into()),
        degraded_exit: Some(3),
        output_contains: Some("x".into()),
        degraded_output: Some("y".into()),
    });
    for key in [
        "target.check.run",
        "target.check.cwd",
        "target.check.env",
        "target.check.user",
        "target.check.degraded_exit",
        "target.check.output_contains",
        "target.check.degraded_output",
    ] {
        keys.check(key, line, |c| c.kind.clone(), kind.clone());
    }
    let line =
        "kind = \"file\"\npath = \"f\"\nmax_age = \"1h\"\nmin_bytes = \"1KiB\"\ncontains = \"x\"";
    let kind = CheckKind::File {
        path: "/etc/mainstay/f".into(),
        max_age: Some(hours(1)),
        min_bytes: Some(1024),
        contains: Some("x".into()),
    };
    for key in [
        "target.check.path",
        "target.check.max_age",
        "target.check.min_bytes",
        "target.check.contains",
    ] {
        keys.check(key, line, |c| c.kind.clone(), kind.clone());
    }
    let line = "kind = \"engine\"\napi = \"http://h/v1\"\nheaders = { X-A = \"b\" }\nmax_age = \"9s\"\n\
                max_pending = 9\npositions = true\nwarn_latency = \"9ms\"";
    let engine = EngineCheck {
        api: "http://h/v1/".into(),
        headers: [("x-a".to_owned(), "b".to_owned())].into(),
        max_age: Some(seconds(9)),
        max_pending: Some(9),
        positions: true,
        warn_latency: Some(Duration::from_millis(9)),
    };
    let kind = CheckKind::Engine(engine);
    for key in [
        "target.check.api",
        "target.check.headers",
        "target.check.max_age",
        "target.check.max_pending",
        "target.check.positions",
        "target.check.warn_latency",
    ] {
        keys.check(key, line, |c| c.kind.clone(), kind.clone());
    }
    let kind = CheckKind::Engine(EngineCheck {
        api: "http://h/".into(),
        headers: BTreeMap::new(),
        max_age: None,
        max_pending: None,
        positions: false,
        warn_latency: None,
    });
    let line = "kind = \"engine\"\napi = \"http://h/\"";
    keys.check("target.check.api", line, |c| c.kind.clone(), kind);
    let two = "[secrets]\na = { env = \"A\" }\nb = { env = \"B\" }";
    let line = format!(
        "kind = \"s3\"\nurl = \"http://h/b\"\nmethod = \"GET\"\nregion = \"r\"\naccess_key = \"a\"\nsecret_key = \"b\"\n\
         warn_latency = \"9ms\"\n{two}"
    );
    let kind = CheckKind::S3(S3Check {
        url: "http://h/b".into(),
        method: HttpMethod::Get,
        region: "r".into(),
        keys: SecretName::parse("a").ok().zip(SecretName::parse("b").ok()),
        warn_latency: Some(Duration::from_millis(9)),
    });
    for key in [
        "target.check.url",
        "target.check.method",
        "target.check.region",
        "target.check.access_key",
        "target.check.secret_key",
        "target.check.warn_latency",
    ] {
        keys.check(key, &line, |c| c.kind.clone(), kind.clone());
    }
    let kind = CheckKind::S3(S3Check {
        url: "http://h/b".into(),
        method: HttpMethod::Head,
        region: "us-east-1".into(),
        keys: None,
        warn_latency: None,
    });
    let line = "kind = \"s3\"\nurl = \"http://h/b\"";
    keys.check("target.check.url", line, |c| c.kind.clone(), kind);
    let line = "kind = \"checksum\"\npaths = [\"a\", \"/b\"]\nrequired = true\nmembers = [\"m\"]";
    let kind = CheckKind::Checksum {
        paths: vec!["/etc/mainstay/a".into(), "/b".into()],
        required: true,
        members: words("m"),
    };
    for key in [
        "target.check.paths",
        "target.check.required",
        "target.check.members",
    ] {
        keys.check(key, line, |c| c.kind.clone(), kind.clone());
    }
    let line = "kind = \"checksum\"\npaths = [\"/b\"]";
    let kind = CheckKind::Checksum {
        paths: vec!["/b".into()],
        required: false,
        members: Vec::new(),
    };
    keys.check("target.check.kind", line, |c| c.kind.clone(), kind);
    let line = "kind = \"disk\"\npath = \"/\"\nmax_percent = 80\nwarn_percent = 70.5";
    let kind = CheckKind::Disk {
        path: "/".into(),
        max_percent: 80.0,
        warn_percent: Some(70.5),
    };
    for key in [
        "target.check.path",
        "target.check.max_percent",
        "target.check.warn_percent",
    ] {
        keys.check(key, line, |c| c.kind.clone(), kind.clone());
    }
    let line = "kind = \"memory\"\nmax_percent = 80";
    let kind = CheckKind::Memory {
        max_percent: 80.0,
        max_bytes: None,
        pid_file: None,
    };
    keys.check("target.check.max_percent", line, |c| c.kind.clone(), kind);
    let line = "kind = \"memory\"\nmax_bytes = \"1GiB\"\npid_file = \"/p\"";
    let kind = CheckKind::Memory {
        max_percent: 90.0,
        max_bytes: Some(1 << 30),
        pid_file: Some("/p".into()),
    };
    for key in ["target.check.max_bytes", "target.check.pid_file"] {
        keys.check(key, line, |c| c.kind.clone(), kind.clone());
    }
    let line = "kind = \"cpu\"\nmax_percent = 400\ndegraded_percent = 99.5\npid_file = \"/p\"";
    let kind = CheckKind::Cpu {
        max_percent: 400.0,
        degraded_percent: Some(99.5),
        pid_file: Some("/p".into()),
    };
    for key in ["target.check.max_percent", "target.check.degraded_percent"] {
        keys.check(key, line, |c| c.kind.clone(), kind.clone());
    }
    for (line, pattern) in [
        ("contains = \"F\"", LogPattern::Text("F".into())),
        ("matches = \"F+\"", LogPattern::Regex("F+".into())),
    ] {
        let line = format!("kind = \"log\"\npath = \"l\"\n{line}");
        let kind = CheckKind::Log {
            path: Some("/etc/mainstay/l".into()),
            pattern,
        };
        for key in ["target.check.path", "target.check.matches"] {
            keys.check(key, &line, |c| c.kind.clone(), kind.clone());
        }
        keys.check("target.check.fail_after", &line, |c| c.fail_after, 1);
    }
    let kind = CheckKind::Cpu {
        max_percent: 90.0,
        degraded_percent: None,
        pid_file: None,
    };
    let line = "kind = \"cpu\"";
    keys.check("target.check.kind", line, |c| c.kind.clone(), kind);
}

fn route_keys(keys: &mut Keys) {
    let failure = FailureType::parse("f").ok();
    keys.route(
        "route.failure",
        "failure = \"f\"",
        |r| r.failure.clone(),
        failure,
    );
    let name = TargetName::parse("a").ok();
    keys.route("route.target", "target = \"a\"", |r| r.target.clone(), name);
    keys.route(
        "route.severity",
        "severity = \"high\"",
        |r| r.severity,
        Some(Severity::High),
    );
    keys.route(
        "route.cooldown",
        "cooldown = \"9s\"",
        |r| r.cooldown,
        seconds(9),
    );
    keys.route(
        "route.relapse_window",
        "relapse_window = \"0s\"",
        |r| r.relapse_window,
        Duration::ZERO,
    );
    keys.route(
        "route.workflow",
        "workflow = \"thorough\"",
        |r| r.workflow,
        Workflow::Thorough,
    );
    keys.route("route.simulate", "simulate = true", |r| r.simulate, true);
    let line = "strategy = { kind = \"exponential\", max_attempts = 3, initial_delay = \"2s\", multiplier = 1.5, max_delay = \"4s\" }";
    let exponential = Strategy::Exponential {
        max_attempts: 3,
        initial_delay: seconds(2),
        multiplier: 1.5,
        max_delay: seconds(4),
        delay_first: false,
        jitter: Jitter::None,
    };
    for key in [
        "route.strategy.kind",
        "route.strategy.max_attempts",
        "route.strategy.initial_delay",
        "route.strategy.multiplier",
        "route.strategy.max_delay",
    ] {
        keys.route(key, line, |r| r.strategy, exponential);
    }
    let line = "strategy = { plugin = \"fibonacci\", version = \"^1\", params = { least = 3 } }";
    let decider = DeciderSpec {
        plugin: PluginName::parse("fibonacci").unwrap(),
        version: "^1".parse().unwrap(),
        params: json!({ "least": 3 }),
    };
    for key in [
        "route.strategy.plugin",
        "route.strategy.version",
        "route.strategy.params",
    ] {
        keys.route(key, line, |r| r.decider.clone(), Some(decider.clone()));
    }
    for (line, strategy) in [
        (
            "strategy = { kind = \"linear\", initial_delay = \"90s\" }",
            Strategy::Linear {
                max_attempts: 5,
                initial_delay: seconds(90),
                max_delay: seconds(90),
                delay_first: false,
                jitter: Jitter::None,
            },
        ),
        (
            "strategy = { kind = \"linear\", delay_first = true, jitter = \"equal\" }",
            Strategy::Linear {
                max_attempts: 5,
                initial_delay: seconds(1),
                max_delay: seconds(60),
                delay_first: true,
                jitter: Jitter::Equal,
            },
        ),
        (
            "strategy = { kind = \"immediate\" }",
            Strategy::Immediate { max_attempts: 5 },
        ),
        (
            "strategy = { kind = \"manual\" }",
            Strategy::Manual { max_attempts: 1 },
        ),
    ] {
        keys.route("route.strategy.kind", line, |r| r.strategy, strategy);
    }
    let line =
        "strategy = { kind = \"exponential\", delay_first = true, jitter = \"decorrelated\" }";
    let spread = Strategy::Exponential {
        max_attempts: 5,
        initial_delay: seconds(1),
        multiplier: 2.0,
        max_delay: seconds(60),
        delay_first: true,
        jitter: Jitter::Decorrelated,
    };
    for key in ["route.strategy.delay_first", "route.strategy.jitter"] {
        keys.route(key, line, |r| r.strategy, spread);
    }
    let step = "chain = [{ handler = \"h\", version = \"~1.2\", when = \"always\", params = { a = [1, 2.5, true] }, timeout = \"3s\" }]";
    keys.route(
        "route.chain.handler",
        step,
        |r| r.chain[0].handler.to_string(),
        "h".into(),
    );
    let version = VersionReq::parse("~1.2").unwrap();
    keys.route(
        "route.chain.version",
        step,
        |r| r.chain[0].version.clone(),
        version,
    );
    keys.route("route.chain.when", step, |r| r.chain[0].always, true);
    let met = "chain = [{ handler = \"h\", when = \"attempt>1 and not (severity < 0.7)\" }]";
    let condition = Condition::parse("attempt > 1 and not severity < 0.7").ok();
    keys.route(
        "route.chain.when",
        met,
        |r| r.chain[0].when.clone(),
        condition,
    );
    keys.route("route.chain.when", met, |r| r.chain[0].always, false);
    for (word, expected) in [("continue", OnFailure::Continue), ("stop", OnFailure::Stop)] {
        let line = format!("chain = [{{ handler = \"h\", on_failure = \"{word}\" }}]");
        keys.route(
            "route.chain.on_failure",
            &line,
            |r| r.chain[0].on_failure,
            Some(expected),
        );
    }
    keys.route(
        "route.chain.pause",
        "chain = [{ handler = \"g\" }, { handler = \"h\", pause = \"2s\" }]",
        |r| r.chain[1].pause,
        seconds(2),
    );
    let params = json!({ "a": [1, 2.5, true] });
    keys.route(
        "route.chain.params",
        step,
        |r| r.chain[0].params.clone(),
        params,
    );
    keys.route(
        "route.chain.timeout",
        step,
        |r| r.chain[0].timeout,
        seconds(3),
    );
}

fn plugin_keys(keys: &mut Keys) {
    let line = "grants.target = [\"restart\", \"stop:a\"]";
    let granted = BTreeSet::from([
        TargetGrant {
            verb: TargetVerb::Restart,
            target: None,
        },
        TargetGrant {
            verb: TargetVerb::Stop,
            target: TargetName::parse("a").ok(),
        },
    ]);
    keys.plugin("plugin.grants.target", line, |s| grants(s).target, granted);
    let command = BTreeSet::from([CommandName::parse("flush").unwrap()]);
    keys.plugin(
        "plugin.grants.command",
        "grants.command = [\"flush\"]",
        |s| grants(s).command,
        command,
    );
    let origin = |scheme: &str, host: &str, port| HttpOrigin {
        scheme: scheme.into(),
        host: host.into(),
        port,
    };
    let line = "grants.http = [\"https://Hooks.example\", \"http://[::1]:9000/\"]";
    let origins = vec![
        origin("https", "hooks.example", 443),
        origin("http", "::1", 9000),
    ];
    keys.plugin("plugin.grants.http", line, |s| grants(s).http, origins);
    let line = "grants.http = [\"https://a\", { origin = \"https://b\", idempotent = true }, { origin = \"https://c\" }]";
    let all = ["a", "b", "c"].map(|host| origin("https", host, 443));
    let expected = (all.to_vec(), vec![all[1].clone()]);
    for key in ["plugin.grants.http.origin", "plugin.grants.http.idempotent"] {
        let read = |s: &Spec| (grants(s).http, grants(s).http_idempotent);
        keys.plugin(key, line, read, expected.clone());
    }
    keys.plugin(
        "plugin.on_doubt",
        "on_doubt = \"tell\"",
        |s| plugin(s).on_doubt,
        OnDoubt::Tell,
    );
    keys.plugin(
        "plugin.grants.kv",
        "grants.kv = \"1MiB\"",
        |s| grants(s).kv_bytes,
        1 << 20,
    );
    let job = BTreeSet::from([JobName::parse("j").unwrap()]);
    keys.plugin(
        "plugin.grants.backup",
        "grants.backup = [\"j\"]",
        |s| grants(s).backup,
        job,
    );
    mail_keys(keys);
    let line = "grants.dir = [\"c\", { path = \"./d\", write = true }]";
    let directory = |path: &str, guest_path: &str, write| DirectoryGrant {
        path: path.into(),
        guest_path: guest_path.into(),
        write,
    };
    let directories = vec![
        directory("/etc/mainstay/c", "c", false),
        directory("/etc/mainstay/d", "./d", true),
    ];
    for key in [
        "plugin.grants.dir",
        "plugin.grants.dir.path",
        "plugin.grants.dir.write",
    ] {
        keys.plugin(key, line, |s| grants(s).dir, directories.clone());
    }
    let line = "limits.memory = \"1MiB\"";
    keys.plugin(
        "plugin.limits.memory",
        line,
        |s| limits(s).memory_bytes,
        1 << 20,
    );
    keys.plugin(
        "plugin.limits.deadline",
        "limits.deadline = \"9s\"",
        |s| limits(s).deadline,
        seconds(9),
    );
    keys.plugin(
        "plugin.limits.timeout",
        "limits.timeout = \"9s\"",
        |s| limits(s).timeout,
        seconds(9),
    );
    keys.plugin(
        "plugin.limits.result",
        "limits.result = \"9B\"",
        |s| limits(s).result_bytes,
        9,
    );
    keys.plugin(
        "plugin.limits.log_lines",
        "limits.log_lines = 9",
        |s| limits(s).log_lines,
        9,
    );
    keys.plugin(
        "plugin.limits.effects",
        "limits.effects = 9",
        |s| limits(s).effects,
        9,
    );
    keys.plugin(
        "plugin.limits.concurrency",
        "limits.concurrency = 9",
        |s| limits(s).concurrency,
        9,
    );
    keys.plugin(
        "plugin.limits.journal",
        "limits.journal = \"9KiB\"",
        |s| limits(s).journal_bytes,
        9 << 10,
    );
    keys.plugin(
        "plugin.plugin",
        "plugin = \"webhook\"",
        |s| plugin(s).plugin,
        PluginName::parse("webhook").ok(),
    );
    let settings = json!({ "a": { "at": "1979-05-27" } });
    keys.plugin(
        "plugin.settings",
        "settings.a.at = 1979-05-27",
        |s| plugin(s).settings,
        settings,
    );
}

fn mail_keys(keys: &mut Keys) {
    const ACCOUNT: &str = "[smtp.ops]\nhost = \"mail.example.com\"\nfrom = \"m@example.com\"\n\
                           to = [\"*@example.com\"]\n";
    const SECRETS: &str = "[secrets]\nmail = { env = \"MAIL\" }\n";
    let name = || MailAccountName::parse("ops").unwrap();
    let account = |spec: &Spec| spec.smtp[&name()].clone();
    let with = |lines: &str| format!("{ACCOUNT}{lines}{SECRETS}");
    let granted = format!("[plugin.p]\ngrants.mail = [\"ops\"]\n{ACCOUNT}");
    let read = |spec: &Spec| grants(spec).mail;
    keys.arrives("plugin.grants.mail", &granted, read, [name()].into());
    let host = "mail.example.com".to_owned();
    keys.arrives("smtp.host", &with(""), |s| account(s).host, host);
    let from = MailAddress::parse("m@example.com").unwrap();
    keys.arrives("smtp.from", &with(""), |s| account(s).from, from);
    let to = vec![Recipients::parse("*@example.com").unwrap()];
    keys.arrives("smtp.to", &with(""), |s| account(s).to, to);
    let tls = with("tls = \"starttls\"\n");
    let read = |s: &Spec| (account(s).tls, account(s).port);
    keys.arrives("smtp.tls", &tls, read, (MailTls::Starttls, 587));
    let port = with("port = 2525\n");
    keys.arrives("smtp.port", &port, read, (MailTls::Implicit, 2525));
    let login = with("user = \"u\"\npassword = \"mail\"\n");
    let expected = ("u".to_owned(), SecretName::parse("mail").unwrap());
    for key in ["smtp.user", "smtp.password"] {
        keys.arrives(key, &login, |s| account(s).login, Some(expected.clone()));
    }
    let timeout = with("timeout = \"9s\"\n");
    keys.arrives("smtp.timeout", &timeout, |s| account(s).timeout, seconds(9));
}

fn maintenance_keys(keys: &mut Keys) {
    let window = |spec: &Spec| spec.maintenance[0].clone();
    let again = |more: &str| {
        format!(
            "[[target]]\nname = \"a\"\nrun = [\"x\"]\n[[maintenance]]\n\
             cron = \"0 3 * * 0\"\nzone = \"Europe/Berlin\"\nduration = \"9h\"\n{more}"
        )
    };
    let cron = MaintenanceBegin::Every(Schedule::Cron {
        expression: "0 3 * * 0".into(),
        zone: "Europe/Berlin".into(),
    });
    for key in ["maintenance.cron", "maintenance.zone"] {
        keys.arrives(key, &again(""), |s| window(s).begins, cron.clone());
    }
    let time = "2026-12-01T03:00:00Z";
    keys.arrives(
        "maintenance.at",
        &format!("[[maintenance]]\nat = \"{time}\"\nduration = \"9h\"\n"),
        |s| window(s).begins,
        MaintenanceBegin::At(Timestamp::parse(time).unwrap()),
    );
    keys.arrives(
        "maintenance.duration",
        &again(""),
        |s| window(s).length,
        hours(9),
    );
    keys.arrives(
        "maintenance.targets",
        &again("targets = [\"a\"]"),
        |s| window(s).targets,
        vec![TargetName::parse("a").unwrap()],
    );
    keys.arrives(
        "maintenance.mode",
        &again("mode = \"alerts\""),
        |s| (window(s).holds_alerts, window(s).pauses_recovery),
        (true, false),
    );
}

fn telemetry_keys(keys: &mut Keys) {
    const STATSD: &str = "[telemetry.statsd]\naddress = \"127.0.0.1:9999\"\n";
    let statsd = |spec: &Spec| spec.statsd.clone().unwrap();
    keys.arrives(
        "telemetry.statsd.address",
        STATSD,
        |s| statsd(s).address,
        SocketAddr::from(([127, 0, 0, 1], 9_999)),
    );
    keys.arrives(
        "telemetry.statsd.prefix",
        &format!("{STATSD}prefix = \"shop.x\"\n"),
        |s| statsd(s).prefix,
        "shop.x".to_owned(),
    );
    keys.arrives(
        "telemetry.statsd.flavour",
        &format!("{STATSD}flavour = \"dogstatsd\"\n"),
        |s| statsd(s).flavour,
        StatsdFlavour::Dogstatsd,
    );
}

#[test]
fn a_statsd_that_cannot_be_sent_to_is_refused() {
    for (lines, says) in [
        ("prefix = \"x\"", "address"),
        ("address = \"127.0.0.1:0\"", "an address to send to"),
        ("address = \"localhost\"", "an address to send to"),
        (
            "address = \"127.0.0.1:1\"\nprefix = \"a..b\"",
            "the beginning of names",
        ),
        (
            "address = \"127.0.0.1:1\"\nprefix = \"\"",
            "the beginning of names",
        ),
        (
            "address = \"127.0.0.1:1\"\nprefix = \"a:b\"",
            "the beginning of names",
        ),
        (
            "address = \"127.0.0.1:1\"\nflavour = \"datadog\"",
            "\"dogstatsd\"",
        ),
    ] {
        match load_text(&format!("{HOST}[telemetry.statsd]\n{lines}\n")) {
            Ok(_) => panic!("{lines} is taken"),
            Err(errors) => {
                let errors = errors.to_string();
                assert!(errors.contains(says), "{errors}");
            }
        }
    }
}

fn escalation_keys(keys: &mut Keys) {
    keys.arrives(
        "escalation.after",
        "[escalation]\nafter = \"9m\"\n",
        |s| s.escalation.after,
        Some(minutes(9)),
    );
    keys.arrives(
        "escalation.attempts",
        "[escalation]\nattempts = 9\n",
        |s| s.escalation.attempts,
        Some(9),
    );
    keys.arrives(
        "escalation.second_level_after",
        "[escalation]\nsecond_level_after = \"9m\"\n",
        |s| s.escalation.second_level_after,
        Some(minutes(9)),
    );
    let failure = FailureType::parse("odd").unwrap();
    let steps = vec!["look".to_owned(), "call".to_owned()];
    for key in ["runbook.failure", "runbook.steps"] {
        keys.arrives(
            key,
            "[[runbook]]\nfailure = \"odd\"\nsteps = [\"look\", \"call\"]\n",
            |s| s.escalation.runbook(&failure),
            steps.clone(),
        );
    }
}

fn tier_keys(keys: &mut Keys) {
    let text = "[tier.t]\nkind = \"directory\"\npath = \"/t\"\nrole = \"archive\"\n\
                bandwidth = [{ from = \"08:00\", to = \"18:30\", zone = \"Europe/Berlin\", limit = \"10MiB\" }]\n";
    let name = TierName::parse("t").unwrap();
    let tier = TierSpec {
        place: TierPlaceSpec::Directory("/t".into()),
        role: TierRole::Archive,
        bandwidth: vec![BandwidthSpec {
            from: 8 * 60,
            to: 18 * 60 + 30,
            zone: "Europe/Berlin".to_owned(),
            limit: 10 << 20,
        }],
    };
    for key in [
        "tier.kind",
        "tier.path",
        "tier.role",
        "tier.bandwidth.from",
        "tier.bandwidth.to",
        "tier.bandwidth.zone",
        "tier.bandwidth.limit",
    ] {
        keys.arrives(key, text, |s| s.tiers[&name].clone(), tier.clone());
    }
    let text = "[secrets]\nk = { env = \"K\" }\n[tier.t]\nkind = \"s3\"\nurl = \"s3://shop/of/host/\"\n\
                endpoint = \"https://s3.example\"\nregion = \"eu-1\"\naccess_key = \"id\"\n\
                secret_key = \"${secret:k}\"\nca = \"/ca.pem\"\n";
    let bucket = TierSpec {
        place: TierPlaceSpec::Bucket(BucketSpec::S3(S3TierSpec {
            bucket: "shop".to_owned(),
            prefix: "of/host".to_owned(),
            endpoint: Some("https://s3.example".to_owned()),
            region: "eu-1".to_owned(),
            access_key: "id".to_owned(),
            secret_key: "${secret:k}".to_owned(),
            ca: Some("/ca.pem".into()),
        })),
        role: TierRole::Cloud,
        bandwidth: Vec::new(),
    };
    for key in [
        "tier.url",
        "tier.endpoint",
        "tier.region",
        "tier.access_key",
        "tier.secret_key",
        "tier.ca",
    ] {
        keys.arrives(key, text, |s| s.tiers[&name].clone(), bucket.clone());
    }
    let text = "[secrets]\nk = { env = \"K\" }\n[tier.t]\nkind = \"azure\"\nurl = \"az://shop/of/host/\"\n\
                account = \"shop1\"\nendpoint = \"https://127.0.0.1:10000/shop1/\"\n\
                secret_key = \"${secret:k}\"\nca = \"/ca.pem\"\n";
    let container = TierSpec {
        place: TierPlaceSpec::Bucket(BucketSpec::Azure(AzureTierSpec {
            container: "shop".to_owned(),
            prefix: "of/host".to_owned(),
            account: "shop1".to_owned(),
            endpoint: Some("https://127.0.0.1:10000/shop1".to_owned()),
            secret_key: "${secret:k}".to_owned(),
            ca: Some("/ca.pem".into()),
        })),
        role: TierRole::Cloud,
        bandwidth: Vec::new(),
    };
    for key in ["tier.account", "tier.endpoint", "tier.secret_key"] {
        keys.arrives(key, text, |s| s.tiers[&name].clone(), container.clone());
    }
    let text = "[secrets]\nk = { env = \"K\" }\n[tier.t]\nkind = \"gcs\"\nurl = \"gs://shop_1/of/host/\"\n\
                endpoint = \"https://gcs.example/\"\nsecret_key = \"${secret:k}\"\nca = \"/ca.pem\"\n";
    let bucket = TierSpec {
        place: TierPlaceSpec::Bucket(BucketSpec::Gcs(GcsTierSpec {
            bucket: "shop_1".to_owned(),
            prefix: "of/host".to_owned(),
            endpoint: Some("https://gcs.example".to_owned()),
            secret_key: "${secret:k}".to_owned(),
            ca: Some("/ca.pem".into()),
        })),
        role: TierRole::Cloud,
        bandwidth: Vec::new(),
    };
    for key in ["tier.url", "tier.endpoint", "tier.secret_key"] {
        keys.arrives(key, text, |s| s.tiers[&name].clone(), bucket.clone());
    }
    for (key, backup_type) in [
        ("job.tiers.full", BackupType::Full),
        ("job.tiers.differential", BackupType::Differential),
        ("job.tiers.incremental", BackupType::Incremental),
        ("job.tiers.snapshot", BackupType::Snapshot),
        ("job.tiers.emergency", BackupType::Emergency),
    ] {
        let job = format!(
            "[[job]]\nencryption = \"none\"\nname = \"j\"\nsource = [{{ kind = \"directory\", path = \"d\" }}]\n\
                           tiers = {{ {backup_type} = [\"t\", \"local\"] }}\n"
        );
        let said = BTreeMap::from([(backup_type, vec![name.clone(), TierName::local()])]);
        keys.arrives(
            key,
            &[text, &job].concat(),
            |s| s.jobs[0].tiers.clone(),
            said,
        );
    }
}

fn archive_keys(keys: &mut Keys) {
    let text = "[tier.t]\npath = \"/t\"\nrole = \"archive\"\n\
                [[job]]\nencryption = \"none\"\nname = \"j\"\nsource = [{ kind = \"directory\", path = \"d\" }]\n\
                archive = { tier = \"t\", full_after = \"9d\", differential_after = \"8d\" }\n";
    let archive = ArchiveSpec {
        tier: TierName::parse("t").unwrap(),
        full_after: hours(9 * 24),
        differential_after: hours(8 * 24),
    };
    for key in [
        "job.archive.tier",
        "job.archive.full_after",
        "job.archive.differential_after",
    ] {
        let expected = Some(archive.clone());
        keys.arrives(key, text, |s| s.jobs[0].archive.clone(), expected);
    }
}

#[test]
fn the_tier_in_the_state_directory_is_where_the_config_says() {
    for (text, place) in [
        ("", "/etc/mainstay/state/backups"),
        ("[tier.local]\npath = \"/srv/backups\"\n", "/srv/backups"),
        (
            "[tier.local]\nkind = \"directory\"\npath = \"store\"\n",
            "/etc/mainstay/store",
        ),
    ] {
        let loaded = load_text(&format!("{HOST}{text}")).unwrap();
        assert_eq!(loaded.spec.backups(), Path::new(place), "{text}");
    }
}

#[test]
fn an_archive_has_the_ages_of_the_seed_where_nothing_is_written() {
    let text = format!(
        "{HOST}[tier.t]\npath = \"/t\"\nrole = \"archive\"\n\
         [[job]]\nencryption = \"none\"\nname = \"j\"\nsource = [{{ kind = \"directory\", path = \"d\" }}]\n\
         archive = {{ tier = \"t\" }}\n"
    );
    let loaded = load_text(&text).unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    let archive = loaded.spec.jobs[0].archive.clone().unwrap();
    assert_eq!(
        (archive.full_after, archive.differential_after),
        (hours(30 * 24), hours(14 * 24))
    );
}

#[test]
fn what_is_wrong_with_tiers_is_told_with_what_is_right() {
    let complaint = |text: &str| match load_text(&format!("{HOST}{text}")) {
        Ok(loaded) => format!("{:?}", loaded.warnings),
        Err(errors) => errors.to_string(),
    };
    let job = "[[job]]\nname = \"j\"\nencryption = \"none\"\nsource = [{ kind = \"directory\", path = \"d\" }]\n";
    let tier = "[tier.nas]\npath = \"/nas\"\n";
    let with = |tiers: &str| format!("{tier}{job}tiers = {tiers}\n");
    const URL: &str = "url = \"s3://shop\"\n";
    const KEYS: &str = "access_key = \"id\"\nsecret_key = \"${secret:k}\"\n";
    let s3 = |place: &str, keys: &str| {
        format!("[secrets]\nk = {{ env = \"K\" }}\n[tier.s]\nkind = \"s3\"\n{place}{keys}")
    };
    const AZ: &str = "url = \"az://shop\"\n";
    const ACCOUNT: &str = "account = \"shop\"\nsecret_key = \"${secret:k}\"\n";
    let azure = |place: &str, keys: &str| {
        format!("[secrets]\nk = {{ env = \"K\" }}\n[tier.s]\nkind = \"azure\"\n{place}{keys}")
    };
    let gcs = |place: &str| {
        format!(
            "[secrets]\nk = {{ env = \"K\" }}\n[tier.s]\nkind = \"gcs\"\n{place}secret_key = \"${{secret:k}}\"\n"
        )
    };
    for (text, says) in [
        (with("{ full = [\"nass\"] }"), "did you mean \"nas\"?"),
        (with("{ full = [] }"), "`full` names no tier"),
        (
            with("{ full = [\"nas\", \"nas\"] }"),
            "names the tier `nas` twice",
        ),
        (with("{ ful = [\"nas\"] }"), "did you mean `full`?"),
        (
            "[tier.local]\npath = \"/l\"\nrole = \"cloud\"\n".to_owned(),
            "the tier `local` has no `role`",
        ),
        (
            "[tier.local]\npath = \"/l\"\nbandwidth = []\n".to_owned(),
            "the tier `local` has no `bandwidth`",
        ),
        (
            s3(URL, KEYS).replace("[tier.s]", "[tier.local]"),
            "the tier `local` has no `url`",
        ),
        (
            "[tier.local]\npath = \"state\"\n".to_owned(),
            "the state directory",
        ),
        (
            format!("[tier.local]\npath = \"d/l\"\n{job}"),
            "the source /etc/mainstay/d",
        ),
        ("[tier.nas]\n".to_owned(), "has no `path`"),
        (
            "[tier.nas]\npath = \"/nas\"\nkind = \"tape\"\n".to_owned(),
            "allowed are \"directory\", \"s3\", \"azure\" and \"gcs\"",
        ),
        (
            "[tier.nas]\nurl = \"http://nas/\"\nkind = \"http\"\n".to_owned(),
            "`kind` is \"http\", and no tier is over WebDAV",
        ),
        (
            "[tier.nas]\nurl = \"http://nas/\"\nkind = \"webdav\"\n".to_owned(),
            "kind = \"directory\" with where that is",
        ),
        (
            "[tier.nas]\npath = \"state/x\"\n".to_owned(),
            "the state directory",
        ),
        (
            "[tier.a]\npath = \"/a\"\n[tier.b]\npath = \"/a/b\"\n".to_owned(),
            "the directory of another tier",
        ),
        (
            format!("[tier.a]\npath = \"d/a\"\n{job}"),
            "the source /etc/mainstay/d",
        ),
        (
            s3("url = \"https://shop\"\n", KEYS),
            "not the URL of a bucket",
        ),
        (s3("url = \"s3://x\"\n", KEYS), "3 to 63 letters"),
        (s3("url = \"s3://shop/a//b\"\n", KEYS), "names below it"),
        (s3("url = \"s3://shop/../b\"\n", KEYS), "names below it"),
        (s3(URL, ""), "has no `access_key`"),
        (
            s3(URL, "access_key = \"id\"\nsecret_key = \"plain\"\n"),
            "`secret_key` holds no secret",
        ),
        (
            s3(
                URL,
                "access_key = \"id\"\nsecret_key = \"${secret:none}\"\n",
            ),
            "none",
        ),
        (
            s3("url = \"s3://shop\"\nendpoint = \"ftp://x\"\n", KEYS),
            "not an http or https URL",
        ),
        (
            s3(
                "url = \"s3://shop\"\nendpoint = \"http://x\"\nca = \"/ca\"\n",
                KEYS,
            ),
            "needs an https `endpoint`",
        ),
        (s3("url = \"s3://shop\"\npath = \"/x\"\n", KEYS), "`path`"),
        (
            format!(
                "{}[tier.b]\nkind = \"s3\"\nurl = \"s3://shop/a/b\"\n{KEYS}",
                s3("url = \"s3://shop/a\"\n", KEYS)
            ),
            "lie in each other",
        ),
        (
            azure("url = \"s3://shop\"\n", ACCOUNT),
            "e.g. \"az://backups/web-1\"",
        ),
        (azure("url = \"az://Shop\"\n", ACCOUNT), "small letters"),
        (azure("url = \"az://a--b\"\n", ACCOUNT), "small letters"),
        (azure("url = \"az://shop-\"\n", ACCOUNT), "small letters"),
        (azure(AZ, "secret_key = \"${secret:k}\"\n"), "no `account`"),
        (
            azure(AZ, "account = \"Shop\"\nsecret_key = \"${secret:k}\"\n"),
            "the name of a storage account",
        ),
        (azure(AZ, "account = \"shop\"\n"), "has no `secret_key`"),
        (
            azure(AZ, "account = \"shop\"\nsecret_key = \"c2VjcmV0\"\n"),
            "`secret_key` holds no secret",
        ),
        (
            azure(
                "url = \"az://shop\"\nendpoint = \"http://x/shop\"\nca = \"/ca\"\n",
                ACCOUNT,
            ),
            "needs an https `endpoint`",
        ),
        (
            azure("url = \"az://shop\"\nregion = \"eu-1\"\n", ACCOUNT),
            "`region`",
        ),
        (
            format!(
                "{}[tier.b]\nkind = \"azure\"\nurl = \"az://shop/a/b\"\n\
                 endpoint = \"https://shop.blob.core.windows.net/\"\n{ACCOUNT}",
                azure("url = \"az://shop/a\"\n", ACCOUNT)
            ),
            "lie in each other",
        ),
        (gcs("url = \"s3://shop\"\n"), "e.g. \"gs://backups/web-1\""),
        (gcs("url = \"gs://Shop\"\n"), "small letters"),
        (gcs("url = \"gs://shop-\"\n"), "small letters"),
        (
            gcs("url = \"gs://shop\"\naccount = \"a\"\n"),
            "unknown key `account`",
        ),
        (
            gcs("url = \"gs://shop\"\n").replace("${secret:k}", "{}"),
            "`secret_key` holds no secret",
        ),
        (
            gcs("url = \"gs://shop\"\nendpoint = \"http://gcs.example\"\n"),
            "whoever sees the token",
        ),
        (
            gcs("url = \"gs://shop\"\nendpoint = \"http://[::1]:1\"\nca = \"/ca\"\n"),
            "needs an https `endpoint`",
        ),
        (
            format!(
                "{}[tier.b]\nkind = \"gcs\"\nurl = \"gs://shop/a/b\"\n\
                 endpoint = \"https://storage.googleapis.com/\"\nsecret_key = \"${{secret:k}}\"\n",
                gcs("url = \"gs://shop/a\"\n")
            ),
            "lie in each other",
        ),
        (tier.to_owned(), "no job stores anything in the tier `nas`"),
        (
            format!("[tier.nas]\npath = \"/nas\"\nrole = \"archive\"\n{job}"),
            "no job stores anything in the tier `nas`",
        ),
    ] {
        let found = complaint(&text);
        assert!(found.contains(says), "{text}:\n{found}");
    }
    assert_eq!(complaint(&with("{ full = [\"nas\", \"local\"] }")), "[]");
}

fn policy_keys(keys: &mut Keys) {
    let limit = NonZeroU32::new;
    let host = |spec: &Spec| spec.policy.host;
    let concurrent = "[budget]\nconcurrent = 9\n";
    keys.arrives(
        "budget.concurrent",
        concurrent,
        |s| host(s).concurrent,
        limit(9),
    );
    let waits = "[budget]\nper_hour = 9\nover = \"wait\"\n";
    keys.arrives("budget.per_hour", waits, |s| host(s).per_hour, limit(9));
    keys.arrives("budget.over", waits, |s| host(s).over, OverBudget::Wait);

    let [a, b] = ["a", "b"].map(|name| TargetName::parse(name).unwrap());
    let web = GroupName::parse("web").unwrap();
    let with = |line: &str| {
        format!(
            "[[target]]\nname = \"a\"\ngroup = \"web\"\n[[target]]\nname = \"b\"\ngroup = \"web\"\n\
             [group.web]\n{line}\n"
        )
    };
    let group = |spec: &Spec| spec.policy.groups[&web].clone();
    keys.arrives(
        "target.group",
        &with(""),
        |s| group(s).members,
        [a.clone(), b].into(),
    );
    keys.arrives("group.floor", &with("floor = 1"), |s| group(s).floor, 1);
    let one = with("concurrent = 1");
    keys.arrives(
        "group.concurrent",
        &one,
        |s| group(s).budget.concurrent,
        limit(1),
    );
    let waits = with("per_hour = 9\nover = \"wait\"");
    keys.arrives(
        "group.per_hour",
        &waits,
        |s| group(s).budget.per_hour,
        limit(9),
    );
    keys.arrives(
        "group.over",
        &waits,
        |s| group(s).budget.over,
        OverBudget::Wait,
    );
    let own = |spec: &Spec| spec.policy.targets[&a].budget;
    let waits = "budget = { per_hour = 9, over = \"wait\" }";
    keys.target(
        "target.budget.per_hour",
        waits,
        |s| own(s).per_hour,
        limit(9),
    );
    keys.target(
        "target.budget.over",
        waits,
        |s| own(s).over,
        OverBudget::Wait,
    );

    let two = ["anna", "ben"].map(str::to_owned);
    let all = ApprovalSpec {
        needed: NonZeroU32::new(2).unwrap(),
        of: two.into(),
        expires: Some(hours(9)),
    };
    let written = "needed = 2, of = [\"anna\", \"ben\"], expires = \"9h\"";
    let lines = format!(
        "[approval]\n{}\n",
        written.replace(", e", "\ne").replace(", o", "\no")
    );
    for key in ["approval.needed", "approval.of", "approval.expires"] {
        keys.arrives(key, &lines, |s| s.policy.approval.clone(), all.clone());
    }
    let line = format!("approval = {{ {written} }}");
    let own = |spec: &Spec| spec.policy.targets[&a].approval.clone();
    for key in [
        "target.approval.needed",
        "target.approval.of",
        "target.approval.expires",
    ] {
        keys.target(key, &line, own, Some(all.clone()));
    }

    let rests = "[cooldown]\nfix = \"9h\"\n";
    let fix = PluginName::parse("fix").unwrap();
    keys.arrives("cooldown.", rests, |s| s.policy.cooldowns[&fix], hours(9));
    let launch = |spec: &Spec| spec.policy.phase(Phase::Launch);
    for (word, least) in [("high", Some(Severity::High)), ("never", None)] {
        let text = format!("[phase.launch]\nseverity = \"{word}\"\n");
        keys.arrives("phase.severity", &text, |s| launch(s).least, least);
    }
    let fix = PluginName::parse("fix").unwrap();
    let forbid = "[phase.launch]\nforbid = [\"fix\"]\n";
    keys.arrives(
        "phase.forbid",
        forbid,
        |s| launch(s).forbidden,
        [fix].into(),
    );
    keys.arrives(
        "phase.forbid",
        forbid,
        |s| launch(s).least,
        Some(Severity::Critical),
    );
    let fix = PluginName::parse("fix").unwrap();
    let allow = "[phase.launch]\nallow = [\"fix\"]\n";
    keys.arrives(
        "phase.allow",
        allow,
        |s| launch(s).allowed,
        Some([fix].into()),
    );
    let multiplier = |spec: &Spec| launch(spec).multiplier.factor();
    let text = "[phase.launch]\nmultiplier = 2.25\n";
    keys.arrives("phase.multiplier", text, multiplier, 2.25);
    keys.arrives("phase.forbid", forbid, multiplier, 2.0);
    keys.arrives("phase.forbid", forbid, |s| launch(s).allowed, None);
}

fn job_keys(keys: &mut Keys) {
    keys.job("job.name", "", |j| j.name.to_string(), "j".into());
    keys.job(
        "job.full",
        "full = \"9h\"",
        |j| j.full.clone(),
        Some(Schedule::Every(hours(9))),
    );
    let line = "full = { cron = \"0 3 * * *\", zone = \"Europe/Berlin\" }";
    let cron = Some(Schedule::Cron {
        expression: "0 3 * * *".into(),
        zone: "Europe/Berlin".into(),
    });
    for key in ["job.full.cron", "job.full.zone"] {
        keys.job(key, line, |j| j.full.clone(), cron.clone());
    }
    keys.0.remove("job.full");
    let every = Some(Schedule::Every(hours(9)));
    keys.job(
        "job.differential",
        "differential = \"9h\"",
        |j| j.differential.clone(),
        every.clone(),
    );
    keys.job(
        "job.incremental",
        "incremental = \"9h\"",
        |j| j.incremental.clone(),
        every,
    );
    for (written, incremental) in [
        ("", Duration::from_secs(15 * 60)),
        ("incremental = \"9h\"", hours(9)),
    ] {
        keys.job(
            "job.schedule",
            &format!("schedule = \"seed\"\n{written}"),
            |j| {
                (
                    j.full.clone(),
                    j.differential.clone(),
                    j.incremental.clone(),
                )
            },
            (
                Some(Schedule::Every(hours(24))),
                Some(Schedule::Every(hours(6))),
                Some(Schedule::Every(incremental)),
            ),
        );
    }
    keys.job(
        "job.verify",
        "verify = \"9h\"",
        |j| j.proofs.verify.clone(),
        Some(Schedule::Every(hours(9))),
    );
    let sampled = "verify = { every = \"9h\", sample = \"25%\" }";
    for key in ["job.verify.every", "job.verify.sample"] {
        let read = |j: &mainstay_domain::spec::JobSpec| (j.proofs.verify.clone(), j.proofs.sample);
        let expected = (Some(Schedule::Every(hours(9))), Some(25));
        keys.job(key, sampled, read, expected);
    }
    keys.0.remove("job.verify");
    let never = "drill = \"never\"";
    keys.job("job.drill", never, |j| j.proofs.drill.clone(), None);
    let line = "drill = { every = \"9h\", scratch = \"/scratch\", start = \"serve\", check = \"right\", target = \"t\" }";
    let of_drill = format!(
        "{line}\n[[target]]\nname = \"t\"\n[[target.check]]\nkind = \"tcp\"\naddress = \"127.0.0.1:1\"\nfailure = \"f\"\n\
         [command.serve]\nrun = [\"x\", \"{{scratch}}\", \"{{port}}\"]\nplaceholders = [\"scratch\", \"port\"]\n\
         [command.right]\nrun = [\"x\"]\n"
    );
    keys.job(
        "job.drill.every",
        &of_drill,
        |j| j.proofs.drill.clone(),
        Some(Schedule::Every(hours(9))),
    );
    let drill = RestoreDrillSpec {
        scratch: Some("/scratch".into()),
        start: Some(CommandName::parse("serve").unwrap()),
        check: Some(CommandName::parse("right").unwrap()),
        target: Some(TargetName::parse("t").unwrap()),
    };
    for key in [
        "job.drill.scratch",
        "job.drill.start",
        "job.drill.check",
        "job.drill.target",
    ] {
        keys.job(key, &of_drill, |j| j.drill.clone(), drill.clone());
    }
    keys.0.remove("job.drill");
    let line = "window = { cron = \"0 22 * * *\", zone = \"Europe/Berlin\", duration = \"9h\" }";
    let window = Some(WindowSpec {
        opens: Schedule::Cron {
            expression: "0 22 * * *".into(),
            zone: "Europe/Berlin".into(),
        },
        length: hours(9),
    });
    for key in ["job.window.cron", "job.window.zone", "job.window.duration"] {
        keys.job(key, line, |j| j.starts.window.clone(), window.clone());
    }
    let is_delayed = |j: &mainstay_domain::spec::JobSpec| {
        j.starts.delay > Duration::ZERO && j.starts.delay < hours(9)
    };
    keys.job("job.jitter", "jitter = \"9h\"", is_delayed, true);
    keys.job("job.rpo", "rpo = \"99h\"", |j| j.rpo, Some(hours(99)));
    keys.job(
        "job.shrink_guard",
        "shrink_guard = 49.5",
        |j| j.shrink_guard,
        Some(49.5),
    );
    let text = "[[target]]\nname = \"a\"\n[[job]]\nencryption = \"none\"\nname = \"j\"\nafter = [\"a\"]\n\
                source = [{ kind = \"directory\", path = \"d\" }]\n";
    let after = vec![TargetName::parse("a").unwrap()];
    keys.arrives("job.after", text, |spec| spec.jobs[0].after.clone(), after);
    keys.job("job.compression", "compression = 19", |j| j.compression, 19);
    keys.job(
        "job.exclude",
        "exclude = [\"*.tmp\", \"/cache/**\"]",
        |j| j.reading.exclude.clone(),
        words("*.tmp /cache/**"),
    );
    let caches = |j: &mainstay_domain::spec::JobSpec| j.reading.exclude_caches;
    keys.job("job.exclude_caches", "exclude_caches = true", caches, true);
    let one = |j: &mainstay_domain::spec::JobSpec| j.reading.one_filesystem;
    keys.job("job.one_filesystem", "one_filesystem = false", one, false);
    for (key, backup_type) in [
        ("job.include.snapshot", BackupType::Snapshot),
        ("job.include.emergency", BackupType::Emergency),
    ] {
        keys.job(
            key,
            &format!("include = {{ {backup_type} = [\"/positions\", \"*.db\"] }}"),
            |j| j.reading.include.clone(),
            BTreeMap::from([(backup_type, words("/positions *.db"))]),
        );
    }
    keys.job(
        "job.on_unreadable",
        "on_unreadable = \"fail\"",
        |j| j.reading.on_unreadable,
        OnUnreadable::Fail,
    );
    let (one, two) = (
        "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
        "age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg",
    );
    let line = format!(
        "encryption = {{ recipients = [\"{one}\", \"{two}\", \"{one}\"], recipients_file = \"r.txt\" }}"
    );
    let age = mainstay_domain::archive::Encryption::Age {
        recipients: words(&format!("{one} {two}")),
    };
    keys.job(
        "job.encryption.recipients",
        &line,
        |j| j.sealing.encryption.clone(),
        age,
    );
    keys.job(
        "job.encryption.recipients_file",
        &line,
        |j| j.sealing.recipients_file.clone(),
        Some("/etc/mainstay/r.txt".into()),
    );
    keys.job(
        "job.identity.file",
        "identity = { file = \"keys/drill.txt\" }",
        |j| j.sealing.identity.clone(),
        Some("/etc/mainstay/keys/drill.txt".into()),
    );
    keys.job("job.index", "index = false", |j| j.sealing.index, false);

    let line = "source = [{ kind = \"directory\", path = \"d\", prefix = \"p\" }]";
    let source = vec![BackupSource::Directory {
        path: "/etc/mainstay/d".into(),
        prefix: "p".into(),
    }];
    for key in ["job.source.kind", "job.source.path", "job.source.prefix"] {
        keys.job(key, line, |j| j.sources.clone(), source.clone());
    }
    let line = "source = [{ kind = \"command\", run = [\"a\", \"b\"], key = \"k\", cwd = \"/c\", timeout = \"9s\", user = \"u\", env = { V = \"v\" } }]";
    let source = vec![BackupSource::Command {
        run: words("a b"),
        cwd: "/c".into(),
        run_as: RunAs {
            user: Some("u".into()),
            env: [("V".to_owned(), "v".to_owned())].into(),
        },
        key: "k".into(),
        timeout: seconds(9),
    }];
    for key in [
        "job.source.run",
        "job.source.key",
        "job.source.cwd",
        "job.source.timeout",
        "job.source.user",
        "job.source.env",
    ] {
        keys.job(key, line, |j| j.sources.clone(), source.clone());
    }
    for (line, key) in [
        (
            "source = [{ kind = \"file\", path = \"d/100%.conf\" }]",
            "100%25.conf",
        ),
        (
            "source = [{ kind = \"file\", path = \"d/100%.conf\", key = \"k\" }]",
            "k",
        ),
    ] {
        let source = vec![BackupSource::File {
            path: "/etc/mainstay/d/100%.conf".into(),
            key: key.into(),
        }];
        keys.job("job.source.key", line, |j| j.sources.clone(), source);
    }
    let line = "source = [{ kind = \"http\", url = \"http://h/x\", key = \"k\", headers = { A = \"b\" }, timeout = \"9s\", max_bytes = \"9B\" }]";
    let source = vec![BackupSource::Http(HttpSource {
        url: "http://h/x".into(),
        headers: [("a".to_owned(), "b".to_owned())].into(),
        key: "k".into(),
        timeout: seconds(9),
        max_bytes: 9,
    })];
    for key in [
        "job.source.url",
        "job.source.headers",
        "job.source.max_bytes",
    ] {
        keys.job(key, line, |j| j.sources.clone(), source.clone());
    }
    let line = "source = [{ kind = \"sqlite\", path = \"d.db\", key = \"k\" }]";
    let source = vec![BackupSource::Sqlite {
        path: "/etc/mainstay/d.db".into(),
        key: "k".into(),
    }];
    keys.job("job.source.key", line, |j| j.sources.clone(), source);
    let line = "source = [{ kind = \"plugin\", plugin = \"p\", version = \"^2\", prefix = \"k/\", timeout = \"9s\" }]";
    let source = vec![BackupSource::Plugin(PluginSource {
        plugin: PluginName::parse("p").unwrap(),
        version: VersionReq::parse("^2").unwrap(),
        prefix: "k".into(),
        timeout: seconds(9),
    })];
    for key in ["job.source.plugin", "job.source.version"] {
        keys.job(key, line, |j| j.sources.clone(), source.clone());
    }
    for (line, at) in [
        (
            "source = [{ kind = \"redis\", address = \"h:1\", user = \"u\", password = \"s\", database = 9, keys = [\"a*\"], key = \"k\", timeout = \"9s\" }]",
            ServiceAddress::Tcp("h:1".into()),
        ),
        (
            "source = [{ kind = \"redis\", path = \"/r.sock\", user = \"u\", password = \"s\", database = 9, keys = [\"a*\"], key = \"k\", timeout = \"9s\" }]",
            ServiceAddress::Unix("/r.sock".into()),
        ),
    ] {
        let line = format!("{line}\n[secrets]\ns = {{ env = \"S\" }}\n");
        let source = vec![BackupSource::Redis(RedisSource {
            at,
            user: Some("u".into()),
            password: SecretName::parse("s").ok(),
            database: 9,
            keys: words("a*"),
            key: "k".into(),
            timeout: seconds(9),
        })];
        for key in [
            "job.source.address",
            "job.source.password",
            "job.source.database",
            "job.source.keys",
        ] {
            keys.job(key, &line, |j| j.sources.clone(), source.clone());
        }
    }
    let line = "retention = { policy = \"p\", version = \"^2\", every = \"9h\", min_redundancy = 9, immutable_for = \"9h\", trash_for = \"0s\" }";
    let retention = |j: &mainstay_domain::spec::JobSpec| j.retention.clone().unwrap();
    keys.job(
        "job.retention.policy",
        line,
        |j| retention(j).policy.to_string(),
        "p".into(),
    );
    let version = VersionReq::parse("^2").unwrap();
    keys.job(
        "job.retention.version",
        line,
        |j| retention(j).version,
        version,
    );
    keys.job(
        "job.retention.every",
        line,
        |j| retention(j).every,
        hours(9),
    );
    keys.job(
        "job.retention.min_redundancy",
        line,
        |j| retention(j).min_redundancy,
        9,
    );
    keys.job(
        "job.retention.immutable_for",
        line,
        |j| retention(j).immutable_for,
        hours(9),
    );
    keys.job(
        "job.retention.trash_for",
        line,
        |j| retention(j).trash_for,
        Duration::ZERO,
    );
    let lines = "before = \"b\"\nafter_success = \"s\"\nafter_failure = \"f\"\n\
                 [command.b]\nrun = [\"x\"]\n[command.s]\nrun = [\"x\"]\n[command.f]\nrun = [\"x\"]\n";
    let hooks = HookSpec {
        before: Some(CommandName::parse("b").unwrap()),
        after_success: Some(CommandName::parse("s").unwrap()),
        after_failure: Some(CommandName::parse("f").unwrap()),
    };
    for key in ["job.before", "job.after_success", "job.after_failure"] {
        keys.job(key, lines, |j| j.hooks.clone(), hooks.clone());
    }
    checkpoint_keys(keys);
}

fn checkpoint_keys(keys: &mut Keys) {
    let lines = "checkpoints = { automatic = \"9h\", daily = \"99h\", keep = 9, max_age = \"9d\", pause = \"p\", check = \"c\", resume = \"r\" }\n\
                 [command.p]\nrun = [\"x\"]\n[command.c]\nrun = [\"x\"]\n[command.r]\nrun = [\"x\"]\n";
    let of = |j: &mainstay_domain::spec::JobSpec| j.checkpoints.clone().unwrap();
    let (nine, ninety_nine) = (Schedule::Every(hours(9)), Schedule::Every(hours(99)));
    keys.job(
        "job.checkpoints.automatic",
        lines,
        |j| of(j).automatic,
        nine,
    );
    keys.job("job.checkpoints.daily", lines, |j| of(j).daily, ninety_nine);
    keys.job("job.checkpoints.keep", lines, |j| of(j).keep, 9);
    let max_age = hours(9 * 24);
    keys.job("job.checkpoints.max_age", lines, |j| of(j).max_age, max_age);
    for (key, name) in [
        ("job.checkpoints.pause", "p"),
        ("job.checkpoints.check", "c"),
        ("job.checkpoints.resume", "r"),
    ] {
        let read = |j: &mainstay_domain::spec::JobSpec| match name {
            "p" => of(j).pause.unwrap().to_string(),
            "c" => of(j).check.unwrap().to_string(),
            _ => of(j).resume.unwrap().to_string(),
        };
        keys.job(key, lines, read, name.to_owned());
    }
}

#[test]
fn what_a_preset_of_breakers_does_not_say_has_its_default() {
    let text = format!(
        "{HOST}[breaker.x]\n[[target]]\nname = \"a\"\nbreaker = \"x\"\n\
         [[target.check]]\nkind = \"tcp\"\naddress = \"h:1\"\nfailure = \"late\"\n"
    );
    let spec = load_text(&text).unwrap().spec;
    let check = check(&spec);
    assert_eq!((check.fail_after, check.recover_after), (5, 2));
    assert_eq!(target(&spec).breaker.open_for, seconds(30));
}

#[test]
fn what_runs_before_a_start_has_a_minute() {
    let text =
        format!("{HOST}[[target]]\nname = \"a\"\nrun = [\"x\"]\nbefore_start.run = [\"y\"]\n");
    let spec = load_text(&text).unwrap().spec;
    assert_eq!(process(&spec).before_start.unwrap().timeout, seconds(60));
}

#[test]
fn the_pid_file_of_a_foreign_service_is_by_default_that_of_its_check() {
    let checks = "[[target.check]]\nkind = \"process\"\npid_file = \"/c\"\nfailure = \"down\"\n";
    let pid_file = |line: &str| {
        let text =
            format!("{HOST}[[target]]\nname = \"a\"\ncommands.start = [\"x\"]\n{line}{checks}");
        let spec = load_text(&text).unwrap().spec;
        target(&spec).commands.pid_file
    };
    assert_eq!(pid_file(""), Some("/c".into()));
    assert_eq!(pid_file("pid_file = \"/own\"\n"), Some("/own".into()));
}

/// It has to be there, so the reference shows it in a comment.
#[test]
fn a_charter_that_is_what_it_was_pinned_to_arrives_and_bounds_the_budget() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("charter.toml");
    let text = "targets = [\"db\"]\nhandlers = [\"fix\"]\nconcurrent = 3\nper_hour = 9\n";
    std::fs::write(&file, text).unwrap();
    let pinned = sha256_hex(text.as_bytes());
    let with = |sha256: &str| {
        let path = file.display();
        format!(
            "{HOST}[budget]\nconcurrent = 5\n[charter]\nfile = \"{path}\"\nsha256 = \"{sha256}\"\n"
        )
    };
    let policy = load_text(&with(&pinned)).unwrap().spec.policy;
    let charter = policy.charter.unwrap();
    assert_eq!(
        (charter.file.as_path(), &charter.sha256),
        (file.as_path(), &pinned)
    );
    assert_eq!(charter.prefix(), &pinned[..16]);
    assert_eq!(charter.targets, [TargetName::parse("db").unwrap()].into());
    assert_eq!(charter.handlers, [PluginName::parse("fix").unwrap()].into());
    let limit = NonZeroU32::new;
    assert_eq!(
        (policy.host.concurrent, policy.host.per_hour),
        (limit(3), limit(9))
    );

    let refused = |text: &str| load_text(text).err().map(|errors| errors.to_string());
    let other = refused(&with(&"0".repeat(64))).unwrap();
    assert!(
        other.contains("[MS-0405]") && other.contains(&pinned),
        "{other}"
    );
    let short = refused(&with("cdd01ef066bc6cf2")).unwrap();
    assert!(short.contains("64 hexadecimal digits"), "{short}");
    for text in ["targets = [\"-\"]\n", "never = 1\n"] {
        std::fs::write(&file, text).unwrap();
        let wrong = refused(&with(&sha256_hex(text.as_bytes()))).unwrap();
        assert!(wrong.contains("is not understood"), "{wrong}");
    }
    std::fs::remove_file(&file).unwrap();
    let gone = refused(&with(&pinned)).unwrap();
    assert!(gone.contains("cannot be read"), "{gone}");
}

#[test]
fn what_is_not_written_has_its_documented_default() {
    let text = format!(
        "{HOST}[[target]]\nname = \"a\"\nrun = [\"x\"]\n\
         [[target.check]]\nkind = \"http\"\nurl = \"http://h\"\nfailure = \"postgres-down\"\n\
         [[target.check]]\nkind = \"http\"\nurl = \"http://h\"\nfailure = \"odd\"\nevery = \"200ms\"\n\
         [[target.check]]\nkind = \"disk\"\npath = \"/\"\nfailure = \"disk-full\"\n\
         [[target.check]]\nkind = \"exec\"\nrun = [\"x\"]\nfailure = \"odd\"\n\
         [[target]]\nname = \"b\"\nrun = [\"x\"]\n\
         [[route]]\nchain = [{{ handler = \"h\" }}]\n[plugin.p]\n[[alert]]\nalerter = \"w\"\n\
         [command.c]\nrun = [\"x\"]\n\
         [[job]]\nencryption = \"none\"\nname = \"j\"\nsource = [{{ kind = \"directory\", path = \"d\" }}, {{ kind = \"command\", run = [\"x\"], key = \"k\" }},\n\
         {{ kind = \"plugin\", plugin = \"s\", prefix = \"x\" }}, {{ kind = \"redis\", address = \"h:1\", key = \"r\" }}]\n\
         retention = {{ policy = \"p\" }}\ncheckpoints = {{}}\n\
         [[maintenance]]\nat = \"2026-12-01T03:00:00Z\"\nduration = \"1h\"\n"
    );
    let spec = load_text(&text).unwrap().spec;
    let base = Path::new("/etc/mainstay");
    assert!(!spec.host.name.is_empty());
    assert_eq!(spec.host.shutdown_deadline, seconds(30));
    assert_eq!(spec.host.keep_history, hours(90 * 24));
    assert!(spec.host.trusted_backup_keys.is_empty());
    assert_eq!(spec.host.api, None);
    assert_eq!(spec.host.socket, SocketSpec::default());
    // [seed 000]
    assert_eq!(spec.escalation.after, Some(minutes(3)));
    let later = (spec.escalation.attempts, spec.escalation.second_level_after);
    assert_eq!(later, (None, None));
    assert!(spec.escalation.runbooks.is_empty());
    assert_eq!(spec.statsd, None);
    assert_eq!(spec.policy, PolicySpec::default());
    let window = &spec.maintenance[0];
    assert!(window.targets.is_empty() && window.holds_alerts && window.pauses_recovery);

    let target = &spec.targets[0];
    assert_eq!(target.priority, 5);
    assert_eq!(target.rto, minutes(5));
    assert_eq!(target.validation_timeout, seconds(60));
    assert_eq!(target.start_period, seconds(10));
    assert_eq!(target.drill, DrillSpec::default());
    assert_eq!(target.breaker.open_for, seconds(30));
    assert_eq!(target.commands, ForeignCommands::default());
    assert_eq!(target.commands.timeout, seconds(60));
    let process = target.process.as_ref().unwrap();
    assert_eq!(process.cwd, base);
    assert_eq!(process.stop_signal, Signal::Term);
    assert_eq!(process.reload, None);
    assert_eq!(process.grace, seconds(10));
    assert_eq!(process.on_shutdown, OnShutdown::Stop);
    assert_eq!(process.restart, RestartPolicy::Always);
    assert_eq!(process.expected_exit, [0]);
    assert!(!process.runs_once);
    assert_eq!((&process.pid_file, &process.env_file), (&None, &None));
    assert_eq!((process.nice, process.nofile), (None, None));
    assert_eq!((process.memory_max, process.cpu_max), (None, None));
    assert_eq!(process.before_start, None);
    assert_eq!(process.exit_failure.as_str(), "postgres-down");
    assert_eq!(process.exit_severity, Severity::Critical);
    assert_eq!((process.log_max_bytes, process.log_keep), (10 << 20, 3));
    assert_eq!((process.user.clone(), process.umask), (None, None));
    let other = spec.targets[1].process.as_ref().unwrap();
    assert_eq!(other.exit_failure.as_str(), "service-down");
    assert_eq!(other.exit_severity, Severity::High);

    let [first, second, disk, exec] = target.checks.as_slice() else {
        panic!("{:?}", target.checks)
    };
    assert_eq!(
        (first.name.as_str(), second.name.as_str()),
        ("http", "http-2")
    );
    assert_eq!(disk.name.as_str(), "disk");
    assert_eq!((first.every, first.timeout), (seconds(10), seconds(1)));
    assert_eq!(second.timeout, Duration::from_millis(200));
    assert_eq!((first.fail_after, first.recover_after), (5, 2));
    assert_eq!(first.fail_of, None);
    assert_eq!(first.jitter, Duration::ZERO);
    assert_eq!(
        (first.severity, second.severity),
        (Severity::Critical, Severity::High)
    );
    let expected = HttpCheck {
        url: "http://h".into(),
        method: HttpMethod::Get,
        headers: BTreeMap::new(),
        follow_redirects: false,
        trust: Trust::Machine,
        status: (200, 399),
        body_contains: None,
        warn_latency: None,
    };
    assert_eq!(first.kind, CheckKind::Http(expected));
    assert!(matches!(
        disk.kind,
        CheckKind::Disk {
            max_percent: 95.0,
            warn_percent: None,
            ..
        }
    ));

    let expected = ExecCheck {
        run: words("x"),
        cwd: base.to_owned(),
        env: BTreeMap::new(),
        user: None,
        degraded_exit: None,
        output_contains: None,
        degraded_output: None,
    };
    assert_eq!(exec.kind, CheckKind::Exec(expected));

    let route = &spec.routes[0];
    assert_eq!(
        (&route.failure, &route.target, route.severity),
        (&None, &None, None)
    );
    assert_eq!(route.cooldown, Duration::ZERO);
    assert_eq!(route.relapse_window, seconds(60));
    assert_eq!(
        (route.workflow, route.simulate),
        (Workflow::Standard, false)
    );
    let strategy = Strategy::Exponential {
        max_attempts: 5,
        initial_delay: seconds(1),
        multiplier: 2.0,
        max_delay: seconds(60),
        delay_first: false,
        jitter: Jitter::None,
    };
    assert_eq!(route.strategy, strategy);
    assert_eq!(route.decider, None);
    let step = &route.chain[0];
    assert_eq!(step.version, VersionReq::STAR);
    assert_eq!((step.always, step.timeout), (false, seconds(60)));
    assert_eq!(
        (&step.when, step.on_failure, step.pause),
        (&None, None, Duration::ZERO)
    );
    assert_eq!(step.params, json!({}));

    assert_eq!(plugin(&spec), PluginSpec::default());
    let alert = &spec.alerts[0];
    assert_eq!((alert.min_severity, alert.events.len()), (Severity::Low, 0));
    assert_eq!((&alert.target, &alert.version), (&None, &VersionReq::STAR));
    assert_eq!(alert.grouping, None);
    let command = &spec.commands[&CommandName::parse("c").unwrap()];
    assert_eq!(
        (command.timeout, command.cwd.as_path()),
        (seconds(30), base)
    );
    assert!(command.env.is_empty() && command.placeholders.is_empty());
    assert_eq!((&command.user, command.idempotent), (&None, false));

    let job = &spec.jobs[0];
    assert_eq!(job.full, Some(Schedule::Every(hours(24))));
    assert_eq!(
        (&job.differential, &job.incremental, job.rpo),
        (&None, &None, None)
    );
    assert_eq!(job.stale_after, Some(hours(48)));
    let weekly = Some(Schedule::Every(hours(7 * 24)));
    assert_eq!((&job.proofs.verify, &job.proofs.drill), (&weekly, &weekly));
    assert_eq!(job.proofs.sample, None);
    assert_eq!(job.drill, RestoreDrillSpec::default());
    assert_eq!(job.compression, 3);
    assert_eq!(job.shrink_guard, None);
    assert_eq!(job.hooks, HookSpec::default());
    let reading = &job.reading;
    assert!(reading.exclude.is_empty() && reading.include.is_empty());
    assert_eq!(
        (reading.exclude_caches, reading.one_filesystem),
        (false, true)
    );
    assert_eq!(reading.on_unreadable, OnUnreadable::Incomplete);
    assert!(job.tiers.is_empty() && spec.tiers.is_empty() && job.archive.is_none());
    assert_eq!(job.sealing, mainstay_domain::spec::SealingSpec::default());
    assert!(job.after.is_empty());
    let BackupSource::Plugin(given) = &job.sources[2] else {
        panic!("{:?}", job.sources);
    };
    assert_eq!(
        (&given.version, given.timeout),
        (&VersionReq::STAR, hours(1))
    );
    let BackupSource::Redis(redis) = &job.sources[3] else {
        panic!("{:?}", job.sources);
    };
    assert_eq!((&redis.user, &redis.password), (&None, &None));
    assert_eq!((redis.database, redis.timeout), (0, minutes(10)));
    assert_eq!(redis.keys, ["*"]);
    assert!(matches!(&job.sources[0], BackupSource::Directory { prefix, .. } if prefix.is_empty()));
    assert!(
        matches!(&job.sources[1], BackupSource::Command { timeout, cwd, run_as, .. }
        if *timeout == seconds(60) && cwd == base && run_as == &RunAs::default())
    );
    let retention = job.retention.as_ref().unwrap();
    assert_eq!(retention.version, VersionReq::STAR);
    assert_eq!(
        (retention.every, retention.trash_for),
        (hours(24), hours(24))
    );
    assert_eq!(retention.min_redundancy, 1);
    assert_eq!(retention.immutable_for, Duration::ZERO);
    // [seed 003]
    let checkpoints = job.checkpoints.as_ref().unwrap();
    assert_eq!(checkpoints.automatic, Schedule::Every(minutes(15)));
    assert_eq!(checkpoints.daily, Schedule::Every(hours(24)));
    assert_eq!((checkpoints.keep, checkpoints.max_age), (50, hours(7 * 24)));
    let commands = (&checkpoints.pause, &checkpoints.check, &checkpoints.resume);
    assert_eq!(commands, (&None, &None, &None));
}

/// A miss of what comes once, or in its own time, is not waited for five times over.
#[test]
fn a_log_and_a_heartbeat_have_failed_at_their_first_failure_and_all_others_at_their_fifth() {
    let fail_after = |keys: &str| {
        let text = format!(
            "{HOST}[[target]]\nname = \"a\"\nrun = [\"x\"]\n[[target.check]]\nfailure = \"odd\"\n{keys}\n"
        );
        load_text(&text).unwrap().spec.targets[0].checks[0].fail_after
    };
    for (keys, expected) in [
        ("kind = \"heartbeat\"\nevery = \"25h\"", 1),
        ("kind = \"log\"\ncontains = \"FATAL\"", 1),
        ("kind = \"process\"", 5),
        ("kind = \"http\"\nurl = \"http://h\"", 5),
        ("kind = \"tcp\"\naddress = \"h:1\"", 5),
    ] {
        assert_eq!(fail_after(keys), expected, "{keys}");
    }
}

#[test]
fn an_escalation_after_no_time_is_none() {
    let text = format!("{HOST}[escalation]\nafter = \"0s\"\n");
    assert_eq!(load_text(&text).unwrap().spec.escalation.after, None);
}
