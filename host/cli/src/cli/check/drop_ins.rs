//! What lies in `conf.d` and is not read: who put it there hardly knows.
//!
//! Warnings, for it may lie there for people.

use mainstay_daemon::config::Problem;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A warning for each thing in the `conf.d` of this config that is passed over, unless its name says why.
pub(super) fn problems(config: &Path) -> Vec<Problem> {
    // Where the directory cannot be listed that is said already.
    let entries = fs::read_dir(config.with_file_name("conf.d"));
    let paths = entries.into_iter().flatten().flatten();
    let mut unread: Vec<PathBuf> = paths
        .map(|entry| entry.path())
        .filter(|path| is_passed_over(path))
        .collect();
    unread.sort();
    unread.iter().map(|path| problem(path)).collect()
}

/// What is hidden, put aside as `web.toml.off` or `web.toml~`, or says what the directory is for, is meant so.
fn is_passed_over(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    !(name.ends_with(".toml")
        || name.starts_with(['.', '#'])
        || name.ends_with('~')
        || name.starts_with("README")
        || name.contains(".toml."))
}

fn problem(path: &Path) -> Problem {
    let message = "it is not read: of `conf.d` only the files whose names end with `.toml` are";
    let help = match path.is_dir() {
        true => "move its files into `conf.d` itself".to_owned(),
        false => {
            let name = path.with_extension("toml");
            let name = name.file_name().unwrap_or_default().to_string_lossy();
            format!("name it `{name}`, or move it away")
        }
    };
    Problem::warning(message, help).in_file(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_conf_d_holds_beside_config_is_warned_of_unless_its_name_says_why() {
        let directory = tempfile::tempdir().unwrap();
        let conf_d = directory.path().join("conf.d");
        let config = directory.path().join("mainstay.toml");
        assert!(problems(&config).is_empty(), "there is none");
        fs::create_dir_all(conf_d.join("more")).unwrap();
        for name in [
            "web.toml",
            ".hidden",
            "web.toml~",
            "web.toml.off",
            "#web.toml#",
            "README.md",
            "a.conf",
            "db",
        ] {
            fs::write(conf_d.join(name), "").unwrap();
        }
        let found = problems(&config);
        let said: Vec<(String, &str)> = found
            .iter()
            .map(|problem| {
                let file = problem.file.as_deref().unwrap();
                let name = Path::new(file).file_name().unwrap().to_str().unwrap();
                (name.to_owned(), problem.help.as_str())
            })
            .collect();
        let expected = [
            ("a.conf", "name it `a.toml`, or move it away"),
            ("db", "name it `db.toml`, or move it away"),
            ("more", "move its files into `conf.d` itself"),
        ];
        let expected = expected.map(|(name, help)| (name.to_owned(), help));
        assert_eq!(said, expected);
        assert!(found.iter().all(|problem| !problem.is_error()));
    }
}
