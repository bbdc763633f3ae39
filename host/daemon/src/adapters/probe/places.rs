//! The places of a pool that one target may have: one, so that a target whose looks hang takes none of the others'.
//!
//! Invariant: a target is kept here only while one of its looks has a place or waits for one.

use mainstay_domain::name::TargetName;
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

type Kept = Arc<Mutex<HashMap<TargetName, Arc<Semaphore>>>>;

/// Clones are the same places.
#[derive(Clone, Default)]
pub(super) struct OwnPlaces(Kept);

/// The place of one target, until it is dropped.
pub(super) struct OwnPlace {
    target: TargetName,
    /// Taken when it is given back.
    permit: Option<OwnedSemaphorePermit>,
    kept: Kept,
}

impl OwnPlaces {
    /// Waits for the target's place, in the order in which it is asked for.
    pub(super) async fn of(&self, target: &TargetName) -> Result<OwnPlace, AcquireError> {
        let own = {
            let mut kept = self.0.lock();
            let own = kept.entry(target.clone());
            Arc::clone(own.or_insert_with(|| Arc::new(Semaphore::new(1))))
        };
        Ok(OwnPlace {
            permit: Some(place_of(&own).await?),
            target: target.clone(),
            kept: Arc::clone(&self.0),
        })
    }
}

impl Drop for OwnPlace {
    fn drop(&mut self) {
        drop(self.permit.take());
        let mut kept = self.kept.lock();
        // Who waits for it holds it too.
        let is_unused = |own: &Arc<Semaphore>| Arc::strong_count(own) == 1;
        if kept.get(&self.target).is_some_and(is_unused) {
            kept.remove(&self.target);
        }
    }
}

/// Asks before it waits: a place that is free costs no turn of the runtime. Where somebody waits none is.
pub(super) async fn place_of(
    places: &Arc<Semaphore>,
) -> Result<OwnedSemaphorePermit, AcquireError> {
    match Arc::clone(places).try_acquire_owned() {
        Ok(place) => Ok(place),
        Err(_) => Arc::clone(places).acquire_owned().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::testing::specs::name;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn a_target_has_one_place_and_leaves_nothing_behind() {
        let places = OwnPlaces::default();
        let (api, web) = (name("api"), name("web"));
        let first = places.of(&api).await.unwrap();
        let mut second = Box::pin(places.of(&api));
        assert!((&mut second).now_or_never().is_none(), "it is taken");
        assert!(places.of(&web).now_or_never().is_some(), "another's is not");
        drop(first);
        let second = second.await.unwrap();
        assert_eq!(places.0.lock().len(), 1);
        drop(second);
        assert!(places.0.lock().is_empty());
    }

    #[tokio::test]
    async fn who_asks_for_a_place_that_is_free_has_it_at_once_and_overtakes_nobody() {
        let places = Arc::new(Semaphore::new(1));
        let first = place_of(&places).now_or_never().unwrap().unwrap();
        let mut second = Box::pin(place_of(&places));
        assert!((&mut second).now_or_never().is_none(), "it is taken");
        drop(first);
        let third = place_of(&places).now_or_never();
        assert!(third.is_none(), "it is kept for who waits");
        let second = second.await.unwrap();
        assert!(place_of(&places).now_or_never().is_none());
        drop(second);
        assert!(place_of(&places).now_or_never().is_some());
    }
}
