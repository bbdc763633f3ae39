//! `[[target]]`.

mod drill;
mod reload;

use super::{
    super::{
        context::{EntityKind, Raised},
        document::Value,
        reader::{Fields, ValueAt},
        values::{
            core_percent, defined, duration, environment, existing, name, one_of, path,
            positive_duration, run, severity, size, whole, word,
        },
    },
    breaker::{self, Presets},
    check, policy,
};
use mainstay_domain::{
    effect::Signal,
    failure,
    name::{FailureType, TargetName},
    spec::{
        BeforeStart, BreakerSpec, CheckKind, CheckSpec, ForeignCommands, OnShutdown, ProcessSpec,
        RestartPolicy, RunAs, TargetSpec,
    },
};
use std::{collections::BTreeMap, path::PathBuf, time::Duration};

/// Keys that say how a supervised child runs.
const CHILD_KEYS: [&str; 19] = [
    "cwd",
    "env",
    "user",
    "umask",
    "nice",
    "nofile",
    "memory_max",
    "cpu_max",
    "env_file",
    "before_start",
    "stop_signal",
    "reload",
    "grace",
    "on_shutdown",
    "restart",
    "expected_exit",
    "exit_failure",
    "exit_severity",
    "log",
];

pub(super) fn target(at: ValueAt<'_>, presets: &Presets) -> Option<TargetSpec> {
    at.fields("this target", |fields| {
        let target_name = defined(EntityKind::Target, TargetName::parse);
        let target_name = fields.required("name", "name = \"api\"", target_name);
        let arguments = fields.get("run");
        let commands = fields.get("commands");
        if let (Some(_), Some(commands)) = (arguments, commands) {
            commands.refuse::<()>(
                "a target has either `run` or `commands`, not both",
                "keep `run` where the host starts the process itself, `commands` where another service manager does",
            );
        }
        let breaker = fields.optional("breaker", |at| breaker::of_target(at, presets));
        let breaker = breaker.unwrap_or_default();
        let checks = check::checks(fields, target_name.as_ref(), arguments.is_some(), breaker);
        let process = match arguments {
            Some(arguments) => process(fields, arguments, target_name.as_ref(), &checks),
            None => {
                for key in CHILD_KEYS {
                    let help = "add run = [\"program\", \"argument\"], or remove it";
                    fields.reject_key(key, "it has no `run`", help);
                }
                if commands.is_none() {
                    let help = "add `run`, or the `commands` that start it, or remove it";
                    fields.reject_key("start_period", "the host does not start it", help);
                }
                None
            }
        };
        let commands = match commands {
            Some(commands) => {
                let own = fields.optional("pid_file", path);
                foreign_commands(commands, own.or_else(|| pid_file_of(&checks)))
            }
            None if arguments.is_none() => {
                let help = "add `run`, or the `commands` that start and stop the service, or remove it";
                fields.reject_key("pid_file", "the host does not start it", help);
                None
            }
            None => None,
        };
        let depends_on = depends_on(fields, target_name.as_ref());
        policy::of_target(fields, target_name.as_ref());
        Some(TargetSpec {
            priority: fields.or("priority", 5, whole(1..=10)),
            depends_on,
            rto: fields.or("rto", Duration::from_secs(300), positive_duration),
            process,
            commands: commands.unwrap_or_default(),
            checks,
            breaker: BreakerSpec {
                open_for: breaker.open_for.unwrap_or(Duration::from_secs(30)),
            },
            validation_timeout: fields.or(
                "validation_timeout",
                Duration::from_secs(60),
                positive_duration,
            ),
            start_period: fields.or("start_period", TargetSpec::START_PERIOD, duration),
            drill: fields.optional("drill", drill::drill).unwrap_or_default(),
            name: target_name?,
        })
    })
}

fn depends_on(fields: &mut Fields<'_>, dependent: Option<&TargetName>) -> Vec<TargetName> {
    fields.list("depends_on", "depends_on = [\"redis\"]", |at| {
        let dependency: TargetName = existing(EntityKind::Target, TargetName::parse)(at)?;
        if let Some(dependent) = dependent {
            let edge = (dependent.clone(), dependency.clone(), at.node.place);
            at.context.facts.borrow_mut().dependencies.push(edge);
        }
        Some(dependency)
    })
}

fn foreign_commands(at: ValueAt<'_>, pid_file: Option<PathBuf>) -> Option<ForeignCommands> {
    at.fields("the target's commands", |fields| {
        Some(ForeignCommands {
            start: fields.optional("start", run),
            stop: fields.optional("stop", run),
            restart: fields.optional("restart", run),
            reload: fields.optional("reload", run),
            timeout: fields.or("timeout", ForeignCommands::TIMEOUT, positive_duration),
            pid_file,
            run_as: RunAs {
                env: fields.or("env", BTreeMap::new(), environment),
                user: fields.optional("user", word),
            },
        })
    })
}

/// What a check already knows needs not be written twice.
fn pid_file_of(checks: &[CheckSpec]) -> Option<PathBuf> {
    checks.iter().find_map(|check| match &check.kind {
        CheckKind::Process { pid_file } => pid_file.clone(),
        _ => None,
    })
}

