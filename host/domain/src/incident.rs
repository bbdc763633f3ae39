//! An incident: one open failure of one target.
//!
//! Invariant: a target has at most one open incident per failure type; a failure that comes back while it is open
//! counts as a recurrence.

use crate::{
    health::Evidence,
    id::IncidentId,
    name::{FailureType, PluginName, TargetName},
    severity::Severity,
    time::{Timestamp, millis},
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

mod escalation;
#[cfg(test)]
mod tests;

pub use escalation::{Acknowledgement, Escalation};

/// So many of the first things that were seen are kept.
pub const FIRST_EVIDENCE: usize = 5;
/// So many of the last things that were seen are kept.
pub const LAST_EVIDENCE: usize = 15;

/// Where an incident stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IncidentState {
    /// The failure holds.
    Open,
    /// Verified healthy after an operation.
    Recovered,
    /// Became healthy without one.
    SelfHealed,
    /// A person has to act; it closes when the checks pass again.
    Escalated,
    /// By another config no check sees the failure: whether it holds nobody knows.
    Unseen,
    /// The config has its target no more.
    Removed,
}

impl IncidentState {
    /// Whether the failure still holds.
    pub fn is_open(self) -> bool {
        matches!(self, IncidentState::Open | IncidentState::Escalated)
    }
}

/// One open or past failure of one target. Serialised as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Its identifier.
    pub id: IncidentId,
    /// What failed.
    pub target: TargetName,
    /// How it failed.
    pub failure: FailureType,
    /// How bad it is.
    pub severity: Severity,
    /// Where it stands.
    pub state: IncidentState,
    /// A person rejected or cancelled its recovery: nothing automatic is done about it until it is over.
    #[serde(default)]
    pub by_hand: bool,
    /// When it was detected.
    pub opened_at: Timestamp,
    /// When it was seen healthy again.
    pub closed_at: Option<Timestamp>,
    /// How often it came back within its window; 0 the first time.
    pub recurrence: u32,
    /// What the checks saw, oldest first, bounded.
    pub evidence: Vec<Evidence>,
    /// What else suffers, by the failure type.
    pub affected: Vec<String>,
    /// It was handed to people at some time; that is said once.
    #[serde(default)]
    pub escalated: bool,
    /// How often it came back within the relapse window of its recovery.
    #[serde(default)]
    pub relapses: u32,
    /// Attempts in the present round; a round is as many as the strategy allows.
    #[serde(default)]
    pub attempts: u32,
    /// Rounds in a row that did not help.
    #[serde(default)]
    pub failures_in_a_row: u32,
    /// When its last operation ended: what the next one waits is counted from here.
    #[serde(default)]
    pub tried_at: Option<Timestamp>,
    /// A failure that comes back before this is this incident again.
    #[serde(default)]
    pub relapse_until: Option<Timestamp>,
    /// The handler that was missing when it was tried last; when it serves, no wait holds.
    #[serde(default)]
    pub missing: Option<PluginName>,
    /// When it was opened and reopened, oldest first, the last of them.
    #[serde(default)]
    pub openings: Vec<Timestamp>,
    /// When its recovery time objective was exceeded; absent where it was not, and said once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rto_exceeded_at: Option<Timestamp>,
    /// Who rejected or cancelled its recovery, and why, where it is left to people; absent also in records of versions
    /// that did not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handed_over: Option<String>,
    /// For how long it was verified healthy, in all, before it came back, milliseconds: that counts against no objective.
    /// Absent where it never came back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calm_ms: Option<u64>,
    /// Attempts of the rounds before the present one. Absent where this is the first, and in records of versions that did
    /// not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts_before: Option<u32>,
    /// How far people were told of it, and who took it on.
    #[serde(default, skip_serializing_if = "Escalation::is_none")]
    pub escalation: Escalation,
}

/// So many openings of an incident are kept; more would not make any strategy wait longer.
const OPENINGS: usize = 16;

