//! The run of a simulation: what is due next, and what the machine asks for.
//!
//! Invariant: the machine is driven as the daemon drives it: one input after the other, its actions after its writes.
//!
//! Length: one turn of the simulated world, from the agenda to what follows of it.

use super::{
    calls::Answering,
    heard::{Heard, Observer},
    report::{Gathered, Line, SimulationReport},
    scenario::Scenario,
    watched::Watched,
};
use crate::{
    event::Event,
    id::{IdSource, IncidentId, OperationId},
    name::TargetName,
    phase::Phase,
    policy::PolicyHistory,
    record::Change,
    recovery::{Action, IllegalMove, Input, InputTime, Recovered, Recovery, Reply},
    severity::Severity,
    spec::Spec,
    time::Monotonic,
};
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

/// A simulation that says nothing of its end ends after a day at the latest, or an hour after its last step.
const DAY: Duration = Duration::from_secs(86_400);
const AFTER_LAST: Duration = Duration::from_secs(3_600);
/// So often in a row the machine may want to be told the same time.
const TICKS_IN_A_ROW: u32 = 10_000;
/// Identifiers are drawn from this.
const SEED: u64 = 11;

/// A simulation that came to no end: a defect of the program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SimulationError {
    /// The machine refused what cannot be.
    #[error("the recovery machine was told what cannot be; report this as a defect")]
    Illegal(#[from] IllegalMove),
    /// It goes round in circles.
    #[error(
        "the recovery machine goes round in circles {0:?} after the beginning; report this as a defect"
    )]
    Circles(Duration),
}

/// Plays a scenario on the host that the config describes. What it does is told to `observer`.
///
/// # Errors
/// Only for a defect of the program.
pub fn simulate<'a>(
    spec: &'a Arc<Spec>,
    scenario: &'a Scenario,
    observer: Option<Observer<'a>>,
) -> Result<SimulationReport, SimulationError> {
    let mut run = Run::new(spec, scenario, observer);
    run.begin()?;
    run.go_on()?;
    Ok(run.report())
}

/// What is due at a time.
pub(super) enum Due {
    /// A step of the scenario.
    Step(usize),
    /// A check of a target, by their places.
    Check(usize, usize),
    /// The health of a target is told the time.
    Tick(usize),
    /// A handler answers.
    Answer(Box<Answering>),
}

pub(super) struct Run<'a> {
    pub(super) scenario: &'a Scenario,
    observer: Option<Observer<'a>>,
    pub(super) machine: Recovery,
    /// In which phase the checks know the host; none before the first input.
    phase: Option<Phase>,
    pub(super) targets: Vec<Watched<'a>>,
    places: HashMap<&'a TargetName, usize>,
    /// By time, then in the order in which it was put there.
    agenda: BTreeMap<(Duration, u64), Due>,
    order: u64,
    pub(super) clock: Duration,
    /// How often each rule has answered.
    pub(super) used: Vec<u32>,
    pub(super) tickets: u64,
    /// On their way to the machine.
    pub(super) inputs: VecDeque<Input>,
    pub(super) gathered: Gathered,
}

impl<'a> Run<'a> {
    fn new(spec: &'a Arc<Spec>, scenario: &'a Scenario, observer: Option<Observer<'a>>) -> Self {
        let places = spec.targets.iter().enumerate();
        let places = places.map(|(place, target)| (&target.name, place));
        Self {
            scenario,
            observer,
            machine: Recovery::new(Arc::clone(spec), IdSource::new(SEED)),
            phase: None,
            targets: spec.targets.iter().map(Watched::new).collect(),
            places: places.collect(),
            agenda: BTreeMap::new(),
            order: 0,
            clock: Duration::ZERO,
            used: vec![0; scenario.rules.len()],
            tickets: 0,
            inputs: VecDeque::new(),
            gathered: Gathered::default(),
        }
    }

    pub(super) fn at(&self) -> InputTime {
        InputTime {
            now: self.scenario.begin + self.clock,
            monotonic: Monotonic::from_start(self.clock),
        }
    }

    pub(super) fn place(&self, target: &TargetName) -> Option<usize> {
        self.places.get(target).copied()
    }

    fn begin(&mut self) -> Result<(), SimulationError> {
        let at = self.at();
        for target in &mut self.targets {
            target.settle_down(at);
        }
        self.inputs.push_back(Input::Recovered(Recovered {
            policy: PolicyHistory::in_phase(self.scenario.phase),
            ..Recovered::default()
        }));
        self.inputs.push_back(Input::Tick);
        self.apply_all()?;
        let scenario = self.scenario;
        for (place, step) in scenario.steps.iter().enumerate() {
            self.enter(step.at, Due::Step(place));
        }
        Ok(())
    }

    fn end(&self) -> Duration {
        let last = self
            .scenario
            .steps
            .last()
            .map_or(Duration::ZERO, |step| step.at);
        let usual = DAY.max(last.saturating_add(AFTER_LAST));
        self.scenario.until.unwrap_or(usual)
    }

