//! The world of one trace: targets that fail and heal by their seed, checks that say so, handlers, and a person.
//!
//! What a handler or a target does is a function of the seed, the failure and the attempt, never of the order of things,
//! so that a trace that is cut by a crash meets the same world.

use super::super::Random;
use mainstay_domain::{
    call::{RecoveryFailure, Report},
    condition::Condition,
    health::{self, Evidence},
    id::{IdSource, IncidentId, OperationId},
    incident::Incident,
    jitter::Jitter,
    name::{CheckName, FailureType, PluginName, TargetName},
    operation::{Mode, Operation, OperationState, ValidationResult},
    pause::TimedPauses,
    record::Change,
    recovery::{
        Action, Case, CaseKey, Command, Handled, Input, InputTime, Look, LookResult, NotHandled,
        Outcome, Recovered, Recovery, Reply, Ticket, Verb,
    },
    severity::Severity,
    spec::{
        BreakerSpec, CheckKind, CheckSpec, DrillSpec, ForeignCommands, HostSpec, OnFailure,
        RouteSpec, SocketSpec, Spec, StepSpec, Strategy, TargetSpec, Workflow,
    },
    time::{Monotonic, Timestamp},
};
use semver::VersionReq;
use std::{
    collections::{BTreeMap, BTreeSet, hash_map::DefaultHasher},
    fmt::Write,
    hash::{Hash, Hasher},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

const TARGETS: [&str; 3] = ["api", "db", "web"];
const FAILURES: [&str; 2] = ["down", "slow"];
/// No trace needs more inputs to come to its end; one that does goes round in circles.
const TOO_MANY: u64 = 20_000;
/// When the clocks of a trace begin.
const BEGIN: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// A trace, whole in its seed.
#[derive(Debug, Clone)]
pub(super) struct Trace {
    seed: u64,
    /// Random inputs before the world is made well.
    length: u64,
    /// A person, config changes and false answers take part.
    busy: bool,
}

/// How the recovery of one failure ended. Whether the last operation is said to have helped is no part of it: where a
/// handler heals its target and fails all the same, that depends on who looks first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    incidents: usize,
    escalated: bool,
    /// The last incident was recovered or healed, and its last operation succeeded or was no longer needed.
    is_well: bool,
}

/// What a run of a trace came to.
pub(super) struct Ran {
    pub(super) inputs: u64,
    pub(super) operations: u64,
    /// Every outcome, hashed.
    pub(super) outcomes: u64,
    pub(super) ends: BTreeMap<String, End>,
}

impl Trace {
    /// Anything may happen.
    pub(super) fn random(seed: u64) -> Self {
        let length = 10 + Random::new(seed).below(60);
        Self {
            seed,
            length,
            busy: true,
        }
    }

    /// Only failures, and handlers that help sooner or later.
    pub(super) fn steady(seed: u64) -> Self {
        let length = 4 + Random::new(seed).below(8);
        Self {
            seed,
            length,
            busy: false,
        }
    }

    pub(super) fn run(&self) -> Ran {
        World::new(self).run(None)
    }

    /// The machine is lost after so many inputs, and another is made of the journal.
    pub(super) fn run_with_crash(&self, after: u64) -> Ran {
        World::new(self).run(Some(after))
    }
}

/// What the journal holds.
#[derive(Default)]
struct Journal {
    incidents: BTreeMap<IncidentId, Incident>,
    operations: BTreeMap<OperationId, Operation>,
    cooldowns: BTreeMap<(TargetName, FailureType), Timestamp>,
    paused_targets: BTreeSet<TargetName>,
    paused_host: bool,
}

