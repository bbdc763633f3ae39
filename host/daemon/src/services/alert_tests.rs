//! Sends test alerts the way that alerts go: by the versions of the alerters that serve, under their grants and limits.
//!
//! Invariant: each alerter is called once, and what it answers is told and not stored; the outbox knows nothing of it.

use super::{alerter_watch::AlerterHealth, shared::Shared};
use crate::ports::{AlertTests, Alerters, Boxed, Delivery, TestedAlerter};
use mainstay_domain::{
    actor::Actor,
    alert::{receivers, test_alert},
    id::IdSource,
    name::PluginName,
};
use parking_lot::Mutex;
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
            let alert = test_alert(&spec.host.name, &by.name, now, &mut self.ids.lock());
            let alerters = Arc::clone(&self.alerters);
            let health = self.health.clone();
            calls.spawn(async move {
                let call = {
                    let name = name.clone();
                    // A fault of the host in one delivery is that delivery's.
                    tokio::spawn(async move { alerters.deliver(name, version, alert, 1).await })
                };
                let delivery = call.await.unwrap_or_else(|error| Delivery::Delayed {
                    why: format!("it broke off: {error}; report this as a defect"),
                    not_before: None,
                });
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::testing::{ManualClock, MemoryJournal, specs::spec};
    use mainstay_domain::{alert::Alert, severity::Severity, spec::AlertRoute};
    use semver::VersionReq;
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

    #[tokio::test]
    async fn each_alerter_is_called_once_and_one_that_breaks_off_costs_no_other_its_answer() {
        let name = |name: &str| PluginName::parse(name).unwrap();
        let route = |alerter: &str| AlertRoute {
            min_severity: Severity::Critical,
            events: Vec::new(),
            target: None,
            alerter: name(alerter),
            version: VersionReq::STAR,
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
