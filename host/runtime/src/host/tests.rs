//! The life of plugins in a directory, from the outside.
//!
//! Length: every case shares one setup.

use super::{HostOptions, PluginHost, Specs};
use crate::{
    compiler::{self, CompileError, Compiler},
    effects::Boxed,
    observer::{Observer, PluginEvent},
    plugin::Plugin,
    testing::{Guest, LONG, RESTART, Recorder, may_restart, request},
};
use mainstay_domain::{
    name::PluginName,
    plugin::{PluginKind, PluginRow, PluginState},
    plugin_file::FileRest,
    spec::PluginSpec,
};
use semver::VersionReq;
use std::{
    fs,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};
use tokio::sync::Semaphore;

const REST: FileRest = FileRest {
    settling: Duration::from_millis(60),
    patience: Duration::from_millis(400),
    limit: Duration::from_secs(20),
};

struct Setup {
    host: PluginHost,
    recorder: Arc<Recorder>,
    root: tempfile::TempDir,
}

impl Setup {
    async fn start(files: &[(&str, Vec<u8>)]) -> Self {
        let root = tempfile::tempdir().unwrap();
        let state = root.path().join("state");
        Self::start_in(root, Some(state), files).await
    }

    /// A host that keeps nothing.
    async fn start_without_state(files: &[(&str, Vec<u8>)]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), None, files).await
    }

    /// Another host over the same directories, once this one has ended.
    async fn restart(self, files: &[(&str, Vec<u8>)]) -> Self {
        let Self { host, root, .. } = self;
        host.stop().await;
        let state = root.path().join("state");
        Self::start_in(root, Some(state), files).await
    }

    async fn start_in(
        root: tempfile::TempDir,
        state_dir: Option<PathBuf>,
        files: &[(&str, Vec<u8>)],
    ) -> Self {
        fs::create_dir_all(root.path().join("drop")).unwrap();
        for (name, bytes) in files {
            fs::write(root.path().join("drop").join(name), bytes).unwrap();
        }
        let recorder = Arc::new(Recorder::default());
        let options = HostOptions {
            state_dir,
            rest: REST,
            rescan: Duration::from_millis(300),
            ..HostOptions::new(root.path().join("drop"))
        };
        let host = PluginHost::start(options, recorder.clone(), recorder.clone())
            .await
            .unwrap();
        Self {
            host,
            recorder,
            root,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join("drop").join(name)
    }

    /// Writes beside and renames into place, as a careful program does.
    fn drop_in(&self, name: &str, bytes: &[u8]) {
        let beside = self.root.path().join("beside");
        fs::write(&beside, bytes).unwrap();
        fs::rename(beside, self.path(name)).unwrap();
    }

    fn get(&self, requirement: &str) -> Option<Arc<Plugin>> {
        let name = PluginName::parse("fixer").unwrap();
        let requirement = VersionReq::parse(requirement).unwrap();
        self.host
            .get(PluginKind::RecoveryHandler, &name, &requirement)
            .ok()
    }

    fn version(&self, requirement: &str) -> Option<String> {
        self.get(requirement)
            .map(|plugin| plugin.identity().version.to_string())
    }

    async fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !condition(self) {
            assert!(
                began.elapsed() < LONG,
                "{what}; rows: {:#?}",
                self.host.rows()
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    fn heard(&self, wanted: impl Fn(&PluginEvent) -> bool) -> usize {
        self.recorder
            .events
            .lock()
            .iter()
            .filter(|event| wanted(event))
            .count()
    }

    fn state_of(&self, file: &str) -> Vec<PluginState> {
        let path = self.path(file).display().to_string();
        self.host
            .rows()
            .into_iter()
            .filter(|row| row.file.as_ref() == Some(&path))
            .map(|row| row.state)
            .collect()
    }
}

fn build(version: &'static str) -> Vec<u8> {
    Guest {
        version,
        recover: RESTART,
        ..Guest::default()
    }
    .build()
}

fn bad() -> Vec<u8> {
    let mut bytes = build("9.9.9");
    bytes.truncate(bytes.len() / 2);
    bytes
}

#[tokio::test]
async fn what_lies_in_the_directory_serves_at_the_start() {
    let setup = Setup::start(&[("a.wasm", build("1.0.0")), ("any name", build("1.1.0"))]).await;
    setup
        .until("both should serve", |setup| {
            setup.host.registry().all().len() == 2
        })
        .await;
    assert_eq!(setup.version("*").as_deref(), Some("1.1.0"));
    assert_eq!(setup.version("~1.0").as_deref(), Some("1.0.0"));
    assert_eq!(setup.state_of("a.wasm"), [PluginState::Serving]);
}

#[tokio::test]
async fn a_newer_version_takes_the_calls_and_the_old_file_goes_on_serving_its_own() {
    let setup = Setup::start(&[("a.wasm", build("1.0.0"))]).await;
    setup
        .until("the first should serve", |setup| {
            setup.version("*").is_some()
        })
        .await;
    setup.drop_in("b.wasm", &build("1.1.0"));
    setup
        .until("the newest should serve", |setup| {
            setup.version("^1").as_deref() == Some("1.1.0")
        })
        .await;
    assert_eq!(setup.version("=1.0.0").as_deref(), Some("1.0.0"));
}

#[tokio::test]
async fn a_replaced_version_finishes_its_calls_and_is_freed() {
    let setup = Setup::start(&[("a.wasm", build("1.0.0"))]).await;
    setup
        .until("the first should serve", |setup| {
            setup.version("*").is_some()
        })
        .await;
    setup
        .host
        .apply([(PluginName::parse("fixer").unwrap(), may_restart())].into())
        .await
        .unwrap();
    *setup.recorder.delay.lock() = Duration::from_millis(300);
    let old = setup.get("*").unwrap();
    let freed = Arc::downgrade(&old.loaded);
    let in_flight = tokio::spawn(async move { old.recover(&request(), 0, LONG).await.called });
    setup
        .until("the call should be in flight", |setup| {
            !setup.recorder.effects.lock().is_empty()
        })
        .await;

    setup.drop_in("a.wasm", &build("2.0.0"));
    setup
        .until("the new one should serve", |setup| {
            setup.version("*").as_deref() == Some("2.0.0")
        })
        .await;
    assert_eq!(setup.version("=1.0.0"), None, "no new calls");
    assert!(freed.upgrade().is_some(), "its call is in flight");
    let draining = |setup: &Setup| {
        setup
            .host
            .rows()
            .iter()
            .any(|row| row.state == PluginState::Draining)
    };
    assert!(draining(&setup));

    in_flight.await.unwrap().unwrap().unwrap();
    let ended = Instant::now();
    setup
        .until("the old one should be freed", |_| freed.upgrade().is_none())
        .await;
    assert!(ended.elapsed() < Duration::from_secs(1));
    assert!(!draining(&setup));
    assert_eq!(
        setup.heard(|event| matches!(event, PluginEvent::Draining { .. })),
        1
    );
    assert_eq!(
        setup.heard(|event| matches!(event, PluginEvent::Retired { .. })),
        1
    );
}

#[tokio::test]
async fn a_removed_file_retires_its_version() {
    let setup = Setup::start(&[("a.wasm", build("1.0.0")), ("b.wasm", build("1.1.0"))]).await;
    setup
        .until("both should serve", |setup| {
            setup.host.registry().all().len() == 2
        })
        .await;
    fs::remove_file(setup.path("b.wasm")).unwrap();
    setup
        .until("the older should serve", |setup| {
            setup.version("*").as_deref() == Some("1.0.0")
        })
        .await;
    setup
        .until("it should retire", |setup| {
            setup.heard(|event| matches!(event, PluginEvent::Retired { .. })) == 1
        })
        .await;
}

#[tokio::test]
async fn a_renamed_file_goes_on_serving_the_very_build() {
    let setup = Setup::start(&[("a.wasm", build("1.0.0"))]).await;
    let (old, new) = (setup.path("a.wasm"), setup.path("b.wasm"));
    // It was written long ago, so it is read as soon as it is seen.
    let written = SystemTime::now() - LONG;
    let file = fs::File::options().append(true).open(&old).unwrap();
    file.set_modified(written).unwrap();
    setup.host.rescan().await;
    let before = setup.get("*").expect("it serves");
    fs::rename(old, new).unwrap();
    setup
        .until("it should serve from its new name", |setup| {
            setup.state_of("b.wasm") == [PluginState::Serving]
        })
        .await;
    let specs = [(PluginName::parse("fixer").unwrap(), may_restart())];
    setup.host.apply(specs.into()).await.unwrap();
    let after = setup.get("*").unwrap();
    assert!(Arc::ptr_eq(&before.loaded, &after.loaded), "not built anew");
    drop(before);
    assert_eq!(
        setup.heard(|event| !matches!(event, PluginEvent::Serving { .. })),
        0
    );
}

#[tokio::test]
async fn a_directory_that_is_gone_and_made_again_is_followed_without_a_rescan() {
    let root = tempfile::tempdir().unwrap();
    let drop_directory = root.path().join("drop");
    let recorder = Arc::new(Recorder::default());
    let options = HostOptions {
        rest: REST,
        rescan: LONG * 10,
        ..HostOptions::new(&drop_directory)
    };
    let host = PluginHost::start(options, recorder.clone(), recorder.clone());
    let setup = Setup {
        host: host.await.unwrap(),
        recorder,
        root,
    };
    for version in ["1.0.0", "1.1.0", "1.2.0"] {
        setup.drop_in("a.wasm", &build(version));
        setup
            .until("what lies there should serve", |setup| {
                setup.version("*").as_deref() == Some(version)
            })
            .await;
        let away = setup.root.path().join(format!("before-{version}"));
        fs::rename(&drop_directory, away).unwrap();
        // The host sees that it is gone; what serves goes on.
        setup.host.rescan().await;
        assert_eq!(setup.version("*").as_deref(), Some(version));
        fs::create_dir(&drop_directory).unwrap();
    }
}

/// A directory that is listed while a file is renamed may show it under neither name.
#[tokio::test]
async fn a_file_that_is_renamed_while_the_directory_is_listed_goes_on_serving() {
    let setup = Setup::start(&[("a.wasm", build("1.0.0"))]).await;
    let names = [setup.path("a.wasm"), setup.path("b.wasm")];
    // A long list takes a while.
    for other in 0..300 {
        fs::write(setup.path(&format!(".{other}")), "").unwrap();
    }
    let file = fs::File::options().append(true).open(&names[0]).unwrap();
    file.set_modified(SystemTime::now() - LONG).unwrap();
    drop(file);
    setup.host.rescan().await;
    let before = setup.get("*").expect("it serves");
    for turn in 0..300 {
        let (from, to) = (names[turn % 2].clone(), names[(turn + 1) % 2].clone());
        let begun = Instant::now();
        let renaming = tokio::task::spawn_blocking(move || {
            let at = Duration::from_micros(turn as u64 * 7 % 1000);
            while begun.elapsed() < at {
                std::hint::spin_loop();
            }
            fs::rename(from, to)
        });
        setup.host.rescan().await;
        renaming.await.unwrap().unwrap();
        setup.host.rescan().await;
        let after = setup.get("*").expect("it still serves");
        assert!(Arc::ptr_eq(&before, &after), "built anew at turn {turn}");
    }
}

#[tokio::test]
async fn a_broken_replacement_is_refused_once_and_the_old_version_goes_on() {
    let setup = Setup::start(&[("a.wasm", build("1.0.0"))]).await;
    setup
        .until("it should serve", |setup| setup.version("*").is_some())
        .await;
    setup.drop_in("a.wasm", &bad());
    let rejected = |event: &PluginEvent| matches!(event, PluginEvent::Rejected { reason, .. } if reason.contains("truncated"));
    setup
        .until("it should be refused", |setup| setup.heard(rejected) == 1)
        .await;
    assert_eq!(setup.version("*").as_deref(), Some("1.0.0"));
    setup.host.rescan().await;
    assert_eq!(setup.heard(rejected), 1);
    assert_eq!(
        setup.heard(|event| matches!(event, PluginEvent::Draining { .. })),
        0
    );
    let mut states = setup.state_of("a.wasm");
    states.sort_by_key(|state| *state as u8);
    assert_eq!(states, [PluginState::Serving, PluginState::Rejected]);
}

#[tokio::test]
async fn a_refused_file_that_is_gone_or_holds_again_what_serves_is_told() {
    let setup = Setup::start(&[("a.wasm", build("1.0.0"))]).await;
    setup
        .until("it should serve", |setup| setup.version("*").is_some())
        .await;
    let rejected = |event: &PluginEvent| matches!(event, PluginEvent::Rejected { .. });
    let withdrawn = |event: &PluginEvent| matches!(event, PluginEvent::Withdrawn { .. });
    setup.drop_in("b.wasm", &bad());
    setup
        .until("it should be refused", |setup| setup.heard(rejected) == 1)
        .await;
    assert_eq!(setup.heard(withdrawn), 0);
    fs::remove_file(setup.path("b.wasm")).unwrap();
    setup
        .until("it should be told", |setup| setup.heard(withdrawn) == 1)
        .await;
    setup.drop_in("a.wasm", &bad());
    setup
        .until("it should be refused", |setup| setup.heard(rejected) == 2)
        .await;
    setup.drop_in("a.wasm", &build("1.0.0"));
    setup
        .until("it should be told", |setup| setup.heard(withdrawn) == 2)
        .await;
    assert_eq!(setup.version("*").as_deref(), Some("1.0.0"));
}

#[tokio::test]
async fn a_file_that_is_still_being_written_is_neither_loaded_nor_refused() {
    let setup = Setup::start(&[]).await;
    let whole = build("1.0.0");
    let path = setup.path("slow.wasm");
    for part in 1..=8 {
        // Closed after every part, which is the worst that a writer can do.
        fs::write(&path, &whole[..whole.len() * part / 9]).unwrap();
        tokio::time::sleep(Duration::from_millis(15)).await;
        assert_eq!(setup.version("*"), None);
    }
    fs::write(&path, &whole).unwrap();
    setup
        .until("it should serve when it is whole", |setup| {
            setup.version("*").is_some()
        })
        .await;
    assert_eq!(
        setup.heard(|event| matches!(event, PluginEvent::Rejected { .. })),
        0
    );
}

#[tokio::test]
async fn the_same_version_with_other_bytes_is_refused() {
    let setup = Setup::start(&[("a.wasm", build("1.0.0"))]).await;
    setup
        .until("it should serve", |setup| setup.version("*").is_some())
        .await;
    let digest = setup.get("*").unwrap().identity().digest.clone();
    let other = rebuilt();
    setup.drop_in("b.wasm", &other);
    let rejected = |event: &PluginEvent| matches!(event, PluginEvent::Rejected { reason, .. } if reason.contains("already there with other bytes"));
    setup
        .until("it should be refused", |setup| setup.heard(rejected) == 1)
        .await;
    setup.drop_in("a.wasm", &other);
    setup
        .until("it should be refused in place too", |setup| {
            setup.heard(rejected) == 2
        })
        .await;
    assert_eq!(setup.get("*").unwrap().identity().digest, digest);
}

/// The same name and version as `build("1.0.0")`, with other bytes.
fn rebuilt() -> Vec<u8> {
    Guest {
        version: "1.0.0",
        recover: "",
        ..Guest::default()
    }
    .build()
}

#[tokio::test]
async fn a_refused_build_serves_once_the_file_that_stood_in_its_way_is_removed_or_replaced() {
    let digest = blake3::hash(&rebuilt()).to_hex().to_string();
    for replacement in [None, Some(build("2.0.0"))] {
        // One that keeps its state knows that the version was another's; see below.
        let setup = Setup::start_without_state(&[("b.wasm", build("1.0.0"))]).await;
        for name in ["a.wasm", "c.wasm"] {
            setup.drop_in(name, &rebuilt());
            setup
                .until("it should be refused", |setup| {
                    setup.state_of(name) == [PluginState::Rejected]
                })
                .await;
        }
        match replacement {
            None => fs::remove_file(setup.path("b.wasm")).unwrap(),
            Some(bytes) => setup.drop_in("b.wasm", &bytes),
        }
        setup
            .until("it should serve", |setup| {
                setup
                    .get("=1.0.0")
                    .is_some_and(|plugin| plugin.identity().digest == digest)
            })
            .await;
        let refused = |row: &PluginRow| row.state == PluginState::Rejected;
        setup
            .until("no file should be refused any more", |setup| {
                !setup.host.rows().iter().any(refused)
            })
            .await;
    }
}

#[tokio::test]
async fn a_version_that_was_accepted_is_refused_with_other_bytes_for_good_until_it_is_forgotten() {
    let setup = Setup::start(&[("a.wasm", build("1.0.0"))]).await;
    setup
        .until("it should serve", |setup| setup.version("*").is_some())
        .await;
    fs::remove_file(setup.path("a.wasm")).unwrap();
    setup
        .until("it should be gone", |setup| setup.version("*").is_none())
        .await;
    setup.drop_in("b.wasm", &rebuilt());
    let refused = |setup: &Setup| setup.state_of("b.wasm") == [PluginState::Rejected];
    setup.until("it should be refused", refused).await;
    let setup = setup.restart(&[]).await;
    setup.until("it should be refused again", refused).await;
    assert_eq!(setup.version("*"), None);
    let forget = || {
        let name = PluginName::parse("fixer").unwrap();
        setup.host.forget(name, semver::Version::new(1, 0, 0))
    };
    assert!(forget().await.unwrap(), "it was pinned");
    setup
        .until("it should serve", |setup| setup.version("*").is_some())
        .await;
    let digest = blake3::hash(&rebuilt()).to_hex().to_string();
    assert_eq!(setup.get("*").unwrap().identity().digest, digest);
}

#[tokio::test]
async fn other_bytes_in_the_very_file_serve_once_their_version_is_forgotten() {
    let setup = Setup::start(&[("a.wasm", build("1.0.0"))]).await;
    setup
        .until("it should serve", |setup| setup.version("*").is_some())
        .await;
    let digest = |setup: &Setup| {
        setup
            .get("*")
            .map(|plugin| plugin.identity().digest.clone())
    };
    let first = digest(&setup);
    // The host does not run while the file is replaced.
    let setup = setup.restart(&[("a.wasm", rebuilt())]).await;
    setup
        .until("the first should serve", |setup| digest(setup) == first)
        .await;
    let name = PluginName::parse("fixer").unwrap();
    let forgotten = setup.host.forget(name, semver::Version::new(1, 0, 0));
    assert!(forgotten.await.unwrap());
    let other = blake3::hash(&rebuilt()).to_hex().to_string();
    setup
        .until("the other should serve", |setup| {
            digest(setup).as_ref() == Some(&other)
        })
        .await;
}

#[tokio::test]
async fn what_a_file_last_held_serves_after_a_restart_beside_what_is_broken_in_it() {
    let restored = |event: &PluginEvent| matches!(event, PluginEvent::Serving { is_restored, .. } if *is_restored);
    let good = [("a.wasm", build("1.0.0")), ("b.wasm", build("2.0.0"))];
    for is_broken_before in [true, false] {
        let setup = Setup::start(&good).await;
        setup
            .until("both should serve", |setup| {
                setup.host.registry().all().len() == 2
            })
            .await;
        assert_eq!(setup.heard(restored), 0);
        if is_broken_before {
            setup.drop_in("a.wasm", &bad());
            setup
                .until("it should be refused", |setup| {
                    setup.state_of("a.wasm").contains(&PluginState::Rejected)
                })
                .await;
        }
        // What is removed is not asked for any more.
        fs::remove_file(setup.path("b.wasm")).unwrap();
        setup
            .until("the other should be gone", |setup| {
                setup.version("^2").is_none()
            })
            .await;
        let setup = setup.restart(&[("a.wasm", bad())]).await;
        setup
            .until("the last good one should serve", |setup| {
                setup.version("*").as_deref() == Some("1.0.0")
            })
            .await;
        setup
            .until("the file should be refused", |setup| {
                let states = setup.state_of("a.wasm");
                states.contains(&PluginState::Rejected) && states.contains(&PluginState::Serving)
            })
            .await;
        assert_eq!(setup.heard(restored), 1);
        assert_eq!(setup.host.prune_store([].into()).unwrap(), 1, "2.0.0");
        // And after another restart, and until there is a better one.
        let setup = setup.restart(&[]).await;
        setup
            .until("it should serve still", |setup| {
                setup.version("*").as_deref() == Some("1.0.0")
            })
            .await;
        setup.drop_in("a.wasm", &build("1.1.0"));
        setup
            .until("the new one should serve alone", |setup| {
                setup.version("^1").as_deref() == Some("1.1.0")
                    && setup.host.registry().all().len() == 1
            })
            .await;
    }
}

#[tokio::test]
async fn a_fault_of_the_host_refuses_a_file_until_it_is_over() {
    let setup = Setup::start(&[]).await;
    let (store, away) = (
        setup.root.path().join("state/plugins"),
        setup.root.path().join("away"),
    );
    fs::rename(&store, &away).unwrap();
    fs::write(&store, b"").unwrap();
    setup.drop_in("a.wasm", &build("1.0.0"));
    let rejected = |event: &PluginEvent| matches!(event, PluginEvent::Rejected { reason, .. } if reason.contains("plugin store"));
    setup
        .until("it should be refused", |setup| setup.heard(rejected) == 1)
        .await;
    setup.host.rescan().await;
    assert_eq!(setup.version("*"), None);
    fs::remove_file(&store).unwrap();
    fs::rename(&away, &store).unwrap();
    setup
        .until("it should serve", |setup| setup.version("*").is_some())
        .await;
    assert_eq!(setup.heard(rejected), 1, "said once");
    assert_eq!(setup.state_of("a.wasm"), [PluginState::Serving]);
}

#[tokio::test]
async fn settings_are_applied_to_all_or_none_and_counters_go_on() {
    let refusing = Guest {
        name: "strict",
        configure: "(i32.store8 (i32.const 256) (i32.gt_u (local.get 1) (i32.const 2)))",
        ..Guest::default()
    };
    let setup = Setup::start(&[
        ("a.wasm", build("1.0.0")),
        ("strict.wasm", refusing.build()),
    ])
    .await;
    setup
        .until("both should serve", |setup| {
            setup.host.registry().all().len() == 2
        })
        .await;
    assert!(
        setup
            .get("*")
            .unwrap()
            .recover(&request(), 0, LONG)
            .await
            .called
            .unwrap()
            .is_err(),
        "nothing is granted"
    );

    let fixer = PluginName::parse("fixer").unwrap();
    let strict = PluginName::parse("strict").unwrap();
    let unwanted = PluginSpec {
        settings: serde_json::json!({"a": 1}),
        ..PluginSpec::default()
    };
    let specs: Specs = [(fixer.clone(), may_restart()), (strict, unwanted)].into();
    let error = setup.host.apply(specs).await.unwrap_err().to_string();
    assert!(
        error.contains("strict refuses `[plugin.strict] settings`"),
        "{error}"
    );
    assert!(
        setup
            .get("*")
            .unwrap()
            .recover(&request(), 0, LONG)
            .await
            .called
            .unwrap()
            .is_err(),
        "nothing was applied"
    );

    setup
        .host
        .apply([(fixer, may_restart())].into())
        .await
        .unwrap();
    assert!(
        setup
            .get("*")
            .unwrap()
            .recover(&request(), 0, LONG)
            .await
            .called
            .unwrap()
            .is_ok()
    );
    assert_eq!(setup.get("*").unwrap().counts().calls, 3);
    assert_eq!(
        setup.heard(|event| matches!(
            event,
            PluginEvent::Draining { .. } | PluginEvent::Retired { .. }
        )),
        0
    );
}

#[tokio::test]
async fn what_is_no_file_is_refused_and_told_once() {
    let setup = Setup::start(&[("a.wasm", build("1.0.0"))]).await;
    fs::create_dir(setup.path("directory.wasm")).unwrap();
    fs::create_dir(setup.path("directory")).unwrap();
    std::os::unix::fs::symlink("nowhere", setup.path("link.wasm")).unwrap();
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mkfifoat(rustix::fs::CWD, setup.path("fifo.wasm"), mode).unwrap();
    let names = ["directory.wasm", "link.wasm", "fifo.wasm"];
    setup
        .until("each should be refused", |setup| {
            let is_refused = |name: &&str| setup.state_of(name) == [PluginState::Rejected];
            names.iter().all(is_refused)
        })
        .await;
    assert!(
        setup.state_of("directory").is_empty(),
        "no plugin by its name"
    );
    setup.host.rescan().await;
    let refusals = |event: &PluginEvent| matches!(event, PluginEvent::Rejected { .. });
    assert_eq!(setup.heard(refusals), names.len(), "each is told once");
    assert_eq!(setup.version("*").as_deref(), Some("1.0.0"));
    fs::remove_file(setup.path("link.wasm")).unwrap();
    setup
        .until("it should be forgotten", |setup| {
            setup.state_of("link.wasm").is_empty()
        })
        .await;
}

#[tokio::test]
async fn settings_are_refused_where_what_they_name_was_refused_for_them_before() {
    check_refused_before(
        Guest {
            configure: "(i32.store8 (i32.const 256) (i32.gt_u (local.get 1) (i32.const 2)))",
            ..Guest::default()
        },
        "strict refuses `[plugin.strict] settings`",
    )
    .await;
}

#[tokio::test]
async fn settings_are_refused_where_the_schema_of_what_they_name_did_not_take_them_before() {
    check_refused_before(
        Guest::with_schema(r#"{"additionalProperties":false}"#),
        "`[plugin.strict] settings` are not what strict takes",
    )
    .await;
}

async fn check_refused_before(refusing: Guest, says: &str) {
    let refusing = Guest {
        name: "strict",
        ..refusing
    };
    let setup = Setup::start(&[]).await;
    let strict = PluginName::parse("strict").unwrap();
    let unwanted = || PluginSpec {
        settings: serde_json::json!({"a": 1}),
        ..PluginSpec::default()
    };
    let named: Specs = [(strict.clone(), unwanted())].into();
    setup.host.apply(named.clone()).await.unwrap();
    setup.drop_in("strict.wasm", &refusing.build());
    let rejected = |setup: &Setup| setup.state_of("strict.wasm") == [PluginState::Rejected];
    setup.until("it should be refused", rejected).await;
    let error = setup.host.check_settings(&named).unwrap_err().to_string();
    assert!(error.contains(says), "{error}");
    let mut others = named.clone();
    others.insert(PluginName::parse("fixer").unwrap(), may_restart());
    let error = setup.host.apply(others).await.unwrap_err().to_string();
    assert!(error.contains(says), "{error}");
    // What nobody names holds up nothing.
    setup.host.check_settings(&Specs::new()).unwrap();
    // And with settings that it takes it serves.
    let taken: Specs = [(strict, PluginSpec::default())].into();
    setup.host.apply(taken.clone()).await.unwrap();
    setup
        .until("it should serve", |setup| {
            setup.host.registry().all().len() == 1
        })
        .await;
    setup.host.check_settings(&taken).unwrap();
}

#[tokio::test]
async fn a_build_whose_file_is_gone_comes_back_by_its_digest() {
    let setup = Setup::start(&[("a.wasm", build("1.0.0"))]).await;
    setup
        .until("it should serve", |setup| setup.version("*").is_some())
        .await;
    let digest = setup.get("*").unwrap().identity().digest.clone();
    fs::remove_file(setup.path("a.wasm")).unwrap();
    setup
        .until("it should be gone", |setup| setup.version("*").is_none())
        .await;
    let kept = setup.host.by_digest(&digest, &may_restart()).await.unwrap();
    assert!(
        kept.recover(&request(), 0, LONG)
            .await
            .called
            .unwrap()
            .is_ok()
    );
    assert_eq!(setup.version("*"), None, "it serves no one else");
    let compiled = || {
        let files = fs::read_dir(setup.root.path().join("state/compiled"));
        files.unwrap().count()
    };
    assert_eq!(setup.host.prune_store([digest.clone()].into()).unwrap(), 0);
    assert_eq!(compiled(), 1);
    assert_eq!(setup.host.prune_store([].into()).unwrap(), 1);
    assert_eq!(compiled(), 0);
    assert!(setup.host.by_digest(&digest, &may_restart()).await.is_err());
}

#[tokio::test]
async fn a_hundred_swaps_under_load_lose_no_call() {
    let setup = Setup::start(&[("a.wasm", build("1.0.0"))]).await;
    let versions: Vec<Vec<u8>> = (0..20)
        .map(|minor| build(format!("1.{minor}.0").leak()))
        .collect();
    setup
        .until("it should serve", |setup| setup.version("*").is_some())
        .await;
    setup
        .host
        .apply([(PluginName::parse("fixer").unwrap(), may_restart())].into())
        .await
        .unwrap();
    let done = std::cell::Cell::new(false);
    let calls = async {
        let mut made = 0u32;
        while !done.get() {
            setup
                .get("^1")
                .expect("one always serves")
                .recover(&request(), 0, LONG)
                .await
                .called
                .unwrap()
                .unwrap();
            made += 1;
            tokio::task::yield_now().await;
        }
        made
    };
    let swaps = async {
        for round in 0..100 {
            let version = format!("1.{}.0", round % versions.len());
            setup.drop_in("a.wasm", &versions[round % versions.len()]);
            setup
                .until("it should swap", |setup| {
                    setup.version("*").as_deref() == Some(&version)
                })
                .await;
        }
        done.set(true);
    };
    let (made, ()) = tokio::join!(calls, swaps);
    assert!(made > 100, "{made}");
    assert_eq!(setup.host.registry().all().len(), 1);
}

/// A compiler that works apart, and does nothing before it may.
struct Waiting(Arc<Semaphore>);

impl Compiler for Waiting {
    fn is_apart(&self) -> bool {
        true
    }

    fn compile(&self, component: Arc<[u8]>) -> Boxed<'_, Result<Vec<u8>, CompileError>> {
        Box::pin(async move {
            let permit = self.0.acquire().await;
            permit
                .map_err(|_| CompileError::Ended("the compiler broke off".to_owned()))?
                .forget();
            compiler::compile(&component, false).map_err(CompileError::Component)
        })
    }
}

impl Setup {
    /// A host whose compiler compiles so many components as there are permits.
    async fn start_apart(root: tempfile::TempDir, permits: &Arc<Semaphore>) -> Self {
        Self::start_with(root, Arc::new(Waiting(permits.clone()))).await
    }

    async fn start_with(root: tempfile::TempDir, compiler: Arc<dyn Compiler>) -> Self {
        let recorder = Arc::new(Recorder::default());
        let options = HostOptions {
            state_dir: Some(root.path().join("state")),
            rest: REST,
            rescan: Duration::from_millis(300),
            compiler,
            ..HostOptions::new(root.path().join("drop"))
        };
        let host = PluginHost::start(options, recorder.clone(), recorder.clone());
        Self {
            host: host.await.unwrap(),
            recorder,
            root,
        }
    }
}

#[tokio::test]
async fn what_is_compiled_apart_holds_up_nothing_and_serves_when_it_is() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("drop")).unwrap();
    fs::write(root.path().join("drop/a.wasm"), build("1.0.0")).unwrap();
    let permits = Arc::new(Semaphore::new(0));
    let setup = Setup::start_apart(root, &permits).await;
    assert!(!setup.host.is_judged());
    assert_eq!(setup.state_of("a.wasm"), [PluginState::Found]);
    setup.drop_in("text.wasm", b"no component");
    setup
        .until("another to be refused meanwhile", |setup| {
            setup.state_of("text.wasm") == [PluginState::Rejected]
        })
        .await;
    assert_eq!(setup.state_of("a.wasm"), [PluginState::Found]);
    permits.add_permits(1);
    setup
        .until("it should serve", |setup| setup.version("*").is_some())
        .await;
    setup.host.judged().await;
    // What is in the cache serves when the next host has started.
    let Setup { host, root, .. } = setup;
    host.stop().await;
    let setup = Setup::start_apart(root, &permits).await;
    assert_eq!(setup.version("*").as_deref(), Some("1.0.0"));
    assert!(setup.host.is_judged());
}