struct World<'a> {
    trace: &'a Trace,
    random: Random,
    spec: Arc<Spec>,
    machine: Recovery,
    journal: Journal,
    clock: Duration,
    failing: BTreeSet<CaseKey>,
    /// Calls that nobody has answered.
    calls: Vec<(OperationId, CaseKey, PluginName, u32, bool)>,
    /// Looks that nobody has answered.
    looks: Vec<(OperationId, u64, CaseKey)>,
    /// Findings on their way.
    findings: Vec<Input>,
    tickets: u64,
    inputs: u64,
    outcomes: DefaultHasher,
    crash_after: Option<u64>,
    daemons: u64,
}

impl<'a> World<'a> {
    fn new(trace: &'a Trace) -> Self {
        let mut random = Random::new(trace.seed);
        let spec = Arc::new(spec(&mut random, trace.busy));
        Self {
            machine: Recovery::new(Arc::clone(&spec), IdSource::new(trace.seed)),
            trace,
            random,
            spec,
            journal: Journal::default(),
            clock: Duration::ZERO,
            failing: BTreeSet::new(),
            calls: Vec::new(),
            looks: Vec::new(),
            findings: Vec::new(),
            tickets: 0,
            inputs: 0,
            outcomes: DefaultHasher::new(),
            crash_after: None,
            daemons: 1,
        }
    }

    fn at(&self) -> InputTime {
        InputTime {
            now: BEGIN + self.clock,
            monotonic: Monotonic::from_start(self.clock),
        }
    }

    fn run(mut self, crash_after: Option<u64>) -> Ran {
        self.crash_after = crash_after;
        let steps: Vec<(u64, u64)> = (0..self.trace.length)
            .map(|_| (self.random.number(), self.random.number()))
            .collect();
        for (what, which) in steps {
            match self.trace.busy {
                true => self.anything(what % 100, which),
                false => {
                    let key = key(which);
                    if what % 3 == 0 {
                        self.settle();
                    }
                    self.fail(&key);
                }
            }
        }
        self.make_well();
        self.ran()
    }

    fn anything(&mut self, what: u64, which: u64) {
        match what {
            0..=24 => self.fail(&key(which)),
            25..=28 => self.heal(&key(which)),
            29 => self.lose_sight(&key(which)),
            30..=54 => self.answer_call(which),
            55..=69 => self.answer_look(which),
            70..=79 => self.pass(Duration::from_millis(1 << (which % 18))),
            80..=83 => {
                let target = key(which).target;
                self.input(Input::Exited(target, evidence("exit code 1")));
            }
            84 => self.input(Input::Serves(handler(which))),
            85..=93 => self.command(which),
            94 => {
                let mut random = Random::new(which);
                self.spec = Arc::new(spec(&mut random, true));
                let spec = Arc::clone(&self.spec);
                self.input(Input::Spec(spec));
                let known: BTreeSet<_> = self
                    .spec
                    .targets
                    .iter()
                    .map(|target| target.name.clone())
                    .collect();
                // Who watched a target that is gone says that its failures are over.
                let removed: Vec<CaseKey> = self
                    .failing
                    .extract_if(.., |key| !known.contains(&key.target))
                    .collect();
                for key in removed {
                    self.input(Input::Cleared(key));
                }
            }
            95 => self.crash(),
            _ => self.input(Input::Tick),
        }
    }

    fn fail(&mut self, key: &CaseKey) {
        if !self
            .spec
            .targets
            .iter()
            .any(|target| target.name == key.target)
        {
            return;
        }
        self.failing.insert(key.clone());
        self.raise(key);
    }

    fn raise(&mut self, key: &CaseKey) {
        let hash = hash(&(self.trace.seed, &key.failure));
        let severity = [
            Severity::Low,
            Severity::Medium,
            Severity::High,
            Severity::Critical,
        ][(hash % 4) as usize];
        let detected_at = self.at().now;
        self.input(Input::Raised {
            key: key.clone(),
            severity,
            evidence: evidence("refused"),
            detected_at,
        });
    }

    fn heal(&mut self, key: &CaseKey) {
        if self.failing.remove(key) {
            self.input(Input::Cleared(key.clone()));
        }
    }