fn process<'a>(
    fields: &mut Fields<'a>,
    arguments: ValueAt<'a>,
    target: Option<&TargetName>,
    checks: &[CheckSpec],
) -> Option<ProcessSpec> {
    let context = fields.context;
    let first = checks.first();
    let exit_failure = fields
        .optional("exit_failure", name(FailureType::parse))
        .or_else(|| first.map(|check| check.failure.clone()))
        .unwrap_or_else(failure::service_down);
    let exit_severity = fields
        .optional("exit_severity", severity)
        .or_else(|| {
            let same = checks.iter().find(|check| check.failure == exit_failure);
            same.map(|check| check.severity)
        })
        .unwrap_or_else(|| failure::default_severity(&exit_failure));
    if let Some(target) = target {
        let raised = Raised {
            target: target.clone(),
            failure: exit_failure.clone(),
            severity: exit_severity,
            place: arguments.node.place,
        };
        context.facts.borrow_mut().raised.push(raised);
    }
    let (log_max_bytes, log_keep) = fields.optional("log", log).unwrap_or(LOG);
    let on_shutdown = |at| {
        let words = [("stop", OnShutdown::Stop), ("leave", OnShutdown::Leave)];
        one_of("what a shutdown does with a child", &words, at)
    };
    let stop_signal = |at| one_of("a signal that asks a process to end", &STOP_SIGNALS, at);
    let (restart, expected_exit) = ends(fields);
    let runs_once = match restart {
        RestartPolicy::Always => false,
        RestartPolicy::OnFailure => fields.get("expected_exit").is_some(),
        RestartPolicy::Never => true,
    };
    // What is looked for by them is not looked for elsewhere in their place.
    let base = || Some(context.base.to_owned());
    let cwd = fields.get("cwd").map_or_else(base, path);
    let env = fields.get("env").map_or(Some(BTreeMap::new()), environment);
    Some(ProcessSpec {
        restart,
        expected_exit,
        runs_once,
        user: fields.optional("user", word),
        umask: fields.optional("umask", umask),
        nice: fields.optional("nice", whole(-20..=19)),
        nofile: fields.optional("nofile", whole(16..=1 << 30)),
        memory_max: fields.optional("memory_max", size(1 << 20..=1 << 44)),
        cpu_max: fields.optional("cpu_max", core_percent),
        env_file: fields.optional("env_file", path),
        before_start: fields.optional("before_start", before_start),
        stop_signal: fields.or("stop_signal", Signal::Term, stop_signal),
        reload: fields.optional("reload", reload::reload),
        grace: fields.or("grace", Duration::from_secs(10), duration),
        on_shutdown: fields.or("on_shutdown", OnShutdown::Stop, on_shutdown),
        pid_file: fields.optional("pid_file", path),
        exit_failure,
        exit_severity,
        log_max_bytes,
        log_keep,
        run: run(arguments)?,
        cwd: cwd?,
        env: env?,
    })
}

fn before_start(at: ValueAt<'_>) -> Option<BeforeStart> {
    at.fields("what runs before the start", |fields| {
        let arguments = fields.required("run", "run = [\"./migrate\"]", run);
        let timeout = fields.or("timeout", Duration::from_secs(60), positive_duration);
        Some(BeforeStart {
            run: arguments?,
            timeout,
        })
    })
}

/// Which ends are failures, and which exit codes mean that it is done.
fn ends(fields: &mut Fields<'_>) -> (RestartPolicy, Vec<i32>) {
    let words = [
        ("always", RestartPolicy::Always),
        ("on-failure", RestartPolicy::OnFailure),
        ("never", RestartPolicy::Never),
    ];
    let restart = fields.optional("restart", |at| {
        one_of("a rule of what is started again", &words, at)
    });
    let expected = fields.get("expected_exit");
    if let (Some(RestartPolicy::Always), Some(at)) = (restart, expected) {
        at.refuse::<()>(
            "`expected_exit` has no meaning where `restart` is \"always\": every end is a failure then",
            "write restart = \"on-failure\", or remove one of them",
        );
    }
    let codes = expected.and_then(|at| {
        let codes = at.each("write expected_exit = [0]", whole(0..=255))?;
        if matches!(&at.node.value, Value::Array(written) if written.is_empty()) {
            return at.refuse(
                "`expected_exit` names no exit code",
                "write expected_exit = [0], or remove it",
            );
        }
        Some(codes)
    });
    // Who names codes that are no failure does not want them to be one.
    let default = match expected {
        Some(_) => RestartPolicy::OnFailure,
        None => RestartPolicy::Always,
    };
    (restart.unwrap_or(default), codes.unwrap_or_else(|| vec![0]))
}

/// What may ask a child to end. SIGKILL, which asks for nothing, comes after the grace.
const STOP_SIGNALS: [(&str, Signal); 6] = [
    ("SIGTERM", Signal::Term),
    ("SIGINT", Signal::Int),
    ("SIGQUIT", Signal::Quit),
    ("SIGHUP", Signal::Hup),
    ("SIGUSR1", Signal::Usr1),
    ("SIGUSR2", Signal::Usr2),
];

/// Size at which the output is rotated, and how many rotated files are kept.
const LOG: (u64, u32) = (10 << 20, 3);

fn log(at: ValueAt<'_>) -> Option<(u64, u32)> {
    at.fields("the target's log", |fields| {
        let max_bytes = fields.or("max_bytes", LOG.0, size(1024..=1 << 40));
        Some((max_bytes, fields.or("keep", LOG.1, whole(0..=1_000))))
    })
}

fn umask(at: ValueAt<'_>) -> Option<u32> {
    const HELP: &str = "write three octal digits in quotes, e.g. \"027\"";
    let digits = at
        .as_text()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    match digits.and_then(|digits| u32::from_str_radix(digits, 8).ok()) {
        Some(mask) if mask <= 0o777 => Some(mask),
        _ => at.not("a file mode creation mask", HELP),
    }
}
