//! Alerts to a slow receiver that refuses a tenth of them at first, while the daemon is killed.
//!
//! Every alert that was queued must arrive, each command that the daemon took must be told of, the same alert has the same
//! id and the same body in each request, and what is said about one thing arrives in its order. One that is taken twice is
//! so only around a kill, with its id. A critical one that is raised last must be among the first ten that are sent: the
//! receiver may refuse that one too, and when it is taken then is no choice of the daemon's.
//!
//! Another alerter is told the same together, as its route groups: each alert is told as itself or in a group's, and not in
//! both, and what fired is told to be over once all is.

use super::Random;
use crate::{Daemon, HOST, Received, Receiver, plugin, response, wait_for};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};

/// Targets that are paused and resumed: each is a line of alerts of its own.
const TARGETS: u64 = 200;
/// So long the receiver takes for each.
const LATENCY: Duration = Duration::from_millis(100);
/// So many are raised at most while the receiver holds everybody, and the critical one behind them.
const BACKLOG: u32 = 200;
/// Deliveries that are under way at one time: those and what begins together with the critical alert are ten at most.
const UNDER_WAY: usize = 5;
/// The alerter that is told together.
const GROUPS: &str = "webhook-groups";
/// How long the rest may take that waits when all is raised: generous, for a hang is what it is to find.
const PATIENCE: Duration = Duration::from_secs(1_200);

/// What a campaign did.
#[derive(Debug, Clone)]
pub struct AlertsReport {
    /// Different alerts that were taken.
    pub alerts: usize,
    /// Requests that were refused.
    pub refused: usize,
    /// Requests that were taken of an alert that had been taken before.
    pub repeated: usize,
    /// The place of the critical alert among those that were sent, from 1.
    pub critical: usize,
    /// From the first request to the last, milliseconds.
    pub millis: u128,
}

/// What came in, in order.
#[derive(Default)]
struct Inbox {
    /// The names of those that came, taken or refused, once each.
    sent: Vec<String>,
    /// The names of those that were taken, as they were.
    taken: Vec<String>,
    refused: usize,
    /// By name: how often it was refused, and its first body.
    known: BTreeMap<String, (u64, Vec<u8>)>,
}

/// Holds requests until it is opened.
#[derive(Default)]
struct Barrier {
    is_open: Mutex<bool>,
    opened: Condvar,
}

impl Barrier {
    fn wait(&self) {
        let mut is_open = self.is_open.lock().unwrap();
        while !*is_open {
            is_open = self.opened.wait(is_open).unwrap();
        }
    }

    fn open(&self) {
        *self.is_open.lock().unwrap() = true;
        self.opened.notify_all();
    }
}

/// Raises so many alerts and kills so often; panics at the first broken promise.
pub fn alerts(count: u32, seed: u64, kills: u32) -> AlertsReport {
    let mut random = Random::new(seed);
    let receiver = Receiver::start();
    let inbox = Arc::new(Mutex::new(Inbox::default()));
    let barrier = Arc::new(Barrier::default());
    let salt = random.number();
    receiver.answer_by({
        let (inbox, barrier) = (Arc::clone(&inbox), Arc::clone(&barrier));
        move |request| answer(request, &inbox, &barrier, salt)
    });
    let mut daemon = Daemon::prepare(&config(&receiver.url));
    daemon.set_env("RUST_LOG", "info");
    daemon.drop_plugin(&plugin("webhook"));
    daemon.run();
    daemon.wait_for_plugins(1);

    let mut raised = Raised::default();
    for _ in 0..count.min(BACKLOG) {
        raised.one(&daemon, &mut random);
    }
    let body = json!({ "target": "t0", "failure": "data-corruption" });
    let (status, answer) = daemon.post("/v1/recover", &body);
    assert_eq!(status, 200, "{answer}");
    // It is in the outbox before the receiver lets go of the first.
    daemon.wait_for_event("the critical alert", |event| {
        event["kind"] == "alert.queued" && event["severity"] == "critical"
    });
    let begin = Instant::now();
    barrier.open();

    for kill in 0..=kills {
        let share = count.saturating_sub(count.min(BACKLOG)) / (kills + 1);
        for _ in 0..share {
            raised.one(&daemon, &mut random);
        }
        if kill < kills {
            // The moment is what is random: it is not waited for anything.
            thread::sleep(Duration::from_millis(random.below(700)));
            daemon.kill();
            daemon.run();
            daemon.wait_for_plugins(1);
        }
    }
    while raised.all < count {
        raised.one(&daemon, &mut random);
    }
    raised.resume_all(&daemon);
    let queued = wait_until_taken(&daemon, &inbox);
    check(&daemon, &receiver, &inbox, &queued, &raised, kills);

    let inbox = inbox.lock().unwrap();
    let different: BTreeSet<&String> = inbox.taken.iter().collect();
    let critical = queued.iter().find(|alert| alert.severity == "critical");
    let critical = &critical.unwrap().id;
    // Both alerters have places of their own.
    let alone: BTreeSet<&String> = of_alerter(&queued, "webhook").map(|one| &one.id).collect();
    let mut alone = inbox.sent.iter().filter(|id| alone.contains(id));
    let place = alone.position(|id| id == critical).unwrap() + 1;
    assert!(place <= 10, "the critical alert was sent as number {place}");
    let report = AlertsReport {
        alerts: different.len(),
        refused: inbox.refused,
        repeated: inbox.taken.len() - different.len(),
        critical: place,
        millis: begin.elapsed().as_millis(),
    };
    println!("{count} alerts, {kills} kills, seed {seed}");
    report
}

