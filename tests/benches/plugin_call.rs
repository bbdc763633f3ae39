//! `cargo bench -p mainstay-benches --bench plugin_call`: one handler call with one effect in a fresh store and instance,
//! beside what a call costs in an instance that is kept, and what starting a process costs, in one run.
//!
//! Mainstay keeps no instance: every call has a fresh one. The warm call is the floor that this is measured against.

use criterion::{Criterion, criterion_group, criterion_main};
use mainstay_domain::spec::{Grants, PluginSpec, TargetGrant, TargetVerb};
use mainstay_runtime::{Engine, Loader, LoaderOptions, Plugin};
use mainstay_tests::campaign::{Nothing, recover_request};
use std::{
    hint::black_box,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};
use wasmtime::{
    Store,
    component::{Component, Linker, TypedFunc},
};

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

/// A component that gives back the length of a text.
const LENGTH_OF: &str = r#"(component
    (core module $m
        (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
        (func (export "length") (param i32 i32) (result i32) local.get 1))
    (core instance $i (instantiate $m))
    (func (export "length") (param "text" string) (result u32)
        (canon lift (core func $i "length") (memory $i "memory") (realloc (func $i "realloc")))))"#;

/// One instance that is kept, on an engine like the host's.
struct Warm {
    store: Store<()>,
    length: TypedFunc<(&'static str,), (u32,)>,
}

impl Warm {
    async fn load() -> Self {
        let mut config = wasmtime::Config::new();
        config.epoch_interruption(true).concurrency_support(false);
        let engine = wasmtime::Engine::new(&config).unwrap();
        let component = Component::new(&engine, wat::parse_str(LENGTH_OF).unwrap()).unwrap();
        let mut store = Store::new(&engine, ());
        store.set_epoch_deadline(1);
        let linker = Linker::new(&engine);
        let instance = linker
            .instantiate_async(&mut store, &component)
            .await
            .unwrap();
        let length = instance.get_typed_func(&mut store, "length").unwrap();
        Self { store, length }
    }

    async fn call(&mut self) -> u32 {
        let (length,) = self
            .length
            .call_async(&mut self.store, ("restarted",))
            .await
            .unwrap();
        length
    }
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
                        .recover(&request, 0, Duration::from_secs(10))
                        .await
                        .called
                        .unwrap()
                        .unwrap(),
                )
            });
        },
    );
    let mut warm = runtime.block_on(Warm::load());
    criterion.bench_function("warm call, instance kept, no effect", |bencher| {
        // The runtime is entered once for many calls, as a task of the host would make them.
        bencher.iter_custom(|count| {
            runtime.block_on(async {
                let begin = Instant::now();
                for _ in 0..count {
                    black_box(warm.call().await);
                }
                begin.elapsed()
            })
        });
    });
    criterion.bench_function("spawn of /bin/true", |bencher| {
        bencher.iter(|| Command::new("/bin/true").status().unwrap());
    });
}

criterion_group!(benches, calls);
criterion_main!(benches);
