//! Holds back what goes to a tier and comes from it, by the config as it is now.

use crate::ports::{Clock, TierPace};
use mainstay_domain::{
    bandwidth::{TokenBucket, limit_at},
    name::TierName,
    spec::Spec,
};
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc, thread, time::Duration};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Whoever waits looks so often whether that is to end.
const LOOK: Duration = Duration::from_millis(100);

/// The bandwidth of the config's tiers, of all jobs together.
pub(crate) struct ConfiguredPace {
    spec: watch::Receiver<Arc<Spec>>,
    clock: Arc<dyn Clock>,
    buckets: Mutex<HashMap<TierName, TokenBucket>>,
}

impl ConfiguredPace {
    /// That of each config that is current.
    pub(crate) fn new(spec: watch::Receiver<Arc<Spec>>, clock: Arc<dyn Clock>) -> Self {
        Self {
            spec,
            clock,
            buckets: Mutex::default(),
        }
    }

    fn wait_for(&self, tier: &TierName, bytes: u64) -> Duration {
        let limit = {
            let spec = self.spec.borrow();
            let tier = spec.tiers.get(tier);
            tier.and_then(|tier| limit_at(&tier.bandwidth, self.clock.now()))
        };
        let Some(limit) = limit else {
            return Duration::ZERO;
        };
        let mut buckets = self.buckets.lock();
        let bucket = buckets.entry(tier.clone()).or_default();
        bucket.take(bytes, limit, self.clock.monotonic())
    }
}

impl TierPace for ConfiguredPace {
    fn pass(&self, tier: &TierName, bytes: u64, stop: &CancellationToken) {
        wait(self.wait_for(tier, bytes), stop);
    }
}

/// Waits, on a thread that may block; ends soon after the token is cancelled.
fn wait(length: Duration, stop: &CancellationToken) {
    let mut left = length;
    while !left.is_zero() && !stop.is_cancelled() {
        let some = left.min(LOOK);
        thread::sleep(some);
        left -= some;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::testing::{ManualClock, specs};
    use mainstay_domain::spec::{BandwidthSpec, TierPlaceSpec, TierRole, TierSpec};

    #[test]
    fn bytes_of_a_tier_with_a_limit_wait_for_those_before_them_and_others_do_not() {
        let names = ["nas", "cold"].map(|name| TierName::parse(name).unwrap());
        let mut config = Spec::clone(&specs::spec(Vec::new()));
        for name in &names {
            let is_limited = name.as_str() == "nas";
            let limit = BandwidthSpec {
                from: 0,
                to: 1440,
                zone: "UTC".to_owned(),
                limit: 1_000,
            };
            let tier = TierSpec {
                place: TierPlaceSpec::Directory(format!("/mnt/{name}").into()),
                role: TierRole::Network,
                bandwidth: is_limited.then_some(limit).into_iter().collect(),
            };
            config.tiers.insert(name.clone(), tier);
        }
        let (sender, spec) = watch::channel(Arc::new(config.clone()));
        let clock = ManualClock::new();
        let pace = ConfiguredPace::new(spec, clock.clone());
        let [nas, cold] = &names;
        let second = Duration::from_secs(1);
        assert_eq!(pace.wait_for(nas, 2_000), Duration::ZERO);
        assert_eq!(pace.wait_for(nas, 1_000), 2 * second);
        assert_eq!(pace.wait_for(cold, 1 << 40), Duration::ZERO);
        assert_eq!(pace.wait_for(cold, 1 << 40), Duration::ZERO);
        clock.advance(second);
        assert_eq!(pace.wait_for(nas, 1), 2 * second);
        // A config without it counts at once.
        config.tiers.clear();
        sender.send_replace(Arc::new(config));
        assert_eq!(pace.wait_for(nas, 1), Duration::ZERO);
    }

    #[test]
    fn who_waits_ends_when_that_is_to_end() {
        let stop = CancellationToken::new();
        stop.cancel();
        wait(Duration::from_secs(86_400), &stop);
        wait(Duration::ZERO, &CancellationToken::new());
    }
}
