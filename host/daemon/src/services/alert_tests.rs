//! Sends test alerts the way that alerts go: by the versions of the alerters that serve, under their grants and limits.
//!
//! Invariant: each alerter is called once with the test alert, and once more with its end where that arrived; what it answers
//! is told and not stored, and the outbox knows nothing of it.

use super::{alerter_watch::AlerterHealth, shared::Shared};
use crate::ports::{AlertTests, Alerters, Boxed, Delivery, TestedAlerter};
use mainstay_domain::{
    actor::Actor,
    alert::{Alert, receivers, test_alert, test_alert_over},
    id::IdSource,
    name::PluginName,
};
use parking_lot::Mutex;
use semver::VersionReq;
use std::sync::Arc;
use tokio::task::JoinSet;

/// The service.
pub struct AlertTestService {
    shared: Shared,
    alerters: Arc<dyn Alerters>,
    ids: Mutex<IdSource>,
    health: AlerterHealth,
}

impl AlertTestService {
    /// Sends by these alerters, and tells there which of them deliver.
    pub fn new(
        shared: Shared,
        alerters: Arc<dyn Alerters>,
        ids: IdSource,
        health: AlerterHealth,
    ) -> Self {
        Self {
            shared,
            alerters,
            ids: Mutex::new(ids),
            health,
        }
    }
}

impl AlertTests for AlertTestService {
    fn alerters(&self) -> Vec<PluginName> {
        let receivers = receivers(&self.shared.spec.borrow().alerts);
        receivers.into_iter().map(|(name, _)| name).collect()
    }

    fn test(&self, alerter: Option<PluginName>, by: Actor) -> Boxed<'_, Vec<TestedAlerter>> {
        let spec = Arc::clone(&self.shared.spec.borrow());
        let now = self.shared.clock.now();
        tracing::info!(by = %by.name, "test alerts are sent");
        let mut calls = JoinSet::new();
        let asked = receivers(&spec.alerts)
            .into_iter()
            .filter(|(name, _)| alerter.as_ref().is_none_or(|asked| asked == name));
        for (place, (name, version)) in asked.enumerate() {
            let (alert, over) = {
                let (name, mut ids) = (&spec.host.name, self.ids.lock());
                let alert = test_alert(name, &by.name, now, &mut ids);
                let over = test_alert_over(&alert, name, now, &mut ids);
                (alert, over)
            };
            let alerters = Arc::clone(&self.alerters);
            let health = self.health.clone();
            calls.spawn(async move {
                let begun = deliver(&alerters, &name, &version, alert).await;
                let delivery = match begun {
                    Delivery::Delivered { by, reference } => {
                        let ended = deliver(&alerters, &name, &version, over).await;
                        arrived(Delivery::Delivered { by, reference }, ended)
                    }
                    other => other,
                };
                if matches!(delivery, Delivery::Delivered { .. }) {
                    health.proved(&name);
                }
                let alerter = name;
                (place, TestedAlerter { alerter, delivery })
            });
        }
        Box::pin(async move {
            let mut tested = calls.join_all().await;
            tested.sort_by_key(|(place, _)| *place);
            tested.into_iter().map(|(_, tested)| tested).collect()
        })
    }
}

/// One attempt.
async fn deliver(
    alerters: &Arc<dyn Alerters>,
    name: &PluginName,
    version: &VersionReq,
    alert: Alert,
) -> Delivery {
    let (alerters, name, version) = (Arc::clone(alerters), name.clone(), version.clone());
    // A fault of the host in one delivery is that delivery's.
    let call = tokio::spawn(async move { alerters.deliver(name, version, alert, 1).await });
    call.await.unwrap_or_else(|error| Delivery::Delayed {
        why: format!("it broke off: {error}; report this as a defect"),
        not_before: None,
    })
}

