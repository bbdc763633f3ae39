//! The summary of a target, for status.

use super::{
    Case, CaseKey, PauseSummary, Recovery, Stage, TargetSummary, looked::CANNOT_LOOK, words,
};
use crate::{
    name::TargetName,
    operation::{Approval, Mode, Operation},
    queue::{Place, StartBlock},
    text::counted,
    time::Timestamp,
};

/// What an operation in the queue waits for.
#[derive(Default)]
struct Wait {
    /// The pause that keeps it from beginning.
    pause: Option<PauseSummary>,
    /// Until when, and why.
    rests: Option<(Timestamp, String)>,
    /// What it waits for though it is due.
    held: Option<String>,
}

impl Wait {
    /// For people, who see beside it when it is due.
    fn words(&self, target: &TargetName) -> Option<String> {
        match (&self.pause, &self.held, &self.rests) {
            (Some(pause), ..) => Some(pause.words(target)),
            (None, Some(held), Some((until, _))) => Some(format!("{held}; until {until}")),
            (None, Some(held), None) => Some(held.clone()),
            (None, None, rests) => rests.as_ref().map(|(_, why)| why.clone()),
        }
    }

    fn show_in(self, summary: &mut TargetSummary) {
        if self.pause.is_some() {
            summary.pause = self.pause;
            return;
        }
        summary.rests = self.rests.or_else(|| summary.rests.take());
        summary.held = self.held.or_else(|| summary.held.take());
    }
}

impl PauseSummary {
    /// That it keeps the recovery of this target from beginning, for people.
    fn words(&self, target: &TargetName) -> String {
        let by = self.by.as_ref();
        let by = by.map_or(String::new(), |by| format!(" by {by}"));
        let whose = match self.of_host {
            true => String::new(),
            false => format!(" {target}"),
        };
        format!("automatic recovery is paused{by}; `mainstay resume{whose}` lets it go on")
    }
}

impl Recovery {
    /// The open incident, the operation and the wait of a target; default if it has none.
    pub fn summary_of(&self, target: &TargetName) -> TargetSummary {
        let mut summary = TargetSummary::default();
        let mut runs = false;
        for key in self.keys_of(target) {
            let Some(case) = self.case(&key) else {
                continue;
            };
            if case.incident.state.is_open() {
                summary.incident = summary.incident.take().max(Some(case.incident.id.clone()));
            }
            summary.is_failing |= case.is_failing();
            let asks = waits_for(&key, case).or_else(|| self.left_undone(&key, case));
            if let Some(waits) = &asks {
                let incident = case.incident.id.clone();
                summary.waits.insert(incident, waits.clone());
            }
            let Some(work) = case.work() else {
                continue;
            };
            let id = &work.operation.id;
            let is_running = matches!(case.stage, Stage::Running(_));
            if is_running || !runs {
                summary.operation = Some(id.clone());
            }
            runs |= is_running;
            let wait = match case.stage {
                Stage::Queued(_) => self.wait_of(case, &work.operation),
                _ => Wait::default(),
            };
            let words = asks.or_else(|| wait.words(target));
            let words = words.map(|words| (id.clone(), words));
            summary.operations.extend(words);
            wait.show_in(&mut summary);
        }
        summary
    }

    /// What a person can do about a failure that holds and for which the host does nothing, with the reason.
    fn left_undone(&self, key: &CaseKey, case: &Case) -> Option<String> {
        if !matches!(case.stage, Stage::Unrouted) || !case.incident.state.is_open() {
            return None;
        }
        let target = &key.target;
        if self.is_left_to_people(key) {
            return Some(words::left_to_people(key));
        }
        if let Some(breach) = self.breach_by(target) {
            return Some(words::forbidden(key, &breach));
        }
        match self.settings.route(key, case.incident.severity) {
            Some(route) => route.simulate.then(|| words::only_simulated(key)),
            None => {
                let known = self.settings.target(target);
                let starts = known.is_some_and(|target| {
                    target.process.is_some() || target.commands.start.is_some()
                });
                Some(words::unrouted(key, case.incident.severity, starts))
            }
        }
    }

