//! Which version of a model follows one that fails.
//!
//! Invariant: in one incident no version is taken twice, so attempts end; the same call takes the same one again.

/// A model as its directory has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Model {
    /// The version that is served.
    pub(crate) current: Option<String>,
    /// The last version that is known to work.
    pub(crate) stable: Option<String>,
    /// Those of `stable` and the baseline that are there.
    pub(crate) there: Vec<String>,
    /// The last rollback, where there was one.
    pub(crate) last: Option<Rollback>,
}

/// What was done to a model, as its directory keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rollback {
    /// In which incident.
    pub(crate) incident: String,
    /// By which call: an operation and its attempt.
    pub(crate) call: String,
    /// The versions that failed in this incident, in order, and at last the one that was taken.
    pub(crate) versions: Vec<String>,
}

impl Rollback {
    /// The version that was taken.
    pub(crate) fn taken(&self) -> &str {
        self.versions.last().map_or("", String::as_str)
    }

    /// The version that was left for it.
    pub(crate) fn left(&self) -> &str {
        let before = self.versions.iter().nth_back(1);
        before.map_or("none", String::as_str)
    }

    /// As lines of text: the incident, the call, and the versions.
    pub(crate) fn to_text(&self) -> String {
        let head = [&self.incident, &self.call].into_iter();
        let lines: Vec<&str> = head.chain(&self.versions).map(String::as_str).collect();
        lines.join("\n") + "\n"
    }

    /// What `to_text` wrote; none for anything else.
    pub(crate) fn of_text(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let (incident, call) = (lines.next()?, lines.next()?);
        let versions: Vec<String> = lines.map(str::to_owned).collect();
        (!versions.is_empty()).then(|| Self {
            incident: incident.to_owned(),
            call: call.to_owned(),
            versions,
        })
    }
}

/// What a call does to a model: the version that follows, or none where none is left.
pub(crate) fn choose(
    model: &Model,
    baseline: &str,
    incident: &str,
    call: &str,
) -> Option<Rollback> {
    let same = model.last.as_ref().filter(|last| last.incident == incident);
    if let Some(last) = same.filter(|last| last.call == call) {
        return Some(last.clone());
    }
    let mut versions = same.map(|last| last.versions.clone()).unwrap_or_default();
    // Somebody else may have moved it since.
    let current = model.current.clone();
    let current = current.filter(|current| versions.last() != Some(current));
    versions.extend(current);
    let candidates = [model.stable.as_deref(), Some(baseline)];
    let next = candidates.into_iter().flatten().find(|version| {
        let is_there = model.there.iter().any(|there| there == version);
        is_there && !versions.iter().any(|tried| tried == version)
    })?;
    versions.push(next.to_owned());
    Some(Rollback {
        incident: incident.to_owned(),
        call: call.to_owned(),
        versions,
    })
}

/// Whether a text names a model or a version: one part of a path.
pub(crate) fn is_name(text: &str) -> bool {
    let is_short = (1..=128).contains(&text.chars().count());
    let is_plain = !text.contains(['/', '\\']) && !text.chars().any(char::is_control);
    is_short && is_plain && !text.starts_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(current: &str, stable: &str, there: &[&str]) -> Model {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Model {
            current: some(current),
            stable: some(stable),
            there: there.iter().map(|version| (*version).to_owned()).collect(),
            last: None,
        }
    }

    fn versions(chosen: Option<&Rollback>) -> Vec<&str> {
        let versions = chosen.map(|chosen| chosen.versions.as_slice());
        let versions = versions.unwrap_or_default().iter();
        versions.map(String::as_str).collect()
    }

    #[test]
    fn the_last_stable_version_is_taken_else_the_baseline_else_none() {
        let there = ["7", "base"];
        for (current, stable, there, expected) in [
            ("8", "7", &there[..], &["8", "7"][..]),
            ("7", "7", &there[..], &["7", "base"][..]),
            ("8", "", &there[..], &["8", "base"][..]),
            ("8", "7", &there[1..], &["8", "base"][..]),
            ("base", "base", &there[..], &[][..]),
            ("8", "7", &[][..], &[][..]),
            ("", "7", &there[..], &["7"][..]),
        ] {
            let chosen = choose(&model(current, stable, there), "base", "in-1", "op-1 1");
            assert_eq!(versions(chosen.as_ref()), expected, "{current} {stable}");
        }
    }

    #[test]
    fn the_same_call_takes_the_same_version_and_another_attempt_one_that_was_not_tried() {
        let mut model = model("8", "7", &["7", "base"]);
        let first = choose(&model, "base", "in-1", "op-1 1").unwrap();
        assert_eq!((first.left(), first.taken()), ("8", "7"));
        // The host died, before or after the version was taken.
        model.last = Some(first.clone());
        assert_eq!(
            choose(&model, "base", "in-1", "op-1 1").as_ref(),
            Some(&first)
        );
        model.current = Some("7".into());
        assert_eq!(
            choose(&model, "base", "in-1", "op-1 1").as_ref(),
            Some(&first)
        );
        // It did not help.
        let second = choose(&model, "base", "in-1", "op-1 2").unwrap();
        assert_eq!(second.versions, ["8", "7", "base"]);
        model.current = Some("base".into());
        model.last = Some(second);
        assert_eq!(choose(&model, "base", "in-1", "op-1 3"), None);
        // Another incident begins anew.
        let other = choose(&model, "base", "in-2", "op-2 1").unwrap();
        assert_eq!(other.versions, ["base", "7"]);
    }

    #[test]
    fn a_rollback_is_read_as_it_was_written_and_all_else_is_none() {
        let rollback = Rollback {
            incident: "in-1".into(),
            call: "op-1 1".into(),
            versions: vec!["8".into(), "7".into()],
        };
        let text = rollback.to_text();
        assert_eq!(text, "in-1\nop-1 1\n8\n7\n");
        assert_eq!(Rollback::of_text(&text), Some(rollback));
        for text in ["", "in-1\n", "in-1\nop-1 1\n"] {
            assert_eq!(Rollback::of_text(text), None, "{text}");
        }
    }

    #[test]
    fn a_name_is_one_part_of_a_path() {
        for (text, is_one) in [
            ("fraud-v8.1", true),
            ("", false),
            ("..", false),
            (".hidden", false),
            ("a/b", false),
            ("a\\b", false),
            ("a\nb", false),
        ] {
            assert_eq!(is_name(text), is_one, "{text:?}");
        }
        assert!(!is_name(&"x".repeat(129)));
    }
}
