//! Files and directories, beside programs, that the config wants to be there: else it is found out when a check looks, a
//! target starts, or a backup is taken in the night.
//!
//! Warnings, for each of them may come later.

use mainstay_daemon::config::{EntityKind, Loaded, Problem};
use mainstay_domain::{
    env_file,
    spec::{CheckKind, Spec, TierPlaceSpec, Trust},
};
use mainstay_runtime::regular_file;
use std::{fs, io, path::Path};

/// Something that has to be there.
struct Wanted<'a> {
    /// Whose it is, for its place.
    owner: (EntityKind, &'a str),
    /// What it is, for people.
    what: String,
    path: &'a Path,
    is_directory: bool,
    help: &'static str,
}

/// A warning for each thing that is not there, is something else, or does not hold what it has to.
pub(super) fn problems(loaded: &Loaded) -> Vec<Problem> {
    let wanted = wanted(&loaded.spec).into_iter();
    let doubtful = wanted.filter_map(|wanted| {
        let doubt = doubt(&wanted)?;
        let (kind, name) = wanted.owner;
        let message = format!("{}, {}, {doubt}", wanted.what, wanted.path.display());
        let problem = Problem::warning(message, wanted.help);
        Some(loaded.problem_about(kind, name, problem))
    });
    doubtful.chain(bad_variables(loaded)).collect()
}

/// Files of variables that keep their targets from starting.
fn bad_variables(loaded: &Loaded) -> impl Iterator<Item = Problem> {
    loaded.spec.targets.iter().filter_map(|target| {
        let file = target.process.as_ref()?.env_file.as_deref()?;
        let (name, why) = (target.name.as_str(), why_no_variables(file)?);
        let message = format!("`env_file` of target `{name}`, {}: {why}", file.display());
        let help = "write lines KEY=VALUE, and nothing else but comments: with this the target does not start";
        let problem = Problem::warning(message, help);
        Some(loaded.problem_about(EntityKind::Target, name, problem))
    })
}

/// None where there is nothing to say: it is good, is no file, or only the daemon may read it.
fn why_no_variables(file: &Path) -> Option<String> {
    if !fs::metadata(file).is_ok_and(|found| found.is_file()) {
        return None;
    }
    match regular_file::read_whole(file, env_file::MAX_BYTES) {
        Ok(content) => env_file::variables(content).err(),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => None,
        Err(error) => Some(error.to_string()),
    }
}

fn doubt(wanted: &Wanted<'_>) -> Option<String> {
    match fs::metadata(wanted.path) {
        Ok(found) if wanted.is_directory && found.is_dir() => None,
        Ok(_) if wanted.is_directory => Some("is no directory".to_owned()),
        Ok(found) if found.is_file() => None,
        Ok(_) => Some("is no regular file".to_owned()),
        Err(error) => Some(format!("cannot be read: {error}")),
    }
}

fn wanted(spec: &Spec) -> Vec<Wanted<'_>> {
    const AUTHORITIES: &str =
        "write it, with certificates in PEM: without it there is no connection";
    let mut wanted = Vec::new();
    for target in &spec.targets {
        let name = target.name.as_str();
        let owner = (EntityKind::Target, name);
        let process = target.process.as_ref();
        wanted.extend(
            process
                .and_then(|process| process.env_file.as_deref())
                .map(|path| Wanted {
                    owner,
                    what: format!("`env_file` of target `{name}`"),
                    path,
                    is_directory: false,
                    help: "write it, with lines KEY=VALUE: without it the target does not start",
                }),
        );
        for check in &target.checks {
            wanted.extend(authorities(&check.kind).map(|path| Wanted {
                owner,
                what: format!("`ca` of check `{}` of target `{name}`", check.name),
                path,
                is_directory: false,
                help: AUTHORITIES,
            }));
        }
    }
    for (name, tier) in &spec.tiers {
        let place = match &tier.place {
            // It is made.
            TierPlaceSpec::Directory(_) if name.is_local() => None,
            TierPlaceSpec::Directory(path) => Some(("directory", path.as_path(), true)),
            TierPlaceSpec::Bucket(bucket) => bucket.ca().map(|path| ("`ca`", path, false)),
        };
        wanted.extend(place.map(|(part, path, is_directory)| Wanted {
            owner: (EntityKind::Tier, name.as_str()),
            what: format!("the {part} of tier `{name}`"),
            path,
            is_directory,
            help: match is_directory {
                true => "make it, or mount what it is on: nothing is stored there before",
                false => AUTHORITIES,
            },
        }));
    }
    for job in &spec.jobs {
        let (sealing, name) = (&job.sealing, job.name.as_str());
        for (key, path, is_directory, help) in [
            (
                "recipients_file",
                &sealing.recipients_file,
                false,
                "write it, with a recipient a line: without it no backup is taken",
            ),
            (
                "identity",
                &sealing.identity,
                false,
                "`mainstay backup keygen` makes one: without it this host reads back no backup that is encrypted",
            ),
            (
                "scratch",
                &job.drill.scratch,
                true,
                "make it: without it no drill restores anything",
            ),
        ] {
            wanted.extend(path.as_deref().map(|path| Wanted {
                owner: (EntityKind::Job, name),
                what: format!("`{key}` of job `{name}`"),
                path,
                is_directory,
                help,
            }));
        }
    }
    wanted
}

