//! What the scripted host answers: the script, or else what a host where everything works would.

use super::ScriptedHost;
use crate::host::*;
use crate::testing::samples::NOW;
use crate::testing::{Effect, backup};
use std::time::Duration;

impl Log for ScriptedHost {
    fn log(&mut self, level: Level, message: &str, fields: &[(&str, &str)]) {
        let fields: String = fields
            .iter()
            .map(|(name, value)| format!(" {name}={value}"))
            .collect();
        self.logs.push((level, format!("{message}{fields}")));
    }
}

impl Settings for ScriptedHost {
    fn settings_json(&mut self) -> String {
        self.settings.clone()
    }
}

impl Clock for ScriptedHost {
    fn now(&mut self) -> Timestamp {
        self.now
    }

    fn sleep(&mut self, length: Duration) {
        self.effects.push(Effect::Sleep(length));
        self.now = self.now.saturating_add(to_duration_ms(length));
    }
}

impl Targets for ScriptedHost {
    fn target_status(&mut self, target: &str) -> Result<TargetStatus, EffectError> {
        self.perform(Effect::Status(target.into()))?;
        let running = self.is_running(target);
        self.statuses.next(target).unwrap_or(Ok(TargetStatus {
            health: if running {
                Health::Healthy
            } else {
                Health::Failed
            },
            running: Some(running),
            pid: running.then_some(4_242),
            started_at: running.then_some(NOW),
            restarts: 0,
        }))
    }

    fn target_start(&mut self, target: &str) -> Result<(), EffectError> {
        self.perform(Effect::Start(target.into()))?;
        let scripted = self.starts.next(target);
        self.change(target, scripted, true)
    }

    fn target_stop(&mut self, target: &str) -> Result<(), EffectError> {
        self.perform(Effect::Stop(target.into()))?;
        let scripted = self.stops.next(target);
        self.change(target, scripted, false)
    }

    fn target_restart(&mut self, target: &str) -> Result<(), EffectError> {
        self.perform(Effect::Restart(target.into()))?;
        let scripted = self.restarts.next(target);
        self.change(target, scripted, true)
    }

    fn target_signal(&mut self, target: &str, signal: Signal) -> Result<(), EffectError> {
        self.perform(Effect::Signal(target.into(), signal))?;
        self.signals.next(target).unwrap_or(Ok(()))
    }

    fn target_check(&mut self, target: &str) -> Result<Vec<Evidence>, EffectError> {
        self.perform(Effect::Check(target.into()))?;
        self.checks.next(target).unwrap_or(Ok(Vec::new()))
    }
}

impl Commands for ScriptedHost {
    fn command(&mut self, name: &str, arguments: &[(&str, &str)]) -> Result<Output, EffectError> {
        self.perform(Effect::command(name, arguments))?;
        self.commands.next(name).unwrap_or(Ok(Output {
            exit_code: 0,
            stdout: Vec::new(),
            stderr: Vec::new(),
            truncated: false,
        }))
    }
}

impl Http for ScriptedHost {
    fn http(&mut self, request: Request) -> Result<Response, EffectError> {
        let Request {
            method,
            url,
            headers,
            body,
            ..
        } = request;
        let body = String::from_utf8_lossy(&body).into_owned();
        self.perform(Effect::Http {
            method,
            url: url.clone(),
            headers,
            body,
        })?;
        self.responses.next(&url).unwrap_or_else(|| {
            Err(EffectError::Failed(format!(
                "no response from {url} is scripted"
            )))
        })
    }
}

/// Whether it is one by the contract.
fn check_key(key: &str) -> Result<(), EffectError> {
    match key.len() {
        1..=256 => Ok(()),
        length => Err(EffectError::Failed(format!(
            "kv: a key of {length} bytes; a key has 1 to 256 bytes"
        ))),
    }
}

impl Kv for ScriptedHost {
    fn kv_get(&mut self, key: &str) -> Result<Option<Vec<u8>>, EffectError> {
        self.perform(Effect::KvGet(key.into()))?;
        Ok(self.values.get(key).cloned())
    }

    fn kv_set(&mut self, key: &str, value: &[u8]) -> Result<(), EffectError> {
        self.perform(Effect::KvSet(key.into(), value.into()))?;
        check_key(key)?;
        self.values.insert(key.into(), value.into());
        Ok(())
    }

    fn kv_delete(&mut self, key: &str) -> Result<(), EffectError> {
        self.perform(Effect::KvDelete(key.into()))?;
        self.values.remove(key);
        Ok(())
    }

    fn kv_compare_and_set(
        &mut self,
        key: &str,
        expected: Option<&[u8]>,
        value: &[u8],
    ) -> Result<bool, EffectError> {
        self.perform(Effect::KvCompareAndSet {
            key: key.into(),
            expected: expected.map(<[u8]>::to_vec),
            value: value.into(),
        })?;
        check_key(key)?;
        let equal = self.values.get(key).map(Vec::as_slice) == expected;
        if equal {
            self.values.insert(key.into(), value.into());
        }
        Ok(equal)
    }

    fn kv_keys(&mut self, prefix: &str) -> Result<Vec<String>, EffectError> {
        self.perform(Effect::KvKeys(prefix.into()))?;
        Ok(self
            .values
            .keys()
            .filter(|key| key.starts_with(prefix))
            .cloned()
            .collect())
    }
}

impl Backups for ScriptedHost {
    fn backup_newest(
        &mut self,
        job: &str,
        before: Option<Timestamp>,
    ) -> Result<Option<Backup>, EffectError> {
        self.perform(Effect::BackupNewest {
            job: job.into(),
            before,
        })?;
        let matches = |backup: &&Backup| {
            backup.job == job
                && backup.verified_at.is_some()
                && before.is_none_or(|before| backup.created_at <= before)
        };
        Ok(self
            .backups
            .iter()
            .filter(matches)
            .max_by_key(|backup| backup.created_at)
            .cloned())
    }

    fn backup_create(&mut self, job: &str, kind: BackupType) -> Result<Backup, EffectError> {
        self.perform(Effect::BackupCreate(job.into(), kind))?;
        let id = format!("new-{}", self.backups.len() + 1);
        let made = Backup {
            job: job.into(),
            ..backup(&id, kind, self.now)
        };
        let made = self.creations.next(job).unwrap_or(Ok(made))?;
        self.backups.push(made.clone());
        Ok(made)
    }

    fn backup_restore(&mut self, job: &str, id: &str) -> Result<Restored, EffectError> {
        self.perform(Effect::BackupRestore {
            job: job.into(),
            id: id.into(),
        })?;
        if let Some(scripted) = self.restores.next(id) {
            return scripted;
        }
        match self
            .backups
            .iter()
            .find(|backup| backup.job == job && backup.id == id)
        {
            Some(found) => Ok(Restored {
                documents: 1,
                bytes: found.stored_bytes,
            }),
            None => Err(EffectError::Failed(format!("job {job} has no backup {id}"))),
        }
    }
}
