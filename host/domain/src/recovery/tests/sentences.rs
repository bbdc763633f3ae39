//! What people read of every input at every stage: the sentences of its events, why it was refused, and what `status` says
//! of the target after it.

use super::{
    super::{Action, Reply},
    fixtures::key,
    table::{INPUTS, apply, begin},
    world::World,
};
use crate::record::Change;

const STAGES: [&str; 10] = [
    "none",
    "unrouted",
    "people",
    "scheduled",
    "looking",
    "calling",
    "resting",
    "asking",
    "validating",
    "watched",
];

/// What was said of one input, in its order.
struct Said {
    events: Vec<String>,
    refusals: Vec<String>,
    status: Vec<String>,
}

impl Said {
    /// Nothing where the input is none at this stage.
    fn of(stage: &str, input: &str) -> Option<Self> {
        let mut world = begin(stage);
        let outcome = apply(&mut world, input).ok()?;
        let events = outcome.writes.iter().filter_map(|change| match change {
            Change::Event(event) => Some(format!("{}: {}", event.kind, event.message)),
            _ => None,
        });
        let refusals = outcome.after.iter().filter_map(|action| match action {
            Action::Answer(_, Reply::Refused(refusal)) => Some(refusal.to_string()),
            _ => None,
        });
        let summary = world.machine.summary_of(&key("api down").target);
        let waits = summary.waits.values().cloned();
        let rests = summary.rests.iter();
        let rests = rests.map(|(until, why)| format!("rests until {until}: {why}"));
        Some(Self {
            events: numbered(&world, events),
            refusals: numbered(&world, refusals),
            status: numbered(&world, waits.chain(rests)),
        })
    }

    fn all(&self) -> impl Iterator<Item = &String> {
        let said = self.events.iter().chain(&self.refusals);
        said.chain(&self.status)
    }
}

/// With short names in place of the identifiers of operations.
fn numbered(world: &World, said: impl Iterator<Item = String>) -> Vec<String> {
    let short = |sentence: String| {
        let ids = world.operations.keys().zip(1..);
        ids.fold(sentence, |sentence, (id, number)| {
            sentence.replace(&id.to_string(), &format!("op-{number}"))
        })
    };
    said.map(short).collect()
}

fn each(mut look: impl FnMut(&str, &str, Said)) {
    for stage in STAGES {
        for input in INPUTS.split_whitespace() {
            if let Some(said) = Said::of(stage, input) {
                look(stage, input, said);
            }
        }
    }
}

#[test]
fn what_is_said_of_every_input_at_every_stage() {
    let mut text = String::new();
    each(|stage, input, said| {
        let lines: Vec<String> = said
            .events
            .iter()
            .cloned()
            .chain(said.refusals.iter().map(|why| format!("refused: {why}")))
            .chain(said.status.iter().map(|what| format!("status: {what}")))
            .collect();
        if !lines.is_empty() {
            text += &format!("{stage}, {input}\n  {}\n", lines.join("\n  "));
        }
    });
    insta::assert_snapshot!("sentences", text);
}

#[test]
fn no_sentence_lacks_an_end_or_calls_a_wait_a_pause() {
    each(|stage, input, said| {
        for sentence in said.all() {
            let is_whole = !sentence.ends_with([':', ' ', ';', ',']) && !sentence.contains("  ");
            assert!(is_whole, "{stage}, {input}: {sentence}");
            let is_of_a_pause = matches!(input, "pause" | "resume");
            assert!(
                is_of_a_pause || !sentence.contains("pause"),
                "{stage}, {input}: {sentence}"
            );
        }
    });
}

/// A person who is refused has something to do next: a command, or a line of the config.
#[test]
fn every_refusal_says_what_to_do_next() {
    let mut refused = 0;
    each(|stage, input, said| {
        for sentence in &said.refusals {
            refused += 1;
            assert!(
                sentence.contains("mainstay ") || sentence.contains("add a [[route]]"),
                "{stage}, {input}: {sentence}"
            );
        }
    });
    assert!(refused > 0);
}

#[test]
fn a_refused_decision_says_how_the_operation_stands() {
    for (stage, input, expected) in [
        (
            "calling",
            "approve",
            "op-1 does not wait for a person: it is in-progress; see mainstay operation show op-1",
        ),
        (
            "validating",
            "reject",
            "op-1 does not wait for a person: it is validating; see mainstay operation show op-1",
        ),
        (
            "calling",
            "recover",
            "the recovery of api from down was asked for already, or goes on: see mainstay operation show op-1",
        ),
        (
            "asking",
            "recover",
            "the recovery of api from down waits for a person: mainstay approve op-1 [MS-0401]",
        ),
        (
            "unrouted",
            "recover",
            "no route fits down of api; add a [[route]] with failure = \"down\"",
        ),
    ] {
        let said = Said::of(stage, input).unwrap();
        assert_eq!(said.refusals, [expected], "{stage}, {input}");
    }
}
