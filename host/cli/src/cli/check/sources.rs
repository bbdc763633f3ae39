//! What backup jobs read, as it lies on this machine: whether a directory is one, and where links lead.
//!
//! What is not there is no problem: whoever makes it may not have run yet.

use super::directories::resolved;
use mainstay_daemon::config::{EntityKind, Loaded, Problem};
use mainstay_domain::{
    archive::faulty_sources,
    spec::{BackupSource, JobSpec},
};
use std::{fs, path::Path};

/// An error for each source of which no backup could be taken, or none be restored.
pub(super) fn problems(loaded: &Loaded) -> Vec<Problem> {
    let store = resolved(&loaded.spec.backups());
    let mut problems = Vec::new();
    for job in &loaded.spec.jobs {
        for (message, help) in faults(job, &store) {
            let problem = Problem::error(message, help);
            problems.push(loaded.problem_about(EntityKind::Job, job.name.as_str(), problem));
        }
    }
    problems
}

/// What is wrong with the sources of a job, and what to do.
fn faults(job: &JobSpec, store: &Path) -> Vec<(String, &'static str)> {
    let mut faults = Vec::new();
    let real = job.sources.iter().map(|source| match source {
        BackupSource::Directory { path, prefix } => BackupSource::Directory {
            path: resolved(path),
            prefix: prefix.clone(),
        },
        BackupSource::Command { .. }
        | BackupSource::File { .. }
        | BackupSource::Http(_)
        | BackupSource::Plugin(_)
        | BackupSource::Redis(_)
        | BackupSource::Sqlite { .. } => source.clone(),
    });
    let real: Vec<BackupSource> = real.collect();
    for (written, real) in job.sources.iter().zip(&real) {
        if let BackupSource::File { path, .. } | BackupSource::Sqlite { path, .. } = written
            && fs::metadata(path).is_ok_and(|found| !found.is_file())
        {
            faults.push((
                format!(
                    "the source {} of job {} is no file",
                    path.display(),
                    job.name
                ),
                "name the file itself; a directory is a source of kind \"directory\"",
            ));
        }
        let (BackupSource::Directory { path, .. }, BackupSource::Directory { path: real, .. }) =
            (written, real)
        else {
            continue;
        };
        if fs::metadata(path).is_ok_and(|found| !found.is_dir()) {
            faults.push((
                format!(
                    "the source {} of job {} is no directory",
                    path.display(),
                    job.name
                ),
                "write kind = \"file\" for it, or name the directory that holds it",
            ));
        }
        if real.starts_with(store) {
            faults.push((
                format!(
                    "the source {} of job {} lies in {}, where backups are stored: each backup would hold those before it",
                    path.display(),
                    job.name,
                    store.display()
                ),
                "name what is to be backed up itself; copy backups elsewhere with another program",
            ));
        }
    }
    // As they are written they are right, or the config would not have been read: it is links that lead together.
    let together = faulty_sources(&real).into_iter().map(|faulty| {
        (
            format!(
                "the sources of job {} cannot be in one backup, for links lead them together: {}",
                job.name, faulty.fault
            ),
            "what is backed up must be restorable: name one of the two, or make another job for it",
        )
    });
    faults.extend(together);
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_domain::name::JobName;
    use std::{os::unix::fs::symlink, time::Duration};

    #[test]
    fn a_file_is_told_from_a_directory() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("file"), "").unwrap();
        let path = |name: &str| root.path().join(name);
        let file = |name: &str| BackupSource::File {
            path: path(name),
            key: "k".to_owned(),
        };
        for (source, is_right) in [
            (file("file"), true),
            (file("later"), true),
            (file("."), false),
        ] {
            let found = faults(&job(vec![source]), &path("store"));
            assert_eq!(found.is_empty(), is_right, "{found:?}");
            assert!(
                found
                    .iter()
                    .all(|(message, _)| message.contains("is no file"))
            );
        }
    }

    fn job(sources: Vec<BackupSource>) -> JobSpec {
        JobSpec {
            name: JobName::parse("state").unwrap(),
            sources,
            reading: mainstay_domain::spec::ReadingSpec::default(),
            after: Vec::new(),
            full: None,
            differential: None,
            incremental: None,
            rpo: Some(Duration::from_secs(1)),
            stale_after: None,
            compression: 3,
            shrink_guard: None,
            hooks: mainstay_domain::spec::HookSpec::default(),
            retention: None,
            checkpoints: None,
            proofs: mainstay_domain::spec::ProofSchedules::default(),
            drill: mainstay_domain::spec::RestoreDrillSpec::default(),
            starts: mainstay_domain::spec::StartSpec::default(),
            archive: None,
            tiers: Default::default(),
            sealing: mainstay_domain::spec::SealingSpec::default(),
        }
    }

    #[test]
    fn sources_that_can_never_be_backed_up_or_restored_are_told_before_a_backup_is() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let at = |name: &str| root.join(name);
        for directory in ["data/below", "other", "state/backups/state"] {
            fs::create_dir_all(at(directory)).unwrap();
        }
        fs::write(at("file"), "").unwrap();
        symlink("data/below", at("inner")).unwrap();
        symlink("state/backups", at("store")).unwrap();
        symlink("file", at("to-file")).unwrap();
        let check = |sources: &[&str], expected: &[&str]| {
            let directory = |name: &&str| BackupSource::Directory {
                path: at(name),
                prefix: (*name).to_owned(),
            };
            let job = job(sources.iter().map(directory).collect());
            let found = faults(&job, &at("state/backups"));
            let found: Vec<String> = found.into_iter().map(|(message, _)| message).collect();
            assert_eq!(found.len(), expected.len(), "{sources:?}: {found:?}");
            for (found, expected) in found.iter().zip(expected) {
                assert!(found.contains(expected), "{sources:?}: {found}");
            }
        };
        check(&["data", "other", "later"], &[]);
        check(&["file"], &["is no directory"]);
        check(&["other", "to-file"], &["is no directory"]);
        check(&["data", "inner"], &["data/below lies in"]);
        check(&["other", "store"], &["where backups are stored"]);
        check(&["store/state"], &["where backups are stored"]);
    }
}
