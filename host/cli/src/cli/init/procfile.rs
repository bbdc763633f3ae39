//! Targets out of a Procfile: lines `name: command`, each run by a shell, with the variables of `.env` beside it.

use super::{
    Source,
    draft::{Draft, Fate, Imported, Note, name_of},
    words::{needs_shell, words},
};

/// What the files give, in their order.
pub(super) fn import(sources: &[Source]) -> Imported {
    let mut imported = Imported::default();
    for source in sources {
        let variables = source.variables.as_ref();
        let env_file = variables.filter(|variables| has_pairs_alone(&variables.text));
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
                    if let Some(variables) = env_file {
                        draft.set("env_file", variables.file.as_str());
                    }
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
        imported.notes.extend(variables.map(|variables| Note {
            file: variables.file.clone(),
            line: 1,
            text: "the whole file".to_owned(),
            fate: match env_file {
                Some(_) => Fate::differently(
                    "as `env_file` of each target, read at each of its starts; what `env` sets goes over it",
                ),
                None => Fate::left(
                    "a line of it is not KEY=VALUE, as `env_file` has them; correct it, without `export`, and name it there",
                ),
            },
        }));
    }
    imported
}

/// Whether a target could read its variables from it: lines `KEY=VALUE`, comments and empty ones.
fn has_pairs_alone(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim);
    lines.all(|line| {
        let name = line.split_once('=').map_or("", |(name, _)| name);
        let is_name = !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        line.is_empty() || line.starts_with('#') || is_name
    })
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
    use super::{super::DropIn, *};

    #[test]
    fn the_variables_beside_it_are_those_of_each_target_or_are_listed() {
        for (text, is_taken) in [
            ("# a comment\nA=1\n\nB=\"x y\"\n", true),
            ("", true),
            ("export A=1\n", false),
            ("A=1\n  b\n", false),
            ("1A=1\n", false),
        ] {
            let found = import(&[Source {
                file: "Procfile".to_owned(),
                text: "web: bin/web\nclock: bin/clock\n".to_owned(),
                variables: Some(DropIn {
                    file: "/srv/app/.env".to_owned(),
                    text: text.to_owned(),
                }),
                ..Source::default()
            }]);
            let expected = is_taken.then_some("/srv/app/.env");
            for target in &found.targets {
                let file = target.get("env_file").and_then(|value| value.as_str());
                assert_eq!(file, expected, "{text:?}");
            }
            let note = found.notes.last().unwrap();
            let is_left = matches!(note.fate, Fate::Left(_));
            assert_eq!((note.file.as_str(), is_left), ("/srv/app/.env", !is_taken));
        }
    }

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
