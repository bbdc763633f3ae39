//! What became of the failures of targets, in numbers.

use super::{Served, error::ApiError, extract::Parameters, names, requests};
use crate::ports::{StatisticsFilter, TargetStatistics};
use axum::{Json, extract::State};
use mainstay_api::{Stats, StatsQuery, StatsTotal, TargetStats};
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
    let mut shown = Vec::new();
    for name in &configured {
        if target.as_ref().is_some_and(|asked| asked != name) {
            continue;
        }
        // In the order of their names.
        shown.push(
            match found.binary_search_by(|numbers| numbers.target.cmp(name)) {
                Ok(place) => found.remove(place),
                Err(_) => TargetStatistics::none(name.clone()),
            },
        );
    }
    shown.extend(found);
    Ok(Json(Stats {
        since: since.to_string(),
        until: now.to_string(),
        total: Some(total(&shown)),
        targets: shown.iter().map(|one| form(one, window)).collect(),
    }))
}

/// All of them as one, as the seed counts recoveries [seed 000].
fn total(all: &[TargetStatistics]) -> StatsTotal {
    let (recoveries, failed) = (
        sum_of(all, |one| one.recoveries),
        sum_of(all, |one| one.failures),
    );
    let (relapses, timed) = (
        sum_of(all, |one| one.relapses),
        sum_of(all, |one| one.timed),
    );
    let times = sum_of(all, |one| {
        one.mean_ms.unwrap_or(0).saturating_mul(one.timed)
    });
    StatsTotal {
        incidents: sum_of(all, |one| one.incidents),
        relapses,
        recoveries,
        failed,
        success_rate: share(
            recoveries.saturating_sub(relapses),
            recoveries.saturating_add(failed),
        ),
        mean_recovery_ms: times.checked_div(timed),
        rto_met: share(timed.saturating_sub(sum_of(all, |one| one.late)), timed),
    }
}

fn sum_of(all: &[TargetStatistics], of: fn(&TargetStatistics) -> u64) -> u64 {
    all.iter().map(of).fold(0, u64::saturating_add)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::fakes::target;

    #[test]
    fn targets_count_as_one_by_how_much_happened_to_each() {
        let of = |recoveries, failures, mean_ms, late| TargetStatistics {
            incidents: recoveries,
            recoveries,
            failures,
            timed: recoveries,
            mean_ms,
            late,
            relapses: 1,
            ..TargetStatistics::none(target("api"))
        };
        let all = [of(3, 1, Some(1_000), 1), of(1, 0, Some(5_000), 0)];
        let found = total(&all);
        assert_eq!((found.incidents, found.recoveries, found.failed), (4, 4, 1));
        assert_eq!(found.relapses, 2);
        assert_eq!(found.mean_recovery_ms, Some(2_000));
        assert_eq!(found.success_rate, Some(0.4));
        assert_eq!(found.rto_met, Some(0.75));
        let none = total(&[TargetStatistics::none(target("api"))]);
        assert_eq!((none.success_rate, none.mean_recovery_ms), (None, None));
        assert_eq!((none.incidents, none.rto_met), (0, None));
    }
}
