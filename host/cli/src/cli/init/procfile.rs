//! Targets out of a Procfile: lines `name: command`, each run by a shell.

use super::{
    Source,
    draft::{Draft, Fate, Imported, Note, name_of},
    words::{needs_shell, words},
};

/// What the files give, in their order.
pub(super) fn import(sources: &[Source]) -> Imported {
    let mut imported = Imported::default();
    for source in sources {
        // As foreman counts: each name has a hundred ports of its own.
        let mut port = 5_000;
        for (number, line) in source.text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let parted = line.split_once(':');
            let parted = parted.map(|(name, command)| (name.trim(), command.trim()));
            let is_name = |name: &str| {
                let mut bytes = name.bytes();
                !name.is_empty()
                    && bytes.all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_')
            };
            let fate = match parted {
                Some((name, command)) if is_name(name) && !command.is_empty() => {
                    let mut draft = Draft::new(name_of(name), name);
                    draft.set("cwd", source.directory.as_str());
                    draft.set("restart", "always");
                    let fate = run(&mut draft, command, port);
                    port += 100;
                    imported.targets.push(draft);
                    fate
                }
                _ => Fate::left("it is not `name: command`"),
            };
            imported.notes.push(Note {
                file: source.file.clone(),
                line: number + 1,
                text: line.to_owned(),
                fate,
            });
        }
    }
    imported
}

fn run(draft: &mut Draft, command: &str, port: i64) -> Fate {
    let asks_port = command.contains("$PORT") || command.contains("${PORT");
    if asks_port {
        draft.set_env(vec![("PORT".to_owned(), port.to_string())]);
    }
    let parted = words(command).ok().filter(|_| !needs_shell(command));
    match parted {
        Some(run) => {
            draft.set("run", run);
            Fate::Carried
        }
        None => {
            // Where one program is run in place of the shell, signals come to it.
            let is_one = !command.contains(['|', '&', ';', '<', '>', '(', '\n', '{']);
            let first = command.split_whitespace().next().unwrap_or_default();
            let is_plain = is_one && !first.contains('=') && first != "exec" && first != "cd";
            let line = if is_plain {
                format!("exec {command}")
            } else {
                command.to_owned()
            };
            draft.set("run", vec!["/bin/sh".to_owned(), "-c".to_owned(), line]);
            Fate::differently(match asks_port {
                true => format!(
                    "by `/bin/sh -c`, with PORT={port}: a target has a shell only where it names one"
                ),
                false => "by `/bin/sh -c`: a target has a shell only where it names one".to_owned(),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_a_target_or_is_listed() {
        let text = "# a comment\nweb: bin/web --port 80\nworker_1: node w.js --port $PORT\n\
                    clock: A=1 rake clock\nbad line\n: x\nempty:\nlog: a | b\n";
        let found = import(&[Source {
            file: "Procfile".to_owned(),
            directory: "/srv/app".to_owned(),
            text: text.to_owned(),
            ..Source::default()
        }]);
        let targets: Vec<(String, String)> = found
            .targets
            .iter()
            .map(|target| (target.name.clone(), target.get("run").unwrap().to_string()))
            .collect();
        let expected = [
            ("web", r#"["bin/web", "--port", "80"]"#),
            (
                "worker-1",
                r#"["/bin/sh", "-c", "exec node w.js --port $PORT"]"#,
            ),
            ("clock", r#"["/bin/sh", "-c", "A=1 rake clock"]"#),
            ("log", r#"["/bin/sh", "-c", "a | b"]"#),
        ];
        let expected = expected.map(|(name, run)| (name.to_owned(), run.to_owned()));
        assert_eq!(targets, expected);
        let port = found.targets[1].get("env").unwrap().to_string();
        assert_eq!(port, r#"{ PORT = "5100" }"#);
        for target in &found.targets {
            assert_eq!(target.get("cwd").unwrap().as_str(), Some("/srv/app"));
        }
        let fates: Vec<(usize, bool)> = found
            .notes
            .iter()
            .map(|note| (note.line, matches!(note.fate, Fate::Left(_))))
            .collect();
        assert_eq!(
            fates,
            [
                (2, false),
                (3, false),
                (4, false),
                (5, true),
                (6, true),
                (7, true),
                (8, false)
            ]
        );
    }
}
