//! Every word that is shown stands in the glossary, and no other stands there.

use crate::{
    BackupStatus, BackupType, ChangeKind, CheckpointKind, CircuitState, ClusterCircuit,
    DocumentKind, EntryKind, EventKind, FallbackMode, Health, IncidentState, Mode, NodeState,
    OperationState, PluginKind, PluginState, ProblemSeverity, RetryState, RollbackStep, Severity,
};
use mainstay_domain::{
    alert::AlertStatus,
    backup,
    call::RecoveryFailure,
    effect::EffectError,
    event::{AfterEscalation, IncidentEnd},
    failure::{all_well_known, default_severity},
    id::{AlertId, BackupId, IdSource, IncidentId, OperationId, SilenceId},
    time::Timestamp,
};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;

const GLOSSARY: &str = include_str!("../../../../docs/glossary.md");

/// The part of the glossary below a heading.
fn section(heading: &str) -> &'static str {
    let start = format!("\n## {heading}\n");
    let (_, rest) = GLOSSARY
        .split_once(&start)
        .unwrap_or_else(|| panic!("the glossary has no part `{heading}`"));
    rest.split("\n## ").next().unwrap()
}

/// The cells of each row of the table below a heading, without the one that names the columns.
fn rows(heading: &str) -> Vec<Vec<&'static str>> {
    let lines = section(heading)
        .lines()
        .filter(|line| line.starts_with('|'));
    let cells = |line: &'static str| line.trim_matches('|').split('|').map(str::trim).collect();
    lines.skip(2).map(cells).collect()
}

/// The words of the table below a heading, each of which has a meaning.
fn words(heading: &str) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for row in rows(heading) {
        let [word, meaning] = row.as_slice() else {
            panic!("{heading}: {row:?}");
        };
        assert!(!meaning.is_empty(), "{heading}: {word}");
        let is_new = words.insert(word.trim_matches('`').to_owned());
        assert!(is_new, "{heading}: {word} stands there twice");
    }
    words
}

/// What the program shows for these, as JSON has it; of one with data its name.
fn shown<T: Serialize>(values: &[T]) -> BTreeSet<String> {
    let word = |value: &T| match serde_json::to_value(value).unwrap() {
        Value::String(word) => word,
        Value::Object(named) => named.keys().next().unwrap().clone(),
        other => panic!("{other}"),
    };
    values.iter().map(word).collect()
}

fn check<T: Serialize>(heading: &str, values: &[T]) {
    assert_eq!(words(heading), shown(values), "{heading}");
}

/// Every one; what is added does not compile before it is named here.
fn ends_of_incidents() -> Vec<IncidentEnd> {
    use IncidentEnd as End;
    let all = vec![
        End::Recovered,
        End::Lasting,
        End::ByItself,
        End::Unseen,
        End::Removed,
    ];
    for end in &all {
        match end {
            End::Recovered | End::Lasting | End::ByItself | End::Unseen | End::Removed => {}
        }
    }
    all
}

fn after_escalations() -> Vec<AfterEscalation> {
    use AfterEscalation as Then;
    let all = vec![Then::Round, Then::People, Then::Route];
    for then in &all {
        match then {
            Then::Round | Then::People | Then::Route => {}
        }
    }
    all
}

fn answers_of_handlers() -> Vec<RecoveryFailure> {
    use RecoveryFailure as Answer;
    let all = vec![
        Answer::Retryable(String::new()),
        Answer::Permanent(String::new()),
        Answer::NeedsOperator(Vec::new()),
    ];
    for answer in &all {
        match answer {
            Answer::Retryable(_) | Answer::Permanent(_) | Answer::NeedsOperator(_) => {}
        }
    }
    all
}

fn errors_of_effects() -> Vec<EffectError> {
    use EffectError as Error;
    let all = vec![
        Error::Denied(String::new()),
        Error::Limited(String::new()),
        Error::TimedOut(String::new()),
        Error::Unavailable(String::new()),
        Error::Failed(String::new()),
    ];
    for error in &all {
        match error {
            Error::Denied(_)
            | Error::Limited(_)
            | Error::TimedOut(_)
            | Error::Unavailable(_)
            | Error::Failed(_) => {}
        }
    }
    all
}

#[test]
fn every_word_that_is_shown_stands_in_the_glossary_and_no_other_does() {
    check("Health", Health::ALL);
    check("Circuit", CircuitState::ALL);
    check("Severity", Severity::ALL);
    check("State of an incident", IncidentState::ALL);
    check("How an incident ended", &ends_of_incidents());
    check("State of an operation", OperationState::ALL);
    check("Mode of an operation", Mode::ALL);
    check("Mode of the host", FallbackMode::ALL);
    check("Failed attempts", RetryState::ALL);
    check("State of a node", NodeState::ALL);
    check("Circuits of all nodes", ClusterCircuit::ALL);
    check("After an escalation", &after_escalations());
    check("Answer of a handler", &answers_of_handlers());
    check("Entry of an operation's journal", EntryKind::ALL);
    check("Kind of plugin", PluginKind::ALL);
    check("State of a plugin", PluginState::ALL);
    check("Type of a backup", BackupType::ALL);
    check("State of a backup", BackupStatus::ALL);
    check("Kind of checkpoint", CheckpointKind::ALL);
    check("Step of a rollback", RollbackStep::ALL);
    check("Kind of a document", DocumentKind::ALL);
    check("Change of a document", ChangeKind::ALL);
    check(
        "Status of an alert",
        &[AlertStatus::Firing, AlertStatus::Resolved],
    );
    check(
        "Problem of a config",
        &[ProblemSeverity::Error, ProblemSeverity::Warning],
    );
    check("Events", EventKind::ALL);
}

/// As `operation show` has it: the word, then what it is about.
#[test]
fn every_outcome_of_an_effect_stands_in_the_glossary() {
    let word = |error: &EffectError| {
        let text = error.to_string();
        text.trim_end_matches([' ', ':']).to_owned()
    };
    let mut shown: BTreeSet<String> = errors_of_effects().iter().map(word).collect();
    shown.insert("done".to_owned());
    assert_eq!(words("Outcome of an effect"), shown);
}

#[test]
fn every_prefix_of_an_identifier_stands_in_the_glossary() {
    let ulid = IdSource::new(1).next(Timestamp::from_millis(1_700_000_000_000));
    let mut shown = BTreeSet::new();
    let mut add = |id: String| {
        let (prefix, _) = id.split_once('-').unwrap();
        assert!(
            shown.insert(prefix.to_owned()),
            "{id} has the prefix of another"
        );
    };
    add(OperationId::new(ulid).to_string());
    add(IncidentId::new(ulid).to_string());
    add(SilenceId::new(ulid).to_string());
    add(AlertId::new(ulid).to_string());
    for of_type in backup::BackupType::ALL {
        add(BackupId::new(of_type, ulid).to_string());
    }
    assert_eq!(words("Identifiers"), shown);
}

#[test]
fn every_failure_type_that_is_well_known_stands_in_the_glossary_with_its_severity() {
    let stands: BTreeSet<(String, String)> = rows("Failure types")
        .iter()
        .map(|row| (row[0].trim_matches('`').to_owned(), row[1].to_owned()))
        .collect();
    let known = all_well_known().map(|failure| {
        let severity = default_severity(&failure);
        (failure.to_string(), severity.to_string())
    });
    assert_eq!(stands, known.collect::<BTreeSet<(String, String)>>());
}