#[tokio::test]
async fn a_compiler_that_breaks_off_is_a_refusal_and_the_last_good_component_serves_on() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("drop")).unwrap();
    let permits = Arc::new(Semaphore::new(1));
    let setup = Setup::start_apart(root, &permits).await;
    setup.drop_in("a.wasm", &build("1.0.0"));
    setup
        .until("it should serve", |setup| setup.version("*").is_some())
        .await;
    setup.drop_in("a.wasm", &build("2.0.0"));
    permits.close();
    let broken = |event: &PluginEvent| matches!(event, PluginEvent::Rejected { reason, .. } if reason.contains("broke off"));
    setup
        .until("it should be refused", |setup| setup.heard(broken) == 1)
        .await;
    assert_eq!(setup.version("*").as_deref(), Some("1.0.0"));
}

/// A compiler that works apart, and has done nothing yet but for what has this in it.
struct Only(&'static str);

impl Compiler for Only {
    fn is_apart(&self) -> bool {
        true
    }

    fn compile(&self, component: Arc<[u8]>) -> Boxed<'_, Result<Vec<u8>, CompileError>> {
        Box::pin(async move {
            let wanted = self.0.as_bytes();
            if !component.windows(wanted.len()).any(|part| part == wanted) {
                std::future::pending::<()>().await;
            }
            compiler::compile(&component, false).map_err(CompileError::Component)
        })
    }
}

