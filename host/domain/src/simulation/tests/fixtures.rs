//! Hosts and scenarios that the tests are made of.

use super::super::*;
use crate::{
    effect::Signal,
    jitter::Jitter,
    name::{CheckName, FailureType, PluginName, TargetName},
    severity::Severity,
    spec::{
        BreakerSpec, CheckKind, CheckSpec, DrillSpec, ForeignCommands, HostSpec, OnShutdown,
        ProcessSpec, RestartPolicy, RouteSpec, SocketSpec, Spec, StepSpec, Strategy, TargetSpec,
        Workflow,
    },
    time::millis,
};
use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

pub(super) fn name(text: &str) -> TargetName {
    TargetName::parse(text).unwrap()
}

/// A foreign service with one check, `tcp`, every ten seconds: three failures open, two successes close.
pub(crate) fn check(target: &str) -> TargetSpec {
    TargetSpec {
        name: name(target),
        priority: 5,
        depends_on: Vec::new(),
        rto: Duration::from_secs(300),
        process: None,
        commands: ForeignCommands::default(),
        checks: vec![CheckSpec {
            name: CheckName::parse("tcp").unwrap(),
            kind: CheckKind::Tcp {
                address: "localhost:1".to_owned(),
                warn_latency: None,
            },
            every: Duration::from_secs(10),
            timeout: Duration::from_secs(1),
            fail_after: 3,
            fail_of: None,
            recover_after: 2,
            jitter: Duration::ZERO,
            failure: FailureType::parse("tcp-down").unwrap(),
            severity: Severity::High,
        }],
        breaker: BreakerSpec {
            open_for: Duration::from_secs(30),
        },
        validation_timeout: Duration::from_secs(5),
        start_period: Duration::ZERO,
        drill: DrillSpec::default(),
    }
}

/// A supervised child without checks.
pub(crate) fn supervised(target: &str) -> TargetSpec {
    let process = ProcessSpec {
        run: vec!["/bin/web".to_owned()],
        cwd: "/".into(),
        env: Default::default(),
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
        runs_once: false,
        expected_exit: vec![0],
        exit_failure: FailureType::parse("down").unwrap(),
        exit_severity: Severity::High,
        log_max_bytes: 1 << 20,
        log_keep: 1,
    };
    TargetSpec {
        process: Some(process),
        checks: Vec::new(),
        ..check(target)
    }
}

/// These targets, and one route for everything: `fix`, three attempts, one and two seconds apart.
pub(crate) fn host(targets: Vec<TargetSpec>) -> Arc<Spec> {
    let route = RouteSpec {
        failure: None,
        target: None,
        severity: None,
        strategy: Strategy::Exponential {
            max_attempts: 3,
            initial_delay: Duration::from_secs(1),
            multiplier: 2.0,
            max_delay: Duration::from_secs(8),
            delay_first: false,
            jitter: Jitter::None,
        },
        decider: None,
        cooldown: Duration::ZERO,
        relapse_window: Duration::from_secs(60),
        workflow: Workflow::Standard,
        simulate: false,
        chain: vec![StepSpec {
            handler: PluginName::parse("fix").unwrap(),
            version: semver::VersionReq::STAR,
            always: false,
            when: None,
            on_failure: None,
            pause: Duration::ZERO,
            params: serde_json::json!({}),
            timeout: Duration::from_secs(60),
        }],
    };
    Arc::new(Spec {
        host: HostSpec {
            name: "host".to_owned(),
            state_dir: PathBuf::from("/state"),
            plugin_dir: PathBuf::from("/plugins"),
            shutdown_deadline: Duration::from_secs(30),
            keep_history: Duration::from_secs(3600),
            api: None,
            socket: SocketSpec::default(),
            trusted_backup_keys: Vec::new(),
        },
        targets: targets.into(),
        commands: BTreeMap::new(),
        smtp: BTreeMap::new(),
        secrets: BTreeMap::new(),
        routes: vec![route],
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

pub(super) fn draft(text: &str) -> Draft {
    match read_lines(text).unwrap() {
        Lines::Written(draft) => draft,
        Lines::Recorded(..) => panic!("{text} is recorded"),
    }
}

pub(super) fn scenario(spec: &Spec, text: &str) -> Scenario {
    Scenario::new(draft(text), spec).unwrap()
}

pub(super) fn play(spec: &Arc<Spec>, text: &str) -> SimulationReport {
    simulate(spec, &scenario(spec, text), None).unwrap()
}

/// When there were lines of this kind, in milliseconds after the beginning.
pub(super) fn when(report: &SimulationReport, kind: &str) -> Vec<u64> {
    let lines = report.lines.iter().filter(|line| line.kind == kind);
    lines.map(|line| millis(line.at)).collect()
}
