//! Names, requirements and versions.

use super::{NotServing, Registry, Versioned};
use mainstay_domain::{
    name::{FailureType, PluginName},
    plugin::PluginKind,
};
use semver::{Version, VersionReq};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::SeqCst},
};

struct Entry {
    name: PluginName,
    version: Version,
    handles: Vec<FailureType>,
    resting: AtomicBool,
}

impl Versioned for Entry {
    fn kind(&self) -> PluginKind {
        PluginKind::RecoveryHandler
    }
    fn name(&self) -> &PluginName {
        &self.name
    }
    fn version(&self) -> &Version {
        &self.version
    }
    fn handles(&self) -> &[FailureType] {
        &self.handles
    }
    fn is_resting(&self) -> bool {
        self.resting.load(SeqCst)
    }
}

fn entry(name: &str, version: &str) -> Arc<Entry> {
    Arc::new(Entry {
        name: PluginName::parse(name).unwrap(),
        version: Version::parse(version).unwrap(),
        handles: vec![FailureType::parse("redis-down").unwrap()],
        resting: AtomicBool::new(false),
    })
}

fn registry(versions: &[&str]) -> Registry<Entry> {
    let registry = Registry::default();
    registry
        .register_batch(
            versions
                .iter()
                .map(|version| entry("fixer", version))
                .collect(),
        )
        .unwrap();
    registry
}

fn get(registry: &Registry<Entry>, name: &str, requirement: &str) -> Result<String, NotServing> {
    let name = PluginName::parse(name).unwrap();
    let requirement = VersionReq::parse(requirement).unwrap();
    let found = registry.get(PluginKind::RecoveryHandler, &name, &requirement);
    found.map(|entry| entry.version.to_string())
}

#[test]
fn the_newest_version_that_matches_serves() {
    let registry = registry(&["1.2.0", "2.0.0", "1.10.0", "1.9.0", "2.1.0-rc.1"]);
    for (requirement, version) in [
        ("*", "2.0.0"),
        ("^1", "1.10.0"),
        ("~1.9", "1.9.0"),
        ("=1.2.0", "1.2.0"),
        (">=2", "2.0.0"),
        ("^2.1.0-rc.1", "2.1.0-rc.1"),
    ] {
        assert_eq!(
            get(&registry, "fixer", requirement).as_deref(),
            Ok(version),
            "{requirement}"
        );
    }
}

#[test]
fn build_metadata_never_takes_over_a_pin_and_is_chosen_by_its_order_elsewhere() {
    for versions in [
        ["1.0.0", "1.0.0+zzz", "1.0.0+abc"],
        ["1.0.0+zzz", "1.0.0+abc", "1.0.0"],
    ] {
        let registry = registry(&versions);
        assert_eq!(get(&registry, "fixer", "=1.0.0").as_deref(), Ok("1.0.0"));
        assert_eq!(get(&registry, "fixer", "^1").as_deref(), Ok("1.0.0+zzz"));
    }
    let error = get(&registry(&["1.0.0+zzz"]), "fixer", "=1.0.0").unwrap_err();
    let text = error.to_string();
    assert!(text.contains("`=1.0.0`; there is 1.0.0+zzz"), "{text}");
}

#[test]
fn what_does_not_serve_says_what_does() {
    let registry = registry(&["1.2.0", "1.3.0"]);
    let text = |name, requirement| get(&registry, name, requirement).unwrap_err().to_string();
    assert_eq!(
        text("fixer", "^2"),
        "no version of `fixer` matches `^2`; there are 1.3.0, 1.2.0 [MS-0304]"
    );
    assert_eq!(
        text("other", "*"),
        "no recovery-handler named `other` is serving; there is fixer [MS-0304]"
    );
    let name = PluginName::parse("fixer").unwrap();
    let error = registry
        .get(PluginKind::Alerter, &name, &VersionReq::STAR)
        .map(drop)
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "no alerter named `fixer` is serving; there is none [MS-0304]"
    );
}

#[test]
fn a_resting_version_leaves_its_calls_to_the_last_good_one() {
    let registry = registry(&["1.0.0", "1.1.0"]);
    let [newest, oldest] = <[_; 2]>::try_from(registry.all()).ok().unwrap();
    newest.resting.store(true, SeqCst);
    assert_eq!(get(&registry, "fixer", "^1").as_deref(), Ok("1.0.0"));
    oldest.resting.store(true, SeqCst);
    let text = get(&registry, "fixer", "^1").unwrap_err().to_string();
    assert!(
        text.contains("failed too often and rests: 1.1.0, 1.0.0"),
        "{text}"
    );
    newest.resting.store(false, SeqCst);
    assert_eq!(get(&registry, "fixer", "^1").as_deref(), Ok("1.1.0"));
}

#[test]
fn a_batch_is_registered_as_a_whole_or_not_at_all() {
    let registry = registry(&["1.0.0"]);
    let batch = vec![entry("fixer", "1.1.0"), entry("fixer", "1.0.0")];
    let error = registry.register_batch(batch).unwrap_err();
    assert_eq!(error.to_string(), "fixer@1.0.0 is registered already");
    assert_eq!(get(&registry, "fixer", "*").as_deref(), Ok("1.0.0"));
}

#[test]
fn entries_come_and_go_by_name_and_version() {
    let registry = registry(&["1.0.0", "1.1.0"]);
    registry.register(entry("other", "0.1.0")).unwrap();
    let fixer = PluginName::parse("fixer").unwrap();
    assert!(registry.has(PluginKind::RecoveryHandler, &fixer));
    assert!(!registry.has(PluginKind::Alerter, &fixer));
    assert!(
        registry
            .unregister(&fixer, &Version::new(1, 1, 0))
            .is_some()
    );
    assert!(
        registry
            .unregister(&fixer, &Version::new(1, 1, 0))
            .is_none()
    );
    assert_eq!(get(&registry, "fixer", "*").as_deref(), Ok("1.0.0"));
    assert_eq!(registry.clear().len(), 2);
    assert!(!registry.has(PluginKind::RecoveryHandler, &fixer));
}

#[test]
fn two_plugins_for_one_failure_are_a_conflict_and_two_versions_are_not() {
    let registry = registry(&["1.0.0", "1.1.0"]);
    let redis_down = FailureType::parse("redis-down").unwrap();
    assert_eq!(registry.conflicts(), []);
    assert_eq!(registry.handlers_of(&redis_down).len(), 1);
    registry.register(entry("other", "0.1.0")).unwrap();
    let conflicts = registry.conflicts();
    assert_eq!(conflicts.len(), 1);
    assert_eq!(conflicts[0].failure, redis_down);
    assert_eq!(conflicts[0].plugins.len(), 2);
}

#[test]
fn a_reader_under_way_keeps_what_it_has_and_frees_it_when_done() {
    let registry = registry(&["1.0.0"]);
    let fixer = PluginName::parse("fixer").unwrap();
    let held = registry
        .get(PluginKind::RecoveryHandler, &fixer, &VersionReq::STAR)
        .unwrap();
    let weak = Arc::downgrade(&held);
    drop(registry.clear());
    assert!(weak.upgrade().is_some());
    drop(held);
    assert!(weak.upgrade().is_none());
}
