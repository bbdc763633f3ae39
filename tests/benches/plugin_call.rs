//! `cargo bench -p mainstay-tests --bench plugin_call`: one handler call with one effect in a fresh store and instance,
//! beside what starting a process costs, in one run.

use criterion::{Criterion, criterion_group, criterion_main};
use mainstay_domain::{
    call::RecoverRequest,
    effect::{Answer, Effect, EffectResult},
    id::{IdSource, OperationId},
    name::{FailureType, TargetName},
    severity::Severity,
    spec::{Grants, PluginSpec, TargetGrant, TargetVerb},
    time::Timestamp,
};
use mainstay_runtime::{
    Call, EffectPort, Engine, Loader, LoaderOptions, LogLine, Plugin, effects::Boxed,
};
use std::{hint::black_box, process::Command, sync::Arc, time::Duration};

/// Does nothing, at once: what is measured is the host.
struct Nothing;

impl EffectPort for Nothing {
    fn perform<'a>(&'a self, _: &'a Call, _: Effect) -> Boxed<'a, EffectResult> {
        Box::pin(std::future::ready(Ok(Answer::Done)))
    }

    fn log(&self, _: &Call, _: LogLine) {}
}

fn request() -> RecoverRequest {
    let now = Timestamp::from_millis(1_700_000_000_000);
    RecoverRequest {
        operation: OperationId::new(IdSource::new(1).next(now)),
        incident: None,
        target: TargetName::parse("web").unwrap(),
        failure: FailureType::parse("service-down").unwrap(),
        severity: Severity::High,
        recurrence: 0,
        attempt: 1,
        max_attempts: 5,
        phase: "normal".to_owned(),
        detected_at: now,
        remaining: Some(Duration::from_secs(30)),
        evidence: Vec::new(),
        fencing: 1,
        dry_run: false,
        params: serde_json::json!({}),
    }
}

async fn load() -> Plugin {
    let options = LoaderOptions::new(Engine::new().unwrap(), Arc::new(Nothing));
    let loader = Loader::new(options).unwrap();
    let candidate = loader
        .load_file(&mainstay_tests::plugin("restart-service"))
        .await
        .unwrap();
    let target = [TargetGrant {
        verb: TargetVerb::Restart,
        target: None,
    }]
    .into_iter()
    .collect();
    let grants = Grants {
        target,
        ..Grants::default()
    };
    loader
        .configure(
            &candidate,
            &PluginSpec {
                grants,
                ..PluginSpec::default()
            },
        )
        .await
        .unwrap()
}

fn calls(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let plugin = runtime.block_on(load());
    let request = request();
    criterion.bench_function(
        "handler call, fresh store and instance, one effect",
        |bencher| {
            bencher.to_async(&runtime).iter(|| async {
                black_box(
                    plugin
                        .recover(&request, Duration::from_secs(10))
                        .await
                        .unwrap()
                        .unwrap(),
                )
            });
        },
    );
    criterion.bench_function("spawn of /bin/true", |bencher| {
        bencher.iter(|| Command::new("/bin/true").status().unwrap());
    });
}

criterion_group!(benches, calls);
criterion_main!(benches);
