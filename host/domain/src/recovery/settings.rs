//! The config as the machine looks things up in it: by name, not by a walk over all.

use super::input::CaseKey;
use crate::{
    name::{FailureType, TargetName},
    severity::Severity,
    spec::{RouteSpec, Spec, TargetSpec},
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

/// For a target that is no longer configured.
const DEFAULT_RTO: Duration = Duration::from_secs(300);
/// For a target that is no longer configured.
const DEFAULT_VALIDATION: Duration = Duration::from_secs(60);

/// What of a route is looked up; a field that is absent fits all.
type Filter = (Option<TargetName>, Option<FailureType>);

/// The config in use.
#[derive(Debug)]
pub(super) struct Settings {
    spec: Arc<Spec>,
    targets: HashMap<TargetName, usize>,
    /// For each filter the least severities and their routes, the first of the file where there are several.
    routes: BTreeMap<Filter, BTreeMap<Severity, Arc<RouteSpec>>>,
}

impl Settings {
    pub(super) fn new(spec: Arc<Spec>) -> Self {
        let named = spec.targets.iter().enumerate();
        let targets = named.map(|(place, target)| (target.name.clone(), place));
        let mut routes: BTreeMap<Filter, BTreeMap<Severity, Arc<RouteSpec>>> = BTreeMap::new();
        for route in &spec.routes {
            let filter = (route.target.clone(), route.failure.clone());
            let least = route.severity.unwrap_or(Severity::Low);
            let of_filter = routes.entry(filter).or_default();
            of_filter
                .entry(least)
                .or_insert_with(|| Arc::new(route.clone()));
        }
        Self {
            targets: targets.collect(),
            routes,
            spec,
        }
    }

    pub(super) fn target(&self, name: &TargetName) -> Option<&TargetSpec> {
        self.spec.targets.get(*self.targets.get(name)?)
    }

    pub(super) fn knows(&self, name: &TargetName) -> bool {
        self.targets.contains_key(name)
    }

    /// Every name, for a refusal; of very many the first.
    pub(super) fn some_names(&self) -> String {
        const SHOWN: usize = 20;
        let names = self.spec.targets.iter().map(|target| target.name.as_str());
        let shown: Vec<&str> = names.take(SHOWN).collect();
        match self.spec.targets.len().checked_sub(SHOWN) {
            None | Some(0) => shown.join(", "),
            Some(more) => format!("{} and {more} more", shown.join(", ")),
        }
    }

    /// The route of an incident, as [`crate::route::route`] picks it.
    pub(super) fn route(&self, key: &CaseKey, severity: Severity) -> Option<&Arc<RouteSpec>> {
        let (target, failure) = (|| Some(key.target.clone()), || Some(key.failure.clone()));
        let filters = [
            (target(), failure()),
            (target(), None),
            (None, failure()),
            (None, None),
        ];
        filters.iter().find_map(|filter| {
            let of_filter = self.routes.get(filter)?;
            of_filter.range(..=severity).next_back().map(|(_, r)| r)
        })
    }

    pub(super) fn rto(&self, target: &TargetName) -> Duration {
        self.target(target).map_or(DEFAULT_RTO, |target| target.rto)
    }

    pub(super) fn validation(&self, target: &TargetName) -> Duration {
        let target = self.target(target);
        target.map_or(DEFAULT_VALIDATION, |target| target.validation_timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{recovery::tests::world, route::route};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_index_finds_the_route_that_a_walk_over_all_finds(
            routes in proptest::collection::vec((0_usize..3, 0_usize..3, 0_usize..5, 0_u32..9), 0..12),
            target in 0_usize..2, failure in 0_usize..2, severity in 0_usize..4,
        ) {
            let names = [None, Some("a"), Some("b")];
            let severities = [Severity::Low, Severity::Medium, Severity::High, Severity::Critical];
            let specs = routes.into_iter().map(|(t, f, s, number)| RouteSpec {
                target: names[t].map(world::target_name),
                failure: names[f].map(world::failure_type),
                severity: severities.get(s).copied(),
                cooldown: Duration::from_secs(u64::from(number)),
                ..world::route()
            });
            let mut spec = world::spec();
            spec.routes = specs.collect();
            let key = CaseKey {
                target: world::target_name(["a", "b"][target]),
                failure: world::failure_type(["a", "b"][failure]),
            };
            let severity = severities[severity];
            let walked = route(&spec.routes, &key.target, &key.failure, severity).cloned();
            let settings = Settings::new(Arc::new(spec));
            prop_assert_eq!(settings.route(&key, severity).map(|found| RouteSpec::clone(found)), walked);
        }
    }
}
