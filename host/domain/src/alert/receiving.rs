//! Whether those who deliver alerts do: which do not serve, and which fail, since when, and what waits for them.
//!
//! Invariant: pure; the caller says what serves, how each delivery ended, and the time.
//! Invariant: one attempt that failed is no fault yet: the receiver may be busy. Three in a row are one, and so is an alert
//! that was given up.

use super::{OutboxEntry, receivers};
use crate::{
    name::PluginName,
    plugin::satisfies,
    route::Gaps,
    spec::{AlertRoute, PluginSpec, plugin_behind},
    text::counted,
    time::Timestamp,
};
use semver::Version;
use std::collections::BTreeMap;

/// So many attempts in a row that failed are a fault.
const FAULTY_AFTER: u32 = 3;

/// How one alerter that a route names stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlerterState {
    /// The alerter.
    pub name: PluginName,
    /// Whether each route that names it has a version of it that serves.
    pub serves: bool,
    /// How many alerts wait for it, or were given up, since its deliveries fail; those that wait where it does not serve.
    pub undelivered: usize,
    /// What its last attempt said, where its deliveries fail.
    pub last_error: Option<String>,
    /// Since when it does not serve, or its deliveries fail; absent where all is well.
    pub since: Option<Timestamp>,
}

impl AlerterState {
    /// What is wrong with it, for people; nothing where all is well.
    pub fn fault(&self) -> Option<String> {
        self.since?;
        let name = &self.name;
        let undelivered = counted(self.undelivered, "alert");
        Some(match (self.serves, &self.last_error) {
            (false, _) => format!("alerter {name} does not serve; {undelivered} undelivered"),
            (true, Some(error)) => format!(
                "alerter {name} cannot deliver; {undelivered} undelivered; its last error: {error}"
            ),
            (true, None) => format!("alerter {name} cannot deliver; {undelivered} undelivered"),
        })
    }
}

/// The deliveries of one alerter that fail.
#[derive(Debug, Clone)]
struct Failing {
    since: Timestamp,
    last_error: String,
    /// In a row.
    failures: u32,
    given_up: usize,
}

/// What is known of those who deliver alerts.
#[derive(Debug, Clone, Default)]
pub struct Receiving {
    waiting: BTreeMap<PluginName, usize>,
    failing: BTreeMap<PluginName, Failing>,
    /// Those that do not serve.
    unserved: BTreeMap<PluginName, Timestamp>,
}

impl Receiving {
    /// What the daemon before left undelivered.
    pub fn resume(&mut self, undelivered: &[OutboxEntry]) {
        for entry in undelivered {
            if let Some(error) = entry.last_error.as_ref().filter(|_| entry.attempts > 0) {
                let failing = self.failing_of(&entry.alerter, entry.alert.at);
                failing.failures = failing.failures.max(entry.attempts);
                failing.last_error.clone_from(error);
            }
        }
    }

    /// So many alerts wait or are under way, by alerter.
    pub fn wait(&mut self, waiting: &BTreeMap<PluginName, usize>) {
        self.waiting.clone_from(waiting);
    }

    /// An alert was delivered.
    pub fn delivered(&mut self, alerter: &PluginName) {
        self.failing.remove(alerter);
    }

    /// An attempt failed, and another follows.
    pub fn failed(&mut self, alerter: &PluginName, error: &str, now: Timestamp) {
        let failing = self.failing_of(alerter, now);
        failing.failures = failing.failures.saturating_add(1);
        error.clone_into(&mut failing.last_error);
    }

    /// An attempt failed, and none follows.
    pub fn given_up(&mut self, alerter: &PluginName, error: &str, now: Timestamp) {
        self.failed(alerter, error, now);
        let failing = self.failing_of(alerter, now);
        failing.given_up = failing.given_up.saturating_add(1);
    }

    fn failing_of(&mut self, alerter: &PluginName, now: Timestamp) -> &mut Failing {
        let failing = self.failing.entry(alerter.clone());
        failing.or_insert_with(|| Failing {
            since: now,
            last_error: String::new(),
            failures: 0,
            given_up: 0,
        })
    }

    /// What serves now: every version of an alerter, by the name of its plugin. Gives the alerters that did not serve and
    /// do now.
    pub fn serve(
        &mut self,
        routes: &[AlertRoute],
        plugins: &BTreeMap<PluginName, PluginSpec>,
        serving: &[(PluginName, Version)],
        now: Timestamp,
    ) -> Vec<PluginName> {
        let mut unserved = BTreeMap::new();
        for (name, _) in receivers(routes) {
            if !serves(routes, plugins, &name, serving) {
                let since = self.unserved.get(&name).copied();
                unserved.insert(name, since.unwrap_or(now));
            }
        }
        let before = std::mem::replace(&mut self.unserved, unserved).into_keys();
        before
            .filter(|name| !self.unserved.contains_key(name))
            .collect()
    }

    /// How each alerter stands that one of these routes names.
    pub fn states(&self, routes: &[AlertRoute]) -> Vec<AlerterState> {
        let names = receivers(routes).into_iter();
        names.map(|(name, _)| self.state(name)).collect()
    }