/// What became of a test alert that arrived, and of its end.
fn arrived(begun: Delivery, ended: Delivery) -> Delivery {
    let why = |why: String| format!("the test alert arrived, and its end did not: {why}");
    match ended {
        Delivery::Delivered { .. } => begun,
        Delivery::Delayed {
            why: said,
            not_before,
        } => Delivery::Delayed {
            why: why(said),
            not_before,
        },
        Delivery::Refused(said) => Delivery::Refused(why(said)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::testing::{ManualClock, MemoryJournal, specs::spec};
    use mainstay_domain::{
        alert::AlertStatus, plugin::PluginIdentity, severity::Severity, spec::AlertRoute,
    };
    use tokio::sync::watch;

    /// The one that is called `gone` is not there; the others refuse.
    #[derive(Default)]
    struct Refusing {
        sent: Mutex<Vec<(PluginName, Alert)>>,
    }

    impl Alerters for Refusing {
        fn deliver(
            &self,
            alerter: PluginName,
            _: VersionReq,
            alert: Alert,
            attempt: u32,
        ) -> Boxed<'_, Delivery> {
            assert_eq!(attempt, 1);
            self.sent.lock().push((alerter.clone(), alert));
            Box::pin(async move {
                assert_ne!(alerter.as_str(), "gone");
                Delivery::Refused("no such channel".to_owned())
            })
        }
    }

    /// It takes everything.
    #[derive(Default)]
    struct Taking {
        sent: Mutex<Vec<Alert>>,
    }

    impl Alerters for Taking {
        fn deliver(
            &self,
            alerter: PluginName,
            _: VersionReq,
            alert: Alert,
            _: u32,
        ) -> Boxed<'_, Delivery> {
            self.sent.lock().push(alert);
            let by = PluginIdentity {
                name: alerter,
                version: semver::Version::new(1, 0, 0),
                digest: String::new(),
            };
            Box::pin(async move {
                Delivery::Delivered {
                    by,
                    reference: None,
                }
            })
        }
    }

    #[tokio::test]
    async fn a_test_alert_that_arrives_is_said_to_be_over_and_stays_open_nowhere() {
        let mut config = (*spec(Vec::new())).clone();
        config.alerts = vec![AlertRoute {
            min_severity: Severity::Low,
            events: Vec::new(),
            target: None,
            alerter: PluginName::parse("pager").unwrap(),
            version: VersionReq::STAR,
            grouping: None,
        }];
        let (_sender, receiver) = watch::channel(Arc::new(config));
        let shared = Shared {
            journal: MemoryJournal::new(),
            clock: ManualClock::new(),
            spec: receiver,
        };
        let alerters = Arc::new(Taking::default());
        let health = AlerterHealth::default();
        let service = AlertTestService::new(shared, alerters.clone(), IdSource::new(1), health);
        let tested = service.test(None, Actor::from("anna")).await;
        assert!(matches!(tested[0].delivery, Delivery::Delivered { .. }));
        let sent = alerters.sent.lock();
        let of: Vec<AlertStatus> = sent.iter().map(|alert| alert.status).collect();
        assert_eq!(of, [AlertStatus::Firing, AlertStatus::Resolved]);
        assert_eq!(sent[0].dedup_key, sent[1].dedup_key);
    }

    #[tokio::test]
    async fn each_alerter_is_called_once_and_one_that_breaks_off_costs_no_other_its_answer() {
        let name = |name: &str| PluginName::parse(name).unwrap();
        let route = |alerter: &str| AlertRoute {
            min_severity: Severity::Critical,
            events: Vec::new(),
            target: None,
            alerter: name(alerter),
            version: VersionReq::STAR,
            grouping: None,
        };
        let mut config = (*spec(Vec::new())).clone();
        config.alerts = ["gone", "pager", "gone", "mail"].map(route).into();
        let (_sender, receiver) = watch::channel(Arc::new(config));
        let shared = Shared {
            journal: MemoryJournal::new(),
            clock: ManualClock::new(),
            spec: receiver,
        };
        let alerters = Arc::new(Refusing::default());
        let service = AlertTestService::new(
            shared,
            alerters.clone(),
            IdSource::new(1),
            AlerterHealth::default(),
        );
        assert_eq!(service.alerters(), ["gone", "pager", "mail"].map(name));
        let tested = service.test(None, Actor::from("anna")).await;
        let names: Vec<&str> = tested.iter().map(|one| one.alerter.as_str()).collect();
        assert_eq!(names, ["gone", "pager", "mail"]);
        assert!(matches!(tested[0].delivery, Delivery::Delayed { .. }));
        let refused = Delivery::Refused("no such channel".to_owned());
        assert_eq!(tested[1].delivery, refused);
        let only = service.test(Some(name("mail")), Actor::from("anna")).await;
        assert_eq!(only.len(), 1);
        assert_eq!(alerters.sent.lock().len(), 4);
    }
}