    /// No check sees it any more, and it is gone.
    fn lose_sight(&mut self, key: &CaseKey) {
        if self.failing.remove(key) {
            self.input(Input::Unseen(key.clone()));
        }
    }

    fn answer_call(&mut self, which: u64) {
        if self.calls.is_empty() {
            return;
        }
        let place = (which % self.calls.len() as u64) as usize;
        let (id, key, handler, attempt, is_last) = self.calls.remove(place);
        let fate = hash(&(self.trace.seed, &key, &handler, attempt, self.trace.busy)) % 20;
        let failed = |failure| Err(NotHandled::Failed(failure));
        let result = match fate {
            // What is tried often enough works in the end.
            _ if is_last && !self.trace.busy => Ok(Report::default()),
            0..=9 => Ok(Report::default()),
            10..=14 => failed(RecoveryFailure::Retryable("not yet".to_owned())),
            15 | 16 if self.trace.busy => failed(RecoveryFailure::Permanent("never".to_owned())),
            17 if self.trace.busy => failed(RecoveryFailure::NeedsOperator(vec![
                "plug it in".to_owned(),
            ])),
            18 if self.trace.busy => Err(NotHandled::Missing("nobody serves".to_owned())),
            _ => failed(RecoveryFailure::Retryable("not yet".to_owned())),
        };
        let heals = result.is_ok() && (fate < 7 || is_last);
        if heals && self.failing.remove(&key) {
            self.findings.push(Input::Cleared(key));
        }
        self.input(Input::Called(
            id,
            Handled {
                by: None,
                result,
                effects: attempt,
                acted: true,
            },
        ));
    }

    fn answer_look(&mut self, which: u64) {
        if self.looks.is_empty() {
            return;
        }
        let place = (which % self.looks.len() as u64) as usize;
        let (id, number, key) = self.looks.remove(place);
        let is_present = self.failing.contains(&key);
        let seen = match (is_present, self.trace.busy, which % 7) {
            (false, true, 4) => LookResult::Settling,
            (false, _, _) => LookResult::Healthy,
            (true, true, 0) => LookResult::Down,
            (true, true, 1) => LookResult::NotYet,
            (true, true, 2) => LookResult::Healthy,
            _ => LookResult::Failing,
        };
        self.input(Input::Looked(
            id,
            Look {
                number,
                seen,
                is_present,
                results: vec![ValidationResult {
                    check: CheckName::parse("sight").unwrap(),
                    outcome: match seen {
                        LookResult::Healthy => health::Outcome::Healthy,
                        _ => health::Outcome::Failed,
                    },
                    message: "seen".to_owned(),
                    at: BEGIN,
                }],
            },
        ));
    }

    fn command(&mut self, which: u64) {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        let by = || mainstay_domain::actor::Actor::from("ann");
        let some_operation = || {
            let open: Vec<&Operation> = self
                .journal
                .operations
                .values()
                .filter(|one| !one.state.is_final())
                .collect();
            open.get((which >> 8) as usize % open.len().max(1))
                .map(|one| (one.id.clone(), one.revision))
        };
        let command = match which % 8 {
            0 | 1 => Command::Recover {
                key: key(which >> 8),
                dry_run: which % 16 < 8,
                mode: match which % 5 {
                    0 => Mode::Emergency,
                    1 => Mode::Maintenance,
                    _ => Mode::Manual,
                },
                by: by(),
            },
            2 => Command::Pause {
                target: None,
                paused: (which >> 8).is_multiple_of(3),
                by: by(),
            },
            3 => Command::Pause {
                target: Some(key(which >> 9).target),
                paused: (which >> 8).is_multiple_of(3),
                by: by(),
            },
            verb => {
                let Some((id, revision)) = some_operation() else {
                    return;
                };
                let verb = match verb {
                    4 | 5 => Verb::Approve,
                    6 => Verb::Reject,
                    _ => Verb::Cancel,
                };
                let revision = (!(which >> 16).is_multiple_of(4)).then_some(revision);
                Command::Decide {
                    id,
                    revision,
                    verb,
                    by: by(),
                    reason: "so".to_owned(),
                }
            }
        };
        self.input(Input::Command(command, ticket));
    }

