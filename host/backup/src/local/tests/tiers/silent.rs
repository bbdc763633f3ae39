//! A tier whose file system does not answer, as that of a server that is gone.

use super::*;
use crate::local::lane::{Lanes, Patience};
use std::{
    io::{BufRead, BufReader},
    process::{Child, Stdio},
    thread,
};

/// Something that is mounted and has nobody who serves it: who asks waits, until it is dropped.
struct Silent {
    at: PathBuf,
    server: Child,
    is_mounted: bool,
}

impl Silent {
    /// None where this machine does not allow it.
    fn mount(at: &Path) -> Option<Self> {
        let script = "exec 3<>/dev/fuse && \
                      mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 silent \"$0\" && \
                      echo mounted && exec sleep 1000000";
        let mut server = Command::new("sh")
            .args(["-c", script])
            .arg(at)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        let output = server.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut said).unwrap();
        if said != "mounted\n" {
            server.wait().unwrap();
            println!("SKIPPED, nothing was tested: this machine allows no FUSE");
            return None;
        }
        let at = at.to_owned();
        Some(Self {
            at,
            server,
            is_mounted: true,
        })
    }

    /// Takes it away; who waits for it does so all the same.
    fn unmount(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(&self.at).status();
        assert!(unmounted.unwrap().success(), "{}", self.at.display());
        self.is_mounted = false;
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
        if self.is_mounted {
            self.unmount();
        }
    }
}

/// The same store, which waits for a tier no longer than that.
fn waiting(fixture: Fixture, look: Duration) -> Fixture {
    trying_after(fixture, look, Duration::from_secs(86_400))
}

/// The same, which tries it again after so long.
fn trying_after(fixture: Fixture, look: Duration, rest: Duration) -> Fixture {
    let patience = Patience {
        look,
        change: look,
        rest,
        ..Patience::default()
    };
    let lanes = Lanes::new(patience, CancellationToken::new());
    let store = LocalBackups {
        layout: fixture.store.layout.clone().asking(lanes),
        ..fixture.store
    };
    Fixture { store, ..fixture }
}

#[test]
fn a_tier_that_does_not_answer_keeps_no_backup_from_another() {
    if !may_mount("tiers::silent::a_tier_that_does_not_answer_keeps_no_backup_from_another") {
        return;
    }
    let fixture = waiting(Fixture::new(), Duration::from_millis(50));
    let nas = fixture.with_tier("nas");
    let Some(silent) = Silent::mount(&nas) else {
        return;
    };
    fixture.put("a", "one");
    let mut chain = vec![];
    fixture.extend_in(&["local"], BackupType::Full, &mut chain);
    fixture.put("b", "two");
    let next = fixture.extend_in(&["nas", "local"], BackupType::Incremental, &mut chain);
    assert_eq!(next.manifest.tier, "local");
    let [(refused, why)] = next.refused.as_slice() else {
        panic!("{:?}", next.refused);
    };
    assert_eq!(refused, &tier("nas"));
    assert!(why.contains("does not answer"), "{why}");
    let unwell = fixture.store.unwell_tiers();
    assert_eq!(unwell.len(), 1, "{unwell:?}");

    assert_eq!(fixture.store.jobs(), Ok(vec![job()]));
    assert_eq!(fixture.sweep(&chain), vec![]);
    let known: Vec<(BackupId, u64)> = fixture
        .stored()
        .into_iter()
        .map(|stored| (stored.manifest.id, stored.manifest.stored_bytes))
        .collect();
    assert_eq!(known.len(), 2);
    assert_eq!(fixture.store.lost(&job(), &known), vec![]);
    fixture.restore_into(&chain, "restored").unwrap();
    fixture.store.trash(&job(), &chain[1]).unwrap();
    fixture.store.delete(&job(), &chain[1]).unwrap();
    assert_eq!(fixture.store.committed(&job(), &chain[1]), Ok(None));
    drop(silent);
}

#[test]
fn what_lies_in_a_tier_that_does_not_answer_is_not_wrong_and_is_read_once_it_does() {
    if !may_mount(
        "tiers::silent::what_lies_in_a_tier_that_does_not_answer_is_not_wrong_and_is_read_once_it_does",
    ) {
        return;
    }
    let fixture = Fixture::new();
    let (nas, chain) = over_two_tiers(&fixture);
    let fixture = waiting(fixture, Duration::from_millis(500));
    let Some(silent) = Silent::mount(&nas) else {
        return;
    };
    let verify = || fixture.store.verify(&job(), &chain, &no_progress());
    let why = unavailable(verify());
    assert!(why.contains("did not answer within"), "{why}");
    let why = unavailable(verify());
    assert!(why.contains("does not answer"), "{why}");
    let why = unavailable(fixture.store.delete(&job(), &chain[0]));
    assert!(why.contains("does not answer"), "{why}");
    drop(silent);
    // Who still waited for it has an error, and so it answers.
    while verify() != Ok(vec![]) {
        thread::yield_now();
    }
    fixture.restore_into(&chain, "restored").unwrap();
}

#[test]
fn a_tier_that_was_unmounted_while_it_did_not_answer_is_asked_again_by_itself() {
    if !may_mount(
        "tiers::silent::a_tier_that_was_unmounted_while_it_did_not_answer_is_asked_again_by_itself",
    ) {
        return;
    }
    let fixture = Fixture::new();
    let (nas, chain) = over_two_tiers(&fixture);
    let fixture = trying_after(fixture, Duration::from_millis(50), Duration::ZERO);
    let Some(mut silent) = Silent::mount(&nas) else {
        return;
    };
    let verify = || fixture.store.verify(&job(), &chain, &no_progress());
    // Each who asks has it tried once more, until so many hang that nobody does.
    for _ in 0..100 {
        unavailable(verify());
    }
    silent.unmount();
    // They go on hanging, and the tier is there.
    while verify() != Ok(vec![]) {
        thread::yield_now();
    }
    // By who waits longer than that for each piece of it.
    let fixture = Fixture {
        store: fixture.opened(),
        ..fixture
    };
    fixture.restore_into(&chain, "restored").unwrap();
    drop(silent);
}
