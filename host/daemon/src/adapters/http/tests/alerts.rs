//! Alerts on their way out: whatever foreign text is in one, it names no secret.
//!
//! Every text of an alert comes from one event, from its message, its plugin and its data, or is a name that has no `$`.
//! Foreign are: what checks saw, of programs, HTTP bodies and files; what handlers report, fail with and ask of people;
//! what plugins say of themselves, log and trap with; the reason why a plugin, a config or a backup was refused, with
//! names of files; errors of retention and drills; and who decided what by the API, and why. So it is shown of every kind
//! of event and of every place for a text in it. The name of a failure is no such place, for it is checked.

use super::*;
use mainstay_domain::{
    alert::{Alert, alerts_for, never_alerts},
    event::{ConfigRejected, Event, EventData, EventKind, OperationEnded},
    id::{IdSource, OperationId},
    name::{FailureType, PluginName, TargetName},
    operation::{Mode, Operation},
    severity::Severity,
    spec::AlertRoute,
    time::Timestamp,
};

/// What a check printed that wants the secret of the alerter, and one that nobody has.
const FOREIGN: &str = "${secret:token} ${secret:nosuch} ${secret:";

fn event(kind: EventKind, message: &str) -> Event {
    let at = Timestamp::from_millis(1_700_000_000_000);
    let operation = OperationId::parse("op-01K0000000000000000000000A").unwrap();
    Event::new(kind, Severity::High, at, message)
        .with_target(&TargetName::parse("api").unwrap())
        .with_operation(&operation)
}

/// The end of an operation in whose texts there is a foreign one, once in each.
fn ends() -> Vec<EventData> {
    let end = |foreign: fn(&mut Operation)| {
        let mut operation = Operation::scheduled(
            OperationId::parse("op-01K0000000000000000000000A").unwrap(),
            TargetName::parse("api").unwrap(),
            FailureType::parse("api-gateway-down").unwrap(),
            Severity::High,
            Mode::Automatic,
            Timestamp::from_millis(0),
        );
        foreign(&mut operation);
        EventData::from(OperationEnded::of(&operation, false, false))
    };
    vec![
        end(|operation| operation.error = Some(FOREIGN.to_owned())),
        end(|operation| operation.actions = vec!["restarted".to_owned(), FOREIGN.to_owned()]),
        end(|operation| operation.steps = vec!["look".to_owned(), FOREIGN.to_owned()]),
    ]
}

/// The alert about an event that a route asks for.
fn alert(event: &Event) -> Alert {
    let route = AlertRoute {
        min_severity: Severity::Low,
        events: vec![event.kind],
        target: None,
        alerter: PluginName::parse("webhook").unwrap(),
        version: semver::VersionReq::STAR,
        grouping: None,
    };
    let mut entries = alerts_for(event, &[route], "host", &mut IdSource::new(7));
    assert_eq!(entries.len(), 1, "{event:?}");
    entries.remove(0).alert
}

/// Posts it as the webhook does, with the operator's own secret in a header; what the receiver hears.
async fn post(client: &EgressClient, server: &Server, alert: &Alert) -> String {
    let mut request = request(HttpMethod::Post, server.url("/alerts"));
    request.headers = headers(&[("authorization", seen("Bearer ${secret:token}").as_str())]);
    request.body = serde_json::to_vec(alert).unwrap().into();
    let granted = vec![server.origin.clone()];
    let timeout = Duration::from_secs(20);
    let sent = client.send(
        request,
        granted,
        handles(),
        None,
        timeout,
        AnswerBound::Cut(10_000),
    );
    sent.await.unwrap();
    server.heard().pop().unwrap()
}

/// It arrives as it was written, and the secret where the operator wrote it.
async fn check(client: &EgressClient, server: &Server, event: &Event) {
    let alert = alert(event);
    let heard = post(client, server, &alert).await;
    let (head, body) = heard.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, serde_json::to_string(&alert).unwrap());
    assert!(body.contains(FOREIGN), "this proves nothing: {body}");
    assert!(!body.contains("hunter22"), "{body}");
    assert!(head.contains("authorization: Bearer hunter22"), "{head}");
}

#[tokio::test]
async fn evidence_that_names_secrets_is_delivered_as_text() {
    let server = Server::start(|_| ok("")).await;
    let client = EgressClient::new(Arc::new(OneSecret)).unwrap();
    let message = format!("api has api-gateway-down: `look` exited with code 1: {FOREIGN}");
    check(
        &client,
        &server,
        &event(EventKind::IncidentOpened, &message),
    )
    .await;
}

#[tokio::test]
async fn no_text_that_reaches_an_alert_names_a_secret() {
    let server = Server::start(|_| ok("")).await;
    let client = EgressClient::new(Arc::new(OneSecret)).unwrap();
    let kinds = EventKind::ALL.iter().copied();
    for kind in kinds.filter(|kind| !never_alerts(*kind)) {
        check(&client, &server, &event(kind, FOREIGN)).await;
        check(&client, &server, &event(kind, "").with_plugin(FOREIGN)).await;
        let refused = ConfigRejected {
            error: FOREIGN.to_owned(),
        };
        for data in ends().into_iter().chain([EventData::from(refused)]) {
            check(&client, &server, &event(kind, "").with_data(data)).await;
        }
    }
}
