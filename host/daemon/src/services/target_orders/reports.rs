//! Failures that people and other programs report, until they take them back or the time of the report is over.

use super::{Inner, LOOK_EVERY};
use crate::ports::{Refused, ReportRequest};
use mainstay_domain::{
    actor::Actor,
    event::{Event, EventKind, FailureCleared, FailureReported},
    failure,
    name::{FailureType, TargetName},
    orders::{Orders, Reported},
    severity::Severity,
    spec::{Spec, TargetSpec},
    text::list,
    timeline::Timeline,
};
use parking_lot::MutexGuard;
use std::{collections::BTreeSet, sync::Arc, time::Duration};

impl Inner {
    /// Raises or clears a failure; when this returns it is written down where that can be, and recovery knows of it.
    pub(super) async fn report(&self, request: ReportRequest) -> Result<Reported, Refused> {
        let spec = Arc::clone(&self.ports.shared.spec.borrow());
        let (name, failure) = (&request.target, &request.failure);
        let target = spec
            .target(name)
            .ok_or_else(|| Self::refused_as_unknown(name))?;
        let by = self.ports.secrets.conceal_note(request.by);
        if request.clear {
            let found = self.find(name, failure).ok_or_else(|| {
                Refused(format!(
                    "nobody has reported {failure} of {name}, or it was cleared; `mainstay incidents --open` lists what is open"
                ))
            })?;
            self.take_back(&found, Some(&by)).await;
            return Ok(found);
        }
        if let Some(held) = self.ports.targets.held(name) {
            return Err(Self::refused_as_held(name, &held));
        }
        must_be_known(&spec, target, failure)?;
        // Should the clock have been set since the last look, or be before the next.
        drop(self.look_at_clocks());
        let now = self.ports.shared.clock.now();
        let report = Reported {
            target: name.clone(),
            failure: failure.clone(),
            severity: request
                .severity
                .or(request.score.map(Severity::of_score))
                .unwrap_or_else(|| severity_of(target, failure)),
            score: request.score,
            confidence: request.confidence,
            message: self.ports.secrets.conceal_text(&request.message),
            by: by.name.clone(),
            note: by.note.clone(),
            at: now,
            until: request.lasts.map(|lasts| now + lasts),
        };
        let written = report.clone();
        let take = |orders: &mut Orders| {
            // It may have been stopped since, and not yet be down.
            if let Some(order) = orders.stopped(name) {
                return Err(Self::refused_as_held(name, &order.words()));
            }
            match orders.report(written) {
                true => Ok(()),
                false => Err(too_many()),
            }
        };
        self.try_change(take).await?;
        self.reported.notify_one();
        let facts = FailureReported {
            failure: report.failure.clone(),
            confidence: report.confidence,
            by: by.name,
            note: by.note,
            until: report.until,
        };
        let event = Event::new(
            EventKind::FailureReported,
            report.severity,
            now,
            format!("{name}: {}", report.words()),
        );
        let what = "a report";
        self.tell(event.with_target(name).with_data(facts), what)
            .await;
        // Held, so that whoever takes it back meanwhile does so before this, or after.
        let orders = self.orders.lock();
        if orders.reported.contains(&report) {
            self.raise(&report);
        }
        drop(orders);
        Ok(report)
    }

    /// Tells it to whoever watches the target.
    fn raise(&self, report: &Reported) {
        let reports = &self.ports.reports;
        reports.reported(
            &report.target,
            &report.failure,
            report.severity,
            report.evidence(),
        );
    }

    fn find(&self, target: &TargetName, failure: &FailureType) -> Option<Reported> {
        let orders = self.orders.lock();
        let mut reported = orders.reported.iter();
        let found = reported.find(|report| report.is_of(target, failure));
        found.cloned()
    }

