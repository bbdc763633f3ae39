//! When each log is looked at next.
//!
//! Invariant: to find what is due, or what comes next, costs nothing for logs that are not due.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    path::{Path, PathBuf},
    time::Instant,
};

/// The next look at those that are written to.
#[derive(Default)]
pub(super) struct Due {
    at: HashMap<PathBuf, Instant>,
    /// With some that are not planned any more, or for another time.
    queue: BinaryHeap<Reverse<(Instant, PathBuf)>>,
}

impl Due {
    /// One that is due sooner stays so.
    pub(super) fn plan(&mut self, path: PathBuf, at: Instant) {
        if self.at.get(&path).is_none_or(|planned| *planned > at) {
            self.at.insert(path.clone(), at);
            self.queue.push(Reverse((at, path)));
        }
    }

    pub(super) fn forget(&mut self, path: &Path) {
        self.at.remove(path);
    }

    /// When the next look is.
    pub(super) fn next(&mut self) -> Option<Instant> {
        while let Some(Reverse((at, path))) = self.queue.peek() {
            if self.at.get(path) == Some(at) {
                return Some(*at);
            }
            self.queue.pop();
        }
        None
    }

    /// One that is due, which is not planned any more.
    pub(super) fn take(&mut self, now: Instant) -> Option<PathBuf> {
        self.next().filter(|at| *at <= now)?;
        let Reverse((_, path)) = self.queue.pop()?;
        self.at.remove(&path);
        Some(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn logs_are_due_in_the_order_of_their_times_once_and_the_sooner_of_two_counts() {
        let (mut due, start) = (Due::default(), Instant::now());
        let at = |millis| start + Duration::from_millis(millis);
        for (path, millis) in [
            ("a", 30),
            ("b", 10),
            ("c", 20),
            ("a", 5),
            ("b", 40),
            ("d", 1),
        ] {
            due.plan(PathBuf::from(path), at(millis));
        }
        due.forget(Path::new("d"));
        assert_eq!(due.next(), Some(at(5)));
        let mut taken = Vec::new();
        while let Some(path) = due.take(at(15)) {
            taken.push(path);
        }
        assert_eq!(taken, [PathBuf::from("a"), PathBuf::from("b")]);
        assert_eq!(due.next(), Some(at(20)));
        assert_eq!(due.take(at(20)), Some(PathBuf::from("c")));
        assert_eq!((due.next(), due.take(at(1_000))), (None, None));
    }
}