/// The file of the authorities that count for who answers this check.
fn authorities(kind: &CheckKind) -> Option<&Path> {
    match kind {
        CheckKind::Http(http) => match &http.trust {
            Trust::Authorities(file) => Some(file.as_path()),
            _ => None,
        },
        CheckKind::Redis(redis) => redis.ca.as_deref(),
        CheckKind::Postgres(postgres) => postgres.ca.as_deref(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::loaded, *};

    #[test]
    fn what_is_not_there_is_told_of_whom_it_is() {
        let check = |keys: &str| {
            format!(
                "[[target]]\nname = \"t\"\n[[target.check]]\nname = \"c\"\nfailure = \"f\"\n{keys}\n\
                 [[route]]\nchain = [{{ handler = \"h\" }}]\n"
            )
        };
        let job = |keys: &str| {
            format!(
                "[[job]]\nname = \"j\"\nsource = [{{ kind = \"directory\", path = \"d\" }}]\n{keys}\n"
            )
        };
        let bucket = "[tier.o]\nkind = \"s3\"\nurl = \"s3://backups\"\naccess_key = \"${secret:k}\"\n\
                      secret_key = \"${secret:k}\"\nca = \"PATH\"\n[secrets]\nk = { env = \"K\" }\n";
        let route = "[[route]]\nchain = [{ handler = \"h\" }]\n";
        for (rest, what, is_directory) in [
            (
                format!("[[target]]\nname = \"t\"\nrun = [\"sh\"]\nenv_file = \"PATH\"\n{route}"),
                "`env_file` of target `t`",
                false,
            ),
            (
                check("kind = \"http\"\nurl = \"https://a.example/\"\nca = \"PATH\""),
                "`ca` of check `c` of target `t`",
                false,
            ),
            (
                check("kind = \"redis\"\naddress = \"a.example:1\"\nca = \"PATH\""),
                "`ca` of check `c` of target `t`",
                false,
            ),
            (bucket.to_owned(), "the `ca` of tier `o`", false),
            (
                "[tier.o]\npath = \"PATH\"\n".to_owned(),
                "the directory of tier `o`",
                true,
            ),
            (
                job("encryption = { recipients_file = \"PATH\" }"),
                "`recipients_file` of job `j`",
                false,
            ),
            (
                job("encryption = \"none\"\nidentity = { file = \"PATH\" }"),
                "`identity` of job `j`",
                false,
            ),
            (
                job("encryption = \"none\"\ndrill = { every = \"14d\", scratch = \"PATH\" }"),
                "`scratch` of job `j`",
                true,
            ),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let file = directory.path().join("file");
            fs::write(&file, "").unwrap();
            let other = if is_directory {
                "is no directory"
            } else {
                "is no regular file"
            };
            for (path, expected) in [
                (directory.path().join("missing"), Some("cannot be read: ")),
                (
                    directory.path().to_owned(),
                    Some(other).filter(|_| !is_directory),
                ),
                (file.clone(), Some(other).filter(|_| is_directory)),
            ] {
                let path = path.display().to_string();
                let (_directory, loaded) = loaded(&rest.replace("PATH", &path));
                let found = problems(&loaded);
                match (found.as_slice(), expected) {
                    ([], None) => {}
                    ([problem], Some(says)) => {
                        let begin = format!("{what}, {path}, {says}");
                        assert!(problem.message.starts_with(&begin), "{problem:?}");
                        assert!(!problem.is_error() && problem.line.is_some(), "{problem:?}");
                    }
                    (found, _) => panic!("{rest}: {path}: {found:?}, not {expected:?}"),
                }
            }
        }
    }

    #[test]
    fn variables_with_which_a_target_does_not_start_are_told_with_their_line() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("env");
        let target = format!(
            "[[target]]\nname = \"t\"\nrun = [\"sh\"]\nenv_file = \"{}\"\n[[route]]\nchain = [{{ handler = \"h\" }}]\n",
            file.display()
        );
        for (content, expected) in [
            ("# of it\nA=1\nB='2'\n", None),
            (
                "A=1\nexport B=2\n",
                Some("line 2: what is before `=` is no name"),
            ),
            ("A\n", Some("line 1: it has no `=`")),
        ] {
            fs::write(&file, content).unwrap();
            let (_directory, loaded) = loaded(&target);
            let found = problems(&loaded);
            assert_eq!(found.len(), usize::from(expected.is_some()), "{found:?}");
            for (problem, says) in found.iter().zip(expected) {
                let begin = format!("`env_file` of target `t`, {}: {says}", file.display());
                assert!(problem.message.starts_with(&begin), "{problem:?}");
                assert!(!problem.is_error() && problem.line.is_some(), "{problem:?}");
            }
        }
    }

    #[test]
    fn the_place_of_the_tier_local_is_made() {
        let (_directory, loaded) = loaded("[tier.local]\npath = \"nowhere\"\n");
        assert!(problems(&loaded).is_empty());
    }
}
