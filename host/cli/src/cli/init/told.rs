//! What `init` says of what it wrote: to people, and with `--json` as one object.

use super::{
    PLUGINS, config,
    draft::{Fate, Imported},
    words,
};
use crate::{
    carried::Carried,
    cli::{install, output::Output},
};
use mainstay_domain::text::list;
use serde_json::{Value, json};
use std::path::Path;

/// What was written.
pub(super) struct Written<'a> {
    /// The config.
    pub(super) file: &'a Path,
    /// A unit of systemd, where one was asked for.
    pub(super) unit: Option<&'a Path>,
    /// Why only its owner may read it: the first file that not everybody may read.
    pub(super) closed: Option<&'a str>,
    /// The plugins that were put there.
    pub(super) plugins: &'a [&'a Carried],
    /// Those that come with the program too.
    pub(super) others: &'a [&'a Carried],
    /// What other files gave, where some were named.
    pub(super) imported: Option<&'a Imported>,
    /// Whether systemd has started it.
    pub(super) is_started: bool,
}

impl Written<'_> {
    /// To people.
    pub(super) fn tell(&self, out: &Output) -> anyhow::Result<()> {
        out.line(&format!("wrote {}", self.file.display()))?;
        if let Some(unit) = self.unit {
            out.line(&format!("wrote {}", unit.display()))?;
        }
        if let Some(closed) = self.closed {
            out.line(&format!(
                "only its owner may read it, for not everybody may read {closed}"
            ))?;
        }
        let names =
            |plugins: &[&Carried]| list(plugins.iter().map(|plugin| &plugin.about.name), "none");
        out.line(&format!("put into plugins: {}", names(self.plugins)))?;
        let others = names(self.others);
        let told = format!("mainstay plugin install NAME puts another one there: {others}");
        install::tell(out, 0, &told)?;
        let is_asked_for = |plugin: &&&Carried| !PLUGINS.contains(&plugin.about.name.as_str());
        for plugin in self.plugins.iter().filter(is_asked_for) {
            out.line(&install::heading_of(plugin))?;
            install::tell_config(out, plugin)?;
        }
        match self.imported {
            Some(imported) => report(out, imported),
            None => Ok(()),
        }
    }

    /// To programs.
    pub(super) fn tell_programs(&self, out: &Output) -> anyhow::Result<()> {
        out.json_line(&self.as_json())
    }

    fn as_json(&self) -> Value {
        let plugins = self.plugins.iter().map(|plugin| &plugin.about.name);
        let (mut targets, mut lines) = (Vec::new(), Vec::new());
        if let Some(imported) = self.imported {
            let drafts = imported.targets.iter();
            targets.extend(drafts.map(|draft| json!({"name": draft.name, "off": draft.off})));
            lines.extend(imported.notes.iter().map(|note| {
                let (became, why) = match &note.fate {
                    Fate::Carried => ("carried", None),
                    Fate::Differently(how) => ("differently", Some(how)),
                    Fate::Left(why) => ("not-carried", Some(why)),
                };
                json!({
                    "file": note.file, "line": note.line, "text": config::shown(note), "became": became, "why": why,
                })
            }));
        }
        json!({
            "config": self.file.display().to_string(),
            "unit": self.unit.map(|unit| unit.display().to_string()),
            "private": self.closed.is_some(),
            "plugins": plugins.collect::<Vec<_>>(),
            "targets": targets,
            "lines": lines,
            "started": self.is_started,
        })
    }
}