    fn go_on(&mut self) -> Result<(), SimulationError> {
        let end = self.end();
        let mut ticks = 0;
        while !self.is_done() {
            let entered = self.agenda.first_key_value().map(|((due, _), _)| *due);
            let wake = self.machine.wakes_at().map(Monotonic::elapsed);
            let Some(next) = entered.into_iter().chain(wake).min() else {
                break;
            };
            if next > end {
                break;
            }
            let is_later = next > self.clock;
            self.clock = self.clock.max(next);
            // What happens in the world comes before what the machine does about it.
            if entered == Some(next) {
                ticks = 0;
                if let Some((_, due)) = self.agenda.pop_first() {
                    self.happen(due);
                }
            } else {
                ticks = if is_later { 0 } else { ticks + 1 };
                if ticks > TICKS_IN_A_ROW {
                    return Err(SimulationError::Circles(self.clock));
                }
                self.inputs.push_back(Input::Tick);
            }
            self.apply_all()?;
        }
        if self.scenario.until.is_some() {
            self.clock = end;
        }
        Ok(())
    }

    /// Nothing is left to be done, and nobody said until when.
    fn is_done(&self) -> bool {
        self.scenario.until.is_none()
            && self.agenda.is_empty()
            && self.machine.cases().next().is_none()
    }

    pub(super) fn enter(&mut self, at: Duration, due: Due) {
        self.order += 1;
        self.agenda.insert((at, self.order), due);
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Step(place) => self.step(place),
            Due::Check(target, check) => self.check_is_due(target, check),
            Due::Tick(target) => self.tick_is_due(target),
            Due::Answer(answering) => self.answered(*answering),
        }
    }

    fn apply_all(&mut self) -> Result<(), SimulationError> {
        while let Some(input) = self.inputs.pop_front() {
            let at = self.at();
            let told = self.observer.is_some().then(|| input.clone());
            let outcome = self.machine.apply(input, at)?;
            self.gathered.inputs += 1;
            self.follow_phase();
            if let (Some(observer), Some(input)) = (&mut self.observer, told) {
                (*observer)(Heard::Input {
                    input: &input,
                    at,
                    outcome: &outcome,
                });
            }
            for change in outcome.writes {
                match change {
                    Change::Event(event) => self.happened(event),
                    Change::Incident(incident) => {
                        let incident = Arc::unwrap_or_clone(incident);
                        self.gathered
                            .incidents
                            .insert(incident.id.clone(), incident);
                    }
                    Change::Operation(operation) => {
                        let id = operation.id.clone();
                        self.gathered.operations.insert(id, operation);
                    }
                    _ => {}
                }
            }
            for action in outcome.after {
                self.act(action);
            }
        }
        Ok(())
    }

    /// As many failures are needed as the phase says, as for the daemon's own checks.
    fn follow_phase(&mut self) {
        let phase = self.machine.phase();
        if self.phase.replace(phase) == Some(phase) {
            return;
        }
        let multiplier = self.machine.phase_rule().multiplier;
        for target in &mut self.targets {
            target.health.set_multiplier(multiplier);
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Call(call) => self.called(*call),
            Action::Look {
                operation,
                number,
                target,
                failure,
                acted,
            } => {
                let look = self.look(number, &target, &failure, acted);
                self.inputs.push_back(Input::Looked(operation, look));
            }
            Action::Decide(asked) => {
                // No plugin is called: the route's own strategy decides.
                let why = "a simulation calls no strategy".to_owned();
                let decided = Input::Decided(asked.operation, asked.attempt, Err(why));
                self.inputs.push_back(decided);
            }
            Action::Answer(_, Reply::Refused(refusal)) => {
                self.tell("command.refused", None, None, refusal.to_string());
            }
            Action::Answer(_, Reply::Done | Reply::Operation(_) | Reply::Policy(_)) => {}
        }
    }

    /// An event, as a journal would hold it.
    pub(super) fn happened(&mut self, event: Event) {
        if let Some(observer) = &mut self.observer {
            (*observer)(Heard::Event(&event));
        }
        self.gathered.event(self.clock, event);
    }

    pub(super) fn tell(
        &mut self,
        kind: &'static str,
        target: Option<TargetName>,
        operation: Option<OperationId>,
        message: String,
    ) {
        self.gathered.lines.push(Line {
            at: self.clock,
            kind,
            severity: Severity::Low,
            target,
            operation,
            message,
        });
    }

    fn report(self) -> SimulationReport {
        let mut waits: BTreeMap<IncidentId, String> = BTreeMap::new();
        for target in &self.targets {
            waits.extend(self.machine.summary_of(&target.spec.name).waits);
        }
        self.gathered.report(self.scenario.begin, self.clock, waits)
    }
}
