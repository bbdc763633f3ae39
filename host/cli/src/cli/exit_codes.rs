//! Exit codes as monitoring plugins have them: 0 ok, 1 warning, 2 critical, 3 unknown.
//!
//! Invariant: what could not be asked is unknown, and nothing worse; what a person ordered (a stop, a pause) is no alarm.

use super::{
    client::Client,
    failure::{self, Ending, Monitored},
    listings::parse,
    output::Output,
    status::{is_amiss, show_status, show_target},
};
use mainstay_api::{Health, PluginRow, ProbeReport, Status, TargetDetail, TargetRow};
use mainstay_domain::name::TargetName;

/// Ends as monitoring plugins do: what went wrong is told, and is unknown.
pub(super) fn or_unknown(ending: anyhow::Result<Ending>, json: bool) -> Ending {
    ending.unwrap_or_else(|error| {
        failure::tell(&error, json);
        Ending::Monitored(Monitored::Unknown)
    })
}

/// Shows the status of all or of one target, and ends by the worst in it.
pub(super) async fn status(
    client: &Client,
    out: &Output,
    target: Option<&TargetName>,
    all: bool,
) -> anyhow::Result<Ending> {
    let worst = match target {
        Some(target) => {
            let answer = client.get(&format!("/v1/targets/{target}")).await?;
            show_target(client, out, &answer).await?;
            of_target(&parse::<TargetDetail>(&answer)?.target)
        }
        None => {
            let answer = client.get("/v1/status").await?;
            show_status(client, out, all, &answer).await?;
            of_status(&parse(&answer)?)
        }
    };
    Ok(Ending::Monitored(worst))
}

/// The worst of a whole status.
fn of_status(status: &Status) -> Monitored {
    let targets = status.targets.iter().map(of_target);
    let jobs = status.jobs.iter().map(|job| doubt(is_amiss(job)));
    let plugins = status.plugins.iter().map(of_plugin);
    let refused = status.last_reload.as_ref().is_some_and(|last| !last.ok);
    let is_deaf = status.alerters.iter().any(|row| row.since.is_some());
    let unhandled = !status.unhandled_routes.is_empty();
    let host = [doubt(refused), doubt(unhandled), doubt(is_deaf)];
    let all = targets.chain(jobs).chain(plugins).chain(host);
    all.max().unwrap_or(Monitored::Ok)
}

/// How one target is.
fn of_target(target: &TargetRow) -> Monitored {
    // What a person keeps stopped, and what has done its work, is not looked at.
    if target.stopped.is_some() || target.completed {
        return Monitored::Ok;
    }
    let open = doubt(target.incident.is_some());
    open.max(of_health(Some(target.health)))
}

/// How what was seen is, or what was not.
fn of_health(health: Option<Health>) -> Monitored {
    match health {
        Some(Health::Healthy | Health::Starting) => Monitored::Ok,
        Some(Health::Degraded) => Monitored::Warning,
        Some(Health::Failed) => Monitored::Critical,
        Some(Health::Unknown) | None => Monitored::Unknown,
    }
}

/// A plugin that is kept from working, be it by one of its names.
fn of_plugin(plugin: &PluginRow) -> Monitored {
    doubt(plugin.quarantined || plugin.instances.iter().any(|one| one.quarantined))
}

/// How the checks of one target went that were run now.
pub(super) fn of_probe(report: &ProbeReport) -> Monitored {
    let checks = report.checks.iter();
    let worst = checks.map(|check| of_health(check.outcome)).max();
    worst.unwrap_or(Monitored::Unknown)
}

fn doubt(is_so: bool) -> Monitored {
    if is_so {
        Monitored::Warning
    } else {
        Monitored::Ok
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_api::{CircuitState, ProbedCheck};

    fn target(health: Health) -> TargetRow {
        TargetRow {
            name: "api".to_owned(),
            health,
            degraded: None,
            circuit: CircuitState::Closed,
            incident: None,
            operation: None,
            rests: None,
            waits: None,
            pause: None,
            held: None,
            unseen: None,
            priority: 5,
            paused: false,
            paused_until: None,
            pid: None,
            service_pid: None,
            restarts: 0,
            not_started: None,
            unstarted: None,
            not_yet: None,
            completed: false,
            stopped: None,
        }
    }

    #[test]
    fn a_target_is_as_its_health_is_but_for_what_a_person_ordered() {
        for (health, expected) in [
            (Health::Healthy, Monitored::Ok),
            (Health::Starting, Monitored::Ok),
            (Health::Degraded, Monitored::Warning),
            (Health::Failed, Monitored::Critical),
            (Health::Unknown, Monitored::Unknown),
        ] {
            assert_eq!(of_target(&target(health)), expected, "{health}");
        }
        let stopped = TargetRow {
            stopped: Some("stopped by root".to_owned()),
            ..target(Health::Unknown)
        };
        assert_eq!(of_target(&stopped), Monitored::Ok);
        let completed = TargetRow {
            completed: true,
            ..target(Health::Unknown)
        };
        assert_eq!(of_target(&completed), Monitored::Ok);
        let recovering = TargetRow {
            incident: Some("inc-1".to_owned()),
            ..target(Health::Healthy)
        };
        assert_eq!(of_target(&recovering), Monitored::Warning);
    }

    #[test]
    fn a_host_whose_alerter_tells_nobody_is_a_warning_though_all_its_targets_are_healthy() {
        let mut status: Status = serde_json::from_value(serde_json::json!({
            "host": {
                "name": "db1", "version": "0.1.0", "phase": "normal", "started_at": "2026-03-01T08:00:00Z",
                "contract_versions": [], "config_digest": "00", "paused": false, "paused_until": null,
            },
            "targets": [], "plugins": [], "jobs": [], "last_reload": null,
            "alerters": [{
                "name": "webhook", "serves": false, "undelivered": 2, "last_error": null, "since": null,
            }],
        }))
        .unwrap();
        status.targets.push(target(Health::Healthy));
        assert_eq!(of_status(&status), Monitored::Ok);
        status.alerters[0].since = Some("2026-03-01T08:00:00Z".to_owned());
        assert_eq!(of_status(&status), Monitored::Warning);
    }

    #[test]
    fn the_worst_counts_and_what_is_unknown_is_less_than_what_is_known_to_be_wrong() {
        let check = |outcome| ProbedCheck {
            check: "http".to_owned(),
            outcome,
            message: None,
            value: None,
            elapsed_ms: 1.0,
        };
        let worst = |outcomes: &[Option<Health>]| {
            of_probe(&ProbeReport {
                target: "api".to_owned(),
                healthy: false,
                checks: outcomes.iter().copied().map(check).collect(),
            })
        };
        let (healthy, failed) = (Some(Health::Healthy), Some(Health::Failed));
        let degraded = Some(Health::Degraded);
        assert_eq!(worst(&[healthy, healthy]), Monitored::Ok);
        assert_eq!(worst(&[healthy, None]), Monitored::Unknown);
        assert_eq!(worst(&[None, degraded]), Monitored::Warning);
        assert_eq!(worst(&[degraded, failed, None]), Monitored::Critical);
        assert_eq!(worst(&[]), Monitored::Unknown, "nothing was looked at");
    }
}