    fn state(&self, name: PluginName) -> AlerterState {
        let unserved = self.unserved.get(&name).copied();
        let failing = self.failing.get(&name);
        let failing = failing.filter(|one| one.failures >= FAULTY_AFTER || one.given_up > 0);
        let waiting = self.waiting.get(&name).copied().unwrap_or_default();
        let since = failing.map(|failing| failing.since);
        let since = since.into_iter().chain(unserved).min();
        let given_up = failing.map_or(0, |failing| failing.given_up);
        AlerterState {
            serves: unserved.is_none(),
            undelivered: since.map_or(0, |_| waiting.saturating_add(given_up)),
            last_error: failing.map(|failing| failing.last_error.clone()),
            since,
            name,
        }
    }

    /// The faults of those that one of these routes names, a sentence for each.
    pub fn faults(&self, routes: &[AlertRoute]) -> Gaps {
        let states = self.states(routes).into_iter();
        states
            .filter_map(|state| Some((state.name.clone(), state.fault()?)))
            .collect()
    }
}

/// Whether each route of this alerter has a version that serves. An instance serves where its plugin does.
fn serves(
    routes: &[AlertRoute],
    plugins: &BTreeMap<PluginName, PluginSpec>,
    name: &PluginName,
    serving: &[(PluginName, Version)],
) -> bool {
    let of = plugin_behind(plugins, name);
    let mut routes = routes.iter().filter(|route| route.alerter == *name);
    routes.all(|route| {
        let mut versions = serving.iter().filter(|(plugin, _)| plugin == of);
        versions.any(|(_, version)| satisfies(&route.version, version))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::severity::Severity;
    use semver::VersionReq;
    use std::time::Duration;

    const AT: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn name(name: &str) -> PluginName {
        PluginName::parse(name).unwrap()
    }

    fn routes(alerters: &[&str]) -> Vec<AlertRoute> {
        let route = |alerter: &&str| AlertRoute {
            min_severity: Severity::Low,
            events: Vec::new(),
            target: None,
            alerter: name(alerter),
            version: VersionReq::parse("^1").unwrap(),
            grouping: None,
        };
        alerters.iter().map(route).collect()
    }

    fn serving(plugins: &[(&str, &str)]) -> Vec<(PluginName, Version)> {
        let one = |(plugin, version): &(&str, &str)| (name(plugin), version.parse().unwrap());
        plugins.iter().map(one).collect()
    }

    fn said(receiving: &Receiving, routes: &[AlertRoute]) -> Vec<String> {
        receiving.faults(routes).into_values().collect()
    }

    #[test]
    fn an_alerter_that_does_not_serve_is_a_fault_with_what_waits_for_it_until_it_serves() {
        let routes = routes(&["webhook", "mail"]);
        let mut receiving = Receiving::default();
        let mail = ("mail", "1.0.0");
        let none = BTreeMap::new();
        let back = receiving.serve(&routes, &none, &serving(&[mail]), AT);
        assert!(back.is_empty());
        receiving.wait(&[(name("webhook"), 2), (name("mail"), 1)].into());
        assert_eq!(
            said(&receiving, &routes),
            ["alerter webhook does not serve; 2 alerts undelivered"]
        );
        let other = serving(&[mail, ("webhook", "2.0.0")]);
        let later = AT + Duration::from_secs(9);
        let back = receiving.serve(&routes, &none, &other, later);
        assert!(back.is_empty(), "another version");
        assert_eq!(receiving.states(&routes)[0].since, Some(AT));
        let right = serving(&[mail, ("webhook", "1.2.0")]);
        let back = receiving.serve(&routes, &none, &right, later);
        assert_eq!(back, [name("webhook")]);
        assert!(said(&receiving, &routes).is_empty());
        assert_eq!(
            receiving.states(&routes)[1].undelivered,
            0,
            "it is under way"
        );
    }

    #[test]
    fn deliveries_that_fail_in_a_row_are_a_fault_until_one_arrives() {
        let routes = routes(&["webhook"]);
        let mut receiving = Receiving::default();
        let webhook = name("webhook");
        let there = serving(&[("webhook", "1.0.0")]);
        receiving.serve(&routes, &BTreeMap::new(), &there, AT);
        receiving.wait(&[(webhook.clone(), 1)].into());
        for _ in 1..FAULTY_AFTER {
            receiving.failed(&webhook, "answered 503", AT);
            assert!(said(&receiving, &routes).is_empty());
        }
        receiving.failed(&webhook, "answered 502", AT);
        assert_eq!(
            said(&receiving, &routes),
            ["alerter webhook cannot deliver; 1 alert undelivered; its last error: answered 502"]
        );
        receiving.delivered(&webhook);
        assert!(said(&receiving, &routes).is_empty());
        receiving.wait(&BTreeMap::new());
        receiving.given_up(&webhook, "answered 404", AT);
        assert_eq!(
            said(&receiving, &routes),
            ["alerter webhook cannot deliver; 1 alert undelivered; its last error: answered 404"]
        );
    }
}
