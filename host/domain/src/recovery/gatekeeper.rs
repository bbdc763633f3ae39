//! The gate at work: what it has to know of the machine, and what it holds back.
//!
//! Invariant: what is about to begin counts from when it looks whether it is needed, so that no two take the same room.
//! Invariant: what the gate holds back is released with the first input after its reason is over.

mod asking;
mod handlers;
mod numbers;
mod view;

pub(super) use view::View;

use super::{InputTime, Outcome, Recovery, Refusal, Reply, words};
use crate::{
    actor::Actor,
    audit::AuditContext,
    code::ErrorCode,
    name::{PluginName, TargetName},
    policy::{Breach, CharterBreach, GateReason, Ledger, Phase, PhaseChange, PolicyHistory, Why},
    queue::StartBlock,
    record::Change,
    spec::{PhaseSpec, Spec},
    text::list,
    time::{Monotonic, Timestamp},
};
use std::collections::{BTreeMap, HashMap};

/// What the gate remembers.
#[derive(Debug)]
pub(super) struct Gatekeeper {
    pub(super) phase: Phase,
    /// What is wrong with the charter.
    breach: Option<CharterBreach>,
    /// When which handler recovered which target last.
    recovered: HashMap<TargetName, BTreeMap<PluginName, Timestamp>>,
    ledger: Ledger,
    /// How often it did not let an operation go on.
    refusals: BTreeMap<GateReason, u64>,
    /// What the audit log was told to say of what is done.
    audited: AuditContext,
    /// Both clocks, as the last input had them.
    now: Timestamp,
    monotonic: Monotonic,
}

impl Gatekeeper {
    pub(super) fn new(spec: &Spec) -> Self {
        let phase = Phase::default();
        Self {
            audited: context_of(spec, phase),
            phase,
            breach: None,
            recovered: HashMap::new(),
            ledger: Ledger::default(),
            refusals: BTreeMap::new(),
            now: Timestamp::from_millis(0),
            monotonic: Monotonic::default(),
        }
    }

    pub(super) fn pass(&mut self, at: InputTime) {
        self.now = at.now;
        self.monotonic = at.monotonic;
    }

    /// The wall clock at that time, as far as anybody knows.
    fn wall(&self, then: Monotonic) -> Timestamp {
        self.now + then.since(self.monotonic)
    }
}

/// What the audit log says of what is done in this phase, under the charter of this config.
fn context_of(spec: &Spec, phase: Phase) -> AuditContext {
    let charter = spec.policy.charter.as_ref();
    AuditContext {
        phase: phase.as_str().to_owned(),
        charter: charter.map_or_else(String::new, |charter| charter.sha256.clone()),
    }
}

