//! Which stored backups go to another tier for their age [seed 003].
//!
//! A chain may be over several tiers, so each link goes by its own age, whatever needs it.
//!
//! Invariant: what lies in the trash, is held or cannot be restored stays where it is.

use crate::{
    backup::{BackupRecord, BackupStatus},
    backup_chain::{by_age, standing},
    id::BackupId,
    spec::ArchiveSpec,
    time::Timestamp,
};
use std::collections::BTreeSet;

/// The oldest backup of these that has the age to go, but for those that rest after a failure.
pub fn due_move(
    records: &[BackupRecord],
    archive: &ArchiveSpec,
    resting: &BTreeSet<BackupId>,
    now: Timestamp,
) -> Option<BackupRecord> {
    let going = going(records, archive, now).into_iter();
    going
        .filter(|(record, at)| *at <= now && !resting.contains(&record.id))
        .map(|(record, _)| record)
        .min_by(by_age)
}

/// When the next of these has the age to go: the past where one has it now; none where none will as things stand.
pub fn next_move(
    records: &[BackupRecord],
    archive: &ArchiveSpec,
    now: Timestamp,
) -> Option<Timestamp> {
    let going = going(records, archive, now).into_iter();
    going.map(|(_, at)| at).min()
}

/// Those that are to go, and from when on.
fn going(
    records: &[BackupRecord],
    archive: &ArchiveSpec,
    now: Timestamp,
) -> Vec<(BackupRecord, Timestamp)> {
    let standing = standing(records.to_vec()).into_iter();
    let going = standing.filter_map(|record| {
        let is_right = matches!(
            record.status,
            BackupStatus::Completed | BackupStatus::Verified
        );
        let stays = !is_right || record.is_held_at(now) || record.tier == archive.tier.as_str();
        let after = archive.after(record.backup_type).filter(|_| !stays)?;
        let at = record.created_at + after;
        Some((record, at))
    });
    going.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        backup::{BackupType, Hold},
        name::{JobName, TierName},
    };
    use std::time::Duration;

    const DAY: Duration = Duration::from_secs(86_400);
    const START: Timestamp = Timestamp::from_millis(20_000 * 86_400_000);

    fn archive() -> ArchiveSpec {
        ArchiveSpec {
            tier: TierName::parse("cold").unwrap(),
            full_after: 30 * DAY,
            differential_after: 14 * DAY,
        }
    }

    fn id(number: u32) -> BackupId {
        BackupId::parse(&format!("ful-01K000000000000000000000{number:02}")).unwrap()
    }

    /// Taken so many days after the start; what is no full one needs the first.
    fn taken(number: u32, day: u32, backup_type: BackupType) -> BackupRecord {
        let job = JobName::parse("state").unwrap();
        let at = START + DAY * day;
        let record = BackupRecord {
            status: BackupStatus::Verified,
            ..BackupRecord::begun(id(number), job, backup_type, at)
        };
        match backup_type {
            BackupType::Differential | BackupType::Incremental => BackupRecord {
                parent: Some(id(1)),
                base: id(1),
                ..record
            },
            _ => record,
        }
    }

    fn due(records: &[BackupRecord], day: u32, resting: &[u32]) -> Option<BackupId> {
        let resting = resting.iter().map(|number| id(*number)).collect();
        due_move(records, &archive(), &resting, START + DAY * day).map(|record| record.id)
    }

    /// Moves what is due, day after day: the day, and what.
    fn live(mut records: Vec<BackupRecord>, days: u32) -> Vec<(u32, BackupId)> {
        let mut moved = Vec::new();
        for day in 0..days {
            while let Some(id) = due(&records, day, &[]) {
                let next = next_move(&records, &archive(), START + DAY * day);
                assert!(next.is_some_and(|next| next <= START + DAY * day));
                let record = records.iter_mut().find(|record| record.id == id).unwrap();
                record.tier = "cold".to_owned();
                moved.push((day, id));
            }
            let next = next_move(&records, &archive(), START + DAY * day);
            assert!(next.is_none_or(|next| next > START + DAY * day), "{day}");
        }
        moved
    }

    #[test]
    fn each_goes_once_when_it_has_the_age_of_its_type_and_the_oldest_first() {
        use BackupType::{Differential, Emergency, Full, Incremental, Snapshot};
        let records = vec![
            taken(1, 0, Full),
            taken(2, 1, Differential),
            taken(3, 16, Differential),
            taken(4, 2, Incremental),
            taken(5, 2, Snapshot),
            taken(6, 2, Emergency),
            taken(7, 7, Full),
        ];
        let expected = [(15_u32, 2), (30, 1), (30, 3), (37, 7)];
        let expected = expected.map(|(day, number)| (day, id(number)));
        assert_eq!(live(records, 100), expected);
    }

    #[test]
    fn what_is_held_in_the_trash_wrong_or_there_already_stays() {
        let right = taken(1, 0, BackupType::Full);
        let with = |change: &dyn Fn(&mut BackupRecord)| {
            let mut record = right.clone();
            change(&mut record);
            [record]
        };
        let hold = |until: Option<Timestamp>| Hold {
            by: "root".to_owned(),
            reason: None,
            until,
        };
        assert_eq!(due(&with(&|_| ()), 40, &[]), Some(id(1)));
        assert_eq!(due(&with(&|_| ()), 40, &[1]), None, "it rests");
        for status in [
            BackupStatus::Expired,
            BackupStatus::Corrupted,
            BackupStatus::Failed,
            BackupStatus::InProgress,
            BackupStatus::Pending,
        ] {
            let records = with(&|record| record.status = status);
            assert_eq!(due(&records, 40, &[]), None, "{status:?}");
            assert_eq!(next_move(&records, &archive(), START), None, "{status:?}");
        }
        let there = with(&|record| record.tier = "cold".to_owned());
        assert_eq!(due(&there, 40, &[]), None);
        for (until, day, expected) in [
            (None, 400, None),
            (Some(START + 50 * DAY), 40, None),
            (Some(START + 50 * DAY), 50, Some(id(1))),
        ] {
            let records = with(&|record| {
                record.held = true;
                record.hold = Some(hold(until));
            });
            assert_eq!(due(&records, day, &[]), expected, "{until:?} {day}");
        }
    }

    #[test]
    fn what_needs_a_wrong_one_stays_and_what_needs_one_elsewhere_goes() {
        let mut full = taken(1, 0, BackupType::Full);
        let differential = taken(2, 0, BackupType::Differential);
        full.tier = "nas".to_owned();
        let both = [full.clone(), differential.clone()];
        assert_eq!(due(&both, 14, &[]), Some(id(2)));
        full.status = BackupStatus::Corrupted;
        assert_eq!(due(&[full, differential], 14, &[]), None);
    }
}
