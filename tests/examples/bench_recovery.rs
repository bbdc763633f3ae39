//! `cargo run --release -p mainstay-tests --example bench_recovery -- [OPEN]...`: what one input of the recovery machine
//! costs by how many failures are open.
//!
//! Median and 99th percentile for 1,000, 10,000 and 100,000 open failures, once with one route for all targets and once
//! with a route for each; then how often the median of the most is that of the fewest. Fails where that is more than
//! three.

use mainstay_domain::{
    call::Report,
    health::Evidence,
    id::{IdSource, OperationId},
    name::{FailureType, PluginName, TargetName},
    recovery::{Action, CaseKey, Handled, Input, InputTime, Look, LookResult, Outcome, Recovery},
    severity::Severity,
    spec::{
        BreakerSpec, DrillSpec, ForeignCommands, HostSpec, RouteSpec, SocketSpec, Spec, StepSpec,
        Strategy, TargetSpec, Workflow,
    },
    time::{Monotonic, Timestamp},
};
use std::{
    collections::{BTreeMap, VecDeque},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

/// So often one is recovered, one heals, and both come again: few enough that hardly any target flaps.
const ROUNDS: usize = 1_000;
/// The median may grow so much over the whole range.
const ALLOWED: f64 = 3.0;
const BEGIN: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const INPUTS: [&str; 6] = [
    "raised",
    "seen again",
    "called",
    "looked",
    "cleared",
    "mixed",
];

/// Nanoseconds of each input.
type Samples = BTreeMap<&'static str, Vec<u64>>;

fn main() {
    let given = std::env::args()
        .skip(1)
        .map(|text| text.replace([',', '_'], ""));
    let mut sizes: Vec<usize> = given.map(|text| text.parse().expect("a number")).collect();
    if sizes.is_empty() {
        sizes = vec![1_000, 10_000, 100_000];
    }
    sizes.sort_unstable();
    let mut too_much = Vec::new();
    for (shape, route_each) in [("one route for all", false), ("a route for each", true)] {
        println!("\n{shape}, ns");
        println!("{:<12} {:>9} {:>9} {:>9}", "input", "open", "median", "p99");
        let mut medians: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        for open in &sizes {
            let mut samples = measured(*open, route_each);
            for input in INPUTS {
                let samples = samples.entry(input).or_default();
                samples.sort_unstable();
                let (median, p99) = (at_share(samples, 0.5), at_share(samples, 0.99));
                println!("{input:<12} {open:>9} {median:>9} {p99:>9}");
                medians.entry(input).or_default().push(median);
            }
        }
        for (input, medians) in &medians {
            let (Some(fewest), Some(most)) = (medians.first(), medians.last()) else {
                continue;
            };
            let ratio = *most as f64 / (*fewest).max(1) as f64;
            println!("{input:<12} × {ratio:.2}");
            // One input alone also shows how much of a small machine fits the processor's caches.
            if *input == "mixed" && ratio > ALLOWED {
                too_much.push(format!("{shape}: {input}: × {ratio:.2}"));
            }
        }
    }
    assert!(
        too_much.is_empty(),
        "more than × {ALLOWED}:\n{}",
        too_much.join("\n")
    );
}

fn at_share(samples: &[u64], share: f64) -> u64 {
    samples[((samples.len() - 1) as f64 * share).round() as usize]
}

/// A machine with so many open failures, in which one after another is recovered or heals, and another comes.
struct Bench {
    machine: Recovery,
    /// What may fail, by the config's own names, as who watches says it.
    keys: Vec<CaseKey>,
    clock: Duration,
    /// Calls and looks without an answer.
    calls: VecDeque<(OperationId, CaseKey)>,
    looks: VecDeque<(OperationId, u64, CaseKey)>,
    samples: Samples,
}

impl Bench {
    fn new(open: usize, route_each: bool) -> Self {
        let spec = spec(open, route_each);
        let key = |target: &TargetSpec| CaseKey {
            target: target.name.clone(),
            failure: FailureType::parse("down").unwrap(),
        };
        Self {
            keys: spec.targets.iter().map(key).collect(),
            machine: Recovery::new(Arc::new(spec), IdSource::new(7)),
            clock: Duration::ZERO,
            calls: VecDeque::new(),
            looks: VecDeque::new(),
            samples: Samples::new(),
        }
    }

    /// Applies one input; what it cost is a sample of `name`.
    fn input(&mut self, name: &'static str, input: Input) {
        self.clock += Duration::from_millis(1);
        let at = InputTime {
            now: BEGIN + self.clock,
            monotonic: Monotonic::from_start(self.clock),
        };
        let begin = Instant::now();
        let outcome = self.machine.apply(input, at);
        let nanos = u64::try_from(begin.elapsed().as_nanos()).unwrap();
        self.take(outcome.unwrap());
        self.samples.entry(name).or_default().push(nanos);
    }

    fn take(&mut self, outcome: Outcome) {
        for action in outcome.after {
            match action {
                Action::Call(call) => {
                    let request = call.request;
                    let key = CaseKey {
                        target: request.target,
                        failure: request.failure,
                    };
                    self.calls.push_back((request.operation, key));
                }
                Action::Look {
                    operation,
                    number,
                    target,
                    failure,
                    ..
                } => {
                    let key = CaseKey { target, failure };
                    self.looks.push_back((operation, number, key));
                }
                Action::Decide(_) | Action::Answer(..) => {}
            }
        }
    }

    fn raise(&mut self, name: &'static str, key: CaseKey) {
        let input = Input::Raised {
            key,
            severity: Severity::High,
            evidence: Evidence {
                check: "tcp".to_owned(),
                observed_at: BEGIN,
                message: "refused".to_owned(),
                value: None,
                output: None,
                score: None,
            },
            detected_at: BEGIN + self.clock,
        };
        self.input(name, input);
    }

    fn look(&mut self, id: OperationId, number: u64, is_over: bool) {
        let (seen, is_present) = match is_over {
            true => (LookResult::Healthy, false),
            false => (LookResult::Failing, true),
        };
        let look = Look {
            number,
            seen,
            is_present,
            results: Vec::new(),
        };
        self.input("looked", Input::Looked(id, look));
    }

    /// What was begun looks first, and still fails: the oldest is called, and recovered.
    fn recover_one(&mut self) -> CaseKey {
        while let Some((id, number, _)) = self.looks.pop_front() {
            self.look(id, number, false);
        }
        let (id, key) = self.calls.pop_front().expect("as many run as may");
        let handled = Handled {
            by: None,
            result: Ok(Report::default()),
            effects: 0,
            acted: true,
        };
        self.input("called", Input::Called(id, handled));
        let (id, number, _) = self.looks.pop_back().expect("it is validated");
        self.look(id, number, true);
        key
    }
}

fn measured(open: usize, route_each: bool) -> Samples {
    let mut bench = Bench::new(open, route_each);
    for number in 0..open {
        bench.raise("raised", bench.keys[number].clone());
    }
    // What it took to fill the machine is no cost of one that is full.
    bench.samples.clear();
    for round in 0..ROUNDS {
        let recovered = bench.recover_one();
        bench.raise("raised", recovered);
        // Of one that waits: far from those that run, and all over the range.
        let waiting = bench.keys[open / 4 + (round * 7_919) % (open / 2)].clone();
        bench.raise("seen again", waiting.clone());
        if !bench.calls.iter().any(|(_, key)| *key == waiting) {
            bench.input("cleared", Input::Cleared(waiting.clone()));
            bench.raise("raised", waiting);
        }
        bench.input("tick", Input::Tick);
    }
    assert!(bench.machine.cases().count() >= open, "they stay open");
    let mixed = bench.samples.values().flatten().copied().collect();
    bench.samples.insert("mixed", mixed);
    bench.samples
}

fn name(number: usize) -> TargetName {
    TargetName::parse(&format!("target-{number}")).unwrap()
}

fn target(number: usize) -> TargetSpec {
    TargetSpec {
        name: name(number),
        priority: 5,
        depends_on: Vec::new(),
        rto: Duration::from_secs(300),
        process: None,
        commands: ForeignCommands::default(),
        checks: Vec::new(),
        breaker: BreakerSpec {
            open_for: Duration::from_secs(30),
        },
        validation_timeout: Duration::from_secs(60),
        start_period: Duration::ZERO,
        drill: DrillSpec::default(),
    }
}

fn route(target: Option<TargetName>) -> RouteSpec {
    RouteSpec {
        failure: None,
        target,
        severity: None,
        strategy: Strategy::Immediate { max_attempts: 5 },
        decider: None,
        cooldown: Duration::ZERO,
        relapse_window: Duration::ZERO,
        workflow: Workflow::Standard,
        simulate: false,
        chain: vec![StepSpec {
            handler: PluginName::parse("fix").unwrap(),
            version: semver::VersionReq::STAR,
            always: false,
            when: None,
            on_failure: None,
            pause: Duration::ZERO,
            params: serde_json::json!({}),
            timeout: Duration::from_secs(60),
        }],
    }
}

fn spec(targets: usize, route_each: bool) -> Spec {
    let routes = match route_each {
        true => (0..targets)
            .map(|number| route(Some(name(number))))
            .collect(),
        false => vec![route(None)],
    };
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
        targets: (0..targets).map(target).collect::<Vec<_>>().into(),
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