fn config(url: &str) -> String {
    let targets: String = (0..TARGETS)
        .map(|number| {
            format!(
                "\n[[target]]\nname = \"t{number}\"\n[[target.check]]\nkind = \"heartbeat\"\n\
                 every = \"12h\"\nfailure = \"silent\"\n"
            )
        })
        .collect();
    format!(
        r#"{HOST}{targets}
[[route]]
failure = "data-corruption"
strategy = {{ kind = "manual", max_attempts = 1 }}
chain = [{{ handler = "nobody" }}]

[[alert]]
alerter = "webhook"
events = ["host.paused", "host.resumed"]
min_severity = "low"

[[alert]]
alerter = "webhook"
events = ["incident.opened"]
min_severity = "critical"

[[alert]]
alerter = "{GROUPS}"
events = ["host.paused", "host.resumed"]
group_wait = "300ms"

[plugin.webhook]
grants = {{ http = ["{url}"] }}
settings = {{ url = "{url}/alerts" }}
limits = {{ concurrency = {UNDER_WAY} }}

[plugin.{GROUPS}]
plugin = "webhook"
grants = {{ http = ["{url}"] }}
settings = {{ url = "{url}/groups" }}
limits = {{ concurrency = {UNDER_WAY} }}
"#
    )
}

/// Takes its time, and refuses a tenth once or twice.
fn answer(request: &Received, inbox: &Mutex<Inbox>, barrier: &Barrier, salt: u64) -> String {
    barrier.wait();
    thread::sleep(LATENCY);
    let alerter = match request.line.ends_with("/groups") {
        true => GROUPS,
        false => "webhook",
    };
    let id = name_of(alerter, request.header("idempotency-key"));
    let chance = Random::new(salt ^ number_of(&id)).number();
    let refusals = if chance.is_multiple_of(10) {
        1 + chance / 10 % 2
    } else {
        0
    };
    let mut inbox = inbox.lock().unwrap();
    let body = request.body.clone();
    if !inbox.known.contains_key(&id) {
        inbox.sent.push(id.clone());
    }
    let (refused, first) = inbox.known.entry(id.clone()).or_insert((0, body));
    assert!(*first == request.body, "{id} came with another body");
    if *refused < refusals {
        *refused += 1;
        inbox.refused += 1;
        return response("503 Service Unavailable", "", "later");
    }
    inbox.taken.push(id);
    response("200 OK", "", "thanks")
}

/// An alert on its way to one alerter: the same alert goes to both.
fn name_of(alerter: &str, alert: &str) -> String {
    format!("{alerter} {alert}")
}

fn number_of(id: &str) -> u64 {
    let mix = |sum: u64, byte: u8| sum.wrapping_mul(31).wrapping_add(u64::from(byte));
    id.bytes().fold(7, mix)
}

/// What was commanded of each target.
#[derive(Default)]
struct Raised {
    all: u32,
    /// By target: how many commands were acknowledged.
    taken: BTreeMap<String, usize>,
    /// Whether it is paused.
    paused: BTreeSet<String>,
}

impl Raised {
    /// Pauses or resumes a target, which is one alert.
    fn one(&mut self, daemon: &Daemon, random: &mut Random) {
        let target = format!("t{}", random.below(TARGETS));
        self.turn(daemon, target);
    }

    /// Nothing is left that is wrong.
    fn resume_all(&mut self, daemon: &Daemon) {
        for target in self.paused.clone() {
            self.turn(daemon, target);
        }
    }

    fn turn(&mut self, daemon: &Daemon, target: String) {
        let is_paused = self.paused.contains(&target);
        let path = if is_paused { "/v1/resume" } else { "/v1/pause" };
        let (status, answer) = daemon.post(path, &json!({ "target": target }));
        assert_eq!(status, 204, "{answer}");
        if is_paused {
            self.paused.remove(&target);
        } else {
            self.paused.insert(target.clone());
        }
        self.all += 1;
        *self.taken.entry(target).or_default() += 1;
    }
}

/// An alert that the journal says is queued.
struct Queued {
    /// Its name.
    id: String,
    alerter: String,
    target: String,
    severity: String,
}

fn of_alerter<'a>(queued: &'a [Queued], alerter: &'a str) -> impl Iterator<Item = &'a Queued> {
    queued.iter().filter(move |alert| alert.alerter == alerter)
}

/// Whose fate this event tells.
fn name_in(event: &Value) -> String {
    let word = |key: &str| event["data"][key].as_str().unwrap_or_default();
    name_of(word("alerter"), word("alert"))
}

