//! Configs for tests: each names only what it is about.

use mainstay_domain::{
    effect::Signal,
    name::{CheckName, FailureType, PluginName, TargetName},
    severity::Severity,
    spec::{
        BreakerSpec, CheckKind, CheckSpec, DrillSpec, ForeignCommands, HostSpec, OnShutdown,
        ProcessSpec, RestartPolicy, RouteSpec, SocketSpec, Spec, StepSpec, Strategy, TargetSpec,
        Workflow,
    },
};
use semver::VersionReq;
use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

pub(crate) fn name(text: &str) -> TargetName {
    TargetName::parse(text).unwrap()
}

pub(crate) fn failure(text: &str) -> FailureType {
    FailureType::parse(text).unwrap()
}

/// A config with these targets and nothing else.
pub(crate) fn spec(targets: Vec<TargetSpec>) -> Arc<Spec> {
    Arc::new(Spec {
        host: HostSpec {
            name: "test".to_owned(),
            state_dir: PathBuf::from("/nonexistent/state"),
            plugin_dir: PathBuf::from("/nonexistent/plugins"),
            shutdown_deadline: Duration::from_secs(10),
            keep_history: Duration::from_secs(3600),
            api: None,
            socket: SocketSpec::default(),
            trusted_backup_keys: Vec::new(),
        },
        targets: targets.into(),
        commands: BTreeMap::new(),
        smtp: BTreeMap::new(),
        secrets: BTreeMap::new(),
        routes: Vec::new(),
        plugins: BTreeMap::new(),
        alerts: Vec::new(),
        jobs: Vec::new(),
        tiers: BTreeMap::new(),
        maintenance: Vec::new(),
        escalation: Default::default(),
        policy: Default::default(),
        statsd: None,
        digest: String::new(),
    })
}

/// A target with these checks.
pub(crate) fn target(text: &str, checks: Vec<CheckSpec>) -> TargetSpec {
    TargetSpec {
        name: name(text),
        priority: 5,
        depends_on: Vec::new(),
        rto: Duration::from_secs(300),
        process: None,
        commands: ForeignCommands::default(),
        checks,
        breaker: BreakerSpec {
            open_for: Duration::from_secs(30),
        },
        validation_timeout: Duration::from_secs(60),
        start_period: Duration::ZERO,
        drill: DrillSpec::default(),
    }
}

/// What this handler is called for, once: every failure of every target.
pub(crate) fn route(handler: &str) -> RouteSpec {
    RouteSpec {
        failure: None,
        target: None,
        severity: None,
        strategy: Strategy::Immediate { max_attempts: 1 },
        decider: None,
        cooldown: Duration::ZERO,
        relapse_window: Duration::ZERO,
        workflow: Workflow::Standard,
        simulate: false,
        chain: vec![StepSpec {
            handler: PluginName::parse(handler).unwrap(),
            version: VersionReq::STAR,
            always: false,
            when: None,
            on_failure: None,
            pause: Duration::ZERO,
            params: serde_json::json!({}),
            timeout: Duration::from_secs(20),
        }],
    }
}

/// A check that fails the target at once, every 2 ms; its failure is `NAME-down`.
pub(crate) fn check(text: &str) -> CheckSpec {
    CheckSpec {
        name: CheckName::parse(text).unwrap(),
        kind: CheckKind::Tcp {
            address: "127.0.0.1:1".to_owned(),
            warn_latency: None,
        },
        every: Duration::from_millis(2),
        timeout: Duration::from_secs(20),
        fail_after: 1,
        fail_of: None,
        recover_after: 1,
        jitter: Duration::ZERO,
        failure: failure(&format!("{text}-down")),
        severity: Severity::High,
    }
}

/// A supervised child whose exit is the failure `crashed`.
pub(crate) fn process(run: &[&str]) -> ProcessSpec {
    ProcessSpec {
        run: run.iter().map(|&word| word.to_owned()).collect(),
        cwd: PathBuf::from("/"),
        env: BTreeMap::new(),
        user: None,
        umask: None,
        nice: None,
        nofile: None,
        memory_max: None,
        cpu_max: None,
        env_file: None,
        before_start: None,
        stop_signal: Signal::Term,
        reload: None,
        grace: Duration::from_secs(10),
        on_shutdown: OnShutdown::Stop,
        pid_file: None,
        restart: RestartPolicy::Always,
        expected_exit: vec![0],
        runs_once: false,
        exit_failure: failure("crashed"),
        exit_severity: Severity::Critical,
        log_max_bytes: 1 << 20,
        log_keep: 1,
    }
}

/// A target that is a supervised child, without checks.
pub(crate) fn child(text: &str, run: &[&str]) -> TargetSpec {
    TargetSpec {
        process: Some(process(run)),
        ..target(text, Vec::new())
    }
}
