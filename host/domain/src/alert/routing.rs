//! Which events become alerts, and for whom.

use super::{
    Alert, AlertStatus, OutboxEntry,
    concern::{Concern, concern},
    groups, text,
};
use crate::{
    event::{Event, EventKind},
    id::{AlertId, IdSource},
    name::PluginName,
    spec::AlertRoute,
};
use semver::VersionReq;

/// Whether an event is an alert if the route names no kinds. The end of an incident counts only if no operation ended
/// it. An incident fires once and is resolved once, so neither an unproved success nor a repeated failure is an
/// alert; what of it is an update for those who were told is decided by what is open.
pub fn is_alert_by_default(event: &Event) -> bool {
    use EventKind as K;
    match event.kind {
        K::OperationSucceeded => !event.data.is_unproved(),
        K::OperationPartial | K::OperationFailed => !event.data.is_again(),
        K::IncidentOpened
        | K::IncidentWorsened
        | K::IncidentOverdue
        | K::IncidentUnacknowledged
        | K::RtoExceeded
        | K::CircuitFlapping
        | K::OperationAwaitingManual
        | K::OperationEscalated
        | K::PluginRejected
        | K::PluginQuarantined
        | K::PluginReleased
        | K::RouteUnhandled
        | K::AlerterFailing
        | K::ConfigRejected
        | K::CharterBroken
        | K::BackupFailed
        | K::BackupRpoMissed
        | K::BackupCorrupted
        | K::BackupSuspicious
        | K::BackupFellOver
        | K::RetentionFailed
        | K::DrillFailed
        | K::RollbackFailed
        | K::JournalFull
        | K::JournalWritable
        | K::JournalDamaged
        | K::RecordSetAside
        | K::MonitorBlind
        | K::MonitorSees => true,
        K::IncidentClosed => event.operation.is_none(),
        _ => false,
    }
}

/// Whether a kind is about single alerts; a route that names it names nothing.
pub fn never_alerts(kind: EventKind) -> bool {
    kind.as_str().starts_with("alert.")
}

/// The messages about an event: one for each alerter of a route that fits, all the same alert. None about a dry run,
/// also where a route names the kind.
pub fn alerts_for(
    event: &Event,
    routes: &[AlertRoute],
    host_name: &str,
    ids: &mut IdSource,
) -> Vec<OutboxEntry> {
    let mut alerters: Vec<&PluginName> = Vec::new();
    for route in routes.iter().filter(|route| fits(route, event)) {
        if !alerters.contains(&&route.alerter) && !is_about(event, &route.alerter) {
            alerters.push(&route.alerter);
        }
    }
    if alerters.is_empty() {
        return Vec::new();
    }
    let mut alert = alert_of(event, host_name, ids);
    if concern(event.kind) == Concern::Tells {
        alert.labels.push(news_label());
    }
    let to = |alerter: &PluginName| OutboxEntry::new(alert.clone(), alerter.clone());
    alerters.into_iter().map(to).collect()
}

/// Says that nothing is wrong by a message, so that none will say that it is over.
fn news_label() -> (String, String) {
    ("news".to_owned(), "true".to_owned())
}

/// Whether an event says of an alerter itself that it cannot deliver: it is nobody to tell of that.
fn is_about(event: &Event, alerter: &PluginName) -> bool {
    event.kind == EventKind::AlerterFailing && event.plugin.as_deref() == Some(alerter.as_str())
}

/// Whether a route of this alerter names the kind of the event: it gets every one then.
pub(super) fn is_named(routes: &[AlertRoute], alerter: &PluginName, event: &Event) -> bool {
    let mut own = routes.iter().filter(|route| route.alerter == *alerter);
    own.any(|route| route.events.contains(&event.kind) && fits(route, event))
}

/// What is said about an event.
pub(super) fn alert_of(event: &Event, host_name: &str, ids: &mut IdSource) -> Alert {
    Alert {
        id: AlertId::new(ids.next(event.at)),
        dedup_key: dedup_key(event, host_name),
        status: status(event.kind),
        severity: event.severity,
        at: event.at,
        kind: event.kind.to_string(),
        title: text::title(event, host_name),
        body: text::body(event, host_name),
        target: event.target.clone(),
        operation: event.operation.clone(),
        labels: labels(event, host_name),
    }
}