/// The alerts that the journal says are told in the alert of a group.
fn grouped(events: &[Value]) -> BTreeSet<String> {
    let grouped = events
        .iter()
        .filter(|event| event["kind"] == "alert.grouped");
    grouped.map(name_in).collect()
}

/// Waits until all that the journal has queued was taken; what that is, in its order.
fn wait_until_taken(daemon: &Daemon, inbox: &Mutex<Inbox>) -> Vec<Queued> {
    let end = Instant::now() + PATIENCE;
    loop {
        let events = daemon.events();
        let queued: Vec<Queued> = events
            .iter()
            .filter(|event| event["kind"] == "alert.queued")
            .map(|event| {
                let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                Queued {
                    id: name_in(event),
                    alerter: word(&event["data"]["alerter"]),
                    target: word(&event["target"]),
                    severity: word(&event["severity"]),
                }
            })
            .collect();
        let taken: BTreeSet<String> = inbox.lock().unwrap().taken.iter().cloned().collect();
        let grouped = grouped(&events);
        let is_told = |alert: &&Queued| taken.contains(&alert.id) || grouped.contains(&alert.id);
        let missing = queued.iter().filter(|alert| !is_told(alert));
        let missing = missing.count();
        if missing == 0 {
            return queued;
        }
        assert!(
            Instant::now() < end,
            "{missing} of {} alerts were not delivered within {PATIENCE:?}",
            queued.len()
        );
        // The pace of looking, not a time that anything relies on.
        thread::sleep(Duration::from_millis(500));
    }
}

fn check(
    daemon: &Daemon,
    receiver: &Receiver,
    inbox: &Mutex<Inbox>,
    queued: &[Queued],
    raised: &Raised,
    kills: u32,
) {
    // The outcome of the last is written after its answer.
    wait_for("every delivery to be in the journal", || {
        let (delivered, queued) = (daemon.events_of("alert.delivered"), queued.len());
        let grouped = daemon.events_of("alert.grouped");
        match delivered.len() + grouped.len() {
            count if count == queued => Ok(()),
            count => Err(format!("{count} of {queued}")),
        }
    });
    let abandoned = daemon.events_of("alert.abandoned");
    assert!(abandoned.is_empty(), "{abandoned:?}");

    let inbox = inbox.lock().unwrap();
    let known: BTreeSet<&str> = queued.iter().map(|alert| alert.id.as_str()).collect();
    let mut first: Vec<&str> = Vec::new();
    let mut seen = BTreeSet::new();
    for id in &inbox.taken {
        assert!(known.contains(id.as_str()), "nothing queued {id}");
        if seen.insert(id.as_str()) {
            first.push(id);
        }
    }
    let repeated = inbox.taken.len() - first.len();
    assert!(
        repeated <= 2 * kills as usize * UNDER_WAY,
        "{repeated} were taken twice, over {kills} kills"
    );
    let place: BTreeMap<&str, usize> = first
        .iter()
        .enumerate()
        .map(|(place, id)| (*id, place))
        .collect();
    let mut of_target: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for alert in of_alerter(queued, "webhook").filter(|alert| alert.severity == "low") {
        let places = of_target.entry(&alert.target).or_default();
        places.push(place[alert.id.as_str()]);
    }
    for (target, places) in &of_target {
        assert!(places.is_sorted(), "{target}: {places:?}");
        assert_eq!(places.len(), raised.taken[*target], "commands of {target}");
    }
    assert_eq!(of_target.len(), raised.taken.len());
    check_groups(&inbox, &first, queued, &grouped(&daemon.events()));
    for request in receiver.received() {
        assert_eq!(request.json()["id"], request.header("idempotency-key"));
    }
}

/// Each was told as itself or in a group, nothing is over that was not told to have fired, and all is over.
fn check_groups(inbox: &Inbox, first: &[&str], queued: &[Queued], grouped: &BTreeSet<String>) {
    let taken: BTreeSet<&str> = first.iter().copied().collect();
    for alert in of_alerter(queued, GROUPS) {
        let is_alone = taken.contains(alert.id.as_str());
        let is_grouped = grouped.contains(&alert.id);
        assert!(
            is_alone != is_grouped,
            "{}: as itself and in a group: {is_alone}",
            alert.id
        );
    }
    let ids: BTreeSet<&str> = of_alerter(queued, GROUPS)
        .map(|one| one.id.as_str())
        .collect();
    let mut is_open: BTreeMap<String, bool> = BTreeMap::new();
    let mut groups = 0;
    for id in first.iter().filter(|id| ids.contains(*id)) {
        let alert: Value = serde_json::from_slice(&inbox.known[*id].1).unwrap();
        let fires = alert["status"] == "firing";
        groups += u32::from(fires && alert["kind"] == "alert.group");
        let was_open = is_open.insert(alert["dedup_key"].to_string(), fires);
        assert!(
            fires || was_open == Some(true),
            "over, and did not fire: {alert}"
        );
    }
    let left: Vec<_> = is_open.iter().filter(|(_, is_open)| **is_open).collect();
    assert!(left.is_empty(), "never over: {left:?}");
    assert!(groups > 0, "nothing was told together");
}
