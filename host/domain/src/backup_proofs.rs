//! What is due of the proofs of a job: which stored backup is to be read back, and whether the job is to be drilled.
//!
//! Invariant: what was just read back or drilled is not due before the next slot after that, whether it was found right or
//! not: a store that does not answer is not asked again and again.
//! Invariant: where a share is read at each slot, every backup is read after as many slots as bring all of them round, also over
//! restarts: who waits longest is known by the records alone.
//! Invariant: what was missed while the daemon was not there is one proof of each backup, and one drill.

use crate::{
    backup::{BackupRecord, BackupStatus},
    backup_chain::{by_age, standing},
    backup_schedule::{self, ScheduleError},
    id::BackupId,
    spec::{ProofSchedules, Schedule},
    time::Timestamp,
};
use std::collections::BTreeMap;

/// A proof that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DueProof {
    /// This backup, and all that it needs, is to be read back.
    Verify(BackupId),
    /// The job is to be drilled; this is the slot that it uses.
    Drill(Timestamp),
}

/// What is known of the proofs of a job.
#[derive(Debug, Clone, Copy)]
pub struct Proofs<'a> {
    /// When they are due.
    pub schedules: &'a ProofSchedules,
    /// The records of the job.
    pub records: &'a [BackupRecord],
    /// Backups that were to be read back, and when that was last begun.
    pub tried: &'a BTreeMap<BackupId, Timestamp>,
    /// The last slot of its drills that was used.
    pub drilled: Option<Timestamp>,
}

impl Proofs<'_> {
    /// What is due, one thing at a time, so that a backup that is due meanwhile comes between two. A backup is due where a slot
    /// has passed since it was last read back; of several the newest, which proves those that it needs as well. The drill
    /// comes last.
    ///
    /// # Errors
    /// A schedule has no slots.
    pub fn due(&self, now: Timestamp) -> Result<Option<DueProof>, ScheduleError> {
        if let Some(schedule) = &self.schedules.verify {
            let due = match self.schedules.sample {
                Some(percent) => self.longest_waiting(schedule, percent, now)?,
                None => self.newest_due(schedule, now)?,
            };
            if let Some(due) = due {
                return Ok(Some(DueProof::Verify(due.id)));
            }
        }
        if let (Some(schedule), Some(last)) = (&self.schedules.drill, self.last_drill()) {
            let slot = backup_schedule::due(schedule, Some(last), now)?;
            return Ok(slot.map(DueProof::Drill));
        }
        Ok(None)
    }

    /// When something is due next: the past where it is now; none where nothing will be as things stand.
    ///
    /// # Errors
    /// A schedule has no slots.
    pub fn next(&self, now: Timestamp) -> Result<Option<Timestamp>, ScheduleError> {
        let sampled = match (&self.schedules.verify, self.schedules.sample) {
            (Some(schedule), Some(percent)) => {
                if self.longest_waiting(schedule, percent, now)?.is_some() {
                    return Ok(Some(now));
                }
                Some(schedule).filter(|_| !self.stored().is_empty())
            }
            _ => None,
        };
        let slot = sampled.map(|schedule| backup_schedule::next_slot(schedule, now));
        let mut next: Option<Timestamp> = slot.transpose()?;
        let mut look = |schedule: &Schedule, last: Timestamp| -> Result<(), ScheduleError> {
            let due = backup_schedule::next_due(schedule, Some(last), now)?;
            next = Some(next.map_or(due, |next| next.min(due)));
            Ok(())
        };
        let all = self.schedules.verify.as_ref();
        if let Some(schedule) = all.filter(|_| self.schedules.sample.is_none()) {
            let lasts = self.stored().into_iter();
            // Who waits longest is due first.
            if let Some(last) = lasts.map(|record| self.last_read(&record)).min() {
                look(schedule, last)?;
            }
        }
        if let (Some(schedule), Some(last)) = (&self.schedules.drill, self.last_drill()) {
            look(schedule, last)?;
        }
        Ok(next)
    }

    /// Where all are read at each slot.
    fn newest_due(
        &self,
        schedule: &Schedule,
        now: Timestamp,
    ) -> Result<Option<BackupRecord>, ScheduleError> {
        let mut due: Option<BackupRecord> = None;
        for record in self.stored() {
            let is_newer = due.as_ref().is_none_or(|due| by_age(due, &record).is_lt());
            let last = self.last_read(&record);
            if is_newer && backup_schedule::due(schedule, Some(last), now)?.is_some() {
                due = Some(record);
            }
        }
        Ok(due)
    }

    /// Where a share of those that were there before a slot is read at it: who waits longest, of several the newest, as long as
    /// fewer were read since, or where it has waited for so many slots as bring all of them round.
    fn longest_waiting(
        &self,
        schedule: &Schedule,
        percent: u32,
        now: Timestamp,
    ) -> Result<Option<BackupRecord>, ScheduleError> {
        let stored = self.stored();
        let Some(last) = stored.iter().map(|record| self.last_read(record)).min() else {
            return Ok(None);
        };
        let Some(slot) = backup_schedule::due(schedule, Some(last), now)? else {
            return Ok(None);
        };
        let were_there = stored.iter().filter(|record| record.created_at < slot);
        let (waiting, read): (Vec<&BackupRecord>, Vec<&BackupRecord>) =
            were_there.partition(|record| self.last_read(record) < slot);
        let all = waiting.len() + read.len();
        let share = (all * percent as usize).div_ceil(100);
        let longest = waiting.into_iter().min_by(|a, b| {
            let waits = self.last_read(a).cmp(&self.last_read(b));
            waits.then_with(|| by_age(b, a))
        });
        let Some(longest) = longest else {
            return Ok(None);
        };
        let is_due = read.len() < share
            || has_passed(
                schedule,
                100_u32.div_ceil(percent.max(1)),
                self.last_read(longest),
                now,
            )?;
        Ok(is_due.then(|| longest.clone()))
    }

    /// Those that can be read back: of one that is known to be corrupted, people were told.
    fn stored(&self) -> Vec<BackupRecord> {
        let mut stored = standing(self.records.to_vec());
        stored.retain(|record| {
            matches!(
                record.status,
                BackupStatus::Completed | BackupStatus::Verified
            )
        });
        stored
    }

    fn last_read(&self, record: &BackupRecord) -> Timestamp {
        let read = record.verified_at.unwrap_or(record.created_at);
        self.tried.get(&record.id).copied().unwrap_or(read)
    }

    /// A job that was never drilled counts from its oldest backup: one that was just taken is not drilled at once.
    fn last_drill(&self) -> Option<Timestamp> {
        let verified = self.records.iter();
        let verified = verified.filter(|record| record.status == BackupStatus::Verified);
        let oldest = verified.map(|record| record.created_at).min()?;
        Some(self.drilled.unwrap_or(oldest))
    }
}

