//! How the host as a whole does, and who works together with it.

use super::{Served, error::ApiError};
use crate::ports::{CoordinationError, HostCondition};
use axum::{Json, extract::State};
use mainstay_api::{HostHealth, Liveness, Node, Readiness, RecoveryCounts};
use mainstay_domain::{fallback_mode::FallbackMode, text::counted, time::millis};
use std::{sync::Arc, time::Duration};

pub(super) async fn show(State(served): State<Arc<Served>>) -> Result<Json<HostHealth>, ApiError> {
    let consensus = served.ports.coordinator.get_consensus().await;
    let consensus = consensus.map_err(no_coordination)?;
    let condition = served.ports.condition.condition();
    let mode = (condition.mode, condition.mode_since);
    let (recovery, uptime) = (recovery(&served), uptime(&served));
    let health = HostHealth::of(&condition.health, mode, recovery, uptime, &consensus);
    Ok(Json(health))
}

/// What recovery does about each target, counted.
fn recovery(served: &Served) -> RecoveryCounts {
    let mut counts = RecoveryCounts::default();
    for (name, _) in served.ports.host.facts().targets.iter() {
        let Some(active) = served.ports.recovery.active(name) else {
            continue;
        };
        counts.failing += u64::from(active.incident.is_some());
        counts.operations += u64::from(active.operation.is_some());
        counts.resting += u64::from(active.rests.is_some());
        counts.held += u64::from(active.held.is_some());
        counts.waiting += u64::from(!active.waits.is_empty());
    }
    counts
}

pub(super) async fn nodes(State(served): State<Arc<Served>>) -> Result<Json<Vec<Node>>, ApiError> {
    let nodes = served.ports.coordinator.get_nodes().await;
    let nodes = nodes.map_err(no_coordination)?;
    Ok(Json(nodes.iter().map(Node::from).collect()))
}

/// As the seed has it [seed 001]: only in the mode `primary`, and where no target has failed.
pub(super) async fn ready(State(served): State<Arc<Served>>) -> Result<Json<Readiness>, ApiError> {
    let condition = served.ports.condition.condition();
    match why_not_ready(&condition) {
        Some(why) => Err(ApiError::not_ready(&why)),
        None => Ok(Json(Readiness {
            ready: true,
            mode: condition.mode.into(),
        })),
    }
}

pub(super) async fn live(State(served): State<Arc<Served>>) -> Json<Liveness> {
    Json(Liveness {
        live: true,
        uptime_ms: millis(uptime(&served)),
    })
}

fn why_not_ready(condition: &HostCondition) -> Option<String> {
    let (mode, failed) = (condition.mode, condition.health.failed);
    let is_ready = mode == FallbackMode::Primary && failed == 0;
    (!is_ready).then(|| format!("mode {mode}, {}", counted(failed, "failed target")))
}

/// By no clock that is set.
fn uptime(served: &Served) -> Duration {
    served.ports.clock.with_suspension().elapsed()
}

fn no_coordination(error: CoordinationError) -> ApiError {
    ApiError::conflict(
        error.to_string(),
        "`mainstay status` says how this host does",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::fakes::NOW;
    use mainstay_domain::host_health;

    #[test]
    fn a_host_is_ready_in_its_primary_mode_without_a_failed_target() {
        for (mode, failed, why) in [
            (FallbackMode::Primary, 0, None),
            (
                FallbackMode::Primary,
                1,
                Some("mode primary, 1 failed target"),
            ),
            (
                FallbackMode::Heuristic,
                0,
                Some("mode heuristic, 0 failed targets"),
            ),
            (FallbackMode::Safe, 2, Some("mode safe, 2 failed targets")),
        ] {
            let condition = HostCondition {
                health: host_health::HostHealth {
                    failed,
                    ..Default::default()
                },
                mode,
                mode_since: NOW,
            };
            assert_eq!(why_not_ready(&condition).as_deref(), why);
        }
    }
}
