//! A test alert: what a person sends to see that it arrives.
//!
//! Invariant: it is about nothing that happened, and says so; it is in no outbox and is no event's.

use super::{Alert, AlertStatus};
use crate::{
    id::{AlertId, IdSource},
    name::PluginName,
    severity::Severity,
    spec::AlertRoute,
    time::Timestamp,
};
use semver::VersionReq;

/// Whom alert routes send to, each once, with the versions that the first route of it takes.
pub fn receivers(routes: &[AlertRoute]) -> Vec<(PluginName, VersionReq)> {
    let mut receivers: Vec<(PluginName, VersionReq)> = Vec::new();
    for route in routes {
        if !receivers.iter().any(|(name, _)| *name == route.alerter) {
            receivers.push((route.alerter.clone(), route.version.clone()));
        }
    }
    receivers
}

/// The alert that somebody has sent to see whether it arrives.
pub fn test_alert(host_name: &str, by: &str, now: Timestamp, ids: &mut IdSource) -> Alert {
    let id = AlertId::new(ids.next(now));
    Alert {
        // One of its own, so that no receiver takes it for one that it knows.
        dedup_key: format!("{host_name}/alert-test/{id}"),
        id,
        status: AlertStatus::Firing,
        severity: Severity::Low,
        at: now,
        kind: "alert.test".to_owned(),
        title: format!("[{host_name}] test alert: nothing is wrong"),
        body: format!(
            "{by} asked for it with `mainstay alert test`, to see whether alerts of {host_name} arrive here.\nNothing has to be \
             done; a message that it is over follows at once."
        ),
        target: None,
        operation: None,
        labels: vec![
            ("host".to_owned(), host_name.to_owned()),
            ("test".to_owned(), "true".to_owned()),
        ],
    }
}

/// That a test alert is over, so that no receiver goes on showing it.
pub fn test_alert_over(test: &Alert, host_name: &str, now: Timestamp, ids: &mut IdSource) -> Alert {
    Alert {
        id: AlertId::new(ids.next(now)),
        status: AlertStatus::Resolved,
        at: now,
        title: format!("[{host_name}] the test alert is over"),
        body: "The test alert arrived, and is over.\nNothing has to be done, and nothing follows."
            .to_owned(),
        ..test.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_receiver_is_one_however_many_routes_send_to_it() {
        let route = |alerter: &str, version: &str| AlertRoute {
            min_severity: Severity::Low,
            events: Vec::new(),
            target: None,
            alerter: PluginName::parse(alerter).unwrap(),
            version: VersionReq::parse(version).unwrap(),
            grouping: None,
        };
        let routes = [route("pager", "1"), route("mail", "*"), route("pager", "2")];
        let found = receivers(&routes);
        let found: Vec<(&str, String)> = found
            .iter()
            .map(|(name, version)| (name.as_str(), version.to_string()))
            .collect();
        assert_eq!(
            found,
            [("pager", "^1".to_owned()), ("mail", "*".to_owned())]
        );
    }

    #[test]
    fn two_test_alerts_are_two_for_who_deduplicates_and_say_that_nothing_is_wrong() {
        let mut ids = IdSource::new(1);
        let now = Timestamp::from_millis(1_706_702_400_000);
        let [one, other] = [(), ()].map(|()| test_alert("db1", "anna", now, &mut ids));
        assert_ne!(one.dedup_key, other.dedup_key);
        assert_eq!(one.title, "[db1] test alert: nothing is wrong");
        assert!(one.body.contains("anna"), "{}", one.body);
        let over = test_alert_over(&one, "db1", now, &mut ids);
        assert_eq!(over.dedup_key, one.dedup_key);
        assert_eq!(over.status, AlertStatus::Resolved);
        assert_ne!(over.id, one.id, "another message");
    }
}
