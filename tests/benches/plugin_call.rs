//! `cargo bench -p mainstay-tests --bench plugin_call`: one handler call with one effect in a fresh store and instance,
//! beside what starting a process costs, in one run.

use criterion::{Criterion, criterion_group, criterion_main};
use mainstay_domain::spec::{Grants, PluginSpec, TargetGrant, TargetVerb};
use mainstay_runtime::{Engine, Loader, LoaderOptions, Plugin};
use mainstay_tests::campaign::{Nothing, recover_request};
use std::{hint::black_box, process::Command, sync::Arc, time::Duration};

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
    let request = recover_request();
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