/// What became of the lines.
fn report(out: &Output, imported: &Imported) -> anyhow::Result<()> {
    let count = |wanted: fn(&Fate) -> bool| {
        let notes = imported.notes.iter();
        notes.filter(|note| wanted(&note.fate)).count()
    };
    let carried = count(|fate| *fate == Fate::Carried);
    let differently = count(|fate| matches!(fate, Fate::Differently(_)));
    let left = count(|fate| matches!(fate, Fate::Left(_)));
    for target in &imported.targets {
        match &target.off {
            None => out.line(&format!("target {}", target.name))?,
            Some(why) => out.line(&format!("target {}, as a comment: {why}", target.name))?,
        }
    }
    for told in imported.notes.iter().filter_map(config::told) {
        out.line(&format!("  {told}"))?;
    }
    for hint in config::secrets(&imported.targets) {
        out.line(&format!("  {hint}"))?;
    }
    out.line(&format!(
        "{carried} lines carried, {differently} carried differently, {left} not carried"
    ))
}

/// The commands that come next.
pub(super) fn next(out: &Output, directory: &Path, is_first: bool) -> anyhow::Result<()> {
    out.line("next:")?;
    if directory != Path::new(".") {
        let shown = words::quoted(&directory.display().to_string());
        out.line(&format!("  cd {shown}"))?;
    }
    out.line("  mainstay check                      # what it says, and what is missing")?;
    out.line("  mainstay run                        # in the foreground")?;
    out.line("then, in another terminal, in the same directory:")?;
    out.line("  mainstay status                     # health and pid of each target")?;
    if is_first {
        out.line("  kill -9 PID                         # of `hello`; it is started anew")?;
    }
    out.line("  mainstay history                    # what was recovered, and by whom")?;
    out.line("  cat alerts/alerts.jsonl             # whom it told")?;
    out.line("  mainstay plugin list --available    # what else comes with the program")
}

/// The commands that come next for a service of the machine.
pub(super) fn next_of_service(
    out: &Output,
    file: &Path,
    unit: &Path,
    is_started: bool,
) -> anyhow::Result<()> {
    let file = file.display();
    if is_started {
        out.line(
            "it runs, and starts at each boot; a change of the config is applied when it is saved",
        )?;
    }
    out.line("next:")?;
    out.line(&format!("  mainstay check --config {file}"))?;
    if !is_started {
        out.line(&format!("  systemctl enable --now {}", unit.display()))?;
    }
    out.line(&format!("  mainstay status --config {file}"))
}

#[cfg(test)]
mod tests {
    use super::{super::Source, super::supervisord, *};

    #[test]
    fn what_systemd_has_started_is_not_to_be_started_once_more() {
        for is_started in [true, false] {
            let out = Output::in_memory(false, false);
            let [file, unit] = ["/e/mainstay.toml", "/e/mainstay.service"].map(Path::new);
            next_of_service(&out, file, unit, is_started).unwrap();
            let written = out.written();
            assert_eq!(written.contains("it runs"), is_started, "{written}");
            let is_asked_for = written.contains("systemctl enable --now /e/mainstay.service");
            assert_eq!(is_asked_for, !is_started, "{written}");
        }
    }

    #[test]
    fn what_became_of_each_line_is_told_to_programs_without_its_secrets() {
        let imported = supervisord::import(&[Source {
            file: "s.conf".to_owned(),
            text: "[program:web]\ncommand=/bin/web\nenvironment=TOKEN=hunter2\nstopsignal=KILL\n"
                .to_owned(),
            ..Source::default()
        }]);
        let written = Written {
            file: Path::new("/srv/mainstay.toml"),
            unit: None,
            closed: None,
            plugins: &[],
            others: &[],
            imported: Some(&imported),
            is_started: false,
        };
        let told = written.as_json();
        assert_eq!(told["config"], "/srv/mainstay.toml");
        assert_eq!(told["targets"], json!([{"name": "web", "off": null}]));
        let became = |number: usize| told["lines"][number]["became"].as_str().unwrap();
        assert_eq!(
            [became(0), became(1), became(2)],
            ["carried", "carried", "not-carried"]
        );
        assert!(told["lines"][2]["why"].is_string(), "{told}");
        assert!(!told.to_string().contains("hunter2"), "{told}");
    }
}