impl Recovery {
    fn view(&self) -> View<'_> {
        View {
            keeper: &self.keeper,
            settings: &self.settings,
            failing: &self.failing,
            cases: &self.cases,
            operations: &self.operations,
        }
    }

    /// The phase of the host.
    pub fn phase(&self) -> Phase {
        self.keeper.phase
    }

    /// What the phase allows.
    pub fn phase_rule(&self) -> PhaseSpec {
        self.settings.spec().policy.phase(self.keeper.phase)
    }

    /// A person changes the phase. What it let wait begins, or what it lets begin no more waits from now on; nothing that
    /// runs is ended.
    pub(super) fn set_phase(
        &mut self,
        to: Phase,
        reason: &str,
        by: &Actor,
        at: InputTime,
        out: &mut Outcome,
    ) -> Result<Reply, Refusal> {
        self.must_be_chartered()?;
        let from = self.keeper.phase;
        match from.change_to(to) {
            PhaseChange::Same => Ok(Reply::Done),
            PhaseChange::Refused => Err(Refusal::Conflict(format!(
                "there is no way from the phase {from} to {to}: from {from} it goes to {}",
                list(from.next(), "none")
            ))),
            PhaseChange::Changed => {
                self.keeper.phase = to;
                out.writes
                    .push(words::phase_changed(from, to, by, reason, at.now));
                self.audit_under(out);
                Ok(Reply::Done)
            }
        }
    }

    /// What is wrong with the charter, as it was seen last.
    pub fn charter_breach(&self) -> Option<&CharterBreach> {
        self.keeper.breach.as_ref()
    }

    /// The file of the charter was looked at.
    pub(super) fn charter_seen(
        &mut self,
        breach: Option<CharterBreach>,
        at: InputTime,
        out: &mut Outcome,
    ) {
        if self.keeper.breach == breach {
            return;
        }
        out.writes.push(words::charter(breach.as_ref(), at.now));
        self.keeper.breach = breach;
    }

    /// Refuses where the charter is not what it was pinned to.
    pub(super) fn must_be_chartered(&self) -> Result<(), Refusal> {
        match &self.keeper.breach {
            None => Ok(()),
            Some(breach) => {
                let why = ErrorCode::CharterBroken.mark(breach.to_string());
                Err(Refusal::NotAllowed(why))
            }
        }
    }

    /// What of the charter an automatic recovery of this target would break.
    pub(super) fn breach_by(&self, target: &TargetName) -> Option<Breach> {
        self.view().breach(target)
    }

    /// From now on the audit log says the present phase and charter, where that is something else than before.
    pub(super) fn audit_under(&mut self, out: &mut Outcome) {
        let context = context_of(self.settings.spec(), self.keeper.phase);
        if self.keeper.audited != context {
            self.keeper.audited = context.clone();
            out.writes.push(Change::AuditedUnder(context));
        }
    }

    /// What the daemons before left of the gate.
    pub(super) fn gate_recovered(
        &mut self,
        history: &PolicyHistory,
        at: InputTime,
        out: &mut Outcome,
    ) {
        self.keeper.phase = history.phase();
        // Whatever the daemon before said, this one says what holds.
        self.keeper.audited = context_of(self.settings.spec(), self.keeper.phase);
        out.writes
            .push(Change::AuditedUnder(self.keeper.audited.clone()));
        for (target, set) in history.set() {
            self.settings.set(target, set.clone());
        }
        for ((target, handler), when) in history.recovered() {
            let of_target = self.keeper.recovered.entry(target.clone()).or_default();
            // How long ago that was which is to come nobody knows.
            of_target.insert(handler.clone(), when.min(at.now));
        }
        let spec = self.settings.spec();
        for (began, target) in history.begun() {
            let age = at.now.since(began);
            let ledger = &mut self.keeper.ledger;
            ledger.began_before(target, age, &spec.policy, at.monotonic);
        }
    }

    /// Other budgets are configured: what they hold back is looked at anew. Call it when the settings are the new ones.
    pub(super) fn gate_configured(&mut self) {
        self.keeper.ledger.regroup(&self.settings.spec().policy);
        let held: Vec<Why> = self.queue.gated().iter().cloned().collect();
        for why in held {
            self.queue.release_block(&StartBlock::Gate(why));
        }
    }

    /// Releases what is held back no longer; of what a budget holds back so many as it has room for, so that each that ends
    /// costs no visit to all that wait. Whether there was any.
    pub(super) fn release_gated(&mut self) -> bool {
        let view = self.view();
        let gated = self.queue.gated().iter();
        let rooms = gated.map(|why| (why, view.room(why, self.queue.busy())));
        let rooms = rooms.filter(|(_, room)| *room > 0);
        // They may be very many that hold on.
        let rooms: Vec<(Why, usize)> = rooms.map(|(why, room)| (why.clone(), room)).collect();
        for (why, room) in &rooms {
            self.queue.release_gated(why, *room);
        }
        !rooms.is_empty()
    }

    /// When the gate may let something go by itself.
    pub(super) fn gate_opens(&self) -> Option<Monotonic> {
        let view = self.view();
        let held = self.queue.gated().iter();
        held.filter_map(|why| view.ends_at(why, self.queue.busy()))
            .min()
    }

    /// The first attempt of an operation begins.
    pub(super) fn count_beginning(&mut self, target: &TargetName, at: InputTime) {
        let policy = &self.settings.spec().policy;
        self.keeper.ledger.begin(target, policy, at.monotonic);
    }

    /// What the gate says where it holds an operation back, for people, and until when where that is known.
    pub(super) fn held_words(&self, why: &Why) -> (Option<Timestamp>, String) {
        match why {
            Why::Phase { .. } => (None, format!("{why}: `mainstay phase`")),
            Why::PerHour { .. } => {
                let until = self.view().ends_at(why, self.queue.busy());
                let until = until.map(|until| self.keeper.wall(until));
                (until, why.to_string())
            }
            Why::Charter => {
                let refusal = self.must_be_chartered().err();
                let words = refusal.map_or_else(|| why.to_string(), |refusal| refusal.to_string());
                (None, words)
            }
            _ => (None, why.to_string()),
        }
    }
}
