//! The words of a group's alert: how many there are and which, the most severe first.
//!
//! Invariant: of very many the first are named, and how many more there are.

use super::{KIND, Telling};
use crate::{
    alert::{Alert, AlertStatus, OutboxEntry, open::update_label, outbox::lane::LaneKey, text},
    id::AlertId,
    name::TargetName,
    severity::Severity,
};
use std::fmt::Write;

/// So many are named.
const NAMED: usize = 20;

/// Makes the messages of one group.
pub(super) struct Words<'a, 'b> {
    group: &'a LaneKey,
    telling: &'a mut Telling<'b>,
}

impl<'a, 'b> Words<'a, 'b> {
    pub(super) fn new(group: &'a LaneKey, telling: &'a mut Telling<'b>) -> Self {
        Self { group, telling }
    }

    /// These are wrong; and these were since the last message, and are over.
    pub(super) fn firing(
        &mut self,
        open: &[&Alert],
        passed: &[&Alert],
        is_update: bool,
    ) -> OutboxEntry {
        let are_over = open.is_empty();
        let open = open.iter().map(|alert| (*alert, ""));
        let passed = passed.iter().map(|alert| (*alert, " (already over)"));
        let mut all: Vec<(&Alert, &str)> = open.chain(passed).collect();
        all.sort_by(|(a, _), (b, _)| {
            let by_age = || (a.at, &a.dedup_key).cmp(&(b.at, &b.dedup_key));
            b.severity.cmp(&a.severity).then_with(by_age)
        });
        let count = match all.len() {
            1 => "1 alert".to_owned(),
            count => format!("{count} alerts"),
        };
        let worst = all.first().map(|(alert, _)| *alert);
        let title = worst.map_or("", |alert| self.short(alert)).to_owned();
        let already = if are_over { ", already over" } else { "" };
        let (headline, order) = match all.len() {
            1 => (format!("{count}{already}: {title}"), ""),
            _ => (
                format!("{count}{already}, the most severe: {title}"),
                ", the most severe first",
            ),
        };
        let mut body = format!("What happened: {count} in one message{order}:\n");
        for (alert, state) in all.iter().take(NAMED) {
            let (severity, at, title) = (alert.severity, alert.at, self.short(alert));
            // Writing to a string cannot fail.
            let _ = writeln!(body, "  {severity}, {at}: {title}{state}");
        }
        if let Some(more) = all.len().checked_sub(NAMED).filter(|more| *more > 0) {
            let _ = writeln!(body, "  and {more} more");
        }
        if is_update {
            body.push_str("It stands in the place of what was told of this group before.\n");
        }
        let host_name = self.telling.host_name;
        let _ = writeln!(body, "To what: the host {host_name}");
        body.push_str(
            "What the host did: it gathered them; `mainstay status` shows what it does about each\n",
        );
        body.push_str(match are_over {
            true => "What to do next: nothing; of the first was said:\n",
            false => "What to do next: begin with the first, of which is said:\n",
        });
        for line in worst.map_or("", |alert| alert.body.as_str()).lines() {
            let _ = writeln!(body, "  {line}");
        }
        let severity = worst.map_or(Severity::Low, |alert| alert.severity);
        let mut alert = self.alert(AlertStatus::Firing, severity, &headline, body);
        alert.target = common_target(&all);
        let number = all.len().to_string();
        alert.labels.push(("alerts".to_owned(), number));
        if is_update {
            alert.labels.push(update_label());
        }
        let mut entry = OutboxEntry::new(alert, self.group.0.clone());
        entry.follows = is_update;
        entry
    }

    /// All are over; with what was last said of any.
    pub(super) fn resolved(&mut self, last: Option<&Alert>, severity: Severity) -> OutboxEntry {
        let last = last.filter(|alert| alert.status == AlertStatus::Resolved);
        let last = match last {
            Some(alert) => format!("; the last: {}", self.short(alert)),
            None => ", or nothing will be said of it any more".to_owned(),
        };
        let body = format!(
            "What happened: all that was told in this group is over{last}\nTo what: the host {}\nWhat to do next: nothing\n",
            self.telling.host_name
        );
        let headline = "all alerts of a group are over";
        let alert = self.alert(AlertStatus::Resolved, severity, headline, body);
        OutboxEntry::new(alert, self.group.0.clone())
    }

    fn alert(
        &mut self,
        status: AlertStatus,
        severity: Severity,
        headline: &str,
        body: String,
    ) -> Alert {
        let (host_name, now) = (self.telling.host_name, self.telling.now);
        Alert {
            id: AlertId::new(self.telling.ids.next(now)),
            dedup_key: self.group.1.clone(),
            status,
            severity,
            at: now,
            kind: KIND.to_owned(),
            title: text::cut(&format!("[{host_name}] {headline}")),
            body,
            target: None,
            operation: None,
            labels: vec![("host".to_owned(), host_name.to_owned())],
        }
    }

    /// Its title, without the name of the host.
    fn short<'c>(&self, alert: &'c Alert) -> &'c str {
        let host = format!("[{}] ", self.telling.host_name);
        alert.title.strip_prefix(&host).unwrap_or(&alert.title)
    }
}

/// The target that all are about.
fn common_target(all: &[(&Alert, &str)]) -> Option<TargetName> {
    let (first, _) = all.first()?;
    let target = first.target.as_ref()?;
    let is_common = all
        .iter()
        .all(|(alert, _)| alert.target.as_ref() == Some(target));
    is_common.then(|| target.clone())
}
