//! What a person set of a target's recovery, over its routes.

use crate::{
    name::{FailureType, GroupName, PluginName, TargetName},
    severity::Severity,
    spec::{RouteSpec, Strategy},
    strategy::InvalidStrategy,
    target_policy::TargetPolicy,
    time::Timestamp,
};
use std::time::Duration;

impl TargetPolicy {
    /// A route with this over it.
    ///
    /// # Errors
    /// It breaks the constraints of a strategy.
    pub fn over(&self, route: &RouteSpec) -> Result<RouteSpec, InvalidStrategy> {
        let mut route = route.clone();
        let length = |millis: Option<u64>| millis.map(Duration::from_millis);
        if self.ask == Some(true) {
            let max_attempts = route.strategy.max_attempts();
            route.strategy = Strategy::Manual { max_attempts };
        }
        if let Strategy::Exponential { multiplier, .. } = &mut route.strategy {
            *multiplier = self.multiplier.unwrap_or(*multiplier);
        }
        if let Strategy::Exponential {
            initial_delay,
            max_delay,
            ..
        }
        | Strategy::Linear {
            initial_delay,
            max_delay,
            ..
        } = &mut route.strategy
        {
            *initial_delay = length(self.initial_delay_ms).unwrap_or(*initial_delay);
            *max_delay = length(self.max_delay_ms).unwrap_or(*max_delay);
        }
        match &mut route.strategy {
            Strategy::Exponential { max_attempts, .. }
            | Strategy::Linear { max_attempts, .. }
            | Strategy::Immediate { max_attempts, .. }
            | Strategy::Manual { max_attempts, .. } => {
                *max_attempts = self.max_attempts.unwrap_or(*max_attempts);
            }
        }
        route.cooldown = length(self.cooldown_ms).unwrap_or(route.cooldown);
        route.strategy = route.strategy.validate()?;
        Ok(route)
    }
}

/// How a target is recovered now.
#[derive(Debug, Clone, PartialEq)]
pub struct EffectivePolicy {
    /// Which.
    pub target: TargetName,
    /// What a person set.
    pub set: TargetPolicy,
    /// The group that it is in.
    pub group: Option<GroupName>,
    /// For each failure that it can have.
    pub routes: Vec<EffectiveRoute>,
}

/// How one failure of a target is recovered now.
#[derive(Debug, Clone, PartialEq)]
pub struct EffectiveRoute {
    /// Which.
    pub failure: FailureType,
    /// How bad it is.
    pub severity: Severity,
    /// What is done about it, with what was set over it; none: no route fits.
    pub route: Option<RouteSpec>,
    /// Until when it cools down.
    pub cooling_until: Option<Timestamp>,
    /// Its handlers that rest for this target, and until when.
    pub resting: Vec<(PluginName, Timestamp)>,
}

impl EffectiveRoute {
    /// The handlers that are called, in order.
    pub fn handlers(&self) -> impl Iterator<Item = &PluginName> {
        let steps = self.route.iter().flat_map(|route| &route.chain);
        steps.map(|step| &step.handler)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jitter::Jitter;

    fn route(strategy: Strategy) -> RouteSpec {
        RouteSpec {
            failure: None,
            target: None,
            severity: None,
            strategy,
            decider: None,
            cooldown: Duration::ZERO,
            relapse_window: Duration::ZERO,
            workflow: Default::default(),
            simulate: false,
            chain: Vec::new(),
        }
    }

    fn exponential() -> RouteSpec {
        route(Strategy::Exponential {
            max_attempts: 5,
            initial_delay: Duration::from_secs(1),
            multiplier: 2.0,
            max_delay: Duration::from_secs(60),
            delay_first: false,
            jitter: Jitter::None,
        })
    }

    #[test]
    fn what_is_set_stands_over_the_route_and_the_rest_is_the_routes() {
        let set = TargetPolicy {
            max_attempts: Some(3),
            multiplier: Some(3.0),
            cooldown_ms: Some(300_000),
            ..TargetPolicy::default()
        };
        let found = set.over(&exponential()).unwrap();
        assert_eq!(
            found.strategy,
            Strategy::Exponential {
                max_attempts: 3,
                initial_delay: Duration::from_secs(1),
                multiplier: 3.0,
                max_delay: Duration::from_secs(60),
                delay_first: false,
                jitter: Jitter::None,
            }
        );
        assert_eq!(found.cooldown, Duration::from_secs(300));
        let more = TargetPolicy {
            ask: Some(true),
            max_attempts: Some(1),
            ..TargetPolicy::default()
        };
        let both = set.and(&more);
        let found = both.over(&exponential()).unwrap();
        assert_eq!(found.strategy, Strategy::Manual { max_attempts: 1 });
        assert_eq!(both.multiplier, Some(3.0));
        assert!(TargetPolicy::default().is_empty() && !both.is_empty());
        assert_eq!(
            TargetPolicy::default().over(&exponential()),
            Ok(exponential())
        );
    }

    #[test]
    fn what_the_seed_forbids_of_a_strategy_is_refused() {
        for set in [
            TargetPolicy {
                max_attempts: Some(0),
                ..TargetPolicy::default()
            },
            TargetPolicy {
                multiplier: Some(0.5),
                ..TargetPolicy::default()
            },
            TargetPolicy {
                max_delay_ms: Some(999),
                ..TargetPolicy::default()
            },
        ] {
            assert!(set.over(&exponential()).is_err(), "{set:?}");
        }
    }
}
