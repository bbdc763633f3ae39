//! What backup jobs read, as it lies on this machine: whether a directory is one, and where links lead.
//!
//! What is not there is a warning: whoever makes it may not have run yet.

use super::{directories::resolved, state::is_of_the_kernel};
use mainstay_daemon::config::{EntityKind, Loaded, Problem};
use mainstay_domain::{
    archive::faulty_sources,
    spec::{BackupSource, JobSpec},
};
use std::{collections::HashMap, fs, io::ErrorKind, os::unix::fs::MetadataExt, path::Path};

/// What shows the kernel, and is mounted in the root of every machine.
const OF_THE_KERNEL: [&str; 2] = ["/proc", "/sys"];

/// An error for each source of which no backup could be taken, or none be restored, and a warning for each that holds what no
/// restore brings back.
/// Where the config is not whole, it has told already of what lies among the backups as it is written.
pub(super) fn problems(loaded: &Loaded, is_whole: bool) -> Vec<Problem> {
    let written = loaded.spec.backups();
    let store = resolved(&written);
    let state = resolved(&loaded.spec.host.state_dir);
    let is_told = |source: &BackupSource| match source {
        BackupSource::Directory { path, .. } => !is_whole && path.starts_with(&written),
        _ => false,
    };
    let mut problems = Vec::new();
    let mut jobs = loaded.spec.jobs.clone();
    for job in &mut jobs {
        job.sources.retain(|source| !is_told(source));
    }
    for job in &jobs {
        for (message, help) in faults(job, &store) {
            let problem = Problem::error(message, help);
            problems.push(loaded.problem_about(EntityKind::Job, job.name.as_str(), problem));
        }
        for (message, help) in doubts(job).into_iter().chain(of_state(job, &state, &store)) {
            let problem = Problem::warning(message, help);
            problems.push(loaded.problem_about(EntityKind::Job, job.name.as_str(), problem));
        }
    }
    problems
}

/// What is in the sources of a job that no restore brings back, and what to do.
fn doubts(job: &JobSpec) -> Vec<(String, &'static str)> {
    let mut doubts = Vec::new();
    for source in &job.sources {
        doubts.extend(missing(source, job));
        match source {
            BackupSource::File { path, .. } if is_of_the_kernel(path) => doubts.push((
                format!(
                    "the source {} of job {} is no file on a disk but what the kernel tells at the time, with no size of its own",
                    path.display(),
                    job.name
                ),
                "let a source of kind \"command\" print it, as run = [\"cat\", FILE]; it is put back by nobody",
            )),
            // Everything else there is another file system.
            BackupSource::Directory { path, .. } if !job.reading.one_filesystem => {
                let real = resolved(path);
                let below = OF_THE_KERNEL.iter().map(Path::new).filter(|place| {
                    let relative = place.strip_prefix(&real);
                    let is_read = relative.is_ok_and(|relative| {
                        !relative.as_os_str().is_empty() && !is_excluded(job, relative)
                    });
                    is_read && is_of_the_kernel(place)
                });
                doubts.extend(below.map(|place| {
                    (
                        format!(
                            "the source {} of job {} holds {}, in which there are no files but what the kernel tells: some of it has no \
                             end, and nothing of it can be restored",
                            path.display(),
                            job.name,
                            place.display()
                        ),
                        "name it in `exclude`, or let `one_filesystem` be true",
                    )
                }));
            }
            _ => {}
        }
    }
    doubts
}

/// The directories among the sources of a job that lie in the state directory: no restore in place goes there.
fn of_state(job: &JobSpec, state: &Path, store: &Path) -> Vec<(String, &'static str)> {
    let directories = job.sources.iter().filter_map(|source| match source {
        BackupSource::Directory { path, .. } => Some(path),
        _ => None,
    });
    // What lies where the backups are is an error.
    let within = directories.filter(|path| {
        let real = resolved(path);
        real.starts_with(state) && !real.starts_with(store)
    });
    let told = within.map(|path| {
        (
            format!(
                "the source {} of job {} lies in the state directory {}, into which nothing is restored in place",
                path.display(),
                job.name,
                state.display()
            ),
            "let it lie elsewhere, or `state_dir`; else restore it with --into, and put it back while no daemon runs",
        )
    });
    told.collect()
}

/// That there is nothing where a source is to be.
fn missing(source: &BackupSource, job: &JobSpec) -> Option<(String, &'static str)> {
    let (path, what) = match source {
        BackupSource::Directory { path, .. } => (path, "directory"),
        BackupSource::File { path, .. } => (path, "file"),
        BackupSource::Sqlite { path, .. } => (path, "database"),
        BackupSource::Command { .. }
        | BackupSource::Http(_)
        | BackupSource::Plugin(_)
        | BackupSource::Redis(_) => return None,
    };
    let is_missing = fs::metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound);
    is_missing.then(|| {
        let (path, job) = (path.display(), &job.name);
        (
            format!("the source {path} of job {job} is not there: no {what}, and until there is one, each backup fails"),
            "correct the path, or see that what makes it has run before the first backup",
        )
    })
}