impl Setup {
    async fn must_be_judged(&self) {
        let judged = tokio::time::timeout(LONG, self.host.judged());
        judged.await.expect("nothing is compiled any more");
    }
}

#[tokio::test]
async fn what_a_file_held_before_is_waited_for_no_more_once_what_it_holds_serves() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("drop")).unwrap();
    fs::write(root.path().join("drop/a.wasm"), build("1.0.0")).unwrap();
    let setup = Setup::start_with(root, Arc::new(Only("1.0.0"))).await;
    setup.must_be_judged().await;
    assert_eq!(setup.version("*").as_deref(), Some("1.0.0"));
    let Setup { host, root, .. } = setup;
    host.stop().await;
    // Another version of the host has nothing that was compiled.
    fs::remove_dir_all(root.path().join("state/compiled")).unwrap();
    fs::write(root.path().join("drop/a.wasm"), build("2.0.0")).unwrap();
    let setup = Setup::start_with(root, Arc::new(Only("2.0.0"))).await;
    setup.must_be_judged().await;
    assert_eq!(setup.version("*").as_deref(), Some("2.0.0"));
}

#[tokio::test]
async fn what_a_file_held_while_it_was_compiled_is_waited_for_no_more_once_it_holds_something_else()
{
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("drop")).unwrap();
    fs::write(root.path().join("drop/a.wasm"), build("1.0.0")).unwrap();
    fs::write(root.path().join("drop/b.wasm"), build("2.0.0")).unwrap();
    let setup = Setup::start_with(root, Arc::new(Only("2.0.0"))).await;
    setup
        .until("one should serve", |setup| setup.version("*").is_some())
        .await;
    assert!(!setup.host.is_judged());
    // What serves already.
    setup.drop_in("a.wasm", &build("2.0.0"));
    setup.must_be_judged().await;
}