    fn pass(&mut self, length: Duration) {
        self.clock += length;
        self.input(Input::Tick);
    }

    fn input(&mut self, input: Input) {
        let shown = format!("{input:?}");
        let at = self.at();
        let ticket = match &input {
            Input::Command(_, ticket) => Some(*ticket),
            _ => None,
        };
        let outcome = self
            .machine
            .apply(input, at)
            .unwrap_or_else(|error| panic!("{:?}: {shown}: {error}", self.trace));
        self.take(outcome, ticket, &shown);
        self.inputs += 1;
        assert!(
            self.inputs < TOO_MANY,
            "{:?} has no end: {shown}",
            self.trace
        );
        if self.crash_after == Some(self.inputs) {
            self.crash();
        }
    }

    fn take(&mut self, outcome: Outcome, ticket: Option<Ticket>, shown: &str) {
        format!("{outcome:?}").hash(&mut self.outcomes);
        for change in outcome.writes {
            self.journal.write(change);
        }
        let mut answers = 0;
        for action in outcome.after {
            match action {
                Action::Call(call) => {
                    let request = &call.request;
                    let key = CaseKey {
                        target: request.target.clone(),
                        failure: request.failure.clone(),
                    };
                    let is_last = request.attempt >= request.max_attempts;
                    self.calls.push((
                        request.operation.clone(),
                        key,
                        call.handler.clone(),
                        request.attempt,
                        is_last,
                    ));
                }
                Action::Look {
                    operation,
                    number,
                    target,
                    failure,
                    ..
                } => {
                    self.looks
                        .push((operation, number, CaseKey { target, failure }));
                }
                Action::Decide(asked) => panic!("no route here has a plugin: {asked:?}"),
                Action::Answer(to, reply) => {
                    assert_eq!(Some(to), ticket, "{:?}: {shown}", self.trace);
                    assert!(
                        !matches!(reply, Reply::Refused(ref why) if why.to_string().is_empty())
                    );
                    answers += 1;
                }
            }
        }
        assert_eq!(
            answers,
            u32::from(ticket.is_some()),
            "{:?}: {shown}: one answer each",
            self.trace
        );
        if let Err(broken) = self.machine.audit() {
            panic!(
                "{broken}\n{:?} after input {}: {shown}",
                self.trace, self.inputs
            );
        }
        self.journal.check(self.trace, shown);
        for (_, case) in self.machine.cases() {
            self.journal.agrees(case, self.trace, shown);
        }
    }

    fn crash(&mut self) {
        self.crash_after = None;
        self.daemons += 1;
        let seed = self.trace.seed ^ (self.daemons << 32);
        self.machine = Recovery::new(Arc::clone(&self.spec), IdSource::new(seed));
        self.calls.clear();
        self.looks.clear();
        self.findings.clear();
        let recovered = self.journal.recovered(&self.failing, self.at().now);
        self.input(Input::Recovered(recovered));
        // The checks tell anew what holds, and that what held does not.
        let open: BTreeSet<CaseKey> = self.machine.cases().map(|(key, _)| key.clone()).collect();
        for key in open.iter().filter(|key| !self.failing.contains(key)) {
            self.findings.push(Input::Cleared(key.clone()));
        }
        for key in self.failing.clone() {
            self.raise(&key);
        }
    }

