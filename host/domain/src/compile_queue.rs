//! Which compiles run: side by side, the small first, and never so that slow ones hold up all others.
//!
//! Invariant: pure; the caller gives the time, and starts and ends what it is told of.
//! Invariant: a large component, and a compile that has run for long, never hold the last place: whatever was dropped, a
//! small component has its turn within a bounded time.

use crate::time::Monotonic;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Components above this are slow from the beginning, bytes.
const LARGE: u64 = 1 << 20;

/// What compiles for longer than this is slow, whatever its size.
const SLOW: Duration = Duration::from_secs(3);

/// A compile that waits or runs. Those of one size go in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CompileTicket {
    size: u64,
    number: u64,
}

/// The compiles of one host.
#[derive(Debug)]
pub struct CompileQueue {
    /// Places; twice as many where slow ones are in the way.
    places: usize,
    next: u64,
    waiting: BTreeSet<CompileTicket>,
    running: BTreeMap<CompileTicket, Monotonic>,
}

impl CompileQueue {
    /// One place for each processor, and two at least.
    pub fn new(processors: usize) -> Self {
        Self {
            places: processors.max(2),
            next: 0,
            waiting: BTreeSet::new(),
            running: BTreeMap::new(),
        }
    }

    /// A component of so many bytes is to be compiled.
    pub fn enter(&mut self, size: u64) -> CompileTicket {
        let ticket = CompileTicket {
            size,
            number: self.next,
        };
        self.next = self.next.saturating_add(1);
        self.waiting.insert(ticket);
        ticket
    }

    /// Whether it runs from now on.
    pub fn start(&mut self, ticket: CompileTicket, now: Monotonic) -> bool {
        let is_large = ticket.is_large();
        // The small and the large wait in lines of their own, the large behind the small.
        let first = match is_large {
            true => self.waiting.range(CompileTicket::FIRST_LARGE..).next(),
            false => self.waiting.first(),
        };
        let is_first = first == Some(&ticket);
        let slow = self.slow(now);
        let quick = self.running.len().saturating_sub(slow);
        let has_place = match is_large {
            true => slow < self.places - 1 && self.running.len() < self.places,
            false => {
                let left = self.places.saturating_sub(slow).max(1);
                quick < left && self.running.len() < self.places * 2
            }
        };
        let starts = is_first && has_place && self.waiting.remove(&ticket);
        if starts {
            self.running.insert(ticket, now);
        }
        starts
    }

    /// It has ended, or is not wanted any more.
    pub fn leave(&mut self, ticket: CompileTicket) {
        self.waiting.remove(&ticket);
        self.running.remove(&ticket);
    }

    /// After how long another may start though none ends: a quick one is slow then.
    pub fn due(&self, now: Monotonic) -> Option<Duration> {
        let running = self.running.iter();
        let quick = running.filter(|(ticket, since)| !is_slow(**ticket, **since, now));
        let left = quick.map(|(_, since)| SLOW.saturating_sub(now.since(*since)));
        left.min()
    }

    fn slow(&self, now: Monotonic) -> usize {
        let running = self.running.iter();
        running
            .filter(|(ticket, since)| is_slow(**ticket, **since, now))
            .count()
    }
}

impl CompileTicket {
    /// Before all that are large.
    const FIRST_LARGE: Self = Self {
        size: LARGE + 1,
        number: 0,
    };

    fn is_large(self) -> bool {
        self.size > LARGE
    }
}

fn is_slow(ticket: CompileTicket, since: Monotonic, now: Monotonic) -> bool {
    ticket.is_large() || now.since(since) >= SLOW
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: u64 = 100_000;
    const HUGE: u64 = 43 << 20;

    fn at(seconds: u64) -> Monotonic {
        Monotonic::from_start(Duration::from_secs(seconds))
    }

    /// Which of these start now.
    fn started(queue: &mut CompileQueue, tickets: &[CompileTicket], now: u64) -> Vec<usize> {
        let numbered = tickets.iter().enumerate();
        let starts = numbered.filter(|(_, ticket)| queue.start(**ticket, at(now)));
        starts.map(|(number, _)| number).collect()
    }

    #[test]
    fn the_small_go_first_and_beside_what_is_large() {
        let mut queue = CompileQueue::new(1);
        let large = [queue.enter(HUGE), queue.enter(HUGE)];
        assert_eq!(started(&mut queue, &large, 0), [0], "one place is kept");
        let small = [queue.enter(SMALL + 1), queue.enter(SMALL)];
        assert_eq!(started(&mut queue, &small, 0), [1], "the smaller first");
        queue.leave(small[1]);
        assert_eq!(started(&mut queue, &small[..1], 0), [0]);
        queue.leave(small[0]);
        assert_eq!(started(&mut queue, &large[1..], 9), [0; 0]);
        queue.leave(large[0]);
        assert_eq!(started(&mut queue, &large[1..], 9), [0]);
    }

    #[test]
    fn a_small_one_that_takes_long_makes_place_for_others() {
        let mut queue = CompileQueue::new(2);
        let bombs = [queue.enter(1_000), queue.enter(1_001)];
        assert_eq!(started(&mut queue, &bombs, 0), [0, 1]);
        let small = [queue.enter(SMALL), queue.enter(SMALL), queue.enter(SMALL)];
        assert_eq!(started(&mut queue, &small, 1), [0; 0]);
        assert_eq!(queue.due(at(1)), Some(Duration::from_secs(2)));
        assert_eq!(
            started(&mut queue, &small, 3),
            [0],
            "one beside what is slow"
        );
        queue.leave(small[0]);
        assert_eq!(started(&mut queue, &small[1..], 3), [0]);
    }

    #[test]
    fn no_more_run_than_twice_the_places_however_slow_all_are() {
        let mut queue = CompileQueue::new(2);
        let bombs: Vec<CompileTicket> = (0..50).map(|size| queue.enter(size)).collect();
        let mut running = 0;
        for second in 0..100 {
            running += started(&mut queue, &bombs, second).len();
        }
        assert_eq!(running, 4);
        for bomb in bombs {
            queue.leave(bomb);
        }
        assert_eq!(queue.due(at(100)), None);
    }
}
