//! The worlds that contract 1.1.0 brought, each called by the runtime itself: what a guest gets and gives.

use mainstay_domain::{
    backup::BackupType,
    blob::Blob,
    call::{AttemptRecord, CollectFailure, CollectRequest, Cursor, NextStep, Situation},
    effect::{Answer, Effect, EffectError, EffectResult, HttpResponse},
    name::{FailureType, JobName, TargetName},
    plugin::PluginKind,
    severity::Severity,
    spec::{Grants, HttpOrigin, PluginSpec},
    time::Timestamp,
};
use mainstay_runtime::{
    Call, EffectPort, EffectSession, Engine, Loader, LoaderOptions, LogLine, Plugin, Settling,
    effects::Boxed,
};
use mainstay_tests::{campaign::recover_request, plugin};
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

const LONG: Duration = Duration::from_secs(30);
const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// An API that answers by URL; what it does not know cannot be reached.
#[derive(Clone, Default)]
struct Api(Arc<BTreeMap<String, (u16, &'static str)>>);

impl EffectSession for Api {
    fn perform(&mut self, effect: Effect) -> Boxed<'_, EffectResult> {
        let Effect::HttpSend(request) = effect else {
            return Box::pin(std::future::ready(Ok(Answer::Now(NOW))));
        };
        let answer = match self.0.get(&request.url) {
            Some((status, body)) => Ok(Answer::Response(HttpResponse {
                status: *status,
                headers: Vec::new(),
                body: Blob(body.as_bytes().to_vec()),
            })),
            None => Err(EffectError::Unavailable(format!(
                "{} is not there",
                request.url
            ))),
        };
        Box::pin(std::future::ready(answer))
    }

    fn settle(self: Box<Self>) -> Settling {
        Settling::Done(0)
    }
}

impl EffectPort for Api {
    fn begin(&self, _: &Arc<Call>) -> Box<dyn EffectSession> {
        Box::new(self.clone())
    }

    fn log(&self, _: &Call, _: LogLine) {}
}

async fn loaded(name: &str, api: Api, spec: PluginSpec) -> Plugin {
    let options = LoaderOptions::new(Engine::new().unwrap(), Arc::new(api));
    let loader = Loader::new(options).unwrap();
    let candidate = loader.load_file(&plugin(name)).await.unwrap();
    loader.configure(&candidate, &spec).await.unwrap()
}

#[tokio::test]
async fn there_is_a_plugin_of_each_world_and_of_no_other_it_can_be_called() {
    for (name, kind) in [
        ("latency-trend", PluginKind::Detector),
        ("fibonacci-strategy", PluginKind::RecoveryStrategy),
        ("drain-restart", PluginKind::DurableRecoveryHandler),
    ] {
        let spec = match name {
            "drain-restart" => PluginSpec {
                settings: json!({ "command": "drain" }),
                ..PluginSpec::default()
            },
            _ => PluginSpec::default(),
        };
        let plugin = loaded(name, Api::default(), spec).await;
        assert_eq!(plugin.kind(), kind);
        assert_eq!(plugin.shape().built_against.to_string(), "1.1.0");
        let recovered = plugin.recover(&recover_request(), 0, LONG).await.called;
        // The durable one was not granted its command; that is an answer.
        match kind.serves_as() {
            PluginKind::RecoveryHandler => assert!(recovered.unwrap().is_err()),
            _ => {
                let error = recovered.unwrap_err().to_string();
                let words = format!("`recover` is not a function of its world, {kind}");
                assert!(error.ends_with(&words), "{error}");
            }
        }
    }
}

fn first_page() -> CollectRequest {
    CollectRequest {
        job: JobName::parse("state").unwrap(),
        backup_type: BackupType::Full,
        started_at: NOW,
        since: None,
        at: Cursor {
            run: "run-1".to_owned(),
            position: Vec::new(),
        },
        page_bytes: 64 << 10,
    }
}

#[tokio::test]
async fn a_backup_source_gives_its_pages_one_after_the_other() {
    const FIRST: &str = r#"{"documents": [{"key": "a", "value": {"b": 1}}], "next": "2"}"#;
    const LAST: &str =
        r#"{"documents": [{"key": "c", "value": 2}], "removed": ["d"], "watermark": "7"}"#;
    let api = Api(Arc::new(BTreeMap::from([
        ("http://api.example/x".to_owned(), (200, FIRST)),
        ("http://api.example/x?cursor=2".to_owned(), (200, LAST)),
        ("http://api.example/x?since=7".to_owned(), (409, "")),
    ])));
    let origin = HttpOrigin {
        scheme: "http".to_owned(),
        host: "api.example".to_owned(),
        port: 80,
    };
    let spec = PluginSpec {
        settings: json!({ "url": "http://api.example/x" }),
        grants: Grants {
            http: [origin].into(),
            ..Grants::default()
        },
        ..PluginSpec::default()
    };
    let source = loaded("http-export", api, spec).await;
    assert_eq!(source.kind(), PluginKind::BackupSource);
    let mut request = first_page();
    let first = source.collect(&request, LONG).await.unwrap().unwrap();
    assert_eq!(
        (first.parts[0].key.as_str(), first.parts[0].last),
        ("a", true)
    );
    assert_eq!(first.parts[0].bytes, br#"{"b":1}"#);
    request.at = first.next.unwrap();
    assert_eq!(request.at.run, "run-1");
    let last = source.collect(&request, LONG).await.unwrap().unwrap();
    assert_eq!((last.parts[0].key.as_str(), &last.next), ("c", &None));
    assert_eq!(last.removed, ["d"]);
    let next_run = CollectRequest {
        since: last.watermark,
        ..first_page()
    };
    let changed = source.collect(&next_run, LONG).await.unwrap().unwrap_err();
    assert!(
        matches!(changed, CollectFailure::ChangedUnderneath(_)),
        "{changed}"
    );
}

#[tokio::test]
async fn a_strategy_sees_the_attempts_and_its_parameters() {
    let strategy = loaded("fibonacci-strategy", Api::default(), PluginSpec::default()).await;
    let attempt = |number| AttemptRecord {
        number,
        began: NOW,
        ended: NOW,
        handler: "restart-service".to_owned(),
        version: "1.0.0".to_owned(),
        error: "it did not start".to_owned(),
    };
    let situation = |params| Situation {
        target: TargetName::parse("web").unwrap(),
        failure: FailureType::parse("service-down").unwrap(),
        severity: Severity::High,
        recurrence: 0,
        phase: "normal".to_owned(),
        now: NOW,
        detected_at: NOW,
        remaining: None,
        attempts: (1..=5).map(attempt).collect(),
        params,
    };
    for (params, expected) in [
        (json!({}), NextStep::AttemptAfter(Duration::from_secs(5))),
        (
            json!({ "unit": "10ms" }),
            NextStep::AttemptAfter(Duration::from_millis(50)),
        ),
        (
            json!({ "ask_after": 5 }),
            NextStep::Escalate("5 attempts did not help".to_owned()),
        ),
    ] {
        let next = strategy.next(&situation(params), LONG).await.unwrap();
        assert_eq!(next, Ok(expected));
    }
    let refused = strategy.next(&situation(json!({ "unit": 7 })), LONG).await;
    let why = refused.unwrap().unwrap_err();
    assert!(why.contains("unit"), "{why}");
}