/// Whether a job leaves a directory out, or all that it holds, by its very name.
fn is_excluded(job: &JobSpec, relative: &Path) -> bool {
    job.reading.exclude.iter().any(|pattern| {
        let name = pattern.trim_start_matches('/').trim_end_matches(['*', '/']);
        Path::new(name) == relative
    })
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
        if is_of_the_kernel(path) {
            faults.push((
                format!(
                    "the source {} of job {} shows what the kernel tells, and holds no files: some of it has no end, and nothing of it \
                     can be restored",
                    path.display(),
                    job.name
                ),
                "name the files that set it up, as those in /etc/sysctl.d; to keep what it shows, let a source of kind \"command\" print it",
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
    // Where they are right as they are written, it is links that lead together; else the config has told of it already.
    let is_right = faulty_sources(&job.sources).is_empty();
    let together = faulty_sources(&real).into_iter().filter(|_| is_right);
    let together = together.map(|faulty| {
        (
            format!(
                "the sources of job {} cannot be in one backup, for links lead them together: {}",
                job.name, faulty.fault
            ),
            "what is backed up must be restorable: name one of the two, or make another job for it",
        )
    });
    faults.extend(together);
    let found = real.iter().filter_map(|source| match source {
        BackupSource::Directory { path, .. } => {
            let found = fs::metadata(path).ok()?;
            Some((path.as_path(), (found.dev(), found.ino())))
        }
        _ => None,
    });
    let found: Vec<Directory<'_>> = found.collect();
    faults.extend(mounted_twice(&found).map(|(one, other)| {
        (
            format!(
                "the sources {} and {} of job {} are one directory, by a mount: it would be stored twice, and each restored over the other",
                one.display(),
                other.display(),
                job.name
            ),
            "name one of the two",
        )
    }));
    faults
}

/// A directory with no links in its path, and the numbers that tell it from every other.
type Directory<'a> = (&'a Path, (u64, u64));

/// Two paths of one directory that tell nothing of each other.
fn mounted_twice<'a>(found: &[Directory<'a>]) -> Option<(&'a Path, &'a Path)> {
    let mut known = HashMap::new();
    found.iter().find_map(|(path, numbers)| {
        let before: Option<&Path> = known.insert(*numbers, *path);
        before
            .filter(|before| before != path)
            .map(|before| (before, *path))
    })
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

    #[test]
    fn a_source_that_is_not_there_is_a_warning_and_one_that_is_none() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("file"), "").unwrap();
        let directory = |name: &str| BackupSource::Directory {
            path: root.path().join(name),
            prefix: String::new(),
        };
        let file = |name: &str| BackupSource::File {
            path: root.path().join(name),
            key: "k".to_owned(),
        };
        let told = |source: BackupSource| {
            let doubts = doubts(&job(vec![source])).into_iter();
            doubts.map(|(message, _)| message).collect::<Vec<_>>()
        };
        for there in [directory("."), file("file")] {
            assert_eq!(told(there), [""; 0]);
        }
        for (source, says) in [
            (directory("nope"), "is not there: no directory"),
            (file("nope"), "is not there: no file"),
        ] {
            let told = told(source).join("; ");
            assert!(told.contains(says), "{told}");
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

    #[test]
    fn a_source_in_the_state_directory_is_told_to_be_restored_nowhere_in_place() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().canonicalize().unwrap().join(name);
        fs::create_dir_all(at("state/backups")).unwrap();
        symlink("state", at("link")).unwrap();
        let count = |path: &str| {
            let path = at(path);
            let prefix = String::new();
            let job = job(vec![BackupSource::Directory { path, prefix }]);
            of_state(&job, &at("state"), &at("state/backups")).len()
        };
        for (path, expected) in [
            ("state", 1),
            ("state/data", 1),
            ("link/data", 1),
            ("state/backups/state", 0),
            ("state-2/data", 0),
            ("data", 0),
        ] {
            assert_eq!(count(path), expected, "{path}");
        }
    }

    #[test]
    fn one_directory_by_two_paths_is_told() {
        let [data, bound, other] = ["/data", "/bound", "/other"].map(Path::new);
        let twice = mounted_twice(&[(data, (1, 2)), (other, (1, 3)), (bound, (1, 2))]);
        assert_eq!(twice, Some((data, bound)));
        // The same path is told as such.
        for found in [
            [(data, (1, 2)), (other, (2, 2))],
            [(data, (1, 2)), (data, (1, 2))],
        ] {
            assert_eq!(mounted_twice(&found), None);
        }
    }

    #[test]
    fn what_shows_the_kernel_is_no_source_and_is_left_out_of_others() {
        let store = Path::new("/nonexistent/backups");
        let directory = |path: &str| BackupSource::Directory {
            path: path.into(),
            prefix: String::new(),
        };
        for path in ["/proc", "/proc/self", "/sys", "/proc/../sys/kernel"] {
            let found = faults(&job(vec![directory(path)]), store);
            assert_eq!(found.len(), 1, "{path}: {found:?}");
            assert!(found[0].0.contains("what the kernel tells"), "{found:?}");
        }
        let file = |path: &str| BackupSource::File {
            path: path.into(),
            key: "k".to_owned(),
        };
        for (path, count) in [("/proc/uptime", 1), ("/etc/passwd", 0), ("/nonexistent", 1)] {
            let job = job(vec![file(path)]);
            assert_eq!(doubts(&job).len(), count, "{path}");
            assert!(faults(&job, store).is_empty(), "{path}");
        }

        let mut root = job(vec![directory("/")]);
        assert!(doubts(&root).is_empty(), "another file system is left out");
        root.reading.one_filesystem = false;
        let found = doubts(&root);
        let of: Vec<bool> = ["holds /proc,", "holds /sys,"]
            .iter()
            .map(|text| found.iter().any(|(message, _)| message.contains(text)))
            .collect();
        assert_eq!((of, found.len()), (vec![true, true], 2), "{found:?}");
        for exclude in [["/proc", "sys/**"], ["/proc/*", "/sys/"]] {
            root.reading.exclude = exclude.map(str::to_owned).to_vec();
            assert!(doubts(&root).is_empty(), "{exclude:?}");
        }
        assert!(faults(&root, store).is_empty());
    }
}
