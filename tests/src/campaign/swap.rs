//! A plugin is replaced again and again while calls run at full rate: by a slow, chunked copy, and by a rename.
//!
//! Five plugins serve; one of them changes its version with each swap. No call may fail, each must be answered by one
//! version or the other, every version that was replaced must be freed, and memory must stay flat.

use crate::{guest, plugin, resident_kb, wait_for};
use mainstay_domain::{
    call::RecoverRequest,
    effect::{Answer, Effect, EffectResult},
    id::{IdSource, OperationId},
    name::{FailureType, PluginName, TargetName},
    plugin::{PluginKind, PluginState},
    severity::Severity,
    time::Timestamp,
};
use mainstay_runtime::{
    Call, EffectPort, EffectSession, HostOptions, LogLine, PluginHost, Settling,
    effects::Boxed,
    observer::{Observer, PluginEvent},
};
use semver::VersionReq;
use std::{
    fs,
    io::Write,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// What a campaign saw.
#[derive(Debug, Clone)]
pub struct SwapReport {
    /// Swaps that were seen serving.
    pub swaps: u32,
    /// Calls that were answered.
    pub calls: u64,
    /// Replaced versions that were freed.
    pub retired: u64,
    /// Resident kilobytes after the first tenth, and at the end.
    pub resident_kb: (u64, u64),
}

/// Answers every effect at once, and numbers none.
pub struct Nothing;

impl EffectSession for Nothing {
    fn perform(&mut self, _: Effect) -> Boxed<'_, EffectResult> {
        Box::pin(std::future::ready(Ok(Answer::Done)))
    }

    fn settle(self: Box<Self>) -> Settling {
        Settling::Done(0)
    }
}

impl EffectPort for Nothing {
    fn begin(&self, _: &Arc<Call>) -> Box<dyn EffectSession> {
        Box::new(Nothing)
    }

    fn log(&self, _: &Call, _: LogLine) {}
}

#[derive(Default)]
struct Retirements(AtomicU64);

impl Observer for Retirements {
    fn observe(&self, event: PluginEvent) {
        if matches!(event, PluginEvent::Retired { .. }) {
            self.0.fetch_add(1, Relaxed);
        }
    }
}

/// A request to a handler that asks for nothing special.
pub fn recover_request() -> RecoverRequest {
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

/// Swaps `count` times; panics at the first call that fails.
pub async fn swap(count: u32) -> SwapReport {
    let directory = tempfile::TempDir::new().unwrap();
    let (plugins, state) = (
        directory.path().join("plugins"),
        directory.path().join("state"),
    );
    fs::create_dir(&plugins).unwrap();
    for name in [
        "restart-service",
        "corruption-restore",
        "gfs-retention",
        "age-retention",
    ] {
        fs::copy(plugin(name), plugins.join(format!("{name}.wasm"))).unwrap();
    }
    let versions =
        [guest("probe", &[]), guest("probe", &["v1_0_1"])].map(|path| fs::read(path).unwrap());
    fs::write(plugins.join("probe.wasm"), &versions[0]).unwrap();
    let retirements = Arc::new(Retirements::default());
    let options = HostOptions {
        state_dir: Some(state),
        ..HostOptions::new(&plugins)
    };
    let host = Arc::new(
        PluginHost::start(options, Arc::new(Nothing), retirements.clone())
            .await
            .unwrap(),
    );
    let stop = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..2)
        .map(|_| tokio::spawn(call_until(host.clone(), stop.clone())))
        .collect();
    let (host_of_swaps, mut resident) = (host.clone(), (0, 0));
    let swapping = tokio::task::spawn_blocking(move || {
        for number in 1..=count {
            let next = number as usize % 2;
            replace(&plugins, &versions[next], number % 4 < 2);
            wait_until_serving(&host_of_swaps, ["1.0.0", "1.0.1"][next]);
            if number == count / 10 {
                resident.0 = resident_kb(std::process::id());
            }
        }
        resident.1 = resident_kb(std::process::id());
        resident
    });
    let resident_kb = swapping.await.unwrap();
    stop.store(true, Relaxed);
    let mut calls = 0;
    for caller in callers {
        calls += caller.await.unwrap();
    }
    wait_for("every replaced version to be freed", || {
        let retired = retirements.0.load(Relaxed);
        if retired >= u64::from(count) {
            Ok(())
        } else {
            Err(format!("{retired} of {count}"))
        }
    });
    SwapReport {
        swaps: count,
        calls,
        retired: retirements.0.load(Relaxed),
        resident_kb,
    }
}

/// Calls the newest version of a handler, which must not fail; gives its first action.
pub async fn answer_of(host: &PluginHost, name: &PluginName, request: &RecoverRequest) -> String {
    let handler = host
        .get(PluginKind::RecoveryHandler, name, &VersionReq::STAR)
        .unwrap();
    let report = handler
        .recover(request, 0, Duration::from_secs(10))
        .await
        .called
        .unwrap()
        .unwrap();
    report.actions.into_iter().next().unwrap()
}

/// Calls at full rate; each must be answered, by one version or the other.
async fn call_until(host: Arc<PluginHost>, stop: Arc<AtomicBool>) -> u64 {
    let (name, request) = (PluginName::parse("probe").unwrap(), recover_request());
    let mut calls = 0;
    while !stop.load(Relaxed) {
        let answer = answer_of(&host, &name, &request).await;
        assert!(
            ["probe 1.0.0", "probe 1.0.1"].contains(&answer.as_str()),
            "{answer}"
        );
        calls += 1;
        tokio::task::yield_now().await;
    }
    calls
}

fn replace(plugins: &Path, bytes: &[u8], by_rename: bool) {
    let path = plugins.join("probe.wasm");
    if by_rename {
        let hidden = plugins.join(".probe.wasm.new");
        fs::write(&hidden, bytes).unwrap();
        fs::rename(hidden, path).unwrap();
        return;
    }
    let mut file = fs::File::create(path).unwrap();
    for chunk in bytes.chunks(bytes.len() / 8 + 1) {
        file.write_all(chunk).unwrap();
        file.flush().unwrap();
        // A copy over a slow network is what this is.
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn wait_until_serving(host: &PluginHost, version: &str) {
    wait_for("the new version to serve", || {
        let rows = host.rows();
        let is_it = |state, wanted: &str| {
            let named = |row: &&mainstay_domain::plugin::PluginRow| {
                row.state == state
                    && row
                        .name
                        .as_ref()
                        .is_some_and(|name| name.as_str() == "probe")
            };
            rows.iter().filter(named).any(|row| {
                row.version
                    .as_ref()
                    .is_some_and(|v| v.to_string() == wanted)
            })
        };
        if is_it(PluginState::Serving, version) {
            Ok(())
        } else {
            Err(format!("{rows:?}"))
        }
    });
}
