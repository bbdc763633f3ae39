//! The drop-ins of a unit of systemd: files that change it, as `systemctl edit` writes them.

use anyhow::Context;
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    io::ErrorKind,
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
};

/// Where systemd looks for the units of the machine; of two files with one name the first counts.
const PLACES: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// Those of a unit, in the order in which systemd applies them: by their names, wherever they lie.
pub(super) fn of(unit: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let shown = unit.display();
    let name = unit.file_name().unwrap_or_default().to_string_lossy();
    let whole = std::path::absolute(unit).context("cannot tell the present directory")?;
    let real = fs::canonicalize(unit).with_context(|| format!("cannot read {shown}"))?;
    let mut places: Vec<PathBuf> = Vec::new();
    for place in [whole.parent(), real.parent()].into_iter().flatten() {
        match PLACES.iter().any(|known| Path::new(known) == place) {
            true => places.extend(PLACES.iter().map(PathBuf::from)),
            false => places.push(place.to_owned()),
        }
    }
    let mut by_name: BTreeMap<OsString, PathBuf> = BTreeMap::new();
    for place in &places {
        for directory in directories(&name) {
            let directory = place.join(directory);
            let said = || format!("cannot read the drop-ins in {}", directory.display());
            let listed = match fs::read_dir(&directory) {
                Err(error)
                    if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
                {
                    continue;
                }
                listed => listed.with_context(said)?,
            };
            for entry in listed {
                let entry = entry.with_context(said)?;
                let name = entry.file_name();
                if Path::new(&name)
                    .extension()
                    .is_some_and(|end| end == "conf")
                {
                    by_name.entry(name).or_insert_with(|| entry.path());
                }
            }
        }
    }
    Ok(by_name
        .into_values()
        .filter(|file| !is_masked(file))
        .collect())
}

/// What takes the place of the drop-in with its name, and says nothing: a link to `/dev/null`.
fn is_masked(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|found| found.file_type().is_char_device())
}

/// The directories beside a unit that are read for it; of two files with one name the first counts.
fn directories(unit: &str) -> Vec<String> {
    let mut found = vec![format!("{unit}.d")];
    let Some((stem, kind)) = unit.rsplit_once('.') else {
        return found;
    };
    let (prefix, instance) = stem.split_once('@').unwrap_or((stem, ""));
    if !instance.is_empty() {
        found.push(format!("{prefix}@.{kind}.d"));
    }
    for (at, _) in prefix.rmatch_indices('-') {
        if let Some(begin) = prefix.get(..=at).filter(|begin| *begin != prefix) {
            found.push(format!("{begin}.{kind}.d"));
        }
    }
    found.push(format!("{kind}.d"));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn the_directories_of_a_unit_are_its_own_its_templates_its_prefixes_and_its_kinds() {
        for (unit, expected) in [
            ("app.service", &["app.service.d", "service.d"][..]),
            (
                "a-b-c.service",
                &[
                    "a-b-c.service.d",
                    "a-b-.service.d",
                    "a-.service.d",
                    "service.d",
                ][..],
            ),
            (
                "web@1.service",
                &["web@1.service.d", "web@.service.d", "service.d"][..],
            ),
            ("app", &["app.d"][..]),
        ] {
            assert_eq!(directories(unit), expected, "{unit}");
        }
    }

    #[test]
    fn drop_ins_come_in_the_order_of_their_names_and_a_masked_one_not_at_all() {
        let place = tempfile::tempdir().unwrap();
        let put = |path: &str| {
            let file = place.path().join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        };
        for path in [
            "app.service",
            "app.service.d/20-b.conf",
            "app.service.d/10-a.conf",
            "app.service.d/notes.txt",
            "service.d/15-all.conf",
            "service.d/20-b.conf",
            "service.d/30-off.conf",
            "other.service.d/5.conf",
        ] {
            put(path);
        }
        symlink("/dev/null", place.path().join("app.service.d/30-off.conf")).unwrap();
        let place = place.path().canonicalize().unwrap();
        let found = of(&place.join("app.service")).unwrap();
        let found: Vec<&Path> = found
            .iter()
            .map(|file| file.strip_prefix(&place).unwrap())
            .collect();
        let expected = [
            "app.service.d/10-a.conf",
            "service.d/15-all.conf",
            "app.service.d/20-b.conf",
        ];
        assert_eq!(found, expected.map(Path::new));
    }
}
