//! Whether the pages of a run fit together.
//!
//! Invariant: what is taken is whole documents, one after the other, each from its beginning to its end without a gap.
//! Invariant: a run has an end: only so many pages in a row give nothing.

use super::{CollectRequest, Page};
use crate::text::excerpt;

/// So long may the position of a cursor be, in bytes.
const MOST_POSITION: usize = 64 << 10;

/// So many pages in a row may hold nothing, as of a source that has to look through much.
const MOST_EMPTY: u32 = 1_000;

/// What is wrong with a page; a sentence that goes on from the name of its source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageFault {
    /// It holds more than was asked for.
    #[error("gave {found} bytes in one page, and {most} are allowed")]
    TooLong {
        /// Bytes of its parts.
        found: u64,
        /// What was asked for.
        most: u32,
    },
    /// A part does not go on where the one before ended.
    #[error(
        "gave the bytes of `{key}` from {found} on, and those from {expected} on were to follow"
    )]
    Gap {
        /// The document.
        key: String,
        /// Where the part begins.
        found: u64,
        /// Where it had to.
        expected: u64,
    },
    /// A document begins while another is open.
    #[error("began `{key}` before `{open}` had ended")]
    Nested {
        /// The document.
        key: String,
        /// The other.
        open: String,
    },
    /// The run is over in the middle of a document.
    #[error("ended before `{0}` had")]
    Unended(String),
    /// The cursor is of no use.
    #[error("gave a next page {0}")]
    Cursor(&'static str),
    /// Page after page holds nothing.
    #[error(
        "gave {most} pages in a row with nothing in them and a next one after each; look further for each page, or end with \
         one that has none",
        most = MOST_EMPTY
    )]
    Endless,
}

/// What of a run has come so far.
#[derive(Debug, Clone, Default)]
pub struct CollectedPages {
    /// The document that goes on, and how much of it there is.
    open: Option<(String, u64)>,
    /// The pages since the last one that held anything.
    empty: u32,
}

impl CollectedPages {
    /// Takes up the answer to a request, after those before it.
    ///
    /// # Errors
    /// It does not follow on them, or is none that the request allows.
    pub fn take(&mut self, request: &CollectRequest, page: &Page) -> Result<(), PageFault> {
        let found: u64 = page.parts.iter().map(|part| part.bytes.len() as u64).sum();
        if found > u64::from(request.page_bytes) {
            return Err(PageFault::TooLong {
                found,
                most: request.page_bytes,
            });
        }
        let mut parts = page.parts.iter();
        self.empty = match parts.any(|part| part.last || !part.bytes.is_empty()) {
            true => 0,
            false => self.empty.saturating_add(1),
        };
        for part in &page.parts {
            let key = || excerpt(&part.key);
            let expected = match self.open.take() {
                None => 0,
                Some((open, length)) if open == part.key => length,
                Some((open, _)) => {
                    return Err(PageFault::Nested {
                        key: key(),
                        open: excerpt(&open),
                    });
                }
            };
            if part.offset != expected {
                return Err(PageFault::Gap {
                    key: key(),
                    found: part.offset,
                    expected,
                });
            }
            if !part.last {
                self.open = Some((part.key.clone(), expected + part.bytes.len() as u64));
            }
        }
        match (&page.next, &self.open) {
            (None, Some((open, _))) => Err(PageFault::Unended(excerpt(open))),
            (Some(next), _) if next.run != request.at.run => {
                Err(PageFault::Cursor("that is of another run"))
            }
            (Some(next), _) if next.position.len() > MOST_POSITION => {
                Err(PageFault::Cursor("at a position of more than 64 KiB"))
            }
            (Some(next), _) if *next == request.at => {
                Err(PageFault::Cursor("that is the one before once more"))
            }
            (Some(_), _) if self.empty >= MOST_EMPTY => Err(PageFault::Endless),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        backup::BackupType,
        call::{Cursor, Part},
        name::JobName,
        time::Timestamp,
    };

    fn request(position: &str) -> CollectRequest {
        CollectRequest {
            job: JobName::parse("state").unwrap(),
            backup_type: BackupType::Full,
            started_at: Timestamp::from_millis(0),
            since: None,
            at: Cursor {
                run: "run".to_owned(),
                position: position.into(),
            },
            page_bytes: 8,
        }
    }

    fn part(key: &str, offset: u64, bytes: &str, last: bool) -> Part {
        Part {
            key: key.to_owned(),
            offset,
            bytes: bytes.into(),
            last,
        }
    }

    fn page(parts: &[Part], next: Option<&str>) -> Page {
        Page {
            parts: parts.to_vec(),
            next: next.map(|position| request(position).at),
            ..Page::default()
        }
    }

    #[test]
    fn documents_may_go_on_over_pages() {
        let mut pages = CollectedPages::default();
        let first = page(
            &[part("a", 0, "", true), part("b", 0, "12345678", false)],
            Some("1"),
        );
        assert_eq!(pages.take(&request(""), &first), Ok(()));
        let last = page(&[part("b", 8, "9", true), part("c", 0, "1", true)], None);
        assert_eq!(pages.take(&request("1"), &last), Ok(()));
    }

    #[test]
    fn only_so_many_pages_in_a_row_hold_nothing() {
        let mut pages = CollectedPages::default();
        let mut number = 0;
        let mut take = |parts: &[Part]| {
            let at = number.to_string();
            number += 1;
            pages.take(&request(&at), &page(parts, Some(&number.to_string())))
        };
        for _ in 0..2 {
            for _ in 1..MOST_EMPTY {
                assert_eq!(take(&[]), Ok(()));
            }
            assert_eq!(take(&[part("a", 0, "", true)]), Ok(()));
        }
        assert_eq!(take(&[part("b", 0, "1", false)]), Ok(()));
        for _ in 1..MOST_EMPTY {
            assert_eq!(take(&[part("b", 1, "", false)]), Ok(()));
        }
        assert_eq!(take(&[]), Err(PageFault::Endless));
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let other_run = Page {
            next: Some(Cursor {
                run: "other".to_owned(),
                position: Vec::new(),
            }),
            ..Page::default()
        };
        let far = "x".repeat(MOST_POSITION + 1);
        for (bad, says) in [
            (
                page(&[part("a", 0, "123456789", true)], None),
                "gave 9 bytes in one page, and 8 are allowed",
            ),
            (
                page(&[part("a", 1, "1", true)], None),
                "from 1 on, and those from 0 on",
            ),
            (
                page(&[part("a", 0, "1", false), part("a", 2, "1", true)], None),
                "from 2 on, and those from 1 on",
            ),
            (
                page(&[part("a", 0, "1", false), part("b", 0, "1", true)], None),
                "began `b` before `a` had ended",
            ),
            (
                page(&[part("a", 0, "1", false)], None),
                "ended before `a` had",
            ),
            (page(&[], Some("0")), "the one before once more"),
            (page(&[], Some(&far)), "more than 64 KiB"),
            (other_run, "of another run"),
        ] {
            let fault = CollectedPages::default()
                .take(&request("0"), &bad)
                .unwrap_err();
            assert!(fault.to_string().contains(says), "{fault}");
        }
    }
}
