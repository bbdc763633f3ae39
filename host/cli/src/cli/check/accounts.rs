//! The accounts with whom the admin API's socket is to be shared: whether the machine has them.
//!
//! Warnings, for each of them may come later; the daemon does not start without them.

use mainstay_daemon::config::{Loaded, Problem};
use mainstay_domain::spec::ViewerSpec;
use std::fs;

/// A warning for each account that is not there.
pub(super) fn problems(loaded: &Loaded) -> Vec<Problem> {
    let socket = &loaded.spec.host.socket;
    let wanted = socket.group.iter().map(|name| ("api.group", name, true));
    let viewers = socket.viewers.iter().map(|viewer| match viewer {
        ViewerSpec::User(name) => ("api.viewers", name, false),
        ViewerSpec::Group(name) => ("api.viewers", name, true),
    });
    let mut problems = Vec::new();
    for (key, name, is_group) in wanted.chain(viewers) {
        let (file, what) = match is_group {
            true => ("/etc/group", "group"),
            false => ("/etc/passwd", "user"),
        };
        // Where it cannot be read nothing is known.
        if fs::read_to_string(file).is_ok_and(|lines| !has(&lines, name)) {
            let problem = Problem::warning(
                format!("the {what} `{name}` of host.{key} is not in {file}"),
                format!(
                    "name one that `getent {}` lists, or make it before the daemon starts",
                    database(is_group)
                ),
            );
            problems.push(loaded.problem_about_directory(key, problem));
        }
    }
    problems
}

fn database(is_group: bool) -> &'static str {
    if is_group { "group" } else { "passwd" }
}

/// Whether a line is of this name.
fn has(lines: &str, name: &str) -> bool {
    lines
        .lines()
        .any(|line| line.split(':').next() == Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_there_where_a_line_has_its_name() {
        let lines = "root:x:0:\nstaff:x:50:anna\n";
        for (name, expected) in [
            ("staff", true),
            ("root", true),
            ("anna", false),
            ("sta", false),
        ] {
            assert_eq!(has(lines, name), expected, "{name}");
        }
    }
}
