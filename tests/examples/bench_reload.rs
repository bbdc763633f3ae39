//! `cargo run --release -p mainstay-tests --example bench_reload -- [SWAPS]`: from the close of a new plugin's file to the
//! first call that it serves, once with its compiled code in the cache and once without. Judges nothing.

use mainstay_domain::name::PluginName;
use mainstay_runtime::{HostOptions, PluginHost, observer::LogObserver};
use mainstay_tests::{
    campaign::{Nothing, answer_of, recover_request},
    guest, print_spread,
};
use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

#[tokio::main]
async fn main() {
    let swaps: u32 = std::env::args()
        .nth(1)
        .map_or(100, |text| text.parse().expect("the number of swaps"));
    let versions = [("1.0.0", &[][..]), ("1.0.1", &["v1_0_1"])]
        .map(|(version, features)| (version, fs::read(guest("probe", features)).unwrap()));
    let directory = tempfile::TempDir::new().unwrap();
    let plugins = directory.path().join("plugins");
    fs::create_dir(&plugins).unwrap();
    fs::write(plugins.join("probe.wasm"), &versions[0].1).unwrap();
    let options = HostOptions {
        state_dir: Some(directory.path().join("state")),
        ..HostOptions::new(&plugins)
    };
    let host = PluginHost::start(options, Arc::new(Nothing), Arc::new(LogObserver))
        .await
        .unwrap();
    let kilobytes = versions[0].1.len() / 1000;
    // Version 1.0.1 is compiled by the first swap, which is not counted.
    swap(&host, &plugins, versions[1].0, &versions[1].1).await;
    let mut cached = Vec::new();
    for (version, bytes) in versions.iter().cycle().take(swaps as usize) {
        cached.push(swap(&host, &plugins, version, bytes).await);
    }
    print_spread(&format!("close to served, cached, {kilobytes} kB"), cached);
    let mut uncached = Vec::new();
    for (number, (version, bytes)) in (0..swaps).zip(versions.iter().cycle()) {
        let bytes = with_section(bytes, number);
        uncached.push(swap(&host, &plugins, version, &bytes).await);
    }
    print_spread(
        &format!("close to served, uncached, {kilobytes} kB"),
        uncached,
    );
}

/// Writes the file in place, and calls until the version answers.
async fn swap(host: &PluginHost, plugins: &Path, version: &str, bytes: &[u8]) -> Duration {
    let (name, request) = (PluginName::parse("probe").unwrap(), recover_request());
    let wanted = format!("probe {version}");
    fs::write(plugins.join("probe.wasm"), bytes).unwrap();
    let begin = Instant::now();
    loop {
        if answer_of(host, &name, &request).await == wanted {
            return begin.elapsed();
        }
        // Asking without a pause would take a core from the compiler.
        tokio::time::sleep(Duration::from_micros(500)).await;
    }
}

/// The same component under another digest: a custom section more.
fn with_section(component: &[u8], number: u32) -> Vec<u8> {
    let name = b"bench";
    let mut section = vec![0, 1 + 5 + 4, 5];
    section.extend(name);
    section.extend(number.to_le_bytes());
    [component, &section].concat()
}
