//! What became of the failures of targets, in numbers.

use super::{Served, error::ApiError, extract::Parameters, names, requests};
use crate::ports::{StatisticsFilter, TargetStatistics};
use axum::{Json, extract::State};
use mainstay_api::{Stats, StatsQuery, TargetStats};
use mainstay_domain::time::millis;
use std::{sync::Arc, time::Duration};

/// How far back it goes where nobody says.
const BACK: Duration = Duration::from_secs(30 * 86_400);

pub(super) async fn stats(
    State(served): State<Arc<Served>>,
    Parameters(query): Parameters<StatsQuery>,
) -> Result<Json<Stats>, ApiError> {
    let now = served.ports.clock.now();
    let (target, since) = requests::stats(&query)?;
    names::known(&served, target.as_ref()).await?;
    let since = since.unwrap_or(now - BACK);
    if since > now {
        let why = format!("{since} is still to come; give a time before now, which is {now}");
        return Err(ApiError::bad_query("since", why));
    }
    let targets = served.ports.host.facts().targets;
    let configured: Vec<_> = targets.iter().map(|(name, _)| name.clone()).collect();
    let filter = StatisticsFilter {
        target: target.clone(),
        configured: configured.clone(),
        since,
        until: now,
    };
    let mut found = served.ports.records.statistics(filter).await?;
    let window = now.since(since);
    let mut targets = Vec::new();
    for name in &configured {
        if target.as_ref().is_some_and(|asked| asked != name) {
            continue;
        }
        // In the order of their names.
        let numbers = match found.binary_search_by(|numbers| numbers.target.cmp(name)) {
            Ok(place) => found.remove(place),
            Err(_) => TargetStatistics::none(name.clone()),
        };
        targets.push(form(&numbers, window));
    }
    targets.extend(found.iter().map(|numbers| form(numbers, window)));
    Ok(Json(Stats {
        since: since.to_string(),
        until: now.to_string(),
        targets,
    }))
}

fn form(numbers: &TargetStatistics, window: Duration) -> TargetStats {
    let ended = numbers.recoveries.saturating_add(numbers.failures);
    // What came back at once did not help.
    let lasted = numbers.recoveries.saturating_sub(numbers.relapses);
    let of_time = |part: Duration, whole: Duration| {
        (!whole.is_zero()).then(|| part.as_secs_f64() / whole.as_secs_f64())
    };
    TargetStats {
        target: numbers.target.to_string(),
        incidents: numbers.incidents,
        relapses: numbers.relapses,
        recoveries: numbers.recoveries,
        failed: numbers.failures,
        success_rate: share(lasted, ended),
        mean_recovery_ms: numbers.mean_ms,
        median_recovery_ms: numbers.median_ms,
        p95_recovery_ms: numbers.p95_ms,
        rto_met: share(numbers.timed.saturating_sub(numbers.late), numbers.timed),
        uptime: of_time(numbers.known.saturating_sub(numbers.down), numbers.known),
        known: of_time(numbers.known, window).unwrap_or(0.0),
        known_ms: millis(numbers.known),
    }
}

/// A part of a whole; none of nothing.
fn share(part: u64, whole: u64) -> Option<f64> {
    #[allow(
        clippy::cast_precision_loss,
        reason = "so many recoveries are there nowhere"
    )]
    let share = |part: u64, whole: u64| part as f64 / whole as f64;
    (whole > 0).then(|| share(part, whole))
}
