//! How long the next attempt waits: the one place that asks a strategy.
//!
//! Invariant: it depends only on the record of the incident and on the route, so another daemon computes the same.

use crate::{incident::Incident, spec::RouteSpec};
use std::time::Duration;

/// What is waited before an attempt, counted from 1; none where the strategy has no such attempt.
pub(super) fn delay_before(
    route: &RouteSpec,
    incident: &Incident,
    attempt: u32,
) -> Option<Duration> {
    route.strategy.delay_before(attempt, &incident.id)
}
