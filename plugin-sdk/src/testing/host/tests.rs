//! What a scripted host does where no script says otherwise.

use super::*;
use crate::testing::{backup, evidence};
use std::time::Duration;

#[test]
fn answers_come_in_the_order_of_the_script_and_then_it_works() {
    let mut host = ScriptedHost::new();
    host.on_check("api", Ok(vec![evidence("http", "refused")]));
    host.on_check("api", Err(EffectError::TimedOut("slow".into())));
    assert_eq!(
        host.target("api").check().map(|failing| failing.len()),
        Ok(1)
    );
    assert!(
        host.target("db").check().is_ok(),
        "the script of another target is not used up"
    );
    assert_eq!(
        host.target("api").check(),
        Err(EffectError::TimedOut("slow".into()))
    );
    assert_eq!(host.target("api").check(), Ok(Vec::new()));
}

#[test]
fn a_stopped_target_is_seen_as_stopped_until_it_is_started() {
    let mut host = ScriptedHost::new();
    let running = |host: &mut ScriptedHost| host.target("api").status().unwrap().running;
    assert_eq!(running(&mut host), Some(true));
    host.target("api").stop().unwrap();
    assert_eq!(running(&mut host), Some(false));
    host.on_start("api", Err(EffectError::Failed("no such file".into())));
    assert!(host.target("api").start().is_err());
    assert_eq!(
        running(&mut host),
        Some(false),
        "a failed start starts nothing"
    );
    host.target("api").start().unwrap();
    assert_eq!(running(&mut host), Some(true));
}

#[test]
fn a_denied_interface_refuses_and_is_recorded() {
    let mut host = ScriptedHost::new();
    host.deny("kv");
    assert!(matches!(host.kv().get("a"), Err(EffectError::Denied(_))));
    assert!(host.target("api").restart().is_ok());
    assert_eq!(
        host.effects(),
        [Effect::KvGet("a".into()), Effect::Restart("api".into())]
    );
}

#[test]
fn a_wait_moves_the_clock_and_takes_no_time() {
    let mut host = ScriptedHost::new();
    let before = host.now();
    host.sleep(Duration::from_secs(86_400));
    assert_eq!(host.now() - before, 86_400_000);
}

#[test]
fn values_are_kept_and_set_only_where_they_are_as_expected() {
    let mut host = ScriptedHost::new();
    assert_eq!(host.kv().compare_and_set("a", None, "1"), Ok(true));
    assert_eq!(host.kv().compare_and_set("a", None, "2"), Ok(false));
    assert_eq!(host.kv().compare_and_set("a", Some(b"1"), "3"), Ok(true));
    host.kv().set("b", "4").unwrap();
    assert_eq!(host.kv().get("a"), Ok(Some(b"3".to_vec())));
    assert_eq!(host.kv().keys(""), Ok(vec!["a".to_owned(), "b".to_owned()]));
    host.kv().delete("a").unwrap();
    assert_eq!(host.kv().get("a"), Ok(None));
}

#[test]
fn only_verified_backups_of_the_job_and_the_time_are_found() {
    let mut host = ScriptedHost::new();
    host.add_backup(backup("ful-1", BackupType::Full, 100));
    host.add_backup(backup("ful-2", BackupType::Full, 200));
    host.add_backup(Backup {
        verified_at: None,
        ..backup("ful-3", BackupType::Full, 300)
    });
    let id = |found: Result<Option<Backup>, EffectError>| found.unwrap().map(|backup| backup.id);
    assert_eq!(id(host.backup("state").newest()).as_deref(), Some("ful-2"));
    assert_eq!(
        id(host.backup("state").newest_before(199)).as_deref(),
        Some("ful-1")
    );
    assert_eq!(id(host.backup("other").newest()), None);
    assert!(host.backup("state").restore("ful-9").is_err());
}
