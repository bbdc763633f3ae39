//! The CPU use of supervised processes, each with its group; what earlier looks read is kept here.
//!
//! Invariant: of each check two readings are kept, and none for long after its check is gone.

use super::{
    Seen,
    groups::{Groups, Kin},
};
use crate::{
    adapters::process::stat::{self, ProcessStat},
    ports::Clock,
};
use mainstay_domain::{
    cpu::{self, CpuReading, CpuReadings},
    health::Outcome,
    name::{CheckName, TargetName},
    spec::CheckSpec,
};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

/// So many checks are kept without a look at which of them are gone.
const FEW: usize = 64;

type Check = (TargetName, CheckName);

/// What the checks of CPU use have read before.
#[derive(Default)]
pub(super) struct CpuLooks(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    of_checks: HashMap<Check, (Weak<CheckSpec>, CpuReadings)>,
    /// With so many those that are gone are looked for; twice what was left, so that it is a look each now and then.
    sweep_at: usize,
}

/// What a process and its kin have used until now. None where they cannot be looked at, or the process has ended: its
/// end is told as that. Blocks.
pub(super) fn read(pid: u32, kin: Kin, groups: &Groups, clock: &dyn Clock) -> Option<CpuReading> {
    let leader = ProcessStat::read(pid).ok()??;
    if leader.has_ended() {
        return None;
    }
    let members = groups.members(pid, kin);
    let at = clock.monotonic();
    let mut ticks: u64 = 0;
    for member in members {
        // A number may belong to another process by now.
        if let Some(stat) = ProcessStat::read(member).ok()?
            && (kin == Kin::Descendants || stat.group == pid)
        {
            ticks = ticks.saturating_add(stat.cpu_ticks);
        }
    }
    for of_other in groups.of_others(pid, kin, |_, stat| Some(stat.cpu_ticks)) {
        ticks = ticks.saturating_add(of_other);
    }
    Some(CpuReading {
        pid,
        start_ticks: leader.start_ticks,
        used: stat::length_of(ticks),
        at,
    })
}

impl CpuLooks {
    /// What a reading of a check shows.
    pub(super) fn judge(
        &self,
        target: &TargetName,
        check: &Arc<CheckSpec>,
        kin: Kin,
        reading: Option<CpuReading>,
        (max_percent, degraded_percent): (f64, Option<f64>),
    ) -> Seen {
        let Some(reading) = reading else {
            return Seen::too_soon("the process cannot be looked at");
        };
        let Some(percent) = self.take(target, check, reading) else {
            return Seen::too_soon("there is no earlier look to compare with");
        };
        let outcome = cpu::judge(percent, max_percent, degraded_percent);
        let rule = match (outcome, degraded_percent) {
            (Outcome::Failed, _) => format!(", at most {max_percent} % are allowed"),
            (Outcome::Degraded, Some(degraded)) => format!(", {degraded} % are worth a warning"),
            _ => String::new(),
        };
        let pid = reading.pid;
        let kin = kin.words();
        let message = format!("process {pid} and {kin} use {percent:.1} % of a core{rule}");
        Seen::new(outcome, message).with_value(percent)
    }

    fn take(
        &self,
        target: &TargetName,
        check: &Arc<CheckSpec>,
        reading: CpuReading,
    ) -> Option<f64> {
        let mut kept = self.0.lock();
        if kept.of_checks.len() >= kept.sweep_at {
            kept.of_checks
                .retain(|_, (check, _)| check.strong_count() > 0);
            kept.sweep_at = kept.of_checks.len().saturating_mul(2).max(FEW);
        }
        let key = (target.clone(), check.name.clone());
        let (known, readings) = kept.of_checks.entry(key).or_default();
        *known = Arc::downgrade(check);
        readings.take(reading)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::testing::specs;
    use mainstay_domain::time::Monotonic;
    use std::time::Duration;

    fn reading(used_ms: u64, at_ms: u64) -> Option<CpuReading> {
        Some(CpuReading {
            pid: 7,
            start_ticks: 1,
            used: Duration::from_millis(used_ms),
            at: Monotonic::from_start(Duration::from_millis(at_ms)),
        })
    }

    #[test]
    fn what_is_seen_says_how_much_was_used_and_what_is_allowed() {
        let (looks, web) = (CpuLooks::default(), specs::name("web"));
        let check = Arc::new(specs::check("cpu"));
        let table = [
            (None, None, "cannot be looked at"),
            (reading(0, 0), None, "no earlier look"),
            (
                reading(100, 2_000),
                Some(Outcome::Healthy),
                "process 7 and its group use 5.0 % of a core",
            ),
            (
                reading(1_700, 4_000),
                Some(Outcome::Degraded),
                "use 80.0 % of a core, 50 % are worth a warning",
            ),
            (None, None, "cannot be looked at"),
            (
                reading(4_700, 6_000),
                Some(Outcome::Failed),
                "use 150.0 % of a core, at most 90 % are allowed",
            ),
        ];
        for (reading, outcome, message) in table {
            let seen = looks.judge(&web, &check, Kin::Group, reading, (90.0, Some(50.0)));
            assert_eq!(seen.outcome, outcome, "{seen:?}");
            assert!(seen.message.contains(message), "{seen:?}");
        }
    }

    #[test]
    fn each_check_has_its_own_readings_and_those_that_are_gone_are_forgotten() {
        let looks = CpuLooks::default();
        let kept: Vec<_> = (0..10).map(|_| Arc::new(specs::check("cpu"))).collect();
        let take = |number: usize, check: &Arc<CheckSpec>, at_ms| {
            let target = specs::name(&format!("t-{number}"));
            looks.take(&target, check, reading(0, at_ms).unwrap())
        };
        for (number, check) in kept.iter().enumerate() {
            assert_eq!(take(number, check, 0), None);
        }
        for number in 10..1_000 {
            assert_eq!(take(number, &Arc::new(specs::check("cpu")), 0), None);
        }
        assert!(looks.0.lock().of_checks.len() <= 2 * FEW);
        for (number, check) in kept.iter().enumerate() {
            assert_eq!(take(number, check, 1_000), Some(0.0), "{number}");
        }
    }
}