    /// It holds no more, for somebody says so; or for its time is over, which says nothing of the target.
    async fn take_back(&self, report: &Reported, by: Option<&Actor>) {
        let Reported {
            target, failure, ..
        } = report;
        let mut is_over = true;
        let take_back = |orders: &mut Orders| match by {
            Some(_) => orders.clear(target, failure),
            None => is_over = orders.end(report),
        };
        self.change(take_back).await;
        if !is_over {
            return;
        }
        let message = match by {
            Some(by) => format!("{target}: {by} says that {failure} is over"),
            None => format!("{target}: the time of the report of {failure} is over"),
        };
        self.taken_back(report, by, message).await;
    }

    /// What was reported of a target that is stopped now says nothing any more.
    pub(super) async fn say_nothing_any_more(&self, reports: &[Reported]) {
        for report in reports {
            let Reported {
                target, failure, ..
            } = report;
            let message = format!(
                "{target}: it is stopped, so the report of {failure} says nothing any more"
            );
            self.taken_back(report, None, message).await;
        }
    }

    /// It does not hold any more.
    async fn taken_back(&self, report: &Reported, by: Option<&Actor>, message: String) {
        let Reported {
            target, failure, ..
        } = report;
        let facts = FailureCleared {
            failure: failure.clone(),
            by: by.map(|by| by.name.clone()),
            note: by.and_then(|by| by.note.clone()),
        };
        let now = self.ports.shared.clock.now();
        let event = Event::new(EventKind::FailureCleared, Severity::Low, now, message);
        let what = "a report";
        self.tell(event.with_target(target).with_data(facts), what)
            .await;
        self.ports.reports.taken_back(target, failure, by.is_some());
    }

    /// Takes back what has lasted as long as it was to.
    pub(super) async fn end_overdue(&self) {
        let overdue: Vec<Reported> = {
            let timeline = self.look_at_clocks();
            let orders = self.orders.lock();
            let reported = orders.reported.iter();
            let is_over = |report: &&Reported| report.left(&timeline) == Some(Duration::ZERO);
            reported.filter(is_over).cloned().collect()
        };
        for report in &overdue {
            self.take_back(report, None).await;
        }
    }

    /// How long nothing is overdue.
    pub(super) fn rest(&self) -> Duration {
        let timeline = self.look_at_clocks();
        let orders = self.orders.lock();
        let rests = orders.reported.iter();
        let rests = rests.filter_map(|report| report.left(&timeline));
        let shortest = rests.min().unwrap_or(LOOK_EVERY);
        shortest.clamp(Duration::from_millis(50), LOOK_EVERY)
    }

    /// What was lived, up to now.
    fn look_at_clocks(&self) -> MutexGuard<'_, Timeline> {
        let clock = &self.ports.shared.clock;
        let mut timeline = self.timeline.lock();
        timeline.pass(clock.now(), clock.monotonic());
        timeline
    }
}

fn too_many() -> Refused {
    Refused(format!(
        "{} reports hold already; take some back with `mainstay report --clear`",
        Orders::MOST_REPORTS
    ))
}

/// As bad as the check that would see it says, else as it is by its kind.
fn severity_of(target: &TargetSpec, failure: &FailureType) -> Severity {
    let checks = target.checks.iter();
    let own = checks.filter(|check| check.failure == *failure);
    let worst = own.map(|check| check.severity).max();
    worst.unwrap_or_else(|| failure::default_severity(failure))
}

/// A failure that nothing in the config names is a misspelt one: nobody would do anything about it.
fn must_be_known(spec: &Spec, target: &TargetSpec, failure: &FailureType) -> Result<(), Refused> {
    let mut routes = spec.routes.iter().filter(|route| {
        let of_target = route.target.as_ref();
        of_target.is_none_or(|of_target| *of_target == target.name)
    });
    let checks = target.checks.iter().map(|check| &check.failure);
    let exit = target.process.iter().map(|process| &process.exit_failure);
    let named: BTreeSet<&FailureType> = checks
        .chain(exit)
        .chain(routes.clone().filter_map(|route| route.failure.as_ref()))
        .collect();
    if named.contains(failure) || routes.any(|route| route.failure.is_none()) {
        return Ok(());
    }
    Err(Refused(format!(
        "neither a check nor a route of {} names {failure}; named are {}",
        target.name,
        list(named, "none")
    )))
}