    /// Answers and lets time pass until nothing more happens.
    fn settle(&mut self) {
        loop {
            if let Some(finding) = self.findings.pop() {
                self.input(finding);
            } else if !self.calls.is_empty() {
                self.answer_call(0);
            } else if !self.looks.is_empty() {
                self.answer_look(3);
            } else {
                let now = self.at().monotonic;
                match self.machine.wakes_at() {
                    Some(due) => self.pass(due.since(now).max(Duration::from_millis(1))),
                    None => return,
                }
            }
        }
    }

    /// From now on everything works, and a person says yes to whatever waits for one.
    fn make_well(&mut self) {
        for paused in [None, Some("api"), Some("db"), Some("web")] {
            let target = paused.map(|name| TargetName::parse(name).unwrap());
            self.tickets += 1;
            let command = Command::Pause {
                target,
                paused: false,
                by: "ann".into(),
            };
            self.input(Input::Command(command, Ticket(self.tickets)));
        }
        if !self.trace.busy {
            self.settle();
            return;
        }
        for key in self.failing.clone() {
            self.heal(&key);
        }
        self.settle();
        // What a person asked for waits for a person.
        let open = self.journal.operations.values();
        let asking = open.filter(|one| {
            one.state == OperationState::AwaitingManual && one.mode != Mode::Automatic
        });
        for id in asking.map(|one| one.id.clone()).collect::<Vec<_>>() {
            self.tickets += 1;
            let command = Command::Decide {
                id,
                revision: None,
                verb: Verb::Reject,
                by: "ann".into(),
                reason: "no".to_owned(),
            };
            self.input(Input::Command(command, Ticket(self.tickets)));
        }
        self.settle();
    }

    fn ran(mut self) -> Ran {
        let open: Vec<_> = self.machine.cases().collect();
        assert!(
            open.is_empty(),
            "{:?}: open at the end: {open:#?}",
            self.trace
        );
        let operations = &self.journal.operations;
        let endless: Vec<_> = operations
            .values()
            .filter(|one| !one.state.is_final())
            .collect();
        assert!(
            endless.is_empty(),
            "{:?}: without an end: {endless:#?}",
            self.trace
        );
        let mut ends: BTreeMap<String, End> = BTreeMap::new();
        for incident in self.journal.incidents.values() {
            assert!(
                !incident.state.is_open(),
                "{:?}: open: {incident:#?}",
                self.trace
            );
            let mut name = String::new();
            write!(name, "{} {}", incident.target, incident.failure).unwrap();
            let mut own = operations
                .values()
                .filter(|one| one.incident.as_ref() == Some(&incident.id));
            let end = End {
                incidents: ends.get(&name).map_or(0, |end| end.incidents) + 1,
                escalated: incident.escalated,
                is_well: !incident.state.is_open()
                    && own.next_back().is_none_or(|one| {
                        matches!(
                            one.state,
                            OperationState::Succeeded | OperationState::Cancelled
                        )
                    }),
            };
            ends.insert(name, end);
        }
        self.inputs += 1;
        Ran {
            inputs: self.inputs,
            operations: operations.len() as u64,
            outcomes: self.outcomes.finish(),
            ends,
        }
    }
}

impl Journal {
    fn write(&mut self, change: Change) {
        match change {
            Change::Incident(incident) => {
                self.incidents
                    .insert(incident.id.clone(), Arc::unwrap_or_clone(incident));
            }
            Change::Operation(operation) => {
                let before = self
                    .operations
                    .insert(operation.id.clone(), operation.clone());
                let was_final = before.is_some_and(|before| before.state.is_final());
                assert!(!was_final, "{operation:?} goes on after its end");
            }
            Change::Cooldown(target, failure, until) => {
                self.cooldowns.insert((target, failure), until);
            }
            Change::Paused(None, paused) => self.paused_host = paused,
            Change::Paused(Some(target), true) => drop(self.paused_targets.insert(target)),
            Change::Paused(Some(target), false) => drop(self.paused_targets.remove(&target)),
            _ => {}
        }
    }

