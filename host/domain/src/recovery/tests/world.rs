//! A machine with a clock, a journal of what it wrote, and hands that answer its calls and looks.

use super::{
    super::{
        Action, Call, CaseKey, Command, Decide, Handled, IllegalMove, Input, InputTime, Look,
        LookResult, NotHandled, Outcome, Recovered, Recovery, Reply, Ticket, Verb,
    },
    fixtures::{BEGIN, decision, done, evidence, key},
};
use crate::{
    audit::AuditContext,
    call::Report,
    call_record::{CALL_FORMAT, CallRecord, CallSeed, RecordedLimits},
    event::{Event, EventData},
    health::Evidence,
    id::{IdSource, IncidentId, OperationId},
    incident::Incident,
    name::{FailureType, TargetName},
    operation::{Mode, Operation},
    pause::TimedPauses,
    policy::PolicyHistory,
    record::{Change, EffectEntry},
    severity::Severity,
    spec::{Limits, Spec},
    time::{Monotonic, Timestamp, millis},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// The machine and everything around it.
pub(super) struct World {
    pub(super) spec: Spec,
    pub(super) machine: Recovery,
    /// Since [`BEGIN`]; the monotonic clock counts from the last restart.
    clock: Duration,
    started: Duration,
    /// So much the wall clock is ahead of that.
    ahead: Duration,
    pub(super) incidents: BTreeMap<IncidentId, Incident>,
    pub(super) operations: BTreeMap<OperationId, Operation>,
    cooldowns: BTreeMap<(TargetName, FailureType), Timestamp>,
    paused_targets: BTreeSet<TargetName>,
    paused_host: bool,
    /// What the audit log says of what is done.
    pub(super) audited: Option<AuditContext>,
    /// What the checks say.
    failing: BTreeSet<CaseKey>,
    pub(super) events: Vec<Event>,
    /// Calls without an answer, oldest first.
    pub(super) calls: Vec<Call>,
    /// Looks without an answer, oldest first: of which operation, and which.
    pub(super) looks: Vec<(OperationId, u64)>,
    /// Strategies that were asked and have not answered, oldest first.
    pub(super) asked: Vec<Decide>,
    pub(super) answers: Vec<(Ticket, Reply)>,
    tickets: u64,
    daemons: u64,
    fencing: u64,
    /// What the journal has of calls that have not ended.
    pub(super) open_calls: BTreeMap<OperationId, CallRecord>,
    /// Of which calls it lacks something.
    pub(super) lost: BTreeSet<OperationId>,
    /// What the machine itself wrote of effects.
    pub(super) effects: Vec<EffectEntry>,
}

impl World {
    pub(super) fn new(spec: Spec) -> Self {
        Self {
            machine: Recovery::new(Arc::new(spec.clone()), IdSource::new(1)),
            spec,
            clock: Duration::ZERO,
            started: Duration::ZERO,
            ahead: Duration::ZERO,
            incidents: BTreeMap::new(),
            operations: BTreeMap::new(),
            cooldowns: BTreeMap::new(),
            paused_targets: BTreeSet::new(),
            paused_host: false,
            audited: None,
            failing: BTreeSet::new(),
            events: Vec::new(),
            calls: Vec::new(),
            looks: Vec::new(),
            asked: Vec::new(),
            answers: Vec::new(),
            tickets: 0,
            daemons: 1,
            fencing: 0,
            open_calls: BTreeMap::new(),
            lost: BTreeSet::new(),
            effects: Vec::new(),
        }
    }

    pub(super) fn at(&self) -> InputTime {
        InputTime {
            now: BEGIN + self.clock + self.ahead,
            monotonic: Monotonic::from_start(self.clock - self.started),
        }
    }

    pub(super) fn try_input(&mut self, input: Input) -> Result<Outcome, IllegalMove> {
        let at = self.at();
        let outcome = self.machine.apply(input, at)?;
        self.machine.audit().unwrap();
        outcome
            .writes
            .iter()
            .cloned()
            .for_each(|change| self.write(change));
        for (key, case) in self.machine.cases() {
            let written = self.incidents.get(&case.incident.id);
            assert_eq!(written, Some(&*case.incident), "{key:?}");
            let operation = case.work().map(|work| &work.operation);
            let written = operation.and_then(|one| self.operations.get(&one.id));
            assert_eq!(written, operation, "{key:?}");
        }
        for action in outcome.after.clone() {
            match action {
                Action::Call(call) => self.calls.push(*call),
                Action::Look {
                    operation, number, ..
                } => self.looks.push((operation, number)),
                Action::Decide(asked) => self.asked.push(*asked),
                Action::Answer(ticket, reply) => self.answers.push((ticket, reply)),
            }
        }
        Ok(outcome)
    }

    pub(super) fn input(&mut self, input: Input) -> Outcome {
        self.try_input(input).unwrap()
    }

    fn write(&mut self, change: Change) {
        match change {
            Change::Incident(one) => {
                self.incidents.insert(one.id.clone(), (*one).clone());
            }
            Change::Operation(one) => drop(self.operations.insert(one.id.clone(), one)),
            Change::Cooldown(target, failure, until) => {
                self.cooldowns.insert((target, failure), until);
            }
            Change::Paused(None, paused) => self.paused_host = paused,
            Change::Paused(Some(target), true) => drop(self.paused_targets.insert(target)),
            Change::Paused(Some(target), false) => drop(self.paused_targets.remove(&target)),
            Change::Event(event) => {
                // What is said in an event is what its kind says.
                let data = serde_json::to_value(&event.data).unwrap();
                assert_eq!(EventData::parse(event.kind, data), event.data, "{event:?}");
                self.events.push(event);
            }
            Change::AuditedUnder(context) => self.audited = Some(context),
            Change::CallEnded(id, call, _) => {
                assert!(call > 0, "calls are counted from 1");
                self.open_calls.remove(&id);
            }
            Change::Effect(entry) => self.effects.push(entry),
            Change::Fencing(fencing) => assert!(
                std::mem::replace(&mut self.fencing, fencing) < fencing,
                "it rises with each daemon"
            ),
            other => panic!("recovery does not write {other:?}"),
        }
    }

    /// Time passes, and the machine is not told.
    pub(super) fn pass(&mut self, millis: u64) {
        self.clock += Duration::from_millis(millis);
    }

    /// The wall clock is set.
    pub(super) fn set_ahead(&mut self, ahead: Duration) {
        self.ahead = ahead;
    }

    /// Time passes, and then it is told.
    pub(super) fn wait(&mut self, millis: u64) -> Outcome {
        self.pass(millis);
        self.input(Input::Tick)
    }

    /// The attempt at `api down` is made for which it waits.
    pub(super) fn attempt_again(&mut self) {
        let millis = self.waits("api down").as_millis();
        self.wait(u64::try_from(millis).unwrap());
        self.see(LookResult::Failing);
    }

    pub(super) fn raise(&mut self, name: &str, severity: Severity) -> Outcome {
        let key = key(name);
        self.failing.insert(key.clone());
        let detected_at = self.at().now;
        self.input(Input::Raised {
            key,
            severity,
            evidence: evidence("refused"),
            detected_at,
        })
    }

    /// The same, by somebody who says how bad it is as a number.
    pub(super) fn raise_scored(&mut self, name: &str, severity: Severity, score: f64) -> Outcome {
        let key = key(name);
        self.failing.insert(key.clone());
        let detected_at = self.at().now;
        let evidence = Evidence {
            score: Some(score),
            ..evidence("reported")
        };
        self.input(Input::Raised {
            key,
            severity,
            evidence,
            detected_at,
        })
    }

    pub(super) fn clear(&mut self, name: &str) -> Outcome {
        self.failing.remove(&key(name));
        self.input(Input::Cleared(key(name)))
    }

    /// By another config no check sees it, whether it holds or not.
    pub(super) fn lose_sight(&mut self, name: &str) -> Outcome {
        self.failing.remove(&key(name));
        self.input(Input::Unseen(key(name)))
    }

    pub(super) fn exit(&mut self, target_name: &str) -> Outcome {
        let target = key(&format!("{target_name} any")).target;
        self.input(Input::Exited(target, evidence("exit code 1")))
    }

    /// The oldest call is answered.
    pub(super) fn answer(&mut self, result: Result<Report, NotHandled>) -> Outcome {
        let call = self.calls.remove(0);
        let effects = call.effects + 1;
        self.input(Input::Called(
            call.request.operation,
            Handled {
                by: None,
                result,
                effects,
                acted: false,
            },
        ))
    }

    /// The oldest call has an effect in the journal, and its record with it.
    pub(super) fn keep_on_record(&mut self) {
        let Call {
            handler,
            request,
            timeout,
            effects,
            place,
            ..
        } = self.calls[0].clone();
        let record = CallRecord {
            format: CALL_FORMAT,
            operation: request.operation.clone(),
            call: place.call,
            step: place.step,
            attempt: request.attempt,
            plugin: handler,
            version: semver::Version::new(1, 0, 0),
            digest: "ab".repeat(32),
            contract: "1.0.0".to_owned(),
            input: request,
            settings: serde_json::json!({}),
            limits: RecordedLimits::from(&Limits::default()),
            seed: CallSeed([7; 32]),
            first_number: effects + 1,
            began_at: place.began_at,
            timeout_ms: millis(timeout),
            wake_at: None,
            replays: 0,
            fencing: self.fencing,
        };
        self.open_calls.insert(record.operation.clone(), record);
    }

    /// The oldest look is answered; the failure holds unless it is healthy.
    pub(super) fn see(&mut self, seen: LookResult) -> Outcome {
        let (id, number) = self.looks.remove(0);
        let is_present = seen != LookResult::Healthy;
        if !is_present && let Some(one) = self.operations.get(&id) {
            self.failing.remove(&CaseKey::from(one));
        }
        self.input(Input::Looked(
            id,
            Look {
                number,
                seen,
                is_present,
                results: Vec::new(),
            },
        ))
    }

    /// The attempt under way helps.
    pub(super) fn recover_it(&mut self) {
        self.answer(done());
        self.see(LookResult::Healthy);
    }

    pub(super) fn command(&mut self, command: Command) -> Reply {
        self.tickets += 1;
        let (ticket, before) = (Ticket(self.tickets), self.answers.len());
        self.input(Input::Command(command, ticket));
        let [(to, reply)] = &self.answers[before..] else {
            panic!("a command has one answer: {:?}", &self.answers[before..]);
        };
        assert_eq!(*to, ticket);
        reply.clone()
    }

    /// A decision about an operation at whichever revision it has.
    pub(super) fn decide(&mut self, verb: Verb, id: &OperationId) -> Reply {
        self.command(decision(verb, id, None))
    }

    pub(super) fn ask_for(&mut self, name: &str, dry_run: bool) -> Reply {
        self.ask_in(Mode::Manual, name, dry_run)
    }

    pub(super) fn ask_in(&mut self, mode: Mode, name: &str, dry_run: bool) -> Reply {
        self.command(Command::Recover {
            key: key(name),
            dry_run,
            mode,
            by: "ann".into(),
        })
    }

    pub(super) fn pause(&mut self, target: Option<&str>, paused: bool) -> Reply {
        let target = target.map(|name| TargetName::parse(name).unwrap());
        self.command(Command::Pause {
            target,
            paused,
            by: "ann".into(),
        })
    }

    pub(super) fn configure(&mut self, spec: Spec) -> Outcome {
        self.spec = spec.clone();
        self.input(Input::Spec(Arc::new(spec)))
    }

    /// The daemon is lost, `millis` pass, and another is made of the journal.
    pub(super) fn restart(&mut self, millis: u64) -> Outcome {
        self.clock += Duration::from_millis(millis);
        self.started = self.clock;
        self.daemons += 1;
        let ids = IdSource::new(self.daemons);
        self.machine = Recovery::new(Arc::new(self.spec.clone()), ids);
        self.calls.clear();
        self.looks.clear();
        self.asked.clear();
        let since = self.at().now - Duration::from_secs(3600);
        let lately = |one: &&Incident| {
            one.state.is_open() || one.closed_at.is_some_and(|closed| closed >= since)
        };
        let incidents: Vec<Incident> = self.incidents.values().filter(lately).cloned().collect();
        let operations = self.operations.values();
        let unfinished = operations.filter(|one| !one.state.is_final());
        let cooldowns = self.cooldowns.iter();
        let mut pauses = TimedPauses::default();
        pauses.replay(&self.events);
        let mut policy = PolicyHistory::default();
        policy.replay(&self.events);
        let recovered = Recovered {
            unseen: incidents
                .iter()
                .map(CaseKey::from)
                .filter(|key| !self.failing.contains(key))
                .collect(),
            operations: unfinished.cloned().collect(),
            effects: BTreeMap::new(),
            calls: self
                .open_calls
                .iter()
                .map(|(id, record)| (id.clone(), record.call))
                .collect(),
            open_calls: self.open_calls.clone(),
            lost: self.lost.clone(),
            fencing: self.daemons,
            paused_targets: self.paused_targets.clone(),
            paused_host: self.paused_host,
            pauses,
            policy,
            cooldowns: cooldowns
                .map(|((target, failure), until)| (target.clone(), failure.clone(), *until))
                .collect(),
            incidents,
        };
        let mut outcome = self.input(Input::Recovered(recovered));
        // The driver's first input, once everything else is there.
        let begun = self.input(Input::Tick);
        outcome.writes.extend(begun.writes);
        outcome.after.extend(begun.after);
        outcome
    }
}
