//! One run of one check, from its turn to what it changed.

use super::{
    Core,
    pulse::held_up,
    target::{CheckRun, MonitoredState, MonitoredTarget},
};
use crate::ports::ProcessUpdate;
use mainstay_domain::{
    health::{Evidence, Observation, Outcome},
    measure::length,
    name::{CheckName, TargetName},
    pulse::{Heard, Heartbeat},
    spec::{CheckKind, CheckSpec},
};
use std::sync::Arc;

impl Core {
    /// A run that is due; left out where the one before still runs.
    pub(super) async fn run_scheduled(&self, monitored: Arc<MonitoredTarget>, run: Arc<CheckRun>) {
        match run.turn.try_lock() {
            Ok(_turn) => {
                self.look(&monitored, &run).await;
            }
            Err(_) => run.meter.skipped(1),
        }
    }

    /// Runs a check once and applies its observation; the caller holds its turn. None if the target is stopped, if
    /// the config changed or dropped the check, if the check measures a child that is down, if a stranger answered for
    /// it, or if it is too soon to say anything, which counts as nothing. The message says if the start excuses a failure.
    /// One that is unknown counts as nothing either, but it is shown.
    pub(super) async fn look(
        &self,
        monitored: &Arc<MonitoredTarget>,
        run: &CheckRun,
    ) -> Option<Observation> {
        let (spec, pid, epoch, last_beat) = {
            let state = monitored.lock();
            let pid = state.process.pid();
            // The check may have been retired while it waited; a check of the same name in the new config must not
            // get its observation.
            if run.is_retired()
                || state.process.is_stopped()
                || (pid.is_none() && run.spec.kind.measures_child())
            {
                return None;
            }
            (Arc::clone(&state.spec), pid, state.epoch, state.last_beat)
        };
        let (start, begun) = (self.clock.monotonic(), self.begun());
        let seen = match run.spec.kind {
            CheckKind::Heartbeat => {
                let seen = self.heartbeat_seen(&spec.name, &run.spec, last_beat);
                let written = match seen.outcome {
                    Outcome::Failed => self.probe.last_lines(spec).await,
                    _ => None,
                };
                Some(seen.with_output(written))
            }
            _ => self.probe.observe(spec, Arc::clone(&run.spec), pid).await,
        };
        let Some(mut seen) = seen else {
            let mut state = monitored.lock();
            if state.epoch == epoch {
                self.has_looked_for_nothing(monitored, &mut state, run);
            }
            return None;
        };
        self.void(&mut seen, begun);
        let end = self.clock.monotonic();
        let mut state = monitored.lock();
        if seen.outcome == Outcome::Unknown {
            run.meter.ran(seen.outcome, false, end.since(start));
            if state.epoch == epoch {
                run.saw(&seen, end.since(start));
                self.could_not_look(monitored, &mut state, run, &seen, end);
            }
            return Some(seen);
        }
        let is_excused_by_start = state.health.is_excused_by_start(&seen, end);
        run.meter
            .ran(seen.outcome, is_excused_by_start, end.since(start));
        if state.health.is_from_stranger(&seen) {
            if state.epoch == epoch {
                self.has_looked_for_nothing(monitored, &mut state, run);
            }
            return None;
        }
        if is_excused_by_start {
            seen.evidence.message = format!("starting: {}", seen.evidence.message);
        }
        if state.epoch == epoch {
            run.saw(&seen, end.since(start));
            self.has_looked(&seen.target, run);
            if is_excused_by_start {
                // It changes no health, and `status` shows what was seen.
                self.changed.note(&seen.target);
            }
            state.health.set_multiplier(*self.multiplier.lock());
            let changes = state.health.observe(&seen, end);
            self.publish(monitored, &mut state, &changes, Some(&seen));
        }
        Some(seen)
    }

    fn heartbeat_seen(
        &self,
        target: &TargetName,
        check: &CheckSpec,
        last_beat: Heard,
    ) -> Observation {
        let silence = self.clock.monotonic().since(last_beat.at);
        let (passed, every) = (length(silence), length(check.every));
        let late = || format!("no heartbeat for {passed}, one is due every {every}");
        let (outcome, message) = match self.heartbeat(last_beat, check.every) {
            // None may have come so far: it is counted from the start.
            Heartbeat::InTime => (
                Outcome::Healthy,
                format!(
                    "in time: {passed} have passed of the {every} within which a heartbeat is due"
                ),
            ),
            Heartbeat::Excused(gap) => (
                Outcome::Unknown,
                format!("{}; {} of that", late(), held_up(gap)),
            ),
            Heartbeat::Missed => (Outcome::Failed, late()),
        };
        let value = Some(silence.as_secs_f64());
        self.observation(target, &check.name, outcome, message, value)
    }

    fn observation(
        &self,
        target: &TargetName,
        check: &CheckName,
        outcome: Outcome,
        message: String,
        value: Option<f64>,
    ) -> Observation {
        Observation {
            target: target.clone(),
            check: check.clone(),
            outcome,
            evidence: Evidence {
                check: check.to_string(),
                observed_at: self.clock.now(),
                message,
                value,
                output: None,
                score: None,
            },
        }
    }

    /// What the last news says of the supervised process; none where it says nothing.
    pub(super) fn last_process_state(
        &self,
        state: &MonitoredState,
        news: &ProcessUpdate,
    ) -> Option<Observation> {
        let down = match news {
            ProcessUpdate::Exited(why) | ProcessUpdate::Down(why) => Some(why.clone()),
            ProcessUpdate::Started(Some(_)) | ProcessUpdate::Runs(Some(_)) => None,
            ProcessUpdate::Started(None)
            | ProcessUpdate::Runs(None)
            | ProcessUpdate::Forks(..)
            | ProcessUpdate::Completed
            | ProcessUpdate::Stopped
            | ProcessUpdate::Held(_) => {
                return None;
            }
        };
        Some(self.observe_process(state, down))
    }

    /// The supervised process as an observation: down, for a reason, or as it is known.
    pub(super) fn observe_process(
        &self,
        state: &MonitoredState,
        down: Option<String>,
    ) -> Observation {
        let (outcome, message) = match (down, state.process.pid()) {
            (None, Some(pid)) => (Outcome::Healthy, format!("process {pid} runs")),
            (down, _) => (
                Outcome::Failed,
                down.unwrap_or_else(|| "the process does not run".to_owned()),
            ),
        };
        self.observation(
            &state.spec.name,
            &CheckName::process(),
            outcome,
            message,
            None,
        )
    }
}
