//! What happens to an incident.

use super::*;
use proptest::prelude::*;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

fn evidence(message: impl ToString) -> Evidence {
    Evidence {
        check: "ping".to_owned(),
        observed_at: at(1),
        message: message.to_string(),
        value: None,
        output: None,
        score: None,
    }
}

fn incident() -> Incident {
    Incident::open(
        IncidentId::parse("inc-01K0000000000000000000000A").unwrap(),
        TargetName::parse("cache").unwrap(),
        FailureType::parse("redis-down").unwrap(),
        Severity::High,
        evidence(0),
        at(1),
        2,
    )
}

#[test]
fn an_incident_opens_with_what_suffers_and_how_often_it_was() {
    let incident = incident();
    assert_eq!(
        incident.affected,
        ["cache", "hot-storage", "real-time-data"]
    );
    assert_eq!(incident.recurrence, 2);
    assert_eq!(incident.state, IncidentState::Open);
}

#[test]
fn the_first_and_the_last_evidence_stay() {
    let mut incident = incident();
    for number in 1..=100 {
        assert!(incident.persist(Severity::Low, evidence(number)));
    }
    let kept: Vec<_> = incident
        .evidence
        .iter()
        .map(|e| e.message.clone())
        .collect();
    let expected: Vec<_> = (0..5).chain(86..=100).map(|n| n.to_string()).collect();
    assert_eq!(kept, expected);
    assert_eq!(incident.severity, Severity::High, "it never gets milder");
}

#[test]
fn of_the_output_that_was_seen_the_first_and_the_newest_stay() {
    let wrote = |number: u32| Evidence {
        output: Some(format!("line {number}")),
        ..evidence(number)
    };
    let mut incident = incident();
    assert_eq!(incident.output(), None);
    incident.evidence.clear();
    for number in 1..=50 {
        assert!(incident.persist(Severity::Low, wrote(number)));
    }
    assert!(incident.persist(Severity::Low, evidence("without")));
    let kept = incident.evidence.iter();
    let kept: Vec<&str> = kept.filter_map(|one| one.output.as_deref()).collect();
    assert_eq!(kept, ["line 1", "line 50"]);
    assert_eq!(incident.output(), Some("line 50"));
}

#[test]
fn what_was_printed_before_a_relapse_is_not_what_is_printed_at_it() {
    let wrote = |number: u32| Evidence {
        output: Some(format!("line {number}")),
        ..evidence(number)
    };
    let mut incident = incident();
    incident.evidence = vec![wrote(1)];
    assert!(incident.persist(Severity::High, wrote(2)));
    assert_eq!(incident.output(), Some("line 2"));
    incident.close(IncidentState::Recovered, at(9));
    incident.reopen(Severity::High, evidence("silent"), at(10));
    assert_eq!(incident.output(), None);
    assert_eq!(incident.evidence[0].output.as_deref(), Some("line 1"));
    assert!(incident.persist(Severity::High, wrote(3)));
    assert_eq!(incident.output(), Some("line 3"));
}

/// What is done (`p` persist, `e` escalate, `v` verified, `h` healed, `u` unseen, `r` removed), and the state after it.
fn check(steps: &str, expected: IncidentState) {
    let mut incident = incident();
    for step in steps.chars() {
        match step {
            'p' => incident.persist(Severity::Critical, evidence("again")),
            'e' => incident.escalate(),
            'v' => incident.close(IncidentState::Recovered, at(9)),
            'u' => incident.close(IncidentState::Unseen, at(9)),
            'r' => incident.close(IncidentState::Removed, at(9)),
            _ => incident.close(IncidentState::SelfHealed, at(9)),
        };
    }
    assert_eq!(incident.state, expected, "after {steps}");
    assert_eq!(incident.closed_at.is_some(), !expected.is_open());
}

#[test]
fn an_incident_ends_as_what_ended_it_and_stays_so() {
    check("", IncidentState::Open);
    check("pp", IncidentState::Open);
    check("v", IncidentState::Recovered);
    check("h", IncidentState::SelfHealed);
    check("vh", IncidentState::Recovered);
    check("hpe", IncidentState::SelfHealed);
    check("e", IncidentState::Escalated);
    check("ep", IncidentState::Escalated);
    check("eh", IncidentState::SelfHealed);
    check("ev", IncidentState::Recovered);
    check("eu", IncidentState::Unseen);
    check("eur", IncidentState::Unseen);
    check("r", IncidentState::Removed);
}

proptest! {
    #[test]
    fn the_evidence_is_bounded_and_a_closed_incident_takes_nothing_up(steps in proptest::collection::vec(0_u8..4, 0..100)) {
        let mut incident = incident();
        for (number, step) in steps.into_iter().enumerate() {
            let before = incident.clone();
            let news = match step {
                // Evidence that tells itself apart, or pushing one out for another would look like no change.
                0 | 1 => incident.persist(Severity::Critical, evidence(number)),
                2 => incident.escalate(),
                _ => incident.close(IncidentState::SelfHealed, at(9)),
            };
            prop_assert_eq!(news, incident != before);
            prop_assert!(before.state.is_open() || !news);
            prop_assert!(incident.evidence.len() <= FIRST_EVIDENCE + LAST_EVIDENCE);
        }
    }
}
