//! What is said of events that happen at once: of one thing one page.
//!
//! Invariant: of what follows in the same moment with the same key, the first message says it too, and nothing else is sent;
//! but a route that names a kind gets each of that kind.

use super::{OpenAlerts, update_label};
use crate::{
    alert::{
        AlertStatus, OutboxEntry,
        concern::{Part, part},
        routing::is_named,
        text,
    },
    event::{Event, EventKind},
    id::IdSource,
    name::{PluginName, TargetName},
    spec::AlertRoute,
};

impl OpenAlerts {
    /// The messages about events that happen at once, of each event those that stand for it.
    pub fn alerts_for_all(
        &mut self,
        events: &[&Event],
        routes: &[AlertRoute],
        host_name: &str,
        ids: &mut IdSource,
    ) -> Vec<Vec<OutboxEntry>> {
        let mut told: Vec<Vec<OutboxEntry>> = Vec::new();
        // The first message about each thing, by the place of its event, which may say more.
        for event in events {
            let mut entries = self.alerts_for(event, routes, host_name, ids);
            if matches!(part(event.kind), Part::OfAnIncident { .. }) {
                entries.retain(|entry| {
                    is_named(routes, &entry.alerter, event)
                        || !says_it_too(&mut told, events, entry, event, host_name)
                });
            }
            told.push(entries);
        }
        for (event, entries) in events.iter().zip(&mut told) {
            if event.kind != EventKind::CircuitFlapping {
                continue;
            }
            for entry in entries {
                let target = event.target.as_ref();
                let pages = target.is_some_and(|target| self.pages(target, &entry.alerter));
                if pages && !entry.alert.labels.contains(&update_label()) {
                    entry.alert.labels.push(update_label());
                }
            }
        }
        told
    }

    /// Whether this alerter was told of an incident of a target that is not over.
    fn pages(&self, target: &TargetName, alerter: &PluginName) -> bool {
        let of_target = self.told.values();
        let mut of_target = of_target.filter(|of_key| of_key.target.as_ref() == Some(target));
        of_target.any(|of_key| {
            let mut kinds = of_key.by.get(alerter).into_iter();
            kinds.any(|told| told.kinds.keys().any(|kind| is_of_incident(*kind)))
        })
    }
}

fn is_of_incident(kind: EventKind) -> bool {
    kind == EventKind::IncidentOpened || matches!(part(kind), Part::OfAnIncident { .. })
}

/// Has the last message to the same alerter with the same key say what this one says, where it is of the same moment and
/// says that something is wrong. Whether there is one.
fn says_it_too(
    told: &mut [Vec<OutboxEntry>],
    events: &[&Event],
    entry: &OutboxEntry,
    event: &Event,
    host_name: &str,
) -> bool {
    let mut before = events.iter().zip(told).rev().flat_map(|(event, entries)| {
        let entries = entries.iter_mut().rev();
        entries.map(move |entry| (*event, entry))
    });
    let found = before.find(|(_, first)| {
        first.alerter == entry.alerter && first.alert.dedup_key == entry.alert.dedup_key
    });
    let Some((of_first, first)) = found else {
        return false;
    };
    if first.alert.status != AlertStatus::Firing || of_first.kind == event.kind {
        return false;
    }
    let mut both = event.clone();
    both.message = format!("{}; {}", of_first.message, event.message);
    both.severity = both.severity.max(of_first.severity);
    first.alert.severity = both.severity;
    first.alert.title = text::title(&both, host_name);
    first.alert.body = text::body(&both, host_name);
    first.alert.operation.clone_from(&entry.alert.operation);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{event::tests::examples, severity::Severity};
    use semver::VersionReq;

    fn route(events: &[EventKind]) -> AlertRoute {
        AlertRoute {
            min_severity: Severity::Low,
            events: events.to_vec(),
            target: None,
            alerter: PluginName::parse("page").unwrap(),
            version: VersionReq::STAR,
            grouping: None,
        }
    }

    fn event(kind: EventKind) -> Event {
        let mut events = examples();
        events.retain(|event| event.kind == kind && !event.data.is_dry_run());
        events.remove(0)
    }

    /// What is sent of these kinds, which happen at once.
    fn sent(open: &mut OpenAlerts, routes: &[AlertRoute], kinds: &[EventKind]) -> Vec<OutboxEntry> {
        let events: Vec<Event> = kinds.iter().copied().map(event).collect();
        let events: Vec<&Event> = events.iter().collect();
        let told = open.alerts_for_all(&events, routes, "db1", &mut IdSource::new(1));
        assert_eq!(told.len(), kinds.len());
        told.into_iter().flatten().collect()
    }

    #[test]
    fn what_opens_and_escalates_at_once_is_one_page_that_says_both() {
        use EventKind as K;
        let kinds = [K::IncidentOpened, K::OperationEscalated];
        let mut open = OpenAlerts::default();
        let pages = sent(&mut open, &[route(&[])], &kinds);
        assert_eq!(pages.len(), 1, "{pages:?}");
        let page = &pages[0].alert;
        assert_eq!(page.kind, "incident.opened");
        assert!(page.title.contains("it needs a person"), "{}", page.title);
        for kind in kinds {
            let said = event(kind).message;
            assert!(page.body.contains(&said), "{said}: {}", page.body);
        }
        assert!(!page.body.contains("looks for a route"), "{}", page.body);
        assert!(!page.labels.contains(&update_label()));
        // Another moment is an update, and one that is told is not told again.
        assert!(sent(&mut open, &[route(&[])], &[K::OperationEscalated]).is_empty());
        let over = sent(&mut open, &[route(&[])], &[K::OperationSucceeded]);
        assert_eq!(over.len(), 1, "{over:?}");
        assert_eq!(over[0].alert.status, AlertStatus::Resolved);
    }

    #[test]
    fn a_route_that_names_kinds_gets_each() {
        use EventKind as K;
        let kinds = [K::OperationPartial, K::OperationEscalated];
        let pages = sent(&mut OpenAlerts::default(), &[route(&kinds)], &kinds);
        assert_eq!(pages.len(), 2, "{pages:?}");
        assert!(pages[1].alert.labels.contains(&update_label()));
        let pages = sent(&mut OpenAlerts::default(), &[route(&[])], &kinds);
        assert_eq!(pages.len(), 1, "{pages:?}");
    }

    #[test]
    fn that_a_target_flaps_is_an_update_of_the_page_of_its_incident() {
        use EventKind as K;
        let routes = [route(&[])];
        let is_update = |open: &mut OpenAlerts, kinds: &[EventKind]| {
            let pages = sent(open, &routes, kinds);
            let mut flaps = pages
                .iter()
                .filter(|page| page.alert.kind == "circuit.flapping");
            flaps.all(|page| page.alert.labels.contains(&update_label()))
        };
        assert!(is_update(
            &mut OpenAlerts::default(),
            &[K::CircuitFlapping, K::IncidentOpened]
        ));
        let mut open = OpenAlerts::default();
        sent(&mut open, &routes, &[K::IncidentOpened]);
        assert!(is_update(&mut open, &[K::CircuitFlapping]), "of before");
        assert!(!is_update(
            &mut OpenAlerts::default(),
            &[K::CircuitFlapping]
        ));
    }
}
