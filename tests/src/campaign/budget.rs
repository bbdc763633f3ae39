//! Many targets fail within one second, under a budget, and the daemon is lost again and again.
//!
//! Each input is followed by a look at what runs and at what began within the hour before: neither may ever be more than the
//! budget says. At the end everything was recovered, the more urgent before the less, and nothing before what it depends on.
//!
//! The same day, without losses, is also played by `simulate`: it decides the same of each failure at the same times.

use super::Random;
use mainstay_domain::{
    call::Report,
    event::{Event, EventKind},
    health::Evidence,
    id::{IdSource, IncidentId, OperationId},
    incident::Incident,
    name::{FailureType, PluginName, TargetName},
    operation::Operation,
    pause::TimedPauses,
    policy::{Phase, PolicyHistory},
    record::Change,
    recovery::{
        Action, Attempt, CaseKey, Handled, Input, InputTime, Look, LookResult, Recovered, Recovery,
        Stage,
    },
    severity::Severity,
    simulation::{Rule, Scenario, Step, What, simulate},
    spec::{
        BreakerSpec, BudgetSpec, DrillSpec, ForeignCommands, HostSpec, OverBudget, PolicySpec,
        RouteSpec, SocketSpec, Spec, StepSpec, Strategy, TargetSpec, Workflow,
    },
    time::{Monotonic, Timestamp, millis},
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    num::NonZeroU32,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

/// So many recoveries run at one time.
const AT_ONCE: u32 = 5;
/// So many begin within an hour.
const PER_HOUR: u32 = 60;
/// When the wall clock begins.
const BEGIN: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const HOUR: Duration = Duration::from_secs(3_600);
/// Identifiers are drawn from this, as in a simulation: the older operation has the lesser one in both.
const FIRST_IDS: u64 = 11;
/// What is decided of each failure until it is over.
const DECISIONS: [EventKind; 5] = [
    EventKind::IncidentOpened,
    EventKind::OperationScheduled,
    EventKind::OperationStarted,
    EventKind::OperationSucceeded,
    EventKind::RtoExceeded,
];
/// How long each call takes where the day is also simulated.
const EACH_CALL: Duration = Duration::from_secs(10);

/// What a storm came to.
#[derive(Debug)]
pub struct BudgetReport {
    /// Targets that failed, and were recovered.
    pub targets: u32,
    /// How often the daemon was lost.
    pub restarts: u32,
    /// The most that ran at one time.
    pub most_at_once: usize,
    /// The most that began within an hour.
    pub most_within_an_hour: usize,
    /// How long it took, by the clock of the storm.
    pub took: Duration,
    /// Inputs of the machine.
    pub inputs: u64,
}

/// One storm.
///
/// # Panics
/// A budget was exceeded, something was not recovered, or not in its order.
pub fn budget(targets: u32, seed: u64, restarts: u32) -> BudgetReport {
    let mut storm = Storm::new(targets, seed, None);
    storm.strike();
    // By the budget it takes about so long; the losses are spread over that.
    let hours = targets.div_ceil(PER_HOUR).max(1);
    let mut losses: Vec<Duration> = (0..restarts)
        .map(|_| {
            let millis = u64::from(hours) * 3_600_000;
            Duration::from_millis(storm.random.below(millis))
        })
        .collect();
    losses.sort_unstable();
    let mut losses = VecDeque::from(losses);
    while storm.has_failing() || !losses.is_empty() {
        let loss = losses.front().copied();
        let is_lost = loss.is_some_and(|loss| loss <= storm.clock || !storm.has_failing());
        match is_lost {
            true => {
                losses.pop_front();
                storm.lose();
            }
            false => storm.go_on(loss),
        }
        assert!(storm.report.inputs < 1_000_000, "it comes to no end");
    }
    storm.judge_order();
    storm.report.took = storm.clock;
    storm.report
}

/// One storm whose day is decided twice: by the machine as it is driven here, and by `simulate`. How many recoveries began.
///
/// # Panics
/// Something else was decided, or at another time; or what [`budget`] says.
pub fn budget_day(targets: u32, seed: u64) -> usize {
    let mut storm = Storm::new(targets, seed, Some(EACH_CALL));
    storm.strike();
    while storm.has_failing() {
        storm.go_on(None);
        assert!(storm.report.inputs < 1_000_000, "it comes to no end");
    }
    storm.judge_order();
    let scenario = Scenario {
        begin: BEGIN,
        until: Some(storm.clock + HOUR),
        phase: Phase::default(),
        rules: vec![Rule {
            after: EACH_CALL,
            ..Rule::default()
        }],
        steps: std::mem::take(&mut storm.day),
    };
    let report = simulate(&storm.spec, &scenario, None).unwrap();
    for kind in DECISIONS {
        let name = kind.as_str();
        let simulated = report.lines.iter().filter(|line| line.kind == name);
        let simulated: Vec<(u64, &TargetName)> = simulated
            .map(|line| (millis(line.at), line.target.as_ref().unwrap()))
            .collect();
        let decided = storm.events.iter().filter(|event| event.kind == kind);
        let decided: Vec<(u64, &TargetName)> = decided
            .map(|event| {
                let at = millis(event.at.since(BEGIN));
                (at, event.target.as_ref().unwrap())
            })
            .collect();
        for (place, (simulated, decided)) in simulated.iter().zip(&decided).enumerate() {
            assert_eq!(simulated, decided, "{name} {place}: simulated, and decided");
        }
        let (simulated, decided) = (simulated.len(), decided.len());
        assert_eq!(simulated, decided, "{name}: simulated, and decided");
    }
    let begun = storm.events.iter();
    let begun = begun.filter(|event| event.kind == EventKind::OperationStarted);
    begun.count()
}

struct Storm {
    spec: Arc<Spec>,
    machine: Recovery,
    random: Random,
    clock: Duration,
    /// When the present daemon began.
    started: Duration,
    incidents: BTreeMap<IncidentId, Incident>,
    operations: BTreeMap<OperationId, Operation>,
    events: Vec<Event>,
    failing: BTreeSet<CaseKey>,
    /// How long each call takes; none: that is drawn.
    takes: Option<Duration>,
    /// What happened, as a scenario has it.
    day: Vec<Step>,
    /// Calls under way, and when they end; of those that end at one time the first that was made first.
    calls: BTreeSet<(Duration, u64, OperationId)>,
    /// Looks under way, oldest first.
    looks: VecDeque<(OperationId, u64)>,
    /// How many events there were when the last target had failed.
    struck: usize,
    report: BudgetReport,
}

impl Storm {
    fn new(targets: u32, seed: u64, takes: Option<Duration>) -> Self {
        let mut random = Random::new(seed);
        let spec = Arc::new(spec(targets, &mut random));
        Self {
            machine: Recovery::new(Arc::clone(&spec), IdSource::new(FIRST_IDS)),
            spec,
            random,
            clock: Duration::ZERO,
            started: Duration::ZERO,
            incidents: BTreeMap::new(),
            operations: BTreeMap::new(),
            events: Vec::new(),
            failing: BTreeSet::new(),
            takes,
            day: Vec::new(),
            calls: BTreeSet::new(),
            looks: VecDeque::new(),
            struck: 0,
            report: BudgetReport {
                targets,
                restarts: 0,
                most_at_once: 0,
                most_within_an_hour: 0,
                took: Duration::ZERO,
                inputs: 0,
            },
        }
    }

    fn at(&self) -> InputTime {
        InputTime {
            now: BEGIN + self.clock,
            monotonic: Monotonic::from_start(self.clock - self.started),
        }
    }

    fn input(&mut self, input: Input) {
        self.report.inputs += 1;
        let at = self.at();
        let outcome = self.machine.apply(input, at).unwrap();
        for change in outcome.writes {
            match change {
                Change::Incident(one) => {
                    self.incidents.insert(one.id.clone(), (*one).clone());
                }
                Change::Operation(one) => {
                    self.operations.insert(one.id.clone(), one);
                }
                Change::Event(event) => self.events.push(event),
                Change::AuditedUnder(_) | Change::CallEnded(..) | Change::Fencing(_) => {}
                other => panic!("a storm does not write {other:?}"),
            }
        }
        for action in outcome.after {
            match action {
                Action::Call(call) => {
                    let drawn = || Duration::from_millis(100 + self.random.below(20_000));
                    let ends = self.clock + self.takes.unwrap_or_else(drawn);
                    let id = call.request.operation;
                    self.calls.insert((ends, self.report.inputs, id));
                }
                Action::Look {
                    operation, number, ..
                } => self.looks.push_back((operation, number)),
                Action::Decide(asked) => panic!("no route here has a plugin: {asked:?}"),
                Action::Answer(..) => {}
            }
        }
        self.judge_budget();
    }

    /// What runs, and what began within the hour.
    fn judge_budget(&mut self) {
        let running = self.machine.cases();
        let running = running.filter(|(_, case)| matches!(case.stage, Stage::Running(_)));
        let running = running.count();
        let now = BEGIN + self.clock;
        let events = self.events.iter().rev();
        // Events are in the order of the clock, which never goes back here.
        let lately = events.take_while(|event| now.since(event.at) < HOUR);
        let begun = lately.filter(|event| event.kind == EventKind::OperationStarted);
        let begun = begun.count();
        assert!(running <= AT_ONCE as usize, "{running} run at one time");
        assert!(begun <= PER_HOUR as usize, "{begun} began within an hour");
        let report = &mut self.report;
        report.most_at_once = report.most_at_once.max(running);
        report.most_within_an_hour = report.most_within_an_hour.max(begun);
    }

    /// Every target fails, within one second.
    fn strike(&mut self) {
        let names: Vec<TargetName> = self
            .spec
            .targets
            .iter()
            .map(|one| one.name.clone())
            .collect();
        let step = Duration::from_millis(999) / u32::try_from(names.len()).unwrap().max(1);
        for target in names {
            self.clock += step;
            let severity = match self.random.once_in(3) {
                true => Severity::Critical,
                false => Severity::High,
            };
            let key = CaseKey {
                target,
                failure: FailureType::parse("down").unwrap(),
            };
            self.failing.insert(key.clone());
            self.day.push(Step {
                at: self.clock,
                target: Some(key.target.clone()),
                what: What::Reported {
                    failure: key.failure.clone(),
                    severity,
                    message: "refused".to_owned(),
                },
            });
            let detected_at = BEGIN + self.clock;
            self.input(Input::Raised {
                key,
                severity,
                evidence: Evidence {
                    check: "tcp".to_owned(),
                    observed_at: detected_at,
                    message: "refused".to_owned(),
                    value: None,
                    output: None,
                    score: None,
                },
                detected_at,
            });
            let due = self.machine.wakes_at();
            let is_due = due.is_some_and(|due| self.started + due.elapsed() <= self.clock);
            if is_due && self.takes.is_some() {
                self.input(Input::Tick);
            }
        }
        self.struck = self.events.len();
    }

    fn has_failing(&self) -> bool {
        let mut cases = self.machine.cases();
        cases.any(|(_, case)| !matches!(case.stage, Stage::RelapseWindow { .. }))
    }

    /// The next thing happens, or the time comes at which the daemon is lost.
    fn go_on(&mut self, loss: Option<Duration>) {
        if let Some((id, number)) = self.looks.pop_front() {
            return self.look(id, number);
        }
        let call = self.calls.first().map(|(ends, _, _)| *ends);
        let tick = self.machine.wakes_at();
        let tick = tick.map(|due| self.started + due.elapsed());
        let next = [call, tick, loss].into_iter().flatten().min();
        let next = next.expect("something is to come while something fails");
        self.clock = self.clock.max(next);
        match self.calls.pop_first() {
            Some((ends, _, id)) if ends <= self.clock => {
                let handled = Handled {
                    by: None,
                    result: Ok(Report {
                        actions: vec!["started anew".to_owned()],
                        data_loss: None,
                    }),
                    effects: 1,
                    acted: true,
                };
                self.input(Input::Called(id, handled));
            }
            other => {
                self.calls.extend(other);
                if loss != Some(next) || tick == Some(next) {
                    self.input(Input::Tick);
                }
            }
        }
    }

    /// A target is well once a handler was called for it.
    fn look(&mut self, id: OperationId, number: u64) {
        let found = self
            .machine
            .cases()
            .find_map(|(key, case)| match &case.stage {
                Stage::Running(running) if running.work.operation.id == id => Some((
                    key.clone(),
                    matches!(running.attempt, Attempt::Validating(_)),
                )),
                _ => None,
            });
        let Some((key, is_well)) = found else {
            return;
        };
        if is_well {
            self.failing.remove(&key);
        }
        let look = Look {
            number,
            seen: match is_well {
                true => LookResult::Healthy,
                false => LookResult::Failing,
            },
            is_present: !is_well,
            results: Vec::new(),
        };
        self.input(Input::Looked(id, look));
    }

    /// The daemon is lost, and some time later another reads the journal.
    fn lose(&mut self) {
        self.report.restarts += 1;
        self.clock += Duration::from_millis(self.random.below(120_000));
        self.started = self.clock;
        self.calls.clear();
        self.looks.clear();
        let ids = IdSource::new(FIRST_IDS + u64::from(self.report.restarts));
        self.machine = Recovery::new(Arc::clone(&self.spec), ids);
        let incidents: Vec<Incident> = self.incidents.values().cloned().collect();
        let operations = self.operations.values();
        let mut policy = PolicyHistory::default();
        policy.replay(&self.events);
        let recovered = Recovered {
            unseen: incidents
                .iter()
                .map(CaseKey::from)
                .filter(|key| !self.failing.contains(key))
                .collect(),
            operations: operations
                .filter(|one| !one.state.is_final())
                .cloned()
                .collect(),
            incidents,
            pauses: TimedPauses::default(),
            policy,
            ..Recovered::default()
        };
        self.input(Input::Recovered(recovered));
        self.input(Input::Tick);
    }

    /// The more urgent began first, and nothing before what it depends on.
    fn judge_order(&self) {
        let when = |kind: EventKind| -> BTreeMap<&TargetName, usize> {
            let of_kind = self.events.iter().enumerate();
            let of_kind = of_kind.filter(|(_, event)| event.kind == kind);
            of_kind
                .map(|(place, event)| (event.target.as_ref().unwrap(), place))
                .collect()
        };
        let began = when(EventKind::OperationStarted);
        let succeeded = when(EventKind::OperationSucceeded);
        let all = self.spec.targets.len();
        assert_eq!((began.len(), succeeded.len()), (all, all), "of all targets");
        let mut free: Vec<(usize, u8)> = Vec::new();
        for target in &self.spec.targets {
            let began = began[&target.name];
            match target.depends_on.first() {
                Some(before) => {
                    let name = &target.name;
                    assert!(
                        succeeded[before] < began,
                        "{name} began before {before} was well"
                    );
                }
                // What began while others had not failed yet was the most urgent of then.
                None if began < self.struck => {}
                None => free.push((began, target.priority)),
            }
        }
        free.sort_unstable();
        assert!(free.is_sorted_by_key(|(_, priority)| *priority), "{free:?}");
    }
}

/// Every tenth target is the most urgent, and depends on the one before it.
fn spec(targets: u32, random: &mut Random) -> Spec {
    let name = |number: u32| TargetName::parse(&format!("t{number}")).unwrap();
    let targets: Vec<TargetSpec> = (0..targets)
        .map(|number| TargetSpec {
            name: name(number),
            priority: match number % 10 {
                9 => 1,
                _ => u8::try_from(2 + random.below(9)).unwrap(),
            },
            depends_on: match number % 10 {
                9 => vec![name(number - 1)],
                _ => Vec::new(),
            },
            rto: HOUR,
            process: None,
            commands: ForeignCommands::default(),
            checks: Vec::new(),
            breaker: BreakerSpec {
                open_for: Duration::from_secs(30),
            },
            validation_timeout: Duration::from_secs(60),
            start_period: Duration::ZERO,
            drill: DrillSpec::default(),
        })
        .collect();
    let policy = PolicySpec {
        host: BudgetSpec {
            concurrent: NonZeroU32::new(AT_ONCE),
            per_hour: NonZeroU32::new(PER_HOUR),
            over: OverBudget::Wait,
        },
        ..PolicySpec::default()
    };
    Spec {
        host: HostSpec {
            name: "host".to_owned(),
            state_dir: PathBuf::from("/state"),
            plugin_dir: PathBuf::from("/plugins"),
            shutdown_deadline: Duration::from_secs(30),
            keep_history: Duration::from_secs(90 * 86_400),
            api: None,
            socket: SocketSpec::default(),
            trusted_backup_keys: Vec::new(),
        },
        targets: targets.into(),
        commands: BTreeMap::new(),
        smtp: BTreeMap::new(),
        secrets: BTreeMap::new(),
        routes: vec![RouteSpec {
            failure: None,
            target: None,
            severity: None,
            strategy: Strategy::Immediate { max_attempts: 5 },
            decider: None,
            cooldown: Duration::ZERO,
            relapse_window: Duration::from_secs(60),
            workflow: Workflow::default(),
            simulate: false,
            chain: vec![StepSpec {
                handler: PluginName::parse("restart-service").unwrap(),
                version: semver::VersionReq::STAR,
                always: false,
                when: None,
                on_failure: None,
                pause: Duration::ZERO,
                params: serde_json::json!({}),
                timeout: Duration::from_secs(60),
            }],
        }],
        plugins: BTreeMap::new(),
        alerts: Vec::new(),
        jobs: Vec::new(),
        tiers: BTreeMap::new(),
        maintenance: Vec::new(),
        escalation: Default::default(),
        policy,
        statsd: None,
        digest: String::new(),
    }
}
