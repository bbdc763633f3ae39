//! Configs, answers and words that the tests are made of.

use super::super::{Attempt, CaseKey, Command, NotHandled, Stage, Verb};
use crate::{
    call::{RecoveryFailure, Report},
    effect::Signal,
    health::Evidence,
    id::OperationId,
    jitter::Jitter,
    name::{FailureType, PluginName, TargetName},
    severity::Severity,
    spec::{
        BreakerSpec, DrillSpec, ForeignCommands, HostSpec, OnShutdown, PolicySpec, ProcessSpec,
        RestartPolicy, RouteSpec, SocketSpec, Spec, StepSpec, Strategy, TargetSpec, Workflow,
    },
    time::Timestamp,
};
use std::{collections::BTreeMap, path::PathBuf, time::Duration};

/// When the wall clock begins.
pub(super) const BEGIN: Timestamp = Timestamp::from_millis(1_700_000_000_000);

pub(super) fn stage_name(stage: &Stage) -> &'static str {
    match stage {
        Stage::Unrouted => "unrouted",
        Stage::HandedOver(_) => "people",
        Stage::Queued(work) if work.operation.started_at.is_none() => "scheduled",
        Stage::Queued(_) => "resting",
        Stage::AwaitingApproval(_) => "asking",
        Stage::Running(running) => match running.attempt {
            Attempt::Looking(_) => "looking",
            Attempt::Calling { .. } => "calling",
            Attempt::Pausing { .. } => "pausing",
            Attempt::Validating(_) => "validating",
        },
        Stage::RelapseWindow { .. } => "watched",
        Stage::Over => "over",
    }
}

/// `TARGET FAILURE`.
pub(super) fn key(name: &str) -> CaseKey {
    let (target, failure) = name.split_once(' ').unwrap();
    CaseKey {
        target: TargetName::parse(target).unwrap(),
        failure: FailureType::parse(failure).unwrap(),
    }
}

pub(super) fn plugin(name: &str) -> PluginName {
    PluginName::parse(name).unwrap()
}

pub(super) fn decision(verb: Verb, id: &OperationId, revision: Option<u64>) -> Command {
    Command::Decide {
        id: id.clone(),
        revision,
        verb,
        by: "ann".into(),
        reason: "so".to_owned(),
    }
}

pub(super) fn evidence(message: &str) -> Evidence {
    Evidence {
        check: "tcp".to_owned(),
        observed_at: BEGIN,
        message: message.to_owned(),
        value: None,
        output: None,
        score: None,
    }
}

pub(super) fn done() -> Result<Report, NotHandled> {
    Ok(Report {
        actions: vec!["restarted".to_owned()],
        data_loss: None,
    })
}

pub(super) fn retryable() -> Result<Report, NotHandled> {
    let failure = RecoveryFailure::Retryable("not yet".to_owned());
    Err(NotHandled::Failed(failure))
}

pub(super) fn permanent() -> Result<Report, NotHandled> {
    let failure = RecoveryFailure::Permanent("never".to_owned());
    Err(NotHandled::Failed(failure))
}

pub(super) fn needs_operator() -> Result<Report, NotHandled> {
    let steps = vec!["plug it in".to_owned(), "press the button".to_owned()];
    Err(NotHandled::Failed(RecoveryFailure::NeedsOperator(steps)))
}

pub(super) fn missing() -> Result<Report, NotHandled> {
    Err(NotHandled::Missing("no version of it serves".to_owned()))
}

pub(super) fn target(name: &str) -> TargetSpec {
    TargetSpec {
        name: TargetName::parse(name).unwrap(),
        priority: 5,
        depends_on: Vec::new(),
        rto: Duration::from_secs(300),
        process: Some(process()),
        commands: ForeignCommands::default(),
        checks: Vec::new(),
        breaker: BreakerSpec {
            open_for: Duration::from_secs(30),
        },
        validation_timeout: Duration::from_secs(5),
        start_period: Duration::ZERO,
        drill: DrillSpec::default(),
    }
}

pub(super) fn step(handler: &str) -> StepSpec {
    StepSpec {
        handler: plugin(handler),
        version: semver::VersionReq::STAR,
        always: false,
        when: None,
        on_failure: None,
        pause: Duration::ZERO,
        params: serde_json::json!({}),
        timeout: Duration::from_secs(60),
    }
}

/// Three attempts, 1 s and 2 s apart; a relapse within a minute; `fix` is called.
pub(super) fn route() -> RouteSpec {
    RouteSpec {
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
        chain: vec![step("fix")],
    }
}

pub(super) fn spec(targets: Vec<TargetSpec>, routes: Vec<RouteSpec>) -> Spec {
    Spec {
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
        routes,
        plugins: BTreeMap::new(),
        alerts: Vec::new(),
        jobs: Vec::new(),
        tiers: BTreeMap::new(),
        maintenance: Vec::new(),
        escalation: Default::default(),
        policy: PolicySpec::default(),
        statsd: None,
        digest: String::new(),
    }
}

/// `api` and `db`, with one route for everything.
pub(super) fn usual() -> Spec {
    spec(vec![target("api"), target("db")], vec![route()])
}

/// The same with another route.
pub(super) fn with_route(route: RouteSpec) -> Spec {
    spec(vec![target("api"), target("db")], vec![route])
}

/// A child whose exit is the failure that most stories have.
fn process() -> ProcessSpec {
    ProcessSpec {
        run: vec!["/bin/api".to_owned()],
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
        expected_exit: vec![0],
        runs_once: false,
        exit_failure: FailureType::parse("down").unwrap(),
        exit_severity: Severity::High,
        log_max_bytes: 1 << 20,
        log_keep: 1,
    }
}
