//! The config as the machine looks things up in it: by name, not by a walk over all.

use super::key::CaseKey;
use crate::{
    failure,
    name::{FailureType, TargetName},
    route::RouteTable,
    severity::Severity,
    spec::{RouteSpec, Spec, TargetSpec},
    text::list,
};
use std::{
    collections::{BTreeSet, HashMap},
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
}

impl Settings {
    pub(super) fn new(spec: Arc<Spec>) -> Self {
        let named = spec.targets.iter().enumerate();
        let targets = named.map(|(place, target)| (target.name.clone(), place));
        Self {
            targets: targets.collect(),
            table: RouteTable::new(&spec.routes),
            routes: spec.routes.iter().cloned().map(Arc::new).collect(),
            spec,
        }
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

    /// The route that an incident gets.
    pub(super) fn route(&self, key: &CaseKey, severity: Severity) -> Option<&Arc<RouteSpec>> {
        let place = self.table.place(&key.target, &key.failure, severity)?;
        self.routes.get(place)
    }

    pub(super) fn rto(&self, target: &TargetName) -> Duration {
        self.target(target).map_or(DEFAULT_RTO, |target| target.rto)
    }

    pub(super) fn validation(&self, target: &TargetName) -> Duration {
        let target = self.target(target);
        target.map_or(DEFAULT_VALIDATION, |target| target.validation_timeout)
    }
}