/// Whether so many slots have passed since a time.
fn has_passed(
    schedule: &Schedule,
    slots: u32,
    since: Timestamp,
    now: Timestamp,
) -> Result<bool, ScheduleError> {
    let mut last = since;
    for _ in 0..slots {
        match backup_schedule::next_slot(schedule, last) {
            Ok(next) if next <= now => last = next,
            Ok(_) | Err(ScheduleError::Never(_)) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{backup::BackupType, name::JobName};
    use std::time::Duration;

    const DAY: Duration = Duration::from_secs(86_400);
    /// The beginning of a day.
    const START: Timestamp = Timestamp::from_millis(20_000 * 86_400_000);

    fn id(number: u64) -> BackupId {
        BackupId::parse(&format!("ful-01K000000000000000000000{number:02}")).unwrap()
    }

    /// Taken so many days after the start, at noon.
    fn taken(number: u64, day: u32) -> BackupRecord {
        let at = START + DAY * day + DAY / 2;
        BackupRecord {
            status: BackupStatus::Verified,
            documents: 1,
            size_bytes: 1,
            stored_bytes: 1,
            verified_at: Some(at),
            ..BackupRecord::begun(
                id(number),
                JobName::parse("state").unwrap(),
                BackupType::Full,
                at,
            )
        }
    }

    fn both() -> ProofSchedules {
        ProofSchedules {
            verify: Some(Schedule::Every(DAY)),
            sample: None,
            drill: Some(Schedule::Every(2 * DAY)),
        }
    }

    /// Lives from day to day, twelve looks a day, and gives what was proven: the day, and what.
    fn live(
        schedules: &ProofSchedules,
        mut records: Vec<BackupRecord>,
        days: std::ops::Range<u32>,
        verifies: bool,
    ) -> Vec<(u32, DueProof)> {
        let (mut tried, mut drilled, mut proven) = (BTreeMap::new(), None, Vec::new());
        for (day, look) in days.flat_map(|day| (0..12).map(move |look| (day, look))) {
            let now = START + DAY * day + DAY / 12 * look;
            loop {
                let proofs = Proofs {
                    schedules,
                    records: &records,
                    tried: &tried,
                    drilled,
                };
                let next = proofs.next(now).unwrap();
                let Some(due) = proofs.due(now).unwrap() else {
                    assert!(next.is_none_or(|next| next > now), "{next:?} at {now}");
                    break;
                };
                assert!(next.unwrap() <= now, "{next:?} at {now}");
                match &due {
                    DueProof::Verify(id) => {
                        tried.insert(id.clone(), now);
                        let of_id = records.iter_mut().filter(|record| record.id == *id);
                        of_id
                            .filter(|_| verifies)
                            .for_each(|record| record.verified_at = Some(now));
                    }
                    DueProof::Drill(slot) => drilled = Some(*slot),
                }
                proven.push((day, due));
            }
        }
        proven
    }

    #[test]
    fn each_backup_is_read_back_once_a_slot_and_the_job_is_drilled_once_a_slot() {
        let slot = |day: u32| DueProof::Drill(START + DAY * day);
        for verifies in [true, false] {
            let records = vec![taken(1, 0), taken(2, 1)];
            let found = live(&both(), records, 2..5, verifies);
            let verify = |number| DueProof::Verify(id(number));
            let expected = [
                (2, verify(2)),
                (2, verify(1)),
                (2, slot(2)),
                (3, verify(2)),
                (3, verify(1)),
                (4, verify(2)),
                (4, verify(1)),
                (4, slot(4)),
            ];
            assert_eq!(found, expected, "it verifies: {verifies}");
        }
    }

    #[test]
    fn what_was_just_taken_is_proven_after_a_slot_and_a_long_absence_is_one_proof() {
        let found = live(&both(), vec![taken(1, 0)], 40..41, true);
        let expected = [DueProof::Verify(id(1)), DueProof::Drill(START + DAY * 40)];
        let found: Vec<DueProof> = found.into_iter().map(|(_, due)| due).collect();
        assert_eq!(found, expected);

        let records = [taken(1, 0)];
        let proofs = Proofs {
            schedules: &both(),
            records: &records,
            tried: &BTreeMap::new(),
            drilled: None,
        };
        assert_eq!(proofs.due(START + DAY * 3 / 4).unwrap(), None);
        assert_eq!(proofs.next(START + DAY * 3 / 4).unwrap(), Some(START + DAY));
    }

    #[test]
    fn what_is_corrupted_or_not_stored_is_not_read_and_nothing_is_drilled_without_a_backup() {
        for status in [
            BackupStatus::Pending,
            BackupStatus::InProgress,
            BackupStatus::Completed,
            BackupStatus::Verified,
            BackupStatus::Failed,
            BackupStatus::Corrupted,
            BackupStatus::Expired,
        ] {
            let record = BackupRecord {
                status,
                ..taken(1, 0)
            };
            let found = live(&both(), vec![record], 2..3, true);
            let expected = match status {
                BackupStatus::Verified => 2,
                BackupStatus::Completed => 1,
                _ => 0,
            };
            assert_eq!(found.len(), expected, "{status:?}: {found:?}");
        }
        assert!(live(&both(), Vec::new(), 0..9, true).is_empty());
        let never = ProofSchedules::default();
        assert!(live(&never, vec![taken(1, 0)], 0..9, true).is_empty());
    }

    /// How many are read at each slot, and what.
    fn sampled(percent: u32, backups: u64, days: u32, verifies: bool) -> Vec<(u32, BackupId)> {
        let schedules = ProofSchedules {
            sample: Some(percent),
            drill: None,
            ..both()
        };
        let records = (0..backups).map(|number| taken(number, 0)).collect();
        let read = live(&schedules, records, 1..1 + days, verifies).into_iter();
        read.map(|(day, due)| match due {
            DueProof::Verify(id) => (day, id),
            DueProof::Drill(slot) => panic!("{slot}"),
        })
        .collect()
    }

    #[test]
    fn a_share_is_read_at_each_slot_and_all_in_so_many_slots_as_that_takes() {
        for (percent, backups, each, rounds) in [
            (25, 8, 2, 4),
            (50, 7, 4, 2),
            (1, 3, 1, 100),
            (99, 10, 10, 2),
            (34, 10, 4, 3),
        ] {
            for verifies in [true, false] {
                let case = format!("{percent} % of {backups}, it verifies: {verifies}");
                let found = sampled(percent, backups, 3 * rounds, verifies);
                for day in 1..=3 * rounds {
                    let read = found.iter().filter(|(at, _)| *at == day).count();
                    assert_eq!(read, each, "{case}, day {day}");
                }
                for begin in 1..=2 * rounds {
                    let days = begin..begin + rounds;
                    let read = found.iter().filter(|(at, _)| days.contains(at));
                    let read: std::collections::BTreeSet<_> = read.map(|(_, id)| id).collect();
                    assert_eq!(read.len() as u64, backups, "{case}, from day {begin}");
                }
            }
        }
    }

    #[test]
    fn who_has_waited_for_all_rounds_is_read_whatever_else_was() {
        let schedules = ProofSchedules {
            sample: Some(50),
            drill: None,
            ..both()
        };
        let records: Vec<BackupRecord> = (0..4).map(|number| taken(number, 0)).collect();
        // Two were read at this slot, as by a person.
        let now = START + DAY * 2 + DAY / 2;
        let tried = BTreeMap::from([(id(0), now), (id(1), now)]);
        let due = |at: Timestamp| {
            let proofs = Proofs {
                schedules: &schedules,
                records: &records,
                tried: &tried,
                drilled: None,
            };
            proofs.due(at).unwrap()
        };
        // The slots of two days have passed for the others.
        assert_eq!(due(now), Some(DueProof::Verify(id(3))));
        let earlier = BTreeMap::from([2, 3].map(|number| (id(number), START + DAY + DAY / 2)));
        let tried: BTreeMap<BackupId, Timestamp> = tried
            .iter()
            .chain(&earlier)
            .map(|(id, at)| (id.clone(), *at))
            .collect();
        let proofs = Proofs {
            schedules: &schedules,
            records: &records,
            tried: &tried,
            drilled: None,
        };
        assert_eq!(proofs.due(now).unwrap(), None);
        assert_eq!(proofs.next(now).unwrap(), Some(START + DAY * 3));
    }
}
