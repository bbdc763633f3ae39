//! Every event after a given one, in order, from the journal's past into its present.
//!
//! Invariant: no event is left out and none is given twice, also where the receiver falls behind: it subscribes
//! before it reads, skips what it has already given, and reads again from the last `seq` when it was overtaken.

use crate::ports::{Browse, EventFilter, Journal, StoreError};
use mainstay_domain::event::Event;
use std::sync::Arc;
use tokio::sync::broadcast::{Receiver, error::RecvError};

/// So many events are read from the journal at once.
const PAGE: u32 = 500;

/// A reader of events.
pub struct EventFeed {
    records: Arc<dyn Browse>,
    filter: EventFilter,
    live: Receiver<Arc<Event>>,
    last: u64,
    behind: bool,
}

impl EventFeed {
    /// A feed of the events after `seq`.
    pub fn after(seq: u64, journal: &dyn Journal, records: Arc<dyn Browse>) -> Self {
        Self {
            live: journal.subscribe(),
            records,
            filter: EventFilter::default(),
            last: seq,
            behind: true,
        }
    }

    /// The same feed, of those events alone that a filter asks for.
    pub fn only(mut self, filter: EventFilter) -> Self {
        self.filter = filter;
        self
    }

    /// A feed of the newest events, so many of them, and of those after them.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn of_newest(
        count: u32,
        journal: &dyn Journal,
        records: Arc<dyn Browse>,
    ) -> Result<Self, StoreError> {
        Self::of_newest_like(EventFilter::default(), count, journal, records).await
    }

    /// The same, of those events alone that a filter asks for.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn of_newest_like(
        filter: EventFilter,
        count: u32,
        journal: &dyn Journal,
        records: Arc<dyn Browse>,
    ) -> Result<Self, StoreError> {
        let mut feed = Self::after(0, journal, records);
        feed.last = match filter.is_empty() {
            true => feed.records.seq_before_newest(count).await?,
            false => {
                let asked = filter.clone();
                feed.records.seq_before_newest_like(asked, count).await?
            }
        };
        Ok(feed.only(filter))
    }

    /// The next events that the journal holds; empty where the feed has given all of them. May be dropped.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn next_recorded(&mut self) -> Result<Vec<Arc<Event>>, StoreError> {
        let page = match self.filter.is_empty() {
            true => self.records.events(self.last, PAGE).await?,
            false => {
                let asked = self.filter.clone();
                self.records.events_like(asked, self.last, PAGE).await?
            }
        };
        if let Some(event) = page.last() {
            self.last = event.seq;
        }
        self.behind = page.len() >= PAGE as usize;
        Ok(page.into_iter().map(Arc::new).collect())
    }

    /// Waits for the next events, at least one; `None` where the journal is closed. May be dropped.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn next(&mut self) -> Result<Option<Vec<Arc<Event>>>, StoreError> {
        loop {
            if self.behind {
                let page = self.next_recorded().await?;
                if !page.is_empty() {
                    return Ok(Some(page));
                }
            }
            match self.live.recv().await {
                Ok(event) if event.seq > self.last => {
                    self.last = event.seq;
                    if self.filter.fits(&event) {
                        return Ok(Some(vec![event]));
                    }
                }
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => self.behind = true,
                Err(RecvError::Closed) => return Ok(None),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::fakes::FakeWorld;
    use mainstay_domain::{event::EventKind, name::TargetName};
    use std::time::Duration;

    /// Reads until the event with this `seq`.
    async fn read_to(feed: &mut EventFeed, last: u64) -> Vec<u64> {
        let mut seen = Vec::new();
        while seen.last() != Some(&last) {
            let next = tokio::time::timeout(Duration::from_secs(10), feed.next());
            let events = next.await.expect("in time").unwrap().unwrap();
            seen.extend(events.iter().map(|event| event.seq));
        }
        seen
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_feed_that_is_overtaken_leaves_nothing_out_and_gives_nothing_twice() {
        // Room for four events: the writer overtakes the reader all the time.
        let world = FakeWorld::new(4);
        let mut feed = EventFeed::after(0, &*world, world.clone());
        let writer = tokio::spawn({
            let world = world.clone();
            async move {
                for number in 0..5_000 {
                    world.happen(EventKind::CheckFailed, |event| event);
                    if number % 7 == 0 {
                        tokio::task::yield_now().await;
                    }
                }
            }
        });
        let seen = read_to(&mut feed, 5_002).await;
        writer.await.unwrap();
        assert_eq!(seen, (1..=5_002).collect::<Vec<u64>>());
    }

    #[tokio::test]
    async fn what_happens_between_subscribing_and_reading_is_given_once() {
        let world = FakeWorld::new(16);
        let mut feed = EventFeed::after(1, &*world, world.clone());
        world.happen(EventKind::CheckFailed, |event| event);
        assert_eq!(read_to(&mut feed, 3).await, [2, 3]);
        world.happen(EventKind::CheckRecovered, |event| event);
        assert_eq!(read_to(&mut feed, 4).await, [4]);
    }

    #[tokio::test]
    async fn a_feed_of_one_target_gives_no_other_events_of_the_past_and_none_of_the_present() {
        let world = FakeWorld::new(16);
        let api = || TargetName::parse("api").unwrap();
        let filter = EventFilter {
            target: Some(api()),
            from: None,
        };
        for _ in 0..3 {
            world.happen(EventKind::CheckFailed, |event| event);
            world.happen(EventKind::CheckFailed, |event| event.with_target(&api()));
        }
        let mut feed = EventFeed::of_newest_like(filter.clone(), 2, &*world, world.clone())
            .await
            .unwrap();
        assert_eq!(read_to(&mut feed, 8).await, [6, 8]);
        world.happen(EventKind::CheckFailed, |event| event);
        world.happen(EventKind::CheckFailed, |event| event.with_target(&api()));
        assert_eq!(read_to(&mut feed, 10).await, [10]);
        let mut whole = EventFeed::after(0, &*world, world.clone()).only(filter);
        assert_eq!(read_to(&mut whole, 10).await, [2, 4, 6, 8, 10]);
    }

    #[tokio::test]
    async fn the_newest_come_first_and_then_those_after_them() {
        for (limit, expected) in [(0, vec![3]), (1, vec![2, 3]), (9, vec![1, 2, 3])] {
            let world = FakeWorld::new(16);
            let mut feed = EventFeed::of_newest(limit, &*world, world.clone())
                .await
                .unwrap();
            world.happen(EventKind::CheckFailed, |event| event);
            assert_eq!(read_to(&mut feed, 3).await, expected, "limit {limit}");
        }
    }
}