    fn check(&self, trace: &Trace, shown: &str) {
        let mut open: BTreeSet<&IncidentId> = BTreeSet::new();
        let without_end = self
            .operations
            .values()
            .filter(|one| !one.state.is_final() && !one.dry_run);
        for operation in without_end {
            let incident = operation.incident.as_ref().expect("it is for an incident");
            assert!(
                open.insert(incident),
                "{trace:?}: {shown}: two operations of {incident}"
            );
            let of = self
                .incidents
                .get(incident)
                .expect("its incident is written before it");
            assert!(
                of.state.is_open(),
                "{trace:?}: {shown}: {of:?} is closed and has {operation:?}"
            );
        }
        let mut keys = BTreeSet::new();
        for incident in self.incidents.values().filter(|one| one.state.is_open()) {
            assert!(
                keys.insert((&incident.target, &incident.failure)),
                "{trace:?}: {shown}: two open incidents"
            );
        }
    }

    /// What memory holds of a case is what another machine would be made of.
    fn agrees(&self, case: &Case, trace: &Trace, shown: &str) {
        let written = self.incidents.get(&case.incident.id);
        assert_eq!(written, Some(&*case.incident), "{trace:?}: {shown}");
        if let Some(work) = case.work() {
            let written = self.operations.get(&work.operation.id);
            assert_eq!(written, Some(&work.operation), "{trace:?}: {shown}");
        }
    }