    /// What an operation waits for that has not begun, or not its next attempt. A time that has passed is nothing that
    /// anything waits for.
    fn wait_of(&self, case: &Case, operation: &Operation) -> Wait {
        let is_automatic = operation.mode == Mode::Automatic;
        let pause = self.pause_of(&operation.target).filter(|_| is_automatic);
        if pause.is_some() {
            return Wait {
                pause,
                ..Wait::default()
            };
        }
        let held = match self.queue.place(&operation.id) {
            Some(Place::Waiting) => {
                return Wait {
                    rests: operation.due.map(|due| (due, rest_words(case))),
                    ..Wait::default()
                };
            }
            Some(Place::Ready) => {
                "it is due, and waits for its turn: as many recoveries go on as may".to_owned()
            }
            Some(Place::Blocked(StartBlock::Dependency(target))) => {
                format!("it is due, and waits until {target} is recovered, on which it depends")
            }
            Some(Place::Blocked(StartBlock::TargetBusy(_))) => {
                "it is due, and waits until another recovery of the target has ended".to_owned()
            }
            Some(Place::Blocked(StartBlock::Gate(why))) => {
                let (until, words) = self.held_words(why);
                return Wait {
                    held: Some(format!("it is due, and is held back: {words}")),
                    rests: until.map(|until| (until, words)),
                    ..Wait::default()
                };
            }
            // The pause is over, and it begins.
            Some(Place::Blocked(StartBlock::HostPaused | StartBlock::TargetPaused(_))) | None => {
                return Wait::default();
            }
        };
        Wait {
            held: Some(held),
            ..Wait::default()
        }
    }
}

/// What a person can do, where the recovery waits for one.
fn waits_for(key: &CaseKey, case: &Case) -> Option<String> {
    let CaseKey { target, failure } = key;
    match &case.stage {
        Stage::HandedOver(_) => {
            let who = case.incident.handed_over.as_deref();
            let who = who.unwrap_or("a person rejected or cancelled its recovery");
            Some(format!(
                "{failure} is stopped by hand: {who}; `mainstay resume {target}` takes it up"
            ))
        }
        Stage::AwaitingApproval(work) => {
            let id = &work.operation.id;
            if let Some(doubt) = work.operation.doubt.as_deref() {
                return Some(format!(
                    "nobody knows whether effect {number} of its recovery from {failure} happened: `mainstay operation resolve \
                     {id} {number} --happened`, or `--did-not`",
                    number = doubt.number
                ));
            }
            let approval = work.operation.approval.as_ref();
            let who = match approval.map_or(1, Approval::missing) {
                1 => "a person".to_owned(),
                many => format!("{many} people"),
            };
            let why = work.operation.error.as_deref();
            let why = why.map_or(String::new(), |why| format!(" ({why})"));
            Some(format!(
                "its recovery from {failure} waits for {who}{why}: `mainstay approve {id}`, or `mainstay reject {id}`"
            ))
        }
        Stage::Queued(work) => {
            let name = work.awaits.as_ref()?;
            Some(format!(
                "its recovery from {failure} waits for the signal `{name}`: `mainstay operation signal {} {name}`",
                work.operation.id
            ))
        }
        Stage::Unrouted | Stage::Running(_) | Stage::RelapseWindow { .. } | Stage::Over => None,
    }
}

fn rest_words(case: &Case) -> String {
    let incident = &case.incident;
    if let Some(name) = case.work().and_then(|work| work.awaits.as_ref()) {
        return format!("its handler waits for the signal `{name}`");
    }
    match case.work().and_then(|work| work.error.as_ref()) {
        Some(error) if error == CANNOT_LOOK => CANNOT_LOOK.to_owned(),
        Some(_) => "between two attempts".to_owned(),
        None if case.work().is_some_and(|work| work.operation.cut_off) => {
            "the daemon ended during its last attempt".to_owned()
        }
        None if case.work().is_some_and(|work| work.open_call.is_some()) => {
            "its handler sleeps".to_owned()
        }
        None if incident.failures_in_a_row > 0 => {
            let rounds = counted(incident.failures_in_a_row, "round");
            format!("{rounds} did not help")
        }
        None if incident.relapses > 0 => "it came back after it was over".to_owned(),
        // A cooldown, or one of the delays of a target that fails again and again.
        None => "it was recovered, or failed, not long ago".to_owned(),
    }
}
