//! What people ordered that holds until they say otherwise, over restarts of the daemon.
//!
//! Invariant: an order says who gave it, and of one target there is one.

use crate::{
    actor::Actor,
    drill::DrillMethod,
    health::Evidence,
    name::{FailureType, TargetName},
    severity::Severity,
    time::Timestamp,
    timeline::Timeline,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Every order that holds. Serialised as it is stored.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Orders {
    /// Targets that are kept stopped, in the order in which they were.
    #[serde(default)]
    pub stopped: Vec<StopOrder>,
    /// Failures that were reported and hold, in the order in which they were reported last.
    #[serde(default)]
    pub reported: Vec<Reported>,
    /// Drills that are under way; absent in files of versions that had none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drills: Vec<DrillOrder>,
}

/// A target is being broken on purpose, or was: written down before it is, so that a daemon that finds it knows of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillOrder {
    /// Which.
    pub target: TargetName,
    /// The failure that is to come of it.
    pub failure: FailureType,
    /// How it is broken.
    pub method: DrillMethod,
    /// Who has it broken: the user of the socket's peer, or the name of the token's secret.
    pub by: String,
    /// What they say about themselves.
    pub note: Option<String>,
    /// When that was ordered.
    pub at: Timestamp,
}

/// Somebody says that a target has a failure: it holds until they take it back, or its time is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reported {
    /// Which target.
    pub target: TargetName,
    /// What it has.
    pub failure: FailureType,
    /// How bad that is.
    pub severity: Severity,
    /// How sure they are, from 0 to 1, where they say it.
    pub confidence: Option<f64>,
    /// The same of how bad it is, from 0 to 1. Absent where they do not say it, or said it as a word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// What they saw, as they said it.
    pub message: String,
    /// Who reports it: the user of the socket's peer, or the name of the token's secret.
    pub by: String,
    /// What they say about themselves.
    pub note: Option<String>,
    /// When.
    pub at: Timestamp,
    /// It does not hold longer than this.
    pub until: Option<Timestamp>,
}

/// What the check of evidence is called that nobody but a report has.
const REPORT: &str = "report";

/// How sure of it is who saw this, from 0 to 1: a report may say it, and a check has looked itself.
pub fn confidence_of(evidence: &Evidence) -> f64 {
    let said = evidence.value.filter(|_| evidence.check == REPORT);
    said.filter(|said| (0.0..=1.0).contains(said))
        .unwrap_or(1.0)
}

impl Reported {
    /// Whether it is of this failure of this target.
    pub fn is_of(&self, target: &TargetName, failure: &FailureType) -> bool {
        self.target == *target && self.failure == *failure
    }

    /// How much longer it holds, by the time that was lived since it was made, whatever the wall clock does; none where no
    /// time ends it.
    pub fn left(&self, timeline: &Timeline) -> Option<Duration> {
        let lasts = self.until?.since(self.at);
        Some(lasts.saturating_sub(timeline.lived_since(self.at)))
    }

    /// For people, without the target.
    pub fn words(&self) -> String {
        let by = Actor {
            name: self.by.clone(),
            note: self.note.clone(),
        };
        let sure = match self.confidence {
            Some(confidence) => format!(", confidence {confidence}"),
            None => String::new(),
        };
        let bad = match self.score {
            Some(score) => format!(", score {score}"),
            None => String::new(),
        };
        let saw = match self.message.trim() {
            "" => String::new(),
            saw => format!(": {saw}"),
        };
        format!("{by} reported {}{bad}{sure}{saw}", self.failure)
    }

    /// As checks have it; its value is the confidence.
    pub fn evidence(&self) -> Evidence {
        Evidence {
            check: REPORT.to_owned(),
            observed_at: self.at,
            message: self.words(),
            value: self.confidence,
            output: None,
            score: self.score,
        }
    }
}

/// A target is kept stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopOrder {
    /// Which.
    pub target: TargetName,
    /// Who ordered it: the user of the socket's peer, or the name of the token's secret.
    pub by: String,
    /// What they say about themselves.
    pub note: Option<String>,
    /// Why, as they said it.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

impl StopOrder {
    /// For people, as `status` says it.
    pub fn words(&self) -> String {
        let actor = Actor {
            name: self.by.clone(),
            note: self.note.clone(),
        };
        match self.reason.trim() {
            "" => format!("stopped by {actor}"),
            reason => format!("stopped by {actor}: {reason}"),
        }
    }
}

impl Orders {
    /// So many reports hold at one time at most.
    pub const MOST_REPORTS: usize = 1_000;