    fn recovered(&self, failing: &BTreeSet<CaseKey>, now: Timestamp) -> Recovered {
        let since = now - Duration::from_secs(3600);
        let incidents = self.incidents.values();
        let incidents: Vec<Incident> = incidents
            .filter(|one| one.state.is_open() || one.closed_at.is_some_and(|at| at >= since))
            .cloned()
            .collect();
        Recovered {
            unseen: incidents
                .iter()
                .map(CaseKey::from)
                .filter(|key| !failing.contains(key))
                .collect(),
            operations: self
                .operations
                .values()
                .filter(|one| !one.state.is_final())
                .cloned()
                .collect(),
            effects: BTreeMap::new(),
            calls: BTreeMap::new(),
            open_calls: BTreeMap::new(),
            lost: BTreeSet::new(),
            fencing: 1,
            paused_targets: self.paused_targets.clone(),
            paused_host: self.paused_host,
            pauses: TimedPauses::default(),
            policy: Default::default(),
            cooldowns: self
                .cooldowns
                .iter()
                .map(|((t, f), until)| (t.clone(), f.clone(), *until))
                .collect(),
            incidents,
        }
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn key(which: u64) -> CaseKey {
    CaseKey {
        target: TargetName::parse(TARGETS[(which % 3) as usize]).unwrap(),
        failure: FailureType::parse(FAILURES[((which / 3) % 2) as usize]).unwrap(),
    }
}

fn handler(which: u64) -> PluginName {
    PluginName::parse(["first", "second", "last"][(which % 3) as usize]).unwrap()
}

fn evidence(message: &str) -> Evidence {
    Evidence {
        check: "tcp".to_owned(),
        observed_at: BEGIN,
        message: message.to_owned(),
        value: None,
        output: None,
        score: None,
    }
}

fn strategy(random: &mut Random, busy: bool) -> Strategy {
    let max_attempts = u32::try_from(1 + random.below(4)).unwrap();
    let (initial_delay, max_delay) = (Duration::from_secs(1), Duration::from_secs(8));
    match random.below(if busy { 4 } else { 3 }) {
        0 => Strategy::Immediate { max_attempts },
        1 => Strategy::Linear {
            max_attempts,
            initial_delay,
            max_delay,
            delay_first: false,
            jitter: Jitter::None,
        },
        2 => Strategy::Exponential {
            max_attempts,
            initial_delay,
            multiplier: 2.0,
            max_delay,
            delay_first: false,
            jitter: Jitter::None,
        },
        _ => Strategy::Manual { max_attempts },
    }
}

/// Where nobody heals what a handler does not, one that is never met would go round for ever.
fn condition(random: &mut Random, busy: bool) -> Option<Condition> {
    let text = [
        "attempt >= 2",
        "severity >= high and not step == 2",
        "recurrence_count >= 2 or duration > 2s",
    ][random.below(3) as usize];
    let is_said = busy && random.below(3) == 0;
    is_said.then(|| Condition::parse(text).unwrap())
}

fn spec(random: &mut Random, busy: bool) -> Spec {
    let target = |name: &str, random: &mut Random| TargetSpec {
        name: TargetName::parse(name).unwrap(),
        priority: u8::try_from(1 + random.below(9)).unwrap(),
        depends_on: Vec::new(),
        rto: Duration::from_secs(300),
        process: None,
        commands: ForeignCommands::default(),
        checks: vec![CheckSpec {
            name: CheckName::parse("tcp").unwrap(),
            kind: CheckKind::Tcp {
                address: "127.0.0.1:1".to_owned(),
                warn_latency: None,
            },
            every: Duration::from_secs(10),
            timeout: Duration::from_secs(1),
            fail_after: 1,
            fail_of: None,
            recover_after: 1,
            jitter: Duration::ZERO,
            failure: FailureType::parse("down").unwrap(),
            severity: Severity::High,
        }],
        breaker: BreakerSpec {
            open_for: Duration::from_secs(30),
        },
        validation_timeout: Duration::from_secs(5),
        start_period: Duration::ZERO,
        drill: DrillSpec::default(),
    };
    let mut targets: Vec<TargetSpec> = Vec::new();
    for name in TARGETS {
        if !busy || random.below(10) > 0 {
            let mut next = target(name, random);
            if let Some(before) = targets.last()
                && random.below(2) == 0
            {
                next.depends_on = vec![before.name.clone()];
            }
            targets.push(next);
        }
    }
    let routes = (0..1 + random.below(3)).map(|number| RouteSpec {
        failure: (number > 0).then(|| key(random.number()).failure),
        target: (number > 1).then(|| key(random.number()).target),
        severity: (busy && random.below(4) == 0).then_some(Severity::High),
        strategy: strategy(random, busy),
        decider: None,
        cooldown: Duration::from_secs([0, 0, 7][random.below(3) as usize]),
        relapse_window: Duration::from_secs([0, 60, 60][random.below(3) as usize]),
        workflow: Workflow::ALL[random.below(3) as usize],
        simulate: false,
        chain: (0..1 + random.below(3))
            .map(|step| StepSpec {
                handler: handler(step),
                version: VersionReq::STAR,
                always: step > 0 && random.below(3) == 0,
                when: condition(random, busy),
                on_failure: [None, None, Some(OnFailure::Continue), Some(OnFailure::Stop)]
                    [random.below(4) as usize],
                pause: Duration::from_secs([0, 0, 1][random.below(3) as usize]),
                params: serde_json::json!({}),
                timeout: Duration::from_secs(60),
            })
            .collect(),
    });
    let routes = routes.collect();
    Spec {
        host: HostSpec {
            name: "host".to_owned(),
            state_dir: PathBuf::from("/state"),
            plugin_dir: PathBuf::from("/plugins"),
            shutdown_deadline: Duration::from_secs(30),
            keep_history: Duration::from_secs(3600),
            api: None,
            socket: SocketSpec::default(),
            trusted_backup_keys: Vec::new(),
        },
        targets: targets.into(),
        commands: BTreeMap::new(),
        smtp: BTreeMap::new(),
        secrets: BTreeMap::new(),
        routes,
        plugins: BTreeMap::new(),
        alerts: Vec::new(),
        jobs: Vec::new(),
        tiers: BTreeMap::new(),
        maintenance: Vec::new(),
        escalation: Default::default(),
        policy: Default::default(),
        statsd: None,
        digest: String::new(),
    }
}
