//! The config as the machine looks things up in it: by name, not by a walk over all.

use super::key::CaseKey;
use crate::{
    failure,
    name::{FailureType, TargetName},
    policy::TargetPolicy,
    route::RouteTable,
    severity::Severity,
    spec::{RouteSpec, Spec, TargetSpec},
    text::list,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

/// For a target that is no longer configured.
const DEFAULT_RTO: Duration = Duration::from_secs(300);
/// For a target that is no longer configured.
const DEFAULT_VALIDATION: Duration = Duration::from_secs(60);

/// The config in use.
#[derive(Debug)]
pub(super) struct Settings {
    spec: Arc<Spec>,
    targets: HashMap<TargetName, usize>,
    table: RouteTable,
    /// By their place in the config.
    routes: Vec<Arc<RouteSpec>>,
    /// What people set of targets.
    set: BTreeMap<TargetName, TargetPolicy>,
    /// The routes of these targets with that over them, by their place in the config.
    own_routes: HashMap<TargetName, Vec<Arc<RouteSpec>>>,
}

impl Settings {
    pub(super) fn new(spec: Arc<Spec>) -> Self {
        let named = spec.targets.iter().enumerate();
        let targets = named.map(|(place, target)| (target.name.clone(), place));
        Self {
            targets: targets.collect(),
            table: RouteTable::new(&spec.routes),
            routes: spec.routes.iter().cloned().map(Arc::new).collect(),
            set: BTreeMap::new(),
            own_routes: HashMap::new(),
            spec,
        }
    }

    /// The same of another config: what people set holds on.
    pub(super) fn followed_by(&mut self, spec: Arc<Spec>) -> Self {
        let mut next = Self::new(spec);
        for (target, set) in std::mem::take(&mut self.set) {
            next.set(&target, set);
        }
        next
    }

    /// What a person set of a target.
    pub(super) fn set_of(&self, target: &TargetName) -> TargetPolicy {
        self.set.get(target).cloned().unwrap_or_default()
    }

    /// From now on this holds over the routes of a target. A route that it does not fit stays as it is.
    pub(super) fn set(&mut self, target: &TargetName, set: TargetPolicy) {
        if set.is_empty() {
            self.set.remove(target);
            self.own_routes.remove(target);
            return;
        }
        let own = |route: &Arc<RouteSpec>| match set.over(route) {
            Ok(own) => Arc::new(own),
            Err(_) => Arc::clone(route),
        };
        let own = self.routes.iter().map(own).collect();
        self.own_routes.insert(target.clone(), own);
        self.set.insert(target.clone(), set);
    }

    /// The route that an incident gets by the config alone.
    pub(super) fn route_of_config(
        &self,
        key: &CaseKey,
        severity: Severity,
    ) -> Option<&Arc<RouteSpec>> {
        let place = self.table.place(&key.target, &key.failure, severity)?;
        self.routes.get(place)
    }

    pub(super) fn spec(&self) -> &Arc<Spec> {
        &self.spec
    }

    /// How long events are kept.
    pub(super) fn keep_history(&self) -> Duration {
        self.spec.host.keep_history
    }

    pub(super) fn target(&self, name: &TargetName) -> Option<&TargetSpec> {
        self.spec.targets.get(*self.targets.get(name)?)
    }

    pub(super) fn knows(&self, name: &TargetName) -> bool {
        self.targets.contains_key(name)
    }

    /// The names, for a refusal; of very many the first.
    pub(super) fn some_names(&self) -> String {
        const SHOWN: usize = 20;
        let names = self.spec.targets.iter().map(|target| target.name.as_str());
        let shown = list(names.take(SHOWN), "");
        match self.spec.targets.len().checked_sub(SHOWN) {
            None | Some(0) => shown,
            Some(more) => format!("{shown} and {more} more"),
        }
    }

    /// The failures that a target has by its own config, and those that a route of their own name recovers it from.
    pub(super) fn failures_of(&self, name: &TargetName) -> BTreeSet<&FailureType> {
        let target = self.target(name);
        let checks = target.into_iter().flat_map(|target| &target.checks);
        let process = target.and_then(|target| target.process.as_ref());
        let routes = self.spec.routes.iter();
        let routes = routes.filter(|route| route.target.as_ref().is_none_or(|of| of == name));
        checks
            .map(|check| &check.failure)
            .chain(process.map(|process| &process.exit_failure))
            .chain(routes.filter_map(|route| route.failure.as_ref()))
            .collect()
    }

    /// How bad a failure of a target is: as its checks and its exit say, the worst of them, else by the failure's type.
    pub(super) fn severity_of(&self, key: &CaseKey) -> Severity {
        let target = self.target(&key.target);
        let checks = target.into_iter().flat_map(|target| &target.checks);
        let checks = checks
            .filter(|check| check.failure == key.failure)
            .map(|check| check.severity);
        let process = target.and_then(|target| target.process.as_ref());
        let process = process.filter(|process| process.exit_failure == key.failure);
        checks
            .chain(process.map(|process| process.exit_severity))
            .max()
            .unwrap_or_else(|| failure::default_severity(&key.failure))
    }

    /// The route that an incident gets, with what a person set over it.
    pub(super) fn route(&self, key: &CaseKey, severity: Severity) -> Option<&Arc<RouteSpec>> {
        let place = self.table.place(&key.target, &key.failure, severity)?;
        let own = self.own_routes.get(&key.target);
        own.unwrap_or(&self.routes).get(place)
    }

    pub(super) fn rto(&self, target: &TargetName) -> Duration {
        self.target(target).map_or(DEFAULT_RTO, |target| target.rto)
    }

    pub(super) fn validation(&self, target: &TargetName) -> Duration {
        let target = self.target(target);
        target.map_or(DEFAULT_VALIDATION, |target| target.validation_timeout)
    }
}