/// A compiler that every component breaks, and how many did.
struct Broken(Arc<std::sync::atomic::AtomicUsize>);

impl Compiler for Broken {
    fn is_apart(&self) -> bool {
        true
    }

    fn compile(&self, _: Arc<[u8]>) -> Boxed<'_, Result<Vec<u8>, CompileError>> {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Box::pin(std::future::ready(Err(CompileError::Fatal(
            "compiling it took all there is".to_owned(),
        ))))
    }
}

#[tokio::test]
async fn what_broke_the_compiler_is_not_compiled_again_by_the_next_host() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("drop")).unwrap();
    fs::write(root.path().join("drop/bomb.wasm"), build("1.0.0")).unwrap();
    let compiled = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let mut root = Some(root);
    for start in 0..3 {
        let recorder = Arc::new(Recorder::default());
        let directory = root.take().unwrap();
        let options = HostOptions {
            state_dir: Some(directory.path().join("state")),
            rest: REST,
            rescan: Duration::from_millis(300),
            compiler: Arc::new(Broken(compiled.clone())),
            ..HostOptions::new(directory.path().join("drop"))
        };
        let host = PluginHost::start(options, recorder.clone(), recorder.clone());
        let setup = Setup {
            host: host.await.unwrap(),
            recorder,
            root: directory,
        };
        setup
            .until("it should be refused", |setup| {
                setup.state_of("bomb.wasm") == [PluginState::Rejected]
            })
            .await;
        let told = |event: &PluginEvent| matches!(event, PluginEvent::Rejected { reason, .. } if reason.contains("took all there is"));
        assert!(setup.heard(told) > 0, "start {start}");
        let needed = std::collections::BTreeSet::new();
        setup.host.prune_store(needed).unwrap();
        let Setup {
            host, root: left, ..
        } = setup;
        host.stop().await;
        root = Some(left);
    }
    assert_eq!(compiled.load(std::sync::atomic::Ordering::SeqCst), 1);
}

/// An observer that panics where a plugin is refused.
struct Fragile;

impl Observer for Fragile {
    fn observe(&self, event: PluginEvent) {
        assert!(
            !matches!(event, PluginEvent::Rejected { .. }),
            "out of luck"
        );
    }
}

#[tokio::test]
async fn where_the_directory_is_followed_no_more_that_is_told() {
    let root = tempfile::tempdir().unwrap();
    let options = HostOptions {
        rest: REST,
        rescan: Duration::from_millis(300),
        ..HostOptions::new(root.path().to_owned())
    };
    let effects = Arc::new(Recorder::default());
    let host = PluginHost::start(options, effects, Arc::new(Fragile))
        .await
        .unwrap();
    let broken = host.broken();
    fs::write(root.path().join("bad.wasm"), "no component").unwrap();
    let what = tokio::time::timeout(LONG, broken).await.unwrap();
    assert!(what.contains("out of luck"), "{what}");
    host.stop().await;
}
