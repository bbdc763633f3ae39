//! The files and variables of secrets: whether the daemon, which reads them at its start and at a reload, could have their values.
//!
//! Invariant: no value is in a problem; what never begins or never ends is not waited for.

use mainstay_daemon::config::{EntityKind, Loaded, Problem};
use mainstay_domain::spec::{MAX_SECRET_BYTES, SecretSource};
use mainstay_runtime::regular_file;
use std::{
    env,
    ffi::{OsStr, OsString},
    fs, io,
    os::unix::fs::PermissionsExt,
    path::Path,
};

/// Every file that the daemon would refuse, as one that is not there; and a warning for each variable that it would refuse if its
/// environment were that of this check, which it need not be.
pub(super) fn problems(loaded: &Loaded) -> Vec<Problem> {
    let found = loaded.spec.secrets.iter().filter_map(|(name, source)| {
        let problem = match source {
            SecretSource::File(path) => problem(path),
            SecretSource::Env(variable) => problem_of_variable(variable, env::var_os(variable)),
        }?;
        Some(loaded.problem_about(EntityKind::Secret, name.as_str(), problem))
    });
    found.collect()
}

fn problem_of_variable(variable: &str, value: Option<OsString>) -> Option<Problem> {
    let what = match value.as_deref().map(OsStr::to_str) {
        None => "is not set".to_owned(),
        Some(None) => "is not UTF-8 text".to_owned(),
        Some(Some("")) => "is empty".to_owned(),
        Some(Some(value)) if value.len() as u64 > MAX_SECRET_BYTES => {
            format!("is longer than the {MAX_SECRET_BYTES} bytes of a secret")
        }
        Some(Some(_)) => return None,
    };
    Some(Problem::warning(
        format!("the environment variable {variable} {what} where this check runs"),
        "see that it is set where the daemon is started, which may have another environment: without it the daemon does not \
         start, and refuses the config",
    ))
}

fn problem(path: &Path) -> Option<Problem> {
    let shown = path.display();
    let wrong = |what: &str, help: &str| Some(Problem::error(format!("{shown} {what}"), help));
    let unreadable = |error: &io::Error| {
        Some(Problem::warning(
            format!("{shown} cannot be read by who runs this check: {error}"),
            "see that the user of the daemon can read it: else the daemon does not start, and refuses the config",
        ))
    };
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return wrong(
                "is not there",
                "write it, with mode 600: without it the daemon does not start, and refuses the config",
            );
        }
        Err(error) => return unreadable(&error),
    };
    if !found.is_file() {
        return wrong(
            "is no regular file, and nothing else is read as a secret",
            "name a file that holds the value, with mode 600",
        );
    }
    let mode = found.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let what = format!("can be read or changed by others (mode {mode:o})");
        return wrong(&what, &format!("run `chmod 600 {shown}`"));
    }
    let value = match read(path) {
        Ok(value) => value,
        Err(error) => return unreadable(&error),
    };
    let value = value.strip_suffix(b"\n").unwrap_or(&value);
    let value = value.strip_suffix(b"\r").unwrap_or(value);
    match value.len() as u64 {
        0 => wrong("is empty", "write the value into it"),
        length if length > MAX_SECRET_BYTES => {
            let what = format!("is longer than the {MAX_SECRET_BYTES} bytes of a secret");
            wrong(&what, "write the value alone into it")
        }
        _ if std::str::from_utf8(value).is_err() => {
            wrong("is not UTF-8 text", "write the value as text into it")
        }
        _ => None,
    }
}

/// As much of it as tells whether it is too long.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    regular_file::read_start(path, MAX_SECRET_BYTES + 3)
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};
    use std::os::unix::ffi::OsStringExt;

    #[test]
    fn a_file_is_judged_as_the_daemon_will_judge_it() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let write = |name: &str, value: &[u8], mode: u32| {
            fs::write(at(name), value).unwrap();
            fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).unwrap();
        };
        write("good", b"value\n", 0o600);
        write("read-only", b"value", 0o400);
        write("longest", &[b'x'; 16 << 10], 0o600);
        write("open", b"value", 0o644);
        write("group", b"value", 0o640);
        write("empty", b"\r\n", 0o600);
        write("long", &[b'x'; (16 << 10) + 1], 0o600);
        write("binary", b"\xff", 0o600);
        fs::create_dir(at("directory")).unwrap();
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mkfifoat(rustix::fs::CWD, at("fifo"), mode).unwrap();
        std::os::unix::fs::symlink("nowhere", at("link")).unwrap();
        for (name, expected) in [
            ("good", None),
            ("read-only", None),
            ("longest", None),
            ("open", Some((true, "by others (mode 644)"))),
            ("group", Some((true, "by others (mode 640)"))),
            ("empty", Some((true, "is empty"))),
            ("long", Some((true, "is longer than"))),
            ("binary", Some((true, "is not UTF-8"))),
            ("directory", Some((true, "is no regular file"))),
            ("fifo", Some((true, "is no regular file"))),
            ("link", Some((true, "is not there"))),
            ("missing", Some((true, "is not there"))),
        ] {
            let found = problem(&at(name));
            match (&found, expected) {
                (None, None) => {}
                (Some(found), Some((is_error, says))) => {
                    assert_eq!(found.is_error(), is_error, "{name}: {found:?}");
                    assert!(found.message.contains(says), "{name}: {found:?}");
                    assert!(!found.message.contains("value"), "{name}: {found:?}");
                }
                _ => panic!("{name}: {found:?}, not {expected:?}"),
            }
        }
        let zero = problem(Path::new("/dev/zero")).unwrap();
        assert!(zero.is_error(), "{zero:?}");
    }

    #[test]
    fn a_variable_is_warned_of_for_the_daemon_may_have_another_environment() {
        let long = "x".repeat((16 << 10) + 1);
        for (value, expected) in [
            (Some("value".into()), None),
            (None, Some("HOOK is not set where this check runs")),
            (Some("".into()), Some("HOOK is empty")),
            (Some(long.into()), Some("HOOK is longer than")),
            (
                Some(OsString::from_vec(vec![0xff])),
                Some("HOOK is not UTF-8"),
            ),
        ] {
            let found = problem_of_variable("HOOK", value);
            match (&found, expected) {
                (None, None) => {}
                (Some(found), Some(says)) => {
                    assert!(!found.is_error(), "{found:?}");
                    assert!(found.message.contains(says), "{found:?}");
                    assert!(found.help.contains("another environment"), "{found:?}");
                }
                _ => panic!("{found:?}, not {expected:?}"),
            }
        }
    }

    #[test]
    fn a_variable_that_is_not_set_is_told_with_the_line_of_its_secret() {
        let variable = "MAINSTAY_TEST_OF_CHECK_NOT_SET";
        let config = format!("[secrets]\nhook = {{ env = \"{variable}\" }}\n");
        let (_directory, loaded) = testing::loaded(&config);
        let found = problems(&loaded);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].line, Some(5));
        assert!(found[0].message.contains(variable), "{found:?}");
    }
}
