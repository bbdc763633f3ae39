//! `explain`: what an error code means, from the pages of `docs/errors/`, which are part of the program.
//!
//! Invariant: every code has a page whose first line is `# CODE TITLE`, and the index lists each by that title.

use super::output::{Output, Tone, cell};
use mainstay_api::{ErrorPage, ListedError};
use mainstay_domain::code::ErrorCode;

/// The page of a code, in Markdown.
fn page(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::JournalDamaged => include_str!("../../../../docs/errors/MS-0101.md"),
        ErrorCode::JournalNewer => include_str!("../../../../docs/errors/MS-0102.md"),
        ErrorCode::StateDirOpen => include_str!("../../../../docs/errors/MS-0103.md"),
        ErrorCode::StateDirInUse => include_str!("../../../../docs/errors/MS-0104.md"),
        ErrorCode::DiskFull => include_str!("../../../../docs/errors/MS-0105.md"),
        ErrorCode::ConfigRefused => include_str!("../../../../docs/errors/MS-0201.md"),
        ErrorCode::SecretUnusable => include_str!("../../../../docs/errors/MS-0202.md"),
        ErrorCode::ContractMismatch => include_str!("../../../../docs/errors/MS-0301.md"),
        ErrorCode::NotGranted => include_str!("../../../../docs/errors/MS-0302.md"),
        ErrorCode::Quarantined => include_str!("../../../../docs/errors/MS-0303.md"),
        ErrorCode::NotServing => include_str!("../../../../docs/errors/MS-0304.md"),
        ErrorCode::AwaitsOperator => include_str!("../../../../docs/errors/MS-0401.md"),
        ErrorCode::NotStarted => include_str!("../../../../docs/errors/MS-0402.md"),
        ErrorCode::CharterBroken => include_str!("../../../../docs/errors/MS-0405.md"),
        ErrorCode::RestoreRefused => include_str!("../../../../docs/errors/MS-0501.md"),
        ErrorCode::BackupUnusable => include_str!("../../../../docs/errors/MS-0502.md"),
        ErrorCode::NoToolchain => include_str!("../../../../docs/errors/MS-0601.md"),
    }
}

/// The page of a code, taken apart.
fn form_of(code: ErrorCode) -> ErrorPage {
    let (heading, text) = page(code).split_once('\n').unwrap_or_default();
    let title = heading.trim_start_matches("# ");
    ErrorPage {
        code: code.as_str().to_owned(),
        title: title.trim_start_matches(code.as_str()).trim().to_owned(),
        text: text.trim().to_owned(),
    }
}

/// Prints the page of a code, or lists all codes.
pub(super) fn explain(out: &Output, code: Option<ErrorCode>) -> anyhow::Result<()> {
    match code {
        Some(code) if out.json => out.json_line(&form_of(code)),
        Some(code) => out.line(page(code).trim_end()),
        None => list(out),
    }
}

fn list(out: &Output) -> anyhow::Result<()> {
    let pages = ErrorCode::ALL.map(form_of);
    if out.json {
        let listed = pages.map(|ErrorPage { code, title, .. }| ListedError { code, title });
        return out.json_line(&listed);
    }
    let rows = pages.map(|page| vec![cell(page.code, Tone::Plain), cell(page.title, Tone::Plain)]);
    out.table(&["CODE", "MEANING"], rows.into(), "no codes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, fs, path::Path};

    const PARTS: [&str; 5] = [
        "## What you see",
        "## What it means",
        "## What the host does meanwhile",
        "## What to do",
        "## How to see that it is over",
    ];

    #[test]
    fn each_code_has_a_page_and_each_page_a_code_and_the_index_has_all() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
        let names = fs::read_dir(&directory).unwrap().map(|entry| {
            let name = entry.unwrap().file_name();
            name.into_string().unwrap()
        });
        let found: BTreeSet<String> = names.filter(|name| name != "README.md").collect();
        let expected = ErrorCode::ALL.map(|code| format!("{code}.md"));
        assert_eq!(found, BTreeSet::from(expected));
        let index = fs::read_to_string(directory.join("README.md")).unwrap();
        for code in ErrorCode::ALL {
            let file = fs::read_to_string(directory.join(format!("{code}.md"))).unwrap();
            assert_eq!(file, page(code), "{code} has the page of another");
            let ErrorPage { title, text, .. } = form_of(code);
            assert!(file.starts_with(&format!("# {code} {title}\n")), "{code}");
            assert!(
                index.contains(&format!("[{code}]({code}.md) {title}\n")),
                "{code}: {title}"
            );
            let places = PARTS.map(|part| text.find(part).unwrap_or(usize::MAX));
            assert!(
                places.is_sorted() && !places.contains(&usize::MAX),
                "{code}: {places:?}"
            );
            assert!(
                text.contains(&format!("[{code}]")),
                "{code} does not show itself"
            );
        }
    }

    #[test]
    fn a_page_and_the_list_are_printed_for_people_and_for_programs() {
        let people = Output::in_memory(false, false);
        explain(&people, Some(ErrorCode::DiskFull)).unwrap();
        assert!(
            people.written().starts_with("# MS-0105 "),
            "{}",
            people.written()
        );
        let people = Output::in_memory(false, false);
        explain(&people, None).unwrap();
        assert_eq!(people.written().lines().count(), 1 + ErrorCode::ALL.len());

        let programs = Output::in_memory(true, false);
        explain(&programs, Some(ErrorCode::DiskFull)).unwrap();
        let page: serde_json::Value = serde_json::from_str(&programs.written()).unwrap();
        assert_eq!(page["code"], "MS-0105");
        assert!(
            page["text"]
                .as_str()
                .unwrap()
                .starts_with("## What you see")
        );
        let programs = Output::in_memory(true, false);
        explain(&programs, None).unwrap();
        let list: serde_json::Value = serde_json::from_str(&programs.written()).unwrap();
        assert_eq!(list[0]["code"], "MS-0101");
        assert_eq!(list[0]["title"], "The journal is damaged");
    }
}