/// The versions of the alerter that may deliver this alert today: those of the first route that sends it, else of the
/// first route of that alerter; any if there is no such route.
pub fn version_for(entry: &OutboxEntry, routes: &[AlertRoute]) -> VersionReq {
    route_of(entry, routes).map_or(VersionReq::STAR, |route| route.version.clone())
}

/// The kind of the event that an alert is about; none where it is about none.
pub(super) fn kind_of(alert: &Alert) -> Option<EventKind> {
    let mut kinds = EventKind::ALL.iter();
    kinds.find(|kind| kind.as_str() == alert.kind).copied()
}

/// The first route that sends an alert today, that of a group's a route that groups; else the first one of its alerter.
pub(super) fn route_of<'a>(
    entry: &OutboxEntry,
    routes: &'a [AlertRoute],
) -> Option<&'a AlertRoute> {
    let alert = &entry.alert;
    let event = kind_of(alert).map(|kind| {
        let mut event = Event::new(kind, alert.severity, alert.at, "");
        event.target.clone_from(&alert.target);
        event.operation.clone_from(&alert.operation);
        event
    });
    let sends = |route: &&AlertRoute| match &event {
        Some(event) => fits(route, event),
        None => alert.kind == groups::KIND && route.grouping.is_some(),
    };
    let mut own = routes.iter().filter(|route| route.alerter == entry.alerter);
    own.clone().find(sends).or_else(|| own.next())
}

fn fits(route: &AlertRoute, event: &Event) -> bool {
    let kind_fits = match route.events.as_slice() {
        [] => is_alert_by_default(event),
        kinds => kinds.contains(&event.kind),
    };
    kind_fits
        && !never_alerts(event.kind)
        && !event.data.is_dry_run()
        && event.severity >= route.min_severity
        && (route.target.is_none() || route.target == event.target)
}

fn status(kind: EventKind) -> AlertStatus {
    match concern(kind) {
        Concern::Ends => AlertStatus::Resolved,
        Concern::Fires(_) | Concern::Tells => AlertStatus::Firing,
    }
}

/// The same for every message about the same thing, so that a later one replaces or resolves an earlier one.
pub(super) fn dedup_key(event: &Event, host_name: &str) -> String {
    let noun = event.kind.as_str().split('.').next().unwrap_or_default();
    // For a reader of alerts, an incident and its operations are one thing.
    let noun = match noun {
        "operation" | "rto" => "incident",
        // A disk with room again makes no damaged journal whole.
        _ if event.kind == EventKind::JournalDamaged => "journal-damage",
        other => other,
    };
    let plugin = event.plugin.as_deref().map(text::without_version);
    // A file that says no name that can be believed is told by its own.
    let plugin = plugin.or_else(|| event.data.plugin_file().filter(|_| noun == "plugin"));
    let target = event.target.as_ref().map(|target| target.as_str());
    let job = event.job.as_ref().map(|job| job.as_str());
    let failure = event.data.failure().map(|failure| failure.as_str());
    let check = event.data.check().map(|check| check.as_str());
    let tier = event.data.refused_by().map(|tier| tier.as_str());
    // The plugin of an incident is only who handled it.
    let subject = match noun {
        "incident" => [target, failure, None],
        // One check that passes says nothing of another.
        "check" => [target, check, None],
        // Nor one tier that takes backups of another.
        "backup" if tier.is_some() => [job, tier, None],
        _ => [target, plugin, job],
    };
    let parts = [Some(host_name), Some(noun)].into_iter().chain(subject);
    parts.flatten().collect::<Vec<_>>().join("/")
}

fn labels(event: &Event, host_name: &str) -> Vec<(String, String)> {
    let labels = [
        ("host", Some(host_name.to_owned())),
        ("failure", event.data.failure().map(ToString::to_string)),
        ("plugin", event.plugin.clone()),
        ("job", event.job.as_ref().map(ToString::to_string)),
        ("backup", event.backup.as_ref().map(ToString::to_string)),
    ];
    let present = |(name, value): (&str, Option<String>)| Some((name.to_owned(), value?));
    labels.into_iter().filter_map(present).collect()
}

#[cfg(test)]
mod tests;