    /// This target is kept stopped from now on. What was reported of it says nothing any more, and is given.
    pub fn stop(&mut self, order: StopOrder) -> Vec<Reported> {
        self.start(&order.target);
        let is_of_it = |report: &mut Reported| report.target == order.target;
        let over = self.reported.extract_if(.., is_of_it).collect();
        self.stopped.push(order);
        over
    }

    /// Who keeps this target stopped, if anybody does.
    pub fn stopped(&self, target: &TargetName) -> Option<&StopOrder> {
        self.stopped.iter().find(|order| order.target == *target)
    }

    /// This target is not kept stopped any more.
    pub fn start(&mut self, target: &TargetName) {
        self.stopped.retain(|order| order.target != *target);
    }

    /// This failure holds from now on, as the newest report says; whether there is room for it.
    pub fn report(&mut self, report: Reported) -> bool {
        self.clear(&report.target, &report.failure);
        let has_room = self.reported.len() < Self::MOST_REPORTS;
        if has_room {
            self.reported.push(report);
        }
        has_room
    }

    /// The reports that hold at this time: what was not over when the daemon before ended may be by now.
    pub fn holding(&self, now: Timestamp) -> impl Iterator<Item = &Reported> {
        let is_over = move |report: &Reported| report.until.is_some_and(|until| until <= now);
        self.reported
            .iter()
            .filter(move |report| !is_over(report) && self.stopped(&report.target).is_none())
    }

    /// This failure is not reported any more.
    pub fn clear(&mut self, target: &TargetName, failure: &FailureType) {
        self.reported
            .retain(|report| !report.is_of(target, failure));
    }

    /// The time of this report is over; whether it held still, for the failure may have been reported anew.
    pub fn end(&mut self, report: &Reported) -> bool {
        let before = self.reported.len();
        self.reported.retain(|other| other != report);
        self.reported.len() < before
    }

    /// A drill begins; false where one of this target is under way.
    pub fn drill(&mut self, order: DrillOrder) -> bool {
        let is_new = !self.is_drilled(&order.target);
        if is_new {
            self.drills.push(order);
        }
        is_new
    }

    /// Whether a drill of this target is under way.
    pub fn is_drilled(&self, target: &TargetName) -> bool {
        self.drills.iter().any(|order| order.target == *target)
    }

    /// The drill of this target is over.
    pub fn end_drill(&mut self, target: &TargetName) {
        self.drills.retain(|order| order.target != *target);
    }