impl Incident {
    /// Opens an incident. `recurrence` is how often it was within its window before.
    pub fn open(
        id: IncidentId,
        target: TargetName,
        failure: FailureType,
        severity: Severity,
        evidence: Evidence,
        detected_at: Timestamp,
        recurrence: u32,
    ) -> Self {
        let affected = crate::failure::affected(&failure);
        // Room for the next few, so that being seen again costs no new place in memory.
        let mut seen = Vec::with_capacity(4);
        seen.push(evidence);
        Self {
            id,
            target,
            severity,
            state: IncidentState::Open,
            by_hand: false,
            opened_at: detected_at,
            closed_at: None,
            recurrence,
            evidence: seen,
            affected: affected.iter().map(ToString::to_string).collect(),
            failure,
            escalated: false,
            relapses: 0,
            attempts: 0,
            failures_in_a_row: 0,
            tried_at: None,
            relapse_until: None,
            missing: None,
            openings: vec![detected_at],
            rto_exceeded_at: None,
            handed_over: None,
            calm_ms: None,
            attempts_before: None,
            escalation: Escalation::default(),
        }
    }

    /// A round is over that did not help, after so many attempts.
    pub fn end_round(&mut self, attempts: u32) {
        self.attempts = 0;
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        let before = self.attempts_before.unwrap_or_default();
        self.attempts_before = Some(before.saturating_add(attempts));
    }

    /// Attempts of all its rounds.
    pub fn all_attempts(&self) -> u32 {
        let before = self.attempts_before.unwrap_or_default();
        before.saturating_add(self.attempts)
    }

    /// For how long it was verified healthy, in all, before it came back.
    pub fn calm(&self) -> Duration {
        Duration::from_millis(self.calm_ms.unwrap_or_default())
    }

    /// It was verified healthy for so long, and is not any more.
    pub fn add_calm(&mut self, calm: Duration) {
        self.calm_ms = Some(millis(self.calm().saturating_add(calm)));
    }

    /// The failure came back right after its recovery: it was not over. Detection stays the first one.
    pub fn reopen(&mut self, severity: Severity, evidence: Evidence, now: Timestamp) {
        // The recovery was reported, so the return is reported too.
        self.escalated &= self.closed_at.is_none();
        if self.closed_at.is_some() {
            self.escalation = Escalation::default();
        }
        self.state = match self.escalated {
            true => IncidentState::Escalated,
            false => IncidentState::Open,
        };
        self.closed_at = None;
        self.by_hand = false;
        self.handed_over = None;
        self.relapse_until = None;
        self.relapses = self.relapses.saturating_add(1);
        self.recurrence = self.recurrence.saturating_add(1);
        // What was printed at an end before is not what is printed at this one; the first is kept for who reads it all.
        let before = self.evidence.iter_mut().skip(1);
        before.for_each(|older| older.output = None);
        self.openings.push(now);
        if self.openings.len() > OPENINGS {
            self.openings.remove(0);
        }
        self.persist(severity, evidence);
    }

    /// The failure is seen again: it has not gone, so it did not come back either. It is as bad as it ever was. Whether
    /// it was recorded: not by a closed incident, for that needs a new one.
    pub fn persist(&mut self, severity: Severity, evidence: Evidence) -> bool {
        if !self.state.is_open() {
            return false;
        }
        self.severity = self.severity.max(severity);
        if evidence.output.is_some() {
            // The first and the newest say what there is to say, and each look writes them all.
            let between = self.evidence.iter_mut().skip(1);
            between.for_each(|older| older.output = None);
        }
        self.evidence.push(evidence);
        if self.evidence.len() > FIRST_EVIDENCE + LAST_EVIDENCE {
            self.evidence.remove(FIRST_EVIDENCE);
        }
        true
    }

    /// The last lines that a program or a log had when it was seen last with some, since it came back.
    pub fn output(&self) -> Option<&str> {
        let of_before = usize::from(self.relapses > 0);
        let mut newest = self.evidence.iter().skip(of_before).rev();
        newest.find_map(|seen| seen.output.as_deref())
    }

    /// Whether to report the end only after the relapse window: the failure came back before, or people were told
    /// that it needs them.
    pub fn must_last(&self) -> bool {
        self.relapses > 0 || self.escalated
    }

    /// A person has to act. Whether that is news.
    pub fn escalate(&mut self) -> bool {
        let is_news = self.state == IncidentState::Open;
        if is_news {
            self.state = IncidentState::Escalated;
            self.escalated = true;
        }
        is_news
    }

    /// It is over, and so it ended. Whether that is news.
    pub fn close(&mut self, end: IncidentState, now: Timestamp) -> bool {
        let is_news = self.state.is_open();
        if is_news {
            self.closed_at = Some(now);
            self.state = end;
        }
        is_news
    }
}
