//! Fixtures of a config and its names.

use crate::{
    health::Evidence,
    name::{CheckName, FailureType, PluginName, TargetName},
    severity::Severity,
    spec::{
        BreakerSpec, CheckKind, CheckSpec, ForeignCommands, HostSpec, RouteSpec, Spec, StepSpec, Strategy,
        TargetSpec,
    },
    time::Timestamp,
};
use semver::VersionReq;
use std::{path::PathBuf, time::Duration};

pub(crate) fn target_name(text: &str) -> TargetName {
    TargetName::parse(text).unwrap()
}

pub(crate) fn failure_type(text: &str) -> FailureType {
    FailureType::parse(text).unwrap()
}

/// A route for everything: one step, immediate, two attempts.
pub(crate) fn route() -> RouteSpec {
    RouteSpec {
        failure: None,
        target: None,
        severity: None,
        strategy: Strategy::Immediate { max_attempts: 2 },
        cooldown: Duration::ZERO,
        relapse_window: Duration::from_secs(60),
        chain: vec![step("healer")],
    }
}

pub(crate) fn step(handler: &str) -> StepSpec {
    StepSpec {
        handler: PluginName::parse(handler).unwrap(),
        version: VersionReq::STAR,
        always: false,
        params: serde_json::json!({}),
        timeout: Duration::from_secs(60),
    }
}

pub(crate) fn target(name: &str) -> TargetSpec {
    TargetSpec {
        name: target_name(name),
        priority: 5,
        depends_on: Vec::new(),
        rto: Duration::from_secs(300),
        process: None,
        commands: ForeignCommands::default(),
        checks: vec![CheckSpec {
            name: CheckName::parse("tcp").unwrap(),
            kind: CheckKind::Tcp {
                address: "127.0.0.1:1".to_owned(),
            },
            every: Duration::from_secs(10),
            timeout: Duration::from_secs(1),
            fail_after: 1,
            recover_after: 1,
            jitter: Duration::ZERO,
            failure: failure_type("down"),
            severity: Severity::High,
        }],
        breaker: BreakerSpec {
            open_for: Duration::from_secs(30),
        },
        validation_timeout: Duration::from_secs(60),
        start_period: Duration::ZERO,
    }
}

/// A config without targets and routes.
pub(crate) fn spec() -> Spec {
    Spec {
        host: HostSpec {
            name: "host".to_owned(),
            state_dir: PathBuf::from("/state"),
            plugin_dir: PathBuf::from("/plugins"),
            shutdown_deadline: Duration::from_secs(30),
            keep_history: Duration::from_secs(3600),
            api: None,
        },
        targets: Vec::new(),
        commands: Default::default(),
        secrets: Default::default(),
        routes: Vec::new(),
        plugins: Default::default(),
        alerts: Vec::new(),
        jobs: Vec::new(),
        digest: String::new(),
    }
}

pub(crate) fn evidence(message: &str) -> Evidence {
    Evidence {
        check: "tcp".to_owned(),
        observed_at: Timestamp::from_millis(0),
        message: message.to_owned(),
        value: None,
    }
}