    /// Only these targets are there any more.
    pub fn keep_to(&mut self, is_there: impl Fn(&TargetName) -> bool) {
        self.stopped.retain(|order| is_there(&order.target));
        self.reported.retain(|report| is_there(&report.target));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Monotonic;

    fn order(target: &str, reason: &str) -> StopOrder {
        StopOrder {
            target: TargetName::parse(target).unwrap(),
            by: "root".to_owned(),
            note: None,
            reason: reason.to_owned(),
            at: Timestamp::from_millis(0),
        }
    }

    #[test]
    fn a_report_holds_for_its_time_whatever_the_wall_clock_does() {
        let (begin, hour) = (
            Timestamp::from_millis(1_700_000_000_000),
            Duration::from_secs(3_600),
        );
        let (day, minute) = (24 * hour, hour / 60);
        for (ahead, back) in [(day, Duration::ZERO), (Duration::ZERO, day)] {
            let mut timeline = Timeline::default();
            let mut pass = |length: Duration, ahead: Duration, back: Duration| {
                let wall = begin + length + ahead - back;
                timeline.pass(wall, Monotonic::from_start(length));
                timeline.clone()
            };
            let report = |until| Reported {
                target: TargetName::parse("api").unwrap(),
                failure: FailureType::parse("down").unwrap(),
                severity: Severity::High,
                confidence: None,
                score: None,
                message: String::new(),
                by: "root".to_owned(),
                note: None,
                at: begin,
                until,
            };
            let (lasting, for_good) = (report(Some(begin + hour)), report(None));
            let now = pass(Duration::ZERO, Duration::ZERO, Duration::ZERO);
            assert_eq!(lasting.left(&now), Some(hour));
            let set = pass(minute, ahead, back);
            assert_eq!(lasting.left(&set), Some(59 * minute));
            let over = pass(hour, ahead, back);
            assert_eq!(lasting.left(&over), Some(Duration::ZERO));
            assert_eq!(for_good.left(&over), None);
        }
    }

    #[test]
    fn of_one_target_there_is_one_drill_until_it_is_over() {
        let drill = |method| DrillOrder {
            target: TargetName::parse("api").unwrap(),
            failure: FailureType::parse("down").unwrap(),
            method,
            by: "root".to_owned(),
            note: None,
            at: Timestamp::from_millis(0),
        };
        let mut orders = Orders::default();
        assert!(orders.drill(drill(DrillMethod::Kill)));
        assert!(!orders.drill(drill(DrillMethod::Stop)));
        assert_eq!(orders.drills, [drill(DrillMethod::Kill)]);
        orders.end_drill(&drill(DrillMethod::Kill).target);
        assert_eq!(orders, Orders::default());
    }

    #[test]
    fn of_one_target_there_is_one_order_and_a_start_takes_it_back() {
        let mut orders = Orders::default();
        orders.stop(order("api", ""));
        orders.stop(order("db", ""));
        orders.stop(order("api", "moved"));
        assert_eq!(orders.stopped, [order("db", ""), order("api", "moved")]);
        orders.start(&order("api", "").target);
        assert_eq!(orders.stopped, [order("db", "")]);
        orders.keep_to(|target| target.as_str() == "db");
        assert_eq!(orders.stopped, [order("db", "")]);
        orders.keep_to(|target| target.as_str() == "api");
        assert_eq!(orders, Orders::default());
    }

    fn report(failure: &str, confidence: Option<f64>) -> Reported {
        Reported {
            target: TargetName::parse("api").unwrap(),
            failure: FailureType::parse(failure).unwrap(),
            severity: Severity::High,
            confidence,
            score: None,
            message: "no answer".to_owned(),
            by: "root".to_owned(),
            note: None,
            at: Timestamp::from_millis(0),
            until: None,
        }
    }

    #[test]
    fn what_is_stopped_has_no_report_and_reports_hold_till_their_end() {
        let mut orders = Orders::default();
        let brief = Reported {
            until: Some(Timestamp::from_millis(10)),
            ..report("down", None)
        };
        orders.report(report("slow", None));
        orders.report(brief.clone());
        let holding = |orders: &Orders, now| orders.holding(Timestamp::from_millis(now)).count();
        assert_eq!((holding(&orders, 9), holding(&orders, 10)), (2, 1));
        assert!(orders.stop(order("db", "")).is_empty());
        let over = orders.stop(order("api", ""));
        assert_eq!(over, [report("slow", None), brief]);
        assert_eq!(holding(&orders, 0), 0);
        // As a file of another version may have it.
        orders.reported = over;
        assert_eq!(holding(&orders, 0), 0);
    }

    #[test]
    fn too_many_reports_are_refused_and_one_that_holds_is_renewed() {
        let mut orders = Orders::default();
        for number in 0..Orders::MOST_REPORTS {
            assert!(orders.report(report(&format!("slow-{number}"), None)));
        }
        assert!(!orders.report(report("more", None)));
        assert!(orders.report(report("slow-0", Some(0.5))));
        assert_eq!(orders.reported.len(), Orders::MOST_REPORTS);
    }

    #[test]
    fn the_end_of_a_report_is_not_that_of_the_one_that_took_its_place() {
        let mut orders = Orders::default();
        let (first, anew) = (report("down", None), report("down", Some(0.5)));
        assert!(orders.report(first.clone()) && orders.report(anew.clone()));
        assert!(!orders.end(&first));
        assert_eq!(orders.reported, std::slice::from_ref(&anew));
        assert!(orders.end(&anew));
        assert!(orders.reported.is_empty());
    }

    #[test]
    fn a_failure_is_reported_once_and_the_newest_report_counts() {
        let mut orders = Orders::default();
        orders.report(report("slow", Some(0.5)));
        orders.report(report("down", None));
        orders.report(report("slow", Some(0.75)));
        let newest = [report("down", None), report("slow", Some(0.75))];
        assert_eq!(orders.reported, newest);
        let evidence = newest[1].evidence();
        assert_eq!(evidence.value, Some(0.75));
        assert_eq!(
            evidence.message,
            "root reported slow, confidence 0.75: no answer"
        );
        orders.clear(&newest[1].target, &newest[1].failure);
        assert_eq!(orders.reported, [report("down", None)]);
    }

    #[test]
    fn an_order_says_who_gave_it_and_why() {
        let noted = StopOrder {
            note: Some("anna".to_owned()),
            ..order("api", "moved")
        };
        assert_eq!(order("api", " ").words(), "stopped by root");
        assert_eq!(noted.words(), "stopped by root (who says: anna): moved");
    }
}
