//! Pauses, and how they end by themselves.
//!
//! Invariant: the end of a pause lets begin what waits for it, as a person's `resume` does, with an event of its own. What a
//! person had stopped by hand only a `resume` takes up.

use super::{
    InputTime, Outcome, PauseSummary, Recovery, Refusal, Reply, windows::is_of_window, words,
};
use crate::{
    actor::Actor,
    measure,
    name::TargetName,
    pause::{LONGEST_PAUSE, TimedPause, TimedPauses},
    queue::StartBlock,
    record::Change,
    time::{Monotonic, Timestamp},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// A pause whose end is known.
#[derive(Debug)]
pub(super) struct RunningPause {
    pause: TimedPause,
    /// By the time that is lived.
    ends: Monotonic,
    /// By the wall clock, as that stood when this was known.
    until: Timestamp,
    /// The shorter one that a person had asked for before, where this is one of a maintenance window.
    asked_before: Option<Box<RunningPause>>,
}

/// The pauses whose end is known; that of the host has no target.
#[derive(Debug, Default)]
pub(super) struct RunningPauses {
    all: BTreeMap<Option<TargetName>, RunningPause>,
    /// The same by when they end, for each input asks for the next: a window may pause very many.
    ends: BTreeSet<(Monotonic, Option<TargetName>)>,
}

impl RunningPauses {
    fn insert(&mut self, target: Option<TargetName>, running: RunningPause) {
        self.remove(&target);
        self.ends.insert((running.ends, target.clone()));
        self.all.insert(target, running);
    }

    pub(super) fn remove(&mut self, target: &Option<TargetName>) -> Option<RunningPause> {
        let (target, running) = self.all.remove_entry(target)?;
        self.ends.remove(&(running.ends, target));
        Some(running)
    }

    /// Whose are over, in the order of their names.
    fn over(&self, now: Monotonic) -> BTreeSet<Option<TargetName>> {
        let over = self.ends.iter().take_while(|(ends, _)| *ends <= now);
        over.map(|(_, target)| target.clone()).collect()
    }

    /// Whose a window began.
    fn of_windows(&self) -> Vec<Option<TargetName>> {
        let of_windows = self.all.iter();
        let of_windows = of_windows.filter(|(_, running)| is_of_window(&running.pause));
        of_windows.map(|(target, _)| target.clone()).collect()
    }
}

impl Recovery {
    /// Pauses a target, or with none the host, for a while.
    pub(super) fn pause_for(
        &mut self,
        target: Option<TargetName>,
        length: Duration,
        reason: &str,
        by: Actor,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<Reply, Refusal> {
        if let Some(target) = &target {
            self.must_exist(target)?;
        }
        // Until when is known from the event, which must outlive the pause.
        let longest = LONGEST_PAUSE.min(self.settings.keep_history());
        if length.is_zero() || length > longest {
            return Err(Refusal::NotAllowed(format!(
                "a pause of {} cannot be: more than nothing and at most {} is allowed; pause without a length for one that only \
                 `mainstay resume` ends",
                measure::length(length),
                measure::length(longest)
            )));
        }
        let pause = TimedPause {
            since: at.now,
            length,
            by,
        };
        self.begin_pause(target, pause, reason, at, out);
        Ok(Reply::Done)
    }

    pub(super) fn begin_pause(
        &mut self,
        target: Option<TargetName>,
        pause: TimedPause,
        reason: &str,
        at: InputTime,
        out: &mut Outcome,
    ) {
        out.writes.push(Change::Paused(target.clone(), true));
        out.writes
            .push(words::paused_for(target.as_ref(), &pause, reason));
        let before = self.timed_pauses.remove(&target);
        let asked_before = before.filter(|_| is_of_window(&pause)).and_then(|before| {
            match is_of_window(&before.pause) {
                true => before.asked_before,
                false => Some(Box::new(before)),
            }
        });
        let running = RunningPause {
            ends: at.monotonic + pause.length,
            until: at.now + pause.length,
            pause,
            asked_before,
        };
        self.timed_pauses.insert(target.clone(), running);
        self.set_paused(target, true);
    }

    /// Until when a pause lasts that has an end.
    pub(super) fn pause_ends(&self, target: &Option<TargetName>) -> Option<Timestamp> {
        let running = self.timed_pauses.all.get(target);
        running.map(|running| running.until)
    }

    /// The pauses of windows end with the next tick, but where a person had asked for one before.
    pub(super) fn end_pauses_of_windows(&mut self, at: InputTime) {
        for target in self.timed_pauses.of_windows() {
            let Some(mut running) = self.timed_pauses.remove(&target) else {
                continue;
            };
            match running.asked_before.take() {
                Some(before) => running = *before,
                None => running.ends = at.monotonic,
            }
            self.timed_pauses.insert(target, running);
        }
        self.changed.extend(self.failures.keys().cloned());
    }

    /// The pauses that the previous daemon left, of which these have an end.
    pub(super) fn pauses_recovered(&mut self, pauses: &TimedPauses, at: InputTime) {
        self.windows.learn_resumed(pauses);
        let asked = pauses.asked();
        self.paused_by = asked
            .map(|(target, by)| (target.clone(), by.clone()))
            .collect();
        let windows = self.window_rests(at.now);
        for (target, pause) in pauses.iter() {
            if !self.is_paused(target.as_ref()) {
                continue;
            }
            let lived = self.timeline.lived_since(pause.since);
            let mut rest = pause.length.saturating_sub(lived);
            if is_of_window(pause) {
                // The config may have been changed while no daemon was there.
                rest = rest.min(windows.get(target).copied().unwrap_or_default());
            }
            let running = RunningPause {
                pause: pause.clone(),
                ends: at.monotonic + rest,
                until: at.now + rest,
                asked_before: None,
            };
            self.timed_pauses.insert(target.clone(), running);
        }
    }

    /// Ends the pauses whose time is over, and begins those of maintenance windows.
    pub(super) fn pass_pauses(&mut self, at: InputTime, out: &mut Outcome) {
        self.end_pauses(at, out);
        self.open_windows(at, out);
    }

    fn end_pauses(&mut self, at: InputTime, out: &mut Outcome) {
        for target in self.timed_pauses.over(at.monotonic) {
            if let Some(running) = self.timed_pauses.remove(&target) {
                out.writes.push(Change::Paused(target.clone(), false));
                let over = words::pause_over(target.as_ref(), &running.pause, at.now);
                out.writes.push(over);
                self.set_paused(target, false);
            }
        }
    }

    /// When the next pause ends by itself, or a window may begin one.
    pub(super) fn next_pause(&self) -> Option<Monotonic> {
        let end = self.timed_pauses.ends.first().map(|(ends, _)| *ends);
        let window = self.windows.next_look();
        end.into_iter().chain(window).min()
    }

    /// Until when which pauses last that have an end; that of the host has no target.
    pub fn paused_until(&self) -> BTreeMap<Option<TargetName>, Timestamp> {
        let pauses = self.timed_pauses.all.iter();
        pauses
            .map(|(target, running)| (target.clone(), running.until))
            .collect()
    }

    /// The pause that keeps automatic operations of this target from beginning.
    pub(super) fn pause_of(&self, target: &TargetName) -> Option<PauseSummary> {
        let whose = match self.paused_host {
            true => None,
            false => Some(self.paused_targets.get(target)?.clone()),
        };
        let timed = self.timed_pauses.all.get(&whose);
        let by = timed.map(|running| &running.pause.by);
        Some(PauseSummary {
            of_host: whose.is_none(),
            by: by
                .or_else(|| self.paused_by.get(&whose))
                .map(Actor::to_string),
            until: timed.map(|running| running.until),
        })
    }

    pub(super) fn set_paused(&mut self, target: Option<TargetName>, paused: bool) {
        match &target {
            Some(target) => drop(self.changed.insert(target.clone())),
            None => self.changed.extend(self.failures.keys().cloned()),
        }
        match (target, paused) {
            (None, _) => self.paused_host = paused,
            (Some(target), true) => drop(self.paused_targets.insert(target)),
            (Some(target), false) => {
                self.paused_targets.remove(&target);
                self.queue.release_block(&StartBlock::TargetPaused(target));
            }
        }
        if !self.paused_host {
            self.queue.release_block(&StartBlock::HostPaused);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_to_end_is_known_whatever_takes_the_place_of_which() {
        let at = |seconds| Monotonic::from_start(Duration::from_secs(seconds));
        let running = |seconds| RunningPause {
            pause: TimedPause {
                since: Timestamp::from_millis(0),
                length: Duration::from_secs(seconds),
                by: Actor::from("ann"),
            },
            ends: at(seconds),
            until: Timestamp::from_millis(seconds * 1_000),
            asked_before: None,
        };
        let api = Some(TargetName::parse("api").unwrap());
        let mut pauses = RunningPauses::default();
        for (target, seconds) in [(&api, 5), (&None, 7), (&api, 9)] {
            pauses.insert(target.clone(), running(seconds));
        }
        assert!(pauses.over(at(6)).is_empty(), "it was prolonged");
        assert_eq!(pauses.over(at(7)), [None].into());
        assert_eq!(pauses.over(at(9)), [None, api.clone()].into());
        assert!(pauses.remove(&None).is_some() && pauses.remove(&None).is_none());
        assert_eq!(pauses.over(at(9)), [api].into());
    }
}
