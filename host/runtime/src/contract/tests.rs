//! Worlds and versions, by components with nothing in them.

use super::{ContractError, ContractVersion, check};
use crate::contract_version::serving;
use mainstay_domain::plugin::PluginKind;
use semver::Version;

fn version(text: &str) -> Version {
    Version::parse(text).unwrap()
}

#[test]
fn a_contract_serves_its_major_version_up_to_its_own_minor() {
    let ours = ["1.0.0", "1.1.0", "1.2.0-rc.1", "1.2.0"].map(version);
    for (found, serves) in [
        ("1.0.0", Some("1.0.0")),
        ("1.0.7", Some("1.0.0")),
        ("1.1.0", Some("1.1.0")),
        ("1.2.0", Some("1.2.0")),
        ("1.3.0", None),
        ("2.0.0", None),
        ("0.9.0", None),
        ("1.2.0-rc.1", Some("1.2.0-rc.1")),
        ("1.2.0-rc.2", None),
        ("1.1.0-rc.1", None),
    ] {
        let served = serving(&version(found), &ours).map(|at| ours[at].to_string());
        assert_eq!(served.as_deref(), serves, "built against {found}");
    }
}

/// A component that imports and exports empty instances: enough for what is checked before anything runs. Nothing in
/// it has a name, so that it ends with its last export and not with a section of names.
fn component(imports: &[&str], exports: &[&str]) -> Vec<u8> {
    let empty = imports.len();
    let imports: String = imports
        .iter()
        .map(|name| format!("(import \"{name}\" (instance))\n"))
        .collect();
    let exports: String = exports
        .iter()
        .map(|name| format!("(export \"{name}\" (instance {empty}))\n"))
        .collect();
    wat::parse_str(format!(
        "(component {imports} (component) (instance (instantiate 0)) {exports})"
    ))
    .unwrap()
}

fn check_refused(imports: &[&str], exports: &[&str], words: &[&str]) {
    let text = check(&component(imports, exports)).unwrap_err().to_string();
    for word in words {
        assert!(text.contains(word), "`{text}` should say `{word}`");
    }
}

const PLUGIN: &str = "mainstay:plugin/plugin@1.0.0";
const RECOVERY: &str = "mainstay:plugin/recovery@1.0.0";

#[test]
fn the_world_of_a_kind_is_what_it_may_import_and_must_export() {
    assert!(
        check(&component(
            &["wasi:cli/stdout@0.2.4", "mainstay:plugin/kv@1.0.0"],
            &[PLUGIN, RECOVERY]
        ))
        .is_ok()
    );
    check_refused(
        &[],
        &["wasi:http/incoming-handler@0.2.0"],
        &["exports `wasi:http/incoming-handler@0.2.0`"],
    );
    check_refused(&[], &[PLUGIN], &["is no plugin of this host"]);
    check_refused(&[], &[RECOVERY], &["not `mainstay:plugin/plugin@1.0.0`"]);
    check_refused(
        &[],
        &[PLUGIN, RECOVERY, "mainstay:plugin/retention@1.0.0"],
        &["both `recovery-handler` and"],
    );
    check_refused(
        &["mainstay:plugin/targets@1.0.0"],
        &[PLUGIN, "mainstay:plugin/retention@1.0.0"],
        &[
            "imports `mainstay:plugin/targets@1.0.0`",
            "the world `retention-policy`",
            "types, log, settings",
        ],
    );
    for foreign in [
        "wasi:http/outgoing-handler@0.2.0",
        "wasi:cli/stdout@0.3.0",
        "other:thing/at-all",
    ] {
        check_refused(&[foreign], &[PLUGIN, RECOVERY], &[foreign, "does not have"]);
    }
}

#[test]
fn a_world_of_the_newer_contract_is_known_by_what_it_exports_and_imports() {
    let plugin = "mainstay:plugin/plugin@1.1.0";
    let kind = |imports: &[&str], export: &str| {
        let shape = check(&component(imports, &[plugin, export])).unwrap();
        assert_eq!(shape.contract, ContractVersion::V1_1_0);
        shape.kind
    };
    for (export, expected) in [
        ("detection", PluginKind::Detector),
        ("strategy", PluginKind::RecoveryStrategy),
        ("collection", PluginKind::BackupSource),
        ("recovery", PluginKind::RecoveryHandler),
        ("alerting", PluginKind::Alerter),
        ("retention", PluginKind::RetentionPolicy),
    ] {
        let export = format!("mainstay:plugin/{export}@1.1.0");
        assert_eq!(kind(&[], &export), expected);
    }
    let recovery = "mainstay:plugin/recovery@1.1.0";
    for import in ["random", "durable"] {
        let import = format!("mainstay:plugin/{import}@1.1.0");
        let kind = kind(&["mainstay:plugin/kv@1.1.0", import.as_str()], recovery);
        assert_eq!(kind, PluginKind::DurableRecoveryHandler);
    }
    // A strategy is a pure function, and a detector controls nothing.
    for (import, export) in [
        ("clock", "strategy"),
        ("targets", "detection"),
        ("durable", "detection"),
    ] {
        let [import, export] = [import, export].map(|name| format!("mainstay:plugin/{name}@1.1.0"));
        check_refused(&[&import], &[plugin, &export], &[&import, "does not have"]);
    }
}

#[test]
fn a_world_that_came_later_than_the_contract_is_refused_with_both_versions_named() {
    check_refused(
        &[],
        &[PLUGIN, "mainstay:plugin/detection@1.0.0"],
        &[
            "the world `detector` came with mainstay:plugin 1.1.0",
            "built against 1.0.0",
        ],
    );
    check_refused(
        &["mainstay:plugin/durable@1.0.0"],
        &[PLUGIN, RECOVERY],
        &["the world `recovery-handler` does not have"],
    );
    let alerting = |version: &str| format!("mainstay:plugin/alerting@{version}");
    check_refused(
        &["mainstay:plugin/mail@1.0.0"],
        &[PLUGIN, &alerting("1.0.0")],
        &["the world `alerter` does not have"],
    );
    let newest = component(
        &[
            "mainstay:plugin/mail@1.2.0",
            "mainstay:plugin/signed-http@1.2.0",
        ],
        &["mainstay:plugin/plugin@1.2.0", &alerting("1.2.0")],
    );
    let shape = check(&newest).unwrap();
    assert_eq!(
        (shape.kind, shape.contract),
        (PluginKind::Alerter, ContractVersion::V1_2_0)
    );
}

#[test]
fn another_version_is_refused_with_both_versions_named() {
    let exports = [
        "mainstay:plugin/plugin@2.0.0",
        "mainstay:plugin/recovery@2.0.0",
    ];
    check_refused(
        &[],
        &exports,
        &["built against mainstay:plugin 2.0.0", "speaks 1.0.0, 1.1.0"],
    );
    let mixed = ["mainstay:plugin/plugin@1.1.0", RECOVERY];
    check_refused(&[], &mixed, &["mixes mainstay:plugin 1.0.0 and 1.1.0"]);
}

#[test]
fn no_bytes_at_all_can_make_the_check_panic() {
    let whole = component(&[], &[PLUGIN, RECOVERY]);
    for cut in 0..whole.len() {
        assert!(
            check(&whole[..cut]).is_err(),
            "{cut} bytes of {}",
            whole.len()
        );
    }
    for at in 8..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x55;
        // Some flips only change a name; whatever comes out, it is an answer.
        let _ = check(&flipped);
    }
    assert_eq!(check(b""), Err(ContractError::Empty));
}
